// What a workload's pods ask of the scheduler besides room: priority, nodes they want, pods they seek or shun, an even spread, gates.
// Owns names, defaults and bounds of these fields; what they become in a pod's spec is PlacementSpec.ts's, rules across them
// PlacementRules.ts's.
import { Effect, Schema } from "effect"
import { Count, Name } from "../Quantity.ts"
import { Texts } from "./ClusterNodes.ts"

const Weight = Count(100)
const LabelKey = Schema.String.check(
  Schema.isPattern(/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, {
    expected: "a label's name such as topology.kubernetes.io/zone"
  })
)

/** A class of priority; a pod names it, and takes the place of pods with less where there is no room. */
export const PriorityClass = Schema.Struct({
  name: Name,
  value: Schema.Int.check(
    Schema.isBetween(
      { minimum: -2_147_483_648, maximum: 1_000_000_000 },
      { expected: "a whole number of at most 1,000,000,000: what is above belongs to the system" }
    )
  ),
  preempts: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))).annotate({
    description: "Whether its pods may take the place of others; false is preemptionPolicy: Never"
  })
})
export type PriorityClass = typeof PriorityClass.Type

/** One thing that a node must be, or should be by a weight. */
const NodeTerm = Schema.Struct({
  key: LabelKey,
  operator: Schema.Literals(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("In" as const))
  ),
  values: Schema.Array(Schema.String)
    .check(Schema.isMaxLength(256))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  weight: Schema.optionalKey(Weight).annotate({ description: "Preferred by so much, 1 to 100; without it required" })
})
export type NodeTerm = typeof NodeTerm.Type

/** Pods beside which these want to stand, or not. */
const PodTerm = Schema.Struct({
  topologyKey: LabelKey,
  matchLabels: Schema.optionalKey(Texts).annotate({
    description: "Whom it is about; without it the pods of the same workload"
  }),
  everywhere: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description: "About pods of all namespaces; otherwise of the pod's own"
  }),
  weight: Schema.optionalKey(Weight).annotate({ description: "Preferred by so much, 1 to 100; without it required" })
})
export type PodTerm = typeof PodTerm.Type

const SpreadTerm = Schema.Struct({
  topologyKey: LabelKey,
  maxSkew: Count(10_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  whenUnsatisfiable: Schema.Literals(["DoNotSchedule", "ScheduleAnyway"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("DoNotSchedule" as const))
  ),
  minDomains: Schema.optionalKey(Count(10_000)),
  matchLabels: Schema.optionalKey(Texts).annotate({
    description: "Whom it counts; without it the pods of the same workload"
  })
})
export type SpreadTerm = typeof SpreadTerm.Type

const terms = <Term extends Schema.Top>(term: Term, description: string) =>
  Schema.optionalKey(Schema.Array(term).check(Schema.isMinLength(1), Schema.isMaxLength(16)).annotate({ description }))

/** The fields of a workload that its pods' scheduling depends on. */
export const placementFields = {
  priorityClass: Schema.optionalKey(Name).annotate({
    description: "One of the cluster's priorityClasses, or system-cluster-critical or system-node-critical"
  }),
  nodeAffinity: terms(NodeTerm, "What nodes must be (all of it), and what they should be"),
  podAffinity: terms(PodTerm, "Pods beside which these want to stand"),
  podAntiAffinity: terms(PodTerm, "Pods beside which these do not want to stand"),
  spread: terms(SpreadTerm, "An even spread over zones, nodes or other labels of nodes"),
  gates: terms(LabelKey, "Scheduling gates: pods wait until an ungate action takes them away"),
  mayWait: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description: "Its pods may find no node: whether they fit is not checked beforehand"
  })
} as const
