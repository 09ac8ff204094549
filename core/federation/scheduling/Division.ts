// Replicas among the chosen clusters: what the planner is asked, from the policy's preferences, taints, migrations and room.
// Owns which bound is hard (maximum, manual limit, freeze) and which is soft (room that was seen); refuses to plan.
import { type FreePlan, FreePlanner } from "../planner/FreePlanner.ts"
import { Quotas } from "../planner/Quotas.ts"
import type { ReplicaPlan } from "../planner/ReplicaPlan.ts"
import { type PlanColumns, ReplicaPlanner } from "../planner/ReplicaPlanner.ts"
import { roomWeights } from "../planner/RoomWeights.ts"
import { mixed, textHash } from "../planner/StableHash.ts"
import { type ClassView, FITS } from "./ClassView.ts"
import type { Fleet } from "./Fleet.ts"
import { type SchedulingUnit, unitKey } from "./SchedulingUnit.ts"

/** What is divided among whom. */
export interface DivisionRequest {
  readonly unit: SchedulingUnit
  readonly view: ClassView
  readonly fleet: Fleet
  /** Positions in the fleet; filled in this order, where the policy fills. */
  readonly chosen: ReadonlyArray<number> | Int32Array
  readonly total: number
  /** Where there are replicas, by position in the fleet, and how many; the latter may be longer. */
  readonly current: ReadonlyArray<number>
  readonly replicas: Float64Array
}

/** A plan, and what bounded it; columns may be longer than `chosen`. */
export interface Division extends ReplicaPlan {
  readonly chosen: ReadonlyArray<number> | Int32Array
  readonly hardCaps: Float64Array
  readonly softCaps: Float64Array
  readonly mins: Float64Array
  readonly weights: Float64Array
  /** Replicas that there are. */
  readonly current: Float64Array
}

const planner = new ReplicaPlanner()
const freePlanner = new FreePlanner()

const GPU = "nvidia.com/gpu"
const RECLAIMED_CPU = "resource.katalyst.kubewharf.io/reclaimed_millicpu"

/** The resource by which room is told: the scarcest kind that pods ask for. */
const measured = (request: SchedulingUnit["request"]): string =>
  request.has(GPU) ? GPU : request.has(RECLAIMED_CPU) ? RECLAIMED_CPU : "cpu"

/** How many pods each cluster has room for by its sums, by position; Infinity when pods ask for nothing. */
const fitting = ({ fleet, unit, view }: DivisionRequest): Float64Array =>
  fleet.remember(view, "fitting", () =>
    Float64Array.from(fleet.clusters, ({ available }) => {
      let pods = Infinity
      for (const [name, asked] of unit.request) {
        if (asked > 0) pods = Math.min(pods, Math.floor((available.get(name) ?? 0) / asked))
      }
      return Math.max(0, pods)
    })
  )

const weighs = ({ view }: DivisionRequest): boolean => {
  for (const { weight } of view.unit.requirements.placement?.values() ?? []) if (weight !== undefined) return true
  return false
}

/** Weights by what the clusters have, the same for all objects that choose all clusters. */
const roomOf = ({ chosen, fleet, unit, view }: DivisionRequest): Float64Array => {
  const name = measured(unit.request)
  const make = (): Float64Array =>
    roomWeights(
      Float64Array.from(chosen, (at) => fleet.clusters[at].allocatable.get(name) ?? 0),
      Float64Array.from(chosen, (at) => fleet.clusters[at].available.get(name) ?? 0)
    )
  return chosen === view.feasible ? fleet.remember(chosen, name, make) : make()
}

/** Whether weights differ from object to object: by the room that is left for its pods. */
const weighsByFit = (request: DivisionRequest): boolean =>
  request.view.unit.requirements.strategy === "Capacity" && request.unit.request.size > 0 && !weighs(request)

/** Weights that are the same for all objects which choose these clusters. */
const commonWeights = (request: DivisionRequest): Float64Array => {
  const { chosen, fleet, view } = request
  if (!weighs(request)) return roomOf(request)
  const { placement } = view.unit.requirements
  const make = (): Float64Array =>
    Float64Array.from(chosen, (at) => placement?.get(fleet.clusters[at].name)?.weight ?? 0)
  return chosen === view.feasible ? fleet.remember(chosen, "weights", make) : make()
}

