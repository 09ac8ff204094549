// JSON Patch (RFC 6902) as a kube-apiserver applies it: replace sets what is missing, indexes may count from the end.
// Owns operations and their messages; refuses to change its input: every operation copies only the objects on its path.
import { isJsonObject, type Json, type JsonArray, type JsonObject, sameJson } from "../Json.ts"
import { type ApiFailure, Failures } from "../Status.ts"
import { patchDoesNotApply } from "./PatchFailures.ts"

/** How many operations a patch may have. */
export const JSON_PATCH_OPERATIONS_LIMIT = 10_000

/** Why an operation does not apply. */
class Inapplicable {
  readonly why: string
  constructor(why: string) {
    this.why = why
  }
}

const MISSING = "missing value"
const INDEX = "invalid index referenced"
const FAILED = "test failed"

const unescape = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~")

/** The parts of a path; undefined when it does not start with a slash. */
const partsOf = (path: string): ReadonlyArray<string> | undefined =>
  path.startsWith("/") ? path.slice(1).split("/").map(unescape) : undefined

type Container = JsonObject | JsonArray

const isList = (container: Container): container is JsonArray => Array.isArray(container)

const badIndex = (index: number): Inapplicable => new Inapplicable(`Unable to access invalid index: ${index}: ${INDEX}`)

/** The place that a part names in a list of that many places, counted from the end when negative. */
const indexOf = (part: string, places: number): number | Inapplicable => {
  if (!/^[+-]?\d+$/.test(part)) return new Inapplicable(`strconv.Atoi: parsing ${JSON.stringify(part)}: invalid syntax`)
  const index = Number(part)
  if (index >= places || index < -places) return badIndex(index)
  return index < 0 ? index + places : index
}

const getIn = (container: Container, key: string): Json | undefined | Inapplicable => {
  if (!isList(container)) return container[key]
  const index = indexOf(key, container.length)
  return index instanceof Inapplicable ? index : container[index]
}

const setIn = (container: Container, key: string, value: Json): Container | Inapplicable => {
  if (!isList(container)) return { ...container, [key]: value }
  const index = indexOf(key, container.length)
  return index instanceof Inapplicable ? index : container.with(index, value)
}

const addIn = (container: Container, key: string, value: Json): Container | Inapplicable => {
  if (!isList(container)) return { ...container, [key]: value }
  if (key === "-") return [...container, value]
  const index = indexOf(key, container.length + 1)
  if (index instanceof Inapplicable) {
    return index.why.startsWith("strconv")
      ? new Inapplicable(`value was not a proper array index: '${key}': ${index.why}`)
      : index
  }
  return container.toSpliced(index, 0, value)
}

const removeIn = (container: Container, key: string): Container | Inapplicable => {
  if (isList(container)) {
    const index = indexOf(key, container.length)
    return index instanceof Inapplicable ? index : container.toSpliced(index, 1)
  }
  if (container[key] === undefined) return new Inapplicable(`Unable to remove nonexistent key: ${key}: ${MISSING}`)
  const { [key]: _, ...rest } = container
  return rest
}

interface Found {
  readonly containers: ReadonlyArray<Container>
  readonly parts: ReadonlyArray<string>
  readonly key: string
}

/** The containers from the document down to the one that holds the path's last part. */
const find = (document: Json, path: string): Found | undefined => {
  const parts = partsOf(path)
  if (parts === undefined) return undefined
  const containers: Array<Container> = []
  let at: Json | undefined | Inapplicable = document
  for (const [depth, part] of parts.entries()) {
    if (typeof at !== "object" || at === null || at instanceof Inapplicable) return undefined
    const container: Container = at
    containers.push(container)
    if (depth < parts.length - 1) at = getIn(container, part)
  }
  return { containers, parts, key: parts.at(-1) ?? "" }
}

const innermost = ({ containers }: Found): Container => containers.at(-1) ?? {}

/** The document with the innermost container replaced. */
const rebuilt = ({ containers, parts }: Found, changed: Container): Json | Inapplicable => {
  let value: Container = changed
  for (let depth = containers.length - 2; depth >= 0; depth--) {
    const next = setIn(containers[depth], parts[depth], value)
    if (next instanceof Inapplicable) return next
    value = next
  }
  return value
}

const change = (
  document: Json,
  path: string,
  missing: string,
  failed: string,
  run: (container: Container, key: string) => Container | Inapplicable
): Json | Inapplicable => {
  const found = find(document, path)
  if (found === undefined) return new Inapplicable(missing)
  const changed = run(innermost(found), found.key)
  return changed instanceof Inapplicable ? new Inapplicable(`${failed}: ${changed.why}`) : rebuilt(found, changed)
}

const add = (document: Json, path: string, value: Json): Json | Inapplicable =>
  change(
    document,
    path,
    `add operation does not apply: doc is missing path: "${path}": ${MISSING}`,
    `error in add for path: '${path}'`,
    (container, key) => addIn(container, key, value)
  )

const remove = (document: Json, path: string): Json | Inapplicable =>
  change(
    document,
    path,
    `remove operation does not apply: doc is missing path: "${path}": ${MISSING}`,
    `error in remove for path: '${path}'`,
    removeIn
  )

const replace = (document: Json, path: string, value: Json): Json | Inapplicable => {
  if (path === "") {
    if (typeof value === "object" && value !== null) return value
    return new Inapplicable("replace operation value must be object or array: %!w(<nil>)")
  }
  const found = find(document, path)
  if (found !== undefined && getIn(innermost(found), found.key) instanceof Inapplicable) {
    return new Inapplicable(`replace operation does not apply: doc is missing key: ${path}: ${MISSING}`)
  }
  return change(
    document,
    path,
    `replace operation does not apply: doc is missing path: ${path}: ${MISSING}`,
    `error in remove for path: '${path}'`,
    (container, key) => setIn(container, key, value)
  )
}

