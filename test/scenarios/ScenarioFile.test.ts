import { Result } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { ScenarioInvalid } from "../../scenarios/Diagnostic.ts"
import type { Scenario } from "../../scenarios/Scenario.ts"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"
import { distance, nearest } from "../../scenarios/Suggest.ts"

const good = `apiVersion: wharf/v1
kind: Scenario
name: sample
description: A sample
params:
  seconds: 10s
  rate: 100
keySpaces:
  - name: objects
    prefix: /registry/pods/
    keyBytes: 70
phases:
  - name: writes
    kind: measure
    load:
      - name: create
        shape:
          qpsLoad: { qps: "\${rate}" }
        duration: \${seconds}
        mix:
          - { op: create, value: 1KiB }
slo:
  - { of: create, metric: latency.p99, atMost: 100ms }
`

const accepted = (text: string, sets: ReadonlyArray<string> = []): Scenario => {
  const result = parseScenario("sample.yaml", text, sets)
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return result.success.scenario
}

const refused = (text: string, sets: ReadonlyArray<string> = []): ScenarioInvalid => {
  const result = parseScenario("sample.yaml", text, sets)
  assert(Result.isFailure(result), "expected the file to be refused")
  return result.failure
}

const only = (text: string, sets: ReadonlyArray<string> = []) => {
  const { diagnostics } = refused(text, sets)
  assert.lengthOf(diagnostics, 1)
  return diagnostics[0]
}

describe("a scenario file", () => {
  it("decodes with its defaults, units and parameters", () => {
    const scenario = accepted(good)
    assert.strictEqual(scenario.seed, 1)
    assert.deepStrictEqual(scenario.backends, ["lmdb"])
    assert.strictEqual(scenario.server.quotaBytes, 8 * 1024 ** 3)
    const load = scenario.phases[0].load[0]
    assert.strictEqual(load.duration, 10_000)
    assert.strictEqual(load.shape.qpsLoad?.qps, 100)
    assert.strictEqual(load.mix[0].value, 1024)
    assert.strictEqual(scenario.slo[0].atMost, 100)
  })

  it("takes overrides by path, by an item's name, by index and by a parameter's bare name", () => {
    const scenario = accepted(good, [
      "rate=7",
      "params.seconds=3s",
      "phases.writes.load.create.connections=9",
      "repeats=4"
    ])
    const load = scenario.phases[0].load[0]
    assert.strictEqual(load.shape.qpsLoad?.qps, 7)
    assert.strictEqual(load.duration, 3000)
    assert.strictEqual(load.connections, 9)
    assert.strictEqual(scenario.repeats, 4)
    assert.strictEqual(accepted(good, ["phases.0.load.0.connections=5"]).phases[0].load[0].connections, 5)
  })

  it("has the same hash whatever is set, and however its mappings are ordered", () => {
    const hash = (text: string, sets: ReadonlyArray<string> = []) =>
      Result.getOrThrow(parseScenario("x", text, sets)).hash
    assert.strictEqual(hash(good, ["seed=5"]), hash(good))
    assert.strictEqual(
      hash(good.replace("kind: Scenario\nname: sample\n", "name: sample\nkind: Scenario\n")),
      hash(good)
    )
    assert.notStrictEqual(hash(good.replace("A sample", "Another")), hash(good))
  })
})

