// `wharf serve ratelimiter`: the command line of the limiter across gateways, in kube-ratelimiter's names where it has them.
// Owns its flags and what is wrong with them; refuses to open anything, which ServeRateLimiter.ts does.
import { readFileSync } from "node:fs"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { stopAtSecondInterrupt } from "#storage"
import { addressParts } from "../global/LimiterDial.ts"
import { GatewayFileInvalid } from "./ServeIdentity.ts"
import { type RateLimiterOptions, serveRateLimiter } from "./ServeRateLimiter.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const flags = {
  configDir: text("config-dir", "Read clusters' limits from the YAML files of this folder"),
  kubeconfig: text("kubeconfig", "Read them from the API server that this file names, and elect leaders there"),
  context: text("context", "The context of --kubeconfig; default: its current one"),
  bindAddress: Flag.String("bind-address").pipe(
    Flag.withDescription("Address of the port"),
    Flag.withDefault("127.0.0.1")
  ),
  securePort: Flag.Int("ratelimiter-secure-port").pipe(
    Flag.withDescription("Port for gateways; 0: any free one"),
    Flag.withDefault(18443)
  ),
  identity: text("identity", "HOST:PORT at which gateways reach this server; default: where it listens"),
  shards: Flag.Int("sharding-count").pipe(
    Flag.withDescription("Shards that clusters are spread over; the same for all servers"),
    Flag.withDefault(8)
  ),
  leaderElect: Flag.Boolean("leader-elect").pipe(
    Flag.withDescription(
      "Share the shards with other servers by Leases; without --kubeconfig there is one server only"
    ),
    Flag.withDefault(true)
  ),
  leaseSeconds: Flag.Finite("lease-duration-seconds").pipe(
    Flag.withDescription(
      "How long a gateway may use its part without a word; the time after which a lost one's part is given out"
    ),
    Flag.withDefault(5)
  ),
  limitStore: Flag.Literals("limit-store", ["local", "k8s"]).pipe(
    Flag.withDescription("Whether RateLimitConditions are written to the API server, too"),
    Flag.withDefault("local" as const)
  ),
  storeSeconds: Flag.Finite("k8s-store-sync-seconds").pipe(
    Flag.withDescription("How often they are written"),
    Flag.withDefault(30)
  ),
  tlsCertFile: text("tls-cert-file", "PEM of the serving certificate"),
  tlsKeyFile: text("tls-private-key-file", "PEM of its key"),
  clientCaFile: text("client-ca-file", "PEM of authorities whose client certificates gateways show"),
  tokenAuthFile: text("token-auth-file", "CSV file of tokens that gateways show"),
  insecure: Flag.Boolean("insecure").pipe(
    Flag.withDescription("Plain HTTP, and everyone who reaches the port speaks for gateways"),
    Flag.withDefault(false)
  )
}

type Given = Command.Command.Config.Infer<typeof flags>

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const read = (option: string, file: string | undefined) =>
  file === undefined
    ? Effect.succeed(undefined)
    : Effect.try({
        try: () => readFileSync(file, "utf8"),
        catch: () => new GatewayFileInvalid({ message: `--${option} ${file}: cannot be read` })
      })

/** The rules that need more than one flag. */
const problemOf = (given: Given): string | undefined => {
  const {
    clientCaFile,
    configDir,
    identity,
    insecure,
    kubeconfig,
    limitStore,
    tlsCertFile,
    tlsKeyFile,
    tokenAuthFile
  } = given
  if ((configDir === undefined) === (kubeconfig === undefined))
    return "--config-dir and --kubeconfig: one of them must say where clusters are read from"
  if (limitStore === "k8s" && kubeconfig === undefined) return "--limit-store k8s: needs --kubeconfig"
  if (identity !== undefined && addressParts(identity) === undefined) return `--identity ${identity}: must be HOST:PORT`
  if (!Number.isInteger(given.shards) || given.shards < 1 || given.shards > 1024)
    return `--sharding-count ${given.shards}: must be between 1 and 1024`
  if (given.leaseSeconds < 1 || given.leaseSeconds > 60)
    return `--lease-duration-seconds ${given.leaseSeconds}: must be between 1 and 60`
  if (given.storeSeconds < 1) return `--k8s-store-sync-seconds ${given.storeSeconds}: must be at least 1`
  if (given.securePort < 0 || given.securePort > 65_535)
    return `--ratelimiter-secure-port ${given.securePort}: must be between 0 and 65535`
  if (insecure) return undefined
  if (tlsCertFile === undefined || tlsKeyFile === undefined)
    return "--tls-cert-file and --tls-private-key-file: both are needed, unless --insecure"
  if (clientCaFile === undefined && tokenAuthFile === undefined)
    return "--client-ca-file or --token-auth-file: one of them must say who may speak for gateways, unless --insecure"
  return undefined
}

const optionsOf = Effect.fnUntraced(function* (given: Given) {
  const problem = problemOf(given)
  if (problem !== undefined) return yield* misused(problem)
  const { configDir, context, insecure, kubeconfig, limitStore, tlsCertFile, tlsKeyFile } = given
  const cert = yield* read("tls-cert-file", insecure ? undefined : tlsCertFile)
  const key = yield* read("tls-private-key-file", insecure ? undefined : tlsKeyFile)
  const options: RateLimiterOptions = {
    config:
      kubeconfig === undefined ? { kind: "folder", folder: configDir ?? "." } : { kind: "api", kubeconfig, context },
    host: given.bindAddress,
    port: given.securePort,
    identity: given.identity,
    shards: given.shards,
    leaseMs: given.leaseSeconds * 1000,
    elect: given.leaderElect && kubeconfig !== undefined,
    storeMs: limitStore === "k8s" ? given.storeSeconds * 1000 : undefined,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    clientCa: yield* read("client-ca-file", insecure ? undefined : given.clientCaFile),
    tokens: yield* read("token-auth-file", insecure ? undefined : given.tokenAuthFile)
  }
  return options
})

const run = Effect.fn("ratelimiter.command")(function* (given: Given) {
  yield* stopAtSecondInterrupt
  const options = yield* optionsOf(given)
  const { address } = yield* serveRateLimiter(options, (line) => void process.stderr.write(`${line}\n`))
  yield* Console.log(`limiting at ${address}: give gateways --ratelimiter remote --ratelimiter-service ${address}`)
  return yield* Effect.never
}, Effect.scoped)

/** `wharf serve ratelimiter`. */
export const serveRateLimiterCommand = Command.make("ratelimiter", flags, run).pipe(
  Command.withDescription("Share limits across gateways: leases that are never more than the limit"),
  Command.withExamples([
    {
      command:
        "wharf serve ratelimiter --kubeconfig admin.conf --tls-cert-file tls.crt --tls-private-key-file tls.key --client-ca-file ca.crt",
      description: "one of several servers, which share the clusters by Leases"
    },
    { command: "wharf serve ratelimiter --config-dir clusters --insecure", description: "the only one, for trying out" }
  ])
)
