// Whether a JSON value can be read into one of Kubernetes' own types, and the words in which a kube-apiserver says that it cannot.
// Owns JSON's types against a schema's; refuses unknown fields (Prune.ts) and every rule beyond types, which strategies know.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"
import type { Schema } from "../Schema.ts"
import { isRfc3339 } from "../Timestamp.ts"
import { ItemsBefore } from "./ItemsBefore.ts"

/** Where a wrong value stands: the struct that holds it and the names of fields that lead there. */
interface Place {
  readonly struct: string
  readonly path: string
}

const packageType = (name: string): string => {
  const parts = name.split(".")
  return `${parts.at(-2)}.${parts.at(-1)}`
}

const scalarTypes: Partial<Record<Schema["type"], string>> = {
  string: "string",
  boolean: "bool",
  integer: "int64",
  number: "float64",
  "int-or-string": "int32",
  any: "interface {}"
}

/** The Go type that a schema was made from, as far as messages name it. */
const goType = (schema: Schema): string => {
  if (schema.type === "array") return `[]${schema.items === undefined ? "interface {}" : goType(schema.items)}`
  if (schema.values !== undefined) return `map[string]${goType(schema.values)}`
  if (schema.format === "byte") return "[]uint8"
  if (schema.name !== undefined) return packageType(schema.name)
  if (schema.type === "integer" && schema.format === "int32") return "int32"
  return scalarTypes[schema.type] ?? "map[string]interface {}"
}

const kindOfValue = (value: Json): string =>
  Array.isArray(value)
    ? "array"
    : typeof value === "object"
      ? "object"
      : typeof value === "boolean"
        ? "bool"
        : typeof value

const mismatch = (value: Json, schema: Schema, place: Place | undefined, shown = kindOfValue(value)): string =>
  place === undefined
    ? `json: cannot unmarshal ${shown} into Go value of type ${goType(schema)}`
    : `json: cannot unmarshal ${shown} into Go struct field ${place.struct}.${place.path} of type ${goType(schema)}`

const TIME = "2006-01-02T15:04:05Z07:00"
const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const MICRO = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"
const MICRO_TIME = "2006-01-02T15:04:05.000000Z07:00"

/** A MicroTime has exactly six digits behind the point. */
const wrongMicroTime = (text: string): string | undefined => {
  const [, rest = ""] = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(.*)$/.exec(text) ?? []
  return /^\.\d{6}(?!\d)/.test(rest)
    ? undefined
    : `parsing time ${JSON.stringify(text)} as ${JSON.stringify(MICRO_TIME)}: cannot parse ${JSON.stringify(rest)} as ".000000"`
}

const wrongText = (text: string, { format, name }: Schema): string | undefined => {
  if (format === "date-time" && !isRfc3339(text)) {
    return `parsing time ${JSON.stringify(text)} as ${JSON.stringify(TIME)}: cannot parse ${JSON.stringify(text)} as "2006"`
  }
  if (name === MICRO) return wrongMicroTime(text)
  if (format === "quantity" && !QUANTITY.test(text)) {
    return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
  }
  if (format === "byte" && !BASE64.test(text.replaceAll(/[\r\n]/g, ""))) {
    const bad = text.search(/[^A-Za-z0-9+/=]/)
    return `illegal base64 data at input byte ${bad < 0 ? text.length - (text.length % 4) : bad}`
  }
  return undefined
}

const wrongNumber = (value: number, schema: Schema, place: Place | undefined): string | undefined => {
  if (schema.type === "number") return undefined
  const limit = schema.format === "int32" || schema.type === "int-or-string" ? 2 ** 31 : 2 ** 63
  return Number.isInteger(value) && value < limit && value >= -limit
    ? undefined
    : mismatch(value, schema, place, `number ${value}`)
}

