// What happens in a cluster, as far as it can make a pod schedulable: the resource and what was done to it.
// Owns telling changes of pods and nodes apart (upstream's framework/events.go); refuses to judge whether they help, which Hints.ts does.
import { type KubeObject, type Json, sameJson } from "#kube"
import { nodeNameOf, nodeSpecOf, nodeStatusOf, noLabels, podSpecOf } from "../pod/PodFields.ts"
import { podRequests } from "../pod/PodRequests.ts"

export type EventResource =
  | "AssignedPod"
  | "UnscheduledPod"
  | "TargetPod"
  | "Node"
  | "PersistentVolume"
  | "PersistentVolumeClaim"
  | "CSINode"
  | "CSIDriver"
  | "CSIStorageCapacity"
  | "StorageClass"
  | "VolumeAttachment"
  | "*"

/** What was done: bits, so that a plugin can name several. */
export const Action = {
  add: 1,
  delete: 2,
  nodeAllocatable: 4,
  nodeLabel: 8,
  nodeTaint: 16,
  nodeCondition: 32,
  nodeAnnotation: 64,
  podLabel: 256,
  podScaleUp: 512,
  podScaleDown: 1024,
  podToleration: 2048,
  podGatesGone: 4096,
  /** Any update that has no bit of its own. */
  update: 8192,
  all: 0xffff
} as const

export interface ClusterEvent {
  readonly resource: EventResource
  readonly action: number
  readonly before?: KubeObject
  readonly after?: KubeObject
}

const labelsChanged = (before: KubeObject, after: KubeObject): boolean =>
  before.metadata.labels !== after.metadata.labels &&
  !sameJson(before.metadata.labels ?? noLabels, after.metadata.labels ?? noLabels)

/** SAFETY: parts of an object are JSON. */
const differ = (before: unknown, after: unknown): boolean => !sameJson(before as Json, after as Json)

const scaled = (before: KubeObject, after: KubeObject): { readonly up: boolean; readonly down: boolean } => {
  const same = sameJson(before.spec, after.spec) && !differ(statusResources(before), statusResources(after))
  if (same) return { up: false, down: false }
  const old = podRequests(before, { useStatus: true })
  const fresh = podRequests(after, { useStatus: true })
  let up = false
  let down = false
  for (const [name, quantity] of old) {
    const now = fresh.get(name)
    if (now === undefined || quantity.compare(now) > 0) down = true
  }
  for (const [name, quantity] of fresh) {
    const was = old.get(name)
    if (was === undefined || quantity.compare(was) > 0) up = true
  }
  return { up, down }
}

const statusResources = ({ status }: KubeObject): unknown => {
  const { allocatedResources, conditions, containerStatuses, resources } = (status ?? {}) as Readonly<
    Record<string, unknown>
  >
  // SAFETY: what is not a list here is not counted either.
  const listed = (Array.isArray(containerStatuses) ? containerStatuses : []) as ReadonlyArray<
    Readonly<Record<string, unknown>>
  >
  const pending = (Array.isArray(conditions) ? conditions : []) as ReadonlyArray<Readonly<Record<string, unknown>>>
  return [
    allocatedResources,
    resources,
    listed.map((one) => [one["allocatedResources"], one["resources"]]),
    pending.find(({ type }) => type === "PodResizePending")?.["reason"]
  ].map((one) => one ?? null)
}

/** What is different about a pod; `isTarget` for the waiting pod itself. */
export const podChanges = (before: KubeObject, after: KubeObject, isTarget: boolean): ReadonlyArray<ClusterEvent> => {
  const resource = nodeNameOf(after) !== "" ? "AssignedPod" : isTarget ? "TargetPod" : "UnscheduledPod"
  const { down, up } = scaled(before, after)
  const old = podSpecOf(before)
  const fresh = podSpecOf(after)
  const actions: Array<number> = []
  if (labelsChanged(before, after)) actions.push(Action.podLabel)
  if (down) actions.push(Action.podScaleDown)
  if (up) actions.push(Action.podScaleUp)
  if ((fresh.schedulingGates?.length ?? 0) === 0 && (old.schedulingGates?.length ?? 0) > 0)
    actions.push(Action.podGatesGone)
  if (fresh.tolerations?.length !== old.tolerations?.length) actions.push(Action.podToleration)
  if (actions.length === 0) actions.push(Action.update)
  return actions.map((action) => ({ resource, action, before, after }))
}

const statuses = (node: KubeObject): string =>
  (nodeStatusOf(node).conditions ?? []).map(({ status, type }) => `${type}=${status}`).join()

/** What is different about a node, as far as scheduling goes. */
export const nodeChanges = (before: KubeObject, after: KubeObject): ReadonlyArray<ClusterEvent> => {
  const old = nodeSpecOf(before)
  const fresh = nodeSpecOf(after)
  const actions: Array<number> = []
  if (old.unschedulable === true && fresh.unschedulable !== true) actions.push(Action.nodeTaint)
  if (differ(nodeStatusOf(before).allocatable ?? {}, nodeStatusOf(after).allocatable ?? {}))
    actions.push(Action.nodeAllocatable)
  if (labelsChanged(before, after)) actions.push(Action.nodeLabel)
  if (differ(old.taints ?? [], fresh.taints ?? [])) actions.push(Action.nodeTaint)
  if (statuses(before) !== statuses(after)) actions.push(Action.nodeCondition)
  if (differ(before.metadata.annotations ?? {}, after.metadata.annotations ?? {})) actions.push(Action.nodeAnnotation)
  return actions.map((action) => ({ resource: "Node", action, before, after }))
}
