// The pods of a StatefulSet: their names and numbers, how each is made, and how an adopted one gets its identity.
// Owns these shapes; refuses to decide which pods there should be.
import type { Json, JsonObject, KubeObject } from "#kube"
import { podFromTemplate, type PodTemplate } from "../PodControl.ts"
import { isReady, phaseOf } from "../PodFacts.ts"
import { replicasOf, type StatefulSet, statefulSetKind } from "./Workloads.ts"

const POD_NAME = "statefulset.kubernetes.io/pod-name"
const POD_INDEX = "apps.kubernetes.io/pod-index"
const REVISION = "controller-revision-hash"

const pattern = /^(.*)-([0-9]+)$/

/** The number in a pod's name; -1 when it has none. */
export const ordinalOf = (name: string): number => {
  const digits = pattern.exec(name)?.[2]
  const ordinal = digits === undefined ? -1 : Number(digits)
  return ordinal <= 2_147_483_647 ? ordinal : -1
}

export const podOrdinal = ({ metadata }: KubeObject): number => ordinalOf(metadata.name ?? "")

/** The first number of a set's pods. */
export const startOf = ({ spec }: StatefulSet): number => spec.ordinals?.start ?? 0

export const podNameOf = (set: StatefulSet, ordinal: number): string => `${set.metadata.name ?? ""}-${ordinal}`

/** Whether a pod's number is one of those that the set has now. */
export const isInRange = (set: StatefulSet, pod: KubeObject): boolean => {
  const at = podOrdinal(pod) - startOf(set)
  return at >= 0 && at < replicasOf(set)
}

/** Whether a pod is named after a set. */
export const isMember = (set: StatefulSet, pod: KubeObject): boolean =>
  pattern.exec(pod.metadata.name ?? "")?.[1] === set.metadata.name

/** The revision that a pod was made of. */
export const revisionOfPod = ({ metadata }: KubeObject): string => metadata.labels?.[REVISION] ?? ""

/** Whether a pod stands on the server: one that is only planned has no phase. */
export const isCreated = (pod: KubeObject): boolean => phaseOf(pod) !== ""

export const isRunningAndReady = (pod: KubeObject): boolean => phaseOf(pod) === "Running" && isReady(pod)

/** The claims of a pod, by the names of their templates: one for each template, named after the pod. */
export const claimsOf = (set: StatefulSet, ordinal: number): ReadonlyMap<string, KubeObject> => {
  const claims = new Map<string, KubeObject>()
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const { annotations, labels, name = "" } = template.metadata
    claims.set(name, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name: `${name}-${podNameOf(set, ordinal)}`,
        namespace: set.metadata.namespace ?? "",
        labels: { ...labels, ...set.spec.selector.matchLabels },
        ...(annotations && { annotations })
      },
      ...(template.spec !== undefined && { spec: template.spec })
    })
  }
  return claims
}

type Volume = JsonObject & {
  readonly name?: string
  readonly persistentVolumeClaim?: { readonly claimName?: string } & JsonObject
}

const volumesOf = (spec: JsonObject | undefined): ReadonlyArray<Volume> => {
  const volumes = spec?.["volumes"]
  return Array.isArray(volumes) ? (volumes as ReadonlyArray<Volume>) : []
}

/** A pod's spec with the volumes of its claims in place of those of the same names. */
const withClaims = (set: StatefulSet, ordinal: number, spec: JsonObject | undefined): JsonObject => {
  const claims = claimsOf(set, ordinal)
  const others = volumesOf(spec).filter(({ name = "" }) => !claims.has(name))
  const own = Array.from(claims, ([name, { metadata }]): Json => ({
    name,
    persistentVolumeClaim: { claimName: metadata.name ?? "" }
  }))
  return own.length + others.length === 0 ? { ...spec } : { ...spec, volumes: [...own, ...others] }
}

const identity = (set: StatefulSet, ordinal: number): Readonly<Record<string, string>> => ({
  [POD_NAME]: podNameOf(set, ordinal),
  [POD_INDEX]: String(ordinal)
})

/** The pod of this number, of a template, labelled with the template's revision. */
export const newStatefulPod = (
  set: StatefulSet,
  template: PodTemplate,
  revision: string,
  ordinal: number
): KubeObject => {
  const pod = podFromTemplate(template, set, statefulSetKind)
  const name = podNameOf(set, ordinal)
  const { serviceName } = set.spec
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name,
      labels: { ...pod.metadata.labels, ...identity(set, ordinal), [REVISION]: revision }
    },
    spec: {
      ...withClaims(set, ordinal, template.spec),
      hostname: name,
      ...(serviceName !== undefined && serviceName !== "" && { subdomain: serviceName })
    }
  }
}

/** Whether a pod has the labels that say which one of the set it is. */
export const hasIdentity = (set: StatefulSet, { metadata }: KubeObject): boolean =>
  ordinalOf(metadata.name ?? "") >= 0 &&
  metadata.labels?.[POD_NAME] === metadata.name &&
  set.metadata.namespace === metadata.namespace

/** Whether a pod's volumes are its claims. */
export const hasStorage = (set: StatefulSet, pod: KubeObject): boolean => {
  const claims = claimsOf(set, podOrdinal(pod))
  if (claims.size === 0) return true
  const volumes = volumesOf(pod.spec as JsonObject)
  return Array.from(claims).every(([name, { metadata }]) =>
    volumes.some((volume) => volume.name === name && volume.persistentVolumeClaim?.claimName === metadata.name)
  )
}

/** A pod that was adopted, with the identity and the volumes of its number. */
export const identified = (set: StatefulSet, pod: KubeObject): KubeObject => {
  const ordinal = podOrdinal(pod)
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...identity(set, ordinal) } },
    ...(hasStorage(set, pod) ? {} : { spec: withClaims(set, ordinal, pod.spec as JsonObject) })
  }
}
