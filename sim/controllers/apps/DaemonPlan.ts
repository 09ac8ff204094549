// Which pods of a DaemonSet are to be made and deleted now: first what each node should have, then the rolling update.
// Owns the rules, by upstream's daemon set controller; refuses to call anybody. Nodes are looked at in their order.
import type { KubeObject } from "#kube"
import { isAvailable, isReady, nodeNameOf, phaseOf } from "../PodFacts.ts"
import { hashOfPod, isUpdated, type Placement } from "./DaemonPlacement.ts"
import { scaled } from "./RolloutMath.ts"
import type { DaemonSet } from "./Workloads.ts"

/** A DaemonSet with its nodes and pods as they are now. */
export interface DaemonView {
  readonly set: DaemonSet
  readonly hash: string
  readonly nodes: ReadonlyArray<KubeObject>
  readonly podsOn: ReadonlyMap<string, ReadonlyArray<KubeObject>>
  readonly placement: (node: KubeObject) => Placement
  readonly nowMs: number
}

export interface DaemonPlan {
  /** Names of nodes. */
  readonly create: Array<string>
  readonly remove: Array<KubeObject>
}

/** What the plan tells and asks beside: failed pods and their waits. */
export interface DaemonNotes {
  readonly failed: (pod: KubeObject, node: string) => "remove" | "wait"
  readonly succeeded: (pod: KubeObject, node: string) => void
}

const noPods: ReadonlyArray<KubeObject> = []

const isLeaving = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

/** Pods on a node before those without one, then the older ones. */
export const byPlaceAndAge = (a: KubeObject, b: KubeObject): number => {
  const place = Number(nodeNameOf(a) === "") - Number(nodeNameOf(b) === "")
  if (place !== 0) return place
  const { creationTimestamp: x = "", name: n = "" } = a.metadata
  const { creationTimestamp: y = "", name: m = "" } = b.metadata
  return x === y ? (n < m ? -1 : 1) : x < y ? -1 : 1
}

/** Pods that a set may have beyond one for each of so many nodes. */
const surgeOf = ({ spec }: DaemonSet, nodes: number): number =>
  spec.updateStrategy?.type === "OnDelete" ? 0 : scaled(spec.updateStrategy?.rollingUpdate?.maxSurge, nodes, true)

const unavailableOf = ({ spec }: DaemonSet, nodes: number): number =>
  spec.updateStrategy?.type === "OnDelete" ? 0 : scaled(spec.updateStrategy?.rollingUpdate?.maxUnavailable, nodes, true)

const isPodAvailable = ({ nowMs, set }: DaemonView, pod: KubeObject): boolean =>
  isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)

/** Of several running pods on a node: with surge one of each template may stay until the new one is available. */
const surplus = (view: DaemonView, running: Array<KubeObject>, hasSurge: boolean): ReadonlyArray<KubeObject> => {
  if (running.length <= 1) return noPods
  running.sort(byPlaceAndAge)
  if (!hasSurge) return running.slice(1)
  const fresh = running.find((pod) => hashOfPod(pod) === view.hash)
  const old = running.find((pod) => hashOfPod(pod) !== view.hash)
  const others = running.filter((pod) => pod !== fresh && pod !== old)
  const isOver = fresh !== undefined && old !== undefined && (!isReady(old) || isPodAvailable(view, fresh))
  return isOver ? [...others, old] : others
}

/** One pod on each node that should have one, and none elsewhere. */
export const planNodes = (view: DaemonView, notes: DaemonNotes): DaemonPlan => {
  const plan: DaemonPlan = { create: [], remove: [] }
  const hasSurge = surgeOf(view.set, 1) > 0
  const names = new Set<string>()
  for (const node of view.nodes) {
    const name = node.metadata.name ?? ""
    names.add(name)
    const { mayStay, shouldRun } = view.placement(node)
    const pods = view.podsOn.get(name)
    if (pods === undefined) {
      if (shouldRun) plan.create.push(name)
    } else if (!mayStay) plan.remove.push(...pods.filter((pod) => !isLeaving(pod)))
    else {
      const running: Array<KubeObject> = []
      for (const pod of pods) {
        if (isLeaving(pod)) continue
        const phase = phaseOf(pod)
        if (phase === "Failed") {
          if (notes.failed(pod, name) === "remove") plan.remove.push(pod)
        } else if (phase === "Succeeded") {
          notes.succeeded(pod, name)
          plan.remove.push(pod)
        } else running.push(pod)
      }
      if (hasSurge && running.length === 0 && shouldRun) plan.create.push(name)
      plan.remove.push(...surplus(view, running, hasSurge))
    }
  }
  // Pods for nodes that are gone will never be bound.
  for (const [name, pods] of view.podsOn)
    if (!names.has(name)) plan.remove.push(...pods.filter((pod) => nodeNameOf(pod) === ""))
  return plan
}

