// Limiter servers and gateways in the simulated world: real elections on simulated Leases, real sessions on simulated connections, and
// loads that are known, so that what was admitted anywhere can be held against the limit.
// Owns the world and its measurements; refuses to judge them.
import { type Cancel, type Client, type Clockwork, type KubeObject, ApiFailure, Failures } from "#kube"
import { defaultNetwork, Kernel, Network, type SimConnection, type SimProcess } from "#sim"
import type { GatewaySnapshot, Snapshots } from "../../../core/gateway/config/Snapshot.ts"
import type { FlowControl, UpstreamCluster } from "../../../core/gateway/config/UpstreamCluster.ts"
import { leaseElection } from "../../../core/gateway/global/LeaseElection.ts"
import { LimiterClient, type LimiterTransport } from "../../../core/gateway/global/LimiterClient.ts"
import { LimiterServer, type SessionListener } from "../../../core/gateway/global/LimiterServer.ts"
import { Flow } from "../../../core/gateway/limits/Flow.ts"

/** Snapshots that a test changes. */
export class FakeSnapshots implements Snapshots {
  private snapshot: GatewaySnapshot
  private readonly listeners = new Set<(next: GatewaySnapshot, last: GatewaySnapshot) => void>()

  constructor(clusters: Readonly<Record<string, ReadonlyArray<FlowControl>>>, global = true) {
    this.snapshot = this.make(clusters, global)
  }

  readonly current = (): GatewaySnapshot => this.snapshot
  readonly onSwap = (listener: (next: GatewaySnapshot, last: GatewaySnapshot) => void): Cancel => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  swap(clusters: Readonly<Record<string, ReadonlyArray<FlowControl>>>, global = true): void {
    const last = this.snapshot
    this.snapshot = this.make(clusters, global)
    for (const listener of this.listeners) listener(this.snapshot, last)
  }

  private make(clusters: Readonly<Record<string, ReadonlyArray<FlowControl>>>, global: boolean): GatewaySnapshot {
    const made = new Map(
      Object.entries(clusters).map(([name, controls]) => [
        name,
        // SAFETY: limits read no other part of a cluster.
        {
          name,
          features: { GlobalRateLimiter: global },
          flowControls: new Map(controls.map((control) => [control.name, control]))
        } as unknown as UpstreamCluster
      ])
    )
    return { revision: 1, clusters: made, clusterOf: (host) => made.get(host) }
  }
}

/** A flow control with what tests leave out. */
export const flowControl = (given: Partial<FlowControl> & Pick<FlowControl, "limit">): FlowControl => ({
  name: "limited",
  scope: "Local",
  queue: undefined,
  fairness: "User",
  onLimiterLoss: "Closed",
  ...given
})

/** A limit across gateways, whose local limit is small. */
export const globalBucket = (scope: FlowControl["scope"], qps: number, burst: number): FlowControl =>
  flowControl({
    scope,
    limit: { kind: "TokenBucket", local: { qps: 1, burst: 1 }, global: { qps, burst } }
  })

export const globalSlots = (scope: FlowControl["scope"], globalMax: number): FlowControl =>
  flowControl({ scope, limit: { kind: "MaxRequestsInflight", max: 1, globalMax, maxLongRunning: undefined } })

/** The Leases of all shards, with their optimistic locking. */
class LeaseStore {
  private readonly leases = new Map<string, KubeObject>()
  private versions = 0

  get(name: string): KubeObject | ApiFailure {
    return this.leases.get(name) ?? Failures.notFound({ group: "coordination.k8s.io", resource: "leases", name })
  }

  put(name: string, object: KubeObject): KubeObject | ApiFailure {
    const known = this.leases.get(name)
    const { resourceVersion } = object.metadata
    if (resourceVersion === undefined ? known !== undefined : known?.metadata.resourceVersion !== resourceVersion)
      return Failures.conflict({ group: "coordination.k8s.io", resource: "leases", name }, "changed")
    const made = { ...object, metadata: { ...object.metadata, name, resourceVersion: String(++this.versions) } }
    this.leases.set(name, made)
    return made
  }
}

