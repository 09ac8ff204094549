// The front part of scenario files: what it decodes to, and how what it cannot be is refused, with line and column.
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import type { ScenarioInvalid } from "../../../scenarios/Diagnostic.ts"
import { frontProblem } from "../../../scenarios/front/FrontRules.ts"
import type { Scenario } from "../../../scenarios/Scenario.ts"
import { parseScenario } from "../../../scenarios/ScenarioFile.ts"

const good = `apiVersion: wharf/v1
kind: Scenario
name: sample
description: A sample
params: { rate: 100 }
backends: [direct, nginx]
front:
  upstream: fixed
  limits:
    - { name: slow, user: noisy, qps: 10 }
  objects:
    - { name: objects, namespaces: 2, count: 10 }
  phases:
    - name: steady
      kind: measure
      watch:
        - { name: informers, watchers: 4, connections: 2 }
      events:
        - { kind: swap, every: 200ms }
      load:
        - name: clients
          clients: 3
          identity: { by: token, user: noisy, users: 2 }
          shape: { qpsLoad: { qps: "\${rate}" } }
          duration: 1s
          mix:
            - { op: get }
            - { op: list, limit: 5 }
slo:
  - { of: steady, metric: front.added.p50, atMost: 0.3 }
`

const accepted = (text: string, sets: ReadonlyArray<string> = []): Scenario => {
  const result = parseScenario("sample.yaml", text, sets)
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return result.success.scenario
}

const refused = (text: string): ScenarioInvalid => {
  const result = parseScenario("sample.yaml", text)
  assert(Result.isFailure(result), "expected the file to be refused")
  return result.failure
}

