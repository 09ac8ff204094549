// The claims of a pod's volumes: which there are, which have their volumes, which wait for the pod.
// Owns that sorting and the reasons why a pod can be nowhere because of a claim (VolumeBinding's and VolumeZone's PreFilter).
import type { KubeObject } from "#kube"
import type { PodShape } from "../pod/PodShape.ts"
import { claimOf, classNameOf, classOf, isBound } from "./StorageFields.ts"
import type { StorageObjects } from "./StorageObjects.ts"

export interface PodClaims {
  readonly bound: ReadonlyArray<KubeObject>
  /** Unbound, of a class that waits for the first consumer. */
  readonly waiting: ReadonlyArray<KubeObject>
}

export interface ClaimProblem {
  readonly plugin: string
  readonly reason: string
}

interface NamedClaim {
  readonly name: string
  readonly isEphemeral: boolean
}

/** The names of the claims that a pod's volumes are of. */
export const claimNames = ({ podName, volumes }: Pick<PodShape, "podName" | "volumes">): ReadonlyArray<NamedClaim> =>
  volumes.flatMap(({ ephemeral, name, persistentVolumeClaim }): ReadonlyArray<NamedClaim> => {
    if (persistentVolumeClaim !== undefined) return [{ name: persistentVolumeClaim.claimName, isEphemeral: false }]
    return ephemeral === undefined ? [] : [{ name: `${podName}-${name}`, isEphemeral: true }]
  })

const missing = (kind: string, name: string): string => `${kind} "${name}" not found`

/** Sorts a pod's claims, or says why the pod can be nowhere. */
export const sortClaims = (
  pod: KubeObject,
  shape: PodShape,
  objects: StorageObjects,
  filters: ReadonlySet<string>
): PodClaims | ClaimProblem => {
  const names = claimNames(shape)
  const get = (name: string): KubeObject | undefined =>
    objects.get("PersistentVolumeClaim", `${shape.namespace}/${name}`)
  for (const { isEphemeral, name } of names)
    if (!isEphemeral && get(name) === undefined && filters.has("VolumeRestrictions"))
      return { plugin: "VolumeRestrictions", reason: missing("persistentvolumeclaim", name) }
  if (filters.has("VolumeBinding")) {
    for (const named of names) {
      const reason = claimProblem(pod, named, get(named.name))
      if (reason !== undefined) return { plugin: "VolumeBinding", reason }
    }
  }
  const claims = names.flatMap(({ name }) => get(name) ?? [])
  const bound = claims.filter(isBound)
  const waiting = claims.filter((claim) => !isBound(claim) && waitsForConsumer(claim, objects))
  if (filters.has("VolumeBinding") && bound.length + waiting.length < claims.length)
    return { plugin: "VolumeBinding", reason: "pod has unbound immediate PersistentVolumeClaims" }
  const zone = filters.has("VolumeZone")
    ? zoneProblem(
        names.filter((one) => !one.isEphemeral),
        get,
        objects
      )
    : undefined
  return zone === undefined ? { bound, waiting } : { plugin: "VolumeZone", reason: zone }
}

const claimProblem = (
  pod: KubeObject,
  { isEphemeral, name }: NamedClaim,
  claim: KubeObject | undefined
): string | undefined => {
  if (claim === undefined)
    return isEphemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
      : missing("persistentvolumeclaim", name)
  if ((claim.status as { readonly phase?: string } | undefined)?.phase === "Lost")
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claimOf(claim).volumeName ?? ""}"`
  if (claim.metadata.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`
  const isOwned = claim.metadata.ownerReferences?.some(
    ({ controller, uid }) => controller === true && uid === pod.metadata.uid
  )
  if (!isEphemeral || isOwned === true) return undefined
  const { name: podName, namespace } = pod.metadata
  return `PVC ${namespace}/${name} was not created for pod ${namespace}/${podName} (pod is not owner)`
}

const waitsForConsumer = (claim: KubeObject, objects: StorageObjects): boolean => {
  if ((claimOf(claim).volumeName ?? "") !== "") return false
  const storageClass = objects.get("StorageClass", classNameOf(claim))
  return storageClass !== undefined && classOf(storageClass).volumeBindingMode === "WaitForFirstConsumer"
}

const zoneProblem = (
  names: ReadonlyArray<NamedClaim>,
  get: (name: string) => KubeObject | undefined,
  objects: StorageObjects
): string | undefined => {
  for (const { name } of names) {
    const claim = get(name)
    if (claim === undefined) return missing("persistentvolumeclaim", name)
    const { volumeName = "" } = claimOf(claim)
    if (volumeName !== "") {
      if (objects.get("PersistentVolume", volumeName) === undefined) return missing("persistentvolume", volumeName)
      continue
    }
    const className = classNameOf(claim)
    if (className === "") return "PersistentVolumeClaim had no pv name and storageClass name"
    const storageClass = objects.get("StorageClass", className)
    if (storageClass === undefined) return missing("storageclass.storage.k8s.io", className)
    if (classOf(storageClass).volumeBindingMode !== "WaitForFirstConsumer") return "PersistentVolume had no name"
  }
  return undefined
}