interface Pair {
  readonly fresh: KubeObject | undefined
  readonly old: KubeObject | undefined
}

/** The pod of the new and of the old template on a node; undefined when there is more than one of either. */
const pairOn = ({ hash, set }: DaemonView, pods: ReadonlyArray<KubeObject>): Pair | undefined => {
  let fresh: KubeObject | undefined
  let old: KubeObject | undefined
  for (const pod of pods) {
    if (isLeaving(pod)) continue
    if (isUpdated(set, pod, hash)) {
      if (fresh !== undefined) return undefined
      fresh = pod
    } else {
      if (old !== undefined) return undefined
      old = pod
    }
  }
  return { fresh, old }
}

/** The nodes of a rolling update: those with pods, and those that should have one. */
const rollingNodes = (
  view: DaemonView
): { readonly pods: Map<string, ReadonlyArray<KubeObject>>; readonly desired: number } => {
  const pods = new Map(view.podsOn)
  let desired = 0
  for (const node of view.nodes) {
    if (!view.placement(node).shouldRun) continue
    desired++
    const name = node.metadata.name ?? ""
    if (!pods.has(name)) pods.set(name, noPods)
  }
  return { pods, desired }
}

/** The next step of a rolling update. */
export const planRollout = (view: DaemonView): DaemonPlan => {
  const { desired, pods } = rollingNodes(view)
  const surge = surgeOf(view.set, desired)
  const asked = unavailableOf(view.set, desired)
  const unavailable = desired > 0 && asked === 0 && surge === 0 ? 1 : asked
  return surge === 0 ? replaceInPlace(view, pods, unavailable) : replaceBeside(view, pods, surge, desired)
}

/** Old pods go first, as many as may be missing, and new ones come in their place. */
const replaceInPlace = (
  view: DaemonView,
  podsOn: ReadonlyMap<string, ReadonlyArray<KubeObject>>,
  most: number
): DaemonPlan => {
  let missing = 0
  const useless: Array<KubeObject> = []
  const candidates: Array<KubeObject> = []
  for (const pods of podsOn.values()) {
    const pair = pairOn(view, pods)
    if (pair === undefined) missing++
    else if ((pair.old === undefined) === (pair.fresh === undefined)) missing++
    else if (pair.fresh !== undefined) missing += isPodAvailable(view, pair.fresh) ? 0 : 1
    else if (pair.old !== undefined) {
      if (isPodAvailable(view, pair.old)) candidates.push(pair.old)
      else {
        useless.push(pair.old)
        missing++
      }
    }
  }
  return { create: [], remove: [...useless, ...candidates.slice(0, Math.max(0, most - missing))] }
}

/** New pods come first, as many as may be too much, and the old ones go when the new ones are available. */
const replaceBeside = (
  view: DaemonView,
  podsOn: ReadonlyMap<string, ReadonlyArray<KubeObject>>,
  most: number,
  desired: number
): DaemonPlan => {
  const nodes = new Map(view.nodes.map((node) => [node.metadata.name ?? "", node]))
  const plan: DaemonPlan = { create: [], remove: [] }
  const candidates: Array<string> = []
  const misplaced: Array<KubeObject> = []
  let doubled = 0
  let available = 0
  for (const [name, pods] of podsOn) {
    const pair = pairOn(view, pods)
    if (pair === undefined) {
      doubled++
      continue
    }
    const { fresh, old } = pair
    const standing = old ?? fresh
    const isStanding = standing !== undefined && isPodAvailable(view, standing)
    if (isStanding) available++
    if (old === undefined) continue
    if (fresh !== undefined) {
      if (isPodAvailable(view, fresh)) plan.remove.push(old)
      else doubled++
      continue
    }
    const node = nodes.get(name)
    const shouldRun = node !== undefined && view.placement(node).shouldRun
    if (!shouldRun) (isStanding ? misplaced : plan.remove).push(old)
    else if (!isStanding) plan.create.push(name)
    else candidates.push(name)
  }
  plan.remove.push(...misplaced.slice(0, Math.max(0, available - desired)))
  plan.create.push(...candidates.slice(0, Math.max(0, most - doubled)))
  return plan
}
