// The one walk beside the two that it stands for: what it calls tidy can be read and has nothing to prune, for every built-in kind and
// objects that are right, or wrong in one place or another; and what the two have been through is tidy.
import { assert as check, integer, nat, property } from "fast-check"
import { assert, describe, it } from "vitest"
import {
  builtInResources,
  decodeProblem,
  isTidy,
  type Json,
  type JsonObject,
  prune,
  type Schema,
  schemaOfKind
} from "#kube"

const schemas = builtInResources().flatMap(({ group, kind, version }) => schemaOfKind(group, version, kind) ?? [])

const SCALARS: ReadonlyArray<Json> = [
  0,
  1,
  1.5,
  -3,
  "",
  "a",
  "1500m",
  "1.5",
  "5Gi",
  true,
  false,
  "2026-01-01T00:00:00Z",
  "YQ==",
  null
]
const TIMES: ReadonlyArray<Json> = [
  "2026-01-01T00:00:00Z",
  "2026-01-01T00:00:00.000000Z",
  "2026-01-01T00:00:00.5Z",
  "today"
]

const right = (schema: Schema): ReadonlyArray<Json> => {
  if (schema.format === "date-time") return TIMES
  if (schema.format === "quantity") return ["1", "1500m", "1.5", 2, "x"]
  if (schema.type === "boolean") return [true, false]
  if (schema.type === "string") return schema.format === "byte" ? ["YQ==", "?"] : ["", "a"]
  return [0, 1, 2 ** 31, 1.5, "80"]
}

/** An object of a schema whose every choice the numbers make; now and then something else stands in a value's place. */
const objectOf = (schema: Schema, pick: (below: number) => number, depth: number): Json => {
  if (pick(40) === 0) return SCALARS[pick(SCALARS.length)] ?? null
  if (schema.type === "array") {
    const { items } = schema
    if (items === undefined || depth > 6) return []
    return Array.from({ length: pick(3) }, () => objectOf(items, pick, depth + 1))
  }
  if (schema.type !== "object") {
    const some = schema.type === "any" ? SCALARS : right(schema)
    return some[pick(some.length)] ?? null
  }
  const made: Record<string, Json> = {}
  if (depth > 6) return made
  for (const [name, field] of schema.fields ?? [])
    if (pick(depth < 2 ? 2 : 4) === 0) made[name] = objectOf(field, pick, depth + 1)
  if (schema.values !== undefined && pick(2) === 0) made["key"] = objectOf(schema.values, pick, depth + 1)
  if (pick(30) === 0) made["unheardOf"] = 1
  return made
}

const picker = (seed: number) => {
  let state = seed | 0
  return (below: number): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5
    return (state >>> 8) % below
  }
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

describe("a tidy object", () => {
  it("can be read and has nothing to prune", () => {
    const counts = { tidy: 0, other: 0 }
    check(
      property(integer(), nat(schemas.length - 1), (seed, at) => {
        const schema = schemas[at]
        const value = objectOf(schema, picker(seed), 0)
        if (!isObject(value)) return
        if (isTidy(schema, value)) {
          counts.tidy++
          assert.isUndefined(decodeProblem(schema, value))
          assert.strictEqual(prune(schema, value, { nulls: "drop" }), value)
        } else counts.other++
        if (decodeProblem(schema, value) !== undefined) return
        const pruned: Json = prune<Json>(schema, value, { nulls: "drop" })
        assert(isObject(pruned))
        const again: Json = prune<Json>(schema, pruned, { nulls: "drop" })
        if (again === pruned && !hasNull(pruned)) assert.isTrue(isTidy(schema, pruned) || holdsOther(schema, pruned))
      }),
      { numRuns: 3000 }
    )
    assert.isAbove(counts.tidy, 100)
    assert.isAbove(counts.other, 100)
  })

  it("is told by what differs from the version before", () => {
    const pod = schemas.find(({ name }) => name === "io.k8s.api.core.v1.Pod")
    assert(pod !== undefined)
    const spec = { nope: 1 }
    assert.isFalse(isTidy(pod, { spec }))
    assert.isTrue(isTidy(pod, { spec, metadata: { name: "a" } }, { spec }))
    const containers = Array.from({ length: 12 }, (_, at) => ({ name: `c${at}`, nope: at }))
    assert.isTrue(isTidy(pod, { spec: { containers: [{ name: "new" }, ...containers] } }, { spec: { containers } }))
  })
})

const hasNull = (value: Json | undefined): boolean =>
  value === null || (typeof value === "object" && Object.values(value).some((one) => hasNull(one)))

/** Whether a scalar stands where an object that keeps anything should: it is read and kept, and no business of the walk. */
const holdsOther = (schema: Schema, value: Json): boolean => {
  if (schema.type === "object" && !isObject(value)) return true
  if (Array.isArray(value))
    return value.some((item) => schema.items !== undefined && holdsOther(schema.items, item as Json))
  if (!isObject(value)) return false
  return Object.entries(value).some(([name, one]) => {
    const field = schema.fields?.get(name) ?? schema.values
    return field !== undefined && one !== undefined && holdsOther(field, one)
  })
}
