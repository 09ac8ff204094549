// Keeps the taints and labels of each node that follow from what it says of itself: no pods onto a node under pressure, not ready,
// out of reach or cordoned.
// Owns the NoSchedule taints of conditions and the two old labels; NoExecute taints, which evict, are NodeLifecycle.ts's.
import { Effect } from "effect"
import { type Controller, type KubeObject, sameJson } from "#kube"
import { fieldsOf } from "#apiserver"
import { keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { conditionsOf } from "../PodFacts.ts"
import { isSameTaint, isUnschedulable, type Taint, taintsOf } from "./NodeFacts.ts"
import { labelNode, nodes, swapTaints } from "./NodeWrites.ts"

const CONDITIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: "node.kubernetes.io/not-ready", Unknown: "node.kubernetes.io/unreachable" },
  MemoryPressure: { True: "node.kubernetes.io/memory-pressure" },
  DiskPressure: { True: "node.kubernetes.io/disk-pressure" },
  NetworkUnavailable: { True: "node.kubernetes.io/network-unavailable" },
  PIDPressure: { True: "node.kubernetes.io/pid-pressure" }
}
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
const OWN: ReadonlySet<string> = new Set([UNSCHEDULABLE, ...Object.values(CONDITIONS).flatMap(Object.values<string>)])
const LABELS = [
  ["kubernetes.io/os", "beta.kubernetes.io/os"],
  ["kubernetes.io/arch", "beta.kubernetes.io/arch"]
] as const

/** The taints to put on and to take off, by what a node's conditions say. */
export const conditionTaints = (
  node: KubeObject
): { readonly add: ReadonlyArray<Taint>; readonly remove: ReadonlyArray<Taint> } => {
  const wanted: Array<Taint> = []
  for (const { status, type } of conditionsOf(node)) {
    const key = CONDITIONS[type]?.[status]
    if (key !== undefined) wanted.push({ key, effect: "NoSchedule" })
  }
  if (isUnschedulable(node)) wanted.push({ key: UNSCHEDULABLE, effect: "NoSchedule" })
  const held = taintsOf(node).filter(({ effect, key }) => effect === "NoSchedule" && OWN.has(key))
  return {
    add: wanted.filter((one) => !held.some((other) => isSameTaint(one, other))),
    remove: held.filter((one) => !wanted.some((other) => isSameTaint(one, other)))
  }
}

/** The old labels that are missing, or that say something else than the new ones. */
export const missingLabels = ({ metadata: { labels = {} } }: KubeObject): Readonly<Record<string, string>> => {
  const missing: Record<string, string> = {}
  for (const [label, old] of LABELS) {
    const value = labels[label]
    if (value !== undefined && labels[old] !== value) missing[old] = value
  }
  return missing
}

const statuses = (node: KubeObject): string =>
  conditionsOf(node)
    .map(({ status, type }) => `${type}=${status}`)
    .join()

/** A heartbeat alone changes nothing here. */
const changed = (before: KubeObject, after: KubeObject): boolean =>
  before.metadata.uid !== after.metadata.uid ||
  isUnschedulable(before) !== isUnschedulable(after) ||
  statuses(before) !== statuses(after) ||
  !sameJson(fieldsOf(before.spec)["taints"], fieldsOf(after.spec)["taints"]) ||
  !sameJson(before.metadata.labels, after.metadata.labels)

/** The part of the node lifecycle controller that follows each node by itself. */
export const nodeTaints = (manager: Manager, name: string): Controller => {
  const informer = manager.informers.informer(nodes)
  return keyedController(manager, name, {
    watches: [{ informer, keys: ({ metadata }) => metadata.name, changed }],
    reconcile: (key) => {
      const node = informer.store.get(key)
      if (node === undefined) return Effect.void
      const { add, remove } = conditionTaints(node)
      const taints = add.length + remove.length === 0 ? Effect.void : swapTaints(manager, node, add, remove)
      const labels = missingLabels(node)
      return Object.keys(labels).length === 0 ? taints : Effect.andThen(taints, labelNode(manager, node, labels))
    }
  })
}
