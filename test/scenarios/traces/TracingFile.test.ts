// The tracing part of scenario files: how what it cannot be is refused, with the field's path; what a pace comes to; and that no batch of a
// generated stream repeats an event.
import { eventListFacts, ingestSetting } from "#tracing"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { parseScenario } from "../../../scenarios/ScenarioFile.ts"
import { auditPool } from "../../../scenarios/traces/load/AuditPool.ts"

const good = `apiVersion: wharf/v1
kind: Scenario
name: sample
description: A sample
tracing:
  spans: 100
  longTrace: 50
  phases:
    - name: first
      kind: measure
      load:
        - { name: a, shape: { parallelismLimitedLoad: { parallelismLimit: 4 } }, actions: 1, mix: [{ op: audit }] }
    - name: second
      kind: measure
      load:
        - { name: b, pace: { of: first, part: 0.5 }, duration: 1s, mix: [{ op: search, query: object }, { op: trace }] }
slo: [{ of: second, metric: latency.p99, atMost: 1s }]
`

const problemsOf = (text: string): string => {
  const result = parseScenario("sample.yaml", text)
  return Result.isFailure(result) ? result.failure.message : ""
}

describe("a tracing scenario", () => {
  it("is taken", () => assert.strictEqual(problemsOf(good), ""))

  it.each([
    ["pace: { of: first,", "pace: { of: third,", "tracing.phases[1].load[0].pace.of"],
    ["pace: { of: first, part: 0.5 }, ", "", "needs exactly one of shape and pace"],
    ["actions: 1, ", "", "would never end"],
    ["parallelismLimit: 4", "parallelismLimit: 49", "at most 48"],
    ["longTrace: 50", "batchless: 50", "batchless"],
    ["  longTrace: 50\n", "", "needs tracing.longTrace"],
    ["  spans: 100\n", "", "needs tracing.spans"],
    ["spans: 100", "spans: 100\n  stream: { source: full, file: a.log }", "is about the source recorded"],
    ["name: second", "name: first", "first"],
    ["kind: measure", "kind: warmUp", ""],
    ["slo: [{ of: second, metric: latency.p99", "slo: [{ of: third, metric: latency.p99", "third"],
    ["tracing:", "phases: []\nkeySpaces: []\ntracing:", ""]
  ])("with %s in place of %s is refused, or taken, as it should be", (from, to, message) => {
    const told = problemsOf(good.replace(from, to))
    if (message === "") assert.strictEqual(told, "")
    else assert.include(told, message)
  })
})

describe("a generated stream", () => {
  it.each(["full", "lean"] as const)(
    "%s: holds events that are read, each another one, also when it has gone round",
    (source) => {
      const pool = auditPool({ source, batch: 3, every: 0.05 }, 1_795_651_200_000_000)
      const setting = ingestSetting({}, 1800)
      const ids = new Set<string>()
      let events = 0
      for (let turn = 0; turn < 120; turn++) {
        const { body, events: told } = pool.next()
        const { events: read, facts } = eventListFacts("prod", body, setting, () => {})
        assert.strictEqual(read, told)
        events += read
        for (const { id, kind } of facts) if (kind === "audit" || kind === "snapshot") ids.add(id)
      }
      assert.strictEqual(ids.size, events * 2)
      assert.isTrue(source === "full" ? pool.eventBytes > 6000 : pool.eventBytes < 3500, `${pool.eventBytes}`)
    }
  )
})

it("sends a recorded log round after round, each as another cluster's", () => {
  const pool = auditPool({ source: "recorded", batch: 400, every: 0.05 }, 0)
  const setting = ingestSetting({}, 1800)
  const first = pool.next()
  const clusters = new Set<string>()
  let [events, facts] = [0, 0]
  for (let batch = first; !clusters.has("recorded-1"); batch = pool.next()) {
    const cluster = batch.path.replace("/audit/", "")
    clusters.add(cluster)
    if (cluster !== "recorded-0") break
    const read = eventListFacts(cluster, batch.body, setting, () => {})
    assert.strictEqual(read.events, batch.events)
    events += read.events
    facts += read.facts.length
  }
  assert.deepStrictEqual([...clusters], ["recorded-0", "recorded-1"])
  assert.isAbove(events, 1000)
  assert.isAbove(facts, events)
})
