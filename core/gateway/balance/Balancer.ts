// Which endpoint a request goes to: round robin, fewest requests in flight, or the better of two drawn; all by weight.
// Owns the choice among candidates and the state of one group of endpoints; refuses to know why a candidate is one.
import type { BalancingStrategy } from "../config/UpstreamCluster.ts"

/** An endpoint as the choice sees it. */
export interface Candidate {
  /** Whether it may get requests now. */
  readonly usable: boolean
  readonly inflight: number
  /** Its share at this moment: the configured weight, less while it starts slowly; 0 only when no other is left. */
  weightAt(nowMs: number): number
}

export class Balancer<C extends Candidate> {
  readonly members: ReadonlyArray<C>
  /** What smooth weighted round robin owes each member, in the order of `members`. */
  private readonly owed: Float64Array
  private readonly weights: Float64Array
  private turn = 0

  constructor(members: ReadonlyArray<C>) {
    this.members = members
    this.owed = new Float64Array(members.length)
    this.weights = new Float64Array(members.length)
  }

  /** Chooses, never one of `tried` while another is left; undefined when none is usable. */
  pick(
    strategy: BalancingStrategy,
    nowMs: number,
    random: () => number,
    tried: ReadonlyArray<C> = none
  ): C | undefined {
    const chosen = this.among(strategy, nowMs, random, tried)
    return chosen === undefined && tried.length > 0 ? this.among(strategy, nowMs, random, none) : chosen
  }

  private among(
    strategy: BalancingStrategy,
    nowMs: number,
    random: () => number,
    tried: ReadonlyArray<C>
  ): C | undefined {
    const { members, weights } = this
    let total = 0
    let usable = 0
    let last = -1
    for (let at = 0; at < members.length; at++) {
      const member = members[at]
      const free = member.usable && !tried.includes(member)
      weights[at] = free ? member.weightAt(nowMs) : -1
      if (!free) continue
      usable++
      last = at
      total += weights[at]
    }
    if (usable <= 1) return members[last]
    if (total === 0) {
      // Only such are left as get requests when no other is: all the same.
      for (let at = 0; at < weights.length; at++) if (weights[at] === 0) weights[at] = 1
      total = usable
    }
    if (strategy === "RoundRobin") return members[this.roundRobin(total)]
    if (strategy === "LeastInflight") return members[this.leastInflight()]
    const first = this.draw(total, random())
    const second = this.draw(total, random())
    return members[this.load(first) <= this.load(second) ? first : second]
  }

  /** Smooth: of weights 5, 1, 1 the first never comes five times in a row. */
  private roundRobin(total: number): number {
    const { owed, weights } = this
    let best = -1
    for (let at = 0; at < owed.length; at++) {
      const weight = weights[at]
      if (weight <= 0) continue
      owed[at] = owed[at] + weight
      if (best < 0 || owed[at] > owed[best]) best = at
    }
    owed[best] = owed[best] - total
    return best
  }

  /** The least loaded for its weight; equals in turn. */
  private leastInflight(): number {
    const { members } = this
    this.turn = (this.turn + 1) % members.length
    let best = -1
    for (let step = 0; step < members.length; step++) {
      const at = (this.turn + step) % members.length
      if (this.weights[at] > 0 && (best < 0 || this.load(at) < this.load(best))) best = at
    }
    return best
  }

  private draw(total: number, chance: number): number {
    const { weights } = this
    let left = chance * total
    let last = -1
    for (let at = 0; at < weights.length; at++) {
      const weight = weights[at]
      if (weight <= 0) continue
      last = at
      left -= weight
      if (left < 0) return at
    }
    return last
  }

  /** The request that is to be placed counts, so that weights tell also while nothing is in flight. */
  private load(at: number): number {
    return (this.members[at].inflight + 1) / this.weights[at]
  }
}

const none: ReadonlyArray<never> = []
