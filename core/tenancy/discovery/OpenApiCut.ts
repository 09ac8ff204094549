// One OpenAPI document, of version 2 or 3, cut down to what a tenant is served and renamed to the tenant's groups.
// Owns which paths stay, which schemas they reach, and the three places where a group's name stands; refuses everything else.
import { isJsonObject, type Json, type JsonObject } from "#kube"

export interface CutOptions {
  /** The tenant's name of a group; undefined for another's. */
  readonly groupDown: (group: string) => string | undefined
  /** "t-". */
  readonly prefix: string
  readonly isServed: (group: string, version: string, resource: string) => boolean
  readonly isReadOnly: (group: string, version: string, resource: string) => boolean
}

interface PathParts {
  readonly group: string
  readonly version: string
  readonly resource: string
}

const partsOf = (path: string): PathParts | undefined => {
  const segments = path.split("/").filter((segment) => segment !== "")
  const isCore = segments[0] === "api"
  if (!isCore && segments[0] !== "apis") return undefined
  const [group = "", version = "", ...rest] = isCore ? ["", ...segments.slice(1)] : segments.slice(1)
  const inNamespace = rest[0] === "namespaces" && rest[1]?.startsWith("{") === true && rest[2] !== undefined
  const third = rest[2]
  const ofNamespace = third === "status" || third === "finalize"
  const resource = inNamespace && !ofNamespace ? (rest[2] ?? "") : (rest[0] ?? "")
  return { group, version, resource }
}

const writes: ReadonlySet<string> = new Set(["post", "put", "patch", "delete"])

/** A path of the document in the tenant's names, with what stays of it; undefined when nothing does. */
const cutPath = (path: string, item: Json, options: CutOptions): readonly [string, Json] | undefined => {
  const parts = partsOf(path)
  if (parts === undefined) return path === "/version/" ? [path, item] : undefined
  const { group, resource, version } = parts
  if (resource === "watch") return undefined
  const down = options.groupDown(group)
  if (down === undefined) return undefined
  if (resource !== "" && !options.isServed(group, version, resource)) return undefined
  const own = group === down ? path : path.replace(`/apis/${group}`, `/apis/${down}`)
  if (!isJsonObject(item) || !options.isReadOnly(group, version, resource)) return [own, item]
  return [own, Object.fromEntries(Object.entries(item).filter(([method]) => !writes.has(method)))]
}

const REFERENCE = /"\$ref":"#\/(?:definitions|components\/schemas)\/([^"]+)"/g

/** Names of schemas that a text refers to. */
const referencesIn = (text: string): ReadonlySet<string> =>
  new Set(Array.from(text.matchAll(REFERENCE), ([, name = ""]) => name.replaceAll("~1", "/").replaceAll("~0", "~")))

/** The schemas that the paths need, those of schemas too. */
const reached = (paths: JsonObject, schemas: JsonObject): ReadonlySet<string> => {
  const found = new Set<string>()
  const pending = [...referencesIn(JSON.stringify(paths))]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue
    found.add(name)
    const schema = schemas[name]
    if (schema !== undefined) pending.push(...referencesIn(JSON.stringify(schema)))
  }
  return found
}

/** Kinds' own extensions list every group that uses a schema such as DeleteOptions: those of others are left out. */
const withOwnKinds = (value: Json, options: CutOptions): Json => {
  if (Array.isArray(value)) return value.map((each) => withOwnKinds(each, options))
  if (!isJsonObject(value)) return value
  const own: Record<string, Json> = {}
  for (const name of Object.keys(value)) {
    const field = value[name] ?? null
    own[name] = name === "x-kubernetes-group-version-kind" ? kindsOf(field, options) : withOwnKinds(field, options)
  }
  return own
}

const kindsOf = (value: Json, options: CutOptions): Json => {
  const one = (kind: Json): ReadonlyArray<Json> => {
    const group = isJsonObject(kind) ? kind["group"] : undefined
    if (!isJsonObject(kind) || typeof group !== "string") return []
    const down = options.groupDown(group)
    return down === undefined ? [] : [{ ...kind, group: down }]
  }
  return Array.isArray(value) ? value.flatMap(one) : (one(value)[0] ?? value)
}

/** A schema's name has the group's parts the other way round ("io.t-acme.v1.Widget"): the tenant's prefix stands before its first part. */
const renamed = (text: string, prefix: string): string =>
  text.replaceAll(new RegExp(`(?<![A-Za-z0-9-])${prefix}(?=[a-z0-9])`, "g"), "")

export const cutDocument = (document: JsonObject, options: CutOptions): JsonObject => {
  const { components, definitions, paths } = document
  const own: Record<string, Json> = {}
  for (const path of isJsonObject(paths) ? Object.keys(paths) : []) {
    const cut = cutPath(path, (paths as JsonObject)[path] ?? null, options)
    if (cut !== undefined) own[cut[0]] = cut[1]
  }
  const inComponents = isJsonObject(components) && isJsonObject(components["schemas"]) ? components["schemas"] : {}
  const schemas = isJsonObject(definitions) ? definitions : inComponents
  const needed = reached(own, schemas)
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => needed.has(name)))
  const { components: _, definitions: __, ...rest } = document
  const cut = withOwnKinds(
    isJsonObject(definitions)
      ? { ...rest, paths: own, definitions: kept }
      : { ...rest, paths: own, components: { ...(isJsonObject(components) ? components : {}), schemas: kept } },
    options
  )
  return JSON.parse(renamed(JSON.stringify(cut), options.prefix)) as JsonObject
}
