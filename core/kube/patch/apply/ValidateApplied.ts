// Whether an applied configuration has its kind's types: what structured merge refuses, in its words.
// Owns types, unknown fields and duplicates in lists with keys; refuses all other rules, which strategies have.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { goType } from "../GoText.ts"
import { DEDUCED, fieldType, isAtomic, itemElement, Unnamed } from "./FieldTypes.ts"
import { pathText } from "./PathElements.ts"

const scalarProblem = (schema: Schema, value: Json): string | undefined => {
  if (value === null) return undefined
  const isScalar = typeof value !== "object"
  switch (schema.type) {
    case "integer":
    case "number":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goType(value)}`
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got ${goValue(value)}`
    case "string":
      if (schema.format === undefined || schema.format === "byte") {
        return typeof value === "string" ? undefined : `expected string, got ${goStruct(value)}`
      }
      return isScalar ? undefined : `expected any scalar, got ${goValue(value)}`
    case "int-or-string":
      return isScalar ? undefined : `expected any scalar, got ${goValue(value)}`
    default:
      return undefined
  }
}

const goValue = (value: Json): string => JSON.stringify(value)

const goStruct = (value: Json): string => `&value.valueUnstructured{Value:${JSON.stringify(value)}}`

const walk = (schema: Schema, value: Json, path: ReadonlyArray<string>, found: Array<string>): void => {
  const report = (why: string): void => void found.push(path.length === 0 ? why : `${pathText(path)}: ${why}`)
  if (value === null) return
  if (schema.type === "object") {
    if (isJsonObject(value)) walkFields(schema, value, path, found)
    else report(`expected map, got ${goStruct(value)}`)
  } else if (schema.type === "array") {
    if (Array.isArray(value)) walkItems(schema, value, path, found)
    else report(`expected list, got ${goStruct(value)}`)
  } else {
    const why = scalarProblem(schema, value)
    if (why !== undefined) report(why)
  }
}

const walkFields = (schema: Schema, object: JsonObject, path: ReadonlyArray<string>, found: Array<string>): void => {
  for (const name of Object.keys(object)) {
    const value = object[name]
    if (value === undefined) continue
    const type = fieldType(schema, name)
    if (type === undefined) {
      found.push(`${pathText([...path, `f:${name}`])}: field not declared in schema`)
      // The walk over an object ends with its first unknown field.
      return
    }
    walk(type, value, [...path, `f:${name}`], found)
  }
}

const walkItems = (schema: Schema, items: JsonArray, path: ReadonlyArray<string>, found: Array<string>): void => {
  const type = schema.items ?? DEDUCED
  if (isAtomic(schema, true)) {
    for (const [at, item] of items.entries()) walk(type, item, [...path, `i:${at}`], found)
    return
  }
  const seen = new Set<string>()
  for (const [at, item] of items.entries()) {
    const element = itemElement(schema, item)
    if (element instanceof Unnamed) {
      found.push(`${pathText(path)}: element ${at}: ${element.why}`)
      return
    }
    if (seen.has(element)) found.push(`${pathText(path)}: duplicate entries for key ${pathText([element])}`)
    seen.add(element)
    walk(type, item, [...path, element], found)
  }
}

/** What is wrong with a configuration, in the words of structured merge; undefined when nothing is. */
export const appliedProblem = (schema: Schema, applied: JsonObject): string | undefined => {
  const found: Array<string> = []
  walkFields(schema, applied, [], found)
  if (found.length <= 1) return found[0]
  return ["errors:", ...found.map((line) => `  ${line}`)].join("\n")
}
