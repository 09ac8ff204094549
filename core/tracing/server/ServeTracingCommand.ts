// `wharf serve tracing`: the command line of the tracing server.
// Owns its flags and the files that they name; refuses to open anything else, which ServeTracing.ts does.
import { readFileSync } from "node:fs"
import { Console, Effect, Option, Result } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { listenAddress } from "#apiserver"
import { stopAtSecondInterrupt } from "#storage"
import {
  type ClusterConfig,
  parseMetricRules,
  parseTracingConfig,
  type TracingConfig
} from "../config/TracingConfig.ts"
import { WINDOW_SECONDS } from "../model/ObjectKey.ts"
import { defaultStoreBounds } from "../store/LmdbSpanStore.ts"
import { DisplayModes } from "../view/DisplayModes.ts"
import { parseTransformFile } from "../view/TransformConfig.ts"
import { Access, TokensInvalid } from "./Access.ts"
import { mounts } from "./Mounts.ts"
import { serveTracing, type ServeTracingOptions } from "./ServeTracing.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const count = (name: string, description: string, value: number) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withDefault(value))

const HOUR_MS = 3_600_000
const MIB = 2 ** 20

const flags = {
  listen: Flag.String("listen").pipe(
    Flag.withDescription("HOST:PORT to serve on; port 0 takes any free one"),
    Flag.withDefault("127.0.0.1:8080")
  ),
  dataDir: Flag.String("data-dir").pipe(Flag.withDescription("Folder of the traces"), Flag.withDefault("traces")),
  config: text("config", "YAML or TOML file of clusters, filters, redaction, links, kinds, copies and request metrics"),
  metricsConfig: text("kelemetrix-config", "TOML or YAML file of request metrics, as Kelemetry's kelemetrix takes it"),
  cluster: text("cluster", "Name of the cluster that --kubeconfig or --audit-log follows. Default: cluster"),
  kubeconfig: text("kubeconfig", "Follows this cluster's objects and events"),
  context: text("context", "Context in that kubeconfig; by default its current one"),
  auditLog: text("audit-log", "Follows this audit log file"),
  tokenFile: text(
    "token-file",
    "Lines TOKEN,NAME,PERMISSIONS: audit, audit/CLUSTER, read, read/CLUSTER, read/CLUSTER/NAMESPACE; separated by spaces"
  ),
  certFile: text("tls-cert-file", "PEM certificate to serve with"),
  keyFile: text("tls-private-key-file", "PEM key of that certificate"),
  clientCaFile: text("client-ca-file", "PEM authorities; who shows their certificate may send and read everything"),
  displayModes: text("display-modes", "Transformation file of display modes in place of those that are shipped"),
  otlpEndpoint: text("otlp-endpoint", "Collector that everything is exported to, like http://127.0.0.1:4317"),
  otlpProtocol: Flag.Literals("otlp-protocol", ["grpc", "http/protobuf", "http/json"]).pipe(
    Flag.withDescription("How the collector is spoken to"),
    Flag.withDefault("grpc")
  ),
  otlpHeadersFile: text("otlp-headers-file", "Lines NAME: VALUE that the collector wants, like a key"),
  otlpCaFile: text("otlp-ca-file", "PEM authority of the collector's certificate"),
  insecure: Flag.Boolean("insecure").pipe(
    Flag.withDescription("Everybody who reaches the server may send and read everything"),
    Flag.withDefault(false)
  ),
  windowSeconds: count("span-ttl-seconds", "Length of a trace's window; fixed once there are data", WINDOW_SECONDS),
  retentionHours: count(
    "retention-hours",
    "Hours after which traces are dropped",
    defaultStoreBounds.ageMaxMs / HOUR_MS
  ),
  retentionMib: count(
    "retention-mib",
    "MiB of traces beyond which the oldest are dropped",
    defaultStoreBounds.bytesMax / MIB
  ),
  waitingMax: count(
    "max-waiting-facts",
    "Facts that wait to be written before senders are told to wait",
    defaultStoreBounds.waitingMax
  )
}

type Given = Command.Command.Config.Infer<typeof flags>

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const readFile = (flag: string, path: string) =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) =>
      misused(`--${flag} ${path}: cannot be read (${error instanceof Error ? error.message : "unknown"})`)
  })

const accessOf = Effect.fnUntraced(function* ({ clientCaFile, insecure, tokenFile }: Given) {
  if (tokenFile === undefined && clientCaFile === undefined && !insecure) {
    return yield* misused("who may send and read is not said: give --token-file, --client-ca-file or --insecure")
  }
  const tokens = tokenFile === undefined ? "" : yield* readFile("token-file", tokenFile)
  return yield* Effect.try({
    try: () => new Access({ tokens, open: insecure }),
    catch: (error) => misused(`--token-file: ${error instanceof TokensInvalid ? error.message : "cannot be used"}`)
  })
})

