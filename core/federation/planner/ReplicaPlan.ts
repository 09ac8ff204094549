// What is asked of the planner and what it answers.
// Owns the shapes and their promises; the planner keeps them.

/**
 * Clusters by position. All amounts are whole and not negative; Infinity means no bound. The arrays are read only, and may be longer
 * than `count`.
 */
export interface PlanRequest {
  readonly count: number
  /** Replicas wanted in all. */
  readonly total: number
  /** "spread": by weight; "fill": one cluster after the other, by position. */
  readonly strategy: "spread" | "fill"
  readonly weights: Float64Array
  /** Wanted at least, where there is room. */
  readonly mins: Float64Array
  /** Never more, whatever else is asked. */
  readonly hardCaps: Float64Array
  /** No more than this will find room: exceeded only when no cluster has any left, or by replicas that wait already. */
  readonly softCaps: Float64Array
  readonly current: Float64Array
  /** What breaks ties: different for each cluster, and for each object. */
  readonly ties: Int32Array
  /** Moves only as many replicas as must. */
  readonly avoidDisruption: boolean
  /** Replicas that wait where there is no room stay beside those that replace them. */
  readonly keepUnschedulable: boolean
}

/** Replicas by position. */
export interface ReplicaPlan {
  /** Within all caps; their sum is at most what was wanted. */
  readonly planned: Float64Array
  /** Beyond soft caps, within hard ones. */
  readonly overflow: Float64Array
  /** What no cluster may take. */
  readonly unassigned: number
}
