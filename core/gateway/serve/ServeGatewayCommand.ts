// `wharf serve gateway`: the command line of a gateway, in kube-gateway's names where it has them.
// Owns its flags and what is wrong with them; refuses to open anything, which ServeGatewayProcess.ts does.
import { hostname } from "node:os"
import { join } from "node:path"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { stopAtSecondInterrupt } from "#storage"
import { noFeatures, parseFeatureGates } from "../decode/DecodeFeatures.ts"
import { limiterFlags, limiterSettings } from "./LimiterFlags.ts"
import type { ConfigChoice } from "./ServeConfig.ts"
import { type GatewayProcess, type GatewayProcessOptions, runGateway } from "./ServeGatewayProcess.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const flags = {
  configDir: text(
    "config-dir",
    "Read clusters and secrets from the YAML files of this folder, and follow their changes"
  ),
  kubeconfig: text("kubeconfig", "Read clusters and secrets from the API server that this file names"),
  context: text("context", "The context of --kubeconfig; default: its current one"),
  dataDir: text("data-dir", "Without the two above: folder of the gateway's own control plane; without it, in memory"),
  adminKubeconfig: text("admin-kubeconfig", "Where to write the kubeconfig of the own control plane's administrator"),
  securePort: Flag.Int("secure-port").pipe(
    Flag.withDescription(
      "Port of the own control plane, or of the gateway's health, metrics and debug pages; 0: any free one"
    ),
    Flag.withDefault(9443)
  ),
  otherSecurePorts: text("other-secure-ports", "Further ports beside --secure-port, separated by commas"),
  reusePort: Flag.Boolean("enable-reuse-port").pipe(
    Flag.withDescription(
      "Share all ports with other gateways of this machine, which the kernel spreads connections over"
    ),
    Flag.withDefault(false)
  ),
  gatewayName: text("gateway-name", "This gateway's name in statuses; default: host name and first port"),
  proxySecurePorts: Flag.String("proxy-secure-ports").pipe(
    Flag.withDescription("Ports of the clusters' clients, separated by commas; 0: any free one"),
    Flag.withDefault("8443")
  ),
  bindAddress: Flag.String("bind-address").pipe(
    Flag.withDescription("Address of all ports"),
    Flag.withDefault("127.0.0.1")
  ),
  tlsCertFile: text("tls-cert-file", "PEM of the certificate for hosts of no cluster, and clusters without their own"),
  tlsKeyFile: text("tls-private-key-file", "PEM of its key"),
  certDir: text("cert-dir", "Where a certificate is made when none is given; default: proxy-pki in --data-dir"),
  hosts: text("tls-san", "Further names and addresses of a certificate that is made, separated by commas"),
  clientCaFile: text("client-ca-file", "PEM of authorities of client certificates, for clusters without their own"),
  tokenAuthFile: text("token-auth-file", "CSV file of static tokens for the own control plane"),
  features: Flag.String("proxy-default-feature-gates").pipe(
    Flag.withDescription("Feature gates of clusters that say nothing else, like DenyAllRequests=false"),
    Flag.withDefault("")
  ),
  ownAuditPolicy: text(
    "audit-policy-file",
    "What is recorded of requests to the own control plane; without it nothing is"
  ),
  ownAuditLog: text("audit-log-path", "Where these records go; - is the standard output"),
  ownAuditWebhook: text("audit-webhook-url", "Where batches of these records are posted"),
  byUser: Flag.Boolean("enable-request-metric-with-user").pipe(
    Flag.withDescription("Count requests by user as well, as ENABLE_REQUEST_METRIC_WITH_USER=true does"),
    Flag.withDefault(false)
  ),
  accessLog: Flag.Boolean("enable-proxy-access-log").pipe(
    Flag.withDescription("Let policies write to the access log; failures and slow requests are written anyway"),
    Flag.withDefault(false)
  ),
  accessLogPath: Flag.String("proxy-access-log-path").pipe(
    Flag.withDescription("Where the access log goes; - is the standard output"),
    Flag.withDefault("-")
  ),
  auditPolicy: text("proxy-audit-policy-file", "What is recorded of requests to clusters; without it nothing is"),
  auditLog: text("proxy-audit-log-path", "Where these records go; - is the standard output"),
  auditWebhook: text("proxy-audit-webhook-url", "Where batches of these records are posted"),
  tracing: text(
    "proxy-tracing-endpoint",
    "An OpenTelemetry collector, like http://localhost:4318, for clusters with Tracing on"
  ),
  sampling: Flag.Finite("proxy-tracing-sampling").pipe(
    Flag.withDescription("Part of requests without a trace of their own that are traced; 0 to 1"),
    Flag.withDefault(0.01)
  ),
  ...limiterFlags,
  goAwayChance: Flag.Finite("proxy-goaway-chance").pipe(
    Flag.withDescription("How likely a request makes a client connect anew, to spread clients; 0 to 0.02"),
    Flag.withDefault(0)
  ),
  maxInFlight: Flag.Int("proxy-max-inflight-threshold").pipe(
    Flag.withDescription(
      "Requests in flight beyond which --proxy-goaway-chance holds; with no threshold it holds always"
    ),
    Flag.withDefault(0)
  ),
  maxPerSecond: Flag.Int("proxy-max-qps-threshold").pipe(
    Flag.withDescription("The same for requests a second, over half a minute"),
    Flag.withDefault(0)
  ),
  maxMegabytes: Flag.Int("proxy-max-throughput-mb-threshold").pipe(
    Flag.withDescription("The same for megabytes a second, over half a minute"),
    Flag.withDefault(0)
  ),
  drainSeconds: Flag.Int("shutdown-drain-seconds").pipe(
    Flag.withDescription("How long open requests may take to end when the process is asked to stop"),
    Flag.withDefault(10)
  )
}