const move = (document: Json, from: string, path: string): Json | Inapplicable => {
  const found = find(document, from)
  if (found === undefined) {
    return new Inapplicable(`move operation does not apply: doc is missing from path: ${from}: ${MISSING}`)
  }
  const value = getIn(innermost(found), found.key)
  if (value instanceof Inapplicable) return new Inapplicable(`error in move for path: '${found.key}': ${value.why}`)
  const without = change(document, from, "", `error in move for path: '${found.key}'`, removeIn)
  if (without instanceof Inapplicable) return without
  return change(
    without,
    path,
    `move operation does not apply: doc is missing destination path: ${path}: ${MISSING}`,
    `error in move for path: '${path}'`,
    (container, key) => addIn(container, key, value ?? null)
  )
}

const copy = (document: Json, from: string, path: string): Json | Inapplicable => {
  const found = find(document, from)
  if (found === undefined) {
    return new Inapplicable(`copy operation does not apply: doc is missing from path: ${from}: ${MISSING}`)
  }
  const value = getIn(innermost(found), found.key)
  if (value instanceof Inapplicable) return new Inapplicable(`error in copy for from: '${from}': ${value.why}`)
  return change(
    document,
    path,
    `copy operation does not apply: doc is missing destination path: ${path}: ${MISSING}`,
    "error while adding value during copy",
    (container, key) => addIn(container, key, value ?? null)
  )
}

const test = (document: Json, path: string, value: Json): Json | Inapplicable => {
  const failed = new Inapplicable(`testing value ${path} failed: ${FAILED}`)
  if (path === "") return sameJson(document, value) ? document : failed
  const found = find(document, path)
  if (found === undefined) {
    return new Inapplicable(`test operation does not apply: is missing path: ${path}: ${MISSING}`)
  }
  const held = getIn(innermost(found), found.key)
  if (held instanceof Inapplicable) return new Inapplicable(`error in test for path: '${path}': ${held.why}`)
  return sameJson(held ?? null, value) ? document : failed
}

const applyOperation = (document: Json, operation: JsonObject): Json | Inapplicable => {
  const { from, op, path, value = null } = operation
  if (typeof op !== "string") return new Inapplicable("Unexpected kind: unknown")
  const where = typeof path === "string" ? path : undefined
  const undecoded = new Inapplicable(`${op} operation failed to decode path: ${MISSING}`)
  switch (op) {
    case "add":
      return where === undefined ? undecoded : add(document, where, value)
    case "remove":
      return where === undefined ? undecoded : remove(document, where)
    case "replace":
      return where === undefined ? undecoded : replace(document, where, value)
    case "test":
      return where === undefined ? undecoded : test(document, where, value)
    case "move":
    case "copy":
      if (typeof from !== "string") return new Inapplicable(`${op} operation failed to decode from: ${MISSING}`)
      if (where === undefined) return undecoded
      return op === "move" ? move(document, from, where) : copy(document, from, where)
    default:
      return new Inapplicable(`Unexpected kind: ${op}`)
  }
}

const FIELDS: ReadonlySet<string> = new Set(["op", "path", "from", "value"])

const nameOfKind = (value: Json | undefined): string =>
  Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : value === null ? "null" : typeof value

const decodingProblem = (patch: Json): string | undefined => {
  if (!Array.isArray(patch)) {
    return patch === null
      ? undefined
      : `json: cannot unmarshal ${nameOfKind(patch)} into Go value of type []handlers.jsonPatchOp`
  }
  for (const operation of patch as JsonArray) {
    if (operation === null) continue
    if (!isJsonObject(operation)) {
      return `json: cannot unmarshal ${nameOfKind(operation)} into Go value of type handlers.jsonPatchOp`
    }
    for (const field of ["op", "path", "from"]) {
      const value = operation[field]
      if (value === undefined || value === null || typeof value === "string") continue
      return `json: cannot unmarshal ${nameOfKind(value)} into Go struct field jsonPatchOp.${field} of type string`
    }
  }
  return undefined
}

/** Fields of operations that no operation has, as strict decoding reports them: `json patch unknown field "[0].foo"`. */
export const jsonPatchUnknownFields = (patch: Json): ReadonlyArray<string> =>
  (Array.isArray(patch) ? (patch as JsonArray) : []).flatMap((operation, at) =>
    isJsonObject(operation)
      ? Object.keys(operation)
          .filter((field) => !FIELDS.has(field))
          .map((field) => `json patch unknown field "[${at}].${field}"`)
      : []
  )

/**
 * The document after all operations, sharing what they left alone. Fails with 400 when the patch is malformed, 413 when it has more
 * than 10,000 operations, 422 when one does not apply.
 */
export const applyJsonPatch = (document: Json, patch: Json): Json | ApiFailure => {
  const problem = decodingProblem(patch)
  if (problem !== undefined) return Failures.badRequest(`error decoding patch: ${problem}`)
  const operations = Array.isArray(patch) ? (patch as JsonArray) : []
  if (operations.length > JSON_PATCH_OPERATIONS_LIMIT) {
    return Failures.tooLarge(
      `The allowed maximum operations in a JSON patch is ${JSON_PATCH_OPERATIONS_LIMIT}, got ${operations.length}`
    )
  }
  let patched = document
  for (const operation of operations) {
    const next = applyOperation(patched, isJsonObject(operation) ? operation : {})
    if (next instanceof Inapplicable) return patchDoesNotApply(next.why)
    patched = next
  }
  return patched
}
