// Which zone's traffic each endpoint is to take when a service asks for `service.kubernetes.io/topology-mode: Auto`: as many endpoints
// for a zone as its share of the cluster's CPUs asks for, or no hints at all where that would overload one.
// Owns the shares of zones, the allocation and what services have; refuses to write slices.
import { type JsonObject, type KubeObject, Quantity, quantityOf } from "#kube"
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { isNodeReady } from "../nodes/NodeFacts.ts"
import { type Endpoint, endpointsIn, isEndpointReady } from "./Endpoint.ts"
import type { Packing } from "./SlicePacking.ts"
import { unhinted } from "./TrafficHints.ts"

const OVERLOAD = 0.2
const ZONE = "topology.kubernetes.io/zone"
const EXCLUDED = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"]
const MODES = ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"]

interface Allocation {
  readonly minimum: number
  readonly maximum: number
  readonly desired: number
}

export interface HintEvent {
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly message: string
}

/** Whether a service asks for hints by its annotation. */
export const asksForZones = ({ metadata: { annotations = {} } }: KubeObject): boolean => {
  const mode = annotations[MODES[0]] ?? annotations[MODES[1]]
  return mode === "Auto" || mode === "auto"
}

const cpuOf = (node: KubeObject): number => {
  const { cpu } = fieldsOf(fieldsOf(node.status)["allocatable"])
  if (typeof cpu !== "string" && typeof cpu !== "number") return 0
  const quantity = quantityOf(cpu)
  return quantity instanceof Quantity ? Number(quantity.milliValue()) : 0
}

/** The share of CPUs of each zone; undefined when nodes do not tell enough. */
export const zoneShares = (nodes: Iterable<KubeObject>): ReadonlyMap<string, number> | undefined => {
  const cpus = new Map<string, number>()
  let total = 0
  for (const node of nodes) {
    const { labels = {} } = node.metadata
    if (EXCLUDED.some((label) => labels[label] !== undefined) || !isNodeReady(node)) continue
    const [zone, cpu] = [labels[ZONE] ?? "", cpuOf(node)]
    if (zone === "" || cpu === 0) return undefined
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu)
    total += cpu
  }
  if (total === 0 || cpus.size < 2) return undefined
  return new Map(Array.from(cpus, ([zone, cpu]) => [zone, cpu / total] as const))
}

