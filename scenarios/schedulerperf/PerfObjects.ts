// Making and removing objects in number, as scheduler_perf's preparers do: nodes with labels and volume limits, pods with volumes.
// Owns how many calls are under way and what an object gets beside its template; refuses to decide which, which operations do.
import { Effect } from "effect"
import {
  ApiFailure,
  type Client,
  type Collection,
  type Done,
  gvr,
  type Json,
  type KubeObject,
  randomSuffix
} from "#kube"
import type { CreateNodes } from "./PerfOperation.ts"
import type { ObjectTemplate } from "./PerfTemplates.ts"

/** Calls under way at once: upstream has 30 workers. */
const IN_FLIGHT = 30

const cluster = (group: string, version: string, resource: string): Collection => ({
  resource: gvr(group, version, resource),
  namespace: ""
})
const inNamespace = (resource: string, namespace: string): Collection => ({
  resource: gvr("", "v1", resource),
  namespace
})
export const podsIn = (namespace: string): Collection => inNamespace("pods", namespace)
const nodes = cluster("", "v1", "nodes")
const csiNodes = cluster("storage.k8s.io", "v1", "csinodes")
const volumes = cluster("", "v1", "persistentvolumes")

/** Runs numbered calls, at most IN_FLIGHT at once and without an effect for each; fails with the first failure. */
export const inNumber = (
  count: number,
  call: (index: number, done: Done<unknown>) => void
): Effect.Effect<void, ApiFailure> =>
  Effect.callback<void, ApiFailure>((resume) => {
    let next = 0
    let left = count
    let failed = false
    const begin = (): void => {
      if (next >= count || failed) return
      call(next++, (answer) => {
        left--
        if (failed) return
        if (answer instanceof ApiFailure) {
          failed = true
          return resume(Effect.fail(answer))
        }
        if (left === 0) return resume(Effect.void)
        begin()
      })
    }
    if (count === 0) return resume(Effect.void)
    for (let at = 0; at < Math.min(IN_FLIGHT, count); at++) begin()
  })

/** An object with other metadata. */
const named = (object: KubeObject, change: object): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, ...change }
})

type AllocatableStrategy = NonNullable<CreateNodes["nodeAllocatableStrategy"]>

const csiNodeOf = (
  name: string,
  { csiNodeAllocatable = {}, migratedPlugins = [] }: AllocatableStrategy
): KubeObject => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "CSINode",
  metadata: { name, annotations: { "storage.alpha.kubernetes.io/migrated-plugins": migratedPlugins.join(",") } },
  spec: {
    drivers: Object.entries(csiNodeAllocatable).map(([driver, allocatable]) => ({
      name: driver,
      nodeID: name,
      allocatable
    }))
  }
})

/** What a node's template lacks: a name, its hostname label, the strategy's labels and limits. */
const preparedNode = (
  template: KubeObject,
  index: number,
  operation: CreateNodes,
  random: () => number
): KubeObject => {
  const name = template.metadata.name ?? `${template.metadata.generateName ?? ""}${randomSuffix(random)}`
  const {
    labelNodePrepareStrategy: label,
    nodeAllocatableStrategy: limits,
    uniqueNodeLabelStrategy: unique
  } = operation
  const labels: Record<string, string> = { ...template.metadata.labels, "kubernetes.io/hostname": name }
  if (label !== undefined) labels[label.labelKey] = label.labelValues[index % label.labelValues.length] ?? ""
  if (unique !== undefined) labels[unique.labelKey] = `unique-${name}`
  const node = named(template, { name, labels })
  // SAFETY: a template's status is what YAML gave, read as a mapping; the server judges it.
  const status = (node["status"] ?? {}) as Readonly<Record<string, Json>>
  const allocatable = { ...((status["allocatable"] ?? status["capacity"] ?? {}) as object), ...limits?.nodeAllocatable }
  return { ...node, status: { ...status, allocatable } }
}

