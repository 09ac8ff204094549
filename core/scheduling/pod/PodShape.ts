// The shape of a pod: everything that decides where it may go, read once and shared by all pods that ask for the same.
// Owns reading and sharing; refuses to know nodes. Bound: SHAPES_MAX shapes, the longest unused forgotten first.
import { type KubeObject, type Labels, LabelSelector, labelSelectorOf } from "#kube"
import { type HostPort, hostPortsOf } from "./HostPorts.ts"
import { type Kin, KinRegister } from "./Kin.ts"
import { namedNodes, PreferredNodes, RequiredNodes } from "./NodeTerms.ts"
import { type PodSpecFields, podSpecOf, podStatusOf, type Toleration, type VolumeFields } from "./PodFields.ts"
import { placedMissing, podRequests, scoringMissing } from "./PodRequests.ts"
import { amountOf, CPU, type Exact, MEMORY, ResourceNames, type ResourceVector, vectorOf } from "./ResourceVector.ts"
import { softTolerations, toleratesTaint, UNSCHEDULABLE_TAINT } from "./Tolerations.ts"

/** What a pod takes from the node it is on. */
export interface PodUsage {
  readonly resources: ResourceVector
  /** With defaults for what containers leave out, as scores count it. */
  readonly scoredCpu: Exact
  readonly scoredMemory: Exact
}

export interface PodShape {
  readonly id: number
  readonly kin: Kin
  readonly spec: PodSpecFields
  readonly namespace: string
  /** Those that some selector asks about. */
  readonly labels: Labels
  readonly requests: ResourceVector
  /** As NodeResourcesFit scores in 1.37: the containers alone, with defaults for what they leave out. */
  readonly scored: ResourceVector
  readonly usage: PodUsage
  readonly tolerations: ReadonlyArray<Toleration>
  readonly soft: ReadonlyArray<Toleration>
  readonly toleratesUnschedulable: boolean
  readonly required: RequiredNodes
  readonly preferred: PreferredNodes | undefined
  /** Nodes named by metadata.name in every required term. */
  readonly named: ReadonlySet<string> | undefined
  readonly ports: ReadonlyArray<HostPort>
  /** Image names with tags, one entry for each container and image volume. */
  readonly images: ReadonlyArray<string>
  readonly volumes: ReadonlyArray<VolumeFields>
  /** The name of the pod, where volumes depend on it. */
  readonly podName: string
  /** The controller that owns the pod, as spreading by default asks. */
  readonly owner: { readonly apiVersion: string; readonly kind: string; readonly name: string } | undefined
  /** What the pod needs of a node by itself, as text: made when it is asked for. */
  needs?: string
  /** Resolved by the profile when it is asked for: the selector that spreads by default, once for all pods of the shape. */
  defaultSelector?: { readonly epoch: number; readonly selector: LabelSelector }
}

const SHAPES_MAX = 16_384
/** Kinds of owners whose selectors spread their pods by default. */
const spreading = new Set(["ReplicaSet", "ReplicationController", "StatefulSet"])

const normalizedImage = (name: string): string =>
  name.lastIndexOf(":") <= name.lastIndexOf("/") ? `${name}:latest` : name

const containersText = (containers: PodSpecFields["containers"]): string => {
  let text = ""
  for (const { image, ports, resources, restartPolicy } of containers ?? []) {
    text += `${image ?? ""}|${restartPolicy ?? ""}`
    if (resources?.requests !== undefined) text += JSON.stringify(resources.requests)
    if (ports !== undefined) text += JSON.stringify(ports)
    text += ";"
  }
  return text
}

/** Volumes whose claim or identity decides where a pod may go. */
const decisiveVolumes = (volumes: ReadonlyArray<VolumeFields> = []): ReadonlyArray<VolumeFields> => {
  const decisive = volumes.filter(
    (volume) =>
      volume.persistentVolumeClaim !== undefined ||
      volume.ephemeral !== undefined ||
      volume.image !== undefined ||
      volume.gcePersistentDisk !== undefined ||
      volume.awsElasticBlockStore !== undefined ||
      volume.rbd !== undefined ||
      volume.iscsi !== undefined
  )
  return decisive.length === 0 ? none : decisive
}

const none: ReadonlyArray<never> = []

const requestsDiffer = (pod: KubeObject): boolean => {
  const { allocatedResources, conditions, containerStatuses, initContainerStatuses, resources } = podStatusOf(pod)
  return (
    allocatedResources !== undefined ||
    resources !== undefined ||
    containerStatuses?.some((one) => one.allocatedResources ?? one.resources) === true ||
    initContainerStatuses?.some((one) => one.allocatedResources ?? one.resources) === true ||
    conditions?.some(({ type }) => type === "PodResizePending") === true
  )
}

export class PodShapes {
  readonly kin = new KinRegister()
  readonly resources = new ResourceNames()
  private readonly byKey = new Map<string, PodShape>()
  private ofPod = new WeakMap<KubeObject, PodShape>()
  private next = 0
  private generation = 0

