// The federation part of scenario files: what it decodes to, and how what it cannot be is refused, with line and column.
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { parseScenario } from "../../../scenarios/ScenarioFile.ts"

const good = `apiVersion: wharf/v1
kind: Scenario
name: sample
description: A sample
params: { members: 5 }
federation:
  members: { count: "\${members}" }
  placement: { clusters: 3, tolerated: 10s }
  steps:
    - { name: fill, kind: create, objects: 100, judged: false }
    - { name: paced, kind: create, objects: 50, perSecond: 25 }
    - { name: outage, kind: outage, members: 2 }
    - { name: waves, kind: rollout, waves: 2 }
    - { name: again, kind: restart }
slo:
  - { of: paced, metric: federation.p99, atMost: 1s }
  - { metric: federation.twice, atMost: 0 }
  - { metric: federation.memory, atMost: 1GiB }
`

describe("a federation scenario", () => {
  it("decodes with its defaults, units and parameters", () => {
    const parsed = parseScenario("sample.yaml", good, ["params.members=7"])
    if (Result.isFailure(parsed)) throw new Error(parsed.failure.message)
    const { federation, slo } = parsed.success.scenario
    assert.isDefined(federation)
    assert.deepStrictEqual(federation.members, { count: 7, nodes: 100, pods: 1000, latency: 0, podStart: 2000 })
    assert.include(federation.placement, { mode: "Divide", clusters: 3, replicas: 4, tolerated: 10_000, grace: 60_000 })
    assert.deepStrictEqual(federation.health, { probe: 2000, lostAfter: 4000, backAfter: 2000 })
    assert.include(federation, { rest: 3000, heap: 8 * 2 ** 30 })
    assert.deepInclude(federation.steps[0], { objects: 100, inFlight: 256, judged: false, limit: 300_000 })
    assert.include(slo[2], { atMost: 2 ** 30 })
  })

  // A part of the file, what stands there instead, and the one complaint: its line, its path and a part of its rule.
  const wrong: ReadonlyArray<readonly [from: string, to: string, line: number, path: string, rule: RegExp]> = [
    ["clusters: 3", "clusters: 6", 8, "federation.placement.clusters", /more than the 5 members/],
    ["tolerated: 10s", "tolerated: 1500ms", 8, "federation.placement.tolerated", /whole seconds/],
    ["members: 2 }", "members: 5 }", 12, "federation.steps[2].members", /less than the 5 members/],
    ["name: waves, kind", "name: fill, kind", 13, "federation.steps[3].name", /fill/],
    [
      "name: fill, kind: create, objects: 100",
      "name: fill, kind: restart",
      10,
      "federation.steps[0].kind",
      /needs a create/
    ],
    ["of: paced,", "of: outage,", 16, "slo[0].of", /step of kind create or rollout/],
    ["{ metric: federation.memory", "{ of: fill, metric: federation.memory", 18, "slo[2].of", /takes no name/],
    [
      "members: { count",
      "health: { lostAfter: 1s }\n  members: { count",
      7,
      "federation.health.lostAfter",
      /shorter than probe/
    ]
  ]
  it.each(wrong)("refuses %s → %s at line %i", (from, to, line, path, rule) => {
    assert.include(good, from)
    const parsed = parseScenario("sample.yaml", good.replace(from, to))
    assert(Result.isFailure(parsed), "expected the file to be refused")
    assert.lengthOf(parsed.failure.diagnostics, 1)
    const [first] = parsed.failure.diagnostics
    assert.deepStrictEqual([first.line, first.path], [line, path])
    assert.match(first.rule, rule)
  })

  it("stands alone, without a cluster or phases beside it, and its targets need it", () => {
    const refused = (text: string): string => {
      const parsed = parseScenario("sample.yaml", text)
      return Result.isFailure(parsed) ? parsed.failure.message : ""
    }
    assert.match(refused(`${good}cluster: { nodeGroups: [{ name: n, count: 1 }], duration: 1m }\n`), /run of its own/)
    const without = good.replace(/federation:\n[\s\S]*?slo:/, "slo:")
    assert.match(refused(without), /about a federation, and there is none/)
  })
})
