// One planner for replicas: by weights, by room (which is a weight) and one cluster after the other.
// Owns the order of what matters: hard caps always hold; then minimums are met as far as the total goes; then as few replicas move as
// can; then shares come close to the weights. Refuses to know clusters: it sees positions and amounts.
import { Apportionment, type ApportionParts } from "./Apportionment.ts"
import type { PlanRequest, ReplicaPlan } from "./ReplicaPlan.ts"

/** One pass: replicas between two bounds. */
interface Pass {
  readonly request: PlanRequest
  readonly total: number
  readonly floors: Float64Array
  readonly caps: Float64Array
}

/** Where a plan is written; may be longer than it. */
export interface PlanColumns {
  readonly planned: Float64Array
  readonly overflow: Float64Array
}

const newColumns = (count: number): PlanColumns => ({
  planned: new Float64Array(count),
  overflow: new Float64Array(count)
})

/** Plans replicas; its memory is reused from call to call, so one call is over before the next begins. */
export class ReplicaPlanner {
  readonly #apportionment = new Apportionment()
  #floors = new Float64Array(0)
  #caps = new Float64Array(0)
  #desired = new Float64Array(0)
  #room = new Float64Array(0)
  #weights = new Float64Array(0)

  /** Plans, into columns of zeros where some are given, else into new ones. */
  plan(request: PlanRequest, into: PlanColumns = newColumns(request.count)): ReplicaPlan {
    const { count, hardCaps, mins, softCaps, total } = request
    this.#ensure(count)
    const floors = this.#floors
    const caps = this.#caps
    for (let at = 0; at < count; at++) {
      caps[at] = Math.min(hardCaps[at], softCaps[at])
      floors[at] = Math.min(mins[at], caps[at])
    }
    const { overflow, planned } = into
    this.#pass({ request, total, floors, caps }, planned)
    const unassigned = this.#overflow(request, planned, overflow)
    return { planned, overflow, unassigned }
  }

  #ensure(count: number): void {
    if (this.#floors.length >= count) return
    const size = Math.max(64, 2 ** Math.ceil(Math.log2(count)))
    this.#floors = new Float64Array(size)
    this.#caps = new Float64Array(size)
    this.#desired = new Float64Array(size)
    this.#room = new Float64Array(size)
    this.#weights = new Float64Array(size)
  }

