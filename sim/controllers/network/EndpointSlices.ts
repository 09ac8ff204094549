// The EndpointSlices that a service must have, beside those that it has: for each family of addresses and each set of ports.
// Owns that plan, hints included; refuses to write it, and to know how it came to be asked for.
import { type JsonObject, type KubeObject, type Labels, sameJson } from "#kube"
import { fieldsOf, textsOf } from "#apiserver"
import { nodeNameOf } from "../PodFacts.ts"
import { VersionFacts } from "../VersionFacts.ts"
import { type Endpoint, endpointKey, endpointOf, endpointPorts, endpointsIn, portsKey } from "./Endpoint.ts"
import { clusterIpOf, type Family, isEndpoint, isHeadless, isV6, publishesNotReady } from "./EndpointFacts.ts"
import { pack, type Packing } from "./SlicePacking.ts"
import { SERVICE_NAME } from "./SliceTracker.ts"
import { closeDistribution, hinted, unhinted } from "./TrafficHints.ts"
import { asksForZones, type HintEvent, type ZoneHints } from "./ZoneHints.ts"

export const MANAGER = "endpointslice-controller.k8s.io"
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
export const HEADLESS = "service.kubernetes.io/headless"
const RESERVED: ReadonlySet<string> = new Set([SERVICE_NAME, MANAGED_BY, HEADLESS])

export interface SlicePlan extends Packing {
  readonly events: ReadonlyArray<HintEvent>
  /** Pods that were left out because their node is not there: worth another look. */
  readonly waiting: ReadonlyArray<string>
}

export interface SlicePlanner {
  readonly perSliceMax: number
  readonly node: (name: string) => KubeObject | undefined
  readonly hints: ZoneHints
}

/** The families in which a service has endpoints. */
const familiesOf = (service: KubeObject): ReadonlyArray<Family> => {
  const named = textsOf(fieldsOf(service.spec)["ipFamilies"]).filter((one) => one === "IPv4" || one === "IPv6")
  if (named.length > 0) return named
  if (isHeadless(service)) return ["IPv4", "IPv6"]
  return [isV6(clusterIpOf(service)) ? "IPv6" : "IPv4"]
}

const unreserved = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).filter(([key]) => !RESERVED.has(key)))

const labelsOf = (service: KubeObject): Labels => ({
  ...unreserved(service.metadata.labels ?? {}),
  ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
  [SERVICE_NAME]: service.metadata.name ?? "",
  [MANAGED_BY]: MANAGER
})

const freshSlice = (service: KubeObject, family: Family, ports: ReadonlyArray<JsonObject>): KubeObject => {
  const { name = "", namespace = "", uid = "" } = service.metadata
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: labelsOf(service),
      ownerReferences: [{ apiVersion: "v1", kind: "Service", name, uid, controller: true, blockOwnerDeletion: true }]
    },
    addressType: family,
    ports,
    endpoints: []
  }
}

const isOwned = ({ metadata }: KubeObject, service: KubeObject): boolean =>
  metadata.ownerReferences?.some(
    ({ apiVersion, kind, uid }) => uid === service.metadata.uid && kind === "Service" && apiVersion === "v1"
  ) === true

interface Wanted {
  readonly ports: ReadonlyArray<JsonObject>
  readonly endpoints: Map<string, Endpoint>
}

const knownPorts = new VersionFacts<KubeObject, { readonly ports: ReadonlyArray<JsonObject>; readonly key: string }>()

const portsAt = (service: KubeObject, pod: KubeObject) =>
  knownPorts.of(pod, service, undefined, () => {
    const ports = endpointPorts(service, pod)
    return { ports, key: portsKey(ports) }
  })

/** What a family must have, by sets of ports; pods whose node is missing are put into `waiting`. */
const wantedOf = (
  service: KubeObject,
  pods: ReadonlyArray<KubeObject>,
  family: Family,
  { node }: SlicePlanner,
  waiting: Set<string>
): Map<string, Wanted> => {
  const wanted = new Map<string, Wanted>()
  for (const pod of pods) {
    if (!isEndpoint(pod, true)) continue
    const { key, ports } = portsAt(service, pod)
    let group = wanted.get(key)
    if (group === undefined) wanted.set(key, (group = { ports, endpoints: new Map() }))
    const host = node(nodeNameOf(pod))
    if (host === undefined && !publishesNotReady(service)) {
      waiting.add(pod.metadata.name ?? "")
      continue
    }
    const endpoint = endpointOf(pod, host, service, family)
    if (endpoint !== undefined) group.endpoints.set(endpointKey(endpoint), endpoint)
  }
  return wanted
}

/** Whether a slice is the one without endpoints that every service has at least. */
const isPlaceholder = (slice: KubeObject, placeholder: KubeObject): boolean =>
  endpointsIn(slice).length === 0 &&
  portsKey(slice["ports"] as never) === "" &&
  slice["addressType"] === placeholder["addressType"] &&
  sameJson(slice.metadata.labels, placeholder.metadata.labels) &&
  sameJson(slice.metadata.ownerReferences as never, placeholder.metadata.ownerReferences as never)

