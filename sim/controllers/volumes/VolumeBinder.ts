// Binds claims and volumes to each other, one claim and one volume at a time, and looks at all of them again every 15 seconds.
// Owns what makes one be looked at; what is due then is ClaimSync.ts's and VolumeSync.ts's.
import { Effect } from "effect"
import { type Controller, type KubeObject, objectKey } from "#kube"
import { textOf } from "#apiserver"
import { keyedController, withLife } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { pods } from "../PodWrites.ts"
import { classesResource, ClaimSync } from "./ClaimSync.ts"
import { claimKeyOf, statusPhaseOf, volumeNameOf } from "./VolumeFacts.ts"
import { VolumeSync } from "./VolumeSync.ts"
import { VolumeWrites } from "./VolumeWrites.ts"

const NAME = "persistentvolume-binder-controller"
const RESYNC_MS = 15_000

/** Whether nothing is left to do for a claim or volume until something changes: most of them, most of the time. */
const isAtRest = (object: KubeObject): boolean => statusPhaseOf(object) === "Bound"

/** Makes the persistent volume binder. */
export const volumeBinder = (manager: Manager): ReadonlyArray<Controller> => {
  const writes = new VolumeWrites(manager)
  const claimSync = new ClaimSync(manager, writes)
  const volumeSync = new VolumeSync(manager, writes, (claim) => claims.enqueue(claim))
  const storageClasses = manager.informers.informer(classesResource)
  const podInformer = manager.informers.informer(pods)
  // Each waits for all four: a claim that is looked at before the volumes are known would be thought to have lost its own.
  const waits = [writes.claims.informer, writes.volumes.informer, storageClasses, podInformer].map((informer) => ({
    informer,
    keys: () => undefined
  }))
  const volumes: Controller = keyedController(manager, NAME, {
    watches: [
      ...waits,
      { informer: writes.volumes.informer, keys: objectKey },
      // A claim that is gone releases its volume.
      {
        informer: writes.claims.informer,
        keys: (claim) => (volumeNameOf(claim) === "" ? undefined : volumeNameOf(claim)),
        changed: () => false
      }
    ],
    reconcile: (key) => {
      const volume = writes.volumes.get(key)
      return volume === undefined ? Effect.void : volumeSync.sync(volume)
    }
  })
  const claims: Controller = keyedController(manager, NAME, {
    watches: [
      ...waits,
      { informer: writes.claims.informer, keys: objectKey },
      // A volume that is gone is lost to its claim.
      { informer: writes.volumes.informer, keys: claimKeyOf, changed: () => false }
    ],
    reconcile: (key) => {
      const claim = writes.claims.get(key)
      return claim === undefined ? Effect.void : claimSync.sync(claim)
    }
  })
  const resync = (): void => {
    for (const claim of writes.claims.informer.store.all()) if (!isAtRest(claim)) claims.enqueue(objectKey(claim))
    for (const volume of writes.volumes.informer.store.all()) if (!isAtRest(volume)) volumes.enqueue(objectKey(volume))
  }
  return [
    withLife(claims, () => [
      writes.claims.follow(),
      writes.volumes.follow(),
      manager.clockwork.every(RESYNC_MS, resync)
    ]),
    volumes
  ]
}

/** The provisioner that a class names. */
export const provisionerOf = (storageClass: KubeObject): string => textOf(storageClass["provisioner"])