const weightByFit = (pods: number): number => Math.max(1, Math.min(1e9, pods))

/** Weights; `columns` holds those that differ from object to object. */
const weightsOf = (request: DivisionRequest, { current, weights }: Columns): Float64Array => {
  if (!weighsByFit(request)) return commonWeights(request)
  const { chosen } = request
  const fits = fitting(request)
  for (let place = 0; place < chosen.length; place++) weights[place] = weightByFit(fits[chosen[place]] + current[place])
  return weights
}

/** Bounds as columns. */
interface Bounds {
  readonly mins: Float64Array
  readonly hardCaps: Float64Array
  readonly softCaps: Float64Array
}

const unbounded = (count: number): Bounds => ({
  mins: new Float64Array(count),
  hardCaps: new Float64Array(count).fill(Infinity),
  softCaps: new Float64Array(count).fill(Infinity)
})

/** The bounds that the policy gives, the same for all objects of a class. */
const policyBounds = ({ chosen, fleet, view }: DivisionRequest, bounds: Bounds = unbounded(chosen.length)): Bounds => {
  const { placement } = view.unit.requirements
  if (placement === undefined) return bounds
  for (let place = 0; place < chosen.length; place++) {
    const preferences = placement.get(fleet.clusters[chosen[place]].name)
    if (preferences === undefined) continue
    bounds.mins[place] = preferences.min
    bounds.hardCaps[place] = preferences.max
  }
  return bounds
}

/** Whether something is known of clusters that bounds this object alone. */
const isBoundItself = ({ unit, view }: DivisionRequest): boolean =>
  unit.limited.size > 0 || (view.unit.requirements.autoMigration !== undefined && unit.capacity.size > 0)

/** The policy's bounds with those of the object and of this moment. */
const ownBounds = (request: DivisionRequest, { current, own: bounds }: Columns): Bounds => {
  const { chosen, fleet, unit, view } = request
  const { autoMigration, strategy } = view.unit.requirements
  const count = chosen.length
  bounds.mins.fill(0, 0, count)
  bounds.hardCaps.fill(Infinity, 0, count)
  policyBounds(request, bounds)
  const fits = strategy === "Capacity" ? fitting(request) : undefined
  for (let place = 0; place < count; place++) {
    const at = chosen[place]
    if (view.frozen[at] === 1) bounds.hardCaps[place] = Math.min(bounds.hardCaps[place], current[place])
    bounds.softCaps[place] = fits === undefined ? Infinity : current[place] + fits[at]
  }
  if (!isBoundItself(request)) return bounds
  for (let place = 0; place < count; place++) {
    const { name } = fleet.clusters[chosen[place]]
    bounds.hardCaps[place] = Math.min(bounds.hardCaps[place], unit.limited.get(name) ?? Infinity)
    const learned = autoMigration === undefined ? undefined : unit.capacity.get(name)
    bounds.softCaps[place] = Math.min(bounds.softCaps[place], learned ?? Infinity)
  }
  return bounds
}

/** New clusters are never frozen: where all are new and nothing is known of the object, its class's bounds do. */
const boundsOf = (request: DivisionRequest, columns: Columns): Bounds => {
  const { chosen, fleet, view } = request
  const isShared = chosen === view.feasible && !isBoundItself(request) && view.unit.requirements.strategy !== "Capacity"
  return isShared ? fleet.remember(view, "bounds", () => policyBounds(request)) : ownBounds(request, columns)
}

/** Columns that are used again for every object. */
interface Columns extends PlanColumns {
  readonly current: Float64Array
  readonly ties: Int32Array
  readonly weights: Float64Array
  readonly own: Bounds
}

const columnsFor = (count: number): Columns => ({
  current: new Float64Array(count),
  ties: new Int32Array(count),
  weights: new Float64Array(count),
  own: unbounded(count),
  planned: new Float64Array(count),
  overflow: new Float64Array(count)
})

let shared = columnsFor(1024)

const sharedColumns = (count: number): Columns => {
  if (shared.ties.length < count) shared = columnsFor(2 ** Math.ceil(Math.log2(count)))
  for (const column of [shared.current, shared.planned, shared.overflow]) column.fill(0, 0, count)
  return shared
}

