// The sockets of a serving process: clients, other members, metrics.
// Owns how a listen URL becomes a listener and the order of a drain; refuses to know what is served.
import { Effect } from "effect"
import { listen, type GrpcMethod, type HttpHandler, type ListenOptions, type ListenStats, type ServerTls } from "#net"
import type { EtcdConfig, ListenUrl } from "./EtcdConfig.ts"

/** How long open calls may take to end when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 2000

/** What is served where. */
export interface Served {
  readonly methods: ReadonlyArray<GrpcMethod>
  /** For the members in front of this one; undefined opens no peer listener. */
  readonly peerMethods: ReadonlyArray<GrpcMethod> | undefined
  readonly http: HttpHandler
  /** Called when the process has been asked to stop, before open calls are waited for. */
  readonly draining: () => void
}

/** Open listeners of clients. */
export interface Listeners {
  readonly addresses: ReadonlyArray<string>
  readonly stats: () => ListenStats
}

const tlsOf = ({ tls }: EtcdConfig): ServerTls => ({
  certFile: tls.certFile,
  keyFile: tls.keyFile,
  ...(tls.caFile === "" ? {} : { caFile: tls.caFile }),
  clientAuth: tls.clientAuth
})

const listenOptions = (config: EtcdConfig, url: ListenUrl): Omit<ListenOptions, "methods"> => ({
  // etcd's localhost is IPv4; the resolver's first answer may not be.
  host: url.host === "localhost" || url.host === "" ? (url.host === "" ? "0.0.0.0" : "127.0.0.1") : url.host,
  port: url.port,
  ...(url.unixPath === undefined ? {} : { unixPath: url.unixPath }),
  ...(url.secure ? { tls: tlsOf(config) } : {}),
  maxReceiveMessageBytes: config.requestBytesMax + 512 * 1024,
  maxConcurrentStreams: config.streamsMax,
  reusePort: config.reusePort,
  keepalive: config.keepalive
})

/** Opens all listeners; they drain when the scope closes. */
export const openListeners = Effect.fnUntraced(function* (config: EtcdConfig, served: Served) {
  const { http, methods, peerMethods } = served
  const clients = yield* Effect.forEach(config.listenClient, (url) =>
    listen({ ...listenOptions(config, url), methods, http })
  )
  const metrics = yield* Effect.forEach(config.listenMetrics, (url) =>
    listen({ ...listenOptions(config, url), methods: [], http })
  )
  const peers = yield* Effect.forEach(peerMethods === undefined ? [] : config.listenPeer, (url) =>
    listen({ ...listenOptions(config, url), methods: peerMethods ?? [], http })
  )
  yield* Effect.addFinalizer(() => {
    served.draining()
    return Effect.forEach([...clients, ...metrics, ...peers], (listener) => listener.drain(DRAIN_MS), {
      concurrency: "unbounded"
    })
  })
  const listeners: Listeners = {
    addresses: clients.map((listener, at) => config.listenClient[at].unixPath ?? `${listener.host}:${listener.port}`),
    stats: () => clients.map((listener) => listener.stats()).reduce(addStats, noStats)
  }
  return listeners
})

export const noStats: ListenStats = {
  connectionsAccepted: 0,
  streamsOpened: 0,
  streamsActive: 0,
  bytesReceived: 0,
  bytesSent: 0
}

const addStats = (a: ListenStats, b: ListenStats): ListenStats => ({
  connectionsAccepted: a.connectionsAccepted + b.connectionsAccepted,
  streamsOpened: a.streamsOpened + b.streamsOpened,
  streamsActive: a.streamsActive + b.streamsActive,
  bytesReceived: a.bytesReceived + b.bytesReceived,
  bytesSent: a.bytesSent + b.bytesSent
})
