// Pods that have been promised a node while others make room there.
// Owns who is promised what, and says in the cluster's log where that changes; refuses to promise, which preemption does. Bound: one node
// for each waiting pod.
import type { KubeObject } from "#kube"
import type { Cluster } from "../cluster/Cluster.ts"
import { nominatedNodeOf, priorityOf, uidOf } from "../pod/PodFields.ts"

export class Nominations {
  private readonly cluster: Cluster
  private readonly byNode = new Map<string, Map<string, KubeObject>>()
  private readonly nodeOf = new Map<string, string>()

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** No promise is out: the common case, and nobody need look. */
  get isEmpty(): boolean {
    return this.nodeOf.size === 0
  }

  /** Promises a node, or the one that the pod's status names; "" takes the promise back. */
  add(pod: KubeObject, node = nominatedNodeOf(pod)): void {
    const uid = uidOf(pod)
    this.remove(uid)
    if (node === "") return
    this.nodeOf.set(uid, node)
    let pods = this.byNode.get(node)
    if (pods === undefined) this.byNode.set(node, (pods = new Map()))
    pods.set(uid, pod)
    // Labels that it asks about count from now on: before another pod is judged that may have them.
    this.cluster.shapes.of(pod)
    this.cluster.promisesChanged(node)
  }

  /** The pod has changed; a promise that its status does not know of yet stands. */
  update(before: KubeObject, after: KubeObject): void {
    const promised = this.nodeOf.get(uidOf(before))
    const silent = nominatedNodeOf(before) === "" && nominatedNodeOf(after) === ""
    this.remove(uidOf(before))
    this.add(after, silent && promised !== undefined ? promised : nominatedNodeOf(after))
  }

  remove(uid: string): void {
    const node = this.nodeOf.get(uid)
    if (node === undefined) return
    this.nodeOf.delete(uid)
    const pods = this.byNode.get(node)
    if (pods?.delete(uid) === true && pods.size === 0) this.byNode.delete(node)
    this.cluster.promisesChanged(node)
  }

  /** The node that a pod is promised; undefined while it is promised none. */
  promised(uid: string): string | undefined {
    return this.nodeOf.get(uid)
  }

  nodes(): IterableIterator<string> {
    return this.byNode.keys()
  }

  /** Pods that are promised a node and matter as much as a pod, or more; not that pod itself. */
  ahead(node: string, pod: KubeObject): ReadonlyArray<KubeObject> {
    const pods = this.byNode.get(node)
    if (pods === undefined) return []
    const priority = priorityOf(pod)
    const uid = uidOf(pod)
    return [...pods.values()].filter((one) => uidOf(one) !== uid && priorityOf(one) >= priority)
  }

  /** Pods that are promised a node and matter less. */
  behind(node: string, priority: number): ReadonlyArray<KubeObject> {
    return [...(this.byNode.get(node)?.values() ?? [])].filter((one) => priorityOf(one) < priority)
  }
}
