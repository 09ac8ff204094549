// What federating and syncing ask of a type: the part of its semantics that they use.
// Owns the port; the table of all kinds fulfils it, and a test may bring a smaller one.
import type { JsonObject, KubeObject } from "#kube"

/** A type as this half sees it. */
export interface TypeRules {
  /** Present: the kind stays where it is. */
  readonly local?: string
  readonly replicas?: {
    readonly spec: ReadonlyArray<string>
    readonly status?: ReadonlyArray<string>
    readonly ready?: ReadonlyArray<string>
  }
  /** Where the pod template stands. */
  readonly podTemplate?: ReadonlyArray<string>
  readonly health: (object: JsonObject) => { readonly state: "Healthy" | "Progressing" | "Degraded" | "Unknown" }
  /** The desired object with what the member owns in it. */
  readonly retain: (desired: KubeObject, member: KubeObject) => KubeObject
  /** The template without what belongs to the host. */
  readonly prepare: (template: KubeObject, source: KubeObject) => KubeObject
}

/** The rules of all types. */
export interface TypeTable {
  readonly of: (group: string, kind: string) => TypeRules
}
