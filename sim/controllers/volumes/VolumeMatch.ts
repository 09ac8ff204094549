// Which volume a claim gets: one that is meant for it, else the smallest that is large enough and fits in every other way.
// Owns the choice; refuses to write it down.
import { type KubeObject, LabelSelector, labelSelectorOf } from "#kube"
import { fieldsIn, fieldsOf } from "#apiserver"
import {
  attributesClassOf,
  capacityOf,
  claimRefOf,
  classOf,
  isForClaim,
  modesOf,
  requestOf,
  statusPhaseOf,
  volumeModeOf
} from "./VolumeFacts.ts"

const offersModes = (volume: KubeObject, claim: KubeObject): boolean => {
  const offered = modesOf(volume)
  return modesOf(claim).every((mode) => offered.includes(mode))
}

/** Why a volume that a claim asks for by name cannot be its; undefined when it can. */
export const mismatch = (volume: KubeObject, claim: KubeObject): string | undefined => {
  if (volume.metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`
  if (capacityOf(volume).compare(requestOf(claim)) < 0) return "requested PV is too small"
  if (classOf(volume) !== classOf(claim)) return "storageClassName does not match"
  if (attributesClassOf(volume) !== attributesClassOf(claim)) return "volumeAttributesClassName does not match"
  if (volumeModeOf(volume) !== volumeModeOf(claim)) return "incompatible volumeMode"
  return offersModes(volume, claim) ? undefined : "incompatible accessMode"
}

const selectorOf = (claim: KubeObject): LabelSelector | undefined => {
  const selector = fieldsIn(fieldsOf(claim.spec)["selector"])
  if (selector === undefined) return undefined
  // SAFETY: the server has checked the spec against its schema.
  const parsed = labelSelectorOf(selector)
  return parsed instanceof LabelSelector ? parsed : undefined
}

const fits = (volume: KubeObject, claim: KubeObject): boolean =>
  capacityOf(volume).compare(requestOf(claim)) >= 0 &&
  volumeModeOf(volume) === volumeModeOf(claim) &&
  attributesClassOf(volume) === attributesClassOf(claim) &&
  volume.metadata.deletionTimestamp === undefined

/**
 * The best of some volumes, among which are all that are meant for the claim and all of its class that are free. Volumes with fewer
 * access modes come first: one that can do more is kept for who needs more. A claim that waits for its first consumer gets only what
 * is meant for it.
 */
export const bestVolume = (
  claim: KubeObject,
  volumes: ReadonlyArray<KubeObject>,
  waits: boolean
): KubeObject | undefined => {
  const groups = new Map<string, Array<KubeObject>>()
  for (const volume of volumes) {
    if (!offersModes(volume, claim)) continue
    const key = [...modesOf(volume)].sort().join()
    groups.set(key, [...(groups.get(key) ?? []), volume])
  }
  const selector = selectorOf(claim)
  const ordered = [...groups].sort(
    ([a], [b]) => a.split(",").length - b.split(",").length || (a < b ? -1 : a > b ? 1 : 0)
  )
  for (const [, group] of ordered) {
    let smallest: KubeObject | undefined
    for (const volume of group) {
      if (claimRefOf(volume) !== undefined && !isForClaim(volume, claim)) continue
      if (!fits(volume, claim)) continue
      if (isForClaim(volume, claim)) return volume
      if (waits || statusPhaseOf(volume) !== "Available") continue
      if (selector?.matches(volume.metadata.labels) === false || classOf(volume) !== classOf(claim)) continue
      if (smallest === undefined || capacityOf(smallest).compare(capacityOf(volume)) > 0) smallest = volume
    }
    if (smallest !== undefined) return smallest
  }
  return undefined
}
