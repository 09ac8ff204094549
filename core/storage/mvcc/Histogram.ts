// Durations counted into etcd's buckets: one addition each, nothing allocated.
// Owns the bounds; refuses to read a clock.

/** Upper bounds in seconds: from 1 ms, doubling, as etcd's disk metrics have them. */
export const durationBounds: ReadonlyArray<number> = Array.from({ length: 14 }, (_, at) => 2 ** at / 1000)

export class Histogram {
  /** How many fell into each bucket; the last has no bound. */
  readonly counts = new Float64Array(durationBounds.length + 1)
  sum = 0

  /** Counts one duration in seconds. */
  observe(seconds: number): void {
    let at = 0
    while (at < durationBounds.length && seconds > durationBounds[at]) at++
    this.counts[at]++
    this.sum += seconds
  }
}
