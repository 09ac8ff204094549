// What the scheduler hears of the cluster: each change goes into the snapshot and, where it may help waiting pods, to the queue.
// Owns the informers and the order of those two steps (upstream's eventhandlers.go); refuses to schedule.
import { type Client, type Clockwork, gvr, type GroupVersionResource, InformerFactory, type KubeObject } from "#kube"
import type { ApiFailure } from "#kube"
import type { Cluster } from "../cluster/Cluster.ts"
import type { SelectorKind, Selectors } from "../cluster/Selectors.ts"
import { type Budget, budgetOf } from "../decide/Budgets.ts"
import type { Nominations } from "../decide/Nominations.ts"
import { nodeNameOf, noLabels, nominatedNodeOf, podSpecOf, priorityOf, uidOf } from "../pod/PodFields.ts"
import { Action, nodeChanges, podChanges } from "../queue/ClusterEvents.ts"
import type { SchedulingQueue } from "../queue/SchedulingQueue.ts"
import type { StorageKind, StorageObjects } from "../volumes/StorageObjects.ts"

export interface ClusterWatchesOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly cluster: Cluster
  readonly queue: SchedulingQueue
  readonly nominations: Nominations
  readonly selectors: Selectors
  readonly storage: StorageObjects
  readonly schedulerNames: ReadonlySet<string>
  readonly onFailure?: (failure: ApiFailure) => void
}

const selectorKinds: ReadonlyArray<readonly [SelectorKind, GroupVersionResource]> = [
  ["Service", gvr("", "v1", "services")],
  ["ReplicationController", gvr("", "v1", "replicationcontrollers")],
  ["ReplicaSet", gvr("apps", "v1", "replicasets")],
  ["StatefulSet", gvr("apps", "v1", "statefulsets")]
]

const storageResources: ReadonlyArray<readonly [StorageKind, GroupVersionResource]> = [
  ["PersistentVolume", gvr("", "v1", "persistentvolumes")],
  ["PersistentVolumeClaim", gvr("", "v1", "persistentvolumeclaims")],
  ["StorageClass", gvr("storage.k8s.io", "v1", "storageclasses")],
  ["CSINode", gvr("storage.k8s.io", "v1", "csinodes")],
  ["CSIDriver", gvr("storage.k8s.io", "v1", "csidrivers")],
  ["CSIStorageCapacity", gvr("storage.k8s.io", "v1", "csistoragecapacities")],
  ["VolumeAttachment", gvr("storage.k8s.io", "v1", "volumeattachments")]
]

const RUNNING = "status.phase!=Succeeded,status.phase!=Failed"

export class ClusterWatches {
  private readonly options: ClusterWatchesOptions
  private readonly factory: InformerFactory
  private readonly assumed = new Map<string, KubeObject>()
  private readonly budgetObjects = new Map<string, Budget>()
  private budgetList: ReadonlyArray<Budget> | undefined

  constructor(options: ClusterWatchesOptions) {
    this.options = options
    const { client, clockwork, onFailure } = options
    this.factory = new InformerFactory({ client, clockwork, ...(onFailure === undefined ? {} : { onFailure }) })
    this.watchNodes()
    this.watchPods()
    this.watchNamespaces()
    this.watchBudgets()
    for (const [kind, resource] of selectorKinds) this.watchSelectors(kind, resource)
    for (const [kind, resource] of storageResources) this.watchStorage(kind, resource)
  }

  /** Starts, and calls back when everything has been seen once. */
  start(synced: () => void): void {
    this.factory.start()
    this.factory.onSynced(synced)
  }

  stop(): void {
    this.factory.stop()
  }

  readonly budgets = (): ReadonlyArray<Budget> => (this.budgetList ??= [...this.budgetObjects.values()])

  /** The newest state of a pod; undefined when it is gone. */
  pod({ metadata: { name = "", namespace = "" } }: KubeObject): KubeObject | undefined {
    return this.podInformer().store.get(`${namespace}/${name}`)
  }

  podNamed(key: string): KubeObject | undefined {
    return this.podInformer().store.get(key)
  }

  isAssumed(uid: string): boolean {
    return this.assumed.has(uid)
  }

  /** The pod counts as placed until the API server says so itself, or it is forgotten. */
  assume(pod: KubeObject, node: string): KubeObject {
    const assumed = this.options.cluster.assume(pod, node)
    this.assumed.set(uidOf(pod), assumed)
    return assumed
  }

  /** The pod was not bound after all; answers whether it was still assumed. */
  forget(uid: string): boolean {
    if (!this.assumed.delete(uid)) return false
    return this.options.cluster.remove(uid)
  }

  private podInformer() {
    return this.factory.informer(gvr("", "v1", "pods"), { fieldSelector: RUNNING })
  }

  private isOurs(pod: KubeObject): boolean {
    return this.options.schedulerNames.has(podSpecOf(pod).schedulerName ?? "default-scheduler")
  }

  private watchNodes(): void {
    const { cluster, queue } = this.options
    this.factory.informer(gvr("", "v1", "nodes")).addHandler({
      added: (node) => {
        cluster.nodeSeen(node)
        queue.moved({ resource: "Node", action: Action.add, after: node })
      },
      updated: (before, after) => {
        cluster.nodeSeen(after)
        for (const event of nodeChanges(before, after)) queue.moved(event)
      },
      deleted: (node) => {
        queue.moved({ resource: "Node", action: Action.delete, before: node })
        cluster.nodeGone(node.metadata.name ?? "")
      }
    })
  }

