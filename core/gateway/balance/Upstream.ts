// One endpoint at run time: its connections, the requests in flight, and how it does.
// Owns health by active checks (rise and fall), ejection by failures of requests, slow start, and the change of credentials;
// refuses to choose among endpoints and to send checks itself.
import { Redacted } from "effect"
import type { Clockwork } from "#kube"
import type { ConnectHttpOptions } from "#net"
import type { EndpointState } from "../config/Snapshot.ts"
import type { ClientIdentity, Endpoint, UpstreamCluster } from "../config/UpstreamCluster.ts"
import type { Candidate } from "./Balancer.ts"
import { Connections } from "./Connections.ts"
import type { Dial } from "./DialAdapter.ts"

/** The smallest share that an endpoint which starts slowly has. */
const FIRST_SHARE = 0.05
/** A repeated ejection lasts longer, up to this many times the first. */
const EJECTION_GROWTH_MAX = 10

export interface UpstreamContext {
  readonly dial: Dial
  readonly clockwork: Clockwork
  /** Told when the state changed. */
  readonly changed: (upstream: Upstream) => void
  /** Whether one more may be ejected. */
  readonly mayEject: () => boolean
  /** Checks at once: the endpoint refused a connection. */
  readonly checkSoon: (upstream: Upstream) => void
}

/** The connection's side of what a cluster says. */
const targetOf = (endpoint: Endpoint, client: ClientIdentity, cluster: UpstreamCluster): ConnectHttpOptions => {
  const { keyPair } = client
  // The server's name is checked for endpoints by address too.
  const tls = {
    serverName: client.serverName,
    ...(client.insecure ? { insecure: true } : {}),
    ...(client.ca === undefined ? {} : { ca: client.ca }),
    ...(keyPair === undefined ? {} : { cert: keyPair.cert, key: Redacted.value(keyPair.key) })
  }
  return {
    host: endpoint.host,
    port: endpoint.port,
    connectTimeoutMs: cluster.timeouts.connectMs,
    gathers: true,
    ...(endpoint.secure ? { tls } : {})
  }
}

export class Upstream implements Candidate {
  readonly url: string
  endpoint: Endpoint
  connections: Connections
  /** Connections that show no certificate of the gateway: what goes over them speaks for itself alone. */
  private bare: Connections | undefined
  inflight = 0
  /** Requests that it was given since it exists. */
  requests = 0
  /** Whether the checks say so; an endpoint that was not checked yet gets the benefit of the doubt. */
  healthy = true
  checked = false
  removed = false
  private readonly context: UpstreamContext
  private cluster: UpstreamCluster
  private reason = ""
  private message = ""
  private goodInRow = 0
  private badInRow = 0
  private failuresInRow = 0
  private ejections = 0
  private ejectedUntilMs = 0
  private usableSinceMs = Number.NEGATIVE_INFINITY

  constructor(context: UpstreamContext, endpoint: Endpoint, cluster: UpstreamCluster) {
    this.context = context
    this.url = endpoint.url
    this.endpoint = endpoint
    this.cluster = cluster
    this.connections = this.connect()
  }

  get usable(): boolean {
    return this.healthy && !this.endpoint.disabled && !this.removed && this.ejectedUntilMs === 0
  }

  get ejected(): boolean {
    return this.ejectedUntilMs > 0
  }

  get state(): EndpointState {
    if (this.ejected) return { healthy: false, reason: "Ejected", message: this.message }
    return { healthy: this.healthy, reason: this.reason, message: this.message }
  }

  weightAt(nowMs: number): number {
    const { slowStartMs } = this.cluster.balancing
    const { weight } = this.endpoint
    const sinceMs = nowMs - this.usableSinceMs
    return sinceMs >= slowStartMs ? weight : weight * Math.max(FIRST_SHARE, sinceMs / slowStartMs)
  }

