import { assert, describe, it } from "@effect/vitest"
import { ExitCode, exitCodeMeaning, groupByBackend, makeReport, type RunRecord } from "../../reports/index.ts"
import { syntheticRecord, syntheticRuns } from "./SyntheticRecord.ts"

const short = { seconds: 3 } as const
const judged = (...records: ReadonlyArray<RunRecord>) => makeReport(groupByBackend(records)).judgement
const good = syntheticRecord(short)
const failed = good.slos.map((slo, index) => (index === 0 ? { ...slo, observed: 12, verdict: "fail" as const } : slo))
const lossy = good.operations.map((operation) => ({ ...operation, lost: 3, planned: operation.planned + 3 }))
const violation = { rule: "no lost write", text: "key /a acknowledged at revision 7 is gone" }

describe("exit codes", () => {
  it("are one stable table", () => {
    assert.deepStrictEqual(ExitCode, {
      pass: 0,
      usage: 1,
      timeout: 2,
      slo: 3,
      regression: 4,
      invalid: 5,
      correctness: 6
    })
    assert.deepStrictEqual(Object.keys(exitCodeMeaning), Object.keys(ExitCode))
  })
})

describe("judge", () => {
  it("passes a good run and answers the questions in order", () => {
    const { answers, exitCode, outcome } = judged(good)
    assert.strictEqual(outcome, "pass")
    assert.strictEqual(exitCode, 0)
    assert.deepStrictEqual(
      answers.map(({ answer, question }) => `${question} ${answer}`),
      ["Valid? Yes, 1 run", "Passed? Yes, 2 of 2 targets"]
    )
  })

  it("fails on a missed target, and on one for which nothing was measured", () => {
    assert.strictEqual(judged({ ...good, slos: failed }).exitCode, 3)
    const missing = good.slos.map((slo) => ({ ...slo, observed: null, verdict: "missing" as const }))
    assert.strictEqual(judged({ ...good, slos: missing }).exitCode, 3)
    assert.include(judged({ ...good, slos: missing }).answers[1].details.join(), "nothing was measured for p99 of get")
  })

  it("looks at validity before targets", () => {
    const { answers, exitCode } = judged({ ...good, operations: lossy, slos: failed })
    assert.strictEqual(exitCode, 5)
    assert.include(answers[0].details.join(), "planned calls were never sent or answered")
  })

  it("does not trust an impossible figure", () => {
    const impossible = good.operations.map((operation) => ({ ...operation, latency: { ...operation.latency, min: 0 } }))
    const { answers, exitCode } = judged({ ...good, operations: impossible })
    assert.strictEqual(exitCode, 5)
    assert.include(answers[0].answer, "impossible figure")
  })

  it("puts a broken promise above everything", () => {
    const { answers, exitCode } = judged({ ...good, operations: lossy, slos: failed, violations: [violation] })
    assert.strictEqual(exitCode, 6)
    assert.strictEqual(answers[0].question, "Correct?")
  })

  it("ends in a regression only when a difference was found, and only when asked to", () => {
    const slower = syntheticRuns(
      [
        { backend: "etcd", ...short },
        { backend: "lmdb", speed: 0.7, ...short }
      ],
      10
    )
    assert.strictEqual(judged(...slower).exitCode, 4)
    assert.strictEqual(makeReport(groupByBackend(slower), { failOnRegression: false }).judgement.exitCode, 0)
    assert.strictEqual(judged(...slower.slice(0, 8)).exitCode, 0)
    const reversed = makeReport(groupByBackend(slower), { baseline: "lmdb" }).judgement
    assert.match(reversed.answers.at(-1)?.answer ?? "", /^Mixed: 1\.4/, "faster, but with more memory")
  })

  it("does not hold the baseline's targets against the candidate", () => {
    const etcd = syntheticRecord({ backend: "etcd", seed: 2, ...short })
    assert.strictEqual(
      judged({ ...etcd, slos: failed }, { ...good, repeat: { ...good.repeat, position: 1 } }).exitCode,
      0
    )
  })
})
