// Latency histograms: recording in the load generator's hot loop, merging runs, percentiles, and the form they take in
// a run record.
// Owns the choice of precision: 3 significant digits from 1 µs to 1 hour in 32-bit buckets (93 KiB, about 45 ns per
// recorded value; packed buckets cost six times as much). Knows nothing of operations, phases or verdicts.
import type { Histogram } from "hdr-histogram-js"
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from "hdr-histogram-js"
import type { RecordedHistogram } from "./RecordedLoad.ts"

/** One hour in microseconds; longer values are counted as this one. */
export const highestLatencyUs = 3_600_000_000

const bitBucketSize = 32

/** A point of a latency curve: the share of answers (0 to 100) that took at most `us` microseconds. */
export interface CurvePoint {
  readonly percentile: number
  readonly us: number
}

/** Percentiles at which curves are drawn: evenly spaced on a logarithmic axis of the share above, up to p99.99. */
export const curvePercentiles: ReadonlyArray<number> = [
  ...Array.from({ length: 96 }, (_, step) => 100 * (1 - 10 ** (-step / 24))),
  99.99
]

/** A histogram of microseconds. Synchronous and allocation-free while recording. */
export class Latency {
  readonly #histogram: Histogram

  constructor(histogram?: Histogram) {
    this.#histogram =
      histogram ??
      build({
        bitBucketSize,
        autoResize: false,
        lowestDiscernibleValue: 1,
        highestTrackableValue: highestLatencyUs,
        numberOfSignificantValueDigits: 3
      })
  }

  /** Reads back what `toRecorded` wrote. Throws on text that is not a V2 histogram. */
  static fromRecorded(recorded: RecordedHistogram): Latency {
    return recorded.count === 0 ? new Latency() : new Latency(decodeFromCompressedBase64(recorded.data, bitBucketSize))
  }

  /** All values of all the given histograms. */
  static merge(parts: Iterable<RecordedHistogram>): Latency {
    const all = new Latency()
    for (const part of parts) if (part.count > 0) all.add(Latency.fromRecorded(part))
    return all
  }

  /** Counts one value in microseconds. Below zero (a clock that went back) counts as zero, above an hour as an hour. */
  record(us: number): void {
    this.#histogram.recordValue(us > highestLatencyUs ? highestLatencyUs : us > 0 ? Math.round(us) : 0)
  }

  add(other: Latency): void {
    this.#histogram.add(other.#histogram)
  }

  reset(): void {
    this.#histogram.reset()
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  /** Microseconds; null when nothing was recorded, as for `min`, `max` and `percentile`. */
  get mean(): number | null {
    // Buckets count with their middle, which of a few values may lie above the highest that was really seen.
    return this.count === 0 ? null : Math.min(this.#histogram.maxValue, this.#histogram.mean)
  }

  get min(): number | null {
    return this.percentile(0)
  }

  get max(): number | null {
    return this.count === 0 ? null : this.#histogram.maxValue
  }

  /** The value, in microseconds, that `percentile` per cent of all values do not exceed. */
  percentile(percentile: number): number | null {
    // A bucket answers with its upper edge, which may lie above the highest value that was really seen.
    return this.count === 0
      ? null
      : Math.min(this.#histogram.maxValue, this.#histogram.getValueAtPercentile(percentile))
  }

  /** The latency curve up to the highest percentile that the number of samples supports, at most p99.99. */
  curve(): ReadonlyArray<CurvePoint> {
    const finest = 100 * (1 - 1 / Math.max(1, this.count))
    return curvePercentiles.flatMap((percentile) => {
      const us = percentile <= finest ? this.percentile(percentile) : null
      return us === null ? [] : [{ percentile, us }]
    })
  }

  /** The form that stands in a run record. */
  toRecorded(): RecordedHistogram {
    return {
      unit: "us",
      encoding: "hdr-v2-deflate-base64",
      data: this.count === 0 ? "" : encodeIntoCompressedBase64(this.#histogram),
      count: this.count,
      min: this.min,
      mean: this.mean,
      p50: this.percentile(50),
      p90: this.percentile(90),
      p99: this.percentile(99),
      p999: this.percentile(99.9),
      p9999: this.percentile(99.99),
      max: this.max
    }
  }
}
