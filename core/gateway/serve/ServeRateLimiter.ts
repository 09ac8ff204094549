// The limiter as a process: the clusters' limits followed, shards led by election or alone, and one listener for gateways and people.
// Owns the joining and the order of the end; refuses flags (the command's) and every rule of leases (global/).
import { Effect } from "effect"
import {
  Authenticator,
  bearerTokens,
  CertificateAuthorities,
  clientCertificates,
  Rejected,
  staticTokens
} from "#apiserver"
import { type ApiFailure, type Client, Failures, machineClockwork } from "#kube"
import { type HttpExchange, listen, type Listening, type ServerTls } from "#net"
import { ConfigStore } from "../config/ConfigStore.ts"
import { noFeatures } from "../decode/DecodeFeatures.ts"
import { writeConditions } from "../global/ConditionWriter.ts"
import { leaseElection, singleElection } from "../global/LeaseElection.ts"
import { LimiterRoutes } from "../global/LimiterRoutes.ts"
import { LimiterServer } from "../global/LimiterServer.ts"
import { LimiterStats } from "../global/LimiterStats.ts"
import { AdminPages } from "../observe/AdminPages.ts"
import { type ConfigChoice, openConfig } from "./ServeConfig.ts"

export interface RateLimiterOptions {
  readonly config: Extract<ConfigChoice, { kind: "api" | "folder" }>
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** HOST:PORT that gateways dial; undefined: where it listens. */
  readonly identity: string | undefined
  readonly shards: number
  readonly leaseMs: number
  /** Whether several servers share the shards by Leases; needs an API server. */
  readonly elect: boolean
  /** Milliseconds between writings of RateLimitConditions; undefined: they are kept in memory alone. */
  readonly storeMs: number | undefined
  /** Undefined: without TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** PEM of who vouches for gateways; CSV of tokens. Neither: everyone who reaches the port is let in. */
  readonly clientCa: string | undefined
  readonly tokens: string | undefined
}

/** A limiter that serves. */
export interface RunningRateLimiter {
  readonly server: LimiterServer
  readonly address: string
  readonly port: number
}

/** The namespace of the Leases is made where it is missing. */
const NAMESPACE = "kube-gateway"

const ensureNamespace = (client: Client) =>
  Effect.callback<void>((resume) => {
    const namespaces = { group: "", version: "v1", resource: "namespaces" }
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }
    client.create({ resource: namespaces, namespace: "" }, object, {}, () => resume(Effect.void))
  })

const authenticatorOf = ({ clientCa, tokens }: RateLimiterOptions): Authenticator | undefined => {
  if (clientCa === undefined && tokens === undefined) return undefined
  const certificates =
    clientCa === undefined ? [] : [clientCertificates(new CertificateAuthorities(clientCa), machineClockwork.now)]
  const ways = tokens === undefined ? certificates : [...certificates, bearerTokens(staticTokens(tokens), [])]
  return new Authenticator({ ways, anonymous: false })
}

const admitter =
  (authenticator: Authenticator | undefined) =>
  (exchange: HttpExchange): ApiFailure | undefined => {
    if (authenticator === undefined) return undefined
    return authenticator.authenticate(exchange) instanceof Rejected ? Failures.unauthorized() : undefined
  }

/** Serves until the scope closes. */
export const serveRateLimiter = Effect.fn("ratelimiter.serve")(function* (
  options: RateLimiterOptions,
  say: (line: string) => void
) {
  const { clientCa, elect, host, identity, leaseMs, port, shards, storeMs, tls } = options
  const clockwork = machineClockwork
  const store = new ConfigStore({ clockwork, features: noFeatures })
  const extensions = { checks: [], metrics: [], pages: new Map() }
  const { client, source } = yield* openConfig(options.config, { store, extensions, say })
  const stats = new LimiterStats()
  const late: { routes?: LimiterRoutes; pages?: AdminPages } = {}
  const authenticator = authenticatorOf(options)
  const onDefect = (defect: unknown): void => say(`defect: ${String(defect)}`)
  const serverTls: ServerTls | undefined = tls && {
    ...tls,
    ...(clientCa === undefined ? {} : { ca: clientCa, clientAuth: "optional" as const })
  }
  const listening: Listening = yield* listen({
    host,
    port,
    methods: [],
    exchange: (exchange) => late.routes?.handler(exchange),
    onDefect,
    ...(serverTls === undefined ? {} : { tls: serverTls })
  })
  const address = identity ?? `${host}:${listening.port}`
  if (elect && client !== undefined) yield* ensureNamespace(client)
  const server = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new LimiterServer({
          clockwork,
          snapshots: store,
          shards,
          ttlMs: leaseMs,
          election:
            elect && client !== undefined
              ? leaseElection({ clockwork, client, address, namespace: NAMESPACE })
              : singleElection(clockwork, address)
        })
    ),
    // Leases of the election that are given up are on their way when connections close.
    (opened) =>
      Effect.andThen(
        Effect.sync(() => opened.stop()),
        Effect.sleep("200 millis")
      )
  )
  stats.watch(server)
  const pages = new AdminPages({
    ...(authenticator === undefined ? {} : { authenticator }),
    checks: [{ name: "config", readinessOnly: true, check: () => (source.isSynced() ? undefined : "not read yet") }],
    metrics: () => stats.text(),
    version: { gitVersion: "kubewharf" },
    debug: new Map(),
    strangers: (exchange) => exchange.respond(404, [["content-type", "text/plain"]], "404 page not found\n")
  })
  const admit = admitter(authenticator)
  late.routes = new LimiterRoutes({ server, clockwork, stats, address, admit, others: pages.handler })
  if (storeMs !== undefined && client !== undefined) {
    const onFailure = (failure: ApiFailure): void => say(`conditions: ${failure.message}`)
    yield* Effect.acquireRelease(
      Effect.sync(() => writeConditions({ client, clockwork, server, intervalMs: storeMs, onFailure })),
      (cancel) => Effect.sync(cancel)
    )
  }
  const running: RunningRateLimiter = { server, address, port: listening.port }
  return running
})
