// Calibration closes its circle: constants taken from a run whose server times are known give a simulation that meets that run's medians;
// the file that ships is one, and a simulated run says where its constants come from.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { Result } from "effect"
import { afterAll, assert, describe, it } from "vitest"
import { fidelityOf, type RecordedCluster, type RunRecord } from "#reports"
import {
  type Calibration,
  calibrationOf,
  CalibrationUnusable,
  type Constants,
  shippedCalibration
} from "../../../scenarios/calibration/Calibration.ts"
import { constantsOf, corrected, kindOf, medianOfKind } from "../../../scenarios/calibration/Constants.ts"
import { busyMs, workOf } from "../../../scenarios/calibration/Work.ts"
import { parseScenario } from "../../../scenarios/ScenarioFile.ts"
import { attemptOf, bucketsOf, quantileOfBuckets } from "../../../scenarios/targets/PlaneFacts.ts"
import { simulatedWorld, WorldRun } from "../../../scenarios/world/WorldRun.ts"

const folder = mkdtempSync(join(tmpdir(), "wharf-calibration-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const text = `apiVersion: wharf/v1
kind: Scenario
name: circle
description: A small cluster whose server takes its time
cluster:
  duration: 25s
  nodeGroups: [{ name: node, count: 6 }]
  registerOver: 1s
  settle: 1s
  controllers: none
  checkers: []
  workloads: [{ name: web, kind: Pod, replicas: 80, at: 4s, perSecond: 8 }]
  requests:
    - { name: lists, verb: list, resource: pods, scope: cluster, perSecond: 4 }
    - { name: gets, verb: get, resource: nodes, perSecond: 10 }
  watchers: [{ name: informer, resource: pods, count: 3 }]
slo: [{ metric: pods.running, atLeast: 100 }]
`
const clusterOf = (yaml: string) => Result.getOrThrow(parseScenario("circle.yaml", yaml)).scenario.cluster
const cluster = clusterOf(text)
/** The same pods ten times as fast: more than a server of few places carries. */
const crowdText = text.replace("perSecond: 8 }", "perSecond: 80 }")
const crowd = clusterOf(crowdText)
/** About as fast as two processors carry. */
const busy = clusterOf(text.replace("perSecond: 8 }", "perSecond: 60 }"))
const watched = clusterOf(crowdText.replace("count: 3 }", "count: 12 }"))

const shipped = (): Calibration => {
  const found = calibrationOf(undefined, ".")
  if (found === undefined) throw new Error("none ships")
  return found
}

/** A run with these constants, as far as a fidelity comparison reads it. */
const live = async (constants: Constants, lived = cluster): Promise<RunRecord> => {
  if (lived === undefined) throw new Error("no cluster")
  const file = join(folder, "constants.json")
  writeFileSync(file, JSON.stringify({ ...shipped(), constants }))
  const command = {
    type: "run" as const,
    seed: 1,
    cluster: { ...lived, calibration: file },
    folder: ".",
    shrinkMs: 0
  }
  const { cluster: recorded } = await new WorldRun(command, () => undefined, simulatedWorld).run()
  // SAFETY: fidelityOf reads these two fields alone.
  return { scenario: { name: "circle" }, cluster: recorded } as unknown as RunRecord
}

/** As a real run is recorded, whose control plane makes its calls unseen. */
const unseen = ({ cluster: lived = assert.fail("no cluster"), ...record }: RunRecord): RunRecord => ({
  ...record,
  cluster: { ...lived, calls: lived.calls.filter(({ by }) => by === undefined) }
})

const time = (...ms: ReadonlyArray<number>) => ({ count: 100, ms })
/** Pods that a list of the run holds, roughly. */
const HELD = 60

/** A server that takes far longer than any default. */
const known: Constants = {
  network: { medianMs: 0.2, sigma: 0.1 },
  commit: { medianMs: 4, sigma: 0.1 },
  calls: {
    "create pods": time(10, 12, 14, 18, 25, 40, 60, 90, 100),
    "get *": time(2, 3, 4, 5, 6, 8, 9, 12, 20),
    "list *": { ...time(20, 25, 30, 45, 60, 80, 90, 120, 150), items: HELD },
    "create *": time(5, 6, 7, 8, 9, 12, 15, 20, 30),
    "update *": time(5, 6, 7, 8, 9, 12, 15, 20, 30),
    "patch *": time(5, 6, 7, 8, 9, 12, 15, 20, 30)
  },
  events: { "*": time(1, 2, 3, 4, 5, 8, 10, 20, 30) },
  scheduler: { turnMs: 0, attemptMs: 2 }
}

describe("a calibration", () => {
  it("meets the run that it was taken from, whose times are known", async () => {
    const real = unseen(await live(known))
    const lived = real.cluster ?? assert.fail("no cluster")
    let constants = constantsOf([lived])
    const factors: Array<number> = []
    for (let round = 0; round < 4; round++) {
      const simulated = await live(constants)
      factors.push(fidelityOf([simulated], [real]).medianFactor)
      constants = corrected(constants, [{ real: [lived], simulated: simulated.cluster ?? assert.fail("no cluster") }])
    }
    assert.isAtMost(Math.min(...factors), 1.3, factors.join(", "))
    const uncalibrated = fidelityOf([await live({ ...known, calls: {}, events: {} })], [real])
    assert.isAbove(uncalibrated.medianFactor, 2)
  })

  it("takes the waiting for one another out of times that were measured in a crowd", async () => {
    const bounded: Constants = { ...known, atOnce: 2, workShare: 0.5, eventMs: 0.05 }
    const real = unseen(await live(bounded, busy))
    const lived = real.cluster ?? assert.fail("no cluster")
    // It begins with what clients waited, which is more than the server takes by itself.
    let constants: Constants = { ...constantsOf([lived]), atOnce: 2, workShare: 0.5, eventMs: 0.05 }
    const medianOf = ({ calls }: Constants): number => medianOfKind(calls, "create pods", "create")
    assert.isAbove(medianOf(constants), 1.2 * medianOf(known))
    for (let round = 0; round < 5; round++) {
      const { cluster: simulated = assert.fail("no cluster") } = await live(constants, busy)
      constants = corrected(constants, [{ real: [lived], simulated }])
    }
    assert.isBelow(medianOf(constants), 1.1 * medianOf(known))
    const { rows } = fidelityOf([await live(constants, busy)], [real])
    const ratio = rows.find(({ label }) => label === "create pods p50")?.ratio ?? Number.NaN
    assert.closeTo(Math.log(ratio), 0, Math.log(1.5), `${ratio}, ${medianOf(constants)}`)
  })

  it("finds the work of calls and of watchers' events in the processor time of two crowds", async () => {
    const { cluster: few = assert.fail("no cluster") } = await live(known, crowd)
    const { cluster: many = assert.fail("no cluster") } = await live(known, watched)
    const eventsOf = ({ informers }: RecordedCluster): number =>
      informers.filter(({ resource }) => resource === "pods").reduce((sum, { lag }) => sum + lag.count, 0)
    const callsMs = few.calls
      .filter(({ resource, verb }) => /^(pods|events)\b/.test(resource) && verb !== "list")
      .reduce((sum, call) => sum + call.answered * medianOfKind(known.calls, kindOf(call), call.verb), 0)
    const amount = fc.double({ min: 0.01, max: 3, noNaN: true })
    fc.assert(
      fc.property(amount, amount, fc.double({ min: 0, max: 10, noNaN: true }), (workShare, eventMs, rest) => {
        const used = (cluster: RecordedCluster): RunRecord => {
          const busy = workShare * callsMs + eventMs * eventsOf(cluster)
          const cpuPercent = Array.from({ length: 25 }, (_, at) => rest + (at >= 8 && at < 18 ? busy / 100 : 0))
          const component = { atS: cpuPercent.map((_, at) => at + 1), cpuPercent }
          // SAFETY: workOf reads these fields alone.
          return { cluster, components: [component] } as unknown as RunRecord
        }
        assert.closeTo(busyMs(used(few)) ?? 0, workShare * callsMs + eventMs * eventsOf(few), 1)
        const found = workOf({ few: used(few), many: used(many) }, few, known) ?? assert.fail("no work")
        assert.closeTo(found.eventMs ?? 0, eventMs, eventMs / 100)
        assert.closeTo(found.workShare ?? 0, workShare, workShare / 100 + 0.001)
      })
    )
    // A machine without /proc tells nothing.
    const silent = { cluster: few, components: [] } as unknown as RunRecord
    assert.isUndefined(workOf({ few: silent, many: silent }, few, known))
  })

  it("ships, and every simulated run says where its constants come from", async () => {
    const { constants, quality } = shipped()
    assert.isNotEmpty(constants.calls)
    assert.isNotEmpty(constants.events)
    assert.isAbove(quality.medianFactor, 0)
    const { calibration, model } = (await live(known)).cluster ?? assert.fail("no cluster")
    assert.strictEqual(calibration?.measuredAt, shipped().measuredAt)
    assert.include(calibration?.constants.map(({ name }) => name) ?? [], "list *")
    assert.match(model.join(" "), /median of 0.2 ms/)
  })

  it("is refused with its file and the reason, and may be none", () => {
    assert.isUndefined(calibrationOf("none", "."))
    assert.throws(() => calibrationOf("missing.json", folder), CalibrationUnusable, "cannot be read")
    writeFileSync(join(folder, "other.json"), "{}")
    assert.throws(() => calibrationOf("other.json", folder), CalibrationUnusable, "is no calibration")
    assert.match(shippedCalibration, /calibration\.json$/)
  })
})

describe("a quantile of buckets", () => {
  it("lies evenly between the bounds around it", () => {
    const buckets = [
      [0.001, 10],
      [0.002, 30],
      [Number.POSITIVE_INFINITY, 40]
    ] as const
    assert.strictEqual(quantileOfBuckets(buckets, 0.5), 0.0015)
    assert.strictEqual(quantileOfBuckets(buckets, 0.9), 0.002)
    assert.isUndefined(quantileOfBuckets([], 0.5))
  })
})

describe("a scheduler's metrics", () => {
  const histogram = "scheduler_framework_extension_point_duration_seconds"
  const series = (point: string, counts: ReadonlyArray<readonly [string, number]>): string =>
    counts
      .map(
        ([bound, count]) =>
          `${histogram}_bucket{extension_point="${point}",profile="default-scheduler",status="Success",le="${bound}"} ${count}`
      )
      .join("\n")
  const text = [
    series("Filter", [
      ["0.0001", 0],
      ["0.0002", 10],
      ["+Inf", 10]
    ]),
    series("Score", [
      ["0.0001", 10],
      ["0.0002", 10],
      ["+Inf", 10]
    ]),
    // What follows the attempt is the call that binds.
    series("Bind", [
      ["0.0001", 0],
      ["0.0002", 0],
      ["+Inf", 10]
    ])
  ].join("\n")

  it("tell how long it thinks about a pod, without the call that binds it", () => {
    assert.closeTo(attemptOf(text) ?? 0, 0.00015 + 0.00005, 1e-9)
    assert.isUndefined(attemptOf(""))
  })

  it("are read by their bounds, whatever other labels look like them", () => {
    assert.deepStrictEqual(bucketsOf(text, histogram, /"Filter"/), [
      [0.0001, 0],
      [0.0002, 10],
      [Number.POSITIVE_INFINITY, 10]
    ])
  })
})
