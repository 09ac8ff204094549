// Whether an object of one of Kubernetes' own kinds can be read and is as pruning would leave it: the usual case, in one walk instead of two.
// Owns that question and the schemas compiled for it; refuses to change or to name anything: where the answer is no, Decode.ts and
// Prune.ts say why and set it right. No may be said of an object that they would leave as it is, yes never of another.
import type { Json, JsonArray, JsonObject } from "../Json.ts"
import type { Schema } from "../Schema.ts"
import { isReadableScalar } from "./Decode.ts"
import { ItemsBefore } from "./ItemsBefore.ts"
import { canonicalAmount } from "./Prune.ts"

/** A schema as the walk wants it. */
interface Shape {
  readonly schema: Schema
  /** What a value must be; the plain ones are told apart without a look at the schema. */
  readonly kind: "any" | "text" | "flag" | "scalar" | "amount" | "list" | "object"
  readonly fields: ReadonlyMap<string, Field> | undefined
  readonly each: Shape | undefined
  /** Whether fields that are not known stay. */
  readonly isOpen: boolean
}

interface Field {
  readonly shape: Shape
  /** Whether it is dropped when it has no entries. */
  readonly mayNotBeEmpty: boolean
}

const shapes = new WeakMap<Schema, Shape>()

const kindOf = ({ format, type }: Schema): Shape["kind"] => {
  switch (type) {
    case "any":
      return "any"
    case "array":
      return "list"
    case "object":
      return "object"
    case "boolean":
      return "flag"
    default:
      return format === "quantity" ? "amount" : type === "string" && format === undefined ? "text" : "scalar"
  }
}

const shapeOf = (schema: Schema): Shape => {
  const known = shapes.get(schema)
  if (known !== undefined) return known
  const kind = schema.name?.endsWith(".MicroTime") === true ? "scalar" : kindOf(schema)
  const fields = schema.fields && new Map<string, Field>()
  const shape: { -readonly [Name in keyof Shape]: Shape[Name] } = {
    schema,
    kind,
    fields,
    each: undefined,
    isOpen: schema.preserveUnknownFields === true
  }
  // A schema that holds itself finds this shape, empty as yet: it is full by the time it is used.
  shapes.set(schema, shape)
  for (const [name, field] of schema.fields ?? []) {
    const isMany = field.type === "array" || field.values !== undefined
    const mayNotBeEmpty = isMany && schema.values === undefined && schema.required?.includes(name) !== true
    fields?.set(name, { shape: shapeOf(field), mayNotBeEmpty })
  }
  const each = schema.items ?? schema.values
  shape.each = each && shapeOf(each)
  return shape
}

const isEmpty = (value: object): boolean => {
  for (const _ in value) return false
  return true
}

const isTidyValue = (shape: Shape, value: Json, old: Json | undefined): boolean => {
  if (value === old) return true
  switch (shape.kind) {
    case "text":
      return typeof value === "string"
    case "flag":
      return typeof value === "boolean"
    case "scalar":
      return value !== null && isReadableScalar(shape.schema, value)
    case "amount":
      return value !== null && isReadableScalar(shape.schema, value) && canonicalAmount(value) === value
    case "list":
      return Array.isArray(value) && areTidy(shape.each, value, old)
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value)
        ? isTidyObject(shape, value as JsonObject, old)
        : false
    case "any":
      return shape.fields === undefined && shape.each === undefined
  }
}

const SHORT = 8

const areTidy = (shape: Shape | undefined, values: JsonArray, old: Json | undefined): boolean => {
  if (shape === undefined) return true
  const before = Array.isArray(old) ? (old as JsonArray) : undefined
  const known = before !== undefined && values.length > SHORT ? new ItemsBefore(before) : undefined
  for (let at = 0; at < values.length; at++) {
    const value = values[at]
    if (value === null) return false
    if (known?.has(value, at) === true) continue
    if (!isTidyValue(shape, value, before?.[at])) return false
  }
  return true
}

const isTidyObject = ({ each, fields, isOpen }: Shape, object: JsonObject, old: Json | undefined): boolean => {
  const before = typeof old === "object" && old !== null && !Array.isArray(old) ? (old as JsonObject) : undefined
  for (const name in object) {
    const value = object[name]
    if (value === undefined) continue
    if (value === null) return false
    const field = fields?.get(name)
    const shape = field?.shape ?? each
    if (shape === undefined) {
      if (isOpen) continue
      return false
    }
    if (field?.mayNotBeEmpty === true && typeof value === "object" && isEmpty(value)) return false
    if (!isTidyValue(shape, value, before?.[name])) return false
  }
  return true
}

/** Whether an object can be read and has nothing to be pruned. What is the very same in `old` has been through here. */
export const isTidy = (schema: Schema, object: JsonObject, old?: JsonObject): boolean =>
  isTidyObject(shapeOf(schema), object, old)