  /** Takes a new version of its cluster: other credentials or timeouts mean new connections, and the old ones drain. */
  update(endpoint: Endpoint, cluster: UpstreamCluster): void {
    const last = this.cluster
    const enabled = this.endpoint.disabled && !endpoint.disabled
    this.endpoint = endpoint
    this.cluster = cluster
    const same =
      last.client === cluster.client &&
      last.timeouts.connectMs === cluster.timeouts.connectMs &&
      last.balancing.connectionsPerEndpoint === cluster.balancing.connectionsPerEndpoint
    if (!same) {
      this.connections.retire(last.timeouts.drainMs)
      this.bare?.retire(last.timeouts.drainMs)
      this.connections = this.connect()
      this.bare = undefined
    }
    // What was known is from before: the next check decides.
    if (enabled) this.forgive()
  }

  /** No new requests; what is open may go on for the cluster's `drainMs`. */
  remove(): void {
    this.removed = true
    this.connections.retire(this.cluster.timeouts.drainMs)
    this.bare?.retire(this.cluster.timeouts.drainMs)
  }

  close(): void {
    this.removed = true
    this.connections.close()
    this.bare?.close()
  }

  // --- what checks and requests say ---

  checkPassed(): void {
    this.badInRow = 0
    this.goodInRow++
    const first = !this.checked
    this.checked = true
    if (this.healthy && this.reason === "") {
      if (first) this.context.changed(this)
      return
    }
    if (!this.healthy && this.goodInRow < this.cluster.health.rise && !first) return
    if (!this.healthy) this.usableSinceMs = this.context.clockwork.monotonic()
    this.healthy = true
    this.failuresInRow = 0
    this.tell("", "")
  }

  checkFailed(reason: string, message: string): void {
    this.goodInRow = 0
    this.badInRow++
    const first = !this.checked
    this.checked = true
    if (!this.healthy || (this.badInRow < this.cluster.health.fall && !first)) return
    this.healthy = false
    this.tell(reason, message)
  }

  /** A request got an answer. */
  succeeded(): void {
    this.failuresInRow = 0
    if (this.ejections > 0 && this.ejectedUntilMs === 0) this.ejections = 0
  }

  /** A request got none, for a reason that is the endpoint's. */
  failed(code: string, message: string): void {
    const { ejectAfterFailures, ejectionMs } = this.cluster.health
    if (code === "ECONNREFUSED") this.context.checkSoon(this)
    this.failuresInRow++
    if (ejectAfterFailures === 0 || this.failuresInRow < ejectAfterFailures || this.ejected) return
    if (!this.context.mayEject()) return
    this.failuresInRow = 0
    this.ejections = Math.min(this.ejections + 1, EJECTION_GROWTH_MAX)
    const { clockwork } = this.context
    const forMs = ejectionMs * this.ejections
    const untilMs = clockwork.monotonic() + forMs
    this.ejectedUntilMs = untilMs
    this.message = message
    this.context.changed(this)
    clockwork.after(forMs, () => {
      if (this.ejectedUntilMs !== untilMs) return
      this.ejectedUntilMs = 0
      this.usableSinceMs = clockwork.monotonic()
      this.tell(this.reason, this.healthy ? "" : this.message)
    })
  }

  private forgive(): void {
    this.ejectedUntilMs = 0
    this.failuresInRow = 0
    this.healthy = true
    this.checked = false
    this.badInRow = 0
    this.goodInRow = 0
    this.usableSinceMs = this.context.clockwork.monotonic()
    this.tell("", "")
  }

  private tell(reason: string, message: string): void {
    this.reason = reason
    this.message = message
    this.context.changed(this)
  }

  /** The connections for requests whose client speaks for itself: with the gateway's certificate they would be the gateway's. */
  get bareConnections(): Connections {
    return (this.bare ??= this.connect({ ...this.cluster.client, keyPair: undefined }))
  }

  private connect(client: ClientIdentity = this.cluster.client): Connections {
    const { clockwork, dial } = this.context
    const kept = this.cluster.balancing.connectionsPerEndpoint
    return new Connections({ dial, clockwork, kept, target: targetOf(this.endpoint, client, this.cluster) })
  }
}