const tlsOf = Effect.fnUntraced(function* ({ certFile, clientCaFile, keyFile }: Given) {
  if (certFile === undefined && keyFile === undefined) {
    return clientCaFile === undefined ? undefined : yield* misused("--client-ca-file: needs --tls-cert-file")
  }
  if (certFile === undefined || keyFile === undefined)
    return yield* misused("--tls-cert-file and --tls-private-key-file: give both")
  const ca = clientCaFile === undefined ? {} : { caFile: clientCaFile, clientAuth: "optional" as const }
  return { certFile, keyFile, ...ca }
})

/** A file's content by its reader; nothing without a file. */
const parsedFile = <A>(
  flag: string,
  path: string | undefined,
  read: (path: string, text: string) => Result.Result<A, { readonly message: string }>
) =>
  Effect.gen(function* () {
    if (path === undefined) return undefined
    const parsed = read(path, yield* readFile(flag, path))
    return Result.isFailure(parsed) ? yield* misused(`--${flag} ${parsed.failure.message}`) : parsed.success
  })

const configOf = Effect.fnUntraced(function* (given: Given) {
  const { auditLog, cluster, context, kubeconfig } = given
  const requestMetrics = yield* parsedFile("kelemetrix-config", given.metricsConfig, parseMetricRules)
  const config: TracingConfig = {
    ...(yield* parsedFile("config", given.config, parseTracingConfig)),
    ...(requestMetrics === undefined ? {} : { requestMetrics })
  }
  if (auditLog === undefined && kubeconfig === undefined) return config
  const followed: ClusterConfig = {
    name: cluster ?? "cluster",
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(auditLog === undefined ? {} : { auditLog })
  }
  return { ...config, clusters: [...(config.clusters ?? []), followed] }
})

const mountsOf = Effect.fnUntraced(function* ({ displayModes }: Given) {
  if (displayModes === undefined) return mounts()
  const modes = yield* readFile("display-modes", displayModes)
  yield* Effect.try({
    try: () => new DisplayModes(parseTransformFile(modes)),
    catch: (error) => misused(`--display-modes ${displayModes}: ${error instanceof Error ? error.message : "unknown"}`)
  })
  return mounts(modes)
})

const collectorOf = Effect.fnUntraced(function* (given: Given) {
  const { otlpCaFile, otlpEndpoint: endpoint, otlpHeadersFile, otlpProtocol: protocol } = given
  if (endpoint === undefined) {
    return otlpHeadersFile === undefined ? {} : yield* misused("--otlp-headers-file: needs --otlp-endpoint")
  }
  const lines = otlpHeadersFile === undefined ? "" : yield* readFile("otlp-headers-file", otlpHeadersFile)
  const headers: Array<readonly [string, string]> = []
  for (const [at, line] of lines.split("\n").entries()) {
    const colon = line.indexOf(":")
    if (line.trim() === "") continue
    if (colon < 1) return yield* misused(`--otlp-headers-file: line ${at + 1} must be NAME: VALUE`)
    headers.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()])
  }
  const ca = otlpCaFile === undefined ? {} : { ca: yield* readFile("otlp-ca-file", otlpCaFile) }
  return { collector: { endpoint, protocol, headers, ...ca } }
})

const run = Effect.fn("tracing.command")(function* (given: Given) {
  yield* stopAtSecondInterrupt
  const { windowSeconds } = given
  for (const name of ["windowSeconds", "retentionHours", "retentionMib", "waitingMax"] as const) {
    if (given[name] < 1) return yield* misused(`${name}: must be at least 1`)
  }
  const context = yield* Effect.context()
  const log = Effect.runForkWith(context)
  const options: ServeTracingOptions = {
    ...(yield* listenAddress(given.listen)),
    dataDir: given.dataDir,
    access: yield* accessOf(given),
    tls: yield* tlsOf(given),
    config: yield* configOf(given),
    windowSeconds,
    bounds: {
      ...defaultStoreBounds,
      ageMaxMs: given.retentionHours * HOUR_MS,
      bytesMax: given.retentionMib * MIB,
      waitingMax: given.waitingMax
    },
    mounts: yield* mountsOf(given),
    ...(yield* collectorOf(given)),
    say: (line) => void log(Effect.logWarning(line))
  }
  const { url } = yield* serveTracing(options)
  yield* Console.log(`serving ${url}; audit webhooks send to ${url}/audit/CLUSTER, Jaeger reads it as remote storage`)
  return yield* Effect.never
}, Effect.scoped)

/** `wharf serve tracing`. */
export const serveTracingCommand = Command.make("tracing", flags, run).pipe(
  Command.withDescription("Serve the traces of every object's life, from audit events, Events and watches"),
  Command.withExamples([
    {
      command: "wharf serve tracing --insecure --kubeconfig cluster.conf --cluster prod",
      description: "follow a cluster's objects and events, and take its audit webhook at /audit/prod"
    },
    {
      command:
        "wharf serve tracing --listen 0.0.0.0:8443 --tls-cert-file tls.crt --tls-private-key-file tls.key --token-file tokens.csv",
      description: "take audit webhooks of several clusters, each with a token of its own"
    }
  ])
)
