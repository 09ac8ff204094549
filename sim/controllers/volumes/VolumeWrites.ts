// The writes of the volume binder: references, phases, annotations of claims and volumes, each told to its own caches at once.
// Owns the calls and what they change; refuses to decide which are due.
import { Effect } from "effect"
import { type ApiFailure, gvr, type Json, type KubeObject, sameJson } from "#kube"
import { fieldsOf } from "#apiserver"
import { clientOf } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import type { EventSink } from "../EventRecorder.ts"
import { NewestObjects } from "./NewestObjects.ts"
import {
  BETA_STORAGE_PROVISIONER,
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  claimKeyOf,
  claimReference,
  claimRefOf,
  classOf,
  hasAnnotation,
  isForClaim,
  statusPhaseOf,
  STORAGE_PROVISIONER,
  volumeNameOf,
  withAnnotations
} from "./VolumeFacts.ts"

export const claimsResource = gvr("", "v1", "persistentvolumeclaims")
export const volumesResource = gvr("", "v1", "persistentvolumes")

type Written = Effect.Effect<KubeObject, ApiFailure>

const FREE_INDEX = "free of class"
const CLAIM_INDEX = "claim"

export class VolumeWrites {
  readonly claims: NewestObjects
  readonly volumes: NewestObjects
  readonly events: EventSink
  readonly #manager: Manager

  constructor(manager: Manager) {
    this.#manager = manager
    this.events = manager.events.from("persistentvolume-controller")
    this.claims = new NewestObjects(manager.informers.informer(claimsResource))
    this.volumes = new NewestObjects(manager.informers.informer(volumesResource))
    const { store } = this.volumes.informer
    store.addIndex(FREE_INDEX, (volume) => (claimRefOf(volume) === undefined ? [classOf(volume)] : []))
    store.addIndex(CLAIM_INDEX, (volume) => {
      const key = claimKeyOf(volume)
      return key === undefined ? [] : [key]
    })
  }

  /** All volumes that a claim may get: those of its class that are for nobody, and those that are for it. */
  candidates(claim: KubeObject): ReadonlyArray<KubeObject> {
    const { name = "", namespace = "" } = claim.metadata
    return [
      ...new Set([
        ...this.volumes.byIndex(CLAIM_INDEX, `${namespace}/${name}`),
        ...this.volumes.byIndex(FREE_INDEX, classOf(claim))
      ])
    ]
  }

  #claim(claim: KubeObject, subresource?: string): Written {
    const { name = "", namespace = "" } = claim.metadata
    const target = { resource: claimsResource, namespace, name, ...(subresource === undefined ? {} : { subresource }) }
    return Effect.tap(clientOf(this.#manager).update(target, claim), (written) =>
      Effect.sync(() => this.claims.wrote(written))
    )
  }

  #volume(volume: KubeObject, subresource?: string): Written {
    const { name = "" } = volume.metadata
    const target = {
      resource: volumesResource,
      namespace: "",
      name,
      ...(subresource === undefined ? {} : { subresource })
    }
    return Effect.tap(clientOf(this.#manager).update(target, volume), (written) =>
      Effect.sync(() => this.volumes.wrote(written))
    )
  }

