// Binding a pod's volumes before the pod: volumes are promised to claims, claims are told the node, and both are waited for.
// Owns the writes and the wait (VolumeBinding's Reserve and PreBind); refuses to choose, which VolumePlan.ts did. Bound: one reservation for
// each pod whose binding is under way; a wait ends after the profile's time at the latest.
import { ApiFailure, type Cancel, type Client, type Clockwork, gvr, type Json, type KubeObject, objectKey } from "#kube"
import { BOUND_BY_CONTROLLER, isBound, SELECTED_NODE, volumeOf } from "./StorageFields.ts"
import type { StorageObjects } from "./StorageObjects.ts"
import type { VolumePlan } from "./VolumePlan.ts"

/** What is assumed for one pod on its way to a node. */
export interface Reservation {
  readonly node: string
  readonly volumes: ReadonlyArray<KubeObject>
  readonly claims: ReadonlyArray<KubeObject>
  /** Claims that get an existing volume. */
  readonly matched: ReadonlyArray<KubeObject>
}

const CHECK_EVERY_MS = 1000
const WAIT_MAX_MS = 600_000
const volumes = gvr("", "v1", "persistentvolumes")
const claims = gvr("", "v1", "persistentvolumeclaims")

const annotated = (object: KubeObject, name: string, value: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [name]: value } }
})

const promised = (volume: KubeObject, { metadata }: KubeObject): KubeObject => {
  const { name = "", namespace = "", resourceVersion = "", uid = "" } = metadata
  const claimRef = { kind: "PersistentVolumeClaim", apiVersion: "v1", name, namespace, uid, resourceVersion }
  // SAFETY: a volume's spec is JSON.
  const spec = { ...volumeOf(volume), claimRef } as unknown as Json
  return annotated({ ...volume, spec }, BOUND_BY_CONTROLLER, "yes")
}

export class VolumeBinder {
  private readonly client: Client
  private readonly clockwork: Clockwork
  private readonly objects: StorageObjects

  constructor(client: Client, clockwork: Clockwork, objects: StorageObjects) {
    this.client = client
    this.clockwork = clockwork
    this.objects = objects
  }

  /** Assumes a plan, so that no other pod takes the same volumes. */
  reserve({ bindings, provisions }: VolumePlan, node: string): Reservation {
    const reservation = {
      node,
      volumes: bindings.map(({ claim, volume }) => promised(volume, claim)),
      claims: provisions.map(({ claim }) => annotated(claim, SELECTED_NODE, node)),
      matched: bindings.map(({ claim }) => claim)
    }
    for (const volume of reservation.volumes) this.objects.assume("PersistentVolume", volume)
    for (const claim of reservation.claims) this.objects.assume("PersistentVolumeClaim", claim)
    return reservation
  }

  revert({ claims: assumedClaims, volumes: assumedVolumes }: Reservation): void {
    for (const volume of assumedVolumes) this.objects.revert("PersistentVolume", volume)
    for (const claim of assumedClaims) this.objects.revert("PersistentVolumeClaim", claim)
  }

  /** Writes what was assumed and waits until it is so; `done` is told why not. */
  bind(reservation: Reservation, done: (problem: string | undefined) => void): void {
    let left = reservation.volumes.length + reservation.claims.length
    let failed = false
    const written = (answer: KubeObject | ApiFailure): void => {
      if (failed) return
      if (answer instanceof ApiFailure) {
        failed = true
        return done(answer.message)
      }
      if (--left === 0) this.wait(reservation, done)
    }
    for (const { metadata, spec } of reservation.volumes) {
      const { annotations = {}, name = "", resourceVersion = "" } = metadata
      const body = { metadata: { annotations, resourceVersion }, spec: spec as Json }
      this.client.patch({ resource: volumes, namespace: "", name }, { type: "merge", body }, {}, written)
    }
    for (const { metadata } of reservation.claims) {
      const { annotations = {}, name = "", namespace = "", resourceVersion = "" } = metadata
      const body = { metadata: { annotations, resourceVersion } }
      this.client.patch({ resource: claims, namespace, name }, { type: "merge", body }, {}, written)
    }
  }

  private wait(reservation: Reservation, done: (problem: string | undefined) => void): void {
    const until = this.clockwork.monotonic() + WAIT_MAX_MS
    let cancel: Cancel = () => undefined
    const check = (): void => {
      const state = this.stateOf(reservation)
      const late = this.clockwork.monotonic() >= until
      if (state === "waiting" && !late) return
      cancel()
      if (state === "bound") done(undefined)
      else
        done(state === "waiting" ? "binding volumes: timed out waiting for the condition" : `binding volumes: ${state}`)
    }
    cancel = this.clockwork.every(CHECK_EVERY_MS, check)
    this.clockwork.defer(check)
  }

  private stateOf({ claims: told, matched, node, volumes: taken }: Reservation): string {
    for (const volume of taken) {
      const name = volume.metadata.name ?? ""
      const known = this.objects.known("PersistentVolume", name)
      if (known === undefined) return `failed to check binding: could not find v1.PersistentVolume "${name}"`
    }
    for (const claim of told) {
      const known = this.objects.known("PersistentVolumeClaim", objectKey(claim))
      const { name = "" } = claim.metadata
      if (known === undefined)
        return `failed to check provisioning pvc: could not find v1.PersistentVolumeClaim "${objectKey(claim)}"`
      const selected = known.metadata.annotations?.[SELECTED_NODE]
      // The watch may not have shown our own write yet.
      if (selected === undefined && known.metadata.resourceVersion !== claim.metadata.resourceVersion)
        return `provisioning failed for PVC "${name}"`
      if (selected !== undefined && selected !== node) return `provisioning failed for PVC "${name}"`
    }
    for (const claim of [...matched, ...told]) {
      const known = this.objects.known("PersistentVolumeClaim", objectKey(claim))
      if (known === undefined || !isBound(known)) return "waiting"
    }
    return "bound"
  }
}