type Given = Command.Command.Config.Infer<typeof flags>

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const listOf = (value: string | undefined): ReadonlyArray<string> =>
  (value ?? "").split(",").filter((one) => one !== "")

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535

const portsIn = Effect.fnUntraced(function* (flag: string, value: string | undefined) {
  const ports = listOf(value).map((one) => (/^\d+$/.test(one) ? Number(one) : -1))
  if (!ports.every(isPort)) return yield* misused(`--${flag} ${value}: must be ports between 0 and 65535`)
  return ports
})

const proxyPortsOf = Effect.fnUntraced(function* (value: string) {
  const [first, ...rest] = yield* portsIn("proxy-secure-ports", value)
  if (first === undefined) return yield* misused("--proxy-secure-ports: must be one or more ports")
  return [first, ...rest] as const
})

/** Of the audit log of the own control plane: a file of this size is put aside, and so many are kept. */
const auditBounds = { logMaxBytes: 100 * 2 ** 20, logMaxBackups: 10 }

const choiceOf = Effect.fnUntraced(function* (given: Given) {
  const { bindAddress, clientCaFile, configDir, context, dataDir, kubeconfig, tokenAuthFile } = given
  if (configDir !== undefined && kubeconfig !== undefined)
    return yield* misused("--config-dir and --kubeconfig: only one of them can be the source of clusters")
  if (dataDir !== undefined && (configDir !== undefined || kubeconfig !== undefined))
    return yield* misused(
      "--data-dir: only the gateway's own control plane keeps data, and clusters come from elsewhere"
    )
  const isOwn = configDir === undefined && kubeconfig === undefined
  if (given.reusePort && isOwn)
    return yield* misused(
      "--enable-reuse-port: gateways side by side have no control plane of their own in common; name one by --kubeconfig, or a --config-dir"
    )
  const { ownAuditLog: logPath, ownAuditPolicy: policyFile, ownAuditWebhook: webhookUrl } = given
  if (!isOwn && (policyFile ?? logPath ?? webhookUrl) !== undefined)
    return yield* misused(
      "--audit-*: only the gateway's own control plane is audited so, and clusters come from elsewhere"
    )
  const choice: ConfigChoice =
    configDir !== undefined
      ? { kind: "folder", folder: configDir }
      : kubeconfig !== undefined
        ? { kind: "api", kubeconfig, context }
        : {
            kind: "own",
            host: bindAddress,
            port: given.securePort,
            dataDir,
            kubeconfig: given.adminKubeconfig,
            hosts: listOf(given.hosts),
            clientCaFile,
            tokenAuthFile,
            morePorts: yield* portsIn("other-secure-ports", given.otherSecurePorts),
            audit: policyFile === undefined ? undefined : { ...auditBounds, policyFile, logPath, webhookUrl }
          }
  return choice
})