const wrongScalar = (schema: Schema, value: Json, place: Place | undefined): string | undefined => {
  switch (schema.type) {
    case "any":
      return undefined
    case "string":
      if (typeof value === "string") return schema.format === undefined ? undefined : wrongText(value, schema)
      return schema.format === "quantity" && typeof value === "number" ? undefined : mismatch(value, schema, place)
    case "boolean":
      return typeof value === "boolean" ? undefined : mismatch(value, schema, place)
    case "int-or-string":
      if (typeof value === "string") return undefined
      return typeof value === "number" ? wrongNumber(value, schema, place) : mismatch(value, schema, place)
    default:
      return typeof value === "number" ? wrongNumber(value, schema, place) : mismatch(value, schema, place)
  }
}

/** Whether a value that is no object and no list can be read. */
export const isReadableScalar = (schema: Schema, value: Json): boolean =>
  wrongScalar(schema, value, undefined) === undefined

const wrongItems = (schema: Schema, items: JsonArray, place: Place | undefined): string | undefined => {
  if (schema.items === undefined) return undefined
  for (const item of items) {
    const wrong = wrongValue(schema.items, item, place)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const wrongFields = (schema: Schema, object: JsonObject, place: Place | undefined): string | undefined => {
  for (const name in object) {
    const value = object[name]
    if (value === undefined || value === null) continue
    const field = schema.fields?.get(name) ?? schema.values
    if (field === undefined) continue
    // Only what can go wrong pays for its path.
    const plain = typeof value !== "object" && wrongScalar(field, value, undefined) === undefined
    if (plain && field.type !== "object" && field.type !== "array") continue
    const struct = schema.name === undefined ? (place?.struct ?? "") : (schema.name.split(".").at(-1) ?? "")
    const path = place === undefined ? name : `${place.path}.${name}`
    const wrong = wrongValue(field, value, schema.fields === undefined ? place : { struct, path })
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const wrongValue = (schema: Schema, value: Json, place: Place | undefined): string | undefined => {
  if (value === null) return undefined
  if (schema.type === "array") {
    return Array.isArray(value) ? wrongItems(schema, value, place) : mismatch(value, schema, place)
  }
  if (schema.type !== "object") return wrongScalar(schema, value, place)
  if (typeof value !== "object" || Array.isArray(value)) {
    // A free-form object of Kubernetes' own types keeps any JSON as it is.
    return schema.preserveUnknownFields === true ? undefined : mismatch(value, schema, place)
  }
  return wrongFields(schema, value as JsonObject, place)
}

/** Whether a value can be read. It builds no words; what is the very same in the version before has been read already. */
const isReadable = (schema: Schema, value: Json, old: Json | undefined): boolean => {
  if (value === null || value === old) return true
  if (schema.type === "array") return Array.isArray(value) && areReadable(schema, value, old)
  if (schema.type !== "object") return wrongScalar(schema, value, undefined) === undefined
  if (!isJsonObject(value)) return schema.preserveUnknownFields === true
  const { fields, values } = schema
  const before = isJsonObject(old) ? old : undefined
  for (const name in value) {
    const one = value[name]
    const field = fields?.get(name) ?? values
    if (one !== undefined && field !== undefined && !isReadable(field, one, before?.[name])) return false
  }
  return true
}

const areReadable = ({ items }: Schema, values: JsonArray, old: Json | undefined): boolean => {
  if (items === undefined) return true
  const before = Array.isArray(old) ? new ItemsBefore(old as JsonArray) : undefined
  for (let at = 0; at < values.length; at++) {
    const value = values[at]
    if (before?.has(value, at) !== true && !isReadable(items, value, before?.at(at))) return false
  }
  return true
}

/**
 * Why a value cannot be read as the schema's type, in the words of Go's decoder and with the first place where it cannot; undefined
 * when it can. What is the very same in `old` is passed over. For Kubernetes' own kinds; custom resources are validated instead
 * (Validate.ts).
 */
export const decodeProblem = (schema: Schema, value: Json, old?: Json): string | undefined =>
  isReadable(schema, value, old) ? undefined : wrongValue(schema, value, undefined)

/** The message of the 400 answer for a body that cannot be read: `Pod in version "v1" cannot be handled as a Pod: why`. */
export const cannotBeHandled = (kind: string, version: string, why: string): string =>
  `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`
