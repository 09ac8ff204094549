// What scheduling an object comes to: where it goes, whether that is as wanted, and why.
// Owns the shapes that the pipeline stores and shows; refuses to decide anything.
import type { MemberCluster } from "../api/FederatedCluster.ts"
import type { PropagationPolicy } from "../api/PropagationPolicy.ts"
import type { SchedulingProfile } from "../api/SchedulingProfile.ts"
import type { Fleet } from "./Fleet.ts"
import type { SchedulingUnit } from "./SchedulingUnit.ts"

/** A cluster that is left once what replaces it is ready, or when waiting has an end. */
export interface Leaving {
  readonly reason: string
  /** When it was decided, and when waiting ends, in milliseconds. */
  readonly sinceMs: number
  readonly untilMs: number
}

/** Where an object goes. */
export interface Placement {
  /** Replicas by cluster, sorted by cluster; undefined: the whole object as it is. Clusters that are being left are among them. */
  readonly clusters: ReadonlyMap<string, number | undefined>
  readonly leaving: ReadonlyMap<string, Leaving>
}

/** No cluster. */
export const nowhere: Placement = { clusters: new Map(), leaving: new Map() }

/** Why an attempt came to what it came to; reasons of the condition Scheduled. */
export type ScheduleReason =
  | "Scheduled"
  /** As wanted, but replicas are left over that no cluster may take. */
  | "PartlyScheduled"
  /** The policy wants no clusters at all: the one way to take an object from everywhere. */
  | "Withdrawn"
  /** Nothing to place: no replicas are wanted. */
  | "ScaledToZero"
  /** Told to stay: by annotation. */
  | "NotAsked"
  | "NoPolicy"
  | "PolicyNotFound"
  | "PolicyInvalid"
  | "ProfileNotFound"
  | "ProfileInvalid"
  | "PluginFailed"
  | "Unschedulable"
  | "NoClusters"

/** What an attempt came to. */
export interface Outcome {
  readonly placement: Placement
  /** Whether the placement is what is wanted: True, or False when the last one stays for want of a better. */
  readonly scheduled: boolean
  readonly reason: ScheduleReason
  readonly message: string
  /** Whether it differs from the previous placement: nothing is written when not. */
  readonly changed: boolean
  /** Replicas that no cluster may take. */
  readonly unassigned: number
  /** Another attempt makes sense whenever a cluster changes. */
  readonly waiting: boolean
  /** When time alone changes what would be decided, in milliseconds; Infinity: never. */
  readonly wakeAtMs: number
  readonly explain: () => Explanation
}

/** A cluster in an explanation. */
export interface ExplainedCluster {
  readonly cluster: string
  /** Replicas it gets; absent where the whole object goes there or nothing does. */
  readonly replicas?: number
  /** Weighted scores by plugin. */
  readonly scores?: Readonly<Record<string, number>>
  readonly total?: number
  /** Why it is chosen or not, and what bounds its replicas. */
  readonly reasons: ReadonlyArray<string>
}

/** A decision told. */
export interface Explanation {
  readonly object: string
  readonly policy: string
  readonly profile: string
  readonly reason: ScheduleReason
  readonly message: string
  readonly clusterCount: number
  readonly feasible: number
  readonly replicas?: number
  readonly unassigned: number
  readonly ruledOut: ReadonlyArray<{ readonly plugin: string; readonly reason: string; readonly clusters: number }>
  /** Best first. */
  readonly chosen: ReadonlyArray<ExplainedCluster>
  readonly rejected: ReadonlyArray<ExplainedCluster>
  /** Soft rules that were not kept, and parts that were ignored. */
  readonly notes: ReadonlyArray<string>
}

/** Which policy is an object's: none is asked for or selects it, or one is named that is not there. */
export type PolicyChoice = PropagationPolicy | "none" | "missing"

/** All that a decision depends on. */
export interface ScheduleRequest {
  readonly unit: SchedulingUnit
  readonly fleet: Fleet
  readonly policy: PolicyChoice
  /** "missing": the policy names one that is not there. */
  readonly profile: SchedulingProfile | "missing"
  /** Where the object is now. */
  readonly previous: Placement
  readonly nowMs: number
}

/** A question for a plugin outside this process. */
export interface PluginQuestion {
  readonly plugin: string
  readonly point: "filter" | "score" | "select"
  readonly unit: SchedulingUnit
  readonly policy: PropagationPolicy
  readonly previous: Placement
  readonly clusters: ReadonlyArray<MemberCluster>
  /** For select: the sums so far, in the order of `clusters`. */
  readonly scores?: ReadonlyArray<number>
}

/** Its answer: for each cluster of the question, in its order, what is undefined was not answered. */
export type PluginAnswer =
  | { readonly point: "filter"; readonly fits: ReadonlyArray<boolean | undefined>; readonly why: ReadonlyArray<string> }
  /** 0 to 100. */
  | { readonly point: "score"; readonly scores: ReadonlyArray<number | undefined> }
  | { readonly point: "select"; readonly selected: ReadonlySet<string> }

/** Decides; webhook plugins of the profile count as not answering. */
export type Schedule = (request: ScheduleRequest) => Outcome
