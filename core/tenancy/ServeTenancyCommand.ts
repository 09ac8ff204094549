// `wharf serve tenancy`: the command line of the tenancy server.
// Owns its flags; refuses to open anything but the files that they name, which ServeTenancy.ts does.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { listenAddress } from "#apiserver"
import { loadAccess } from "#kube"
import { stopAtSecondInterrupt } from "#storage"
import { defaultTenantLimits } from "./quota/TenantLoad.ts"
import { serveTenancy, type ServeTenancyOptions } from "./ServeTenancy.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const count = (name: string, description: string, value: number) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withDefault(value))

const flags = {
  upstreamKubeconfig: Flag.String("upstream-kubeconfig").pipe(
    Flag.withDescription("Kubeconfig of the cluster that tenants share; its user must be allowed to impersonate")
  ),
  upstreamContext: text("upstream-context", "Context in that kubeconfig; by default its current one"),
  listen: Flag.String("listen").pipe(
    Flag.withDescription("HOST:PORT to serve on; port 0 takes any free one"),
    Flag.withDefault("127.0.0.1:7443")
  ),
  dataDir: text("data-dir", "Folder that keeps certificates; without it kubeconfigs end with the process"),
  kubeconfig: text("kubeconfig", "Where to write an operator's kubeconfig, which manages tenants"),
  publicUrl: text("public-url", "URL under which tenants reach this server, for their kubeconfigs"),
  podsServer: text(
    "pods-server",
    "https://HOST:PORT under which tenants' pods reach this server: their environment and service accounts then lead here"
  ),
  hosts: text("tls-san", "Further names and addresses of the serving certificate, separated by commas"),
  clientCaFile: text("client-ca-file", "PEM file of further authorities of operators' certificates"),
  kubeconfigSeconds: count("kubeconfig-seconds", "How long a tenant's kubeconfig is good for, in seconds", 86_400),
  kubeconfigMaxSeconds: count("kubeconfig-max-seconds", "The longest that may be asked for, in seconds", 604_800),
  requestsPerSecond: count(
    "tenant-requests-per-second",
    "Requests a second that one tenant may keep up",
    defaultTenantLimits.requestsPerSecond
  ),
  burst: count("tenant-burst", "Requests that one tenant may send at once", defaultTenantLimits.burst),
  inFlight: count("tenant-in-flight", "Requests of one tenant under way at a time", defaultTenantLimits.inFlightMax),
  watches: count(
    "tenant-watches",
    "Watches and streams of one tenant open at a time",
    defaultTenantLimits.longRunningMax
  )
}

interface Given {
  readonly [name: string]: string | number | undefined
  readonly upstreamKubeconfig: string
  readonly upstreamContext: string | undefined
  readonly listen: string
  readonly dataDir: string | undefined
  readonly kubeconfig: string | undefined
  readonly publicUrl: string | undefined
  readonly podsServer: string | undefined
  readonly hosts: string | undefined
  readonly clientCaFile: string | undefined
  readonly kubeconfigSeconds: number
  readonly kubeconfigMaxSeconds: number
  readonly requestsPerSecond: number
  readonly burst: number
  readonly inFlight: number
  readonly watches: number
}

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const readFile = (flag: string, path: string) =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) =>
      misused(`--${flag} ${path}: cannot be read (${error instanceof Error ? error.message : "unknown"})`)
  })

/** Only its owner may read it, and it is there whole or not at all. */
const writeFile = (path: string, content: string) =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(resolve(path)), { recursive: true, mode: 0o700 })
      writeFileSync(`${path}.new`, content, { mode: 0o600 })
      renameSync(`${path}.new`, path)
    },
    catch: (error) =>
      misused(`--kubeconfig ${path}: cannot be written (${error instanceof Error ? error.message : "unknown"})`)
  })

const HTTPS_PORT = 443

/** Host and port of a URL that says nothing else. */
const podsServerOf = (given: string | undefined) => {
  if (given === undefined) return Effect.succeed(undefined)
  const url = URL.parse(given)
  return url === null || url.protocol !== "https:" || url.pathname !== "/" || url.search !== "" || url.username !== ""
    ? misused(`--pods-server ${given}: must be https://HOST:PORT`)
    : Effect.succeed({
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? HTTPS_PORT : Number(url.port)
      })
}

const optionsOf = Effect.fnUntraced(function* (given: Given) {
  const address = yield* listenAddress(given.listen)
  const positive = ["kubeconfigSeconds", "kubeconfigMaxSeconds", "requestsPerSecond", "burst", "inFlight", "watches"]
  for (const name of positive) {
    if (Number(given[name]) < 1) return yield* misused(`${name}: must be at least 1`)
  }
  if (given.kubeconfigSeconds > given.kubeconfigMaxSeconds) {
    return yield* misused("--kubeconfig-seconds: must not be above --kubeconfig-max-seconds")
  }
  const access = yield* loadAccess({
    kubeconfig: given.upstreamKubeconfig,
    ...(given.upstreamContext === undefined ? {} : { context: given.upstreamContext })
  })
  const options: ServeTenancyOptions = {
    access,
    ...address,
    dataDir: given.dataDir,
    hosts: given.hosts === undefined ? [] : given.hosts.split(",").filter((host) => host !== ""),
    publicUrl: given.publicUrl,
    podsServer: yield* podsServerOf(given.podsServer),
    clientCa: given.clientCaFile === undefined ? "" : yield* readFile("client-ca-file", given.clientCaFile),
    limits: {
      requestsPerSecond: given.requestsPerSecond,
      burst: given.burst,
      inFlightMax: given.inFlight,
      longRunningMax: given.watches
    },
    kubeconfigSeconds: given.kubeconfigSeconds,
    kubeconfigMaxSeconds: given.kubeconfigMaxSeconds
  }
  return options
})

const run = Effect.fn("tenancy.command")(function* (given: Given) {
  yield* stopAtSecondInterrupt
  const { kubeconfig, url } = yield* serveTenancy(yield* optionsOf(given))
  yield* Console.log(`serving ${url}`)
  if (given.kubeconfig === undefined) {
    yield* Console.log(`no --kubeconfig was given; this is an operator's:\n${kubeconfig}`)
  } else {
    yield* writeFile(given.kubeconfig, kubeconfig)
    yield* Console.log(`try: kubectl --kubeconfig ${given.kubeconfig} get tenants`)
  }
  return yield* Effect.never
}, Effect.scoped)

/** `wharf serve tenancy`. */
export const serveTenancyCommand = Command.make("tenancy", flags, run).pipe(
  Command.withDescription("Serve one cluster to many tenants, each seeing a whole cluster of its own"),
  Command.withExamples([
    {
      command: "wharf serve tenancy --upstream-kubeconfig cluster.conf --data-dir zoo --kubeconfig zoo/operator.conf",
      description: "then create Tenants with kubectl, and a kubeconfig for each"
    },
    {
      command:
        "kubectl --kubeconfig zoo/operator.conf create -f /dev/null --raw /apis/tenant.kubezoo.io/v1alpha1/tenants/acme01/kubeconfig",
      description: "a tenant's kubeconfig, good for a day"
    }
  ])
)
