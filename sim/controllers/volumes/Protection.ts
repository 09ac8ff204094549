// Finalizers that keep claims and volumes from going while they are in use, and the word on claims that nobody uses.
// Owns the two finalizers and the condition Unused; the deletions themselves are their users'.
import { Effect } from "effect"
import { type ApiFailure, type Controller, type Json, type KubeObject, objectKey, rfc3339, splitKey } from "#kube"
import { fieldsOf, itemsOf } from "#apiserver"
import { clientOf, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { isControlledBy } from "../Owned.ts"
import { conditionOf, isTerminal, nodeNameOf } from "../PodFacts.ts"
import { pods } from "../PodWrites.ts"
import { claimKeysOfPod, podsByClaim } from "./ClaimSync.ts"
import { ephemeralClaimName } from "./EphemeralClaims.ts"
import { statusPhaseOf } from "./VolumeFacts.ts"
import { claimsResource, volumesResource } from "./VolumeWrites.ts"

const CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
const VOLUME_FINALIZER = "kubernetes.io/pv-protection"

const hasFinalizer = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) === true

const isDeleted = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

const isConcerned = (object: KubeObject, finalizer: string): boolean =>
  isDeleted(object) === hasFinalizer(object, finalizer)

const withFinalizer = (object: KubeObject, finalizer: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), finalizer] }
})

const withoutFinalizer = (object: KubeObject, finalizer: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, finalizers: (object.metadata.finalizers ?? []).filter((one) => one !== finalizer) }
})

const isShutDown = ({ metadata }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0

/** Whether a pod names a claim, by name or as its own. */
const names = (pod: KubeObject, claim: KubeObject): "named" | "own" | undefined => {
  for (const volume of itemsOf(fieldsOf(pod.spec)["volumes"])) {
    if (fieldsOf(volume["persistentVolumeClaim"])["claimName"] === claim.metadata.name) return "named"
    const isOwn = volume["ephemeral"] !== undefined && ephemeralClaimName(pod, volume) === claim.metadata.name
    if (isOwn && isControlledBy(claim, pod)) return "own"
  }
  return undefined
}

/** Whether a pod keeps a claim from going: it has a node that may have the volume mounted. */
const keeps = (pod: KubeObject, claim: KubeObject): boolean => {
  if (nodeNameOf(pod) === "") return false
  const how = names(pod, claim)
  return how === "named" || (how === "own" && !isShutDown(pod))
}

const isOver = (pod: KubeObject): boolean =>
  isTerminal(pod) || (pod.metadata.deletionTimestamp !== undefined && isNotRunning(pod))

const isNotRunning = (pod: KubeObject): boolean =>
  itemsOf(fieldsOf(pod.status)["containerStatuses"]).every(
    ({ state }) => fieldsOf(state)["terminated"] !== undefined || fieldsOf(state)["waiting"] !== undefined
  )

class ClaimProtection {
  readonly #manager: Manager
  readonly #podsOf: (claim: string) => ReadonlyArray<KubeObject>

  constructor(manager: Manager) {
    this.#manager = manager
    this.#podsOf = podsByClaim(manager)
  }

  readonly protect = Effect.fnUntraced(
    function* (this: ClaimProtection, claim: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const client = clientOf(this.#manager)
      const target = { resource: claimsResource, ...splitKey(objectKey(claim)) }
      const said = this.#saidUnused(claim)
      const now = said === undefined ? claim : yield* client.update({ ...target, subresource: "status" }, said)
      if (!isConcerned(now, CLAIM_FINALIZER)) return
      if (!isDeleted(now)) {
        yield* client.update(target, withFinalizer(now, CLAIM_FINALIZER))
        return
      }
      if (this.#podsOf(objectKey(now)).some((pod) => keeps(pod, now))) return
      // Our copy of the pods may be behind, and there is no way back from a claim's end.
      const { items } = yield* client.list({ resource: pods, namespace: target.namespace })
      if (items.some((pod) => keeps(pod, now))) return
      yield* client.update(target, withoutFinalizer(now, CLAIM_FINALIZER))
    }.bind(this)
  )

  /** A bound claim with what its condition Unused must say; undefined when it says so. */
  #saidUnused(claim: KubeObject): KubeObject | undefined {
    if (isDeleted(claim) || statusPhaseOf(claim) !== "Bound") return undefined
    const isUsed = this.#podsOf(objectKey(claim)).some((pod) => !isOver(pod) && names(pod, claim) !== undefined)
    const status = isUsed ? "False" : "True"
    if (conditionOf(claim, "Unused")?.status === status) return undefined
    const condition = {
      type: "Unused",
      status,
      lastTransitionTime: rfc3339(this.#manager.clockwork.now()),
      reason: isUsed ? "PodUsingPVC" : "NoPodsUsingPVC",
      message: isUsed ? "A pod is currently referencing this PVC" : "No pods are currently referencing this PVC"
    }
    const held = fieldsOf(claim.status)
    const others = itemsOf(held["conditions"]).filter(({ type }) => type !== "Unused")
    return { ...claim, status: { ...held, conditions: [...others, condition] as unknown as Json } }
  }
}

/** Makes the claim protection controller. */
export const claimProtection = (manager: Manager): Controller => {
  const protection = new ClaimProtection(manager)
  const informer = manager.informers.informer(claimsResource)
  return keyedController(manager, "persistentvolumeclaim-protection-controller", {
    watches: [
      {
        informer,
        keys: (claim) =>
          isConcerned(claim, CLAIM_FINALIZER) || conditionOf(claim, "Unused") === undefined
            ? objectKey(claim)
            : undefined
      },
      {
        informer: manager.informers.informer(pods),
        keys: claimKeysOfPod,
        changed: (before, after) =>
          nodeNameOf(before) !== nodeNameOf(after) ||
          isOver(before) !== isOver(after) ||
          isShutDown(before) !== isShutDown(after)
      }
    ],
    reconcile: (key) => {
      const claim = informer.store.get(key)
      return claim === undefined ? Effect.void : protection.protect(claim)
    }
  })
}

/** Makes the volume protection controller. */
export const volumeProtection = (manager: Manager): Controller => {
  const informer = manager.informers.informer(volumesResource)
  return keyedController(manager, "persistentvolume-protection-controller", {
    watches: [{ informer, keys: (volume) => (isConcerned(volume, VOLUME_FINALIZER) ? objectKey(volume) : undefined) }],
    reconcile: (name) => {
      const volume = informer.store.get(name)
      if (volume === undefined || !isConcerned(volume, VOLUME_FINALIZER)) return Effect.void
      if (isDeleted(volume) && statusPhaseOf(volume) === "Bound") return Effect.void
      const changed = isDeleted(volume)
        ? withoutFinalizer(volume, VOLUME_FINALIZER)
        : withFinalizer(volume, VOLUME_FINALIZER)
      return Effect.asVoid(clientOf(manager).update({ resource: volumesResource, namespace: "", name }, changed))
    }
  })
}