/** A clock that goes faster or slower than the world's. */
const drifting = (clockwork: Clockwork, pace: number): Clockwork => ({
  now: clockwork.now,
  monotonic: () => clockwork.monotonic() * pace,
  random: clockwork.random,
  defer: clockwork.defer,
  after: (delayMs, run) => clockwork.after(delayMs / pace, run),
  every: (intervalMs, run) => clockwork.every(intervalMs / pace, run)
})

export interface SimGateway {
  readonly process: SimProcess
  readonly clockwork: Clockwork
  readonly client: LimiterClient
  readonly flow: Flow
  /** Requests a second; changed at will. */
  rate: number
  /** How long a request lasts, in milliseconds. */
  lastsMs: number
  running: boolean
}

export interface LimiterWorldOptions {
  readonly seed: number
  readonly control: FlowControl
  readonly servers?: number
  readonly ttlMs?: number
}

export const CLUSTER = "a.example.io"

export class LimiterWorld {
  readonly kernel: Kernel
  readonly network: Network
  readonly snapshots: FakeSnapshots
  readonly servers: Array<{ readonly process: SimProcess; server: LimiterServer | undefined }> = []
  readonly gateways: Array<SimGateway> = []
  /** When each request was admitted, anywhere. */
  readonly admitted: Array<number> = []
  offered = 0
  refused = 0
  private readonly leases = new LeaseStore()
  private readonly storeProcess: SimProcess
  private readonly options: LimiterWorldOptions

  constructor(options: LimiterWorldOptions) {
    this.options = options
    this.kernel = new Kernel({ seed: options.seed })
    this.network = new Network(this.kernel, { ...defaultNetwork, breakAfterMs: 3000 })
    this.snapshots = new FakeSnapshots({ [CLUSTER]: [options.control] })
    this.storeProcess = this.kernel.process("leases")
    for (let at = 0; at < (options.servers ?? 2); at++) {
      const process = this.kernel.process(`limiter-${at}`)
      this.servers.push({ process, server: undefined })
      this.startServer(at)
    }
  }

  startServer(at: number): void {
    const entry = this.servers[at]
    const { process } = entry
    if (!process.up) process.start()
    const { clockwork } = process
    entry.server = new LimiterServer({
      clockwork,
      snapshots: this.snapshots,
      shards: 1,
      ...(this.options.ttlMs === undefined ? {} : { ttlMs: this.options.ttlMs }),
      election: leaseElection({ clockwork, client: this.leaseClient(process), address: process.name })
    })
  }

  killServer(at: number): void {
    this.servers[at].process.crash()
    this.servers[at].server = undefined
  }

  /** The server that leads, as it believes itself. */
  leader(): number {
    return this.servers.findIndex(({ server }) => server !== undefined && server.leading.size > 0)
  }

  join(rate: number, lastsMs = 0, pace = 1): SimGateway {
    const process = this.kernel.process(`gateway-${this.gateways.length}`)
    process.skewMs = (process.clockwork.random() - 0.5) * 3_600_000
    const clockwork = drifting(process.clockwork, pace)
    const client = new LimiterClient({
      clockwork,
      instance: process.name,
      servers: this.servers.map(({ process: { name } }) => name),
      transport: this.transport(process)
    })
    const flow = new Flow(clockwork)
    client.manage(CLUSTER, this.options.control, flow)
    const gateway: SimGateway = { process, clockwork, client, flow, rate, lastsMs, running: true }
    this.gateways.push(gateway)
    this.load(gateway)
    return gateway
  }

  leave(gateway: SimGateway): void {
    gateway.running = false
    gateway.client.stop()
  }

  crash(gateway: SimGateway): void {
    gateway.running = false
    gateway.process.crash()
  }

  run(forMs: number): void {
    this.kernel.run({ untilMs: this.kernel.nowMs + forMs })
  }

