// The errors of this room, each a typed value at the door: what is wrong with an object, a policy's rule or a plugin.
// Owns their sentences; refuses to decide who retries. Failures of API servers stay #kube's ApiFailure.
import { Schema } from "effect"

/** An object of the federation cannot be used as it is; every rule that it breaks is named with its field. */
export class ObjectInvalid extends Schema.TaggedError<ObjectInvalid>()("ObjectInvalid", {
  /** Like "PropagationPolicy team-a/web". */
  object: Schema.String,
  /** Like "spec.clusterAffinity[0].matchFields[0].key: …". */
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.object}: ${this.problems.join("; ")}`
  }
}

/** A rule of an override policy does not apply to the object. */
export class OverrideFailed extends Schema.TaggedError<OverrideFailed>()("OverrideFailed", {
  /** Like "OverridePolicy team-a/web". */
  policy: Schema.String,
  /** Like "spec.overrideRules[0].overriders.image[0]". */
  field: Schema.String,
  cluster: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.policy}: ${this.field} in cluster ${this.cluster}: ${this.reason}`
  }
}

/** A plugin outside this process gave no answer that is one. */
export class PluginFailed extends Schema.TaggedError<PluginFailed>()("PluginFailed", {
  plugin: Schema.String,
  point: Schema.Literals(["filter", "score", "select"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `plugin ${this.plugin} (${this.point}): ${this.reason}`
  }
}

/** A placement cannot be explained; `message` says why. */
export class PlacementNotExplained extends Schema.TaggedError<PlacementNotExplained>()("PlacementNotExplained", {
  message: Schema.String
}) {}

/** Everything that this room raises beside ApiFailure. */
export type FederationError = ObjectInvalid | OverrideFailed | PluginFailed | PlacementNotExplained
