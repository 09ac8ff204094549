// What is known of a type's fields: from Kubernetes' published OpenAPI for the built-ins, from a CustomResourceDefinition for the rest.
// Owns the shape that defaulting, pruning, validation, patches and server-side apply all read; refuses to do any of it.
import type { Json } from "./Json.ts"

/** The type of one value. Schemas may refer to themselves, so they are graphs, not trees. */
export interface Schema {
  readonly type: "object" | "array" | "string" | "integer" | "number" | "boolean" | "int-or-string" | "any"
  /** The name of the definition, like "io.k8s.api.core.v1.Pod", where it has one. */
  readonly name?: string
  /** Known fields of an object. */
  readonly fields?: ReadonlyMap<string, Schema>
  /** The values of a map: an object whose fields are not known beforehand. */
  readonly values?: Schema
  readonly items?: Schema
  /** x-kubernetes-list-type; absent is atomic. */
  readonly listType?: "atomic" | "set" | "map"
  readonly listMapKeys?: ReadonlyArray<string>
  /** x-kubernetes-map-type; absent is granular. */
  readonly mapType?: "atomic" | "granular"
  /** x-kubernetes-patch-strategy, split at commas. */
  readonly patchStrategy?: ReadonlyArray<"merge" | "replace" | "retainKeys">
  readonly patchMergeKey?: string
  readonly required?: ReadonlyArray<string>
  readonly default?: Json
  readonly enum?: ReadonlyArray<Json>
  readonly format?: string
  readonly nullable?: boolean
  /** x-kubernetes-preserve-unknown-fields: nothing here is pruned. */
  readonly preserveUnknownFields?: boolean
  /** x-kubernetes-embedded-resource: an object with apiVersion, kind and metadata of its own. */
  readonly embeddedResource?: boolean
}
