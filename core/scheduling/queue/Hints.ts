// Whether an event can make a pod schedulable that certain plugins turned down: kube-scheduler's queueing hints, plugin by plugin.
// Owns the table of events and the judgements of plugins that look at pods and nodes; StorageHints.ts has those of volumes.
import type { KubeObject } from "#kube"
import type { Cluster } from "../cluster/Cluster.ts"
import type { Selectors } from "../cluster/Selectors.ts"
import type { Profile } from "../config/Profile.ts"
import { type AffinityTerm, matchesAll, termMatches, termsOf } from "../pod/AffinityTerms.ts"
import { hostPortsOf, PortUse } from "../pod/HostPorts.ts"
import { nodeNameOf, nodeSpecOf, noLabels, nominatedNodeOf, podSpecOf } from "../pod/PodFields.ts"
import { RequiredNodes } from "../pod/NodeTerms.ts"
import { type SpreadConstraint, spreadConstraintsOf } from "../pod/SpreadConstraint.ts"
import { hasUntolerated, toleratesTaint, UNSCHEDULABLE_TAINT } from "../pod/Tolerations.ts"
import { Action, type ClusterEvent, type EventResource } from "./ClusterEvents.ts"
import { hasGrown, hasShrunk, wouldFitAlone } from "./ResourceHints.ts"

export interface HintContext {
  readonly cluster: Cluster
  readonly selectors: Selectors
  readonly profile: Profile
}

type Judgement = (pod: KubeObject, event: ClusterEvent, context: HintContext) => boolean

export interface HintRow {
  readonly plugin: string
  readonly resource: EventResource
  readonly actions: number
  /** Absent: it always may help. */
  readonly helps?: Judgement
}

const isPlaced = (pod: KubeObject): boolean => nodeNameOf(pod) !== "" || nominatedNodeOf(pod) !== ""

const labelsOf = (object: KubeObject) => object.metadata.labels ?? noLabels

const tolerationsOf = (pod: KubeObject) => podSpecOf(pod).tolerations ?? []

const afterTaint: Judgement = (pod, { after, before }) => {
  const turnsAway = (node: KubeObject): boolean => hasUntolerated(tolerationsOf(pod), nodeSpecOf(node).taints ?? [])
  return after !== undefined && (before === undefined || turnsAway(before)) && !turnsAway(after)
}

const afterCordon: Judgement = (_, { after, before }) =>
  after !== undefined &&
  nodeSpecOf(after).unschedulable !== true &&
  (before === undefined || nodeSpecOf(before).unschedulable === true)

const afterNodeLabels: Judgement = (pod, { after, before }, { profile: { addedAffinity } }) => {
  if (after === undefined) return false
  const name = after.metadata.name ?? ""
  if (addedAffinity.required?.matches(name, labelsOf(after)) === false) return false
  const required = new RequiredNodes(podSpecOf(pod))
  return required.matches(name, labelsOf(after)) && (before === undefined || !required.matches(name, labelsOf(before)))
}

const afterPortsFreed: Judgement = (pod, { before }) => {
  if (before === undefined || !isPlaced(before)) return false
  const use = new PortUse()
  use.add(hostPortsOf(podSpecOf(before)))
  return use.conflicts(hostPortsOf(podSpecOf(pod)))
}

const constraintsOf = (
  pod: KubeObject,
  { cluster, profile, selectors }: HintContext
): ReadonlyArray<SpreadConstraint> => {
  const own = podSpecOf(pod).topologySpreadConstraints ?? []
  if (own.length > 0) return spreadConstraintsOf(own, labelsOf(pod), "DoNotSchedule")
  const selector = selectors.of(cluster.shapes.of(pod))
  return selector.empty ? [] : spreadConstraintsOf(profile.spread.constraints, labelsOf(pod), "DoNotSchedule", selector)
}

const matchedDiffers = (constraints: ReadonlyArray<SpreadConstraint>, before: KubeObject, after: KubeObject): boolean =>
  constraints.some(({ selector }) => selector.matches(labelsOf(before)) !== selector.matches(labelsOf(after)))

