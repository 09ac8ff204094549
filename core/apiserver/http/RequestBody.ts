// The body of a write: read up to a bound, decoded by its content type, with what strict decoding complains of.
// Owns media types in and the wording of refusals; refuses unknown fields, which the schema tells, and the object's rules.
import { ApiFailure, duplicateFieldProblem, duplicateFields, Failures, type Json, type Patch } from "#kube"
import { parseDocument } from "yaml"
import { hasDuplicates } from "./KeyCount.ts"
import { objectMediaTypes } from "./Negotiation.ts"
import { decodeProtobuf } from "./ProtobufBody.ts"

/** Bytes of the largest body, as kube-apiserver's. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024

export interface Decoded {
  readonly value: Json
  /** Complaints of strict decoding, like `duplicate field "data.a"`. */
  readonly duplicates: ReadonlyArray<string>
}

const NONE: ReadonlyArray<string> = []

const mediaType = (contentType: string | undefined): string =>
  (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? ""

const patchTypes: Readonly<Record<string, Patch["type"]>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply"
}

/** Which patch a content type announces. */
export const patchTypeOf = (contentType: string | undefined): Patch["type"] | ApiFailure =>
  patchTypes[mediaType(contentType)] ?? Failures.generic(415, "UnsupportedMediaType", "415: Unsupported Media Type")

/** How a body is written. */
export type BodyFormat = "json" | "yaml" | "protobuf"

/** Whether a content type is one of objects; a failure with code 415 otherwise. Absent means JSON. */
export const objectFormat = (contentType: string | undefined): BodyFormat | ApiFailure => {
  const type = mediaType(contentType)
  if (type === "" || type === "application/json") return "json"
  if (type === "application/vnd.kubernetes.protobuf") return "protobuf"
  return type === "application/yaml" ? "yaml" : Failures.unsupportedMediaType(objectMediaTypes)
}

/** `kind` is the one that the resource's objects have. */
const undecodable = (kind: string, why: string): ApiFailure =>
  Failures.badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why}`)

/** What a message shows of a body: its text when it is short, hexadecimal when it does not begin like an object. */
const shown = (bytes: Uint8Array): string => {
  if (bytes.length === 0) return "<empty>"
  const text = Buffer.from(bytes.subarray(0, 1024))
  return text.toString("latin1").startsWith("{")
    ? text.toString("utf8")
    : `${text.toString("hex")}${bytes.length > 1024 ? " ..." : ""}`
}

/** JSON in UTF-8. */
export const decodeJson = (bytes: Uint8Array, kind: string): Decoded | ApiFailure => {
  let value: Json
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
  try {
    value = JSON.parse(text) as Json
  } catch (error) {
    return undecodable(
      kind,
      `couldn't get version/kind; json parse error: ${jsonProblem(error, text)} (${shown(bytes)})`
    )
  }
  return { value, duplicates: hasDuplicates(bytes, value) ? duplicateFields(text).map(duplicateFieldProblem) : [] }
}

/** What Go's decoder says where V8's says this. */
const complaintsOfGo: ReadonlyArray<readonly [RegExp, string]> = [
  [/property name/, "looking for beginning of object key string"],
  [/':'/, "after object key"],
  [/',' or '}'/, "after object key:value pair"],
  [/',' or ']'/, "after array element"],
  [/whitespace|after JSON/, "after top-level value"]
]

const jsonProblem = (error: unknown, text: string): string => {
  const message = error instanceof Error ? error.message : ""
  const [, position] = /at position (\d+)/.exec(message) ?? []
  const at = position === undefined ? -1 : Number(position)
  if (/end of|Unterminated/.test(message) || at >= text.length) return "unexpected end of JSON input"
  const [, token] = /^Unexpected token '(.)'/su.exec(message) ?? []
  const character = token ?? (at < 0 ? "" : text.slice(at, at + 1))
  const [, where = "looking for beginning of value"] = complaintsOfGo.find(([pattern]) => pattern.test(message)) ?? []
  return `invalid character '${character}' ${where}`
}

/** YAML, or JSON, which it contains. */
export const decodeYaml = (bytes: Uint8Array, kind: string): Decoded | ApiFailure => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
  if (text.trimStart().startsWith("{")) return decodeJson(bytes, kind)
  const document = parseDocument(text, { uniqueKeys: true, merge: true, logLevel: "silent" })
  const duplicates: Array<string> = []
  for (const error of document.errors) {
    if (error.code !== "DUPLICATE_KEY") return undecodable(kind, `yaml: ${firstLine(error.message)}`)
    const key = /^[^:\s]*/.exec(text.slice(error.pos[0]))?.[0] ?? ""
    duplicates.push(`line ${error.linePos?.[0].line ?? 0}: key ${JSON.stringify(key)} already set in map`)
  }
  // Aliases are expanded: bounded, so that a few lines cannot grow without end.
  return { value: document.toJS({ maxAliasCount: 100 }) as Json, duplicates }
}

const firstLine = (text: string): string => text.split("\n")[0] ?? ""

export const decodeObject = (bytes: Uint8Array, format: BodyFormat, kind: string): Decoded | ApiFailure => {
  if (format === "json") return decodeJson(bytes, kind)
  if (format === "yaml") return decodeYaml(bytes, kind)
  const decoded = decodeProtobuf(bytes, kind)
  return decoded instanceof ApiFailure ? decoded : { ...decoded, duplicates: NONE }
}

export const tooLargeBody = (): ApiFailure => Failures.tooLarge(`Request entity too large: limit is ${BODY_BYTES_MAX}`)
