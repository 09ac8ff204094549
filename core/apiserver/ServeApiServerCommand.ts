// `wharf serve apiserver`: the command line of the API server as a process.
// Owns its flags, in kube-apiserver's names where it has them; refuses to open anything, which ServeApiServer.ts does.
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { stopAtSecondInterrupt } from "#storage"
import { serveApiServer } from "./ServeApiServer.ts"
import { defaultServerOptions, type ServerOptions } from "./serve/ServerOptions.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** The flags of everything that serves a Kubernetes API. */
export const apiServerFlags = {
  listen: Flag.String("listen").pipe(
    Flag.withDescription("HOST:PORT to serve on; port 0 takes any free one"),
    Flag.withDefault("127.0.0.1:6443")
  ),
  dataDir: text("data-dir", "Folder that keeps objects, certificates and keys; without it everything is in memory"),
  kubeconfig: text("kubeconfig", "Where to write the administrator's kubeconfig"),
  insecure: Flag.Boolean("insecure").pipe(
    Flag.withDescription("Plain HTTP, and everyone who reaches the port is the administrator"),
    Flag.withDefault(false)
  ),
  hosts: text("tls-san", "Further names and addresses of the serving certificate, separated by commas"),
  clientCaFile: text("client-ca-file", "PEM file of further authorities of client certificates"),
  tokenAuthFile: text("token-auth-file", "CSV file of static tokens"),
  noAnonymous: Flag.Boolean("no-anonymous-auth").pipe(
    Flag.withDescription("Refuse requests that prove nobody"),
    Flag.withDefault(false)
  ),
  serviceCidr: Flag.String("service-cluster-ip-range").pipe(
    Flag.withDescription("Blocks of cluster IPs, separated by commas"),
    Flag.withDefault("10.0.0.0/16")
  ),
  readOnlyMax: Flag.Int("max-requests-inflight").pipe(
    Flag.withDescription("Reading requests at a time, of all but administrators; 0 for no bound"),
    Flag.withDefault(400)
  ),
  mutatingMax: Flag.Int("max-mutating-requests-inflight").pipe(
    Flag.withDescription("Writing requests at a time, of all but administrators; 0 for no bound"),
    Flag.withDefault(200)
  ),
  disableAdmission: text("disable-admission-plugins", "Admission plugins that are to be off, separated by commas"),
  enableAdmission: text("enable-admission-plugins", "Admission plugins that are on beside the usual ones"),
  auditPolicy: text("audit-policy-file", "What is recorded; without it nothing is"),
  auditLog: text("audit-log-path", "Where records go; - is the standard output"),
  auditWebhook: text("audit-webhook-url", "Where batches of records are posted")
}

const addressPattern = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/

/** The two halves of HOST:PORT; undefined when the text is none. */
const addressOf = (listen: string): { readonly host: string; readonly port: number } | undefined => {
  const match = addressPattern.exec(listen)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) return undefined
  const host = match[1] ?? match[2] ?? ""
  return { host: host === "" ? "0.0.0.0" : host, port }
}

const listOf = (value: string | undefined): ReadonlyArray<string> =>
  value === undefined ? [] : value.split(",").filter((one) => one !== "")

const run = Effect.fn("apiserver.command")(function* (options: ServerOptions) {
  yield* stopAtSecondInterrupt
  const { kubeconfig, url } = yield* serveApiServer(options)
  yield* Console.log(`serving ${url}`)
  if (options.kubeconfig === undefined && !options.insecure) {
    yield* Console.log(`no --kubeconfig was given; this is the administrator's:\n${kubeconfig}`)
  } else if (options.kubeconfig !== undefined) {
    yield* Console.log(`try: kubectl --kubeconfig ${options.kubeconfig} get namespaces`)
  }
  return yield* Effect.never
}, Effect.scoped)

/** What those flags say. */
export interface ApiServerFlags {
  readonly listen: string
  readonly dataDir: string | undefined
  readonly kubeconfig: string | undefined
  readonly insecure: boolean
  readonly hosts: string | undefined
  readonly clientCaFile: string | undefined
  readonly tokenAuthFile: string | undefined
  readonly noAnonymous: boolean
  readonly serviceCidr: string
  readonly readOnlyMax: number
  readonly mutatingMax: number
  readonly disableAdmission: string | undefined
  readonly enableAdmission: string | undefined
  readonly auditPolicy: string | undefined
  readonly auditLog: string | undefined
  readonly auditWebhook: string | undefined
}

/** The address that --listen names; fails with a line that names the rule. */
export const listenAddress = Effect.fnUntraced(function* (listen: string) {
  const address = addressOf(listen)
  if (address !== undefined) return address
  const userMessage = `--listen ${listen}: must be HOST:PORT, the port between 0 and 65535`
  return yield* new CliError.UserError({ cause: new Error(userMessage), userMessage })
})

/** The options that flags mean; fails with a line that names the flag and its rule. */
export const apiServerOptions = Effect.fnUntraced(function* (given: ApiServerFlags) {
  const address = yield* listenAddress(given.listen)
  const { auditLog, auditPolicy, auditWebhook, clientCaFile, dataDir, insecure, kubeconfig, tokenAuthFile } = given
  const audit =
    auditPolicy === undefined
      ? undefined
      : { ...auditBounds, policyFile: auditPolicy, logPath: auditLog, webhookUrl: auditWebhook }
  const options: ServerOptions = {
    ...defaultServerOptions,
    ...address,
    dataDir,
    kubeconfig,
    insecure,
    clientCaFile,
    tokenAuthFile,
    anonymous: !given.noAnonymous,
    hosts: listOf(given.hosts),
    serviceCidrs: listOf(given.serviceCidr),
    limits: { readOnlyMax: given.readOnlyMax, mutatingMax: given.mutatingMax },
    disableAdmissionPlugins: listOf(given.disableAdmission),
    enableAdmissionPlugins: listOf(given.enableAdmission),
    audit
  }
  return options
})

/** Of the audit log: a file of this size is put aside, and so many are kept. */
const auditBounds = { logMaxBytes: 100 * 2 ** 20, logMaxBackups: 10 }

/** `wharf serve apiserver`. */
export const serveApiServerCommand = Command.make("apiserver", apiServerFlags, (given) =>
  Effect.flatMap(apiServerOptions(given), run)
).pipe(
  Command.withDescription("Serve a Kubernetes API on our own store: no etcd, no kube-apiserver"),
  Command.withExamples([
    {
      command: "wharf serve apiserver --data-dir cluster --kubeconfig cluster/admin.conf",
      description: "Kept on disk; then: kubectl --kubeconfig cluster/admin.conf get namespaces"
    },
    { command: "wharf serve apiserver --listen 127.0.0.1:8080 --insecure", description: "In memory, for trying out" }
  ])
)
