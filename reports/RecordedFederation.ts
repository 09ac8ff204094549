// The part of a run record that only a run of a federation has: its members, and what each step did to placements, on the host and
// to replicas. Owns the shape only; how long objects took is in the operations, as of any load.
import { Schema } from "effect"
import { Count } from "./RecordedLoad.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const MaybeCount = Schema.NullOr(Count)

/** One step; null where it is not about that. Its phase and its operation carry the same name. */
export const RecordedFederationStep = Schema.Struct({
  step: Schema.NonEmptyString,
  kind: Schema.Literals(["create", "outage", "rollout", "restart"]),
  objects: Count.annotate({ description: "That the step was about" }),
  placements: Count.annotate({ description: "Objects on members at the end, each as often as it is there" }),
  hostWrites: Count.annotate({
    description:
      "Creates, updates, patches and deletes of the federation, until rest; without what it says of members themselves"
  }),
  restMs: Amount.annotate({ description: "From the step's beginning until nothing was written or queued any more" }),
  membersLost: MaybeCount,
  replicasMoved: MaybeCount.annotate({
    description: "Replicas that members which answer were told to run in addition"
  }),
  elsewhereMs: Schema.NullOr(Amount).annotate({
    description: "From the loss until members that answer were told to run every replica, for the last object"
  }),
  tooMany: MaybeCount.annotate({
    description:
      "Objects that members which answer were told to run more often than wanted, before the lost ones were back and at rest after"
  }),
  memoryBytes: Count.annotate({ description: "Resident memory of the process at the end of the step" })
}).annotate({ identifier: "RecordedFederationStep" })

/** A federation's run. */
export const RecordedFederation = Schema.Struct({
  members: Count,
  nodes: Count.annotate({ description: "Of all members, as counts" }),
  pods: Count.annotate({ description: "Of all members at the end, as counts" }),
  replicas: Count.annotate({ description: "Of each object" }),
  steps: Schema.Array(RecordedFederationStep)
}).annotate({ identifier: "RecordedFederation" })

export type RecordedFederationStep = typeof RecordedFederationStep.Type
export type RecordedFederation = typeof RecordedFederation.Type
