// The controller of Deployments: which change wakes which Deployment.
// Owns the informers and the queue; what a look does is DeploymentSync.ts's.
import { Effect } from "effect"
import {
  type Controller,
  controllerOf,
  effectClient,
  type KubeObject,
  labelSelectorOf,
  makeController,
  objectKey,
  SelectorInvalid
} from "#kube"
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
  replicaSetResource
} from "./Workloads.ts"

const NAME = "deployment-controller"

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
  /** The Deployments that may adopt a set that nobody owns. */
  const matching = (set: KubeObject): ReadonlyArray<string> =>
    deployments.store
      .inNamespace(set.metadata.namespace ?? "")
      .filter((deployment) => {
        const { selector } = (deployment as Deployment).spec
        const read = labelSelectorOf(selector)
        return (
          !(read instanceof SelectorInvalid) &&
          Object.keys(selector).length > 0 &&
          read.matches(set.metadata.labels ?? {})
        )
      })
      .map(objectKey)
  const controller = makeController({
    name: NAME,
    clockwork,
    workers: manager.syncs(NAME),
    watches: [
      { informer: deployments, keys: objectKey },
      {
        informer: sets,
        keys: (set) => (controllerOf(set) === undefined ? matching(set) : ownerKeyOf(set, deploymentKind))
      },
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
  // A Deployment that recreates its pods waits for the old ones to be gone.
  pods.addHandler({
    deleted: (pod) => {
      const set = sets.store.get(ownerKeyOf(pod, replicaSetKind) ?? "")
      const key = set === undefined ? undefined : ownerKeyOf(set, deploymentKind)
      const deployment = key === undefined ? undefined : deployments.store.get(key)
      if (key !== undefined && deployment !== undefined && !isRolling(deployment as Deployment)) controller.enqueue(key)
    }
  })
  return controller
}
