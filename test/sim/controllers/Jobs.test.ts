// Jobs in virtual time: whatever their pods do and however often the controller is killed, what is counted is exact.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { IndexSet } from "../../../sim/controllers/batch/IndexSet.ts"
import { counts, type JobCase, jobCases, type JobRecord, type PodRecord, runJobCase } from "./JobWorld.ts"
import { runSeed } from "../../Seed.ts"

const seed = runSeed()
const numRuns = Number(process.env["JOB_RUNS"] ?? 120)

interface Status {
  readonly succeeded?: number
  readonly failed?: number
  readonly active?: number
  readonly ready?: number
  readonly terminating?: number
  readonly completedIndexes?: string
  readonly failedIndexes?: string
  readonly uncountedTerminatedPods?: object
  readonly conditions?: ReadonlyArray<{ readonly type: string; readonly reason: string; readonly status: string }>
}

const statusOf = ({ job }: JobRecord): Status => (job.status ?? {}) as Status
const ends = (record: JobRecord): ReadonlyArray<string> =>
  (statusOf(record).conditions ?? []).filter(({ status }) => status === "True").map(({ type }) => type)

const succeeded = ({ phase }: PodRecord): boolean => phase === "Succeeded"

/** Every success is counted, once; of indexes every one that succeeded, once. */
const successesAreExact = (one: JobCase, record: JobRecord): void => {
  const status = statusOf(record)
  // A controller that sees late counts what it saw, not what a pod has done since.
  if (one.lagMs > 0) {
    if (!one.isIndexed) assert.strictEqual(status.succeeded ?? 0, record.succeededUids.size, "succeeded pods by uid")
    return
  }
  const pods = record.pods.filter((pod) => succeeded(pod) && !pod.released)
  if (!one.isIndexed) {
    assert.strictEqual(status.succeeded ?? 0, pods.length, "succeeded")
    return
  }
  const indexes = new Set(pods.map(({ index }) => index))
  if (one.restarts.length === 0) assert.strictEqual(indexes.size, pods.length, "an index succeeded twice")
  assert.strictEqual(status.completedIndexes ?? "", IndexSet.of(indexes).toString(), "completed indexes")
  assert.strictEqual(status.succeeded ?? 0, indexes.size, "succeeded")
}

/** Every pod that ended otherwise, or had to go, is counted as failed, once; those that were surplus are not. */
const failuresAreExact = (one: JobCase, record: JobRecord): void => {
  const failed = record.pods.filter(
    (pod) => !succeeded(pod) && !pod.released && (pod.endedMs ?? pod.deletedMs) !== undefined
  )
  const counted = failed.filter(({ code, phase }) => phase !== "Failed" || counts(one, code))
  assert.strictEqual(statusOf(record).failed ?? 0, record.failedUids.size, "failed pods by uid")
  if (one.lagMs === 0) assert.strictEqual(record.failedUids.size, counted.length, "failed")
  for (const uid of record.failedUids) assert.isFalse(record.succeededUids.has(uid), "both failed and succeeded")
}

const isSettled = (one: JobCase, record: JobRecord): void => {
  const status = statusOf(record)
  const over = ends(record).filter((type) => type === "Complete" || type === "Failed")
  assert.isAtMost(over.length, 1)
  if (over.length === 0) return
  assert.includeMembers([...ends(record)], [over[0] === "Complete" ? "SuccessCriteriaMet" : "FailureTarget"])
  assert.deepStrictEqual(status.uncountedTerminatedPods, {})
  assert.deepInclude(status, { ready: 0, terminating: 0 })
  assert.isUndefined(status.active)
  for (const pod of record.pods) assert.isFalse(pod.held, `${pod.name} still holds its finalizer`)
}

