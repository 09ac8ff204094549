// When a cluster may be left: what replaces it is ready, so that fewer replicas answer at no moment; or waiting has an end.
// Owns this decision, from replicas that are ready, with time as an argument; refuses to read status, and to delete anything.
import type { Leaving, Placement } from "../scheduling/Outcome.ts"

/** Where a placement stands. */
export interface ReplacementRequest {
  readonly placement: Placement
  /** Ready replicas by cluster, or for what has none 1 where the object is there; absent: not known, as of an unreachable cluster. */
  readonly ready: ReadonlyMap<string, number>
  /** Replicas that may be missing meanwhile, over all clusters. */
  readonly maxUnavailable: number
  readonly nowMs: number
}

/** The placement now, and when time alone changes it. */
export interface Replaced {
  readonly placement: Placement
  readonly left: ReadonlyArray<string>
  readonly wakeAtMs: number
}

/** What counts of a cluster: ready replicas, no more than it is to have; where nothing is known of one that is left, all of them. */
const countOf = ({ placement, ready }: ReplacementRequest, cluster: string): number => {
  const wanted = placement.clusters.get(cluster) ?? 1
  const known = ready.get(cluster)
  if (known !== undefined) return Math.min(known, wanted)
  return placement.leaving.has(cluster) ? wanted : 0
}

/** The clusters that may be left: late ones at once, then those of which least is ready. */
export const settleLeaving = (request: ReplacementRequest): Replaced => {
  const { maxUnavailable, nowMs, placement } = request
  const { clusters, leaving } = placement
  if (leaving.size === 0) return { placement, left: [], wakeAtMs: Infinity }
  let wanted = 0
  let ready = 0
  for (const [cluster, replicas] of clusters) {
    if (!leaving.has(cluster)) wanted += replicas ?? 1
    ready += countOf(request, cluster)
  }
  const left = new Set<string>()
  const byReady = Array.from(leaving).sort(([a], [b]) => countOf(request, a) - countOf(request, b) || (a < b ? -1 : 1))
  for (const [cluster, { untilMs }] of byReady) {
    const rest = ready - countOf(request, cluster)
    if (untilMs > nowMs && rest < wanted - maxUnavailable) continue
    left.add(cluster)
    ready = rest
  }
  const staying = new Map<string, Leaving>(Array.from(leaving).filter(([cluster]) => !left.has(cluster)))
  return {
    placement:
      left.size === 0
        ? placement
        : { clusters: new Map(Array.from(clusters).filter(([cluster]) => !left.has(cluster))), leaving: staying },
    left: Array.from(left).sort(),
    wakeAtMs: Math.min(Infinity, ...Array.from(staying.values(), ({ untilMs }) => untilMs))
  }
}