  /** What gateways may use at this moment by leases that hold. */
  leasedSum(): number {
    let sum = 0
    for (const { clockwork, client, running } of this.gateways) {
      if (!running) continue
      for (const managed of client.managed()) {
        managed.check(clockwork.monotonic())
        if (managed.leased) sum += managed.amount
      }
    }
    return sum
  }

  /** Requests admitted in a window of the world's time. */
  admittedIn(fromMs: number, toMs: number): number {
    return this.placeOf(toMs) - this.placeOf(fromMs)
  }

  /** Admissions before a moment. */
  private placeOf(ms: number): number {
    let low = 0
    let high = this.admitted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.admitted[middle] < ms) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The most that were admitted in any window of so many milliseconds that begins with an admission after `fromMs`. */
  most(windowMs: number, fromMs = 0): number {
    let most = 0
    let from = this.admitted.findIndex((ms) => ms >= fromMs)
    if (from < 0) return 0
    for (let to = from; to < this.admitted.length; to++) {
      while (this.admitted[to] - this.admitted[from] >= windowMs) from++
      most = Math.max(most, to - from + 1)
    }
    return most
  }

  private load(gateway: SimGateway): void {
    const { clockwork } = gateway.process
    const next = (): void => {
      if (!gateway.running) return
      const gapMs = gateway.rate > 0 ? (-Math.log(1 - clockwork.random()) * 1000) / gateway.rate : 50
      clockwork.after(gapMs, () => {
        if (!gateway.running) return
        if (gateway.rate > 0) this.ask(gateway)
        next()
      })
    }
    next()
  }

  private ask({ flow, lastsMs, process }: SimGateway): void {
    this.offered++
    const settle = (outcome: { readonly kind: string; release?: () => void }): void => {
      if (outcome.kind !== "permit") {
        this.refused++
        return
      }
      this.admitted.push(this.kernel.nowMs)
      if (lastsMs === 0) outcome.release?.()
      else process.clockwork.after(lastsMs, () => outcome.release?.())
    }
    const entry = { key: "", longRunning: false, initialListMs: 0, privileged: false, drops: false }
    const outcome = flow.enter(entry, settle)
    if (outcome.kind !== "waiting") settle(outcome)
  }

  private transport(gateway: SimProcess): LimiterTransport {
    return {
      open: (address, instance, listener) => {
        const entry = this.servers.find(({ process }) => process.name === address)
        const connection: SimConnection | undefined =
          entry === undefined ? undefined : this.network.connect(gateway, entry.process)
        if (entry === undefined || connection === undefined) {
          gateway.clockwork.after(10, () => listener.closed("cannot connect"))
          return { send: () => undefined, close: () => undefined }
        }
        let server: SessionListener | undefined
        connection.onBroken.client = () => listener.closed("broken")
        connection.onBroken.server = () => server?.closed()
        connection.send("client", () => {
          server = entry.server?.connect(
            { instance },
            {
              send: (message) => connection.send("server", () => listener.message(message)),
              close: () => connection.break("server")
            }
          )
        })
        return {
          send: (report) => connection.send("client", () => server?.report(report)),
          close: () => connection.break("client")
        }
      }
    }
  }

  /** Reaches the Leases over the network, and not while it is cut. */
  private leaseClient(process: SimProcess): Client {
    const call = (work: () => KubeObject | ApiFailure, done: (answer: KubeObject | ApiFailure) => void): void => {
      const cut = (): boolean =>
        this.network.isBlocked(process, this.storeProcess) || this.network.isBlocked(this.storeProcess, process)
      process.clockwork.after(this.network.delay(process, this.storeProcess), () => {
        const answer = cut() ? Failures.unavailable("cut off") : work()
        process.clockwork.after(this.network.delay(this.storeProcess, process), () => done(answer))
      })
    }
    // SAFETY: elections use no other call.
    return {
      get: (target, _options, done) => call(() => this.leases.get(target.name), done),
      create: (_target, object, _options, done) =>
        call(() => this.leases.put(String(object.metadata.name), object), done),
      update: (target, object, _options, done) => call(() => this.leases.put(target.name, object), done)
    } as Client
  }
}
