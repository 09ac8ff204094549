// What changed between two versions of an object: lists by their keys as Kubernetes' schemas say, else by what names their items, so that
// one inserted item is one change. Owns paths and order of the changes; refuses metadata.managedFields, which is bookkeeping.
import { isJsonObject, type Json, type JsonObject, parseApiVersion, sameJson, type Schema, schemaOfKind } from "#kube"
import type { DiffLine } from "./Span.ts"

/** Changes of one pair that are told; the last line says that there are more. */
export const DIFF_LINES_MAX = 500

/** Fields by which items of a list are told apart where no schema says it, the first that all of them have. */
const naming = ["uid", "name", "type", "key", "id"] as const

type Add = (path: string, before: Json | undefined, after: Json | undefined) => void

/** Changes in the order of paths' depth-first walk, fields by name; none when the objects say the same. */
export const diffOf = (before: Json, after: Json): ReadonlyArray<DiffLine> => {
  const lines: Array<DiffLine> = []
  let more = 0
  const text = (value: Json | undefined): string | undefined =>
    value === undefined ? undefined : JSON.stringify(value)
  const add: Add = (path, from, to) => {
    if (path === "metadata.managedFields") return
    if (lines.length < DIFF_LINES_MAX) lines.push({ path, old: text(from), new: text(to) })
    else more++
  }
  compare("", before, after, schemaOf(after) ?? schemaOf(before), add)
  if (more > 0) lines.push({ path: `(${more} more changes)`, old: undefined, new: undefined })
  return lines
}

const schemaOf = (object: Json): Schema | undefined => {
  if (!isJsonObject(object) || typeof object["kind"] !== "string" || typeof object["apiVersion"] !== "string") return
  const { group, version } = parseApiVersion(object["apiVersion"])
  return schemaOfKind(group, version, object["kind"])
}

const compare = (
  path: string,
  before: Json | undefined,
  after: Json | undefined,
  schema: Schema | undefined,
  add: Add
) => {
  if (sameJson(before, after)) return
  if (isJsonObject(before) && isJsonObject(after)) return compareFields(path, before, after, schema, add)
  if (Array.isArray(before) && Array.isArray(after)) return compareLists(path, before, after, schema, add)
  add(path, before, after)
}

const compareFields = (path: string, before: JsonObject, after: JsonObject, schema: Schema | undefined, add: Add) => {
  for (const field of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const below = schema?.fields?.get(field) ?? schema?.values
    compare(step(path, field), before[field], after[field], below, add)
  }
}

const compareLists = (
  path: string,
  before: ReadonlyArray<Json>,
  after: ReadonlyArray<Json>,
  schema: Schema | undefined,
  add: Add
): void => {
  const keyOf = keying([...before, ...after], schema)
  const olds = keyed(before, keyOf)
  const news = keyed(after, keyOf)
  if (olds === undefined || news === undefined) {
    for (let at = 0; at < Math.max(before.length, after.length); at++) {
      compare(`${path}[${at}]`, before[at], after[at], schema?.items, add)
    }
    return
  }
  const lines: Array<string> = [...olds.keys(), ...Array.from(news.keys()).filter((key) => !olds.has(key))]
  for (const key of lines.sort()) compare(`${path}[${key}]`, olds.get(key), news.get(key), schema?.items, add)
  // The same items in another order are a change of the order alone.
  const kept = (items: ReadonlyMap<string, Json>, other: ReadonlyMap<string, Json>) =>
    Array.from(items.keys()).filter((key) => other.has(key))
  const [was, is] = [kept(olds, news), kept(news, olds)]
  if (was.some((key, at) => key !== is[at])) add(`${path}[order]`, was, is)
}

type KeyOf = (item: Json) => string | undefined

/** How a list's items are told apart; undefined when they have places only. */
const keying = (items: ReadonlyArray<Json>, schema: Schema | undefined): KeyOf | undefined => {
  const { listMapKeys, listType, patchMergeKey } = schema ?? {}
  if (listType === "map" && listMapKeys !== undefined) return keyBy(listMapKeys, schema?.items)
  if (listType === "set" || items.every((item) => typeof item === "string")) return (item) => JSON.stringify(item)
  if (patchMergeKey !== undefined) return keyBy([patchMergeKey], schema?.items)
  const name = naming.find((field) => items.every((item) => isJsonObject(item) && typeof item[field] === "string"))
  return name === undefined ? undefined : keyBy([name], undefined)
}

const keyBy =
  (fields: ReadonlyArray<string>, items: Schema | undefined): KeyOf =>
  (item) => {
    if (!isJsonObject(item)) return undefined
    const parts: Array<string> = []
    for (const field of fields) {
      // A key that is left out has its default, like a port's protocol.
      const value = item[field] ?? items?.fields?.get(field)?.default
      if (value !== undefined) parts.push(`${field}=${JSON.stringify(value)}`)
    }
    return parts.length === 0 ? undefined : parts.join(",")
  }

/** Items by key; undefined when one has none or two share one. */
const keyed = (items: ReadonlyArray<Json>, keyOf: KeyOf | undefined): ReadonlyMap<string, Json> | undefined => {
  if (keyOf === undefined) return undefined
  const found = new Map<string, Json>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === undefined || found.has(key)) return undefined
    found.set(key, item)
  }
  return found
}

const step = (path: string, field: string): string => {
  if (!/^[A-Za-z_$][\w$]*$/.test(field)) return `${path}[${JSON.stringify(field)}]`
  return path === "" ? field : `${path}.${field}`
}
