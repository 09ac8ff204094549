// How an object comes from one placement to another: what replaces a cluster is there before the cluster is left.
// Owns that rule and its ends (nothing replaces it, waiting is over, a hard cap forbids waiting); refuses to judge readiness, which
// those who watch members do.
import type { Fleet } from "./Fleet.ts"
import type { Leaving, Placement } from "./Outcome.ts"

/** A wanted placement, by position in the fleet, and where the object was. */
export interface DepartureRequest {
  readonly fleet: Fleet
  readonly previous: Placement
  /** Replicas by position; undefined: the whole object. */
  readonly wanted: ReadonlyMap<number, number | undefined>
  /** Why a cluster is left, by position. */
  readonly reasons: ReadonlyMap<number, string>
  readonly graceMs: number
  readonly nowMs: number
  /** The most replicas that may wait in a cluster. */
  readonly capOf: (cluster: string) => number
  /** All replicas wanted; undefined where the whole object is everywhere. */
  readonly total: number | undefined
}

/** Whether a cluster gets something that it has not. */
const replaces = ({ fleet, previous, total, wanted }: DepartureRequest): boolean => {
  for (const [at, replicas] of wanted) {
    const { name } = fleet.clusters[at]
    if (!previous.clusters.has(name) || previous.leaving.has(name)) return true
    const before = previous.clusters.get(name)
    if (replicas !== undefined && total !== undefined && replicas > (before ?? total)) return true
  }
  return false
}

const noLeaving: ReadonlyMap<string, Leaving> = new Map()

/** The clusters that are kept for a while beside the wanted ones. */
const departing = (request: DepartureRequest): Map<string, Leaving> => {
  const { fleet, graceMs, nowMs, previous, reasons, wanted } = request
  const found = new Map<string, Leaving>()
  let replaced: boolean | undefined
  for (const name of previous.clusters.keys()) {
    const at = fleet.indexOf(name)
    if (at === undefined || wanted.has(at) || fleet.clusters[at].terminating) continue
    const known = previous.leaving.get(name)
    if (known !== undefined) {
      if (known.untilMs > nowMs) found.set(name, known)
      continue
    }
    replaced ??= graceMs > 0 && replaces(request)
    if (replaced) {
      found.set(name, {
        reason: reasons.get(at) ?? "another cluster is chosen",
        sinceMs: nowMs,
        untilMs: nowMs + graceMs
      })
    }
  }
  return found
}

/** Positions in their order, which is the one that most come in. */
const inOrder = (positions: Iterable<number>): ReadonlyArray<number> => {
  const all = Array.from(positions)
  for (let at = 1; at < all.length; at++) if (all[at] < all[at - 1]) return all.sort((a, b) => a - b)
  return all
}

/** The wanted placement with those that are left later. */
export const withDepartures = (request: DepartureRequest): Placement => {
  const { fleet, wanted } = request
  const leaving = departing(request)
  const all = leaving.size === 0 ? wanted : withLeaving(request, leaving)
  const clusters = new Map<string, number | undefined>()
  for (const at of inOrder(all.keys())) clusters.set(fleet.clusters[at].name, all.get(at))
  return { clusters, leaving: leaving.size === 0 ? noLeaving : leaving }
}

/** What is wanted with what is left later; what need not be kept is taken from the leaving. */
const withLeaving = (
  { capOf, fleet, previous, total, wanted }: DepartureRequest,
  leaving: Map<string, Leaving>
): ReadonlyMap<number, number | undefined> => {
  const all = new Map(wanted)
  for (const name of leaving.keys()) {
    const at = fleet.indexOf(name)
    const before = previous.clusters.get(name)
    const replicas = total === undefined ? undefined : Math.min(before ?? total, capOf(name))
    if (replicas === 0 || at === undefined) leaving.delete(name)
    else all.set(at, replicas)
  }
  return all
}

const sameLeaving = (a: Placement["leaving"], b: Placement["leaving"]): boolean => {
  if (a.size !== b.size) return false
  for (const [name, { untilMs }] of a) if (b.get(name)?.untilMs !== untilMs) return false
  return true
}

/** Whether two placements are the same. */
export const samePlacement = (a: Placement, b: Placement): boolean => {
  if (a === b) return true
  if (a.clusters.size !== b.clusters.size || !sameLeaving(a.leaving, b.leaving)) return false
  for (const [name, replicas] of a.clusters)
    if (!b.clusters.has(name) || b.clusters.get(name) !== replicas) return false
  return true
}
