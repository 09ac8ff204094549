// Calibration closes its circle: constants taken from a run whose server times are known give a simulation that meets that run's medians;
// the file that ships is one, and a simulated run says where its constants come from.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result } from "effect"
import { afterAll, assert, describe, it } from "vitest"
import { fidelityOf, type RunRecord } from "#reports"
import {
  type Calibration,
  calibrationOf,
  CalibrationUnusable,
  type Constants,
  shippedCalibration
} from "../../../scenarios/calibration/Calibration.ts"
import { constantsOf, corrected, workOf } from "../../../scenarios/calibration/Constants.ts"
import { parseScenario } from "../../../scenarios/ScenarioFile.ts"
import { quantileOfBuckets } from "../../../scenarios/targets/PlaneFacts.ts"
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
const crowd = clusterOf(text.replace("perSecond: 8 }", "perSecond: 80 }"))

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
  scheduler: { turnMs: 25, attemptMs: 2 }
}

describe("a calibration", () => {
  it("meets the run that it was taken from, whose times are known", async () => {
    const real = await live(known)
    let constants = constantsOf(real.cluster ?? assert.fail("no cluster"))
    const factors: Array<number> = []
    for (let round = 0; round < 3; round++) {
      const fidelity = fidelityOf([await live(constants)], [real])
      factors.push(fidelity.medianFactor)
      constants = corrected(constants, fidelity)
    }
    assert.isAtMost(Math.min(...factors), 1.3, factors.join(", "))
    const uncalibrated = fidelityOf([await live({ ...known, calls: {}, events: {} })], [real])
    assert.isAbove(uncalibrated.medianFactor, 2)
  })

  it("finds about how much work a write is from a crowd that waits for it", async () => {
    const bounded: Constants = { ...known, atOnce: 2 }
    const workMs = 9
    const real = await live({ ...bounded, workMs }, crowd)
    const found = await Effect.runPromise(
      workOf(bounded, (constants) =>
        Effect.map(
          Effect.promise(() => live(constants, crowd)),
          (simulated) => fidelityOf([simulated], [real])
        )
      )
    )
    assert.isAtLeast(found, workMs / 2)
    assert.isAtMost(found, workMs * 1.3)
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