  private watchPods(): void {
    this.podInformer().addHandler({
      added: (pod) => {
        if (nodeNameOf(pod) !== "") this.placed(pod)
        else if (this.isOurs(pod)) this.waiting(pod)
      },
      updated: (before, after) => {
        if (nodeNameOf(before) !== "") this.placedChanged(before, after)
        else if (nodeNameOf(after) !== "") {
          this.placed(after)
          if (this.isOurs(before)) this.leftQueue(before)
        } else if (this.isOurs(before)) this.waitingChanged(before, after)
      },
      deleted: (pod) => {
        if (nodeNameOf(pod) !== "") this.gone(pod)
        else if (this.isOurs(pod)) this.waitingGone(pod)
      }
    })
  }

  private placed(pod: KubeObject): void {
    const { cluster, queue } = this.options
    this.assumed.delete(uidOf(pod))
    cluster.place(pod, nodeNameOf(pod))
    queue.moved({ resource: "AssignedPod", action: Action.add, after: pod })
  }

  private placedChanged(before: KubeObject, after: KubeObject): void {
    const { cluster, queue } = this.options
    cluster.place(after, nodeNameOf(after))
    for (const event of podChanges(before, after, false)) queue.moved(event)
  }

  private gone(pod: KubeObject): void {
    this.assumed.delete(uidOf(pod))
    this.options.cluster.remove(uidOf(pod))
    this.options.queue.moved({ resource: "AssignedPod", action: Action.delete, before: pod })
  }

  private waiting(pod: KubeObject): void {
    this.options.nominations.add(pod)
    this.options.queue.add(pod)
  }

  private leftQueue(pod: KubeObject): void {
    this.options.nominations.remove(uidOf(pod))
    this.options.queue.remove(uidOf(pod))
  }

  private waitingChanged(before: KubeObject, after: KubeObject): void {
    const { nominations, queue } = this.options
    const uid = uidOf(after)
    if (this.assumed.has(uid)) {
      if (after.metadata.deletionTimestamp !== undefined && before.metadata.deletionTimestamp === undefined)
        this.assumedGone(uid, after)
      return
    }
    nominations.update(before, after)
    queue.update(before, after)
    const promised = nominatedNodeOf(before)
    if (promised !== "" && promised !== nominatedNodeOf(after)) this.promiseEnded(before)
  }

  private waitingGone(pod: KubeObject): void {
    const uid = uidOf(pod)
    this.leftQueue(pod)
    if (this.assumed.has(uid)) this.assumedGone(uid, pod)
    else if (nominatedNodeOf(pod) !== "") this.promiseEnded(pod)
  }

  private assumedGone(uid: string, pod: KubeObject): void {
    this.forget(uid)
    this.options.queue.moved({ resource: "AssignedPod", action: Action.delete, before: pod })
  }

  /** Room that was kept for a pod is free for those that matter no more than it. */
  private promiseEnded(pod: KubeObject): void {
    const priority = priorityOf(pod)
    const event = { resource: "AssignedPod", action: Action.delete, before: pod } as const
    this.options.queue.moved(event, (other) => priorityOf(other) <= priority)
  }

  private watchNamespaces(): void {
    const { cluster } = this.options
    const seen = ({ metadata: { labels = noLabels, name = "" } }: KubeObject): void =>
      cluster.namespaceSeen(name, labels)
    this.factory.informer(gvr("", "v1", "namespaces")).addHandler({
      added: seen,
      updated: (_, after) => seen(after),
      deleted: ({ metadata: { name = "" } }) => cluster.namespaceSeen(name, undefined)
    })
  }

  private watchBudgets(): void {
    const keyOf = ({ metadata: { name, namespace } }: KubeObject): string => `${namespace}/${name}`
    const seen = (object: KubeObject): void => {
      const budget = budgetOf(object)
      if (budget === undefined) this.budgetObjects.delete(keyOf(object))
      else this.budgetObjects.set(keyOf(object), budget)
      this.budgetList = undefined
    }
    this.factory.informer(gvr("policy", "v1", "poddisruptionbudgets")).addHandler({
      added: seen,
      updated: (_, after) => seen(after),
      deleted: (object) => {
        this.budgetObjects.delete(keyOf(object))
        this.budgetList = undefined
      }
    })
  }

  private watchSelectors(kind: SelectorKind, resource: GroupVersionResource): void {
    const { selectors } = this.options
    this.factory.informer(resource).addHandler({
      added: (object) => selectors.seen(kind, object),
      updated: (_, after) => selectors.seen(kind, after),
      deleted: (object) => selectors.gone(kind, object)
    })
  }

  private watchStorage(kind: StorageKind, resource: GroupVersionResource): void {
    const { queue, storage } = this.options
    this.factory.informer(resource).addHandler({
      added: (after) => {
        storage.seen(kind, after)
        queue.moved({ resource: kind, action: Action.add, after })
      },
      updated: (before, after) => {
        storage.seen(kind, after)
        queue.moved({ resource: kind, action: Action.update, before, after })
      },
      deleted: (before) => {
        storage.gone(kind, before)
        queue.moved({ resource: kind, action: Action.delete, before })
      }
    })
  }
}
