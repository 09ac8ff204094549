// The workloads by which Kubernetes holds kube-scheduler to its pace, each in which of upstream's folders and with the floor in force.
// Owns the list alone. Floors are averages of pods per second on Kubernetes' own machines; a floor that the file itself gives comes first.
// Source: kubernetes test/integration/scheduler_perf, thresholds; kubernetes #136276.

export interface PerfFloor {
  /** Folder of upstream's configuration. */
  readonly folder: string
  /** CASE/WORKLOAD. */
  readonly workload: string
  /** Pods per second, where the file gives none. */
  readonly floor?: number
}

export const perfFloors: ReadonlyArray<PerfFloor> = [
  { folder: "misc", workload: "SchedulingBasic/5000Nodes_10000Pods" },
  { folder: "misc", workload: "SchedulingBasic/5000Nodes_50000Pods", floor: 810 },
  { folder: "misc", workload: "SchedulingDaemonset/15000Nodes" },
  { folder: "misc", workload: "SchedulingWithMixedChurn/5000Nodes_10000Pods" },
  { folder: "misc", workload: "SchedulingWhileGated/1Node_10000GatedPods" },
  { folder: "default_preemption", workload: "PreemptionAsync/5000Nodes" },
  { folder: "default_preemption", workload: "Unschedulable/5kNodes/100Init/10kPods" },
  { folder: "default_preemption", workload: "Unschedulable/5kNodes/20kInit/10kPods" },
  { folder: "topology_spreading", workload: "TopologySpreading/5000Nodes_5000Pods" },
  { folder: "topology_spreading", workload: "PreferredTopologySpreading/5000Nodes_5000Pods" },
  { folder: "topology_spreading", workload: "DefaultTopologySpreading/5000Nodes_50000Pods" },
  { folder: "affinity", workload: "SchedulingNodeAffinity/5000Nodes_10000Pods" },
  { folder: "affinity", workload: "SchedulingPodMatchingAntiAffinity/5000Nodes_5000Pods", floor: 595 },
  { folder: "affinity", workload: "SchedulingPodAntiAffinity/5000Nodes_2000Pods" },
  { folder: "affinity", workload: "SchedulingPodAffinity/5000Nodes_5000Pods" },
  { folder: "affinity", workload: "SchedulingPreferredPodAffinity/5000Nodes_5000Pods" },
  { folder: "affinity", workload: "SchedulingPreferredPodAntiAffinity/5000Nodes_5000Pods" },
  { folder: "affinity", workload: "MixedSchedulingBasePod/5000Nodes_5000Pods" },
  { folder: "affinity", workload: "SchedulingRequiredPodAntiAffinityWithNSSelector/5000Nodes_2000Pods" },
  { folder: "misc", workload: "SchedulingWithExtendedResource/5000pods_5000nodes_DRAExtendedResourceEnabled" },
  { folder: "batching", workload: "HostPortConflict/20000Nodes_20000Pods_20000BatchSize" },
  { folder: "batching", workload: "ResourceSaturation/20000Nodes_20000Pods_20000BatchSize" }
]
