// A flow of this gateway whose limit comes from the limiter: what it tells of itself, and what it does with a lease.
// Owns the measuring of demand, the gate that follows the lease, and what holds when there is none (the local limit, nothing, or all).
// Refuses connections and routing (LimiterClient.ts). A grant of an older epoch or version than the lease's is not heard.
import { type Clockwork, TokenBucket } from "#kube"
import type { FlowControl } from "../config/UpstreamCluster.ts"
import type { Flow, FlowSettings } from "../limits/Flow.ts"
import { BucketGate, exemptGate, shutGate, SlotGate, TokenGate } from "../limits/Gate.ts"
import { flowSettings, localGate } from "../limits/LocalGate.ts"
import { type GlobalLimit, globalLimitOf } from "./LimitItem.ts"
import type { GrantItem, ReportItem } from "./LimiterMessages.ts"

/** Over which time demand is averaged, in milliseconds: so long that about `AVERAGE_ARRIVALS` fall into it. */
const AVERAGE_MAX_MS = 1000
const AVERAGE_MIN_MS = 250
const AVERAGE_ARRIVALS = 50
/** Tokens that were handed out are used within so long, or not at all. */
const TOKEN_LIFE_MS = 1000
/** How long what asks the limiter first may wait for its answer, as the original's 300 ms. */
const ANSWER_MS = 300
const ANSWER_QUEUE = 1000
/** Without a word for so long a limit that lives from hand to mouth counts as lost. */
const SILENCE_MS = 1000
/** Tokens at hand: this part of a second's demand, and of the rate at most the other. */
const RESERVE_S = 0.1
const RESERVE_PART = 0.05
/** Slots that are asked for, beside those in use. */
const SLOT_RESERVE = 1.2
/** How fast demand that could not be measured is supposed to grow from one report to the next. */
const GROWTH = 2

interface Lease {
  epoch: number
  version: number
  amount: number
  untilMs: number
}

const noLease = (): Lease => ({ epoch: 0, version: -1, amount: 0, untilMs: 0 })

export class GlobalFlow {
  readonly cluster: string
  readonly flow: Flow
  /** Whether the limiter's word holds now. */
  leased = false
  /** Reports made, and answers heard. */
  reports = 0
  answers = 0
  private control: FlowControl
  private limit: GlobalLimit
  private readonly clockwork: Clockwork
  private lease: Lease = noLease()
  private heardMs = Number.NEGATIVE_INFINITY
  private measuredMs: number
  private seen = { arrived: 0, refused: 0, admitted: 0 }
  private arrivalRate = 0
  private admittedRate = 0
  private peak = 0
  /** Requests that were decided on under leases, and how many there were when the last one began. */
  private underLeases = 0
  private atLease = 0

  constructor(clockwork: Clockwork, cluster: string, control: FlowControl, limit: GlobalLimit, flow: Flow) {
    this.clockwork = clockwork
    this.cluster = cluster
    this.control = control
    this.limit = limit
    this.flow = flow
    this.measuredMs = clockwork.monotonic()
    this.fallBack()
  }

  get name(): string {
    return this.control.name
  }

  /** Whether others wait for what it does not use. */
  get returns(): boolean {
    return this.limit.kind === "slots" && !this.limit.spare
  }

  get kind(): GlobalLimit["kind"] {
    return this.limit.kind
  }

  /** The part of the limit that this gateway may use; of tokens those at hand. */
  get amount(): number {
    const { gate } = this.flow
    return gate instanceof TokenGate ? gate.available(this.clockwork.monotonic()) : this.lease.amount
  }

  /** Requests that were decided on under leases, and without one. */
  decided(): { readonly leased: number; readonly fallback: number } {
    const { arrived } = this.flow.counts
    const leased = this.underLeases + (this.leased ? arrived - this.atLease : 0)
    return { leased, fallback: arrived - leased }
  }

  /** Takes changed settings; a lease on a limit of the same kind goes on. */
  change(control: FlowControl): void {
    const limit = globalLimitOf(control)
    if (limit === undefined) return
    const same = limit.kind === this.limit.kind
    this.control = control
    this.limit = limit
    if (!same) this.lease = noLease()
    if (this.leased && same) this.obey(0)
    else this.fallBack()
  }

  /** What the limiter is to hear now. */
  report(): ReportItem {
    const nowMs = this.clockwork.monotonic()
    this.check(nowMs)
    const { cluster, lease, name } = this
    const { counts } = this.flow
    const slots = this.limit.kind === "slots"
    const pressed = this.measure(nowMs)
    const part = this.leased ? lease.amount : 0
    this.reports++
    return {
      cluster,
      name,
      epoch: lease.epoch,
      version: lease.version,
      holding: slots ? Math.max(part, counts.inFlight) : part,
      demand: this.demand(pressed, nowMs),
      used: slots ? counts.inFlight : this.admittedRate
    }
  }

  /** Goes by a grant; false when it is older than what is known. `untilMs` on the monotonic clock. */
  apply({ amount, epoch, tokens, version }: GrantItem, untilMs: number): boolean {
    const { lease } = this
    if (epoch < lease.epoch || (epoch === lease.epoch && version <= lease.version)) return false
    this.lease = { epoch, version, amount: this.limit.kind === "tokens" ? 0 : amount, untilMs }
    this.heardMs = this.clockwork.monotonic()
    if (this.limit.kind === "tokens" || untilMs > this.heardMs) this.begin()
    if (this.leased) this.obey(this.limit.kind === "tokens" ? amount : tokens)
    return true
  }