  /** The shape of a pod that waits, which is asked for at each attempt. */
  of(pod: KubeObject): PodShape {
    const known = this.generation === this.kin.generation ? this.ofPod.get(pod) : undefined
    if (known !== undefined) return known
    const shape = this.find(pod)
    this.ofPod.set(pod, shape)
    return shape
  }

  /** What a pod of a shape takes from its node, resizes counted. */
  usageOf(pod: KubeObject, shape: PodShape): PodUsage {
    return requestsDiffer(pod) ? this.measure(pod) : shape.usage
  }

  /** The same object for pods that ask for the same. */
  find(pod: KubeObject): PodShape {
    const spec = podSpecOf(pod)
    for (const { labelSelector, matchLabelKeys = none } of spec.topologySpreadConstraints ?? none) {
      const selector = labelSelectorOf(labelSelector)
      this.kin.learn(selector instanceof LabelSelector ? selector.requirements.map(({ key }) => key) : none)
      this.kin.learn(matchLabelKeys)
    }
    const kin = this.kin.of(pod)
    if (this.generation !== this.kin.generation) {
      this.generation = this.kin.generation
      this.byKey.clear()
      this.ofPod = new WeakMap()
    }
    const volumes = decisiveVolumes(spec.volumes)
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)
    const podName = volumes.length > 0 ? (pod.metadata.name ?? "") : ""
    const rest =
      spec.nodeSelector ??
      spec.affinity ??
      spec.tolerations ??
      spec.topologySpreadConstraints ??
      spec.overhead ??
      spec.resources ??
      (spec.hostUsers === undefined && spec.resourceClaims === undefined ? undefined : spec)
    const text =
      rest === undefined
        ? ""
        : JSON.stringify([
            spec.nodeSelector,
            spec.affinity,
            spec.tolerations,
            spec.topologySpreadConstraints,
            spec.overhead,
            spec.resources,
            spec.resourceClaims,
            spec.hostUsers,
            spec.hostNetwork
          ])
    const ownerText = owner === undefined || !spreading.has(owner.kind) ? "" : `${owner.kind}/${owner.name}`
    const volumeText = volumes.length === 0 ? "" : JSON.stringify([podName, volumes])
    const containers = `${containersText(spec.containers)}!${containersText(spec.initContainers)}`
    const key = `${kin.id}\n${containers}\n${text}\n${ownerText}\n${volumeText}`
    const known = this.byKey.get(key)
    if (known !== undefined) {
      // Reinserted, so that the longest unused stand first.
      this.byKey.delete(key)
      this.byKey.set(key, known)
      return known
    }
    const shape = this.make(pod, kin, { spec, volumes, podName, owner })
    this.byKey.set(key, shape)
    if (this.byKey.size > SHAPES_MAX) this.forgetOldest()
    return shape
  }

  private forgetOldest(): void {
    for (const key of this.byKey.keys()) {
      if (this.byKey.size <= SHAPES_MAX / 2) break
      this.byKey.delete(key)
    }
    this.kin.sweep(new Set(Array.from(this.byKey.values(), ({ kin }) => kin)))
  }

  private make(
    pod: KubeObject,
    kin: Kin,
    { owner, podName, spec, volumes }: Pick<PodShape, "spec" | "volumes" | "podName" | "owner">
  ): PodShape {
    const tolerations = spec.tolerations ?? none
    const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution
    const images = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map(({ image = "" }) => image)
    const mounted = volumes.flatMap(({ image }) => (image === undefined ? [] : [image.reference ?? ""]))
    return {
      id: this.next++,
      kin,
      spec,
      namespace: pod.metadata.namespace ?? "",
      labels: kin.labels,
      requests: vectorOf(this.resources, podRequests(pod)),
      scored: vectorOf(this.resources, podRequests(pod, { missing: scoringMissing, containersOnly: true })),
      usage: this.measure(pod),
      tolerations,
      soft: softTolerations(tolerations),
      toleratesUnschedulable: toleratesTaint(tolerations, UNSCHEDULABLE_TAINT),
      required: new RequiredNodes(spec),
      preferred: preferred === undefined ? undefined : new PreferredNodes(preferred),
      named: namedNodes(spec),
      ports: hostPortsOf(spec),
      images: [...images, ...mounted].map(normalizedImage),
      volumes,
      podName,
      owner: owner === undefined ? undefined : { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name }
    }
  }

  private measure(pod: KubeObject): PodUsage {
    const requests = podRequests(pod, { useStatus: true })
    const missing = placedMissing(podSpecOf(pod), requests)
    const scored = missing.size === 0 ? requests : podRequests(pod, { useStatus: true, missing })
    const vector = vectorOf(this.resources, scored)
    return {
      resources: vectorOf(this.resources, requests),
      scoredCpu: amountOf(vector, CPU),
      scoredMemory: amountOf(vector, MEMORY)
    }
  }
}