const limitsHold = (one: JobCase, record: JobRecord): void => {
  const { completions, parallelism } = one
  // Of a controller that is killed, what it had asked for already may still be made, beside what the next one asks for.
  const wanted = Math.min(parallelism, completions ?? parallelism)
  assert.isAtMost(record.mostActive, wanted * (1 + one.restarts.length))
  const status = statusOf(record)
  const end = (status.conditions ?? []).find(({ type }) => type === "Complete" || type === "Failed")
  if (end?.type === "Complete") {
    if (completions !== undefined && one.restarts.length === 0) assert.strictEqual(status.succeeded, completions)
    else assert.isAtLeast(status.succeeded ?? 0, completions ?? 1)
    if (one.perIndex === undefined) assert.isAtMost(status.failed ?? 0, one.backoffLimit)
    else assert.strictEqual(status.failedIndexes ?? "", "")
  }
  if (end?.reason === "BackoffLimitExceeded") assert.isAbove(status.failed ?? 0, one.backoffLimit)
  if (end?.reason === "FailedIndexes" || end?.reason === "MaxFailedIndexesExceeded") {
    assert.isAbove(
      IndexSet.parse(status.failedIndexes ?? "", 100).size,
      end.reason === "FailedIndexes" ? 0 : (one.maxFailedIndexes ?? 0)
    )
  }
  const hangs = one.hangs > 0 || (one.policy && one.fails > 0)
  if (end === undefined && !hangs) assert.fail("the job never ends")
}

/** A Job of one pod at a time waits longer after each failure in a row. What the controller knew is gone with it, so only without restarts. */
const backoffHolds = (one: JobCase, record: JobRecord): void => {
  if (one.parallelism !== 1 || one.restarts.length > 0 || one.perIndex !== undefined) return
  if (one.deleted > 0 || one.lagMs > 0) return
  let inRow = 0
  let last: PodRecord | undefined
  for (const pod of record.pods.toSorted((a, b) => a.createdMs - b.createdMs)) {
    const wait = inRow === 0 ? 0 : Math.min(600_000, 10_000 * 2 ** (inRow - 1))
    // Times of ends are written in whole seconds.
    if (last?.endedMs !== undefined) assert.isAtLeast(pod.createdMs - last.endedMs, wait - 1000)
    if (pod.phase === "Failed" && counts(one, pod.code)) inRow++
    else if (succeeded(pod)) inRow = 0
    // An ignored failure still makes the Job wait.
    else if (pod.phase === "Failed") inRow++
    last = pod
  }
}

describe(`random Jobs (SEED=${seed})`, () => {
  it(`count exactly, stay within their limits and leave nothing behind, ${numRuns} of them`, () => {
    const reasons = new Map<string, number>()
    fc.assert(
      fc.property(jobCases, (one) => {
        const record = runJobCase(one)
        const end = (statusOf(record).conditions ?? []).find(({ type }) => type === "Complete" || type === "Failed")
        reasons.set(end?.reason ?? "goes on", (reasons.get(end?.reason ?? "goes on") ?? 0) + 1)
        isSettled(one, record)
        limitsHold(one, record)
        successesAreExact(one, record)
        failuresAreExact(one, record)
        backoffHolds(one, record)
      }),
      { seed, numRuns }
    )
    if (process.env["JOB_RUNS"] !== undefined) process.stderr.write(`${JSON.stringify([...reasons])}\n`)
    assert.isAtLeast(reasons.size, 3, "the cases are all alike")
  })

  it("end the same, event for event, from the same seed", () => {
    const [one] = fc.sample(
      jobCases.filter(({ fails, restarts }) => fails > 0 && restarts.length > 0),
      { seed, numRuns: 1 }
    )
    assert.isDefined(one)
    const [first, second] = [runJobCase(one), runJobCase(one)]
    assert.strictEqual(first.hash, second.hash)
    assert.deepStrictEqual(first.job, second.job)
    assert.notStrictEqual(runJobCase({ ...one, seed: one.seed + 1 }).hash, first.hash)
  })
})
