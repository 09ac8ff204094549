// The controllers of ReplicaSets and ReplicationControllers: two kinds, one behaviour.
// Owns which change wakes which set, and what is expected of the informers; what a look does is ReplicaSync.ts's.
import { Effect } from "effect"
import {
  type Controller,
  controllerOf,
  effectClient,
  gvr,
  type Informer,
  type KubeObject,
  type Labels,
  type LabelSelector,
  labelSelectorOf,
  labelSelectorOfLabels,
  makeController,
  noLabel,
  objectKey,
  sameJson,
  SelectorInvalid
} from "#kube"
import { Expectations } from "../Expectations.ts"
import { gatherMs } from "../Gathering.ts"
import type { Manager } from "../Manager.ts"
import { indexByOwner, orphansIn, ownedBy, ownedByUid, ownerKeyOf } from "../Owned.ts"
import { PodControl, podResource } from "../PodControl.ts"
import { hasLabelsOf, type ReplicaKind, ReplicaSync } from "./ReplicaSync.ts"
import { ReplicaTallies } from "./ReplicaTallies.ts"
import { type ReplicaSet, replicaSetKind, replicaSetResource, replicasOf } from "./Workloads.ts"

interface Named {
  readonly name: string
  readonly component: string
  readonly kind: ReplicaKind
}

const replicaSets: Named = {
  name: "replicaset-controller",
  component: "replicaset-controller",
  kind: {
    owner: replicaSetKind,
    resource: replicaSetResource,
    selectorOf: ({ spec }) => {
      const selector = labelSelectorOf(spec.selector)
      return selector instanceof SelectorInvalid ? undefined : selector
    },
    tellsTerminating: true
  }
}

const replicationControllers: Named = {
  name: "replicationcontroller-controller",
  component: "replication-controller",
  kind: {
    owner: { apiVersion: "v1", kind: "ReplicationController" },
    resource: gvr("", "v1", "replicationcontrollers"),
    selectorOf: ({ spec }) => rcSelector(spec.selector as Readonly<Record<string, string>> | undefined),
    tellsTerminating: false
  }
}

const rcSelector = (labels: Readonly<Record<string, string>> | undefined): LabelSelector =>
  labels === undefined || Object.keys(labels).length === 0 ? noLabel : labelSelectorOfLabels(labels)

/** What the controller of one of the two kinds consists of. */
interface Parts {
  readonly kind: ReplicaKind
  readonly sets: Informer
  readonly pods: Informer
  readonly tallies: ReplicaTallies
  readonly expectations: Expectations
}

const uidOf = ({ metadata }: KubeObject): string => metadata.uid ?? ""

const partsOf = ({ clockwork, informers }: Manager, kind: ReplicaKind): Parts => {
  const sets = informers.informer(kind.resource)
  const pods = informers.informer(podResource)
  indexByOwner(pods)
  indexByOwner(sets)
  sets.store.addIndex("uid", (set) => [uidOf(set)])
  const isRegular = (pod: KubeObject, uid: string): boolean => {
    // SAFETY: the informer holds objects of this kind.
    const set = sets.store.byIndex("uid", uid)[0] as ReplicaSet | undefined
    return (
      set !== undefined && kind.selectorOf(set)?.matches(pod.metadata.labels ?? {}) === true && hasLabelsOf(set, pod)
    )
  }
  const tallies = new ReplicaTallies(pods, kind.owner.kind, isRegular)
  return { kind, sets, pods, tallies, expectations: new Expectations(clockwork) }
}

const followSets = ({ expectations, sets, tallies }: Parts): void => {
  sets.addHandler({
    added: (set) => tallies.setOdd(uidOf(set), true),
    updated: (before, after) => {
      if (before.metadata.generation !== after.metadata.generation) noteNewTemplate(before, after, tallies)
    },
    deleted: (set) => {
      tallies.forget(uidOf(set))
      expectations.forget(uidOf(set))
    }
  })
}

const isGone = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

const ownerUid = (pod: KubeObject): string => controllerOf(pod)?.uid ?? ""

