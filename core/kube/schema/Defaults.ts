// Fills in the defaults that a schema names.
// Owns which values are missing; refuses defaults that depend on other fields, which strategies know. Each schema is compiled once
// into the list of its fields that have a default somewhere below, so that all others cost nothing.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"
import type { Schema } from "../Schema.ts"

interface FieldPlan {
  readonly name: string
  readonly nullable: boolean
  /** The default with its own defaults filled in. */
  readonly missing: Json | undefined
  readonly below: Plan | undefined
}

/** What to do with a value; `fields` of an object, `each` for the values of a map or the items of a list. */
interface Plan {
  readonly list: boolean
  readonly fields: Array<FieldPlan>
  readonly named: ReadonlyMap<string, Schema> | undefined
  each: Plan | undefined
}

/** By the fields' map where there is one: copies of a schema share it. */
const plans = new WeakMap<object, { plan: Plan | undefined }>()

const planOf = (schema: Schema): Plan | undefined => {
  if (schema.type !== "object" && schema.type !== "array" && schema.type !== "any") return undefined
  const key = schema.fields ?? schema
  const known = plans.get(key)
  if (known !== undefined) return known.plan
  const plan: Plan = { list: schema.items !== undefined, fields: [], named: schema.fields, each: undefined }
  // A schema that holds itself finds this plan, empty as yet, and keeps it: it is full by the time it is used.
  const entry: { plan: Plan | undefined } = { plan }
  plans.set(key, entry)
  for (const [name, field] of schema.fields ?? []) {
    const below = planOf(field)
    if (field.default === undefined && below === undefined) continue
    const missing = field.default === undefined ? undefined : fill(below, field.default)
    plan.fields.push({ name, nullable: field.nullable === true, missing, below })
  }
  const each = schema.items ?? schema.values
  plan.each = each === undefined ? undefined : planOf(each)
  if (plan.fields.length === 0 && plan.each === undefined) entry.plan = undefined
  return entry.plan
}

/** Whether a custom resource's own fields have a default anywhere: its stored objects may lack what its schema has gained. */
export const hasOwnDefaults = ({ fields }: Schema): boolean =>
  [...(fields ?? [])].some(
    ([name, field]) => name !== "metadata" && (field.default !== undefined || planOf(field) !== undefined)
  )

const fill = (plan: Plan | undefined, value: Json, old?: Json): Json => {
  if (plan === undefined || typeof value !== "object" || value === null || value === old) return value
  if (Array.isArray(value)) return plan.list ? fillItems(plan, value, old) : value
  return plan.list ? value : fillObject(plan, value as JsonObject, isJsonObject(old) ? old : undefined)
}

const fillItems = (plan: Plan, items: JsonArray, old: Json | undefined): JsonArray => {
  const before = Array.isArray(old) ? (old as JsonArray) : undefined
  let changed: Array<Json> | undefined
  for (let at = 0; at < items.length; at++) {
    const filled = fill(plan.each, items[at], before?.[at])
    if (filled !== items[at]) (changed ??= [...items])[at] = filled
  }
  return changed ?? items
}

const fillObject = (plan: Plan, object: JsonObject, before: JsonObject | undefined): JsonObject => {
  let changed: Record<string, Json | undefined> | undefined
  for (const { below, missing, name, nullable } of plan.fields) {
    const value = object[name]
    const filled =
      value === undefined || (value === null && !nullable && missing !== undefined)
        ? missing
        : below === undefined
          ? value
          : fill(below, value, before?.[name])
    if (filled !== value) (changed ??= { ...object })[name] = filled
  }
  if (plan.each === undefined) return changed ?? object
  for (const name in object) {
    const value = object[name]
    if (value === undefined || plan.named?.has(name) === true) continue
    const filled = fill(plan.each, value, before?.[name])
    if (filled !== value) (changed ??= { ...object })[name] = filled
  }
  return changed ?? object
}

/**
 * The value with the schema's defaults where fields are missing, or null although they may not be. What has all its fields is
 * shared; a value that lacks nothing is answered itself. Objects that are the very same in `old` lack nothing.
 */
export const fillDefaults = <A extends Json>(schema: Schema, value: A, old?: Json): A =>
  // SAFETY: filling adds fields and takes none away.
  fill(planOf(schema), value, old) as A
