// Whole replicas by weight, within room: every share is its exact quota rounded down or up, and who is rounded up is decided by the largest
// remainder, then by a number that the cluster and the object decide, so that no cluster wins every tie.
// Owns the arithmetic, in whole numbers; refuses to know what replicas are.

/** Products of two amounts stay exact below this. */
const EXACT_MAX = 2 ** 53
/** So finely remainders are sorted before any two of them are compared. */
const BUCKETS = 512

/** Amounts for so many places, reused from call to call. */
export class Apportionment {
  #weights = new Float64Array(0)
  #remainders = new Float64Array(0)
  #ranked = new Int32Array(0)
  readonly #buckets = new Int32Array(BUCKETS)

  /** Makes room for so many places. */
  #ensure(count: number): void {
    if (this.#ranked.length >= count) return
    const size = Math.max(64, 2 ** Math.ceil(Math.log2(count)))
    this.#weights = new Float64Array(size)
    this.#remainders = new Float64Array(size)
    this.#ranked = new Int32Array(size)
  }

  /**
   * Adds to `shares` what each place gets of an amount by its weight, but no more than its room, which is used up; answers what no
   * place may take. What one place cannot take goes to the others by their weights.
   */
  apportion(amount: number, parts: ApportionParts): number {
    const { count, room, shares } = parts
    this.#ensure(count)
    let left = amount
    while (left > 0) {
      const sum = this.#activeWeights(left, parts)
      if (sum === 0) return left
      const weights = this.#weights
      let taken = 0
      for (let at = 0; at < count; at++) {
        if (weights[at] === 0 || room[at] > left || left * weights[at] < room[at] * sum) continue
        taken += room[at]
        shares[at] += room[at]
        room[at] = 0
      }
      if (taken === 0) return this.#round(left, sum, parts)
      left -= taken
    }
    return 0
  }

  /** The weights that count, scaled down where products would not be exact; answers their sum. */
  #activeWeights(amount: number, { count, room, weights }: ApportionParts): number {
    const active = this.#weights
    let sum = 0
    for (let at = 0; at < count; at++) sum += active[at] = room[at] > 0 ? weights[at] : 0
    if (amount * sum < EXACT_MAX) return sum
    const scale = 2 ** Math.ceil(Math.log2((amount * sum) / EXACT_MAX) + 1)
    sum = 0
    for (let at = 0; at < count; at++) {
      if (active[at] > 0) sum += active[at] = Math.max(1, Math.floor(active[at] / scale))
    }
    return sum
  }

  /** Hands out quotas of which none is more than its room. */
  #round(amount: number, sum: number, { count, room, shares, ties }: ApportionParts): number {
    const weights = this.#weights
    const remainders = this.#remainders
    const ranked = this.#ranked
    const buckets = this.#buckets.fill(0)
    const scale = BUCKETS / sum
    let left = amount
    let candidates = 0
    for (let at = 0; at < count; at++) {
      if (weights[at] === 0) continue
      const product = amount * weights[at]
      // Exact, and several times as fast as the remainder of two doubles.
      let whole = Math.floor(product / sum)
      let remainder = product - whole * sum
      if (remainder < 0) {
        whole--
        remainder += sum
      } else if (remainder >= sum) {
        whole++
        remainder -= sum
      }
      shares[at] += whole
      room[at] -= whole
      left -= whole
      if (remainder === 0) continue
      remainders[at] = remainder
      ranked[candidates++] = at
      buckets[bucketOf(remainder, scale)]++
    }
    if (left > 0) this.#seat(left, candidates, { room, shares, ties, scale })
    return 0
  }

  /** Gives one more to those with the largest remainders: whole buckets of them, and in the last one by comparison. */
  #seat(
    amount: number,
    candidates: number,
    { room, scale, shares, ties }: Pick<ApportionParts, "room" | "shares" | "ties"> & { readonly scale: number }
  ): void {
    const buckets = this.#buckets
    const remainders = this.#remainders
    const ranked = this.#ranked
    let last = BUCKETS - 1
    let left = amount
    while (last > 0 && buckets[last] <= left) left -= buckets[last--]
    let close = 0
    for (let place = 0; place < candidates; place++) {
      const at = ranked[place]
      const bucket = bucketOf(remainders[at], scale)
      if (bucket > last) {
        shares[at]++
        room[at]--
      } else if (bucket === last) ranked[close++] = at
    }
    if (left === 0) return
    this.#selectFirst(left, close, ties)
    for (let seat = 0; seat < left; seat++) {
      shares[ranked[seat]]++
      room[ranked[seat]]--
    }
  }

  /** Brings the first `wanted` of the ranked places to the front, in any order (Hoare's selection). */
  #selectFirst(wanted: number, candidates: number, ties: Int32Array): void {
    const ranked = this.#ranked
    let low = 0
    let high = candidates - 1
    while (low < high) {
      const pivot = ranked[(low + high) >> 1]
      let left = low
      let right = high
      while (left <= right) {
        while (this.#isBefore(ranked[left], pivot, ties)) left++
        while (this.#isBefore(pivot, ranked[right], ties)) right--
        if (left > right) break
        const swapped = ranked[left]
        ranked[left++] = ranked[right]
        ranked[right--] = swapped
      }
      if (wanted - 1 <= right) high = right
      else if (wanted - 1 >= left) low = left
      else return
    }
  }

  #isBefore(a: number, b: number, ties: Int32Array): boolean {
    const difference = this.#remainders[a] - this.#remainders[b]
    if (difference !== 0) return difference > 0
    return ties[a] === ties[b] ? a < b : ties[a] < ties[b]
  }
}

/** Grows with the remainder, so that a bucket is before all those below it. */
const bucketOf = (remainder: number, scale: number): number => Math.min(BUCKETS - 1, Math.floor(remainder * scale))

/** Places and what each may take; the arrays may be longer than `count`. */
export interface ApportionParts {
  readonly count: number
  /** Whole numbers; 0: takes nothing. */
  readonly weights: Float64Array
  /** Whole numbers or Infinity; used up. */
  readonly room: Float64Array
  /** Who is first among equals: the lowest. */
  readonly ties: Int32Array
  /** Added to. */
  readonly shares: Float64Array
}
