// The gateway's side of the limiter: a session with each of its servers, and every flow's words to the leader of its cluster's shard.
// Owns sessions, whom to ask, when to speak, and fencing: of two who claim a shard the higher epoch is believed, and leases last from
// the moment that the report was sent which they answer. Refuses what a lease does (GlobalFlow.ts) and sockets (the transport).
// Bounds: `SESSIONS_MAX` sessions; a report holds each flow once.
import type { Cancel, Clockwork } from "#kube"
import type { FlowControl } from "../config/UpstreamCluster.ts"
import type { Flow } from "../limits/Flow.ts"
import type { GlobalLimits } from "../limits/Limits.ts"
import { GlobalFlow } from "./GlobalFlow.ts"
import { globalLimitOf } from "./LimitItem.ts"
import { type Grants, type Report, type ReportItem, shardOf } from "./LimiterMessages.ts"

/** A session with one server, as the transport opens it. */
export interface LimiterSession {
  readonly send: (report: Report) => void
  readonly close: () => void
}

export interface LimiterSessionListener {
  readonly message: (message: Grants) => void
  /** Once, when the session is over or could not be opened; not after `close`. */
  readonly closed: (why: string) => void
}

export interface LimiterTransport {
  readonly open: (address: string, instance: string, listener: LimiterSessionListener) => LimiterSession
}

export interface LimiterClientOptions {
  readonly clockwork: Clockwork
  readonly transport: LimiterTransport
  /** This gateway, other than every other one: [prefix-]host-pid-random. */
  readonly instance: string
  /** Where servers of the limiter are. */
  readonly servers: ReadonlyArray<string>
}

/** How often flows are looked at, and how soon after something pressing. */
const REPORT_MS = 100
const HURRY_MS = 2
/** Reports that need no answer are repeated so often within a lease. */
const RENEWALS = 5
const RETRY_MIN_MS = 100
const RETRY_MAX_MS = 2000
export const SESSIONS_MAX = 16
/** Demand that differs by less than this part is not told before its time. */
const TOLD_CHANGE = 0.05
/** A server that answers nothing for so long is given up. */
const SILENT_MS = 3000

interface Sent {
  readonly seq: number
  readonly atMs: number
  readonly items: ReadonlyArray<ReportItem>
}

interface Link {
  readonly address: string
  session: LimiterSession | undefined
  readonly leads: Map<number, number>
  sent: Array<Sent>
  seq: number
  /** When the report that was answered last was sent. */
  ackedAtMs: number
  heardMs: number
  retryMs: number
  timer: Cancel | undefined
}

interface Told {
  readonly item: ReportItem
  readonly atMs: number
}

export class LimiterClient implements GlobalLimits {
  /** Sessions that ended or could not be opened, since the start. */
  failures = 0
  private readonly options: LimiterClientOptions
  private readonly links = new Map<string, Link>()
  private readonly flows = new Map<string, GlobalFlow>()
  private readonly told = new Map<string, Told>()
  private readonly epochs = new Map<number, number>()
  private shards = 0
  private ttlMs = 1000
  private hurrying: Cancel | undefined
  private readonly ticking: Cancel
  private stopped = false

  constructor(options: LimiterClientOptions) {
    this.options = options
    this.ticking = options.clockwork.every(REPORT_MS, () => this.speak())
    for (const address of options.servers) this.dial(address)
  }

  /** Says goodbye, so that others get what this gateway has at once. */
  stop(): void {
    this.stopped = true
    this.ticking()
    this.hurrying?.()
    for (const link of this.links.values()) {
      link.timer?.()
      link.session?.send({ seq: ++link.seq, items: [], bye: true })
      link.session?.close()
    }
    this.links.clear()
  }

  /** The flows that it manages, for metrics and for who wants to look. */
  managed(): ReadonlyArray<GlobalFlow> {
    return [...this.flows.values()]
  }

  manage(cluster: string, control: FlowControl, flow: Flow): Cancel {
    const limit = globalLimitOf(control)
    if (limit === undefined) return () => undefined
    const id = `${cluster}/${control.name}`
    const known = this.flows.get(id)
    const managed = known?.flow === flow ? known : new GlobalFlow(this.options.clockwork, cluster, control, limit, flow)
    if (managed === known) managed.change(control)
    this.flows.set(id, managed)
    flow.onPressure = () => this.hurry()
    flow.onLeave = managed.returns ? () => this.hurry() : undefined
    this.hurry()
    const generation = control
    this.generations.set(id, generation)
    return () => {
      if (this.generations.get(id) !== generation) return
      this.flows.delete(id)
      this.told.delete(id)
      this.generations.delete(id)
      flow.onPressure = undefined
      flow.onLeave = undefined
    }
  }

  private readonly generations = new Map<string, FlowControl>()

  private hurry(): void {
    if (this.stopped) return
    this.hurrying ??= this.options.clockwork.after(HURRY_MS, () => {
      this.hurrying = undefined
      this.speak()
    })
  }

  /** Reports what is due to be told, each flow to its leader. */
  private speak(): void {
    const { clockwork } = this.options
    const nowMs = clockwork.monotonic()
    const byLink = new Map<Link, Array<ReportItem>>()
    for (const [id, flow] of this.flows) {
      const item = flow.report()
      const link = this.leaderOf(flow.cluster)
      if (link === undefined || !this.worthTelling(id, flow, item, nowMs)) continue
      this.told.set(id, { item, atMs: nowMs })
      const items = byLink.get(link) ?? []
      items.push(item)
      byLink.set(link, items)
    }
    for (const [link, items] of byLink) this.send(link, items, nowMs)
    for (const link of this.links.values()) {
      if (link.session !== undefined && link.sent.length > 0 && nowMs - link.heardMs > SILENT_MS) this.lost(link)
    }
  }

