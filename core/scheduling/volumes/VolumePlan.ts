// How a pod's unbound claims would get volumes on one node: which existing volumes they would take, which would be made for them.
// Owns matching as upstream's volume binder does it; refuses to bind, which VolumeBinder.ts does.
import { type KubeObject, type Labels, LabelSelector, labelSelectorOf } from "#kube"
import { NodeTerms } from "../pod/NodeTerms.ts"
import { noLabels } from "../pod/PodFields.ts"
import {
  bytesOf,
  capacityOf,
  claimOf,
  classNameOf,
  classOf,
  csiDriverOf,
  isPromisedTo,
  SELECTED_NODE,
  volumeOf
} from "./StorageFields.ts"
import type { StorageObjects } from "./StorageObjects.ts"

export interface Binding {
  readonly claim: KubeObject
  readonly volume: KubeObject
}

export interface Provision {
  readonly claim: KubeObject
  /** Where its class tells of free space, that of the node. */
  readonly capacity: KubeObject | undefined
}

export interface VolumePlan {
  readonly bindings: ReadonlyArray<Binding>
  readonly provisions: ReadonlyArray<Provision>
}

export type PlanFailure = "noVolumes" | "noSpace"

const NO_PROVISIONER = "kubernetes.io/no-provisioner"

const affinities = new WeakMap<KubeObject, NodeTerms>()

/** Whether a volume can be reached from a node. */
export const isReachable = (volume: KubeObject, name: string, labels: Labels): boolean => {
  const required = volumeOf(volume).nodeAffinity?.required
  if (required === undefined) return true
  let terms = affinities.get(volume)
  if (terms === undefined) affinities.set(volume, (terms = new NodeTerms(required)))
  return terms.matches(name, labels)
}

const sizeOf = (claim: KubeObject) => bytesOf(claimOf(claim).resources?.requests?.["storage"])

const matchesClaim = (volume: KubeObject, claim: KubeObject): boolean => {
  const wanted = claimOf(claim)
  const offered = volumeOf(volume)
  if (offered.claimRef !== undefined && !isPromisedTo(volume, claim)) return false
  if (bytesOf(offered.capacity?.["storage"]) < sizeOf(claim)) return false
  if ((wanted.volumeMode ?? "Filesystem") !== (offered.volumeMode ?? "Filesystem")) return false
  if ((wanted.volumeAttributesClassName ?? "") !== (offered.volumeAttributesClassName ?? "")) return false
  return volume.metadata.deletionTimestamp === undefined
}

const isFreeFor = (volume: KubeObject, claim: KubeObject, selector: LabelSelector | undefined): boolean => {
  if ((volume.status as { readonly phase?: string } | undefined)?.phase !== "Available") return false
  if (selector?.matches(volume.metadata.labels ?? noLabels) === false) return false
  const modes = volumeOf(volume).accessModes ?? []
  return (claimOf(claim).accessModes ?? []).every((mode) => modes.includes(mode))
}

/** The volume a claim would take on a node: the one promised to it, or the smallest free one that will do. */
const findVolume = (
  claim: KubeObject,
  volumes: ReadonlyArray<KubeObject>,
  taken: ReadonlySet<string>,
  node: { readonly name: string; readonly labels: Labels }
): KubeObject | undefined => {
  const { selector: fields } = claimOf(claim)
  const read = fields === undefined ? undefined : labelSelectorOf(fields)
  const selector = read instanceof LabelSelector ? read : undefined
  let smallest: KubeObject | undefined
  for (const volume of volumes) {
    if (taken.has(volume.metadata.name ?? "") || !matchesClaim(volume, claim)) continue
    const reachable = isReachable(volume, node.name, node.labels)
    if (isPromisedTo(volume, claim)) return reachable ? volume : undefined
    if (!reachable || !isFreeFor(volume, claim, selector)) continue
    if (
      smallest === undefined ||
      bytesOf(volumeOf(volume).capacity?.["storage"]) < bytesOf(volumeOf(smallest).capacity?.["storage"])
    )
      smallest = volume
  }
  return smallest
}

const allows = (storageClass: KubeObject, labels: Labels): boolean => {
  const { allowedTopologies = [] } = classOf(storageClass)
  if (allowedTopologies.length === 0) return true
  return allowedTopologies.some(
    ({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.length > 0 &&
      matchLabelExpressions.every(({ key, values }) => labels[key] !== undefined && values.includes(labels[key]))
  )
}

/** Free space for a claim: some capacity that covers it, `true` where nobody tells, `false` where there is too little. */
const spaceFor = (
  objects: StorageObjects,
  claim: KubeObject,
  storageClass: KubeObject,
  labels: Labels
): KubeObject | boolean => {
  const text = claimOf(claim).resources?.requests?.["storage"]
  const driver = objects.get("CSIDriver", classOf(storageClass).provisioner ?? "")
  if (text === undefined || driver === undefined || csiDriverOf(driver).storageCapacity !== true) return true
  for (const object of objects.all("CSIStorageCapacity")) {
    const { capacity, maximumVolumeSize, nodeTopology, storageClassName } = capacityOf(object)
    const limit = maximumVolumeSize ?? capacity
    if (storageClassName !== storageClass.metadata.name || limit === undefined || bytesOf(limit) < bytesOf(text))
      continue
    const selector = nodeTopology === undefined ? undefined : labelSelectorOf(nodeTopology)
    if (selector instanceof LabelSelector && selector.matches(labels)) return object
  }
  return false
}

export interface PlanRequest {
  readonly objects: StorageObjects
  /** Claims that wait for their first consumer. */
  readonly claims: ReadonlyArray<KubeObject>
  readonly node: { readonly name: string; readonly labels: Labels }
}

/** The plan for a node, or what it fails for. */
export const planVolumes = ({ claims, node, objects }: PlanRequest): VolumePlan | PlanFailure => {
  const toMake: Array<KubeObject> = []
  const toMatch: Array<KubeObject> = []
  for (const claim of claims) {
    const selected = claim.metadata.annotations?.[SELECTED_NODE]
    if (selected === undefined) toMatch.push(claim)
    else if (selected === node.name) toMake.push(claim)
    else return "noVolumes"
  }
  const bindings: Array<Binding> = []
  const taken = new Set<string>()
  for (const claim of toMatch.toSorted((a, b) => (sizeOf(a) < sizeOf(b) ? -1 : sizeOf(a) > sizeOf(b) ? 1 : 0))) {
    const volume = findVolume(claim, objects.volumesOf(classNameOf(claim)), taken, node)
    if (volume === undefined) {
      toMake.push(claim)
      continue
    }
    taken.add(volume.metadata.name ?? "")
    bindings.push({ claim, volume })
  }
  const provisions: Array<Provision> = []
  for (const claim of toMake) {
    const storageClass = objects.get("StorageClass", classNameOf(claim))
    const provisioner = storageClass === undefined ? "" : (classOf(storageClass).provisioner ?? "")
    if (storageClass === undefined || provisioner === "" || provisioner === NO_PROVISIONER) return "noVolumes"
    if (!allows(storageClass, node.labels)) return "noVolumes"
    const space = spaceFor(objects, claim, storageClass, node.labels)
    if (space === false) return "noSpace"
    provisions.push({ claim, capacity: space === true ? undefined : space })
  }
  return { bindings, provisions }
}