/** Names that are tried for a node when others have taken them: fifteen thousand random ones meet now and then. */
const NAMES_TRIED = 8

/** Makes nodes; each gets its strategy's labels and limits at once. */
export const createNodes = (
  client: Client,
  count: number,
  template: (index: number) => KubeObject,
  operation: CreateNodes,
  random: () => number
): Effect.Effect<void, ApiFailure> =>
  inNumber(count, (index, done) => {
    const limits = operation.nodeAllocatableStrategy
    const attempt = (left: number): void => {
      const node = preparedNode(template(index), index, operation, random)
      client.create(nodes, node, {}, (answer) => {
        if (answer instanceof ApiFailure && answer.reason === "AlreadyExists" && left > 1) return attempt(left - 1)
        if (answer instanceof ApiFailure || limits === undefined) return done(answer)
        client.create(csiNodes, csiNodeOf(node.metadata.name ?? "", limits), {}, done)
      })
    }
    attempt(template(index).metadata.name === undefined ? NAMES_TRIED : 1)
  })

/** A volume and its claim, bound to each other by hand, for pods that want one each. */
export interface VolumePair {
  readonly volume: KubeObject
  readonly claim: KubeObject
}

const withSpec = (object: KubeObject, change: object): KubeObject => ({
  ...object,
  spec: { ...(object.spec as object | undefined), ...change }
})

const boundPair = ({ claim, volume }: VolumePair, namespace: string, index: number): VolumePair => {
  const claimName = `pvc-${index}`
  const name = `${namespace}-vol-${index}`
  const spec = volume.spec as Readonly<Record<string, object | undefined>>
  const source = spec["csi"] === undefined ? {} : { csi: { ...spec["csi"], volumeHandle: name } }
  const claimRef = { kind: "PersistentVolumeClaim", namespace, name: claimName, apiVersion: "v1" }
  return {
    volume: { ...named(withSpec(volume, { ...source, claimRef }), { name }), status: { phase: "Bound" } },
    claim: { ...named(withSpec(claim, { volumeName: name }), { name: claimName }), status: { phase: "Bound" } }
  }
}

/** Makes an object and then its status, which a create does not take. */
const createWithStatus = (client: Client, collection: Collection, object: KubeObject, done: Done<unknown>): void =>
  client.create(collection, object, {}, (made) => {
    if (made instanceof ApiFailure) return done(made)
    const target = { ...collection, name: made.metadata.name ?? "", subresource: "status" }
    client.update(target, { ...made, ...(object.status === undefined ? {} : { status: object.status }) }, {}, done)
  })

/** Makes pods in a namespace; each with a bound volume of its own when a pair is given. */
export const createPods = (
  client: Client,
  namespace: string,
  count: number,
  template: (index: number) => KubeObject,
  pair?: VolumePair
): Effect.Effect<void, ApiFailure> => {
  const pods = podsIn(namespace)
  if (pair === undefined) return inNumber(count, (index, done) => client.create(pods, template(index), {}, done))
  return inNumber(count, (index, done) => {
    const { claim, volume } = boundPair(pair, namespace, index)
    createWithStatus(client, inNamespace("persistentvolumeclaims", namespace), claim, (first) => {
      if (first instanceof ApiFailure) return done(first)
      createWithStatus(client, volumes, volume, (second) => {
        if (second instanceof ApiFailure) return done(second)
        const mounted = [{ name: "vol", persistentVolumeClaim: { claimName: claim.metadata.name } }]
        client.create(pods, withSpec(template(index), { volumes: mounted }), {}, done)
      })
    })
  })
}

/** A pod template's objects with the label that tells batches of alike pods apart. */
export const signedPods =
  (template: ObjectTemplate, count: number, params: Readonly<Record<string, unknown>>, batch: number) =>
  (index: number): KubeObject => {
    const pod = template(index, count, params)
    const labels = { ...pod.metadata.labels, signature: `signature-label-${Math.floor(index / batch)}` }
    return named(pod, { labels })
  }
