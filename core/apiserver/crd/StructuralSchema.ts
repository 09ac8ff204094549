// The OpenAPI v3 schema of a CustomResourceDefinition as the Schema that defaulting, pruning, patches and apply read.
// Owns the translation and the rules that make a schema structural; refuses to validate values, which ValueRules.ts does.
// Source: apiextensions-apiserver, pkg/apiserver/schema (structural schemas, KEP-1692).
import {
  type FieldProblem,
  isJsonObject,
  type Json,
  type JsonArray,
  type JsonObject,
  type Schema,
  schemaNamed
} from "#kube"

/** JSONSchemaProps as it is sent. */
export type SchemaProps = JsonObject

export const propsOf = (value: Json | undefined): SchemaProps | undefined => (isJsonObject(value) ? value : undefined)

const texts = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? (value as JsonArray).filter((one): one is string => typeof one === "string") : []

const typeOf = (props: SchemaProps): Schema["type"] => {
  if (props["x-kubernetes-int-or-string"] === true) return "int-or-string"
  const { type } = props
  return type === "object" ||
    type === "array" ||
    type === "string" ||
    type === "integer" ||
    type === "number" ||
    type === "boolean"
    ? type
    : "any"
}

const marks = (props: SchemaProps): Partial<Schema> => ({
  ...(props["x-kubernetes-preserve-unknown-fields"] === true ? { preserveUnknownFields: true } : {}),
  ...(props["x-kubernetes-embedded-resource"] === true ? { embeddedResource: true } : {}),
  ...(props["nullable"] === true ? { nullable: true } : {}),
  ...(props["default"] === undefined ? {} : { default: props["default"] }),
  ...(typeof props["format"] === "string" ? { format: props["format"] } : {}),
  ...(Array.isArray(props["enum"]) ? { enum: props["enum"] as JsonArray } : {}),
  ...(props["required"] === undefined ? {} : { required: texts(props["required"]) })
})

const listMarks = (props: SchemaProps): Partial<Schema> => {
  const listType = props["x-kubernetes-list-type"]
  const keys = texts(props["x-kubernetes-list-map-keys"])
  return {
    ...(listType === "atomic" || listType === "set" || listType === "map" ? { listType } : {}),
    ...(keys.length > 0 ? { listMapKeys: keys } : {})
  }
}

const mapMarks = (props: SchemaProps): Partial<Schema> => {
  const mapType = props["x-kubernetes-map-type"]
  return mapType === "atomic" || mapType === "granular" ? { mapType } : {}
}

/** The Schema of a value that these props describe. */
export const schemaOf = (props: SchemaProps): Schema => {
  const type = typeOf(props)
  const base = { type, ...marks(props) }
  if (type === "array") {
    const items = propsOf(props["items"])
    return { ...base, ...listMarks(props), items: items === undefined ? { type: "any" } : schemaOf(items) }
  }
  if (type !== "object" && props["properties"] === undefined) return base
  const properties = propsOf(props["properties"])
  const additional = props["additionalProperties"]
  const values = propsOf(additional)
  return {
    ...base,
    ...mapMarks(props),
    ...(properties === undefined ? {} : { fields: fieldsOf(properties) }),
    ...(values === undefined ? (additional === true ? { values: { type: "any" } } : {}) : { values: schemaOf(values) }),
    // An object of which nothing is said has no known fields: all are pruned.
    ...(properties === undefined && additional === undefined && base.preserveUnknownFields !== true
      ? { fields: new Map() }
      : {})
  }
}

const fieldsOf = (properties: SchemaProps): ReadonlyMap<string, Schema> =>
  new Map(
    Object.entries(properties).flatMap(([name, value]) => {
      const props = propsOf(value)
      return props === undefined ? [] : [[name, schemaOf(props)] as const]
    })
  )

/** The Schema of a whole custom resource: what its definition says, with the fields that every object has. */
export const resourceSchema = (props: SchemaProps | undefined, preserve: boolean): Schema => {
  const own = props === undefined ? { type: "object" as const, preserveUnknownFields: true } : schemaOf(props)
  const metadata = schemaNamed("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta") ?? { type: "object" as const }
  const fields = new Map(own.fields)
  fields.set("apiVersion", { type: "string" })
  fields.set("kind", { type: "string" })
  fields.set("metadata", metadata)
  return { ...own, type: "object", fields, ...(preserve ? { preserveUnknownFields: true } : {}) }
}

const forbiddenInside: ReadonlyArray<string> = [
  "type",
  "default",
  "additionalProperties",
  "nullable",
  "description",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource"
]

/** What keeps props from being structural, by the path in the definition. */
export const structuralProblems = (props: SchemaProps, path: string): ReadonlyArray<FieldProblem> => [
  ...typeProblems(props, path),
  ...combinatorProblems(props, path),
  ...listProblems(props, path),
  ...childProblems(props, path)
]

const TYPES = ["array", "boolean", "integer", "number", "object", "string"]

