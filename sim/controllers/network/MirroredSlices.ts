// The EndpointSlices that mirror an Endpoints object which somebody keeps by hand, for a service without a selector.
// Owns that plan: one slice for each family and set of ports; refuses to write it.
import { type Json, type JsonObject, type KubeObject, type Labels, sameJson } from "#kube"
import { itemsOf, textOf } from "#apiserver"
import { type Endpoint, endpointKey, endpointsIn, portsKey, saysTheSame } from "./Endpoint.ts"
import { type Family, isV6 } from "./EndpointFacts.ts"
import { pairsOf, subsetsOf } from "./EndpointSubsets.ts"
import type { Packing } from "./SlicePacking.ts"
import { SERVICE_NAME } from "./SliceTracker.ts"
import { TRIGGER_TIME } from "./TriggerTimes.ts"

export const MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io"
const MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
const UNCOPIED: ReadonlySet<string> = new Set([TRIGGER_TIME, LAST_APPLIED])
const PER_SUBSET_MAX = 1000

export interface MirrorPlan extends Packing {
  /** Addresses that are none, and those beyond the bound of a subset. */
  readonly invalid: number
  readonly skipped: number
}

interface Wanted {
  readonly family: Family
  readonly ports: ReadonlyArray<JsonObject>
  readonly endpoints: Map<string, Endpoint>
}

const isAddress = (text: string): boolean => /^[0-9.]+$/.test(text) || (isV6(text) && /^[0-9a-fA-F:.]+$/.test(text))

const endpointOf = (address: JsonObject, ready: boolean): Endpoint => {
  const { hostname, ip, nodeName, targetRef } = address
  return {
    addresses: [textOf(ip)],
    conditions: { ready },
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(textOf(hostname) === "" ? {} : { hostname })
  }
}

const slicePorts = (ports: Json | undefined): ReadonlyArray<JsonObject> =>
  itemsOf(ports).map(({ appProtocol, name = "", port, protocol = "TCP" }) => ({
    name,
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol })
  }))

const groupKey = (family: unknown, ports: Json | undefined): string => `${String(family)} ${portsKey(ports)}`

const annotationsOf = ({ metadata: { annotations = {} } }: KubeObject): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => !UNCOPIED.has(key)))

const labelsOf = ({ metadata: { labels = {}, name = "" } }: KubeObject): Labels => ({
  ...labels,
  [SERVICE_NAME]: name,
  [MANAGED_BY]: MIRROR_MANAGER
})

const sliceOf = (endpoints: KubeObject, { endpoints: all, family, ports }: Wanted, name: string): KubeObject => {
  const { name: owner = "", namespace = "", uid = "" } = endpoints.metadata
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      ...(name === "" ? { generateName: `${owner}-` } : { name }),
      namespace,
      labels: labelsOf(endpoints),
      annotations: annotationsOf(endpoints),
      ownerReferences: [
        { apiVersion: "v1", kind: "Endpoints", name: owner, uid, controller: true, blockOwnerDeletion: true }
      ]
    },
    addressType: family,
    ports,
    endpoints: [...all.values()].slice(0, PER_SUBSET_MAX)
  }
}

/** Whether a slice mirrors what it must. */
const isMirror = (slice: KubeObject, endpoints: KubeObject, { endpoints: wanted }: Wanted): boolean => {
  const held = endpointsIn(slice)
  const { [MANAGED_BY]: _, [SERVICE_NAME]: __, ...labels } = slice.metadata.labels ?? {}
  const owner = slice.metadata.ownerReferences?.[0]
  return (
    held.length === wanted.size &&
    held.every((endpoint) => {
      const now = wanted.get(endpointKey(endpoint))
      return now !== undefined && saysTheSame(now, endpoint)
    }) &&
    sameJson(labels, endpoints.metadata.labels ?? {}) &&
    sameJson(slice.metadata.annotations ?? {}, annotationsOf(endpoints)) &&
    owner?.uid === endpoints.metadata.uid &&
    slice.metadata.ownerReferences?.length === 1
  )
}

interface Gathered {
  readonly wanted: Map<string, Wanted>
  invalid: number
  skipped: number
}

const gather = (endpoints: KubeObject): Gathered => {
  const gathered: Gathered = { wanted: new Map(), invalid: 0, skipped: 0 }
  for (const subset of subsetsOf(pairsOf(endpoints["subsets"] as Json))) {
    const ports = slicePorts(subset.ports)
    const groups = new Map<Family, Wanted>()
    for (const family of ["IPv4", "IPv6"] as const) {
      const key = groupKey(family, ports)
      const group = gathered.wanted.get(key) ?? { family, ports, endpoints: new Map<string, Endpoint>() }
      gathered.wanted.set(key, group)
      groups.set(family, group)
    }
    const [up, down] = [subset.addresses ?? [], subset.notReadyAddresses ?? []]
    let added = 0
    for (const [at, address] of [...up, ...down].entries()) {
      const ip = textOf(address["ip"])
      if (added >= PER_SUBSET_MAX) break
      if (!isAddress(ip)) {
        gathered.invalid++
        continue
      }
      const endpoint = endpointOf(address, at < up.length)
      groups.get(isV6(ip) ? "IPv6" : "IPv4")?.endpoints.set(endpointKey(endpoint), endpoint)
      added++
    }
    gathered.skipped += up.length + down.length - added
  }
  return gathered
}

/** What is to be written so that slices mirror an Endpoints object. */
export const planMirror = (endpoints: KubeObject, existing: ReadonlyArray<KubeObject>): MirrorPlan => {
  const { invalid, skipped, wanted } = gather(endpoints)
  const plan: Packing = { create: [], update: [], remove: [] }
  const byKey = new Map<string, Array<KubeObject>>()
  for (const slice of existing) {
    const key = groupKey(slice["addressType"], slice["ports"] as Json)
    byKey.set(key, [...(byKey.get(key) ?? []), slice])
  }
  for (const [key, group] of wanted) {
    const [first, ...others] = byKey.get(key) ?? []
    if (group.endpoints.size === 0) {
      plan.remove.push(...(first === undefined ? [] : [first]), ...others)
      continue
    }
    plan.remove.push(...others)
    if (first === undefined) plan.create.push(sliceOf(endpoints, group, ""))
    else if (!isMirror(first, endpoints, group)) plan.update.push(sliceOf(endpoints, group, first.metadata.name ?? ""))
  }
  for (const [key, slices] of byKey) if (!wanted.has(key)) plan.remove.push(...slices)
  return { ...recycled(plan), invalid, skipped }
}

/** Slices that would be dropped take what would be made anew, within a family. */
const recycled = ({ create, remove, update }: Packing): Packing => {
  const made: Array<KubeObject> = []
  const left = [...remove]
  for (const slice of create) {
    const at = left.findIndex((one) => one["addressType"] === slice["addressType"])
    const [reused] = at < 0 ? [] : left.splice(at, 1)
    if (reused === undefined) made.push(slice)
    else {
      const { generateName: _, ...metadata } = slice.metadata
      update.push({ ...slice, metadata: { ...metadata, name: reused.metadata.name ?? "" } })
    }
  }
  return { create: made, update, remove: left }
}

/** Whether an Endpoints object is to be mirrored at all. */
export const isMirrored = ({ metadata: { annotations, labels } }: KubeObject): boolean =>
  labels?.["endpointslice.kubernetes.io/skip-mirror"] !== "true" &&
  annotations?.["control-plane.alpha.kubernetes.io/leader"] === undefined

export const isMirrorSlice = ({ metadata }: KubeObject): boolean => metadata.labels?.[MANAGED_BY] === MIRROR_MANAGER
