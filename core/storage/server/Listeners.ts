// The sockets of a serving process: clients, other members, metrics.
// Owns how a listen URL becomes a listener and the order of a drain; refuses to know what is served.
import { rmSync, statSync } from "node:fs"
import { Effect } from "effect"
import {
  listen,
  type GrpcMethod,
  type HttpHandler,
  type Listening,
  type ListenOptions,
  type ListenStats,
  type ServerTls
} from "#net"
import { Health } from "../api/HealthApi.ts"
import type { EtcdConfig, ListenUrl } from "./EtcdConfig.ts"
import { forMembers } from "./PeerCall.ts"
import { peerServerTls } from "./PeerTls.ts"
import { selfSigned } from "./SelfSignedAdapter.ts"

/** How long open calls may take to end when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 2000

/** What is served where. */
export interface Served {
  readonly methods: ReadonlyArray<GrpcMethod>
  /** For the members in front of this one; undefined opens no peer listener. */
  readonly peerMethods: ReadonlyArray<GrpcMethod> | undefined
  readonly http: HttpHandler
}

/** What the served pages may want to tell of the listeners. */
export interface ListenerState {
  /** Whether the process has been asked to stop. */
  readonly isDraining: () => boolean
  /** The traffic of clients. */
  readonly stats: () => ListenStats
}

/** The certificates of client listeners: the given files, or with --auto-tls one of our own making. */
const serverTls = Effect.fnUntraced(function* (config: EtcdConfig) {
  const { tls } = config
  const hosts = config.listenClient.map(({ host }) => host)
  const made = tls.auto && tls.certFile === ""
  const files = made
    ? yield* selfSigned(config.dataDir, "client", hosts, tls.autoValidityYears)
    : { certFile: tls.certFile, keyFile: tls.keyFile }
  const authorities = tls.caFile === "" ? {} : { caFile: tls.caFile }
  const options: ServerTls = { ...files, ...authorities, clientAuth: tls.clientAuth || tls.caFile !== "" }
  return options
})

const listenOptions = (
  config: EtcdConfig,
  url: ListenUrl,
  tls: ServerTls | undefined
): Omit<ListenOptions, "methods"> => ({
  // etcd's localhost is IPv4; the resolver's first answer may not be.
  host: url.host === "localhost" || url.host === "" ? (url.host === "" ? "0.0.0.0" : "127.0.0.1") : url.host,
  port: url.port,
  ...(url.unixPath === undefined ? {} : { unixPath: url.unixPath }),
  ...(url.secure && tls !== undefined ? { tls } : {}),
  maxReceiveMessageBytes: config.requestBytesMax + 512 * 1024,
  maxConcurrentStreams: config.streamsMax,
  reusePort: config.reusePort,
  keepalive: config.keepalive
})

/** A socket file that a killed process left behind is in the way; etcd removes it too. */
const clearSocket = ({ unixPath }: ListenUrl) =>
  Effect.sync(() => {
    const left = unixPath === undefined ? undefined : statSync(unixPath, { throwIfNoEntry: false })
    if (unixPath !== undefined && left?.isSocket() === true) rmSync(unixPath, { force: true })
  })

/** Opens all listeners and answers the addresses of the clients'; they drain when the scope closes. */
export const openListeners = Effect.fnUntraced(function* (config: EtcdConfig, serve: (state: ListenerState) => Served) {
  const health = new Health()
  let draining = false
  let clients: ReadonlyArray<Listening> = []
  const { http, methods, peerMethods } = serve({
    isDraining: () => draining,
    stats: () => clients.map((listener) => listener.stats()).reduce(addStats, noStats)
  })
  const isSecure = ({ secure }: ListenUrl): boolean => secure
  const tls = [...config.listenClient, ...config.listenMetrics].some(isSecure) ? yield* serverTls(config) : undefined
  const peerTls =
    peerMethods !== undefined && config.listenPeer.some(isSecure) ? yield* peerServerTls(config) : undefined
  const open = (urls: ReadonlyArray<ListenUrl>, served: ReadonlyArray<GrpcMethod>, tls: ServerTls | undefined) =>
    Effect.forEach(urls, (url) =>
      clearSocket(url).pipe(Effect.andThen(listen({ ...listenOptions(config, url, tls), methods: served, http })))
    )
  clients = yield* open(config.listenClient, [...methods, ...health.methods], tls)
  const metrics = yield* open(config.listenMetrics, [], tls)
  const peers =
    peerMethods === undefined
      ? []
      : yield* open(config.listenPeer, peerMethods.map(forMembers(config.peerTls.allowed)), peerTls)
  yield* Effect.addFinalizer(() => {
    draining = true
    health.stopServing()
    return Effect.forEach([...clients, ...metrics, ...peers], (listener) => listener.drain(DRAIN_MS), {
      concurrency: "unbounded"
    })
  })
  return clients.map((listener, at) => config.listenClient[at].unixPath ?? `${listener.host}:${listener.port}`)
})

const noStats: ListenStats = {
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