const optionsOf = Effect.fnUntraced(function* (given: Given) {
  const { certDir, dataDir, drainSeconds, goAwayChance, securePort, tlsCertFile, tlsKeyFile } = given
  const features = parseFeatureGates(given.features, noFeatures)
  if (typeof features === "string") return yield* misused(`--proxy-default-feature-gates: ${features}`)
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined))
    return yield* misused("--tls-cert-file and --tls-private-key-file: one needs the other")
  if (goAwayChance < 0 || goAwayChance > 0.02)
    return yield* misused(`--proxy-goaway-chance ${goAwayChance}: must be between 0 and 0.02`)
  if (given.sampling < 0 || given.sampling > 1)
    return yield* misused(`--proxy-tracing-sampling ${given.sampling}: must be between 0 and 1`)
  if (!isPort(securePort)) return yield* misused(`--secure-port ${securePort}: must be between 0 and 65535`)
  if (drainSeconds < 0) return yield* misused(`--shutdown-drain-seconds ${drainSeconds}: must not be negative`)
  const { maxInFlight, maxMegabytes, maxPerSecond } = given
  if (maxInFlight < 0 || maxMegabytes < 0 || maxPerSecond < 0)
    return yield* misused("--proxy-max-inflight-threshold, -qps-, -throughput-mb-: must not be negative")
  const proxyPorts = yield* proxyPortsOf(given.proxySecurePorts)
  const options: GatewayProcessOptions = {
    config: yield* choiceOf(given),
    host: given.bindAddress,
    proxyPorts,
    adminPort: securePort,
    moreAdminPorts: yield* portsIn("other-secure-ports", given.otherSecurePorts),
    reusePort: given.reusePort,
    name: given.gatewayName ?? `${hostname()}-${proxyPorts[0] === 0 ? process.pid : proxyPorts[0]}`,
    tls:
      tlsCertFile === undefined || tlsKeyFile === undefined
        ? undefined
        : { certFile: tlsCertFile, keyFile: tlsKeyFile },
    certDir: certDir ?? (dataDir === undefined ? undefined : join(dataDir, "proxy-pki")),
    hosts: listOf(given.hosts),
    clientCaFile: given.clientCaFile,
    features,
    goAwayChance,
    loadThresholds: { inFlight: maxInFlight, perSecond: maxPerSecond, megabytesPerSecond: maxMegabytes },
    drainMs: drainSeconds * 1000,
    limiter: yield* limiterSettings(given),
    observers: {
      accessLog: given.accessLog,
      accessLogPath: given.accessLogPath,
      auditPolicyFile: given.auditPolicy,
      auditLogPath: given.auditLog,
      auditWebhookUrl: given.auditWebhook,
      tracingEndpoint: given.tracing,
      tracingSampling: given.sampling,
      byUser: given.byUser || process.env["ENABLE_REQUEST_METRIC_WITH_USER"] === "true"
    }
  }
  return options
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const announce = Effect.fnUntraced(function* (running: GatewayProcess, { config, host }: GatewayProcessOptions) {
  const { adminPort, config: open, proxy } = running
  yield* Console.log(`proxying on ${proxy.ports.map((port) => `https://${host}:${port}`).join(", ")}`)
  yield* Console.log(`clusters from ${open.place}`)
  if (adminPort !== undefined) yield* Console.log(`health and metrics on https://${host}:${adminPort}`)
  if (config.kind !== "own" || open.control === undefined) return
  if (config.kubeconfig === undefined)
    yield* Console.log(`no --admin-kubeconfig was given; this is the administrator's:\n${open.control.kubeconfig}`)
  else yield* Console.log(`try: kubectl --kubeconfig ${config.kubeconfig} get upstreamclusters`)
})

const run = Effect.fn("gateway.command")(function* (given: Given) {
  yield* stopAtSecondInterrupt
  const options = yield* optionsOf(given)
  const running = yield* runGateway(options, say)
  yield* announce(running, options)
  return yield* Effect.never
}, Effect.scoped)

/** `wharf serve gateway`. */
export const serveGatewayCommand = Command.make("gateway", flags, run).pipe(
  Command.withDescription("Serve one door in front of many kube-apiservers"),
  Command.withExamples([
    {
      command: "wharf serve gateway --data-dir gateway --admin-kubeconfig gateway/admin.conf",
      description:
        "with a control plane of its own; then: kubectl --kubeconfig gateway/admin.conf apply -f cluster.yaml"
    },
    { command: "wharf serve gateway --config-dir clusters", description: "clusters from the YAML files of a folder" },
    {
      command: "wharf serve gateway --kubeconfig admin.conf",
      description: "clusters from any API server that has the CRDs"
    }
  ])
)
