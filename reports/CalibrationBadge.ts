// What every report of a simulated cluster says of its calibration: how old it is, where it comes from and how good it is.
// Owns these words and when a reader should worry; the shape is RecordedCalibration.ts's.
import type { Tone } from "./Judge.ts"
import type { RecordedCluster } from "./RecordedCluster.ts"

/** Kernels, programs and machines change: what is older than this says less. */
const OLD_DAYS = 90
/** What a good calibration reaches. */
const GOOD_FACTOR = 1.5

/** What is said of a simulated run's calibration, and how much it should worry a reader. */
export interface CalibrationBadge {
  readonly tone: Tone
  readonly text: string
}

const ageOf = (days: number): string => (days < 1 ? "today" : days < 2 ? "a day ago" : `${days} days ago`)

/** The badge of a simulated cluster's report. */
export const calibrationBadge = ({ calibration }: Pick<RecordedCluster, "calibration">): CalibrationBadge => {
  if (calibration === undefined)
    return { tone: "warn", text: "not calibrated: latencies come from the model's own constants" }
  const { ageDays, from, machine, medianFactor } = calibration
  const isGood = ageDays <= OLD_DAYS && medianFactor <= GOOD_FACTOR
  return {
    tone: isGood ? "good" : "warn",
    text: `calibrated ${ageOf(ageDays)} by ${from} on ${machine}; medians of that run met within ${medianFactor.toFixed(2)}×`
  }
}
