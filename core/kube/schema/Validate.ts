// Validates a value by a schema as a kube-apiserver validates custom resources: types, required fields, enums, formats, nulls,
// and lists that are sets or maps.
// Owns what a Schema carries; refuses ranges, lengths, patterns and CEL, which the CustomResourceDefinitions' own room adds.
import { isIP, isIPv4, isIPv6 } from "node:net"
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"
import type { Schema } from "../Schema.ts"
import type { FieldProblem } from "../Status.ts"
import { parseRfc3339 } from "../Timestamp.ts"

const typeOfValue = (value: Json): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "array"
      : typeof value === "number"
        ? Number.isInteger(value)
          ? "integer"
          : "number"
        : typeof value

const fits = (schema: Schema, value: Json): boolean => {
  const type = typeOfValue(value)
  switch (schema.type) {
    case "any":
      return true
    case "int-or-string":
      return type === "integer" || type === "string"
    case "number":
      return type === "number" || type === "integer"
    default:
      return type === schema.type
  }
}

/** Formats of texts that are looked at; others are names without meaning here. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": (text) => parseRfc3339(text) !== undefined,
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseRfc3339(`${text}T00:00:00Z`) !== undefined,
  duration: (text) => /^-?(\d+(\.\d+)?(ns|us|µs|μs|ms|s|m|h|d|w))+$/.test(text) || text === "0",
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  email: (text) => /^[^@\s<>]+@[^@\s<>]+$/.test(text),
  hostname: (text) => text.length <= 255 && /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/i.test(text),
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: (text) => /^[^/]+\/\d{1,3}$/.test(text) && isIP(text.slice(0, text.indexOf("/"))) !== 0,
  mac: (text) => /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text),
  uri: (text) => URL.canParse(text)
}

const shown = (value: Json): string => JSON.stringify(value)

const scalarProblems = (schema: Schema, value: Json, path: string, found: Array<FieldProblem>): void => {
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    const detail = `supported values: ${schema.enum.map((one) => shown(one)).join(", ")}`
    found.push({ type: "FieldValueNotSupported", field: path, value, detail })
  }
  if (typeof value !== "string" || schema.format === undefined) return
  if (formats[schema.format]?.(value) === false) {
    const detail = `${path} in body must be of type ${schema.format}: ${shown(value)}`
    found.push({ type: "FieldValueInvalid", field: path, value, detail })
  }
}

const keyOf = (item: Json, keys: ReadonlyArray<string>): string =>
  JSON.stringify(isJsonObject(item) ? keys.map((key) => item[key] ?? null) : item)

const listProblems = (schema: Schema, items: JsonArray, path: string, found: Array<FieldProblem>): void => {
  if (schema.listType === "set" || schema.listType === "map") {
    const keys = schema.listType === "map" ? (schema.listMapKeys ?? []) : []
    const seen = new Set<string>()
    for (const [at, item] of items.entries()) {
      const key = keyOf(item, keys)
      if (seen.has(key)) {
        const value =
          isJsonObject(item) && keys.length > 0 ? Object.fromEntries(keys.map((name) => [name, item[name]])) : item
        found.push({ type: "FieldValueDuplicate", field: `${path}[${at}]`, value, detail: "" })
      }
      seen.add(key)
    }
  }
  if (schema.items === undefined) return
  for (const [at, item] of items.entries()) problemsOf(schema.items, item, `${path}[${at}]`, found)
}

const objectProblems = (schema: Schema, object: JsonObject, path: string, found: Array<FieldProblem>): void => {
  const below = (name: string): string => (path === "" ? name : `${path}.${name}`)
  for (const name in object) {
    const value = object[name]
    const field = schema.fields?.get(name) ?? schema.values
    if (value === undefined || field === undefined) continue
    problemsOf(field, value, below(name), found)
  }
  for (const name of schema.required ?? []) {
    if (object[name] === undefined) {
      found.push({ type: "FieldValueRequired", field: below(name), detail: "" })
    }
  }
}

const problemsOf = (schema: Schema, value: Json, path: string, found: Array<FieldProblem>): void => {
  if (value === null && schema.nullable === true) return
  if (!fits(schema, value)) {
    const type = typeOfValue(value)
    const wanted = schema.type === "int-or-string" ? "integer,string" : schema.type
    const detail = `${path} in body must be of type ${wanted}: ${JSON.stringify(type)}`
    found.push({ type: "FieldValueTypeInvalid", field: path === "" ? "<nil>" : path, value: type, detail })
    return
  }
  scalarProblems(schema, value, path, found)
  if (Array.isArray(value)) listProblems(schema, value, path, found)
  else if (isJsonObject(value)) objectProblems(schema, value, path, found)
}

/** All rules of the schema that a value breaks, in the order of the value; each with its path below `path`. */
export const schemaProblems = (schema: Schema, value: Json, path = ""): ReadonlyArray<FieldProblem> => {
  const found: Array<FieldProblem> = []
  problemsOf(schema, value, path, found)
  return found
}
