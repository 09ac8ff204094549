// What is due for one volume: it is free, bound, released, or to be reclaimed.
// Owns the decision, in the order of upstream's syncVolume; the writes are VolumeWrites.ts's. Data is never touched: a volume that a
// provisioner made is the provisioner's to delete.
import { Effect } from "effect"
import { type ApiFailure, type KubeObject } from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import { clientOf, isNotFound } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import {
  claimKeyOf,
  claimRefOf,
  hasAnnotation,
  MIGRATED_TO,
  PROVISIONED_BY,
  statusPhaseOf,
  volumeModeOf,
  volumeNameOf
} from "./VolumeFacts.ts"
import { claimsResource, type VolumeWrites } from "./VolumeWrites.ts"

const isOver = (volume: KubeObject): boolean => ["Released", "Failed"].includes(statusPhaseOf(volume))

const policyOf = (volume: KubeObject): string => textOf(fieldsOf(volume.spec)["persistentVolumeReclaimPolicy"])

/** Why nobody deletes what a released volume holds; undefined when somebody else does. */
const deletionProblem = (volume: KubeObject): string | undefined => {
  const provisioner = volume.metadata.annotations?.[PROVISIONED_BY] ?? ""
  if (provisioner !== "")
    return provisioner.startsWith("kubernetes.io/") ? `no volume plugin matched name: ${provisioner}` : undefined
  if (hasAnnotation(volume, MIGRATED_TO) || fieldsOf(volume.spec)["csi"] !== undefined) return undefined
  const path = fieldsOf(fieldsOf(volume.spec)["hostPath"])["path"]
  if (typeof path === "string" && !/^\/tmp\/.+$/.test(path))
    return `host_path deleter only supports /tmp/.+ but received provided ${path}`
  const name = volume.metadata.name ?? ""
  return `error getting deleter volume plugin for volume "${name}": no deletable volume plugin matched`
}

export class VolumeSync {
  readonly #manager: Manager
  readonly #writes: VolumeWrites
  readonly #claimDue: (claim: string) => void

  constructor(manager: Manager, writes: VolumeWrites, claimDue: (claim: string) => void) {
    this.#manager = manager
    this.#writes = writes
    this.#claimDue = claimDue
  }

  readonly sync = Effect.fnUntraced(
    function* (this: VolumeSync, volume: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const uid = textOf(claimRefOf(volume)?.["uid"])
      if (uid === "") {
        yield* this.#writes.volumePhase(volume, "Available")
        return
      }
      const claim = yield* this.#claimOf(volume, uid)
      if (claim === undefined) return yield* this.#release(volume)
      const name = volumeNameOf(claim)
      if (name === "") this.#offer(volume, claim)
      else if (name === volume.metadata.name) yield* this.#writes.volumePhase(volume, "Bound")
      else if (hasAnnotation(volume, PROVISIONED_BY) && policyOf(volume) === "Delete") yield* this.#release(volume)
      else yield* this.#writes.unbind(volume)
    }.bind(this)
  )

  /** The live claim that a volume is for; one of the same name that was made later is not it. */
  readonly #claimOf = Effect.fnUntraced(
    function* (
      this: VolumeSync,
      volume: KubeObject,
      uid: string
    ): Effect.fn.Return<KubeObject | undefined, ApiFailure> {
      const key = claimKeyOf(volume) ?? ""
      const known = this.#writes.claims.get(key)
      if (known?.metadata.uid === uid) return known
      if (known === undefined && isOver(volume)) return undefined
      const [namespace = "", name = ""] = key.split("/")
      const live = yield* clientOf(this.#manager)
        .get({ resource: claimsResource, namespace, name })
        .pipe(Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure))))
      return live?.metadata.uid === uid ? live : undefined
    }.bind(this)
  )

  /** The claim has yet to be told of the volume: its own look at things binds the two. */
  #offer(volume: KubeObject, claim: KubeObject): void {
    if (volumeModeOf(volume) === volumeModeOf(claim)) return this.#claimDue(claimKeyOf(volume) ?? "")
    const [claimName, volumeName] = [claim.metadata.name ?? "", volume.metadata.name ?? ""]
    const ofVolume = `Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claimName}" due to incompatible volumeMode.`
    const ofClaim = `Cannot bind PersistentVolume "${volumeName}" to requested PersistentVolumeClaim due to incompatible volumeMode.`
    this.#writes.events.event(volume, "Warning", "VolumeMismatch", ofVolume)
    this.#writes.events.event(claim, "Warning", "VolumeMismatch", ofClaim)
    return undefined
  }

  readonly #release = Effect.fnUntraced(
    function* (this: VolumeSync, volume: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const released = isOver(volume) ? volume : yield* this.#writes.volumePhase(volume, "Released")
      if ((released.metadata.annotations?.[MIGRATED_TO] ?? "") !== "") return
      switch (policyOf(released)) {
        case "Retain":
          return
        case "Delete": {
          const why = deletionProblem(released)
          if (why !== undefined) yield* this.#fail(released, "VolumeFailedDelete", why)
          return
        }
        case "Recycle":
          return yield* this.#fail(released, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
        default: {
          const why = "Volume has unrecognized PersistentVolumeReclaimPolicy"
          yield* this.#fail(released, "VolumeUnknownReclaimPolicy", why)
        }
      }
    }.bind(this)
  )

  #fail(volume: KubeObject, reason: string, message: string): Effect.Effect<void, ApiFailure> {
    if (statusPhaseOf(volume) === "Failed") return Effect.void
    return Effect.map(this.#writes.volumePhase(volume, "Failed", message), (failed) =>
      this.#writes.events.event(failed, "Warning", reason, message)
    )
  }
}
