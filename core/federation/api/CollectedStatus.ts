// What stands in a CollectedStatus, which has neither spec nor status.
// Owns its shape; refuses to say what is collected.
import type { JsonObject, KubeObject } from "#kube"

/** What was read of the object in one cluster. */
export interface CollectedFields {
  readonly cluster: string
  readonly collectedFields?: JsonObject
  readonly error?: string
  /** The cluster is not heard of: this is what was last seen. */
  readonly stale?: boolean
}

/** What was read of an object's copies. */
export interface CollectedStatus {
  readonly clusters: ReadonlyArray<CollectedFields>
  readonly lastUpdateTime?: string
}

/** Reads a CollectedStatus. */
export const collectedStatusOf = (object: KubeObject): CollectedStatus => ({
  // SAFETY: the schema of CollectedStatus.
  clusters: (object["clusters"] as ReadonlyArray<CollectedFields> | undefined) ?? [],
  ...(typeof object["lastUpdateTime"] === "string" ? { lastUpdateTime: object["lastUpdateTime"] } : {})
})
