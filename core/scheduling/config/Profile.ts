// A scheduling profile, ready for use: which plugins filter and score, with what weights and arguments.
// Owns the shape that the decision reads; refuses files and their defaults, which SchedulerConfiguration.ts reads.
import type { NodeTerms, PreferredNodes } from "../pod/NodeTerms.ts"
import { type SpreadConstraintFields } from "../pod/PodFields.ts"
import { systemConstraints } from "../pod/SpreadConstraint.ts"

export interface WeightedResource {
  readonly name: string
  readonly weight: number
}

export interface ShapePoint {
  /** Percent. */
  readonly utilization: number
  /** 0 to 10. */
  readonly score: number
}

export interface FitArguments {
  readonly ignoredResources: ReadonlySet<string>
  readonly ignoredGroups: ReadonlySet<string>
  readonly strategy: "LeastAllocated" | "MostAllocated" | "RequestedToCapacityRatio"
  readonly resources: ReadonlyArray<WeightedResource>
  readonly shape: ReadonlyArray<ShapePoint>
}

export interface Profile {
  readonly schedulerName: string
  /** Plugins that run before a pod may wait to be scheduled. */
  readonly gates: ReadonlySet<string>
  readonly filters: ReadonlySet<string>
  /** Plugins whose scores count, with their weights. */
  readonly weights: ReadonlyMap<string, number>
  /** Whether pods may be evicted for more important ones. */
  readonly preempts: boolean
  /** Whether DynamicResources is asked before preemption: it fails for pods that were turned down before their claims were read. */
  readonly asksForClaims: boolean
  readonly fit: FitArguments
  readonly balanced: ReadonlyArray<WeightedResource>
  readonly spread: { readonly constraints: ReadonlyArray<SpreadConstraintFields>; readonly isSystem: boolean }
  readonly affinity: { readonly hardWeight: number; readonly ignoresExisting: boolean }
  readonly addedAffinity: { readonly required: NodeTerms | undefined; readonly preferred: PreferredNodes | undefined }
  readonly preemption: { readonly candidatesPercent: number; readonly candidatesMin: number }
  readonly volumes: { readonly shape: ReadonlyArray<ShapePoint> }
  /** Percent of the nodes after which the search for feasible ones may stop; undefined: all nodes are scored. */
  readonly nodesPercent: number | undefined
}

/** Filters of the default profile in the order in which they are asked; gang scheduling and DRA are not among ours. */
export const FILTERS = [
  "NodeName",
  "NodeUnschedulable",
  "TaintToleration",
  "NodeAffinity",
  "NodePorts",
  "NodeResourcesFit",
  "VolumeRestrictions",
  "NodeVolumeLimits",
  "VolumeBinding",
  "VolumeZone",
  "PodTopologySpread",
  "InterPodAffinity"
] as const

/** Scores of the default profile with their weights. */
export const WEIGHTS: ReadonlyMap<string, number> = new Map([
  ["TaintToleration", 3],
  ["NodeAffinity", 2],
  ["NodeResourcesFit", 1],
  ["VolumeBinding", 1],
  ["PodTopologySpread", 2],
  ["InterPodAffinity", 2],
  ["NodeResourcesBalancedAllocation", 1],
  ["ImageLocality", 1]
])

export const cpuAndMemory: ReadonlyArray<WeightedResource> = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 }
]

/** The default profile of kube-scheduler 1.37, scoring every feasible node. */
export const defaultProfile: Profile = {
  schedulerName: "default-scheduler",
  gates: new Set(["SchedulingGates", "DefaultPreemption"]),
  filters: new Set(FILTERS),
  weights: WEIGHTS,
  preempts: true,
  asksForClaims: true,
  fit: {
    ignoredResources: new Set(),
    ignoredGroups: new Set(),
    strategy: "LeastAllocated",
    resources: cpuAndMemory,
    shape: []
  },
  balanced: cpuAndMemory,
  spread: { constraints: systemConstraints, isSystem: true },
  affinity: { hardWeight: 1, ignoresExisting: false },
  addedAffinity: { required: undefined, preferred: undefined },
  preemption: { candidatesPercent: 10, candidatesMin: 100 },
  volumes: {
    shape: [
      { utilization: 0, score: 10 },
      { utilization: 100, score: 0 }
    ]
  },
  nodesPercent: undefined
}
