// The planner where nothing bounds a cluster but the total: the same plan as ReplicaPlanner's, found by looking at the clusters that get or
// have something instead of at all.
// Owns this shortcut and when it must not be taken; refuses minimums, caps, freezes and filling, for which there is the whole planner.
import { Apportionment } from "./Apportionment.ts"
import type { Quotas } from "./Quotas.ts"

/** Clusters by position; everything is read only. */
export interface FreeRequest {
  readonly quotas: Quotas
  readonly total: number
  readonly avoidDisruption: boolean
  /** Replicas that there are, and their sum. */
  readonly current: Float64Array
  readonly held: number
  /** What breaks ties. */
  readonly tieOf: (place: number) => number
}

/** Those that get something, in order; the arrays may be longer than `count`, and hold only until the next call. */
export interface FreePlan {
  readonly count: number
  readonly places: Int32Array
  readonly amounts: Float64Array
  /** How many of them had something before. */
  readonly kept: number
  /** Whether everything is as it is already. */
  readonly isSame: boolean
}

/** Plans replicas; its memory is reused from call to call. */
export class FreePlanner {
  readonly #apportionment = new Apportionment()
  /** By place; zeros between calls. */
  #desired = new Float64Array(0)
  #places = new Int32Array(0)
  #amounts = new Float64Array(0)
  #gaps = new Float64Array(0)
  #weights = new Float64Array(0)
  #ties = new Int32Array(0)

  /** The plan; undefined: the whole planner must be asked. */
  plan(request: FreeRequest): FreePlan | undefined {
    const { avoidDisruption, held, quotas, total } = request
    if (total <= 0) return undefined
    this.#ensure(quotas.count)
    if (avoidDisruption && held === total) return this.#told(request.current, request)
    const quota = quotas.of(total)
    if (quota === undefined) return undefined
    const desired = this.#desired
    for (let at = 0; at < quota.places.length; at++) desired[quota.places[at]] = quota.shares[at]
    if (quota.seats > 0) this.#seat(quota.close, quota.seats, request)
    const plan = avoidDisruption && held > 0 ? this.#moved(request) : this.#told(desired, request)
    for (const place of quota.places) desired[place] = 0
    for (const place of quota.close) desired[place] = 0
    return plan
  }

  #ensure(count: number): void {
    if (this.#desired.length >= count) return
    const size = Math.max(64, 2 ** Math.ceil(Math.log2(count)))
    this.#desired = new Float64Array(size)
    this.#places = new Int32Array(size)
    this.#amounts = new Float64Array(size)
    this.#gaps = new Float64Array(size)
    this.#weights = new Float64Array(size)
    this.#ties = new Int32Array(size)
  }

  /** A column without its zeros. */
  #told(column: Float64Array, { current, quotas }: FreeRequest): FreePlan {
    const places = this.#places
    const amounts = this.#amounts
    const of = quotas.count
    let count = 0
    let kept = 0
    let isSame = true
    for (let place = 0; place < of; place++) {
      const amount = column[place]
      if (amount !== current[place]) isSame = false
      if (amount === 0) continue
      if (current[place] > 0) kept++
      places[count] = place
      amounts[count++] = amount
    }
    return { count, places, amounts, kept, isSame }
  }

  /** One more to those whose ties are lowest: what equal weights share. */
  #seat(close: Int32Array, seats: number, { tieOf }: FreeRequest): void {
    const ties = this.#ties
    const room = this.#gaps
    const weights = this.#weights
    const shares = this.#amounts
    const count = close.length
    for (let at = 0; at < count; at++) {
      ties[at] = tieOf(close[at])
      room[at] = weights[at] = 1
      shares[at] = 0
    }
    this.#apportionment.apportion(seats, { count, weights, room, ties, shares })
    for (let at = 0; at < count; at++) this.#desired[close[at]] += shares[at]
  }

  /** Grows or shrinks what there is towards what is wanted, by no more than the difference. */
  #moved({ current, held, quotas, tieOf, total }: FreeRequest): FreePlan {
    const desired = this.#desired
    const gaps = this.#gaps
    const weights = this.#weights
    const places = this.#places
    const amounts = this.#amounts
    const of = quotas.count
    const grows = total > held
    const difference = Math.abs(total - held)
    let found = 0
    let sum = 0
    for (let place = 0; place < of; place++) {
      const wanted = desired[place]
      const there = current[place]
      if (wanted === 0 && there === 0) continue
      const gap = Math.max(0, grows ? wanted - there : there - wanted)
      sum += gaps[found] = weights[found] = gap
      amounts[found] = there
      places[found++] = place
    }
    if (sum === difference) for (let at = 0; at < found; at++) amounts[at] += grows ? gaps[at] : -gaps[at]
    else this.#share(found, difference, { grows, tieOf })
    let count = 0
    let kept = 0
    for (let at = 0; at < found; at++) {
      if (amounts[at] === 0) continue
      if (current[places[at]] > 0) kept++
      places[count] = places[at]
      amounts[count++] = amounts[at]
    }
    return { count, places, amounts, kept, isSame: false }
  }

  /** Shares a difference by how far each is from what is wanted. */
  #share(
    found: number,
    difference: number,
    { grows, tieOf }: { readonly grows: boolean; readonly tieOf: FreeRequest["tieOf"] }
  ): void {
    const places = this.#places
    const amounts = this.#amounts
    const ties = this.#ties
    for (let at = 0; at < found; at++) ties[at] = tieOf(places[at])
    const parts = { count: found, weights: this.#weights, room: this.#gaps, ties }
    if (grows) {
      this.#apportionment.apportion(difference, { ...parts, shares: amounts })
      return
    }
    const taken = new Float64Array(found)
    this.#apportionment.apportion(difference, { ...parts, shares: taken })
    for (let at = 0; at < found; at++) amounts[at] -= taken[at]
  }
}
