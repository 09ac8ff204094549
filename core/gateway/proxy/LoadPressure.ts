// When clients are asked to go elsewhere: by chance with each request, always or only while the gateway has more to do than it was told
// to bear, so that a load balancer before several gateways gets to spread clients anew.
// Owns the three measures and their averages over half a minute; refuses to close anything.
import type { Cancel, Clockwork } from "#kube"

/** How likely a request makes the gateway say goodbye on its connection; from 0 to 1. */
export interface GoAway {
  readonly chance: number
}

/** What the gateway has done until now, and has in hand. */
export interface Work {
  /** Requests that are worked on, without those that last as long as they like. */
  readonly inFlight: number
  readonly begun: number
  /** Bytes of bodies, both ways. */
  readonly bytes: number
}

/** From where on it is too much; 0 does not look at the measure. */
export interface LoadThresholds {
  readonly inFlight: number
  readonly perSecond: number
  readonly megabytesPerSecond: number
}

const SAMPLE_MS = 1000
/** Samples over which rates are averaged. */
const SAMPLES = 30

export class LoadPressure implements GoAway {
  private readonly asked: number
  private readonly thresholds: LoadThresholds
  private readonly work: () => Work
  private readonly cancel: Cancel
  private samples: Array<Work> = []
  private over = false

  constructor(clockwork: Clockwork, chance: number, thresholds: LoadThresholds, work: () => Work) {
    this.asked = chance
    this.thresholds = thresholds
    this.work = work
    this.cancel = clockwork.every(SAMPLE_MS, () => this.sample())
  }

  /** Without any threshold the chance holds always. */
  get chance(): number {
    const { inFlight, megabytesPerSecond, perSecond } = this.thresholds
    return inFlight + perSecond + megabytesPerSecond === 0 || this.over ? this.asked : 0
  }

  stop(): void {
    this.cancel()
  }

  private sample(): void {
    const now = this.work()
    const first = this.samples[0] ?? now
    const seconds = (this.samples.length * SAMPLE_MS) / 1000
    this.samples = [...this.samples, now].slice(-SAMPLES)
    const rate = (from: number, to: number): number => (seconds === 0 ? 0 : (to - from) / seconds)
    const { inFlight, megabytesPerSecond, perSecond } = this.thresholds
    this.over =
      (inFlight > 0 && now.inFlight > inFlight) ||
      (perSecond > 0 && rate(first.begun, now.begun) > perSecond) ||
      (megabytesPerSecond > 0 && rate(first.bytes, now.bytes) / 1e6 > megabytesPerSecond)
  }
}
