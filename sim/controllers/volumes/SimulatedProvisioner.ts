// Stands for the storage of a simulated cluster: makes a volume for each claim that asks one of its provisioners, and deletes volumes
// that are released. On a real cluster the real provisioners do this, and it is not started.
// Owns volumes that it made; binding them is the binder's.
import { Effect } from "effect"
import { type ApiFailure, type Controller, type KubeObject, objectKey } from "#kube"
import { fieldsOf, textOf, textsOf } from "#apiserver"
import { clientOf, isConflict, isNotFound, keyedController } from "../ManagedController.ts"
import type { ControllerMaker, Manager } from "../Manager.ts"
import { classesResource } from "./ClaimSync.ts"
import { provisionerOf } from "./VolumeBinder.ts"
import {
  claimReference,
  classOf,
  modesOf,
  PROVISIONED_BY,
  requestOf,
  SELECTED_NODE,
  statusPhaseOf,
  STORAGE_PROVISIONER,
  volumeModeOf,
  volumeNameOf,
  waitsForConsumer
} from "./VolumeFacts.ts"
import { claimsResource, volumesResource } from "./VolumeWrites.ts"

export interface SimulatedProvisionerOptions {
  /** Whose claims it serves; absent: every provisioner's that is not one of Kubernetes' own. */
  readonly provisioners?: ReadonlyArray<string>
  /** How long making a volume takes. */
  readonly delayMs?: number
}

const NAME = "simulated-provisioner"
const FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
const HOSTNAME = "kubernetes.io/hostname"
const DELAY_MS = 500

const volumeOf = (claim: KubeObject, storageClass: KubeObject, provisioner: string): KubeObject => {
  const node = claim.metadata.annotations?.[SELECTED_NODE]
  const name = `pvc-${claim.metadata.uid ?? ""}`
  const policy = textOf(storageClass["reclaimPolicy"])
  const mountOptions = textsOf(storageClass["mountOptions"])
  const affinity = {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME, operator: "In", values: [node ?? ""] }] }]
    }
  }
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, annotations: { [PROVISIONED_BY]: provisioner }, finalizers: [FINALIZER] },
    spec: {
      accessModes: modesOf(claim),
      capacity: { storage: requestOf(claim).toString() },
      claimRef: claimReference(claim),
      csi: { driver: provisioner, volumeHandle: name },
      persistentVolumeReclaimPolicy: policy === "" ? "Delete" : policy,
      storageClassName: classOf(claim),
      volumeMode: volumeModeOf(claim),
      ...(mountOptions.length === 0 ? {} : { mountOptions }),
      ...(node === undefined ? {} : { nodeAffinity: affinity })
    }
  }
}

/** Makes the simulated provisioner. */
export const simulatedProvisioner =
  ({ delayMs = DELAY_MS, provisioners }: SimulatedProvisionerOptions = {}): ControllerMaker =>
  (manager: Manager): ReadonlyArray<Controller> => {
    const client = clientOf(manager)
    const events = manager.events.from(NAME)
    const classes = manager.informers.informer(classesResource)
    const of = {
      claims: manager.informers.informer(claimsResource),
      volumes: manager.informers.informer(volumesResource)
    }
    const serves = (provisioner: string): boolean =>
      provisioners === undefined
        ? provisioner !== "" && !provisioner.startsWith("kubernetes.io/")
        : provisioners.includes(provisioner)
    const isAsked = (claim: KubeObject): boolean =>
      volumeNameOf(claim) === "" && serves(claim.metadata.annotations?.[STORAGE_PROVISIONER] ?? "")
    const provision = Effect.fnUntraced(function* (key: string): Effect.fn.Return<void, ApiFailure> {
      yield* Effect.sleep(delayMs)
      const claim = of.claims.store.get(key)
      if (claim === undefined || claim.metadata.deletionTimestamp !== undefined || !isAsked(claim)) return
      const storageClass = classes.store.get(classOf(claim))
      if (storageClass === undefined) return
      const waits = waitsForConsumer(storageClass) && claim.metadata.annotations?.[SELECTED_NODE] === undefined
      const volume = volumeOf(claim, storageClass, provisionerOf(storageClass))
      const name = volume.metadata.name ?? ""
      if (waits || of.volumes.store.get(name) !== undefined) return
      yield* client.create({ resource: volumesResource, namespace: "" }, volume).pipe(
        Effect.asVoid,
        Effect.catch((failure) => (failure.reason === "AlreadyExists" ? Effect.void : Effect.fail(failure)))
      )
      events.event(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${name}`)
    })
    const isReleased = (volume: KubeObject): boolean =>
      statusPhaseOf(volume) === "Released" &&
      fieldsOf(volume.spec)["persistentVolumeReclaimPolicy"] === "Delete" &&
      serves(volume.metadata.annotations?.[PROVISIONED_BY] ?? "")
    const remove = Effect.fnUntraced(function* (name: string): Effect.fn.Return<void, ApiFailure> {
      const volume = of.volumes.store.get(name)
      if (volume === undefined || !isReleased(volume)) return
      const target = { resource: volumesResource, namespace: "", name }
      const unless = Effect.catch((failure: ApiFailure) =>
        isNotFound(failure) || isConflict(failure) ? Effect.void : Effect.fail(failure)
      )
      if (volume.metadata.deletionTimestamp === undefined) yield* client.delete(target).pipe(Effect.asVoid, unless)
      const { finalizers = [] } = volume.metadata
      if (!finalizers.includes(FINALIZER)) return
      const live = yield* client.get(target).pipe(Effect.catch(() => Effect.succeed(undefined)))
      if (live === undefined) return
      const rest = (live.metadata.finalizers ?? []).filter((one) => one !== FINALIZER)
      yield* client
        .update(target, { ...live, metadata: { ...live.metadata, finalizers: rest } })
        .pipe(Effect.asVoid, unless)
    })
    return [
      keyedController(manager, NAME, {
        watches: [
          { informer: of.claims, keys: (claim) => (isAsked(claim) ? objectKey(claim) : undefined) },
          { informer: classes, keys: () => undefined },
          { informer: of.volumes, keys: () => undefined }
        ],
        reconcile: provision
      }),
      keyedController(manager, NAME, {
        watches: [{ informer: of.volumes, keys: (volume) => (isReleased(volume) ? volume.metadata.name : undefined) }],
        reconcile: remove
      })
    ]
  }