/** Replicas by position in the fleet; zeros between calls. */
let there = new Float64Array(1024)

/** Replicas by place: of the chosen clusters only. */
const scatter = ({ chosen, current, fleet, replicas }: DivisionRequest, column: Float64Array): void => {
  if (there.length < fleet.size) there = new Float64Array(2 ** Math.ceil(Math.log2(fleet.size)))
  const held = there
  for (let at = 0; at < current.length; at++) held[current[at]] = replicas[at]
  for (let place = 0; place < chosen.length; place++) column[place] = held[chosen[place]]
  for (let at = 0; at < current.length; at++) held[current[at]] = 0
}

/** Whether the policy bounds no cluster of these. */
const isUnbounded = (request: DivisionRequest): boolean => {
  const { fleet, view } = request
  return fleet.remember(view, "unbounded", () => {
    const { hardCaps, mins } = policyBounds(request)
    return mins.every((min) => min === 0) && hardCaps.every((cap) => cap === Infinity)
  })
}

/** The quotas of a class; undefined where they differ from object to object. */
const quotasOf = (request: DivisionRequest, held: number): Quotas | undefined => {
  const { chosen, fleet, total, unit, view } = request
  // Pods that ask for nothing fit everywhere.
  const isFitted = view.unit.requirements.strategy === "Capacity" && unit.request.size > 0
  if (!isFitted) {
    const weights = commonWeights(request)
    return fleet.remember(weights, "quotas", () => new Quotas(weights))
  }
  if (!weighsByFit(request) || (held !== 0 && held !== total)) return undefined
  return fleet.remember(view, "quotas", () => {
    const fits = fitting(request)
    const caps = Float64Array.from(chosen, (at) => fits[at])
    return new Quotas(caps.map(weightByFit), caps)
  })
}

/** Divides replicas of an object that nothing bounds, among all clusters that are feasible; undefined: something may, or it is not so. */
export const divideFreely = (request: DivisionRequest): FreePlan | undefined => {
  const { chosen, current, fleet, replicas, total, unit, view } = request
  const { avoidDisruption, strategy } = view.unit.requirements
  if (chosen !== view.feasible || strategy === "Binpack" || isBoundItself(request) || !isUnbounded(request))
    return undefined
  let held = 0
  for (let at = 0; at < current.length; at++) {
    if (view.fresh[current[at]] !== FITS) return undefined
    held += replicas[at]
  }
  const quotas = quotasOf(request, held)
  // Where everything may move, how much fits beside what is there is another question for each cluster.
  if (quotas === undefined || (strategy === "Capacity" && held > 0 && !avoidDisruption)) return undefined
  const key = textHash(unitKey(unit))
  const column = sharedColumns(chosen.length).current
  if (held > 0) scatter(request, column)
  const tieOf = (place: number): number => mixed(fleet.hashes[chosen[place]] ^ key)
  return freePlanner.plan({ quotas, total, avoidDisruption, current: column, held, tieOf })
}

/** Divides replicas. Unless it is to be kept, the answer holds only until the next call. */
export const divide = (request: DivisionRequest, isKept = false): Division => {
  const { chosen, fleet, total, unit, view } = request
  const { autoMigration, avoidDisruption, strategy } = view.unit.requirements
  const count = chosen.length
  const columns = isKept ? columnsFor(count) : sharedColumns(count)
  const key = textHash(unitKey(unit))
  scatter(request, columns.current)
  for (let place = 0; place < count; place++) columns.ties[place] = mixed(fleet.hashes[chosen[place]] ^ key)
  const bounds = boundsOf(request, columns)
  const weights = weightsOf(request, columns)
  const plan = planner.plan(
    {
      ...bounds,
      current: columns.current,
      ties: columns.ties,
      weights,
      total,
      count,
      strategy: strategy === "Binpack" ? "fill" : "spread",
      avoidDisruption,
      // Where everything may move, only replicas that wait keep telling that there is no room: else they would come back at once.
      keepUnschedulable: autoMigration !== undefined && (autoMigration.keepUnschedulable || !avoidDisruption)
    },
    columns
  )
  return { ...plan, ...bounds, chosen, weights, current: columns.current }
}
