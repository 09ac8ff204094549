// What all objects with so many replicas have in common where nothing bounds them: each cluster's whole share, who is rounded up for all of
// them, and among whom the object itself decides.
// Owns this part of the largest-remainder division, worked out once for a column of weights and a total; refuses bounds and objects.
// Bound: PLACES_MAX places of all totals are remembered for a column; beyond that all are forgotten.

/** Products of two amounts stay exact below this. */
const EXACT_MAX = 2 ** 53
const PLACES_MAX = 65_536

/** One total, shared out. Places by position. */
export interface Quota {
  /** Places that get something whoever asks, in order, and what. */
  readonly places: Int32Array
  readonly shares: Float64Array
  /** Places of one remainder, of which so many get one more: those whose ties are lowest. */
  readonly close: Int32Array
  readonly seats: number
}

export class Quotas {
  readonly #weights: Float64Array
  readonly #caps: Float64Array | undefined
  readonly #sum: number
  readonly #known = new Map<number, Quota | undefined>()
  #places = 0

  /** Of whole weights; with caps, a place that may take nothing has none, and no other's quota may be above its own. */
  constructor(weights: Float64Array, caps?: Float64Array) {
    this.#weights = caps === undefined ? weights : weights.map((weight, at) => (caps[at] > 0 ? weight : 0))
    this.#caps = caps
    let sum = 0
    for (const weight of this.#weights) sum += weight
    this.#sum = sum
  }

  get count(): number {
    return this.#weights.length
  }

  /** A total's quota; undefined where nobody has weight, somebody would reach a cap, or the numbers are too large to be exact. */
  of(total: number): Quota | undefined {
    const known = this.#known.get(total)
    if (known !== undefined || this.#known.has(total)) return known
    if (this.#places >= PLACES_MAX) {
      this.#known.clear()
      this.#places = 0
    }
    const made = this.#make(total)
    this.#places += 1 + (made === undefined ? 0 : made.places.length + made.close.length)
    this.#known.set(total, made)
    return made
  }

  #make(total: number): Quota | undefined {
    const weights = this.#weights
    const sum = this.#sum
    if (sum === 0 || total * sum >= EXACT_MAX || this.#reachesCap(total)) return undefined
    const wholes = new Float64Array(weights.length)
    const remainders = new Float64Array(weights.length)
    let left = total
    for (let at = 0; at < weights.length; at++) {
      const product = total * weights[at]
      remainders[at] = product % sum
      wholes[at] = (product - remainders[at]) / sum
      left -= wholes[at]
    }
    const ranked = Array.from(remainders.keys()).filter((at) => remainders[at] > 0)
    ranked.sort((a, b) => remainders[b] - remainders[a] || a - b)
    const last = left > 0 ? remainders[ranked[left - 1]] : Infinity
    const close = left > 0 ? ranked.filter((at) => remainders[at] === last) : []
    let seats = left
    for (const at of ranked) {
      if (remainders[at] <= last) break
      wholes[at]++
      seats--
    }
    // Where all of one remainder are rounded up there is nothing to decide.
    if (seats === close.length) for (const at of close.splice(0)) wholes[at]++
    const places = Int32Array.from(Array.from(wholes.keys()).filter((at) => wholes[at] > 0))
    return {
      places,
      shares: Float64Array.from(places, (at) => wholes[at]),
      close: Int32Array.from(close),
      seats: close.length === 0 ? 0 : seats
    }
  }

  /** What one place may not take would go to others. */
  #reachesCap(total: number): boolean {
    const caps = this.#caps
    return caps !== undefined && this.#weights.some((weight, at) => total * weight > caps[at] * this.#sum)
  }
}
