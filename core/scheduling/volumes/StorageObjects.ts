// Claims, volumes, classes and CSI objects as they are, and as they will be once bindings that were decided have been written.
// Owns the objects and what is assumed of them; refuses to match and to call. Bound: as many as the cluster has.
import { type KubeObject, objectKey } from "#kube"
import { classNameOf } from "./StorageFields.ts"

/** Kinds that volumes depend on. */
export const storageKinds = [
  "PersistentVolume",
  "PersistentVolumeClaim",
  "StorageClass",
  "CSINode",
  "CSIDriver",
  "CSIStorageCapacity",
  "VolumeAttachment"
] as const

export type StorageKind = (typeof storageKinds)[number]

export class StorageObjects {
  /** Moves when any answer about volumes may be different. */
  epoch = 0
  private readonly objects = new Map<StorageKind, Map<string, KubeObject>>(
    storageKinds.map((kind) => [kind, new Map<string, KubeObject>()])
  )
  /** What is assumed of volumes and claims until the API server shows it. */
  private readonly assumed = new Map<string, KubeObject>()
  private byClass: Map<string, Array<KubeObject>> | undefined

  seen(kind: StorageKind, object: KubeObject): void {
    const key = objectKey(object)
    this.objects.get(kind)?.set(key, object)
    const promise = this.assumed.get(`${kind}/${key}`)
    if (promise !== undefined && promise.metadata.resourceVersion !== object.metadata.resourceVersion)
      this.assumed.delete(`${kind}/${key}`)
    this.changed(kind)
  }

  gone(kind: StorageKind, object: KubeObject): void {
    const key = objectKey(object)
    this.objects.get(kind)?.delete(key)
    this.assumed.delete(`${kind}/${key}`)
    this.changed(kind)
  }

  /** An object as it will be; undefined when there is none. */
  get(kind: StorageKind, key: string): KubeObject | undefined {
    return this.assumed.get(`${kind}/${key}`) ?? this.objects.get(kind)?.get(key)
  }

  /** An object as the API server has it. */
  known(kind: StorageKind, key: string): KubeObject | undefined {
    return this.objects.get(kind)?.get(key)
  }

  all(kind: StorageKind): Iterable<KubeObject> {
    return this.objects.get(kind)?.values() ?? []
  }

  /** Volumes of a storage class, assumed changes counted. */
  volumesOf(className: string): ReadonlyArray<KubeObject> {
    this.byClass ??= this.sortByClass()
    return this.byClass.get(className) ?? []
  }

  /** Counts an object as changed before its change is written. */
  assume(kind: StorageKind, object: KubeObject): void {
    this.assumed.set(`${kind}/${objectKey(object)}`, object)
    this.changed(kind)
  }

  /** The change will not be written after all. */
  revert(kind: StorageKind, object: KubeObject): void {
    const key = `${kind}/${objectKey(object)}`
    if (this.assumed.get(key) !== object) return
    this.assumed.delete(key)
    this.changed(kind)
  }

  private changed(kind: StorageKind): void {
    this.epoch++
    if (kind === "PersistentVolume") this.byClass = undefined
  }

  private sortByClass(): Map<string, Array<KubeObject>> {
    const byClass = new Map<string, Array<KubeObject>>()
    for (const volume of this.all("PersistentVolume")) {
      const current = this.get("PersistentVolume", objectKey(volume)) ?? volume
      const name = classNameOf(current)
      const volumes = byClass.get(name)
      if (volumes === undefined) byClass.set(name, [current])
      else volumes.push(current)
    }
    return byClass
  }
}