const typeProblems = (props: SchemaProps, path: string): ReadonlyArray<FieldProblem> => {
  const needsNone =
    props["x-kubernetes-int-or-string"] === true || props["x-kubernetes-preserve-unknown-fields"] === true
  const problems: Array<FieldProblem> = []
  if ((props["type"] === undefined || props["type"] === "") && !needsNone) {
    problems.push({
      type: "FieldValueRequired",
      field: `${path}.type`,
      detail: "must not be empty for specified object fields"
    })
  }
  if (typeof props["type"] === "string" && props["type"] !== "" && !TYPES.includes(props["type"])) {
    const detail = `supported values: ${TYPES.map((type) => JSON.stringify(type)).join(", ")}`
    problems.push({ type: "FieldValueNotSupported", field: `${path}.type`, value: props["type"], detail })
  }
  if (props["x-kubernetes-embedded-resource"] === true && props["type"] !== "object") {
    const detail = "must be object if x-kubernetes-embedded-resource is true"
    problems.push({ type: "FieldValueInvalid", field: `${path}.type`, value: props["type"] ?? "", detail })
  }
  if (props["properties"] !== undefined && isJsonObject(props["additionalProperties"])) {
    problems.push({
      type: "FieldValueForbidden",
      field: `${path}.additionalProperties`,
      detail: "must not be used together with properties"
    })
  }
  return problems
}

/** Inside allOf, anyOf, oneOf and not only values are restricted: what shapes an object stands outside. */
const combinatorProblems = (props: SchemaProps, path: string): ReadonlyArray<FieldProblem> =>
  ["allOf", "anyOf", "oneOf", "not"].flatMap((name) => {
    const found = props[name]
    const branches = Array.isArray(found) ? (found as JsonArray) : found === undefined ? [] : [found]
    return branches.flatMap((branch, at) =>
      insideProblems(propsOf(branch), name === "not" ? `${path}.not` : `${path}.${name}[${at}]`, props)
    )
  })

const insideProblems = (
  branch: SchemaProps | undefined,
  path: string,
  outer: SchemaProps
): ReadonlyArray<FieldProblem> => {
  if (branch === undefined) return []
  const intOrString = outer["x-kubernetes-int-or-string"] === true
  const problems: Array<FieldProblem> = forbiddenInside
    .filter((name) => branch[name] !== undefined && !(name === "type" && intOrString))
    .map((name) => ({
      type: "FieldValueForbidden",
      field: `${path}.${name}`,
      detail: "must be empty to be structural"
    }))
  const known = propsOf(outer["properties"]) ?? {}
  for (const [name, value] of Object.entries(propsOf(branch["properties"]) ?? {})) {
    const inner = propsOf(known[name])
    if (inner === undefined) {
      const detail = `because it is defined in ${path}.properties[${name}]`
      problems.push({
        type: "FieldValueRequired",
        field: `${path.replace(/\.[^.]+$/, "")}.properties[${name}]`,
        detail
      })
    } else problems.push(...insideProblems(propsOf(value), `${path}.properties[${name}]`, inner))
  }
  return problems
}

const listProblems = (props: SchemaProps, path: string): ReadonlyArray<FieldProblem> => {
  const listType = props["x-kubernetes-list-type"]
  const keys = texts(props["x-kubernetes-list-map-keys"])
  const problems: Array<FieldProblem> = []
  if (listType !== undefined && props["type"] !== "array") {
    const detail = "must be array if x-kubernetes-list-type is specified"
    problems.push({ type: "FieldValueInvalid", field: `${path}.type`, value: props["type"] ?? "", detail })
  }
  if (listType === "map" && keys.length === 0) {
    const detail = "must not be empty if x-kubernetes-list-type is map"
    problems.push({ type: "FieldValueRequired", field: `${path}.x-kubernetes-list-map-keys`, detail })
  }
  const items = propsOf(props["items"])
  for (const key of keys) {
    const inner = propsOf(propsOf(items?.["properties"])?.[key])
    if (inner !== undefined && (texts(items?.["required"]).includes(key) || inner["default"] !== undefined)) continue
    const detail =
      inner === undefined
        ? "entries have to be a property of items"
        : "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
    problems.push({
      type: inner === undefined ? "FieldValueInvalid" : "FieldValueRequired",
      field: inner === undefined ? `${path}.x-kubernetes-list-map-keys` : `${path}.items.properties[${key}].default`,
      ...(inner === undefined ? { value: keys } : {}),
      detail
    })
  }
  return problems
}

const childProblems = (props: SchemaProps, path: string): ReadonlyArray<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  for (const [name, value] of Object.entries(propsOf(props["properties"]) ?? {})) {
    const inner = propsOf(value)
    if (inner !== undefined) problems.push(...structuralProblems(inner, `${path}.properties[${name}]`))
  }
  const items = propsOf(props["items"])
  if (items !== undefined) problems.push(...structuralProblems(items, `${path}.items`))
  else if (props["type"] === "array") {
    problems.push({ type: "FieldValueRequired", field: `${path}.items`, detail: "must be specified" })
  }
  const values = propsOf(props["additionalProperties"])
  if (values !== undefined) problems.push(...structuralProblems(values, `${path}.additionalProperties`))
  return problems
}
