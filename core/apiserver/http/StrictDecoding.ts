// What a body must be before the Api sees it: an object of the resource's kind, without unknown or doubled fields when the client
// asked for that.
// Owns the order and wording of kube-apiserver's decoder; refuses every rule of the object's own.
import {
  type ApiFailure,
  apiVersionOf,
  cannotBeHandled,
  decodeProblem,
  Failures,
  type GroupVersionKind,
  isJsonObject,
  type JsonObject,
  type KubeObject,
  parseApiVersion,
  type Schema,
  schemaOfKind,
  strictDecodingMessage,
  unknownFieldProblem,
  unknownFields
} from "#kube"
import type { RequestOptions } from "../Request.ts"
import type { Decoded } from "./RequestBody.ts"

/** What a body is to be. */
export interface Expected extends GroupVersionKind {
  /** Of a resource that the Api keeps; undefined for what only actions read. */
  readonly schema: Schema | undefined
  /** Other kinds of the server, which are told apart from kinds that nobody knows. */
  readonly isKnown: (kind: GroupVersionKind) => boolean
}

export interface Accepted {
  readonly object: KubeObject
  /** For the Warning header. */
  readonly warnings: ReadonlyArray<string>
}

const otherKind = (given: GroupVersionKind, expected: Expected): ApiFailure => {
  const { kind, version } = given
  const head = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}`
  if (!expected.isKnown(given)) {
    const full = JSON.stringify(apiVersionOf(given))
    return Failures.badRequest(
      `${head}: no kind ${JSON.stringify(kind)} is registered for version ${full} in scheme "pkg/runtime/scheme.go:111"`
    )
  }
  const group = expected.group === "" ? "core" : (expected.group.split(".")[0] ?? "")
  return Failures.badRequest(
    `${head}: converting (${version}.${kind}) to (${group}.${expected.kind}): unknown conversion`
  )
}

const kindOf = (value: JsonObject, expected: Expected): GroupVersionKind => {
  const { apiVersion, kind } = value
  const named = typeof apiVersion === "string" && apiVersion !== "" ? parseApiVersion(apiVersion) : expected
  return {
    group: named.group,
    version: named.version,
    kind: typeof kind === "string" && kind !== "" ? kind : expected.kind
  }
}

/** The object of a decoded body, with kind and version filled in where it leaves them out. */
export const acceptBody = (decoded: Decoded, expected: Expected, options: RequestOptions): Accepted | ApiFailure => {
  const { value } = decoded
  if (!isJsonObject(value)) {
    const shape = Array.isArray(value) ? "array" : value === null ? "null" : typeof value
    return Failures.badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; ` +
        `json parse error: json: cannot unmarshal ${shape} into Go value of type an object with apiVersion and kind`
    )
  }
  const given = kindOf(value, expected)
  if (given.kind !== expected.kind || given.version !== expected.version || given.group !== expected.group) {
    return otherKind(given, expected)
  }
  const strictness = options.fieldValidation ?? "Warn"
  // The Api looks at its own resources' fields itself. It is done here where nobody else would, and where what is said of fields
  // that stand twice is to be one text with what is said of unknown ones.
  const looks = expected.schema === undefined || strictness === "Strict" || decoded.duplicates.length > 0
  if (!looks) return { object: completed(value, expected), warnings: [] }
  const schema = expected.schema ?? schemaOfKind(expected.group, expected.version, expected.kind)
  const wrong = schema?.name === undefined ? undefined : decodeProblem(schema, value)
  if (wrong !== undefined) return Failures.badRequest(cannotBeHandled(expected.kind, expected.version, wrong))
  const warnings = strictness === "Ignore" ? [] : complaints(decoded, schema, value)
  if (strictness === "Strict" && warnings.length > 0) {
    return Failures.badRequest(cannotBeHandled(expected.kind, expected.version, strictDecodingMessage(warnings)))
  }
  return { object: completed(value, expected), warnings }
}

const complaints = (decoded: Decoded, schema: Schema | undefined, value: JsonObject): ReadonlyArray<string> => {
  const unknown = schema === undefined ? [] : unknownFields(schema, value).map(unknownFieldProblem)
  return [...unknown, ...decoded.duplicates]
}

/** Metadata is always there from here on: a null counts as none. */
const completed = (value: JsonObject, expected: Expected): KubeObject => {
  const metadata = isJsonObject(value["metadata"]) ? value["metadata"] : {}
  if (value["kind"] === expected.kind && typeof value["apiVersion"] === "string" && value["metadata"] === metadata) {
    // SAFETY: kind, apiVersion and metadata were checked just above, and the schema's types before.
    return value as unknown as KubeObject
  }
  return { ...value, apiVersion: apiVersionOf(expected), kind: expected.kind, metadata }
}
