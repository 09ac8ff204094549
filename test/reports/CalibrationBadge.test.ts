// The badge of a simulated report: silent worry about what is old or was never good, said in words on every rendering.
import { assert, it } from "vitest"
import type { RecordedCalibration } from "#reports"
import { calibrationBadge } from "../../reports/CalibrationBadge.ts"

const calibration: RecordedCalibration = {
  measuredAt: "2026-11-28T15:00:00.000Z",
  ageDays: 3,
  from: "calibrate on target process (lmdb 0.1.0, kube-apiserver v1.37.2, seed 1)",
  machine: "2 × EPYC",
  medianFactor: 1.21,
  factor: 4,
  constants: []
}

it("says how old, where from and how good", () => {
  const { text, tone } = calibrationBadge({ calibration })
  assert.strictEqual(tone, "good")
  assert.match(text, /^calibrated 3 days ago by calibrate on target process .* on 2 × EPYC; .* within 1\.21×$/)
})

it("worries about what is old, was never good, or is not there", () => {
  assert.strictEqual(calibrationBadge({ calibration: { ...calibration, ageDays: 91 } }).tone, "warn")
  assert.strictEqual(calibrationBadge({ calibration: { ...calibration, medianFactor: 1.51 } }).tone, "warn")
  const none = calibrationBadge({})
  assert.strictEqual(none.tone, "warn")
  assert.match(none.text, /^not calibrated/)
})