/** Wakes the sets that pods concern, and notes what was expected of them. */
const followPods = ({ expectations, kind, pods, sets, tallies }: Parts, controller: Controller): void => {
  const wakeMatching = (pod: KubeObject): void => {
    for (const set of sets.store.inNamespace(pod.metadata.namespace ?? "")) {
      if (kind.selectorOf(set as ReplicaSet)?.matches(pod.metadata.labels ?? {}) !== true) continue
      tallies.setOdd(uidOf(set), true)
      controller.enqueue(objectKey(set))
    }
  }
  const wakeInTime = (key: string): void => {
    const set = sets.store.get(key)
    controller.enqueueAfter(key, gatherMs(set === undefined ? 0 : replicasOf(set as ReplicaSet)))
  }
  /** What is awaited is in no hurry until all of it has come; what comes unasked is looked at now. */
  const wake = (key: string, uid: string, isAwaited: boolean): void => {
    if (isAwaited && !expectations.satisfied(uid)) wakeInTime(key)
    else controller.enqueue(key)
  }
  const left = (pod: KubeObject, wasLeaving: boolean): void => {
    const key = ownerKeyOf(pod, kind.owner)
    if (key === undefined) return
    const uid = ownerUid(pod)
    const isAwaited = expectations.deleted(uid, objectKey(pod))
    if (wasLeaving) wakeInTime(key)
    else wake(key, uid, isAwaited)
  }
  pods.addHandler({
    added: (pod) => {
      if (isGone(pod)) return left(pod, false)
      const key = ownerKeyOf(pod, kind.owner)
      if (key === undefined) return controllerOf(pod) === undefined ? wakeMatching(pod) : undefined
      const uid = ownerUid(pod)
      const isAwaited = !expectations.satisfied(uid)
      expectations.created(uid)
      wake(key, uid, isAwaited)
    },
    updated: (before, after) => {
      if (isGone(after)) return left(after, isGone(before))
      const from = ownerKeyOf(before, kind.owner)
      const to = ownerKeyOf(after, kind.owner)
      if (from !== undefined && from !== to) controller.enqueue(from)
      if (to !== undefined) return from === to ? wakeInTime(to) : controller.enqueue(to)
      const isNews = controllerOf(before) !== undefined || !sameJson(before.metadata.labels, after.metadata.labels)
      if (controllerOf(after) === undefined && isNews) wakeMatching(after)
    },
    deleted: (pod) => left(pod, isGone(pod))
  })
}

const makeReplicas =
  ({ component, kind, name }: Named) =>
  (manager: Manager): Controller => {
    const { client, clockwork, events } = manager
    const parts = partsOf(manager, kind)
    const { expectations, pods, sets, tallies } = parts
    followSets(parts)
    const sync = new ReplicaSync({
      kind,
      client: effectClient(client),
      pods: new PodControl(client, events.from(component)),
      expectations,
      tallies,
      now: clockwork.now,
      ownPods: (set) => ownedBy(pods, set),
      orphans: (namespace) => orphansIn(pods, namespace),
      related: (set) => {
        const owner = controllerOf(set)
        const family = owner === undefined ? [set] : ownedByUid(sets, owner.uid)
        return family.flatMap((one) => ownedBy(pods, one))
      }
    })
    const controller = makeController({
      name,
      clockwork,
      workers: manager.syncs(name),
      watches: [
        { informer: sets, keys: objectKey },
        { informer: pods, keys: () => undefined }
      ],
      reconcile: (key) => {
        const set = sets.store.get(key)
        return set === undefined ? Effect.void : sync.sync(set as ReplicaSet)
      },
      onFailure: (key, failure) => manager.failed(name, key, failure)
    })
    followPods(parts, controller)
    return controller
  }

/** Pods that had all labels of the template may lack some of the new one. */
const noteNewTemplate = (before: KubeObject, after: KubeObject, tallies: ReplicaTallies): void => {
  const labels = (set: KubeObject): Labels | undefined => (set as ReplicaSet).spec.template.metadata?.labels
  if (!sameJson(labels(before), labels(after))) tallies.setOdd(after.metadata.uid ?? "", true)
}

/** Upstream's replicaset-controller. */
export const replicaSetController = makeReplicas(replicaSets)

/** Upstream's replicationcontroller-controller. */
export const replicationControllerController = makeReplicas(replicationControllers)