const allocate = (
  shares: ReadonlyMap<string, number> | undefined,
  endpoints: number
): ReadonlyMap<string, Allocation> | string => {
  if (shares === undefined)
    return "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
  const counted = `(${endpoints} endpoints, ${shares.size} zones)`
  if (shares.size > endpoints) return `Insufficient number of endpoints ${counted}`
  const minimums = Array.from(shares, ([zone, share]) => {
    const desired = share * endpoints
    const minimum = Math.ceil(desired * (1 / (1 + OVERLOAD)))
    return { zone, minimum, desired: Math.max(desired, minimum) }
  })
  const least = minimums.reduce((sum, { minimum }) => sum + minimum, 0)
  if (least > endpoints)
    return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${counted}`
  return new Map(
    minimums.map(({ desired, minimum, zone }) => [zone, { minimum, desired, maximum: minimum + endpoints - least }])
  )
}

const most = (zones: ReadonlyMap<string, number>): readonly [zone: string, count: number] => {
  let best: readonly [string, number] = ["", 0]
  for (const [zone, count] of zones) if (count > best[1]) best = [zone, count]
  return best
}

const add = (counts: Map<string, number>, zone: string, by: number): void => {
  counts.set(zone, (counts.get(zone) ?? 0) + by)
}

/** How many endpoints each zone gives away, and how many each receives. */
const exchanges = (
  allocations: ReadonlyMap<string, Allocation>,
  held: ReadonlyMap<string, number>
): readonly [giving: Map<string, number>, receiving: Map<string, number>] => {
  const [surplus, lack] = [new Map<string, number>(), new Map<string, number>()]
  for (const [zone, { desired }] of allocations) {
    const count = held.get(zone) ?? 0
    if (count > desired) surplus.set(zone, count - desired)
    else if (count < desired) lack.set(zone, desired - count)
  }
  const [giving, receiving] = [new Map<string, number>(), new Map<string, number>()]
  for (;;) {
    const [giver, gives] = most(surplus)
    const [taker, takes] = most(lack)
    if (giver === "" || taker === "" || (gives < 1 && takes < 1) || gives < 0.5 || takes < 0.5) break
    add(giving, giver, 1)
    add(surplus, giver, -1)
    add(receiving, taker, 1)
    add(lack, taker, -1)
  }
  return [giving, receiving]
}

const forZone = (endpoint: Endpoint, zone: string): Endpoint => ({ ...endpoint, hints: { forZones: [{ name: zone }] } })

/** The hints of a slice that is not written, by zone; undefined when they are not what the allocation allows. */
const heldHints = (
  slice: KubeObject,
  held: ReadonlyMap<string, number>,
  allocations: ReadonlyMap<string, Allocation>
): ReadonlyMap<string, number> | undefined => {
  const counts = new Map<string, number>()
  for (const endpoint of endpointsIn(slice)) {
    if (!isEndpointReady(endpoint)) continue
    const zones: ReadonlyArray<JsonObject> = itemsOf(fieldsOf(endpoint["hints"])["forZones"])
    if (zones.length === 0 || zones.some(({ name }) => !allocations.has(textOf(name)))) return undefined
    for (const { name } of zones) add(counts, textOf(name), 1)
  }
  for (const [zone, count] of counts) {
    const maximum = allocations.get(zone)?.maximum ?? 0
    if (count + (held.get(zone) ?? 0) > maximum) return undefined
  }
  return counts
}

export class ZoneHints {
  /** Endpoints by zone that each service has hints for, by family. */
  readonly #services = new Map<string, Map<string, ReadonlyMap<string, number>>>()
  readonly #nodes: () => Iterable<KubeObject>
  #shares: ReadonlyMap<string, number> | undefined
  #isWeighed = false

  constructor(nodes: () => Iterable<KubeObject>) {
    this.#nodes = nodes
  }

  /** Nodes changed: they are weighed again when somebody asks, which in most clusters nobody does. */
  nodesChanged(): void {
    this.#isWeighed = false
  }

  #weigh(): ReadonlyMap<string, number> | undefined {
    if (!this.#isWeighed) this.#shares = zoneShares(this.#nodes())
    this.#isWeighed = true
    return this.#shares
  }

  /** Services with too few endpoints for some zone, as things are now. */
  overloaded(): ReadonlyArray<string> {
    const found: Array<string> = []
    for (const [service, families] of this.#services)
      for (const zones of families.values())
        if (this.#isOverloaded(zones)) {
          found.push(service)
          break
        }
    return found
  }

  #isOverloaded(zones: ReadonlyMap<string, number>): boolean {
    if (zones.size === 0) return false
    const shares = this.#weigh()
    if (shares === undefined) return true
    let total = 0
    for (const count of zones.values()) total += count
    for (const [zone, share] of shares) {
      const count = zones.get(zone)
      if (count === undefined || count < Math.ceil(total * share * (1 / (1 + OVERLOAD)))) return true
    }
    return false
  }

  /** A service has no hints in a family any more; answers whether it had any. */
  forget(service: string, family: string): boolean {
    const families = this.#services.get(service)
    if (families === undefined) return false
    families.delete(family)
    if (families.size === 0) this.#services.delete(service)
    return true
  }

  /** Gives hints to slices that are written, and writes those that must be for their hints. */
  add(
    service: string,
    family: string,
    { create, remove, update }: Packing,
    unchanged: ReadonlyArray<KubeObject>
  ): { readonly packing: Packing; readonly event?: HintEvent } {
    const all = [...create, ...update, ...unchanged]
    const ready = all.reduce((sum, slice) => sum + endpointsIn(slice).filter(isEndpointReady).length, 0)
    const refuse = (why: string) => {
      this.forget(service, family)
      const cleared = unchanged.map((slice) => [slice, unhinted(slice)] as const).filter(([a, b]) => a !== b)
      const packing = {
        create: create.map(unhinted),
        update: [...update.map(unhinted), ...cleared.map(([, slice]) => slice)],
        remove
      }
      const message = `${why}, addressType: ${family}`
      return { packing, event: { type: "Warning", reason: "TopologyAwareHintsDisabled", message } as const }
    }
    const allocations = allocate(this.#weigh(), ready)
    if (typeof allocations === "string") return refuse(allocations)
    const held = new Map<string, number>()
    const rewritten: Array<KubeObject> = []
    for (const slice of unchanged) {
      const counts = heldHints(slice, held, allocations)
      if (counts === undefined) rewritten.push(slice)
      else for (const [zone, count] of counts) add(held, zone, count)
    }
    const changing = [...create, ...update, ...rewritten].map(unhinted)
    const zoned = changing.map((slice) => this.#zoned(slice, held))
    if (zoned.includes(undefined)) return refuse("One or more endpoints do not have a zone specified")
    const [giving, receiving] = exchanges(allocations, held)
    const done = zoned.flatMap((slice) => (slice === undefined ? [] : [redistribute(slice, giving, receiving, held)]))
    if (held.size === 0) return refuse("No hints allocated for zones")
    const isNew = !this.#services.has(service)
    const families = this.#services.get(service) ?? new Map<string, ReadonlyMap<string, number>>()
    this.#services.set(service, families.set(family, held))
    const packing = { create: done.slice(0, create.length), update: done.slice(create.length), remove }
    const message = `Topology Aware Hints has been enabled, addressType: ${family}`
    return isNew ? { packing, event: { type: "Normal", reason: "TopologyAwareHintsEnabled", message } } : { packing }
  }

  /** Each ready endpoint for its own zone; undefined when one has none. */
  #zoned(slice: KubeObject, held: Map<string, number>): KubeObject | undefined {
    const endpoints: Array<Endpoint> = []
    for (const endpoint of endpointsIn(slice)) {
      const zone = textOf(endpoint["zone"])
      if (!isEndpointReady(endpoint)) endpoints.push(endpoint)
      else if (zone === "") return undefined
      else {
        add(held, zone, 1)
        endpoints.push(forZone(endpoint, zone))
      }
    }
    return { ...slice, endpoints }
  }
}

/** Gives endpoints of zones that have too many to zones that have too few. */
const redistribute = (
  slice: KubeObject,
  giving: Map<string, number>,
  receiving: Map<string, number>,
  held: Map<string, number>
): KubeObject => {
  const endpoints = endpointsIn(slice).map((endpoint) => {
    const from = textOf(endpoint["zone"])
    if (!isEndpointReady(endpoint) || (giving.get(from) ?? 0) === 0) return endpoint
    for (const [to, count] of receiving) {
      if (count === 0) continue
      add(giving, from, -1)
      add(receiving, to, -1)
      add(held, from, -1)
      add(held, to, 1)
      return forZone(endpoint, to)
    }
    return endpoint
  })
  return { ...slice, endpoints }
}
