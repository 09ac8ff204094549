// Names against what apimachinery said, and what it promises.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { annotationProblems, generatedName, labelProblems, Names } from "#kube"
import { golden } from "./Golden.ts"

const rules = {
  label: Names.dnsLabel,
  subdomain: Names.dnsSubdomain,
  dns1035: Names.dns1035Label,
  qualified: Names.qualifiedName,
  labelValue: Names.labelValue,
  port: Names.portName,
  env: Names.environmentName,
  relaxedEnv: Names.relaxedEnvironmentName,
  cIdentifier: Names.cIdentifier,
  configMapKey: Names.configKey,
  header: Names.httpHeader,
  percent: Names.percent,
  wildcard: Names.wildcardSubdomain,
  pathSegment: Names.pathSegment
}

describe("Names", () => {
  it("says what apimachinery says, word for word", () => {
    for (const { text, want } of golden.Names) {
      for (const [name, rule] of Object.entries(rules))
        assert.deepStrictEqual(rule(text), want[name] ?? [], `${name} ${text}`)
    }
  })

  it("generates names that keep the rule their base keeps, 63 letters at most", () => {
    const base = fc.stringMatching(/^[a-z]([-a-z0-9]{0,80}[a-z0-9])?-?$/)
    fc.assert(
      fc.property(
        base,
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (base, numbers) => {
          const name = generatedName(base, () => numbers.next().value)
          assert.deepStrictEqual(Names.dnsLabel(name), [])
          assert.strictEqual(name.length, Math.min(63, base.length + 5))
          assert.match(name, /[bcdfghjklmnpqrstvwxz2456789]{5}$/)
          assert.isTrue(base.startsWith(name.slice(0, -5)))
        }
      )
    )
  })

  it("judges labels and annotations with their fields", () => {
    assert.deepStrictEqual(labelProblems({ "a/b/c": "x", good: "y" }, "metadata.labels").length, 1)
    assert.deepStrictEqual(labelProblems({ app: "no spaces" }, "metadata.labels")[0]?.value, "no spaces")
    assert.deepStrictEqual(annotationProblems({ "Example.com/Any": "any text" }, "metadata.annotations"), [])
    assert.deepStrictEqual(annotationProblems({ big: "x".repeat(262_144) }, "metadata.annotations"), [
      { type: "FieldValueTooLong", field: "metadata.annotations", detail: "may not be more than 262144 bytes" }
    ])
  })

  it("allows a dash at the end of what a suffix follows", () => {
    assert.deepStrictEqual(Names.dnsLabel(Names.asPrefix("web-")), [])
    assert.notDeepEqual(Names.dnsLabel(Names.asPrefix("-")), [])
  })
})