describe("what is wrong is said where it stands", () => {
  it("a parameter that is set and not declared: its name, and the nearest that is", () => {
    assert.include(only(good, ["params.secnds=3s"]), {
      path: "--set params.secnds",
      rule: "parameter secnds is not declared under params",
      hint: "did you mean seconds?"
    })
  })

  it("an unknown field: its key's place and the nearest known name", () => {
    const diagnostic = only(good.replace("duration:", "duraton:").replace("qpsLoad: {", "qpsLoad: {"))
    assert.include(diagnostic, {
      line: 19,
      column: 9,
      path: "phases[0].load[0].duraton",
      hint: 'did you mean "duration"?'
    })
  })

  it("a wrong value: the value's place, the rule and the value's kind", () => {
    assert.include(only(good.replace('qps: "${rate}"', "qps: fast")), {
      line: 18,
      column: 27,
      path: "phases[0].load[0].shape.qpsLoad.qps",
      rule: "must be a number, not a string"
    })
    assert.include(only(good.replace("keyBytes: 70", "keyBytes: 7.5")), { line: 11, column: 15 })
  })

  it("a literal that is nearly right", () => {
    const diagnostic = only(good.replace("op: create", "op: crate"))
    assert.include(diagnostic, { line: 21, path: "phases[0].load[0].mix[0].op", hint: 'did you mean "create"?' })
    assert.match(diagnostic.rule, /^must be one of create, update,/)
  })

  it("a missing field, at the mapping that lacks it", () => {
    assert.include(only(good.replace("    kind: measure\n", "")), {
      line: 13,
      path: "phases[0].kind",
      rule: "is required"
    })
  })

  it("two shapes at once, or none", () => {
    const two = good.replace(
      "          qpsLoad",
      "          steppedLoad: { burstSize: 1, stepDelay: 1s }\n          qpsLoad"
    )
    assert.match(only(two).rule, /exactly one of qpsLoad, randomizedLoad/)
  })

  it("every problem at once, in file order", () => {
    const { diagnostics, message } = refused(
      good.replace("kind: measure", "kind: measured").replace("name: objects", "name: OBJECTS")
    )
    assert.deepStrictEqual(
      diagnostics.map(({ line }) => line),
      [9, 14]
    )
    assert.match(message, /^sample\.yaml:9:11 {2}keySpaces\[0\]\.name: /)
    assert.match(message, /2 problems in sample\.yaml$/)
  })

  it("names that do not exist, with the nearest that does", () => {
    assert.include(only(good.replace("of: create", "of: creat")), {
      line: 23,
      path: "slo[0].of",
      hint: 'did you mean "create"?'
    })
    assert.include(only(good.replace("op: create,", "op: create, keys: object,")), { hint: 'did you mean "objects"?' })
  })

  it("rules across fields", () => {
    assert.match(only(good.replace("keyBytes: 70", "keyBytes: 20")).rule, /at least 31/)
    assert.match(only(good.replace("        duration: ${seconds}\n", "")).rule, /needs duration or actions/)
    assert.match(
      only(good.replace('qpsLoad: { qps: "${rate}" }', "timeLimitedLoad: { timeLimit: 5s }")).rule,
      /needs actions/
    )
    assert.match(
      only(good.replace("atMost: 100ms", "atMost: 100ms, atLeast: 1")).rule,
      /exactly one of atMost and atLeast/
    )
  })

  it("a parameter nobody declared", () => {
    assert.include(only(good.replace("${seconds}", "${second}")), {
      line: 19,
      column: 19,
      hint: "did you mean ${seconds}?"
    })
  })

  it("an override that points nowhere", () => {
    assert.include(only(good, ["phases.reads.kind=measure"]), { line: 0, hint: "phases has 1 items: writes" })
    assert.strictEqual(only(good, ["seed"]).rule, "must be path=value")
    assert.strictEqual(only(good, ["name.x=1"]).rule, "name is not a mapping")
  })

  it("text that is not YAML, or not a scenario", () => {
    assert.include(only("a: [1"), { line: 1, path: "YAML" })
    assert.match(only("just text").rule, /must be a mapping, not a string/)
    assert.match(only("").rule, /must be a mapping, not nothing/)
  })

  it("never throws, whatever the text", () => {
    const line = fc.constantFrom(
      ...good.split("\n"),
      "- x",
      "  a: &a [*a]",
      "<<: *b",
      "${x}",
      "? {a: 1}",
      "- - -",
      "kind: {}"
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const result = parseScenario("fuzz.yaml", lines.join("\n"))
        if (Result.isFailure(result)) assert.isNotEmpty(result.failure.diagnostics)
      }),
      { numRuns: 400 }
    )
  })
})

describe("suggestions", () => {
  it("measure edits symmetrically and count a swap as one", () => {
    assert.strictEqual(distance("qps", "qsp"), 1)
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (left, right) => {
        assert.strictEqual(distance(left, right), distance(right, left))
        assert.strictEqual(distance(left, left), 0)
      })
    )
  })
  it("stay silent when nothing is near", () => {
    assert.isUndefined(nearest("zzzzzz", ["create", "update"]))
  })
})
