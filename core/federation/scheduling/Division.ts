// Replicas among the chosen clusters: what the planner is asked, from the policy's preferences, taints, migrations and room.
// Owns which bound is hard (maximum, manual limit, freeze) and which is soft (room that was seen); refuses to plan.
import type { ReplicaPlan } from "../planner/ReplicaPlan.ts"
import { type PlanColumns, ReplicaPlanner } from "../planner/ReplicaPlanner.ts"
import { roomWeights } from "../planner/RoomWeights.ts"
import { mixed, textHash } from "../planner/StableHash.ts"
import type { ClassView } from "./ClassView.ts"
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
  /** Replicas that there are, by position in the fleet. */
  readonly current: ReadonlyMap<number, number>
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

/** Weights; `scratch` holds those that differ from object to object. */
const weightsOf = (request: DivisionRequest, scratch: Float64Array): Float64Array => {
  const { chosen, current, fleet, view } = request
  const { placement, strategy } = view.unit.requirements
  if (weighs(request)) {
    const make = (): Float64Array =>
      Float64Array.from(chosen, (at) => placement?.get(fleet.clusters[at].name)?.weight ?? 0)
    return chosen === view.feasible ? fleet.remember(chosen, "weights", make) : make()
  }
  if (strategy !== "Capacity" || request.unit.request.size === 0) return roomOf(request)
  const fits = fitting(request)
  for (let place = 0; place < chosen.length; place++) {
    const at = chosen[place]
    scratch[place] = Math.max(1, Math.min(1e9, fits[at] + (current.get(at) ?? 0)))
  }
  return scratch
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
const policyBounds = ({ chosen, fleet, view }: DivisionRequest): Bounds => {
  const bounds = unbounded(chosen.length)
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

/** The policy's bounds with those of the object and of this moment. */
const ownBounds = (request: DivisionRequest): Bounds => {
  const { chosen, current, fleet, unit, view } = request
  const { autoMigration, strategy } = view.unit.requirements
  const bounds = policyBounds(request)
  const fits = strategy === "Capacity" ? fitting(request) : undefined
  for (let place = 0; place < chosen.length; place++) {
    const at = chosen[place]
    const { name } = fleet.clusters[at]
    const there = current.get(at) ?? 0
    const frozen = view.frozen[at] === 1 ? there : Infinity
    bounds.hardCaps[place] = Math.min(bounds.hardCaps[place], frozen, unit.limited.get(name) ?? Infinity)
    const learned = autoMigration === undefined ? undefined : unit.capacity.get(name)
    bounds.softCaps[place] = Math.min(learned ?? Infinity, fits === undefined ? Infinity : there + fits[at])
  }
  return bounds
}

/** New clusters are never frozen: where all are new and nothing is known of the object, its class's bounds do. */
const boundsOf = (request: DivisionRequest): Bounds => {
  const { chosen, fleet, unit, view } = request
  const { autoMigration, strategy } = view.unit.requirements
  const learns = autoMigration !== undefined && unit.capacity.size > 0
  const isShared = chosen === view.feasible && unit.limited.size === 0 && !learns && strategy !== "Capacity"
  return isShared ? fleet.remember(view, "bounds", () => policyBounds(request)) : ownBounds(request)
}

/** Columns that are used again for every object. */
interface Columns extends PlanColumns {
  readonly current: Float64Array
  readonly ties: Int32Array
  readonly weights: Float64Array
}

const columnsFor = (count: number): Columns => ({
  current: new Float64Array(count),
  ties: new Int32Array(count),
  weights: new Float64Array(count),
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

const scattered = ({ current, fleet }: DivisionRequest): Float64Array => {
  if (there.length < fleet.size) there = new Float64Array(2 ** Math.ceil(Math.log2(fleet.size)))
  for (const [at, replicas] of current) there[at] = replicas
  return there
}

/** Divides replicas. Unless it is to be kept, the answer holds only until the next call. */
export const divide = (request: DivisionRequest, isKept = false): Division => {
  const { chosen, current, fleet, total, unit, view } = request
  const { autoMigration, avoidDisruption, strategy } = view.unit.requirements
  const count = chosen.length
  const columns = isKept ? columnsFor(count) : sharedColumns(count)
  const key = textHash(unitKey(unit))
  const held = scattered(request)
  for (let place = 0; place < count; place++) {
    const at = chosen[place]
    columns.ties[place] = mixed(fleet.hashes[at] ^ key)
    columns.current[place] = held[at]
  }
  for (const at of current.keys()) held[at] = 0
  const bounds = boundsOf(request)
  const weights = weightsOf(request, columns.weights)
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
