// The definition of a custom resource as OpenAPI documents publish it: the words of its CustomResourceDefinition, descriptions and all,
// with what every object has.
// Owns what version 2 cannot say and therefore leaves out; refuses the documents (OpenApi.ts).
// Source: apiextensions-apiserver, pkg/controller/openapi (builder and v2 conversion).
import { isJsonObject, type Json, type JsonObject } from "../Json.ts"
import type { GroupVersionKind } from "../Resource.ts"
import { HEAD_WORDS } from "./MetaWords.ts"
import { OBJECT_META, type OpenApiVersion, refTo } from "./OpenApiSchemas.ts"

/** What a CustomResourceDefinition says of a version's objects. */
export interface CustomSchema {
  /** openAPIV3Schema; absent: nothing is said. */
  readonly props: JsonObject | undefined
  readonly preserveUnknownFields: boolean
  /** JSON paths of selectable fields, without the dot before them. */
  readonly selectableFields: ReadonlyArray<string>
}

/** JSONSchemaProps under construction. */
type Props = Record<string, Json | undefined>

/** Version 3 allows nothing beside a reference. */
const metadata = (version: OpenApiVersion): Json => {
  const $ref = refTo(OBJECT_META, version)
  return { description: HEAD_WORDS.metadata, ...(version === "v2" ? { $ref } : { allOf: [{ $ref }] }) }
}

/** The fields that every object has. */
const objectFields = (version: OpenApiVersion): Props => ({
  apiVersion: { description: HEAD_WORDS.apiVersion, type: "string" },
  kind: { description: HEAD_WORDS.kind, type: "string" },
  metadata: metadata(version)
})

const preserves = (props: Props): boolean => props["x-kubernetes-preserve-unknown-fields"] === true
const UNSAID = ["allOf", "oneOf", "anyOf", "not", "default"] as const

/** Without what version 2 has no word for, or what its readers stumble over. */
const plainer = (props: Props): Props => {
  const out: Props = { ...props }
  for (const name of UNSAID) delete out[name]
  if (out["nullable"] === true) for (const name of ["type", "nullable", "items", "properties"]) delete out[name]
  if (preserves(props)) for (const name of ["items", "properties"]) delete out[name]
  const isOpenArray = out["type"] === "array" && out["items"] === undefined
  const isOpenObject = out["type"] === "object" && preserves(props)
  if (isOpenArray || isOpenObject) delete out["type"]
  const { additionalProperties, properties, required } = out
  if (isJsonObject(properties) && Array.isArray(required)) {
    const left = (required as ReadonlyArray<Json>).filter((name) => {
      const field = typeof name === "string" ? properties[name] : undefined
      return !(isJsonObject(field) && field["nullable"] === true)
    })
    if (left.length === 0) delete out["required"]
    else out["required"] = left
  }
  if (isJsonObject(additionalProperties) && additionalProperties["nullable"] === true) delete out["required"]
  return out
}

const INT_OR_STRING = { anyOf: [{ type: "integer" }, { type: "string" }] }

const within = (value: Json | undefined, version: OpenApiVersion): Json | undefined =>
  isJsonObject(value) ? written(value, version) : value

const written = (props: JsonObject, version: OpenApiVersion): Props => {
  const either = props["x-kubernetes-int-or-string"] === true && props["anyOf"] === undefined ? INT_OR_STRING : {}
  const out: Props = version === "v2" ? plainer(props) : { ...props, ...either }
  const { properties } = out
  if (isJsonObject(properties)) {
    out["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, field]) => [name, within(field, version) ?? null])
    )
  }
  for (const name of ["items", "additionalProperties"]) {
    if (out[name] !== undefined) out[name] = within(out[name], version) ?? null
  }
  if (props["x-kubernetes-embedded-resource"] !== true || (version === "v2" && preserves(props))) return out
  const required = Array.isArray(out["required"]) ? (out["required"] as ReadonlyArray<Json>) : []
  const missing = ["kind", "apiVersion"].filter((name) => !required.includes(name))
  return {
    ...out,
    properties: { ...(isJsonObject(out["properties"]) ? out["properties"] : {}), ...objectFields(version) },
    required: [...required, ...missing]
  }
}

/** The definition of a custom kind. */
export const customDefinition = (
  { preserveUnknownFields, props, selectableFields }: CustomSchema,
  kind: GroupVersionKind,
  version: OpenApiVersion
): Json => {
  const extensions: Props = {
    "x-kubernetes-group-version-kind": [{ group: kind.group, kind: kind.kind, version: kind.version }],
    ...(selectableFields.length === 0
      ? {}
      : { "x-kubernetes-selectable-fields": selectableFields.map((fieldPath) => ({ fieldPath })) })
  }
  // Readers of version 2 take named fields for all there are.
  const isOpen = props === undefined || (version === "v2" && (preserves(props) || preserveUnknownFields))
  if (isOpen) return { type: "object", ...extensions }
  const own = written(props, version)
  const properties = isJsonObject(own["properties"]) ? own["properties"] : {}
  return { ...own, properties: { ...properties, ...objectFields(version) }, ...extensions }
}
