// Schemas as OpenAPI documents write them, in version 2 (Swagger) and version 3.
// Owns the form of one definition and which definitions a set of schemas needs; refuses paths and documents (OpenApi.ts).
// No descriptions: the tables carry facts alone.
import { isJsonObject, type Json, sameJson } from "../Json.ts"
import type { Schema } from "../Schema.ts"
import { METADATA_WORDS } from "./MetaWords.ts"
import { kindOfDefinition, schemaNamed } from "./BuiltIns.ts"

export type OpenApiVersion = "v2" | "v3"

/** A JSON object under construction. */
export type Draft = Record<string, Json>

export const QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"

/** The definition of what every object's metadata is. */
export const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

/** Where references point to. */
export const refTo = (name: string, version: OpenApiVersion): string =>
  version === "v2" ? `#/definitions/${name}` : `#/components/schemas/${name}`

const extensions = (schema: Schema): Draft => {
  const out: Draft = {}
  if (schema.listType !== undefined) out["x-kubernetes-list-type"] = schema.listType
  if (schema.listMapKeys !== undefined) out["x-kubernetes-list-map-keys"] = schema.listMapKeys
  if (schema.mapType !== undefined) out["x-kubernetes-map-type"] = schema.mapType
  if (schema.patchStrategy !== undefined) out["x-kubernetes-patch-strategy"] = schema.patchStrategy.join(",")
  if (schema.patchMergeKey !== undefined) out["x-kubernetes-patch-merge-key"] = schema.patchMergeKey
  if (schema.embeddedResource === true) out["x-kubernetes-embedded-resource"] = true
  return out
}

const typed = (schema: Schema, version: OpenApiVersion): Draft => {
  const { format, type } = schema
  if (type === "any") return {}
  if (type === "int-or-string") {
    return version === "v2"
      ? { type: "string", format: "int-or-string" }
      : { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] }
  }
  if (format === "quantity") {
    return version === "v2" ? { type: "string" } : { oneOf: [{ type: "string" }, { type: "number" }] }
  }
  return format === undefined ? { type } : { type, format }
}

/** The body of a schema, whatever its name. */
const inline = (schema: Schema, version: OpenApiVersion): Draft => {
  const out = typed(schema, version)
  if (schema.items !== undefined) out["items"] = written(schema.items, version)
  if (schema.fields !== undefined) {
    out["properties"] = Object.fromEntries(
      Array.from(schema.fields, ([name, field]) => [name, written(field, version)])
    )
  }
  if (schema.values !== undefined) out["additionalProperties"] = written(schema.values, version)
  if (schema.required !== undefined) out["required"] = schema.required
  return { ...out, ...common(schema, version) }
}

const common = (schema: Schema, version: OpenApiVersion): Draft => {
  const out = extensions(schema)
  // Kubernetes' own free-form types say only that they are objects; custom resources say that they keep what they do not know.
  const free = schema.type === "any" || (schema.name !== undefined && schema.name.startsWith("io.k8s."))
  if (schema.preserveUnknownFields === true && !free) out["x-kubernetes-preserve-unknown-fields"] = true
  if (schema.enum !== undefined) out["enum"] = schema.enum
  if (version === "v3") {
    if (schema.default !== undefined) out["default"] = schema.default
    if (schema.nullable === true) out["nullable"] = true
  }
  return out
}

const written = (schema: Schema, version: OpenApiVersion): Json => {
  if (schema.name === undefined) return inline(schema, version)
  const $ref = refTo(schema.name, version)
  // What the field says beyond its type's definition stands beside the reference, which version 3 allows only around it.
  const definition = schemaNamed(schema.name)
  const said = definition === undefined ? {} : common(definition, version)
  const beside = Object.fromEntries(
    Object.entries(common(schema, version)).filter(([fact, value]) => !sameJson(said[fact], value))
  )
  if (version === "v2") return { $ref, ...beside }
  return Object.keys(beside).length === 0 ? { $ref } : { allOf: [{ $ref }], ...beside }
}

/** With our own words for each field of metadata. */
const described = (body: Draft): Draft => {
  const { properties } = body
  if (!isJsonObject(properties)) return body
  const fields = Object.entries(properties).map(([name, field]) => {
    const description = METADATA_WORDS[name]
    return [name, isJsonObject(field) && description !== undefined ? { description, ...field } : field] as const
  })
  return { ...body, properties: Object.fromEntries(fields) as Draft }
}

/** A definition as a document lists it: with the kind that it is, where it is one. */
export const definitionOf = (
  schema: Schema,
  version: OpenApiVersion,
  kind: Json | undefined = kindJson(schema)
): Json => {
  const { default: _, ...own } = schema
  const body = schema.name === OBJECT_META ? described(inline(own, version)) : inline(own, version)
  return kind === undefined ? body : { ...body, "x-kubernetes-group-version-kind": [kind] }
}

const kindJson = ({ name }: Schema): Json | undefined => {
  const kind = name === undefined ? undefined : kindOfDefinition(name)
  return kind === undefined ? undefined : { group: kind.group, kind: kind.kind, version: kind.version }
}

/** Adds a schema's named definitions, and those that they need, to what was found; each once. */
export const collectDefinitions = (schema: Schema | undefined, found: Map<string, Schema>): void => {
  if (schema === undefined) return
  if (schema.name !== undefined) {
    if (found.has(schema.name)) return
    const definition = schemaNamed(schema.name)
    // A field's copy of a definition says more than the definition itself.
    found.set(schema.name, definition ?? schema)
  }
  for (const field of schema.fields?.values() ?? []) collectDefinitions(field, found)
  collectDefinitions(schema.items, found)
  collectDefinitions(schema.values, found)
}
