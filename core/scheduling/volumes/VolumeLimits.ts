// How many volumes of each CSI driver a node can still take (NodeVolumeLimits).
// Owns the counting, by what pods on the node use and what is attached to it; refuses in-tree volumes migrated to CSI.
import type { KubeObject } from "#kube"
import type { Cluster } from "../cluster/Cluster.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { claimNames } from "./PodClaims.ts"
import { attachmentOf, claimOf, classNameOf, classOf, csiDriverOf, csiNodeOf, volumeOf } from "./StorageFields.ts"
import type { StorageObjects } from "./StorageObjects.ts"

export const LIMIT_EXCEEDED = "node(s) exceed max volume count"

interface LimitProblem {
  readonly reason: string
  readonly resolvable: boolean
}

export class VolumeLimits {
  private readonly cluster: Cluster
  private readonly objects: StorageObjects
  /** Drivers by the unique names of the pod's volumes. */
  private readonly wanted: ReadonlyMap<string, string>

  constructor(cluster: Cluster, objects: StorageObjects, shape: PodShape) {
    this.cluster = cluster
    this.objects = objects
    this.wanted = this.volumesOf(shape.namespace, shape)
  }

  /** Why the node cannot take the pod's volumes; undefined when it can. */
  problem(node: number): LimitProblem | undefined {
    if (this.wanted.size === 0) return undefined
    const { name, pods } = this.cluster.rows[node]
    const csiNode = this.objects.get("CSINode", name)
    const drivers = csiNode === undefined ? [] : (csiNodeOf(csiNode).drivers ?? [])
    for (const driver of this.wanted.values())
      if (this.mustBeInstalled(driver) && !drivers.some((one) => one.name === driver))
        return { reason: `${driver} CSI driver is not installed on the node`, resolvable: true }
    const limits = new Map<string, number>()
    for (const { allocatable, name: driver } of drivers)
      if (allocatable?.count !== undefined) limits.set(driver, allocatable.count)
    if (limits.size === 0) return undefined
    const attached = new Map<string, string>()
    for (const { kin, pod, shape } of pods.values()) {
      const { volumes } = shape
      if (volumes.length === 0) continue
      const there = this.volumesOf(kin.namespace, { podName: pod.metadata.name ?? "", volumes })
      for (const [volume, driver] of there) attached.set(volume, driver)
    }
    for (const [volume, driver] of this.attachedTo(name)) attached.set(volume, driver)
    const counts = new Map<string, number>()
    const add = (driver: string): void => void counts.set(driver, (counts.get(driver) ?? 0) + 1)
    for (const driver of attached.values()) add(driver)
    const grown = new Set<string>()
    for (const [volume, driver] of this.wanted) {
      if (attached.has(volume)) continue
      add(driver)
      grown.add(driver)
    }
    for (const driver of grown)
      if ((counts.get(driver) ?? 0) > (limits.get(driver) ?? Infinity))
        return { reason: LIMIT_EXCEEDED, resolvable: true }
    return undefined
  }

  private mustBeInstalled(driver: string): boolean {
    const object = this.objects.get("CSIDriver", driver)
    return object !== undefined && csiDriverOf(object).preventPodSchedulingIfMissing === true
  }

  private attachedTo(node: string): ReadonlyArray<readonly [string, string]> {
    const found: Array<readonly [string, string]> = []
    for (const object of this.objects.all("VolumeAttachment")) {
      const { nodeName, source } = attachmentOf(object)
      if (nodeName !== node || source?.persistentVolumeName === undefined) continue
      const csi = this.csiOf(this.objects.get("PersistentVolume", source.persistentVolumeName))
      if (csi !== undefined) found.push(csi)
    }
    return found
  }

  private csiOf(volume: KubeObject | undefined): readonly [string, string] | undefined {
    const csi = volume === undefined ? undefined : volumeOf(volume).csi
    return csi === undefined ? undefined : [`${csi.driver}/${csi.volumeHandle}`, csi.driver]
  }

  private volumesOf(namespace: string, pod: Pick<PodShape, "podName" | "volumes">): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    for (const { name } of claimNames(pod)) {
      const claim = this.objects.get("PersistentVolumeClaim", `${namespace}/${name}`)
      if (claim === undefined) continue
      const volume = this.objects.get("PersistentVolume", claimOf(claim).volumeName ?? "")
      if (volume !== undefined) {
        const csi = this.csiOf(volume)
        if (csi !== undefined) found.set(...csi)
        continue
      }
      const storageClass = this.objects.get("StorageClass", classNameOf(claim))
      const provisioner = storageClass === undefined ? "" : (classOf(storageClass).provisioner ?? "")
      // Not made yet: the claim stands for its volume.
      if (provisioner !== "") found.set(`${provisioner}/claim-${namespace}/${name}`, provisioner)
    }
    return found
  }
}
