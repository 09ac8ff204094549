// How a zone's nodes fare together, and how fast its pods may be evicted then: slower when many nodes fail at once, not at all when
// every node everywhere has, for then the fault is more likely ours.
// Owns the states, their rates and one eviction queue for each zone; refuses to know why a node is not ready.
import type { Clockwork } from "#kube"
import { EvictionQueue } from "./EvictionQueue.ts"

export type ZoneState = "Initial" | "Normal" | "PartialDisruption" | "FullDisruption"

export interface EvictionRates {
  /** Nodes tainted per second in a zone. */
  readonly perSecond: number
  /** The same in a zone where many nodes fail, if it is large. */
  readonly secondaryPerSecond: number
  /** Nodes above which a zone is large. */
  readonly largeAbove: number
  /** Share of nodes that are not ready at which a zone is disrupted. */
  readonly unhealthyFrom: number
}

/** kube-controller-manager's own. */
export const defaultRates: EvictionRates = {
  perSecond: 0.1,
  secondaryPerSecond: 0.01,
  largeAbove: 50,
  unhealthyFrom: 0.55
}

export interface ZoneCount {
  ready: number
  notReady: number
}

/** What is to be done beyond new rates. */
export type Disruption = "none" | "entered" | "left"

export class ZoneStates {
  readonly queues = new Map<string, EvictionQueue>()
  readonly #clockwork: Clockwork
  readonly #rates: EvictionRates
  readonly #states = new Map<string, ZoneState>()

  constructor(clockwork: Clockwork, rates: EvictionRates) {
    this.#clockwork = clockwork
    this.#rates = rates
  }

  state(zone: string): ZoneState | undefined {
    return this.#states.get(zone)
  }

  /** The queue of a zone, from its first node on. */
  queue(zone: string): EvictionQueue {
    let queue = this.queues.get(zone)
    if (queue === undefined) this.queues.set(zone, (queue = new EvictionQueue(this.#clockwork, this.#rates.perSecond)))
    if (!this.#states.has(zone)) this.#states.set(zone, "Initial")
    return queue
  }

  stateOf({ notReady, ready }: ZoneCount): ZoneState {
    if (ready === 0 && notReady > 0) return "FullDisruption"
    // Go compares in 32-bit floats, where 11/20 is not below 0.55.
    const share = Math.fround(Math.fround(notReady) / Math.fround(notReady + ready))
    return notReady > 2 && share >= Math.fround(this.#rates.unhealthyFrom) ? "PartialDisruption" : "Normal"
  }

  /** Takes in how many nodes of each zone are ready now. */
  update(counts: ReadonlyMap<string, ZoneCount>): Disruption {
    const fresh = new Map(Array.from(counts, ([zone, count]) => [zone, this.stateOf(count)] as const))
    for (const zone of fresh.keys()) this.queue(zone)
    const isAll = [...fresh.values()].every((state) => state === "FullDisruption")
    let wasAll = true
    for (const [zone, state] of this.#states) {
      if (!counts.has(zone)) this.#states.delete(zone)
      else if (state !== "FullDisruption") wasAll = false
    }
    if (isAll && wasAll) return "none"
    if (isAll) {
      for (const zone of this.#states.keys()) {
        this.queue(zone).setRate(0)
        this.#states.set(zone, "FullDisruption")
      }
      return "entered"
    }
    for (const [zone, state] of this.#states) {
      const now = fresh.get(zone) ?? "Normal"
      if (now === state && !wasAll) continue
      this.#setRate(zone, now, counts.get(zone))
      this.#states.set(zone, now)
    }
    return wasAll ? "left" : "none"
  }

  #setRate(zone: string, state: ZoneState, count: ZoneCount | undefined): void {
    const { largeAbove, perSecond, secondaryPerSecond } = this.#rates
    const size = (count?.ready ?? 0) + (count?.notReady ?? 0)
    const partial = size > largeAbove ? secondaryPerSecond : 0
    this.queue(zone).setRate(state === "PartialDisruption" ? partial : perSecond)
  }
}