  /** A volume's phase. */
  volumePhase(volume: KubeObject, phase: string, message?: string): Written {
    if (statusPhaseOf(volume) === phase) return Effect.succeed(volume)
    const { message: _, ...status } = fieldsOf(volume.status)
    return this.#volume(
      { ...volume, status: { ...status, phase, ...(message === undefined ? {} : { message }) } },
      "status"
    )
  }

  /** A claim's phase, and what it has of its volume. */
  claimStatus(claim: KubeObject, phase: string, volume?: KubeObject): Written {
    const status = fieldsOf(claim.status)
    const { accessModes: _, capacity, currentVolumeAttributesClassName, ...rest } = status
    const next: Record<string, Json | undefined> = { ...rest, phase }
    if (volume !== undefined) {
      const spec = fieldsOf(volume.spec)
      next["accessModes"] = spec["accessModes"]
      const isNew = status["phase"] !== phase
      next["capacity"] = isNew ? spec["capacity"] : capacity
      const attributes =
        isNew && phase === "Bound" ? spec["volumeAttributesClassName"] : currentVolumeAttributesClassName
      if (attributes !== undefined) next["currentVolumeAttributesClassName"] = attributes
    }
    if (sameJson(next, status)) return Effect.succeed(claim)
    return this.#claim({ ...claim, status: next }, "status")
  }

  /** The volume is the claim's from now on. */
  #reserve(volume: KubeObject, claim: KubeObject): Written {
    const reference = claimRefOf(volume)
    const { name, namespace, uid } = claim.metadata
    const isSame =
      reference !== undefined &&
      reference["name"] === name &&
      reference["namespace"] === namespace &&
      reference["uid"] === uid
    const marks = !isForClaim(volume, claim) && !hasAnnotation(volume, BOUND_BY_CONTROLLER)
    if (isSame && !marks) return Effect.succeed(volume)
    const marked = marks ? withAnnotations(volume, { [BOUND_BY_CONTROLLER]: "yes" }) : volume
    const spec = isSame ? marked.spec : { ...fieldsOf(marked.spec), claimRef: claimReference(claim) }
    return this.#volume({ ...marked, ...(spec === undefined ? {} : { spec }) })
  }

  #settle(claim: KubeObject, volume: KubeObject): Written {
    const volumeName = volume.metadata.name ?? ""
    const binds = volumeNameOf(claim) !== volumeName
    if (!binds && hasAnnotation(claim, BIND_COMPLETED)) return Effect.succeed(claim)
    const marks = binds && !hasAnnotation(claim, BOUND_BY_CONTROLLER) ? { [BOUND_BY_CONTROLLER]: "yes" } : {}
    const marked = withAnnotations(claim, { ...marks, [BIND_COMPLETED]: "yes" })
    return this.#claim({ ...marked, spec: { ...fieldsOf(marked.spec), volumeName } })
  }

  /** Binds a claim and a volume to each other, in four writes of which each may have been made before. */
  readonly bind = Effect.fnUntraced(
    function* (this: VolumeWrites, volume: KubeObject, claim: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const bound = yield* this.volumePhase(yield* this.#reserve(volume, claim), "Bound")
      const settled = yield* this.#settle(claim, bound)
      yield* this.claimStatus(settled, "Bound", bound)
    }.bind(this)
  )

  /** The volume is nobody's any more, or waits for the claim that a person named. */
  readonly unbind = Effect.fnUntraced(
    function* (this: VolumeWrites, volume: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const { claimRef, ...spec } = fieldsOf(volume.spec)
      const { uid: _, ...reference } = fieldsOf(claimRef)
      const { [BOUND_BY_CONTROLLER]: ours, ...annotations } = volume.metadata.annotations ?? {}
      const freed: KubeObject =
        ours === undefined
          ? { ...volume, spec: { ...spec, claimRef: reference } }
          : { ...volume, metadata: { ...volume.metadata, annotations }, spec }
      yield* this.volumePhase(yield* this.#volume(freed), "Available")
    }.bind(this)
  )

  /** Says who is to provision a volume for a claim. */
  setProvisioner(claim: KubeObject, provisioner: string): Written {
    if (claim.metadata.annotations?.[STORAGE_PROVISIONER] === provisioner) return Effect.succeed(claim)
    return this.#claim(
      withAnnotations(claim, { [BETA_STORAGE_PROVISIONER]: provisioner, [STORAGE_PROVISIONER]: provisioner })
    )
  }

  /** A claim that named no class gets one. */
  setClass(claim: KubeObject, storageClassName: string): Written {
    return this.#claim({ ...claim, spec: { ...fieldsOf(claim.spec), storageClassName } })
  }

  /** A claim has lost its volume. */
  lose(claim: KubeObject, reason: string, message: string): Effect.Effect<void, ApiFailure> {
    if (statusPhaseOf(claim) === "Lost") return Effect.void
    return Effect.map(this.claimStatus(claim, "Lost"), (lost) => this.events.event(lost, "Warning", reason, message))
  }
}