  private send(link: Link, items: ReadonlyArray<ReportItem>, nowMs: number): void {
    const seq = ++link.seq
    if (link.sent.length === 0) link.heardMs = nowMs
    link.sent.push({ seq, atMs: nowMs, items })
    link.session?.send({ seq, items, bye: false })
  }

  private worthTelling(id: string, flow: GlobalFlow, item: ReportItem, nowMs: number): boolean {
    const last = this.told.get(id)
    if (last === undefined || nowMs - last.atMs >= this.ttlMs / RENEWALS) return true
    const { demand, epoch, holding, version } = last.item
    if (flow.kind === "tokens" && item.demand > 0) return true
    if (item.version !== version || item.epoch !== epoch || item.holding < holding) return true
    return Math.abs(item.demand - demand) > Math.max(item.demand, demand) * TOLD_CHANGE
  }

  private leaderOf(cluster: string): Link | undefined {
    if (this.shards === 0) return undefined
    const shard = shardOf(cluster, this.shards)
    let best: Link | undefined
    for (const link of this.links.values()) {
      const epoch = link.leads.get(shard)
      if (link.session === undefined || epoch === undefined || epoch < (this.epochs.get(shard) ?? 0)) continue
      best = link
    }
    return best
  }

  private dial(address: string): void {
    if (this.stopped || this.links.has(address) || this.links.size >= SESSIONS_MAX) return
    const link: Link = {
      address,
      session: undefined,
      leads: new Map(),
      sent: [],
      seq: 0,
      ackedAtMs: Number.NEGATIVE_INFINITY,
      heardMs: 0,
      retryMs: RETRY_MIN_MS,
      timer: undefined
    }
    this.links.set(address, link)
    this.open(link)
  }

  private open(link: Link): void {
    const { instance, transport } = this.options
    const session: LimiterSession = transport.open(link.address, instance, {
      message: (message) => {
        if (link.session === session) this.hear(link, message)
      },
      closed: () => {
        if (link.session === session) this.lost(link)
      }
    })
    link.session = session
    link.sent = []
    link.seq = 0
    link.ackedAtMs = Number.NEGATIVE_INFINITY
  }

  private lost(link: Link): void {
    const { clockwork } = this.options
    const { session } = link
    link.session = undefined
    link.leads.clear()
    link.sent = []
    session?.close()
    this.failures++
    if (this.stopped) return
    const delayMs = link.retryMs * (0.5 + clockwork.random())
    link.retryMs = Math.min(RETRY_MAX_MS, link.retryMs * 2)
    link.timer = clockwork.after(delayMs, () => {
      // A server that was only hinted at and is gone is forgotten.
      if (this.options.servers.includes(link.address) || link.retryMs < RETRY_MAX_MS) this.open(link)
      else this.links.delete(link.address)
    })
  }

  private hear(link: Link, message: Grants): void {
    const nowMs = this.options.clockwork.monotonic()
    link.heardMs = nowMs
    link.retryMs = RETRY_MIN_MS
    this.shards = message.shards
    this.ttlMs = message.ttlMs
    const before = new Map(link.leads)
    link.leads.clear()
    for (const { epoch, shard } of message.leads) {
      link.leads.set(shard, epoch)
      if (epoch > (this.epochs.get(shard) ?? 0)) this.epochs.set(shard, epoch)
      // A new leader hears everything at once.
      if (before.get(shard) !== epoch) this.retell(shard)
    }
    for (const hint of message.hints) if (hint !== "") this.dial(hint)
    this.acknowledge(link, message)
    for (const grant of message.grants) {
      const { cluster, epoch, name } = grant
      const flow = this.flows.get(`${cluster}/${name}`)
      if (flow === undefined || epoch < (this.epochs.get(shardOf(cluster, this.shards)) ?? 0)) continue
      // What is held less can be given to others: it is told at once.
      if (flow.apply(grant, link.ackedAtMs + message.ttlMs) && flow.kind !== "tokens") this.hurry()
    }
  }

  private retell(shard: number): void {
    for (const [id, { cluster }] of this.flows) if (shardOf(cluster, this.shards) === shard) this.told.delete(id)
    this.hurry()
  }

  private acknowledge(link: Link, { ack, refused, ttlMs }: Grants): void {
    const at = link.sent.findIndex(({ seq }) => seq === ack)
    if (at < 0) return
    const { atMs, items } = link.sent[at]
    link.sent.splice(0, at + 1)
    link.ackedAtMs = Math.max(link.ackedAtMs, atMs)
    const unheard = new Set(refused.map(({ cluster, name }) => `${cluster}/${name}`))
    for (const { cluster, name } of items) {
      const id = `${cluster}/${name}`
      const shard = shardOf(cluster, this.shards)
      const epoch = link.leads.get(shard)
      if (unheard.has(id) || epoch === undefined || epoch < (this.epochs.get(shard) ?? 0)) continue
      this.flows.get(id)?.renew(epoch, atMs + ttlMs)
    }
  }
}
