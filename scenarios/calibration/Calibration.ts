// The constants of a simulation as one file: how long a real API server, its store, its watches and its scheduler took, with the run that
// they came from, its date and machine, and how near a simulation with them came to that run.
// Owns the file's shape and finding it; measuring is Constants.ts's. What a scenario says itself (network, disk) goes before it.
import { type RecordedCalibration, Machine } from "#reports"
import { type Latency, type MeasuredList, quantileShares } from "#sim"
import { Option, Schema } from "effect"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { packageRoot } from "../PackageRoot.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const points = quantileShares.length

/** A measured time: its values in ms at the shares 0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99 and 1. */
export const MeasuredTime = Schema.Struct({
  count: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  /** Of lists: objects in an answer, on average. */
  items: Schema.optionalKey(Amount.check(Schema.isGreaterThan(0))),
  ms: Schema.Array(Amount).check(Schema.isMinLength(points), Schema.isMaxLength(points))
})
export type MeasuredTime = typeof MeasuredTime.Type

const Times = Schema.Record(Schema.String, MeasuredTime)

/** The constants. Times of calls are the server's own: what the way and the store's commit take is not in them. */
export const Constants = Schema.Struct({
  network: Schema.Struct({ medianMs: Amount, sigma: Amount }),
  commit: Schema.Struct({ medianMs: Amount, sigma: Amount }),
  calls: Times,
  events: Times,
  /** Processors of the control plane; absent where their use was not measured. */
  atOnce: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1024 }))),
  /** How long a call keeps one of them busy, over all programs that it makes work, for each ms that it takes at the median. */
  workShare: Schema.optionalKey(Amount),
  /** The same of telling one watcher of one change, in ms. */
  eventMs: Schema.optionalKey(Amount),
  scheduler: Schema.Struct({ turnMs: Amount, attemptMs: Amount })
})
export type Constants = typeof Constants.Type

/** The file. */
export const Calibration = Schema.Struct({
  schema: Schema.Literal("kubewharf/calibration"),
  schemaVersion: Schema.Literal(1),
  measuredAt: Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/)),
  command: Schema.String,
  from: Schema.Struct({
    scenario: Schema.NonEmptyString,
    scenarioHash: Schema.NonEmptyString,
    seed: Schema.Int,
    target: Schema.Literals(["process", "kind", "kubeconfig"]),
    store: Schema.NonEmptyString,
    server: Schema.String
  }),
  machine: Machine,
  constants: Constants,
  quality: Schema.Struct({ medianFactor: Amount, factor: Amount })
})
export type Calibration = typeof Calibration.Type

/** A calibration cannot be read; says why. */
export class CalibrationUnusable extends Schema.TaggedError<CalibrationUnusable>()("CalibrationUnusable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `calibration ${this.file}: ${this.reason}`
  }
}

const Text = Schema.fromJsonString(Calibration)

/** The calibration that ships with this package. */
export const shippedCalibration = join(packageRoot, "scenarios", "calibration.json")

/** In a scenario: no calibration. */
export const NO_CALIBRATION = "none"

/** Reads the calibration that a scenario names, or the shipped one; undefined where it wants none. Throws CalibrationUnusable. */
export const calibrationOf = (name: string | undefined, folder: string): Calibration | undefined => {
  if (name === NO_CALIBRATION) return undefined
  const file = name === undefined ? shippedCalibration : resolve(folder, name)
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch {
    throw new CalibrationUnusable({ file, reason: "cannot be read; wharf calibrate makes one" })
  }
  const decoded = Schema.decodeUnknownOption(Text)(text)
  if (Option.isNone(decoded))
    throw new CalibrationUnusable({ file, reason: "is no calibration; wharf calibrate makes one" })
  return decoded.value
}

/** Measured times as the simulator draws them. */
export const latenciesOf = (times: typeof Times.Type): Readonly<Record<string, Latency>> =>
  Object.fromEntries(Object.entries(times).map(([name, { ms }]) => [name, { kind: "quantiles", ms }]))

const MEDIAN = quantileShares.indexOf(0.5)

/**
 * What of a measured list's time depends on its length: all that it took longer than reading one object of its resource, which passes
 * through the same handlers.
 */
export const listsOf = (calls: typeof Times.Type): Readonly<Record<string, MeasuredList>> =>
  Object.fromEntries(
    Object.entries(calls).flatMap(([name, { items, ms }]) => {
      if (items === undefined) return []
      const one = calls[name.replace("list", "get").replace(/ \(\w+\)$/, "")] ?? calls["get *"]
      const fixedShare = one === undefined ? 1 : Math.min(1, one.ms[MEDIAN] / Math.max(ms[MEDIAN], Number.MIN_VALUE))
      return [[name, { items, fixedShare }] as const]
    })
  )

const DAY_MS = 86_400_000
const LATE = quantileShares.indexOf(0.99)

const constant = (name: string, { count, ms }: MeasuredTime) => ({ name, count, p50Ms: ms[MEDIAN], p99Ms: ms[LATE] })

/** What a run's record says of the calibration that it was made with. */
export const recordedCalibration = (
  { constants, from, machine, measuredAt, quality }: Calibration,
  nowMs: number
): RecordedCalibration => {
  const { calls, commit, eventMs, events, network, scheduler } = constants
  const plain = (name: string, ms: number) => ({ name, count: 1, p50Ms: ms, p99Ms: ms })
  return {
    measuredAt,
    ageDays: Math.floor(Math.max(0, nowMs - Date.parse(measuredAt)) / DAY_MS),
    from: `${from.scenario} on target ${from.target} (${from.store}, kube-apiserver ${from.server}, seed ${from.seed})`,
    machine: `${machine.cores} × ${machine.cpuModel}`,
    ...quality,
    constants: [
      plain("the way to the server", network.medianMs),
      plain("store commit", commit.medianMs),
      plain("scheduler, until it attempts a pod", scheduler.turnMs),
      plain("scheduler, one attempt", scheduler.attemptMs),
      ...(eventMs === undefined ? [] : [plain("work of telling one watcher of one change", eventMs)]),
      ...Object.entries(calls).map(([name, time]) => constant(name, time)),
      ...Object.entries(events).map(([name, time]) => constant(`watch ${name}`, time))
    ]
  }
}
