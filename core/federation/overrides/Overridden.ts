// What override policies make of a template in one cluster.
// Owns the shapes; refuses to apply anything.
import type { JsonObject } from "#kube"
import type { Labelled } from "../api/ClusterTerms.ts"
import type { OverridePatch } from "../api/FederatedObject.ts"
import type { OverridePolicy } from "../api/OverridePolicy.ts"
import type { OverrideFailed } from "../FederationError.ts"

/** A template and the policies that change it, in their order: cluster-scoped ones first. */
export interface OverrideRequest {
  readonly template: JsonObject
  readonly policies: ReadonlyArray<OverridePolicy>
  readonly cluster: Labelled
}

/** A JSON patch that makes the cluster's object of the template; with errors, what it is worth no one should use. */
export interface Overridden {
  readonly patches: ReadonlyArray<OverridePatch>
  /** The template with the patches applied. */
  readonly object: JsonObject
  readonly errors: ReadonlyArray<OverrideFailed>
}

/** Applies policies to a template. */
export type ApplyOverrides = (request: OverrideRequest) => Overridden
