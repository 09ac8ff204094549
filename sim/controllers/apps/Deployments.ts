// The controller of Deployments: which change wakes which Deployment.
// Owns the informers and the queue; what a look does is DeploymentSync.ts's.
import { Effect } from "effect"
import {
  type Controller,
  controllerOf,
  effectClient,
  type Informer,
  type KubeObject,
  labelSelectorOf,
  makeController,
  objectKey,
  SelectorInvalid
} from "#kube"
import { gatherMs } from "../Gathering.ts"
import type { Manager } from "../Manager.ts"
import { indexByOwner, orphansIn, ownedBy, ownerKeyOf } from "../Owned.ts"
import { isNamespaceTerminating, podResource } from "../PodControl.ts"
import { DeploymentSync } from "./DeploymentSync.ts"
import { isRolling } from "./RolloutMath.ts"
import {
  type Deployment,
  deploymentKind,
  deploymentResource,
  type ReplicaSet,
  replicaSetKind,
  replicaSetResource,
  replicasOf
} from "./Workloads.ts"

const NAME = "deployment-controller"
/** Pods of a set above which its changes gather before its Deployment is looked at. */
const LARGE = 1000

/** Upstream's deployment-controller. */
export const deploymentController = (manager: Manager): Controller => {
  const { client, clockwork, events, informers } = manager
  const deployments = informers.informer(deploymentResource)
  const sets = informers.informer(replicaSetResource)
  const pods = informers.informer(podResource)
  indexByOwner(sets)
  indexByOwner(pods)
  const sync = new DeploymentSync({
    client: effectClient(client),
    events: events.from(NAME),
    now: clockwork.now,
    candidates: (deployment) =>
      // SAFETY: the informer holds ReplicaSets.
      [
        ...ownedBy(sets, deployment),
        ...orphansIn(sets, deployment.metadata.namespace ?? "")
      ] as ReadonlyArray<KubeObject> as ReadonlyArray<ReplicaSet>,
    podsOf: (set) => ownedBy(pods, set)
  })
  const controller = makeController({
    name: NAME,
    clockwork,
    workers: manager.syncs(NAME),
    watches: [
      { informer: deployments, keys: objectKey },
      { informer: sets, keys: () => undefined },
      { informer: pods, keys: () => undefined }
    ],
    reconcile: (key) => {
      const deployment = deployments.store.get(key)
      if (deployment === undefined) return Effect.void
      // SAFETY: the informer holds Deployments.
      return sync.sync(deployment as Deployment).pipe(Effect.catchIf(isNamespaceTerminating, () => Effect.void))
    },
    onFailure: (key, failure) => manager.failed(NAME, key, failure)
  })
  followOwned({ deployments, sets, pods }, controller)
  return controller
}

interface Followed {
  readonly deployments: Informer
  readonly sets: Informer
  readonly pods: Informer
}

/** The Deployments that may adopt a set that nobody owns. */
const matching = (deployments: Informer, { metadata }: KubeObject): ReadonlyArray<KubeObject> =>
  deployments.store.inNamespace(metadata.namespace ?? "").filter((deployment) => {
    const { selector } = (deployment as Deployment).spec
    const read = labelSelectorOf(selector)
    if (read instanceof SelectorInvalid || Object.keys(selector).length === 0) return false
    return read.matches(metadata.labels ?? {})
  })

/** Wakes the Deployments that sets and pods concern. */
const followOwned = ({ deployments, pods, sets }: Followed, controller: Controller): void => {
  /** Of a large set only its counts have changed, most times: they may gather. */
  const wakeFor = (set: KubeObject, isHurry: boolean): void => {
    const key = ownerKeyOf(set, deploymentKind)
    const replicas = replicasOf(set as ReplicaSet)
    if (key !== undefined) controller.enqueueAfter(key, isHurry || replicas < LARGE ? 0 : gatherMs(replicas))
    else if (controllerOf(set) === undefined)
      for (const one of matching(deployments, set)) controller.enqueue(objectKey(one))
  }
  sets.addHandler({
    added: (set) => wakeFor(set, true),
    updated: (before, after) => {
      const isSame = controllerOf(before)?.uid === controllerOf(after)?.uid
      if (!isSame) wakeFor(before, true)
      wakeFor(after, !isSame || before.metadata.generation !== after.metadata.generation)
    },
    deleted: (set) => wakeFor(set, true)
  })
  // A Deployment that recreates its pods waits for the old ones to be gone.
  pods.addHandler({
    deleted: (pod) => {
      const set = sets.store.get(ownerKeyOf(pod, replicaSetKind) ?? "")
      const key = set === undefined ? undefined : ownerKeyOf(set, deploymentKind)
      const deployment = key === undefined ? undefined : deployments.store.get(key)
      if (key !== undefined && deployment !== undefined && !isRolling(deployment as Deployment)) controller.enqueue(key)
    }
  })
}
