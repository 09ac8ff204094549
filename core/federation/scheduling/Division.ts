// Replicas among the chosen clusters: what the planner is asked, from the policy's preferences, taints, migrations and room.
// Owns which bound is hard (maximum, manual limit, freeze) and which is soft (room that was seen); refuses to plan.
import type { ReplicaPlan } from "../planner/ReplicaPlan.ts"
import { ReplicaPlanner } from "../planner/ReplicaPlanner.ts"
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
  readonly current: (at: number) => number
}

/** A plan, and what bounded it. */
export interface Division extends ReplicaPlan {
  readonly chosen: ReadonlyArray<number> | Int32Array
  readonly hardCaps: Float64Array
  readonly softCaps: Float64Array
  readonly mins: Float64Array
  readonly weights: Float64Array
}

const planner = new ReplicaPlanner()

const GPU = "nvidia.com/gpu"
const RECLAIMED_CPU = "resource.katalyst.kubewharf.io/reclaimed_millicpu"

/** The resource by which room is told: the scarcest kind that pods ask for. */
const measured = (request: SchedulingUnit["request"]): string =>
  request.has(GPU) ? GPU : request.has(RECLAIMED_CPU) ? RECLAIMED_CPU : "cpu"

/** How many pods a cluster has room for by its sums; Infinity when pods ask for nothing. */
const fitting = ({ fleet, unit }: DivisionRequest, at: number): number => {
  let pods = Infinity
  for (const [name, asked] of unit.request) {
    if (asked > 0) pods = Math.min(pods, Math.floor((fleet.clusters[at].available.get(name) ?? 0) / asked))
  }
  return Math.max(0, pods)
}

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
  return chosen === view.feasible || chosen === view.ranked ? fleet.remember(chosen, name, make) : make()
}

const weightsOf = (request: DivisionRequest): Float64Array => {
  const { chosen, current, fleet, view } = request
  const { placement, strategy } = view.unit.requirements
  if (weighs(request)) {
    return Float64Array.from(chosen, (at) => placement?.get(fleet.clusters[at].name)?.weight ?? 0)
  }
  if (strategy !== "Capacity" || request.unit.request.size === 0) return roomOf(request)
  return Float64Array.from(chosen, (at) => Math.max(1, Math.min(1e9, fitting(request, at) + current(at))))
}

/** Bounds as columns. */
interface Bounds {
  readonly mins: Float64Array
  readonly hardCaps: Float64Array
  readonly softCaps: Float64Array
  readonly current: Float64Array
  readonly ties: Int32Array
}

const boundsOf = (request: DivisionRequest): Bounds => {
  const { chosen, fleet, unit, view } = request
  const { autoMigration, placement, strategy } = view.unit.requirements
  const count = chosen.length
  const bounds: Bounds = {
    mins: new Float64Array(count),
    hardCaps: new Float64Array(count).fill(Infinity),
    softCaps: new Float64Array(count).fill(Infinity),
    current: new Float64Array(count),
    ties: new Int32Array(count)
  }
  const key = textHash(unitKey(unit))
  const learned = autoMigration === undefined || unit.capacity.size === 0 ? undefined : unit.capacity
  for (let place = 0; place < count; place++) {
    const at = chosen[place]
    const there = request.current(at)
    bounds.current[place] = there
    bounds.ties[place] = mixed(fleet.hashes[at] ^ key)
    let cap = view.frozen[at] === 1 ? there : Infinity
    if (placement !== undefined || unit.limited.size > 0 || learned !== undefined) {
      const { name } = fleet.clusters[at]
      const preferences = placement?.get(name)
      if (preferences !== undefined) {
        bounds.mins[place] = preferences.min
        cap = Math.min(cap, preferences.max)
      }
      cap = Math.min(cap, unit.limited.get(name) ?? Infinity)
      bounds.softCaps[place] = learned?.get(name) ?? Infinity
    }
    bounds.hardCaps[place] = cap
    if (strategy === "Capacity") {
      bounds.softCaps[place] = Math.min(bounds.softCaps[place], there + fitting(request, at))
    }
  }
  return bounds
}

/** Divides replicas. */
export const divide = (request: DivisionRequest): Division => {
  const { chosen, total, view } = request
  const { autoMigration, avoidDisruption, strategy } = view.unit.requirements
  const bounds = boundsOf(request)
  const weights = weightsOf(request)
  const plan = planner.plan({
    ...bounds,
    weights,
    total,
    count: chosen.length,
    strategy: strategy === "Binpack" ? "fill" : "spread",
    avoidDisruption,
    // Where everything may move, only replicas that wait keep telling that there is no room: else they would come back at once.
    keepUnschedulable: autoMigration !== undefined && (autoMigration.keepUnschedulable || !avoidDisruption)
  })
  const { hardCaps, mins, softCaps } = bounds
  return { ...plan, chosen, hardCaps, softCaps, mins, weights }
}
