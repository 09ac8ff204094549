// A gateway in front of endpoints for tests: configuration made by hand, clients over node's own HTTP/2 and over raw sockets.
import { Effect, Exit, Redacted, Scope } from "effect"
import { once } from "node:events"
import * as http2 from "node:http2"
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls"
import type {
  DispatchPolicy,
  EndpointState,
  GatewaySnapshot,
  Snapshots,
  UpstreamCluster
} from "../../../core/gateway/index.ts"
import { type GatewayOptions, type RunningGateway, serveGateway } from "../../../core/gateway/proxy/ServeGateway.ts"
import type { Pair, Pki } from "./Pki.ts"

/** Waits until something is true, patiently. */
export const eventually = async (isTrue: () => boolean, what: string, patienceMs = 20_000): Promise<void> => {
  const until = Date.now() + patienceMs
  while (!isTrue()) {
    if (Date.now() > until) throw new Error(`it never came that ${what}`)
    await settle(10)
  }
}

export const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export const everything: DispatchPolicy = { index: 0, strategy: "RoundRobin", subset: [], flowControl: "", log: false }

type Overrides = {
  -readonly [K in keyof UpstreamCluster]?: UpstreamCluster[K] extends ReadonlyArray<unknown>
    ? UpstreamCluster[K]
    : UpstreamCluster[K] extends object
      ? Partial<UpstreamCluster[K]>
      : UpstreamCluster[K]
}

const endpointOf = (url: string): UpstreamCluster["endpoints"][number] => {
  const { hostname, pathname, port, protocol } = new URL(url)
  const secure = protocol === "https:"
  return {
    url,
    secure,
    host: hostname,
    port: port === "" ? (secure ? 443 : 80) : Number(port),
    pathPrefix: pathname === "/" ? "" : pathname,
    disabled: false,
    weight: 1
  }
}

let uids = 0

/** A cluster with brisk times, whose endpoints' certificates `pki` signed. */
export const clusterOf = (
  name: string,
  urls: ReadonlyArray<string>,
  pki: Pki,
  more: Overrides = {}
): UpstreamCluster => {
  const base: UpstreamCluster = {
    name,
    uid: `uid-${uids++}`,
    generation: 1,
    hosts: [name],
    isDefault: false,
    endpoints: urls.map(endpointOf),
    client: {
      insecure: false,
      token: Redacted.make("gateway-token"),
      keyPair: undefined,
      ca: pki.ca,
      serverName: "upstream",
      ownCallsPerSecond: 0,
      ownCallsBurst: 0
    },
    serving: { keyPair: undefined, clientCa: pki.ca, useGatewayClientCa: false },
    authentication: {
      anonymous: false,
      tokens: "Review",
      tokenSuccessTtlMs: 60_000,
      tokenFailureTtlMs: 5000,
      tokenReviewsPerSecond: 1000,
      tokenReviewsBurst: 1000,
      neverImpersonate: { users: [], groups: [], exceptCertificates: false },
      frontProxy: undefined
    },
    health: {
      paths: ["/readyz"],
      intervalMs: 100,
      timeoutMs: 2000,
      rise: 1,
      fall: 1,
      ejectAfterFailures: 0,
      ejectionMs: 1000,
      maxEjectedPercent: 50
    },
    balancing: { connectionsPerEndpoint: 2, slowStartMs: 0 },
    timeouts: { connectMs: 2000, responseHeaderMs: 20_000, drainMs: 2000 },
    retry: { attempts: 3, budgetPercent: 20, minPerSecond: 10 },
    flowControls: new Map(),
    policies: [everything],
    policyOf: () => everything,
    features: { CloseConnectionWhenIdle: false, DenyAllRequests: false, GlobalRateLimiter: false, Tracing: false }
  }
  return changed(base, more)
}

/** A cluster with some parts changed; the others stay the same objects. */
export const changed = (base: UpstreamCluster, more: Overrides): UpstreamCluster => {
  const next: Record<string, unknown> = { ...base, generation: base.generation + 1 }
  for (const [key, value] of Object.entries(more)) {
    const before = (base as unknown as Record<string, unknown>)[key]
    const merges = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map)
    next[key] = merges ? { ...(before as object), ...(value as object) } : value
  }
  return next as unknown as UpstreamCluster
}

/** Snapshots that a test sets. */
export class TestSnapshots implements Snapshots {
  private snapshot: GatewaySnapshot = { revision: 0, clusters: new Map(), clusterOf: () => undefined }
  private listeners: ReadonlyArray<Parameters<Snapshots["onSwap"]>[0]> = []
  readonly current = (): GatewaySnapshot => this.snapshot
  readonly onSwap: Snapshots["onSwap"] = (listener) => {
    this.listeners = [...this.listeners, listener]
    return () => void (this.listeners = this.listeners.filter((each) => each !== listener))
  }

