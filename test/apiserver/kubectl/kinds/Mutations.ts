// Random changes of an object by its kind's schema: fields go, come, are doubled or take values that are odd for them.
// Owns the choice, which is fast-check's by a seed; refuses to know any kind's rules.
import * as fc from "fast-check"
import type { Schema } from "#kube"

type Value = null | boolean | number | string | ReadonlyArray<Value> | { readonly [name: string]: Value }
type Fields = { readonly [name: string]: Value }

const isFields = (value: Value | undefined): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const TEXTS = [
  "",
  "ok",
  "a-b",
  "a.b.example",
  "example.com/x",
  "Bad_Name",
  "-x",
  "a b",
  "10.1.2.3",
  "fe80::1",
  "/x",
  "5",
  "50%",
  "http"
]
const NUMBERS = [-1, 0, 1, 2, 80, 600, 65_536, 2_000_000_000]
const AMOUNTS = ["1", "100m", "-1", "1Gi", "1.5"]

const textOf = (schema: Schema): fc.Arbitrary<Value> => {
  if (schema.format === "quantity") return fc.constantFrom(...AMOUNTS)
  if (schema.format === "date-time") return fc.constant("2026-01-01T00:00:00Z")
  if (schema.format === "byte") return fc.constantFrom("", "eA==")
  // SAFETY: enumerations of texts hold texts.
  const known = (schema.enum ?? []) as ReadonlyArray<string>
  return known.length === 0 ? fc.constantFrom(...TEXTS) : fc.constantFrom(...known, ...known, "Unknown", "")
}

/** A value that a schema's decoder reads; `depth` bounds what is made of objects. */
const valueOf = (schema: Schema, depth: number): fc.Arbitrary<Value> => {
  switch (schema.type) {
    case "string":
      return textOf(schema)
    case "integer":
      return schema.format === "int64" ? fc.constantFrom(...NUMBERS, 2 ** 33) : fc.constantFrom(...NUMBERS)
    case "number":
      return fc.constantFrom(...NUMBERS)
    case "boolean":
      return fc.boolean()
    case "int-or-string":
      return fc.constantFrom<Value>(-1, 0, 1, 80, "50%", "150%", "http", "x%")
    case "array":
      return schema.items === undefined || depth === 0
        ? fc.constant<Value>([])
        : fc.array(valueOf(schema.items, depth - 1), { maxLength: 2 })
    case "object": {
      const { fields, required = [], values } = schema
      if (values !== undefined) {
        return fc.dictionary(fc.constantFrom("a", "b.example/c", "Bad_", "cpu", "memory"), valueOf(values, depth - 1), {
          maxKeys: 2
        })
      }
      if (fields === undefined || depth === 0) return fc.constant<Value>({})
      const names = [...fields.keys()].filter((name) => name !== "metadata" && name !== "status")
      const chosen = fc.subarray(names, { maxLength: Math.min(2, names.length) })
      return chosen.chain((some) =>
        fc.record(
          Object.fromEntries(
            [...new Set([...required.filter((name) => names.includes(name)), ...some])].map((name) => [
              name,
              valueOf(fields.get(name) ?? { type: "any" }, depth - 1)
            ])
          )
        )
      )
    }
    default:
      return fc.constant<Value>({})
  }
}

/** A place in an object: the names and numbers on the way, and the schema there. */
interface Place {
  readonly path: ReadonlyArray<string | number>
  readonly schema: Schema
}

/** Every place that an object has, and every place next to them that its schema knows. */
const placesOf = (schema: Schema, value: Value | undefined, path: Place["path"] = []): ReadonlyArray<Place> => {
  const own: ReadonlyArray<Place> = path.length === 0 ? [] : [{ path, schema }]
  if (schema.items !== undefined && Array.isArray(value)) {
    const { items } = schema
    return [...own, ...(value as ReadonlyArray<Value>).flatMap((item, at) => placesOf(items, item, [...path, at]))]
  }
  if (!isFields(value)) return own
  if (schema.fields !== undefined) {
    const inner = [...schema.fields]
      .filter(([name]) => path.length > 0 || !["apiVersion", "kind", "metadata", "status"].includes(name))
      .flatMap(([name, field]) => placesOf(field, value[name], [...path, name]))
    return [...own, ...inner]
  }
  const { values } = schema
  if (values === undefined) return own
  return [...own, ...Object.keys(value).flatMap((name) => placesOf(values, value[name], [...path, name]))]
}

const changed = (
  value: Value | undefined,
  path: Place["path"],
  next: (old: Value | undefined) => Value | undefined
): Value => {
  const [first, ...rest] = path
  if (typeof first === "number") {
    const list = Array.isArray(value) ? [...(value as ReadonlyArray<Value>)] : []
    const inner = rest.length === 0 ? next(list[first]) : changed(list[first], rest, next)
    if (inner === undefined) list.splice(first, 1)
    else list[first] = inner
    return list
  }
  const fields = { ...(isFields(value) ? value : {}) }
  const name = first ?? ""
  const inner = rest.length === 0 ? next(fields[name]) : changed(fields[name], rest, next)
  if (inner === undefined) delete fields[name]
  else fields[name] = inner
  return fields
}

const doubled = (old: Value | undefined): Value | undefined =>
  Array.isArray(old) && old.length > 0 ? [...(old as ReadonlyArray<Value>), old[0] as Value] : old

/** One change of an object, as a function. */
const change = (schema: Schema, object: Value): fc.Arbitrary<(value: Value) => Value> =>
  fc
    .constantFrom(...placesOf(schema, object))
    .chain(({ path, schema: here }) =>
      fc.oneof(
        { weight: 5, arbitrary: valueOf(here, 2).map((made) => (value: Value) => changed(value, path, () => made)) },
        { weight: 2, arbitrary: fc.constant((value: Value) => changed(value, path, () => undefined)) },
        { weight: 1, arbitrary: fc.constant((value: Value) => changed(value, path, doubled)) }
      )
    )

/** Functions that each change an object at one or two places. */
export const mutations = (schema: Schema, object: object): fc.Arbitrary<(value: object) => object> => {
  // SAFETY: what comes in and goes out is JSON.
  const one = change(schema, object as Fields)
  return fc.tuple(one, fc.option(one, { freq: 2 })).map(
    ([first, second]) =>
      (value: object) =>
        (second === null ? first(value as Fields) : second(first(value as Fields))) as object
  )
}
