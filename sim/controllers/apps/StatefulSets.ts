// The controller of StatefulSets: which change wakes which set, and when a set must wait for its informers.
// Owns the informers and the queue; what a look does is StatefulSync.ts's.
import { Effect } from "effect"
import {
  type Controller,
  controllerOf,
  effectClient,
  type KubeObject,
  labelSelectorOf,
  makeController,
  objectKey,
  sameJson,
  SelectorInvalid
} from "#kube"
import { Freshness } from "../Freshness.ts"
import { gatherMs } from "../Gathering.ts"
import type { Manager } from "../Manager.ts"
import { indexByOwner, orphansIn, ownedBy, ownerKeyOf } from "../Owned.ts"
import { isNamespaceTerminating, podResource } from "../PodControl.ts"
import { claimResource, StatefulCalls } from "./StatefulCalls.ts"
import { isMember } from "./StatefulPods.ts"
import { StatefulSync } from "./StatefulSync.ts"
import { replicasOf, revisionResource, type StatefulSet, statefulSetKind, statefulSetResource } from "./Workloads.ts"

const NAME = "statefulset-controller"
const STALE_RETRY_MS = 10

/** Upstream's statefulset-controller. */
export const statefulSetController = (manager: Manager): Controller => {
  const { clockwork, events, informers } = manager
  const client = effectClient(manager.client)
  const sets = informers.informer(statefulSetResource)
  const pods = informers.informer(podResource)
  const claims = informers.informer(claimResource)
  const revisions = informers.informer(revisionResource)
  indexByOwner(pods)
  indexByOwner(revisions)
  const freshness = new Freshness([pods, claims])
  const sync = new StatefulSync({
    client,
    calls: new StatefulCalls({ client, events: events.from(NAME), freshness, pods, claims }),
    now: clockwork.now,
    podCandidates: (set) => [
      ...ownedBy(pods, set),
      ...orphansIn(pods, set.metadata.namespace ?? "").filter((pod) => isMember(set, pod))
    ],
    revisionCandidates: (set) => [...ownedBy(revisions, set), ...orphansIn(revisions, set.metadata.namespace ?? "")]
  })
  sets.addHandler({ deleted: ({ metadata }) => freshness.forget(metadata.uid ?? "") })
  const controller = makeController({
    name: NAME,
    clockwork,
    workers: manager.syncs(NAME),
    watches: [
      { informer: sets, keys: objectKey },
      ...[pods, claims, revisions].map((informer) => ({ informer, keys: () => undefined }))
    ],
    reconcile: (key) => {
      const set = sets.store.get(key)
      if (set === undefined) return Effect.void
      if (!freshness.isFresh(set.metadata.uid ?? "")) return Effect.succeed({ requeueAfterMs: STALE_RETRY_MS })
      // SAFETY: the informer holds StatefulSets.
      return sync.sync(set as StatefulSet).pipe(Effect.catchIf(isNamespaceTerminating, () => Effect.void))
    },
    onFailure: (key, failure) => manager.failed(NAME, key, failure)
  })
  /** A pod that nobody owns may be one that a set adopts. */
  const wakeMatching = (pod: KubeObject): void => {
    for (const set of sets.store.inNamespace(pod.metadata.namespace ?? "")) {
      const selector = labelSelectorOf((set as StatefulSet).spec.selector)
      if (!(selector instanceof SelectorInvalid) && selector.matches(pod.metadata.labels ?? {}))
        controller.enqueue(objectKey(set))
    }
  }
  const wakeOwner = (pod: KubeObject, isHurry = true): boolean => {
    const key = ownerKeyOf(pod, statefulSetKind)
    const set = key === undefined ? undefined : sets.store.get(key)
    const waitMs = isHurry || set === undefined ? 0 : gatherMs(replicasOf(set as StatefulSet))
    if (key !== undefined) controller.enqueueAfter(key, waitMs)
    return key !== undefined || controllerOf(pod) !== undefined
  }
  pods.addHandler({
    added: (pod) => {
      if (!wakeOwner(pod)) wakeMatching(pod)
    },
    updated: (before, after) => {
      const isNews =
        controllerOf(before)?.uid !== controllerOf(after)?.uid ||
        !sameJson(before.metadata.labels, after.metadata.labels)
      const isLeaving = before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp
      if (isNews) wakeOwner(before)
      if (!wakeOwner(after, isNews || isLeaving) && isNews) wakeMatching(after)
    },
    deleted: (pod) => void wakeOwner(pod)
  })
  return controller
}
