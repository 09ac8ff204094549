// What a pod's volumes say of a node: the plugins VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone, in this order.
// Owns their verdicts and VolumeBinding's score; refuses volumes of clouds' own kinds migrated to CSI, which it takes as they are written.
import type { KubeObject, Labels } from "#kube"
import type { Cluster } from "../cluster/Cluster.ts"
import type { Profile } from "../config/Profile.ts"
import type { VolumeSource } from "../decide/Decider.ts"
import { brokenLine } from "../decide/ResourceScores.ts"
import type { VolumeCheck } from "../decide/VolumeCheck.ts"
import { FITS, type Verdicts } from "../decide/Verdicts.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { addExact, type Exact } from "../pod/ResourceVector.ts"
import { claimNames, type PodClaims, sortClaims } from "./PodClaims.ts"
import { bytesOf, capacityOf, claimOf, classNameOf, volumeOf } from "./StorageFields.ts"
import type { StorageObjects } from "./StorageObjects.ts"
import { VolumeLimits } from "./VolumeLimits.ts"
import { isReachable, planVolumes, type VolumePlan } from "./VolumePlan.ts"
import { disksConflict, isDisk } from "./VolumeRestrictions.ts"

export const DISK_CONFLICT = "node(s) had no available disk"
export const CLAIM_IN_USE =
  "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
export const NO_VOLUMES = "node(s) didn't find available persistent volumes to bind"
export const NOT_REACHABLE = "node(s) didn't match PersistentVolume's node affinity"
export const NO_SPACE = "node(s) did not have enough free storage"
export const VOLUME_MISSING = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
export const ZONE_DIFFERS = "node(s) had no available volume zone"