  /** The limiter has answered a report that was sent so that the lease now lasts until then. */
  renew(epoch: number, untilMs: number): void {
    this.answers++
    this.heardMs = this.clockwork.monotonic()
    if (this.limit.kind === "tokens") {
      if (epoch > this.lease.epoch) this.lease = { ...noLease(), epoch }
      if (!this.leased) {
        this.begin()
        this.obey(0)
      }
      return
    }
    if (epoch === this.lease.epoch && untilMs > this.lease.untilMs) this.lease.untilMs = untilMs
  }

  /** Looks whether the lease is over. */
  check(nowMs: number): void {
    if (!this.leased) return
    const over = this.limit.kind === "tokens" ? nowMs - this.heardMs > SILENCE_MS : nowMs >= this.lease.untilMs
    if (!over) return
    this.lease.amount = 0
    this.fallBack()
  }

  private begin(): void {
    if (!this.leased) this.atLease = this.flow.counts.arrived
    this.leased = true
  }

  /** Gives up: what holds then is for who takes the flow over. */
  private fallBack(): void {
    const { control, flow } = this
    if (this.leased) this.underLeases += flow.counts.arrived - this.atLease
    this.leased = false
    const nowMs = this.clockwork.monotonic()
    const loss = control.onLimiterLoss
    const gate = loss === "Open" ? exemptGate : loss === "Closed" ? shutGate : localGate(control, flow.gate, nowMs)
    flow.set(gate, flowSettings(control))
  }

  private settings(): FlowSettings {
    const own = flowSettings(this.control)
    if (this.limit.spare) return own
    const queueLength = Math.max(own.queueLength, ANSWER_QUEUE)
    return { ...own, queueLength, queueTimeoutMs: Math.max(own.queueTimeoutMs, ANSWER_MS) }
  }

  /** Puts the lease into the gate. */
  private obey(tokens: number): void {
    const { flow, lease, limit } = this
    const nowMs = this.clockwork.monotonic()
    if (limit.kind === "slots") return flow.set(new SlotGate(lease.amount), this.settings())
    if (limit.kind === "tokens") {
      const gate = flow.gate instanceof TokenGate ? flow.gate : new TokenGate()
      gate.add(tokens, nowMs + TOKEN_LIFE_MS)
      return flow.set(gate, this.settings())
    }
    // A part of the rate has its part of the burst, but at least one token, or it could never be used.
    const burst = limit.total > 0 ? Math.max(1, (limit.burst * lease.amount) / limit.total) : 0
    const bucket = flow.gate instanceof LeasedGate ? flow.gate.bucket : new TokenBucket(0, 0, nowMs)
    bucket.resize(lease.amount, burst, nowMs)
    bucket.add(tokens, nowMs)
    flow.set(flow.gate instanceof LeasedGate ? flow.gate : new LeasedGate(bucket), this.settings())
  }

  /** Averages what arrived and passed; answers whether something could not pass. */
  private measure(nowMs: number): boolean {
    const { counts } = this.flow
    const elapsedMs = nowMs - this.measuredMs
    const pressed = counts.refused > this.seen.refused || this.flow.waiting > 0
    this.peak = Math.max(counts.peak, this.peak < 0.5 ? 0 : this.peak * 0.8)
    counts.peak = counts.inFlight + this.flow.waiting
    if (elapsedMs <= 0) return pressed
    const enoughMs = (AVERAGE_ARRIVALS * 1000) / Math.max(1, this.arrivalRate)
    const weight = 1 - Math.exp(-elapsedMs / Math.max(AVERAGE_MIN_MS, Math.min(AVERAGE_MAX_MS, enoughMs)))
    const arrivals = ((counts.arrived - this.seen.arrived) * 1000) / elapsedMs
    const admissions = ((counts.admitted - this.seen.admitted) * 1000) / elapsedMs
    this.arrivalRate += (arrivals - this.arrivalRate) * weight
    this.admittedRate += (admissions - this.admittedRate) * weight
    this.seen = { arrived: counts.arrived, refused: counts.refused, admitted: counts.admitted }
    this.measuredMs = nowMs
    return pressed
  }

  private demand(pressed: boolean, nowMs: number): number {
    const { flow, lease, limit } = this
    if (limit.kind === "tokens") {
      const reserve = Math.min(limit.total * RESERVE_PART, this.arrivalRate * RESERVE_S)
      const there = flow.gate instanceof TokenGate ? flow.gate.available(nowMs) : 0
      return Math.max(0, Math.ceil(flow.waiting + reserve - there))
    }
    // Slots that are given as asked for go back as soon as nobody uses them.
    if (limit.kind === "slots" && !limit.spare) return Math.ceil((flow.counts.inFlight + flow.waiting) * SLOT_RESERVE)
    const measured = limit.kind === "slots" ? this.peak : this.arrivalRate
    return pressed ? Math.max(measured, lease.amount * GROWTH, 1) : measured
  }
}

/** The bucket of a lease, which is never taken for the local limit's. */
class LeasedGate extends BucketGate {}