describe("a front scenario", () => {
  it("decodes with its defaults, units and parameters", () => {
    const { front } = accepted(good, ["rate=7"])
    assert.isDefined(front)
    assert.include(front, { upstream: "fixed", upstreams: 1, instances: 1 })
    assert.deepStrictEqual(front.fixed, { listItems: 100, delay: 0 })
    assert.deepStrictEqual(front.objects, [
      { name: "objects", resource: "configmaps", namespaces: 2, count: 10, bytes: 1024 }
    ])
    const [{ events, load, watch }] = front.phases
    assert.strictEqual(load[0].shape.qpsLoad?.qps, 7)
    assert.deepStrictEqual(load[0].identity, { by: "token", user: "noisy", users: 2, fresh: false })
    assert.include(load[0], { clients: 3, connections: 1, refusals: "errors", inFlightMax: 10_000, timeout: 30_000 })
    assert.include(load[0].mix[1], { op: "list", limit: 5, scope: "namespace", weight: 1, cached: false })
    assert.include(watch[0], { scope: "all", connections: 2 })
    assert.deepStrictEqual(events, [{ kind: "swap", at: 0, every: 200, of: "front", down: 0 }])
  })

  // A part of the file, what stands there instead, and the one complaint: its line, its path and a part of its rule.
  const wrong: ReadonlyArray<readonly [from: string, to: string, line: number, path: string, rule: RegExp]> = [
    ["upstream: fixed", "upstream: fixd", 8, "front.upstream", /one of fixed, apiserver, kube-apiserver/],
    ["[direct, nginx]", "[direct, ngnix]", 6, "backends[1]", /is not a front/],
    ["[direct, nginx]", "[direct, lmdb]", 6, "backends[1]", /is not a front/],
    ["[direct, nginx]", "[tenancy]", 6, "backends[0]", /needs tenants/],
    ["user: noisy, qps: 10", "user: nosy, qps: 10", 10, "front.limits[0].user", /no identity named nosy/],
    ["user: noisy, qps: 10", "user: noisy", 10, "front.limits[0]", /exactly one of qps and inFlight/],
    ["qps: 10", "qps: 10, burst: 5", 10, "front.limits[0].burst", /not be smaller than qps/],
    [
      "namespaces: 2, count: 10",
      "namespaces: 20, count: 10",
      12,
      "front.objects[0].namespaces",
      /more than the objects/
    ],
    ["upstream: fixed", "upstreams: 2", 17, "front.phases[0].watch", /one upstream's writes/],
    ["connections: 2", "connections: 5", 17, "front.phases[0].watch[0].connections", /more than the watchers/],
    ["every: 200ms", "every: 0ms", 19, "front.phases[0].events[0].every", /longer than 0ms/],
    [
      "kind: swap, every: 200ms",
      "kind: restart, of: limiter",
      19,
      "front.phases[0].events[0].of",
      /there is no limiter/
    ],
    ["duration: 1s", "timeout: 1s", 21, "front.phases[0].load[0]", /needs duration or actions/],
    ["users: 2 }", "users: 2, fresh: ja }", 23, "front.phases[0].load[0].identity.fresh", /true or false/],
    ["by: token, user", "fresh: true, user", 23, "front.phases[0].load[0].identity.fresh", /about tokens/],
    ["clients: 3", "tenant: 1", 22, "front.phases[0].load[0].tenant", /no tenants/],
    ["op: get", "op: gte", 27, "front.phases[0].load[0].mix[0].op", /one of get, list/],
    ["op: get", "op: get, objects: obects", 27, "front.phases[0].load[0].mix[0].objects", /no kind of objects named/],
    ["limit: 5", "limt: 5", 28, "front.phases[0].load[0].mix[1].limt", /not a known field/],
    ["of: steady", "of: stedy", 30, "slo[0].of", /no load, operation, watch or phase named stedy/],
    ["kind: measure", "kind: restart", 15, "front.phases[0].kind", /one of prepare, warmUp, measure, coolDown/],
    ["kind: measure", "kind: warmUp", 14, "front.phases", /at least one phase of kind measure/]
  ]
  it.each(wrong)("refuses %s → %s at line %i", (from, to, line, path, rule) => {
    assert.include(good, from)
    const { diagnostics } = refused(good.replace(from, to))
    assert.lengthOf(diagnostics, 1)
    const [first] = diagnostics
    assert.deepStrictEqual([first.line, first.path], [line, path])
    assert.isAbove(first.column, 0)
    assert.match(first.rule, rule)
  })

  it("names what is near", () => {
    const hints = (from: string, to: string) => refused(good.replace(from, to)).diagnostics.map(({ hint }) => hint)
    assert.deepStrictEqual(hints("[direct, nginx]", "[direct, ngnix]"), ['did you mean "nginx"?'])
    assert.deepStrictEqual(hints("user: noisy, qps", "user: nosy, qps"), ['did you mean "noisy"?'])
  })

  it("refuses a load on stores beside it, and its targets without it", () => {
    const phases = `phases:\n  - { name: x, kind: measure, load: [] }\n`
    assert.isTrue(refused(good + phases).diagnostics.some(({ path, rule }) => path === "phases" && /stores/.test(rule)))
    const without = good.slice(0, good.indexOf("front:")) + good.slice(good.indexOf("slo:"))
    assert.isTrue(
      refused(without).diagnostics.some(({ path, rule }) => path === "slo[0].metric" && /there is none/.test(rule))
    )
  })

  it("refuses fresh tokens, several upstreams and their restart where a real API stands behind", () => {
    const real = good
      .replace("upstream: fixed", "upstream: apiserver\n  upstreams: 2")
      .replace("[direct, nginx]", "[direct]")
    const fresh = real
      .replace("users: 2 }", "users: 2, fresh: true }")
      .replace("kind: swap, every: 200ms", "kind: restart, of: upstream")
    const rules = refused(fresh).diagnostics.map(({ rule }) => rule)
    assert.lengthOf(rules, 4)
    for (const part of [/stands more than once/, /knows a list/, /can be restarted/, /one upstream's writes/])
      assert.isTrue(
        rules.some((rule) => part.test(rule)),
        `${part.source} in ${rules.join("; ")}`
      )
  })

  it("gives tenants connections of their own, and stands tenancy before a real API only", () => {
    const tenants = good.replace("upstream: fixed", "tenants: { count: 3 }")
    const [first] = refused(tenants).diagnostics
    assert.match(first.rule, /tenants share no connection/)
    const { front } = accepted(good)
    assert.isDefined(front)
    assert.match(frontProblem("tenancy", { ...front, tenants: { count: 2 } })?.rule ?? "", /real API/)
    assert.isUndefined(frontProblem("tenancy", { ...front, upstream: "apiserver", tenants: { count: 2 } }))
  })
})
