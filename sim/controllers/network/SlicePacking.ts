// How the endpoints of one set of ports are spread over EndpointSlices: at most so many in one, as few writes as possible, and no slice
// rewritten only to be fuller.
// Owns which slices are made, changed and dropped; refuses hints and calls. Slices are values: what is read is never changed.
import type { KubeObject } from "#kube"
import { type Endpoint, endpointKey, endpointsIn, saysTheSame } from "./Endpoint.ts"

export interface Packing {
  readonly create: Array<KubeObject>
  readonly update: Array<KubeObject>
  readonly remove: Array<KubeObject>
}

export interface PackingRules {
  readonly perSliceMax: number
  /** An empty slice to be made. */
  readonly fresh: () => KubeObject
  /** The labels that a slice must have; undefined when it has them. */
  readonly relabelled: (slice: KubeObject) => Readonly<Record<string, string>> | undefined
}

const nameOf = ({ metadata: { name = "" } }: KubeObject): string => name

const withEndpoints = (slice: KubeObject, endpoints: ReadonlyArray<Endpoint>): KubeObject => ({ ...slice, endpoints })

/** The slice that will be fullest once it has taken so many more; undefined when none has the room. */
const sliceToFill = (slices: Iterable<KubeObject>, count: number, perSliceMax: number): KubeObject | undefined => {
  let best: KubeObject | undefined
  let least = perSliceMax
  for (const slice of slices) {
    const room = perSliceMax - count - endpointsIn(slice).length
    if (room < 0 || room >= least) continue
    least = room
    best = slice
    if (room === 0) break
  }
  return best
}

/** Takes endpoints out of those that are still to be placed until a slice is full. */
const fill = (slice: KubeObject, missing: Map<string, Endpoint>, perSliceMax: number): KubeObject => {
  const endpoints = [...endpointsIn(slice)]
  for (const [key, endpoint] of missing) {
    if (endpoints.length >= perSliceMax) break
    missing.delete(key)
    endpoints.push(endpoint)
  }
  return withEndpoints(slice, endpoints)
}

/** Brings existing slices of one set of ports to hold exactly the wanted endpoints, by their keys. */
export const pack = (
  existing: ReadonlyArray<KubeObject>,
  wanted: ReadonlyMap<string, Endpoint>,
  { fresh, perSliceMax, relabelled }: PackingRules
): Packing => {
  const missing = new Map(wanted)
  const unchanged = new Map<string, KubeObject>()
  const update = new Map<string, KubeObject>()
  const remove: Array<KubeObject> = []
  for (const slice of existing) {
    const before = endpointsIn(slice)
    const kept: Array<Endpoint> = []
    let changed = false
    for (const endpoint of before) {
      const key = endpointKey(endpoint)
      const now = missing.get(key)
      if (now === undefined) continue
      kept.push(now)
      missing.delete(key)
      changed ||= !saysTheSame(now, endpoint)
    }
    const labels = relabelled(slice)
    const labelled = labels === undefined ? slice : { ...slice, metadata: { ...slice.metadata, labels } }
    if (changed || kept.length !== before.length) {
      if (kept.length === 0) remove.push(slice)
      else update.set(nameOf(slice), withEndpoints(labelled, kept))
    } else if (labels !== undefined) update.set(nameOf(slice), labelled)
    else unchanged.set(nameOf(slice), slice)
  }
  // The fullest of those that are written anyway come first.
  const fullestFirst = [...update.values()].sort((a, b) => endpointsIn(b).length - endpointsIn(a).length)
  for (const slice of fullestFirst) {
    if (missing.size === 0) break
    update.set(nameOf(slice), fill(slice, missing, perSliceMax))
  }
  const create: Array<KubeObject> = []
  while (missing.size > 0) {
    const slice = missing.size < perSliceMax ? sliceToFill(unchanged.values(), missing.size, perSliceMax) : undefined
    if (slice === undefined) create.push(fill(fresh(), missing, perSliceMax))
    else {
      unchanged.delete(nameOf(slice))
      update.set(nameOf(slice), fill(slice, missing, perSliceMax))
    }
  }
  return { create, update: [...update.values()], remove }
}