const planFamily = (
  service: KubeObject,
  wanted: ReadonlyMap<string, Wanted>,
  existing: ReadonlyArray<KubeObject>,
  family: Family,
  perSliceMax: number
): Packing => {
  const byPorts = new Map<string, Array<KubeObject>>()
  const plan: Packing = { create: [], update: [], remove: [] }
  for (const slice of existing) {
    const key = portsKey(slice["ports"] as never)
    if (!isOwned(slice, service)) plan.remove.push(slice)
    else byPorts.set(key, [...(byPorts.get(key) ?? []), slice])
  }
  const relabelled = (slice: KubeObject): Labels | undefined =>
    sameJson(unreserved(slice.metadata.labels ?? {}), unreserved(service.metadata.labels ?? {}))
      ? undefined
      : labelsOf(service)
  for (const [key, { endpoints, ports }] of wanted) {
    const fresh = (): KubeObject => freshSlice(service, family, ports)
    const packed = pack(byPorts.get(key) ?? [], endpoints, { perSliceMax, fresh, relabelled })
    plan.create.push(...packed.create)
    plan.update.push(...packed.update)
    plan.remove.push(...packed.remove)
  }
  for (const [key, slices] of byPorts) if (!wanted.has(key)) plan.remove.push(...slices)
  if (existing.length !== plan.remove.length || plan.create.length > 0) return plan
  const placeholder = freshSlice(service, family, [])
  const [only, ...others] = plan.remove
  if (only !== undefined && others.length === 0 && isPlaceholder(only, placeholder)) return { ...plan, remove: [] }
  plan.create.push(placeholder)
  return plan
}

/** The slices that a plan neither writes nor drops. */
const untouched = (existing: ReadonlyArray<KubeObject>, { remove, update }: Packing): ReadonlyArray<KubeObject> => {
  const touched = new Set([...update, ...remove].map(({ metadata }) => metadata.name))
  return existing.filter(({ metadata }) => !touched.has(metadata.name))
}

/** A plan whose slices, written or not, have the hints that a function gives them. */
const rehinted = (
  plan: Packing,
  existing: ReadonlyArray<KubeObject>,
  hint: (slice: KubeObject) => KubeObject
): Packing => {
  const others = untouched(existing, plan).flatMap((slice) => {
    const changed = hint(slice)
    return changed === slice ? [] : [changed]
  })
  return { create: plan.create.map(hint), update: [...plan.update.map(hint), ...others], remove: plan.remove }
}

/** Slices that would be dropped take what would be made anew: one write in place of two. */
const recycled = ({ create, remove, update }: Packing, service: KubeObject): Packing => {
  const left: Array<KubeObject> = []
  for (const slice of remove) {
    const last = create.at(-1)
    if (last === undefined || slice["addressType"] !== last["addressType"] || !isOwned(slice, service)) left.push(slice)
    else {
      create.pop()
      const { generateName: _, ...metadata } = last.metadata
      update.push({ ...last, metadata: { ...metadata, name: slice.metadata.name ?? "" } })
    }
  }
  return { create, update, remove: left }
}

const join = (plans: ReadonlyArray<Packing>): Packing => ({
  create: plans.flatMap(({ create }) => create),
  update: plans.flatMap(({ update }) => update),
  remove: plans.flatMap(({ remove }) => remove)
})

/** What is to be written so that the slices of a service are its pods' endpoints. */
export const planSlices = (
  service: KubeObject,
  pods: ReadonlyArray<KubeObject>,
  existing: ReadonlyArray<KubeObject>,
  planner: SlicePlanner
): SlicePlan => {
  const key = `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`
  const families = familiesOf(service)
  const waiting = new Set<string>()
  const events: Array<HintEvent> = []
  const plans: Array<Packing> = []
  for (const family of families) {
    const slices = existing.filter((slice) => slice["addressType"] === family)
    const wanted = wantedOf(service, pods, family, planner, waiting)
    let plan = planFamily(service, wanted, slices, family, planner.perSliceMax)
    const distribution = closeDistribution(service)
    if (asksForZones(service)) {
      const { event, packing } = planner.hints.add(key, family, plan, untouched(slices, plan))
      plan = packing
      if (event !== undefined) events.push(event)
    } else {
      if (planner.hints.forget(key, family)) {
        const message = `Topology Aware Hints has been disabled, addressType: ${family}`
        events.push({ type: "Warning", reason: "TopologyAwareHintsDisabled", message })
      }
      plan = rehinted(plan, slices, distribution === undefined ? unhinted : (slice) => hinted(slice, distribution))
    }
    plans.push(recycled(plan, service))
  }
  const strangers = existing.filter((slice) => !families.includes(slice["addressType"] as Family))
  for (const slice of strangers) planner.hints.forget(key, String(slice["addressType"]))
  return { ...join([...plans, { create: [], update: [], remove: strangers }]), events, waiting: [...waiting] }
}