const afterSpreadPods: Judgement = (pod, { after, before }, context) => {
  const isInvolved = (other: KubeObject): boolean =>
    isPlaced(other) && other.metadata.namespace === pod.metadata.namespace
  if ((after !== undefined && !isInvolved(after)) || (before !== undefined && !isInvolved(before))) return false
  const constraints = constraintsOf(pod, context)
  if (after !== undefined && before !== undefined) return matchedDiffers(constraints, before, after)
  const other = after ?? before
  return other !== undefined && constraints.some(({ selector }) => selector.matches(labelsOf(other)))
}

const afterOwnSpread: Judgement = (pod, { after, before }, context) => {
  if (after === undefined || before === undefined) return true
  const constraints = constraintsOf(pod, context)
  const tolerates = tolerationsOf(after).length !== tolerationsOf(before).length
  return (
    (tolerates && constraints.some(({ honorsTaints }) => honorsTaints)) || matchedDiffers(constraints, before, after)
  )
}

const afterSpreadNodes: Judgement = (pod, { after, before }, context) => {
  const constraints = constraintsOf(pod, context)
  const has = (node: KubeObject | undefined): boolean =>
    node !== undefined && constraints.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined)
  if (before === undefined || after === undefined) return has(before ?? after)
  if (has(before) !== has(after)) return true
  const moved = constraints.some(({ topologyKey }) => labelsOf(before)[topologyKey] !== labelsOf(after)[topologyKey])
  const tainted = JSON.stringify(nodeSpecOf(before).taints) !== JSON.stringify(nodeSpecOf(after).taints)
  return has(after) && (moved || tainted)
}

const afterAffinePods: Judgement = (pod, { after, before }, { cluster: { namespaceLabels } }) => {
  if ((after !== undefined && !isPlaced(after)) || (before !== undefined && !isPlaced(before))) return false
  const near = termsOf(pod.metadata.namespace ?? "", podSpecOf(pod))
  const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? ""
  const all = (other: KubeObject): boolean =>
    matchesAll(near.requiredAffinity, namespaceOf(other), labelsOf(other), namespaceLabels)
  const any = (terms: ReadonlyArray<AffinityTerm>, other: KubeObject): boolean =>
    terms.some((term) => termMatches(term, namespaceOf(other), labelsOf(other), namespaceLabels))
  if (after !== undefined && before !== undefined)
    return (!all(before) && all(after)) || (any(near.requiredAnti, before) && !any(near.requiredAnti, after))
  if (after !== undefined) return all(after)
  if (before === undefined) return false
  return any(near.requiredAnti, before) || any(termsOf(namespaceOf(before), podSpecOf(before)).requiredAnti, pod)
}

const afterAffineNodes: Judgement = (pod, { after, before }) => {
  if (after === undefined) return false
  const { requiredAffinity, requiredAnti } = termsOf(pod.metadata.namespace ?? "", podSpecOf(pod))
  const now = labelsOf(after)
  if (before === undefined)
    return requiredAnti.length > 0 || requiredAffinity.some(({ topologyKey }) => now[topologyKey] !== undefined)
  const was = labelsOf(before)
  return (
    requiredAffinity.some(({ topologyKey: key }) => now[key] !== undefined && now[key] !== was[key]) ||
    requiredAnti.some(({ topologyKey: key }) => was[key] !== undefined && now[key] !== was[key])
  )
}

const { add, delete: deleted, nodeAllocatable, nodeLabel, nodeTaint, podLabel, podToleration } = Action

