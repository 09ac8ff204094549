// The published JSON Schema of a scenario file, generated from the Effect schema so that the two cannot differ.
// Adds one thing that lives outside the decoded schema: any scalar may be written as a ${parameter}.
import { Schema } from "effect"
import { Scenario } from "./Scenario.ts"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

const reference: Json = { $ref: "#/$defs/parameter" }

const scalarTypes: ReadonlySet<Json | undefined> = new Set(["number", "integer", "boolean"])

const isMapping = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isScalar = (schema: { readonly [key: string]: Json }): boolean =>
  scalarTypes.has(schema["type"]) ||
  (schema["type"] === "string" && ("enum" in schema || "pattern" in schema || "allOf" in schema))

/** Lets every scalar that is not free text also be a whole `${parameter}`; apiVersion and kind stay as they are. */
const withParameters = (schema: Json, key = ""): Json => {
  if (Array.isArray(schema)) return schema.map((item) => withParameters(item, key))
  if (!isMapping(schema)) return schema
  if (isScalar(schema) && key !== "apiVersion" && key !== "kind") {
    const { description, ...rest } = schema
    return { ...(description === undefined ? {} : { description }), anyOf: [rest, reference] }
  }
  const entries = Object.entries(schema).map(([name, inner]): [string, Json] => {
    if (name === "properties" && isMapping(inner)) {
      const fields = Object.entries(inner).map(([field, type]): [string, Json] => [
        field,
        field === "params" && key === "" ? type : withParameters(type, key === "" ? field : "nested")
      ])
      return [name, Object.fromEntries(fields)]
    }
    const nests = name === "items" || name === "anyOf" || name === "additionalProperties"
    return [name, nests ? withParameters(inner, "nested") : inner]
  })
  return Object.fromEntries(entries)
}

/** The JSON Schema (draft 2020-12) that `scenarios/scenario.schema.json` publishes. */
export const scenarioJsonSchema = (): Json => {
  const { definitions, schema } = Schema.toJsonSchemaDocument(Scenario, { onExcessProperty: "error" })
  const document = withParameters(JSON.parse(JSON.stringify(schema)) as Json)
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://kubewharf.io/schemas/scenario-v1.json",
    ...(isMapping(document) ? document : {}),
    $defs: {
      ...(JSON.parse(JSON.stringify(definitions)) as { readonly [key: string]: Json }),
      parameter: {
        type: "string",
        pattern: "^\\$\\{[A-Za-z][A-Za-z0-9_-]*\\}$",
        description: "A parameter declared under params"
      }
    }
  }
}

/** The published file's exact text. */
export const scenarioJsonSchemaText = (): string => `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`
