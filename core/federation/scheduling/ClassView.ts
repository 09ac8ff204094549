// What a fleet is to objects of one class: which clusters will do, for how long, and how good each is. Worked out once for all of them.
// Owns verdicts and scores by position; refuses what differs within a class: where an object is, and what webhooks say.
import type { Requirements } from "../api/PropagationPolicy.ts"
import type { ProfilePlugin, SchedulingProfile } from "../api/SchedulingProfile.ts"
import { drivenOutAt, filters, isFrozen, type UnitClass } from "./Filters.ts"
import type { Fleet } from "./Fleet.ts"
import { scores } from "./Scores.ts"
import type { SchedulingUnit } from "./SchedulingUnit.ts"

/** No plugin rules the cluster out. */
export const FITS = 0

/** A fleet as one class of objects sees it. */
export interface ClassView {
  readonly unit: UnitClass
  readonly profile: SchedulingProfile
  /** For objects that are not there: FITS, or one more than the position of the plugin that rules the cluster out. */
  readonly fresh: Uint8Array
  /** For objects that are there. */
  readonly placed: Uint8Array
  /** When taints drive out what is there, in milliseconds. */
  readonly drivenOutAt: Float64Array
  /** 1: takes no more replicas than it has. */
  readonly frozen: Uint8Array
  /** Weighted sums of our plugins. */
  readonly totals: Float64Array
  readonly byPlugin: ReadonlyMap<string, Float64Array>
  /** What ranks clusters: their priorities where the policy has any or fills one after the other, else the sums. */
  readonly keys: Float64Array
  readonly byPriority: boolean
  /** Clusters that are fresh, best first, equals by name. */
  readonly ranked: Int32Array
  /** Fresh clusters by name. */
  readonly feasible: Int32Array
  /** Until when this holds while the fleet does. */
  readonly validUntilMs: number
}

const isOurs = ({ webhook }: ProfilePlugin): boolean => !webhook

const verdictsOf = (unit: UnitClass, fleet: Fleet, options: ViewOptions, placed: boolean): Uint8Array => {
  const { nowMs, profile } = options
  return Uint8Array.from(fleet.clusters, (cluster) => {
    const at = profile.plugins.filter.findIndex(
      ({ name, webhook }) => !webhook && filters[name]?.({ unit, cluster, placed, nowMs }) !== undefined
    )
    return at + 1
  })
}

interface ViewOptions {
  readonly profile: SchedulingProfile
  readonly nowMs: number
}

const scoresOf = (unit: UnitClass, fleet: Fleet, profile: SchedulingProfile): ReadonlyMap<string, Float64Array> => {
  const found = new Map<string, Float64Array>()
  for (const { name, weight } of profile.plugins.score.filter(isOurs)) {
    const raw = scores[name]?.(unit, fleet.clusters, profile.arguments.get(name) ?? {})
    if (raw !== undefined)
      found.set(
        name,
        raw.map((score) => score * weight)
      )
  }
  return found
}

const usesPriorities = ({ mode, placement, strategy }: Requirements, profile: SchedulingProfile): boolean => {
  if (!profile.plugins.select.some(({ name }) => name === "PrioritySort")) return false
  if (mode === "Divide" && strategy === "Binpack") return true
  for (const { priority } of placement?.values() ?? []) if (priority !== undefined) return true
  return false
}

const makeView = (unit: UnitClass, fleet: Fleet, options: ViewOptions): ClassView => {
  const fresh = verdictsOf(unit, fleet, options, false)
  const placed = verdictsOf(unit, fleet, options, true)
  const driven = Float64Array.from(fleet.clusters, (cluster) => drivenOutAt({ unit, cluster }))
  const byPlugin = scoresOf(unit, fleet, options.profile)
  const totals = new Float64Array(fleet.size)
  for (const values of byPlugin.values()) for (let at = 0; at < totals.length; at++) totals[at] += values[at]
  const { placement } = unit.requirements
  const byPriority = usesPriorities(unit.requirements, options.profile)
  const keys = byPriority
    ? Float64Array.from(fleet.clusters, ({ name }) => placement?.get(name)?.priority ?? 0)
    : totals
  const feasible = Int32Array.from(Array.from(fresh.keys()).filter((at) => fresh[at] === FITS))
  let validUntilMs = Infinity
  for (const at of driven) if (at > options.nowMs && at < validUntilMs) validUntilMs = at
  return {
    unit,
    profile: options.profile,
    fresh,
    placed,
    drivenOutAt: driven,
    frozen: Uint8Array.from(fleet.clusters, (cluster) => (isFrozen({ unit, cluster }) ? 1 : 0)),
    totals,
    byPlugin,
    keys,
    byPriority,
    ranked: feasible.slice().sort((a, b) => keys[b] - keys[a] || a - b),
    feasible,
    validUntilMs
  }
}

const classKey = ({ apiVersion, kind, request }: SchedulingUnit): string => {
  let key = `${apiVersion}/${kind}`
  for (const [name, amount] of request) key += `,${name}=${amount}`
  return key
}

interface Held {
  view: ClassView | undefined
  madeAtMs: number
}

/** The view of a unit's class; made anew when time has changed what it says. */
export const classView = (
  unit: SchedulingUnit,
  fleet: Fleet,
  { nowMs, profile, requirements }: ViewOptions & { readonly requirements: Requirements }
): ClassView => {
  const byProfile = fleet.remember(requirements, profile, () => new Map<string, Held>())
  const key = classKey(unit)
  let held = byProfile.get(key)
  if (held === undefined) {
    // Classes of one policy: pods of so many sizes.
    if (byProfile.size >= CLASSES_MAX) byProfile.clear()
    byProfile.set(key, (held = { view: undefined, madeAtMs: 0 }))
  }
  if (held.view === undefined || nowMs >= held.view.validUntilMs || nowMs < held.madeAtMs) {
    const { apiVersion, kind, request } = unit
    held.view = makeView({ apiVersion, kind, request, requirements }, fleet, { profile, nowMs })
    held.madeAtMs = nowMs
  }
  return held.view
}

const CLASSES_MAX = 256
