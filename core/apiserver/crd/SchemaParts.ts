// The few shapes of which the systems' custom resource schemas are made, and the CustomResourceDefinition around them.
// Owns these words; refuses to know any field. No default stands in a schema: a manifest reads back as it was written.
import type { JsonObject, KubeObject } from "#kube"

interface Bounds {
  readonly min?: number
  readonly max?: number
}

/** A string. */
export const text = (description: string, rest: JsonObject = {}): JsonObject => ({
  type: "string",
  description,
  ...rest
})

/** A string of a closed list. */
export const choice = (description: string, values: ReadonlyArray<string>): JsonObject => ({
  type: "string",
  description,
  enum: values
})

/** A boolean. */
export const flag = (description: string): JsonObject => ({ type: "boolean", description })

const whole = (format: string, description: string, { max, min }: Bounds): JsonObject => ({
  type: "integer",
  format,
  description,
  ...(min === undefined ? {} : { minimum: min }),
  ...(max === undefined ? {} : { maximum: max })
})

/** An int32. */
export const integer = (description: string, bounds: Bounds = {}): JsonObject => whole("int32", description, bounds)

/** An int64. */
export const long = (description: string, bounds: Bounds = {}): JsonObject => whole("int64", description, bounds)

/** A list of such items. */
export const listOf = (description: string, items: JsonObject, rest: JsonObject = {}): JsonObject => ({
  type: "array",
  description,
  items,
  ...rest
})

/** A list of strings. */
export const texts = (description: string): JsonObject => listOf(description, { type: "string" })

/** A map from names to such values. */
export const mapTo = (description: string, values: JsonObject): JsonObject => ({
  type: "object",
  description,
  additionalProperties: values
})

/** An object with these fields. */
export const struct = (
  description: string,
  properties: JsonObject,
  required: ReadonlyArray<string> = []
): JsonObject => ({
  type: "object",
  description,
  properties,
  ...(required.length === 0 ? {} : { required })
})

/** An object whose fields are nobody's business here. */
export const anything = (description: string): JsonObject => ({
  type: "object",
  description,
  "x-kubernetes-preserve-unknown-fields": true
})

/** A time as RFC 3339 has it. */
export const moment = (description: string): JsonObject => ({ type: "string", format: "date-time", description })

/** A printed column. */
export const column = (name: string, jsonPath: string, type = "string", priority = 0): JsonObject => ({
  name,
  type,
  jsonPath,
  ...(priority === 0 ? {} : { priority })
})

/** The column that tells how old an object is. */
export const ageColumn = column("Age", ".metadata.creationTimestamp", "date")

/** Where a condition's status is found. */
export const conditionPath = (type: string): string => `.status.conditions[?(@.type=="${type}")].status`

/** A kind as its definition tells it: one version, served and stored. */
export interface CustomKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly shortNames?: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string>
  readonly scope: "Cluster" | "Namespaced"
  readonly description: string
  /** Fields beside apiVersion, kind and metadata. */
  readonly properties: JsonObject
  readonly required?: ReadonlyArray<string>
  /** The schema of metadata; any by default. */
  readonly metadata?: JsonObject
  readonly columns: ReadonlyArray<JsonObject>
  readonly subresources?: JsonObject
}

/** The CustomResourceDefinition of a kind. */
export const customResourceDefinition = (asked: CustomKind): KubeObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${asked.plural}.${asked.group}` },
  spec: {
    group: asked.group,
    scope: asked.scope,
    names: {
      kind: asked.kind,
      listKind: `${asked.kind}List`,
      plural: asked.plural,
      singular: asked.kind.toLowerCase(),
      ...(asked.shortNames === undefined ? {} : { shortNames: asked.shortNames }),
      categories: asked.categories
    },
    versions: [
      {
        name: asked.version,
        served: true,
        storage: true,
        ...(asked.subresources === undefined ? {} : { subresources: asked.subresources }),
        additionalPrinterColumns: asked.columns,
        schema: {
          openAPIV3Schema: {
            ...struct(
              asked.description,
              {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: asked.metadata ?? { type: "object" },
                ...asked.properties
              },
              asked.required
            )
          }
        }
      }
    ]
  }
})
