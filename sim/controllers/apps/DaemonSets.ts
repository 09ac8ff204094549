// The controller of DaemonSets: which change of a set, a pod, a revision or a node wakes which set.
// Owns the informers and the queue; what a look does is DaemonSync.ts's. A look goes through all nodes, so changes gather before it.
import { Effect } from "effect"
import {
  type Controller,
  controllerOf,
  effectClient,
  gvr,
  type Informer,
  type KubeObject,
  labelSelectorOf,
  makeController,
  objectKey,
  sameJson,
  SelectorInvalid
} from "#kube"
import { Expectations } from "../Expectations.ts"
import { gatherMs } from "../Gathering.ts"
import type { Manager } from "../Manager.ts"
import { indexByOwner, orphansIn, ownedBy, ownerKeyOf } from "../Owned.ts"
import { isNamespaceTerminating, PodControl, podResource } from "../PodControl.ts"
import { placementOf } from "./DaemonPlacement.ts"
import { DaemonSync } from "./DaemonSync.ts"
import { FailureBackoff } from "./FailureBackoff.ts"
import { type DaemonSet, daemonSetKind, daemonSetResource, revisionResource } from "./Workloads.ts"

const NAME = "daemonset-controller"
const nodeResource = gvr("", "v1", "nodes")

const isGone = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

const taintsOf = ({ spec }: KubeObject): unknown => (spec as { readonly taints?: unknown } | undefined)?.taints

/** The informers that a DaemonSet's controller follows. */
interface Parts {
  readonly sets: Informer
  readonly pods: Informer
  readonly nodes: Informer
  readonly revisions: Informer
  readonly expectations: Expectations
}

/** Upstream's daemonset-controller. */
export const daemonSetController = (manager: Manager): Controller => {
  const { clockwork, events, informers } = manager
  const sets = informers.informer(daemonSetResource)
  const pods = informers.informer(podResource)
  const nodes = informers.informer(nodeResource)
  const revisions = informers.informer(revisionResource)
  indexByOwner(pods)
  indexByOwner(revisions)
  const expectations = new Expectations(clockwork)
  const sink = events.from(NAME)
  const sync = new DaemonSync({
    client: effectClient(manager.client),
    events: sink,
    pods: new PodControl(manager.client, sink),
    expectations,
    backoff: new FailureBackoff(clockwork),
    now: clockwork.now,
    nodes: () => [...nodes.store.all()],
    podCandidates: (set) => [...ownedBy(pods, set), ...orphansIn(pods, set.metadata.namespace ?? "")],
    revisionCandidates: (set) => [...ownedBy(revisions, set), ...orphansIn(revisions, set.metadata.namespace ?? "")],
    wakeIn: (set, delayMs) => controller.enqueueAfter(objectKey(set), delayMs)
  })
  sets.addHandler({ deleted: ({ metadata }) => expectations.forget(metadata.uid ?? "") })
  const controller = makeController({
    name: NAME,
    clockwork,
    workers: manager.syncs(NAME),
    watches: [
      { informer: sets, keys: objectKey },
      ...[pods, nodes, revisions].map((informer) => ({ informer, keys: () => undefined }))
    ],
    reconcile: (key) => {
      // SAFETY: the informer holds DaemonSets.
      const set = sets.store.get(key) as DaemonSet | undefined
      if (set === undefined) return Effect.void
      return sync.sync(set).pipe(Effect.catchIf(isNamespaceTerminating, () => Effect.void))
    },
    onFailure: (key, failure) => manager.failed(NAME, key, failure)
  })
  const parts = { sets, pods, nodes, revisions, expectations }
  followOwned(parts, controller)
  followNodes(parts, controller)
  return controller
}

/** Wakes the sets that pods and revisions concern, and notes which pods were expected. */
const followOwned = ({ expectations, nodes, pods, revisions, sets }: Parts, controller: Controller): void => {
  const wakeMatching = (object: KubeObject): void => {
    for (const set of sets.store.inNamespace(object.metadata.namespace ?? "")) {
      const selector = labelSelectorOf((set as DaemonSet).spec.selector)
      if (!(selector instanceof SelectorInvalid) && selector.matches(object.metadata.labels ?? {}))
        controller.enqueue(objectKey(set))
    }
  }
  const wakeOwner = (object: KubeObject, delayMs: number): void => {
    const key = ownerKeyOf(object, daemonSetKind)
    if (key !== undefined) controller.enqueueAfter(key, delayMs)
    else if (controllerOf(object) === undefined) wakeMatching(object)
  }
  const left = (pod: KubeObject): void => {
    const key = ownerKeyOf(pod, daemonSetKind)
    if (key === undefined) return
    expectations.deleted(controllerOf(pod)?.uid ?? "", objectKey(pod))
    controller.enqueueAfter(key, gatherMs(nodes.store.size))
  }
  pods.addHandler({
    added: (pod) => {
      if (isGone(pod)) return left(pod)
      expectations.created(controllerOf(pod)?.uid ?? "")
      wakeOwner(pod, gatherMs(nodes.store.size))
    },
    updated: (before, after) => {
      if (isGone(after)) return left(after)
      if (isNews(before, after)) {
        wakeOwner(before, 0)
        wakeOwner(after, 0)
      } else if (controllerOf(after) !== undefined) wakeOwner(after, gatherMs(nodes.store.size))
    },
    deleted: left
  })
  revisions.addHandler({
    added: (revision) => {
      if (controllerOf(revision) === undefined) wakeMatching(revision)
    },
    updated: (_, after) => wakeOwner(after, gatherMs(nodes.store.size)),
    deleted: (revision) => {
      const key = ownerKeyOf(revision, daemonSetKind)
      if (key !== undefined) controller.enqueue(key)
    }
  })
}

const isNews = (before: KubeObject, after: KubeObject): boolean =>
  controllerOf(before)?.uid !== controllerOf(after)?.uid || !sameJson(before.metadata.labels, after.metadata.labels)

/** Wakes the sets for which a node is another than before. */
const followNodes = ({ nodes, sets }: Parts, controller: Controller): void => {
  const wake = (before: KubeObject | undefined, after: KubeObject | undefined): void => {
    for (const set of sets.store.all()) {
      const placement = placementOf(set as DaemonSet)
      const was = before === undefined ? undefined : placement(before)
      const is = after === undefined ? undefined : placement(after)
      const isSame = was?.shouldRun === is?.shouldRun && was?.mayStay === is?.mayStay
      if (!isSame) controller.enqueueAfter(objectKey(set), gatherMs(nodes.store.size))
    }
  }
  nodes.addHandler({
    added: (node) => wake(undefined, node),
    updated: (before, after) => {
      const isSame =
        sameJson(before.metadata.labels, after.metadata.labels) &&
        JSON.stringify(taintsOf(before)) === JSON.stringify(taintsOf(after))
      if (!isSame) wake(before, after)
    },
    deleted: (node) => wake(node, undefined)
  })
}
