// The bootstrap interval of a ratio or a difference of medians, resampled by run: runs are drawn first and seconds within a drawn run
// after that, because requests and seconds of one run share that run's luck.
// Owns the resampling. Seeded, so the same records give the same interval.
import { seededRandom } from "./SeededRandom.ts"
import { mean, median, quantileOfSorted } from "./Statistics.ts"

/** One run's number and, where there are any, the samples inside the run that average to it. */
export interface RunSample {
  readonly value: number
  readonly within: ReadonlyArray<number>
}

/** median(b) / median(a) with its interval. */
export interface RatioInterval {
  readonly ratio: number
  readonly low: number
  readonly high: number
}

/** How to resample. `confidence` is 0 to 1; `resamples` bounds the work. */
export interface BootstrapOptions {
  readonly seed: number
  readonly resamples: number
  readonly confidence: number
}

/** Percentile interval of median(b) / median(a); NaN bounds below two runs a side, which say nothing of their scatter. */
export const ratioOfMedians = (
  a: ReadonlyArray<RunSample>,
  b: ReadonlyArray<RunSample>,
  options: BootstrapOptions
): RatioInterval => {
  const { high, low, value } = ofMedians(a, b, options, (left, right) => right / left)
  return { ratio: value, low, high }
}

/** median(b) − median(a) with its interval. */
export interface DifferenceInterval {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** Percentile interval of median(b) − median(a); NaN bounds below two runs a side. */
export const differenceOfMedians = (
  a: ReadonlyArray<RunSample>,
  b: ReadonlyArray<RunSample>,
  options: BootstrapOptions
): DifferenceInterval => ofMedians(a, b, options, (left, right) => right - left)

const ofMedians = (
  a: ReadonlyArray<RunSample>,
  b: ReadonlyArray<RunSample>,
  options: BootstrapOptions,
  combine: (left: number, right: number) => number
): DifferenceInterval => {
  const value = combine(median(a.map((run) => run.value)), median(b.map((run) => run.value)))
  if (a.length < 2 || b.length < 2) return { value, low: Number.NaN, high: Number.NaN }
  const random = seededRandom(options.seed)
  const [left, right] = [a.map(scaled), b.map(scaled)]
  const drawn = new Float64Array(options.resamples)
  for (let round = 0; round < options.resamples; round++) {
    // The right side is drawn first, as it always was: the same records keep their interval.
    const upper = resampledMedian(right, random)
    drawn[round] = combine(resampledMedian(left, random), upper)
  }
  drawn.sort()
  const tail = (1 - options.confidence) / 2
  return { value, low: quantileOfSorted(drawn, tail), high: quantileOfSorted(drawn, 1 - tail) }
}

// A run's samples may average to slightly more or less than its number (seconds cut off at a phase's edges); they are
// scaled so that resampling varies around the number that is reported.
const scaled = (run: RunSample): ReadonlyArray<number> => {
  const centre = mean(run.within)
  return run.within.length > 1 && centre > 0 ? run.within.map((sample) => (sample * run.value) / centre) : [run.value]
}

const resampledMedian = (runs: ReadonlyArray<ReadonlyArray<number>>, random: () => number): number => {
  const drawn = new Float64Array(runs.length)
  for (let index = 0; index < runs.length; index++) {
    const within = runs[Math.floor(random() * runs.length)] ?? []
    let sum = 0
    for (let pick = 0; pick < within.length; pick++) sum += within[Math.floor(random() * within.length)] ?? 0
    drawn[index] = sum / within.length
  }
  return quantileOfSorted(drawn.sort(), 0.5)
}
