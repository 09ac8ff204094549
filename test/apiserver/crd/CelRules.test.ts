// Rules of custom resources, in the cases that Kubernetes' own documentation and tests name.
import { assert, describe, it } from "vitest"
import type { Json } from "#kube"
import { celProblems, celRules } from "../../../core/apiserver/crd/CelRules.ts"

const object = (properties: Json, ...rules: ReadonlyArray<Json>) => ({
  type: "object",
  properties,
  "x-kubernetes-validations": rules
})
const integer = { type: "integer" }
const string = { type: "string" }

const run = (props: ReturnType<typeof object>, value: Json, old?: Json): ReadonlyArray<string> => {
  assert.deepStrictEqual(celProblems(props, "schema"), [])
  return (celRules(props)?.(value, old) ?? []).map(({ detail, field, type }) => `${type} ${field}: ${detail}`)
}

describe("CEL rules", () => {
  const holds: ReadonlyArray<readonly [string, Json, Json]> = [
    [
      "self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas",
      { minReplicas: integer, replicas: integer, maxReplicas: integer },
      { minReplicas: 1, replicas: 2, maxReplicas: 3 }
    ],
    [
      "'Available' in self.stateCounts",
      { stateCounts: { type: "object", additionalProperties: integer } },
      { stateCounts: { Available: 1 } }
    ],
    [
      "(self.list1.size() == 0) != (self.list2.size() == 0)",
      { list1: { type: "array", items: string }, list2: { type: "array", items: string } },
      { list1: [], list2: ["a"] }
    ],
    [
      "!('MY_KEY' in self.map1) || self['map1']['MY_KEY'].matches('^[a-zA-Z]*$')",
      { map1: { type: "object", additionalProperties: string } },
      { map1: { MY_KEY: "abc" } }
    ],
    [
      "self.envars.filter(e, e.name == 'MY_ENV').all(e, e.value.matches('^[a-zA-Z]*$'))",
      { envars: { type: "array", items: { type: "object", properties: { name: string, value: string } } } },
      {
        envars: [
          { name: "MY_ENV", value: "abc" },
          { name: "x", value: "1" }
        ]
      }
    ],
    [
      "has(self.expired) && self.created + self.ttl < self.expired",
      {
        expired: { type: "string", format: "date-time" },
        created: { type: "string", format: "date-time" },
        ttl: { type: "string", format: "duration" }
      },
      { created: "2026-01-01T00:00:00Z", ttl: "1h", expired: "2026-01-01T02:00:00Z" }
    ],
    ["self.health.startsWith('ok')", { health: string }, { health: "ok, I guess" }],
    [
      "self.widgets.exists(w, w.key == 'x' && w.foo < 10)",
      { widgets: { type: "array", items: { type: "object", properties: { key: string, foo: integer } } } },
      { widgets: [{ key: "x", foo: 9 }] }
    ],
    [
      "type(self.v) == string ? self.v == '99%' : self.v == 42",
      { v: { "x-kubernetes-int-or-string": true } },
      { v: "99%" }
    ],
    [
      "self.set1.all(e, !(e in self.set2))",
      { set1: { type: "array", items: string }, set2: { type: "array", items: string } },
      { set1: ["a"], set2: ["b"] }
    ],
    [
      "self.names.isSorted() && self.numbers.sum() == 6 && self.numbers.max() == 3",
      { names: { type: "array", items: string }, numbers: { type: "array", items: integer } },
      { names: ["a", "b"], numbers: [1, 2, 3] }
    ],
    ["quantity(self.memory).isGreaterThan(quantity('1Mi'))", { memory: string }, { memory: "1Gi" }],
    ["url(self.u).getHost() == 'example.com:80'  || isURL(self.u)", { u: string }, { u: "https://example.com/x" }],
    ["cidr(self.net).containsIP(self.ip)", { net: string, ip: string }, { net: "10.0.0.0/8", ip: "10.1.2.3" }],
    ["self.name.lowerAscii() == 'abc' && self.name.size() == 3", { name: string }, { name: "ABC" }],
    ["self.?missing.orValue('x') == 'x'", { missing: string }, {}],
    [
      "self.__namespace__ == 'n' && self.a__dash__b == 1",
      { namespace: string, "a-b": integer },
      { namespace: "n", "a-b": 1 }
    ]
  ]
  for (const [rule, properties, value] of holds) {
    it(`holds: ${rule}`, () => assert.deepStrictEqual(run(object(properties, { rule }), value), []))
  }

  it("fails with the rule, its message, its own message expression, its reason and path", () => {
    const properties = { replicas: integer, max: integer }
    const value = { replicas: 5, max: 3 }
    const rule = "self.replicas <= self.max"
    assert.deepStrictEqual(run(object(properties, { rule }), value), [`FieldValueInvalid : failed rule: ${rule}`])
    assert.deepStrictEqual(run(object(properties, { rule, message: "too many" }), value), [
      "FieldValueInvalid : too many"
    ])
    const messageExpression = "'at most ' + string(self.max)"
    assert.deepStrictEqual(
      run(
        object(properties, { rule, messageExpression, reason: "FieldValueForbidden", fieldPath: ".replicas" }),
        value
      ),
      ["FieldValueForbidden replicas: at most 3"]
    )
  })

  it("compares with what was before only where something was", () => {
    const props = object({
      spec: object({ name: string }, { rule: "self.name == oldSelf.name", message: "name is immutable" })
    })
    assert.deepStrictEqual(run(props, { spec: { name: "a" } }), [])
    assert.deepStrictEqual(run(props, { spec: { name: "a" } }, { spec: { name: "a" } }), [])
    assert.deepStrictEqual(run(props, { spec: { name: "b" } }, { spec: { name: "a" } }), [
      "FieldValueInvalid spec: name is immutable"
    ])
    const optional = object({
      spec: object(
        { n: integer },
        { rule: "oldSelf.hasValue() || self.n == 1", optionalOldSelf: true, message: "starts at 1" }
      )
    })
    assert.deepStrictEqual(run(optional, { spec: { n: 2 } }), ["FieldValueInvalid spec: starts at 1"])
    assert.deepStrictEqual(run(optional, { spec: { n: 2 } }, { spec: { n: 1 } }), [])
  })

  it("finds the item before in a list that is a map", () => {
    const items = object({ key: string, n: integer }, { rule: "self.n >= oldSelf.n", message: "never less" })
    const props = object({
      list: { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"], items }
    })
    const before = {
      list: [
        { key: "a", n: 5 },
        { key: "b", n: 1 }
      ]
    }
    assert.deepStrictEqual(
      run(
        props,
        {
          list: [
            { key: "b", n: 2 },
            { key: "a", n: 4 }
          ]
        },
        before
      ),
      ["FieldValueInvalid list[1]: never less"]
    )
  })

  it("says what a rule that cannot be evaluated or compiled ran into", () => {
    const [failure] = run(object({ n: integer }, { rule: "10 / self.n > 1" }), { n: 0 })
    assert.match(failure ?? "", /evaluating rule: 10 \/ self\.n > 1$/)
    const [broken] = celProblems(object({ n: integer }, { rule: "self.n >" }), "schema")
    assert.strictEqual(broken?.field, "schema.x-kubernetes-validations[0].rule")
    assert.match(broken?.detail ?? "", /^compilation failed: /)
  })
})