  set(...clusters: ReadonlyArray<UpstreamCluster>): void {
    const last = this.snapshot
    const byHost = new Map(clusters.flatMap((cluster) => cluster.hosts.map((host) => [host, cluster] as const)))
    const fallback = clusters.find(({ isDefault }) => isDefault)
    const find = (host: string): UpstreamCluster | undefined => {
      const dot = host.indexOf(".")
      return byHost.get(host) ?? (dot < 0 ? undefined : byHost.get(`*${host.slice(dot)}`)) ?? fallback
    }
    const next = {
      revision: last.revision + 1,
      clusters: new Map(clusters.map((cluster) => [cluster.name, cluster])),
      clusterOf: find
    }
    this.snapshot = next
    for (const listener of this.listeners) listener(next, last)
  }
}

export interface Answer {
  readonly status: number
  readonly headers: http2.IncomingHttpHeaders
  readonly body: string
  /** The HTTP/2 error that ended it; 0: none. */
  readonly rst: number
  readonly json: () => Record<string, unknown>
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: http2.OutgoingHttpHeaders
  readonly body?: string | Buffer
  readonly sni?: string
  readonly client?: Pair
}

export class Gateway {
  readonly running: RunningGateway
  readonly snapshots: TestSnapshots
  readonly states: Map<string, EndpointState>
  readonly defects: Array<unknown>
  private readonly scope: Scope.Closeable
  private readonly sessions = new Set<http2.ClientHttp2Session>()

  private constructor(
    running: RunningGateway,
    snapshots: TestSnapshots,
    states: Map<string, EndpointState>,
    scope: Scope.Closeable,
    defects: Array<unknown>
  ) {
    this.running = running
    this.snapshots = snapshots
    this.states = states
    this.scope = scope
    this.defects = defects
  }

  static async open(own: Pair & { readonly ca?: string }, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const snapshots = new TestSnapshots()
    const states = new Map<string, EndpointState>()
    const scope = Scope.makeUnsafe()
    const defects: Array<unknown> = []
    const reports = { report: (_: string, url: string, state: EndpointState) => void states.set(url, state) }
    const running = await serveGateway({
      host: "127.0.0.1",
      port: 0,
      snapshots,
      own,
      reports,
      onDefect: (defect) => void defects.push(defect),
      ...options
    }).pipe(Scope.provide(scope), Effect.runPromise)
    return new Gateway(running, snapshots, states, scope, defects)
  }

  get port(): number {
    return this.running.listening.port
  }

  /** Waits until every endpoint was checked. */
  ready(): Promise<void> {
    return eventually(() => this.running.ready(), "every endpoint was checked")
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy()
    await Effect.runPromise(Scope.close(this.scope, Exit.void))
  }

  session(sni: string, client?: Pair, more: http2.SecureClientSessionOptions = {}): http2.ClientHttp2Session {
    const session = http2.connect(`https://${sni || "127.0.0.1"}`, {
      ...more,
      createConnection: () =>
        connectTls({
          host: "127.0.0.1",
          port: this.port,
          servername: sni,
          ALPNProtocols: ["h2"],
          rejectUnauthorized: false,
          ...client
        })
    })
    session.on("error", () => {})
    this.sessions.add(session)
    session.on("close", () => this.sessions.delete(session))
    return session
  }

  /** One request over a connection of its own. */
  async ask(host: string, path: string, options: AskOptions = {}): Promise<Answer> {
    const session = this.session(options.sni ?? host, options.client)
    try {
      return await askOn(session, path, { ...options, headers: { ":authority": host, ...options.headers } })
    } finally {
      session.destroy()
    }
  }

  async tls(sni: string, more: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connectTls({
      host: "127.0.0.1",
      port: this.port,
      servername: sni,
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: false,
      ...more
    })
    await once(socket, "secureConnect")
    socket.on("error", () => {})
    return socket
  }

  /** Sends octets over HTTP/1.1 and reads until the end, or until `enough`. */
  async raw(
    sni: string,
    octets: string,
    enough?: (text: string) => boolean,
    more: ConnectionOptions = {}
  ): Promise<string> {
    const socket = await this.tls(sni, more)
    let text = ""
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")))
    const over = new Promise((resolve) => socket.once("close", resolve))
    socket.write(octets, "latin1")
    if (enough === undefined) await over
    else await eventually(() => enough(text) || socket.destroyed, "the answer came")
    socket.destroy()
    return text
  }
}

/** One request on an open session. */
export const askOn = (session: http2.ClientHttp2Session, path: string, options: AskOptions = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { body, headers, method = "GET" } = options
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined })
    let seen: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {}
    const chunks: Array<Buffer> = []
    stream.on("response", (fields) => (seen = fields))
    stream.on("data", (chunk: Buffer) => chunks.push(chunk))
    stream.on("error", (error) => {
      if (stream.rstCode === 0) reject(error)
    })
    stream.on("close", () => {
      const text = Buffer.concat(chunks).toString("utf8")
      const json = (): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
      resolve({ status: seen[":status"] ?? 0, headers: seen, body: text, rst: stream.rstCode ?? 0, json })
    })
    if (body !== undefined) stream.end(body)
  })
