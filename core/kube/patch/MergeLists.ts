// Lists of a strategic merge patch: of objects by their merge key, of scalars as sets, in the order that the patch and the live
// object imply.
// Owns merging and ordering of lists; refuses maps, which its caller merges. Lists are short: places are found by scanning.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"
import type { Schema } from "../Schema.ts"
import { goText, goType } from "./GoText.ts"

/** A patch that cannot be merged, with the answer that it gets: thrown inside the patch alone. */
export class BadPatch extends Error {
  readonly why: string
  readonly answer: "bad request" | "unprocessable" | "failed"
  constructor(why: string, answer: "bad request" | "unprocessable" | "failed") {
    super(why)
    this.why = why
    this.answer = answer
  }
}

export interface ListType {
  /** Whether the strategy is to merge. */
  readonly merge: boolean
  /** The merge key; empty for scalars. */
  readonly key: string
  readonly items: Schema | undefined
}

type MergeMaps = (original: JsonObject, patch: JsonObject, schema: Schema | undefined) => JsonObject

const asMap = (item: Json): JsonObject => {
  if (isJsonObject(item)) return item
  throw new BadPatch(`expected a map[string]interface {}, but received a ${goType(item)}`, "failed")
}

const keyOf = (item: Json, key: string): Json => {
  const value = asMap(item)[key]
  if (value === undefined) {
    throw new BadPatch(`map: ${goText(item)} does not contain declared merge key: ${key}`, "failed")
  }
  return value
}

const identity = (item: Json, key: string): Json | undefined =>
  key === "" ? item : isJsonObject(item) ? item[key] : undefined

const placeOf = (list: JsonArray, item: Json, key: string): number => {
  const wanted = identity(item, key)
  return list.findIndex((one) => identity(one, key) === wanted)
}

/** Whether the items are objects; refuses lists of lists and lists of mixed types. */
const holdsMaps = (...lists: ReadonlyArray<JsonArray>): boolean => {
  let type: string | undefined
  for (const list of lists) {
    for (const item of list) {
      if (Array.isArray(item)) throw new BadPatch("lists of lists are not supported", "unprocessable")
      const own = goType(item)
      if (type !== undefined && type !== own) {
        throw new BadPatch(`list element types are not identical: ${goText(lists)}`, "failed")
      }
      type = own
    }
  }
  if (type === undefined) throw new BadPatch("no elements in any of the given slices", "failed")
  return type.startsWith("map")
}

/** The order of `list` by the places of its items in `order`. */
const sorted = (list: JsonArray, order: JsonArray, key: string): JsonArray =>
  list
    .map((item) => ({ item, place: placeOf(order, item, key) }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item)

/** Items of the patch in its order, those of the server alone put between them where they stood. */
const ordered = (merged: JsonArray, patchOrder: JsonArray, serverOrder: JsonArray, key: string): JsonArray => {
  const inPatch = (item: Json): boolean => {
    if (key !== "") keyOf(item, key)
    return placeOf(patchOrder, item, key) >= 0
  }
  const right = sorted(merged.filter(inPatch), patchOrder, key)
  const left = sorted(
    merged.filter((item) => !inPatch(item)),
    serverOrder,
    key
  )
  const out: Array<Json> = []
  let at = 0
  for (const item of left) {
    const place = placeOf(serverOrder, item, key)
    while (at < right.length) {
      const other = placeOf(serverOrder, right[at], key)
      if (place >= 0 && other >= 0 && place < other) break
      out.push(right[at++])
    }
    out.push(item)
  }
  return [...out, ...right.slice(at)]
}

/** Directives of items: what is left of both lists, and whether the patch replaces. */
const directed = (
  original: JsonArray,
  patch: JsonArray,
  key: string
): { readonly original: JsonArray; readonly patch: JsonArray } => {
  let held = original
  let replace = false
  const plain: Array<Json> = []
  for (const item of patch) {
    const directive = asMap(item)["$patch"]
    if (directive === undefined) plain.push(item)
    else if (directive === "delete") {
      const gone = keyOf(item, key)
      held = held.filter((one) => asMap(one)[key] !== gone)
    } else if (directive === "replace") replace = true
    else if (directive === "merge") throw new BadPatch("merging lists cannot yet be specified in the patch", "failed")
    else throw new BadPatch(`unknown patch type: ${goText(directive)} in map: ${goText(item)}`, "failed")
  }
  return replace ? { original: plain, patch: [] } : { original: held, patch: plain }
}

const mergeByKey = (original: JsonArray, patch: JsonArray, type: ListType, mergeMaps: MergeMaps): JsonArray => {
  const merged = [...original]
  for (const item of patch) {
    keyOf(item, type.key)
    const place = placeOf(merged, item, type.key)
    if (place < 0) merged.push(item)
    else merged[place] = mergeMaps(asMap(merged[place]), asMap(item), type.items)
  }
  return merged
}

const sameItems = (a: JsonArray, b: JsonArray): boolean =>
  a.length === b.length && a.every((item, at) => item === b[at])

/** Two lists merged by their type's key, or as sets of scalars. */
export const mergeLists = (original: JsonArray, patch: JsonArray, type: ListType, mergeMaps: MergeMaps): JsonArray => {
  if (original.length === 0 && patch.length === 0) return original
  if (!holdsMaps(original, patch)) {
    return ordered([...new Set([...original, ...patch])], patch, original, "")
  }
  if (type.key === "") {
    throw new BadPatch("cannot merge lists without merge key for struct", "failed")
  }
  const lists = directed(original, patch, type.key)
  const merged = mergeByKey(lists.original, lists.patch, type, mergeMaps)
  const out = ordered(merged, lists.patch, lists.original, type.key)
  return sameItems(out, original) ? original : out
}

const checkOrder = (patch: JsonArray, order: JsonArray, key: string): void => {
  if (order.length === 0 || patch.length === 0) return
  const isDirective = (item: Json): boolean => isJsonObject(item) && item["$patch"] !== undefined
  const plain = patch.filter((item) => !isDirective(item))
  let at = 0
  for (const item of order) {
    if (at >= plain.length) break
    const same = key === "" ? plain[at] === item : keyOf(plain[at], key) === keyOf(item, key)
    if (same) at++
  }
  if (at < plain.length) {
    const lists = `The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`
    throw new BadPatch(lists, "failed")
  }
}

/** A list with an order directive: merged with the patch's, if there is one, and put into that order; undefined when both are absent. */
export const orderLists = (
  original: JsonArray | undefined,
  patch: JsonArray | undefined,
  order: JsonArray,
  type: ListType,
  mergeMaps: MergeMaps,
  takenOver: (list: JsonArray) => JsonArray
): JsonArray | undefined => {
  checkOrder(patch ?? [], order, type.key)
  if (original === undefined && patch === undefined) return undefined
  const merged =
    original === undefined
      ? takenOver(patch ?? [])
      : patch === undefined
        ? original
        : type.merge
          ? mergeLists(original, patch, type, mergeMaps)
          : patch
  holdsMaps(original ?? [], patch ?? [])
  const out = ordered(merged, order, original ?? [], type.key)
  return original !== undefined && sameItems(out, original) ? original : out
}