const zoneLabels: ReadonlyArray<readonly [string, string]> = [
  ["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"],
  ["topology.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["topology.kubernetes.io/region", "topology.kubernetes.io/region"]
]

interface Zone {
  readonly key: string
  readonly modern: string
  readonly values: ReadonlySet<string>
}

interface CheckParts {
  readonly cluster: Cluster
  readonly objects: StorageObjects
  readonly verdicts: Verdicts
  readonly profile: Profile
}

/** The check for one shape, from the objects as they are now. */
class ShapeVolumes implements VolumeCheck {
  private readonly parts: CheckParts
  private readonly shape: PodShape
  private readonly claims: PodClaims
  private readonly limits: VolumeLimits
  private readonly zones: ReadonlyArray<Zone>
  /** Claims that only one pod at a time may use. */
  private readonly exclusive: ReadonlyArray<string>
  private readonly hasDisks: boolean
  private readonly line: (at: number) => number

  constructor(parts: CheckParts, shape: PodShape, claims: PodClaims) {
    this.parts = parts
    this.shape = shape
    this.claims = claims
    this.limits = new VolumeLimits(parts.cluster, parts.objects, shape)
    this.hasDisks = shape.volumes.some(isDisk)
    this.exclusive = [...claims.bound, ...claims.waiting]
      .filter((claim) => claimOf(claim).accessModes?.includes("ReadWriteOncePod") === true)
      .map(({ metadata: { name, namespace } }) => `${namespace}/${name}`)
    this.zones = this.findZones()
    this.line = brokenLine(parts.profile.volumes.shape, 10)
  }

  readonly verdict = (node: number): number => {
    const { filters } = this.parts.profile
    const { labels, name } = this.parts.cluster.rows[node]
    if (filters.has("VolumeRestrictions")) {
      const restricted = this.restricted(node)
      if (restricted !== FITS) return restricted
    }
    if (filters.has("NodeVolumeLimits")) {
      const limited = this.limits.problem(node)
      if (limited !== undefined) return this.parts.verdicts.id("NodeVolumeLimits", limited.resolvable, [limited.reason])
    }
    if (filters.has("VolumeBinding")) {
      const reasons = this.bindingReasons(name, labels)
      if (reasons.length > 0) return this.parts.verdicts.id("VolumeBinding", false, reasons)
    }
    return filters.has("VolumeZone") && this.isElsewhere(labels)
      ? this.parts.verdicts.id("VolumeZone", false, [ZONE_DIFFERS])
      : FITS
  }

  readonly score = (node: number): number => {
    const plan = this.plan(node)
    if (plan === undefined) return 0
    const byClass = new Map<string, { requested: Exact; capacity: Exact }>()
    const at = (claim: KubeObject): { requested: Exact; capacity: Exact } => {
      const name = classNameOf(claim)
      let entry = byClass.get(name)
      if (entry === undefined) byClass.set(name, (entry = { requested: 0, capacity: 0 }))
      return entry
    }
    const size = (claim: KubeObject): Exact => bytesOf(claimOf(claim).resources?.requests?.["storage"])
    for (const { claim, volume } of plan.bindings) {
      const entry = at(claim)
      entry.requested = addExact(entry.requested, size(claim))
      entry.capacity = addExact(entry.capacity, bytesOf(volumeOf(volume).capacity?.["storage"]))
    }
    if (plan.bindings.length === 0)
      for (const { capacity, claim } of plan.provisions) {
        if (capacity === undefined) continue
        const entry = at(claim)
        entry.requested = addExact(entry.requested, size(claim))
        entry.capacity = bytesOf(capacityOf(capacity).capacity)
      }
    if (byClass.size === 0) return 0
    let sum = 0
    for (const { capacity, requested } of byClass.values())
      sum +=
        capacity == 0 || requested > capacity
          ? this.line(100)
          : this.line(Number((BigInt(requested) * 100n) / BigInt(capacity)))
    return Math.round(sum / byClass.size)
  }

  /** What binding on a node would take; undefined when the node will not do. */
  plan(node: number): VolumePlan | undefined {
    const { labels, name } = this.parts.cluster.rows[node]
    const plan = planVolumes({ objects: this.parts.objects, claims: this.claims.waiting, node: { name, labels } })
    return typeof plan === "string" ? undefined : plan
  }

  private restricted(node: number): number {
    const { cluster, verdicts } = this.parts
    if (this.hasDisks)
      for (const {
        shape: { volumes }
      } of cluster.rows[node].pods.values())
        if (disksConflict(this.shape.volumes, volumes)) return verdicts.id("VolumeRestrictions", true, [DISK_CONFLICT])
    for (const claim of this.exclusive)
      if (cluster.claimUse(claim) > 0) return verdicts.id("VolumeRestrictions", true, [CLAIM_IN_USE])
    return FITS
  }

  private bindingReasons(name: string, labels: Labels): ReadonlyArray<string> {
    const { objects } = this.parts
    const reasons: Array<string> = []
    let missing = false
    for (const claim of this.claims.bound) {
      const volume = objects.get("PersistentVolume", claimOf(claim).volumeName ?? "")
      if (volume === undefined) missing = true
      else if (!isReachable(volume, name, labels)) {
        reasons.push(NOT_REACHABLE)
        break
      }
      if (missing) break
    }
    if (this.claims.waiting.length > 0) {
      const plan = planVolumes({ objects, claims: this.claims.waiting, node: { name, labels } })
      if (plan === "noVolumes") reasons.push(NO_VOLUMES)
      else if (plan === "noSpace") reasons.push(NO_SPACE)
    }
    if (missing) reasons.push(VOLUME_MISSING)
    return reasons
  }

  private findZones(): ReadonlyArray<Zone> {
    const zones: Array<Zone> = []
    for (const { isEphemeral, name } of claimNames(this.shape)) {
      if (isEphemeral) continue
      const claim = this.parts.objects.get("PersistentVolumeClaim", `${this.shape.namespace}/${name}`)
      const volumeName = claim === undefined ? "" : (claimOf(claim).volumeName ?? "")
      const labels = this.parts.objects.get("PersistentVolume", volumeName)?.metadata.labels ?? {}
      for (const [key, modern] of zoneLabels)
        if (labels[key] !== undefined) zones.push({ key, modern, values: new Set(labels[key].split("__")) })
    }
    return zones
  }

  private isElsewhere(labels: Labels): boolean {
    if (this.zones.length === 0 || !zoneLabels.some(([key]) => labels[key] !== undefined)) return false
    return this.zones.some(({ key, modern, values }) => {
      const value = labels[key] ?? labels[modern]
      return value === undefined || !values.has(value)
    })
  }
}

/** Volumes as the decision asks about them; `plan` tells what binding on the chosen node takes. */
export class VolumeChecks implements VolumeSource {
  private readonly parts: CheckParts

  constructor(parts: CheckParts) {
    this.parts = parts
  }

  get epoch(): number {
    return this.parts.objects.epoch + this.parts.cluster.claimEpoch
  }

  readonly check: VolumeSource["check"] = (pod, shape) => {
    if (shape.volumes.length === 0) return undefined
    const { filters } = this.parts.profile
    const claims = sortClaims(pod, shape, this.parts.objects, filters)
    if ("reason" in claims) {
      const id = this.parts.verdicts.id(claims.plugin, false, [claims.reason])
      return { before: this.parts.verdicts.get(id) }
    }
    return new ShapeVolumes(this.parts, shape, claims)
  }

  readonly plan: VolumeSource["plan"] = (pod, shape, node) => {
    const check = this.check(pod, shape)
    return check instanceof ShapeVolumes ? check.plan(node) : undefined
  }
}
