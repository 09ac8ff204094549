// What the federation must know about a kind to carry it over many clusters: replicas, health, what is collected, how members'
// statuses become one, what it depends on, what a member owns and what never leaves the host.
// Owns the shape of one entry; refuses the entries themselves, which NativeTypes.ts and configuration bring.
import type { JsonObject, KubeObject } from "#kube"

/** A way into an object, field by field. */
export type FieldPath = ReadonlyArray<string>

/** Where a workload's counts stand; absent where the kind has no such count. */
export interface ReplicaPaths {
  /** What is wanted. */
  readonly spec: FieldPath
  /** What is there. */
  readonly status?: FieldPath
  readonly ready?: FieldPath
  readonly available?: FieldPath
  /** Other numbers of the spec that are divided among clusters as the replicas are, like a Job's completions. */
  readonly companions?: ReadonlyArray<FieldPath>
}

export type HealthState = "Healthy" | "Progressing" | "Degraded" | "Unknown"

export interface Health {
  readonly state: HealthState
  /** Why it is not healthy; empty when it is. */
  readonly message: string
}

/** A kind's object as one member has it, whole or as far as it was collected. */
export interface MemberState {
  readonly cluster: string
  /** Absent: the member has none, or nothing was ever heard of it. */
  readonly object?: JsonObject
  /** Contact is lost: the object is the last one known. */
  readonly stale?: boolean
  /** The generation of the source that the member's object was made from. */
  readonly sourceGeneration?: number
}

export interface AggregationInput {
  readonly source: KubeObject
  /** One for each cluster that should have the object or still has it. */
  readonly members: ReadonlyArray<MemberState>
  /** meta/v1 Time: of changes that no member dates. */
  readonly now: string
}

/** The source's new status; undefined: leave it as it is. Depends neither on the order of members nor on how often it ran. */
export type Aggregate = (input: AggregationInput) => JsonObject | undefined

/** An object that another one needs. */
export interface Reference {
  readonly group: string
  readonly kind: string
  /** Empty: a kind that is in no namespace. */
  readonly namespace: string
  readonly name: string
}

/** Why a kind is not carried to members. */
export type LocalReason = "made by each cluster" | "a question, not an object" | "names what only one cluster has"

export interface TypeSemantics {
  readonly group: string
  readonly kind: string
  /** Present: the kind stays where it is. */
  readonly local?: LocalReason
  readonly replicas?: ReplicaPaths
  /** Where the pod template stands. */
  readonly podTemplate?: FieldPath
  readonly health: (object: JsonObject) => Health
  /** What is collected of each member's object; empty: nothing. */
  readonly collected: ReadonlyArray<FieldPath>
  /** Absent: the source's status is the host's own. */
  readonly aggregate?: Aggregate
  readonly dependencies: (object: KubeObject) => ReadonlyArray<Reference>
  /** The desired object with what the member owns in it. */
  readonly retain: (desired: KubeObject, member: KubeObject) => KubeObject
  /** The template without what belongs to the host; `source` is what it was made of, managed fields included. */
  readonly prepare: (template: KubeObject, source: KubeObject) => KubeObject
}