  /** Replicas beyond soft caps: those that wait and are kept, then those for which there is room nowhere. Answers what is left. */
  #overflow(request: PlanRequest, planned: Float64Array, overflow: Float64Array): number {
    const { count, current, hardCaps, keepUnschedulable, softCaps, total } = request
    let sum = 0
    let beyond = false
    for (let at = 0; at < count; at++) {
      sum += planned[at]
      if (softCaps[at] >= hardCaps[at]) continue
      beyond = true
      if (!keepUnschedulable || planned[at] < softCaps[at]) continue
      const waiting = Math.min(current[at], hardCaps[at], total) - planned[at]
      if (waiting > 0) sum += overflow[at] = waiting
    }
    if (sum >= total || !beyond) return Math.max(0, total - sum)
    // A second pass above the first: nobody gets less, and only hard caps bound.
    const floors = this.#floors
    for (let at = 0; at < count; at++) floors[at] = planned[at] + overflow[at]
    const whole = new Float64Array(count)
    const placed = this.#pass({ request, total, floors, caps: hardCaps }, whole)
    for (let at = 0; at < count; at++) overflow[at] = whole[at] - planned[at]
    return total - placed
  }

  /** Plans between the bounds; answers how many there are. */
  #pass(pass: Pass, plan: Float64Array): number {
    const { count } = pass.request
    let least = 0
    for (let at = 0; at < count; at++) least += pass.floors[at]
    // Where the total does not even reach the minimums, no cluster gets more than its own.
    const scarce = least >= pass.total
    const target = scarce ? pass.total : this.#desire(pass, least)
    if (scarce) this.#desireScarce(pass)
    const desired = this.#desired
    if (!pass.request.avoidDisruption) {
      for (let at = 0; at < count; at++) plan[at] = desired[at]
      return target
    }
    let sum = 0
    for (let at = 0; at < count; at++) {
      const floor = scarce ? 0 : pass.floors[at]
      const cap = scarce ? pass.floors[at] : pass.caps[at]
      sum += plan[at] = Math.max(floor, Math.min(pass.request.current[at], cap))
    }
    if (sum !== target) this.#settle(pass, { plan, scarce, difference: target - sum })
    return target
  }

  /** What is wanted were there no replicas yet: minimums, then shares. Answers the sum. */
  #desire({ caps, floors, request, total }: Pass, least: number): number {
    const { avoidDisruption, count, current, strategy, weights } = request
    const desired = this.#desired
    const room = this.#room
    for (let at = 0; at < count; at++) {
      desired[at] = floors[at]
      room[at] = caps[at] - floors[at]
    }
    let left = total - least
    if (strategy === "fill") return total - this.#fill(left, count, desired)
    left = this.#apportionment.apportion(left, this.#parts(request, weights, desired))
    if (left === 0 || !avoidDisruption) return total - left
    // Clusters without weight get nothing, but keep what they have where there is no other place for it.
    const kept = this.#weights
    for (let at = 0; at < count; at++) {
      kept[at] = room[at] = Math.max(0, Math.min(current[at], caps[at]) - desired[at])
    }
    return total - this.#apportionment.apportion(left, this.#parts(request, kept, desired))
  }

  /** The total shared among minimums that together want more. */
  #desireScarce({ floors, request, total }: Pass): void {
    const { count, strategy } = request
    for (let at = 0; at < count; at++) {
      this.#desired[at] = 0
      this.#room[at] = floors[at]
    }
    if (strategy === "fill") this.#fill(total, count, this.#desired)
    else this.#apportionment.apportion(total, this.#parts(request, floors, this.#desired))
  }

  /** Fills room in order; answers what is left. */
  #fill(amount: number, count: number, shares: Float64Array): number {
    const room = this.#room
    let left = amount
    for (let at = 0; at < count && left > 0; at++) {
      const taken = Math.min(room[at], left)
      shares[at] += taken
      left -= taken
    }
    return left
  }

  /** Grows or shrinks what there is towards what is wanted, by no more than the difference. */
  #settle(pass: Pass, { difference, plan, scarce }: { plan: Float64Array; scarce: boolean; difference: number }): void {
    const { request } = pass
    const { count, strategy } = request
    const room = this.#room
    const weights = this.#weights
    const grows = difference > 0
    if (strategy === "fill") return this.#settleInOrder(pass, { plan, scarce, difference })
    let gaps = 0
    for (let at = 0; at < count; at++) {
      const gap = grows ? this.#desired[at] - plan[at] : plan[at] - this.#desired[at]
      gaps += weights[at] = room[at] = Math.max(0, gap)
    }
    // Nobody is on the other side of what is wanted: everyone goes there, and there is nothing to share.
    if (gaps === Math.abs(difference)) {
      for (let at = 0; at < count; at++) plan[at] += grows ? room[at] : -room[at]
      return
    }
    if (grows) {
      this.#apportionment.apportion(difference, this.#parts(request, weights, plan))
      return
    }
    const taken = this.#desired
    taken.fill(0, 0, count)
    this.#apportionment.apportion(-difference, this.#parts(request, weights, taken))
    for (let at = 0; at < count; at++) plan[at] -= taken[at]
  }

  #settleInOrder(
    pass: Pass,
    { difference, plan, scarce }: { plan: Float64Array; scarce: boolean; difference: number }
  ) {
    const { count } = pass.request
    if (difference > 0) {
      for (let at = 0; at < count; at++) this.#room[at] = (scarce ? pass.floors[at] : pass.caps[at]) - plan[at]
      this.#fill(difference, count, plan)
      return
    }
    let left = -difference
    for (let at = count - 1; at >= 0 && left > 0; at--) {
      const taken = Math.min(left, plan[at] - (scarce ? 0 : pass.floors[at]))
      plan[at] -= taken
      left -= taken
    }
  }

  #parts({ count, ties }: PlanRequest, weights: Float64Array, shares: Float64Array): ApportionParts {
    return { count, weights, room: this.#room, ties, shares }
  }
}
