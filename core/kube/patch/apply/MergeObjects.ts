// An applied configuration laid over the live object: fields and items of both, the applied ones' values.
// Owns the merge and the order of merged lists; refuses to take anything away (RemoveItems.ts). What only one side has is shared.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { DEDUCED, fieldType, isAtomic, itemElement, Unnamed } from "./FieldTypes.ts"

const isEmpty = (value: Json | undefined): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isJsonObject(value) && Object.keys(value).length === 0)

const mixes = (a: Json, b: Json): boolean => typeof a !== typeof b || Array.isArray(a) !== Array.isArray(b)

/** One value laid over another; undefined when nothing is left. */
const merge = (schema: Schema, held: Json | undefined, applied: Json | undefined): Json | undefined => {
  if (held === applied) return held
  // A value of another kind has nothing to merge with.
  const live =
    held !== undefined && held !== null && applied !== undefined && applied !== null && mixes(held, applied)
      ? null
      : held
  // Null says nothing of a list or map, and replaces all else.
  const value = applied ?? live
  const isList = Array.isArray(value)
  const isMap = isJsonObject(value)
  if (!(isList || isMap) || isAtomic(schema, isList) || (isEmpty(live) && isEmpty(applied)))
    return applied === undefined ? live : applied
  if (isList) {
    const merged = mergeItems(schema, Array.isArray(live) ? live : [], Array.isArray(applied) ? applied : [])
    return merged.length === 0 ? undefined : merged
  }
  const merged = mergeFields(schema, isJsonObject(live) ? live : {}, isJsonObject(applied) ? applied : {})
  return Object.keys(merged).length === 0 ? undefined : merged
}

const mergeFields = (schema: Schema, live: JsonObject, applied: JsonObject): JsonObject => {
  let changed: Record<string, Json | undefined> | undefined
  for (const name in applied) {
    if (applied[name] === undefined) continue
    const merged = merge(fieldType(schema, name) ?? DEDUCED, live[name], applied[name])
    if (merged === live[name]) continue
    changed ??= { ...live }
    if (merged === undefined) delete changed[name]
    else changed[name] = merged
  }
  return changed ?? live
}

interface Indexed {
  readonly elements: ReadonlyArray<string>
  /** Null where a list has an item twice: such items are not merged. */
  readonly items: ReadonlyMap<string, Json>
  readonly list: JsonArray
}

const indexed = (schema: Schema, list: JsonArray): Indexed => {
  const elements: Array<string> = []
  const items = new Map<string, Json>()
  const kept: Array<Json> = []
  for (const item of list) {
    const element = itemElement(schema, item)
    if (element instanceof Unnamed) continue
    elements.push(element)
    kept.push(item)
    items.set(element, items.has(element) ? null : item)
  }
  return { elements, items, list: kept }
}

/**
 * The items of both lists. Those of both sides stand in the applied order; those of the live list alone keep their places between
 * them as well as that order allows.
 */
const mergeItems = (schema: Schema, live: JsonArray, applied: JsonArray): JsonArray => {
  const type = schema.items ?? DEDUCED
  const left = indexed(schema, live)
  const right = indexed(schema, applied)
  const shared = right.elements.filter((element) => left.items.has(element))
  const merged = new Set<string>()
  const out: Array<Json> = []
  let nextShared = 0
  let leftAt = 0
  let rightAt = 0
  const take = (element: string, held: Json | undefined): void => {
    const item = merge(type, held ?? undefined, right.items.get(element) ?? undefined)
    merged.add(element)
    if (item !== undefined) out.push(item)
  }
  while (leftAt < left.elements.length || rightAt < right.elements.length) {
    const ours = left.elements[leftAt]
    const theirs = right.elements[rightAt]
    if (leftAt < left.elements.length && rightAt < right.elements.length) {
      if (ours === theirs) {
        take(ours, left.items.get(ours))
        leftAt++
        rightAt++
        nextShared++
        continue
      }
      if (right.items.has(ours) && nextShared < shared.length && shared[nextShared] !== ours) {
        // Of both sides, but not the next one in the applied order.
        leftAt++
        continue
      }
    }
    if (leftAt < left.elements.length) {
      if (!right.items.has(ours)) {
        out.push(left.list[leftAt])
        leftAt++
        continue
      }
      if (merged.has(ours)) leftAt++
    }
    if (rightAt < right.elements.length) {
      take(theirs, left.items.get(theirs))
      rightAt++
      if (shared[nextShared] === theirs) nextShared++
    }
  }
  return out.length === live.length && out.every((item, at) => item === live[at]) ? live : out
}

/** The live object with the applied configuration laid over it. */
export const mergeObjects = (schema: Schema, live: JsonObject, applied: JsonObject): JsonObject =>
  mergeFields(schema, live, applied)