/** Events by the plugins that they can move pods for. */
export const hintTable: ReadonlyArray<HintRow> = [
  { plugin: "SchedulingGates", resource: "TargetPod", actions: Action.podGatesGone },
  { plugin: "NodeName", resource: "Node", actions: add },
  { plugin: "NodeUnschedulable", resource: "Node", actions: add | nodeTaint, helps: afterCordon },
  {
    plugin: "NodeUnschedulable",
    resource: "TargetPod",
    actions: podToleration,
    helps: (_, { after }) => after !== undefined && toleratesTaint(tolerationsOf(after), UNSCHEDULABLE_TAINT)
  },
  { plugin: "TaintToleration", resource: "Node", actions: add | nodeTaint, helps: afterTaint },
  { plugin: "TaintToleration", resource: "TargetPod", actions: podToleration },
  { plugin: "NodeAffinity", resource: "Node", actions: add | nodeLabel, helps: afterNodeLabels },
  { plugin: "NodePorts", resource: "AssignedPod", actions: deleted, helps: afterPortsFreed },
  { plugin: "NodePorts", resource: "Node", actions: add },
  {
    plugin: "NodeResourcesFit",
    resource: "AssignedPod",
    actions: deleted,
    helps: (_, { before }) => before !== undefined && isPlaced(before)
  },
  {
    plugin: "NodeResourcesFit",
    resource: "Node",
    actions: add | nodeAllocatable,
    helps: (pod, { after, before }, { cluster }) =>
      after !== undefined &&
      wouldFitAlone(cluster.shapes, pod, after) &&
      (before === undefined || hasGrown(cluster.shapes, pod, before, after))
  },
  {
    plugin: "NodeResourcesFit",
    resource: "AssignedPod",
    actions: Action.podScaleDown,
    helps: (pod, { after, before }) =>
      after !== undefined && before !== undefined && nodeNameOf(after) !== "" && hasShrunk(pod, before, after)
  },
  { plugin: "NodeResourcesFit", resource: "TargetPod", actions: Action.podScaleDown },
  {
    plugin: "PodTopologySpread",
    resource: "AssignedPod",
    actions: add | podLabel | deleted,
    helps: afterSpreadPods
  },
  { plugin: "PodTopologySpread", resource: "TargetPod", actions: podToleration | podLabel, helps: afterOwnSpread },
  {
    plugin: "PodTopologySpread",
    resource: "Node",
    actions: add | deleted | nodeLabel | nodeTaint,
    helps: afterSpreadNodes
  },
  {
    plugin: "InterPodAffinity",
    resource: "AssignedPod",
    actions: add | podLabel | deleted,
    helps: afterAffinePods
  },
  { plugin: "InterPodAffinity", resource: "TargetPod", actions: podLabel },
  { plugin: "InterPodAffinity", resource: "Node", actions: add | nodeLabel, helps: afterAffineNodes },
  { plugin: "DefaultPreemption", resource: "AssignedPod", actions: deleted, helps: () => false }
]

const everything: ReadonlyArray<EventResource> = [
  "AssignedPod",
  "UnscheduledPod",
  "TargetPod",
  "Node",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "CSINode",
  "CSIDriver",
  "CSIStorageCapacity",
  "StorageClass",
  "VolumeAttachment"
]

/** What extenders think of is not known: everything can help a pod that one of them turned down. */
export const extenderHints: ReadonlyArray<HintRow> = everything.map((resource) => ({
  plugin: "Extender",
  resource,
  actions: Action.all
}))

const concernsRow = ({ actions, resource }: HintRow, event: ClusterEvent): boolean =>
  resource === event.resource && (actions & event.action) !== 0

export class Hints {
  private readonly contexts: ReadonlyMap<string, HintContext>
  private readonly rows: ReadonlyArray<HintRow>

  /** Contexts by scheduler name. */
  constructor(contexts: ReadonlyMap<string, HintContext>, rows: ReadonlyArray<HintRow>) {
    this.contexts = contexts
    this.rows = rows
  }

  isOfInterest(event: ClusterEvent): boolean {
    return event.resource === "*" || this.rows.some((row) => concernsRow(row, event))
  }

  /** The plugins for which an event can matter. */
  pluginsOf(event: ClusterEvent): ReadonlyArray<string> {
    return this.rows.flatMap((row) => (concernsRow(row, event) ? [row.plugin] : []))
  }

  concerns(plugin: string, event: ClusterEvent): boolean {
    return this.rows.some((row) => row.plugin === plugin && concernsRow(row, event))
  }

  /** Whether an event can help a pod that these plugins turned down. */
  helps(
    pod: KubeObject,
    schedulerName: string | undefined,
    rejectors: ReadonlySet<string>,
    event: ClusterEvent
  ): boolean {
    const context = this.contexts.get(schedulerName ?? "default-scheduler")
    if (context === undefined) return true
    for (const row of this.rows)
      if (rejectors.has(row.plugin) && concernsRow(row, event) && row.helps?.(pod, event, context) !== false)
        return true
    return false
  }
}
