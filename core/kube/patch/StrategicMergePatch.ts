// Strategic merge patch: lists merge by key where the type says so, and directives delete, replace and order.
// Owns maps and directives ($patch, $retainKeys, $deleteFromPrimitiveList, $setElementOrder); lists are merged by MergeLists.ts.
// Refuses to change its input, and refuses custom resources, whose types carry no strategies.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"
import type { Schema } from "../Schema.ts"
import { type ApiFailure, Failures } from "../Status.ts"
import { goText, goType } from "./GoText.ts"
import { withoutNulls } from "./MergePatch.ts"
import { BadPatch, mergeLists, orderLists } from "./MergeLists.ts"
import { patchDoesNotApply, patchFailed } from "./PatchFailures.ts"

const MARKER = "$patch"
const RETAIN_KEYS = "$retainKeys"
const DELETE_FROM = "$deleteFromPrimitiveList"
const ELEMENT_ORDER = "$setElementOrder"

type Fields = Record<string, Json | undefined>

/** What follows the slash of `$directive/field`. */
const fieldOf = (name: string, directive: string, broken: string): string => {
  const slash = name.indexOf("/")
  if (slash !== directive.length) throw new BadPatch(broken, "bad request")
  return name.slice(slash + 1)
}

const REMOVED = Symbol("removed")

/** A patch's value as it is taken over where there is nothing to merge with: without directives. */
const withoutDirectives = (value: Json): Json | typeof REMOVED => {
  if (Array.isArray(value)) {
    const items: Array<Json> = []
    for (const item of value as JsonArray) {
      const kept = withoutDirectives(item)
      if (kept !== REMOVED) items.push(kept)
    }
    return items.length === value.length && items.every((item, at) => item === value[at]) ? value : items
  }
  if (!isJsonObject(value)) return value
  if (value[MARKER] !== undefined) return REMOVED
  let changed: Fields | undefined
  for (const name in value) {
    const field = value[name]
    if (field === undefined) continue
    const kept = withoutDirectives(field)
    if (kept === field) continue
    changed ??= { ...value }
    if (kept === REMOVED) delete changed[name]
    else changed[name] = kept
  }
  return changed ?? value
}

const retained = (original: JsonObject, patch: JsonObject): JsonObject => {
  const keys = patch[RETAIN_KEYS]
  if (keys === undefined) return original
  const broken = "invalid patch format of retainKeys"
  if (!Array.isArray(keys)) throw new BadPatch(broken, "bad request")
  const kept = new Set<Json>(keys as JsonArray)
  for (const name in patch) {
    if (name === RETAIN_KEYS || patch[name] === null || patch[name] === undefined) continue
    if (name.startsWith(DELETE_FROM) || name.startsWith(ELEMENT_ORDER)) continue
    if (!kept.has(name)) throw new BadPatch(broken, "bad request")
  }
  return Object.fromEntries(Object.entries(original).filter(([name]) => kept.has(name)))
}

const strategyOf = (schema: Schema | undefined): string | undefined =>
  schema?.patchStrategy?.find((strategy) => strategy !== "retainKeys")

const asList = (value: Json | undefined): JsonArray | undefined => {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw new BadPatch(`expected a []interface {}, but received a ${goType(value)}`, "failed")
  return value
}

/** Merges the lists that have an order directive, and takes them out of what is left to merge. */
const mergeOrdered = (merged: Fields, left: Fields, schema: Schema | undefined): void => {
  for (const name of Object.keys(left)) {
    if (!name.startsWith(ELEMENT_ORDER)) continue
    const order = asList(left[name]) ?? []
    delete left[name]
    const field = fieldOf(name, ELEMENT_ORDER, "invalid patch format of setElementOrder list")
    const held = asList(merged[field])
    const wanted = asList(left[field])
    const type = fieldSchema(schema, field)
    const lists = { merge: strategyOf(type) === "merge", key: type?.patchMergeKey ?? "", items: type?.items }
    const ordered = orderLists(held, wanted, order, lists, mergeMaps, (list) => withoutDirectives(list) as JsonArray)
    if (ordered === undefined) continue
    merged[field] = ordered
    delete left[field]
  }
}

const fieldSchema = (schema: Schema | undefined, name: string): Schema | undefined =>
  schema?.fields?.get(name) ?? schema?.values

const takeOver = (merged: Fields, name: string, wanted: Json): void => {
  const kept = withoutDirectives(withoutNulls(wanted))
  if (kept === REMOVED) delete merged[name]
  else merged[name] = kept
}

const mergeField = (merged: Fields, name: string, wanted: Json, schema: Schema | undefined): void => {
  const held = merged[name]
  if (wanted === null) {
    delete merged[name]
    return
  }
  const type = fieldSchema(schema, name)
  if (isJsonObject(held) && isJsonObject(wanted)) {
    merged[name] = strategyOf(type) === "replace" ? wanted : mergeMaps(held, wanted, type)
  } else if (Array.isArray(held) && Array.isArray(wanted)) {
    const lists = { merge: strategyOf(type) === "merge", key: type?.patchMergeKey ?? "", items: type?.items }
    merged[name] = lists.merge ? mergeLists(held, wanted, lists, mergeMaps) : wanted
  } else takeOver(merged, name, wanted)
}

const mergeMaps = (original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject => {
  const marker = patch[MARKER]
  if (marker !== undefined) {
    if (marker === "delete") return {}
    if (marker !== "replace") {
      throw new BadPatch(`unknown patch type: ${goText(marker)} in map: ${goText(patch)}`, "failed")
    }
    const { [MARKER]: _, ...rest } = patch
    return rest
  }
  const base = retained(original, patch)
  const { [RETAIN_KEYS]: _, ...rest } = patch
  const left: Fields = rest
  const merged: Fields = { ...base }
  mergeOrdered(merged, left, schema)
  for (const name of Object.keys(left)) {
    const wanted = left[name]
    if (wanted === undefined) continue
    if (name.startsWith(DELETE_FROM)) {
      const field = fieldOf(name, DELETE_FROM, "invalid patch format of primitive list")
      const held = merged[field]
      const gone = new Set<Json>(asList(wanted) ?? [])
      if (Array.isArray(held)) merged[field] = (held as JsonArray).filter((item) => !gone.has(item))
    } else mergeField(merged, name, wanted, schema)
  }
  return sameFields(original, merged) ? original : merged
}

const sameFields = (a: JsonObject, b: JsonObject): boolean => {
  const names = Object.keys(b)
  return names.length === Object.keys(a).length && names.every((name) => a[name] === b[name])
}

/**
 * The document after the patch, by the strategies of its type; shared where the patch leaves it alone. Fails with 400 for malformed
 * directives, 422 or 500 as a kube-apiserver does for what cannot be merged.
 */
export const applyStrategicMergePatch = (
  schema: Schema,
  document: JsonObject,
  patch: Json
): JsonObject | ApiFailure => {
  if (!isJsonObject(patch)) {
    const kind = Array.isArray(patch) ? "array" : patch === null ? "null" : typeof patch
    return Failures.badRequest(`json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`)
  }
  try {
    return mergeMaps(document, patch, schema)
  } catch (problem) {
    if (!(problem instanceof BadPatch)) throw problem
    if (problem.answer === "bad request") return Failures.badRequest(problem.why)
    return problem.answer === "unprocessable" ? patchDoesNotApply(problem.why) : patchFailed(problem.why)
  }
}
