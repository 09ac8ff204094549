// What was learned of clusters' room: replicas that waited there say how many do not. It is remembered for a while after they are moved,
// or else they would be planned back at once, and for longer each time that nothing has changed.
// Owns this memory, with time as an argument; refuses to count pods, and to plan.

/** What is remembered of one cluster. */
export interface LearnedCapacity {
  readonly replicas: number
  /** Until when it counts, in milliseconds; Infinity while the cluster is not heard of. */
  readonly untilMs: number
  /** How often it was learned again soon after it had stopped counting. */
  readonly times: number
}

export type CapacityMemory = ReadonlyMap<string, LearnedCapacity>

/** How long it is remembered: the first time, and at most. */
const FIRST_MS = 300_000
const LONGEST_MS = 3_600_000

const lasting = (times: number): number => Math.min(LONGEST_MS, FIRST_MS * 2 ** times)

/** What was known of a cluster in which no replica waits, or of which nothing is heard; undefined: it is forgotten. */
const kept = (known: LearnedCapacity, isHeard: boolean, nowMs: number): LearnedCapacity | undefined => {
  const counts = known.untilMs > nowMs
  if (!isHeard && counts) return { ...known, untilMs: Infinity }
  if (known.untilMs === Infinity) return { ...known, untilMs: nowMs + lasting(known.times) }
  // What has stopped counting is kept for as long again, to know a cluster that is still full.
  return nowMs < known.untilMs + lasting(known.times) ? known : undefined
}

/**
 * The memory after a look at all clusters: `observed` has those in which replicas wait, with how many do not; of those that are
 * `unheard` nothing new can be said, and what counts goes on to count.
 */
export const rememberCapacity = (
  memory: CapacityMemory,
  observed: ReadonlyMap<string, number>,
  nowMs: number,
  unheard: ReadonlySet<string> = new Set()
): CapacityMemory => {
  const next = new Map<string, LearnedCapacity>()
  for (const [cluster, known] of memory) {
    const still = observed.has(cluster) ? undefined : kept(known, !unheard.has(cluster), nowMs)
    if (still !== undefined) next.set(cluster, still)
  }
  for (const [cluster, replicas] of observed) {
    const known = memory.get(cluster)
    const again = known !== undefined && known.untilMs <= nowMs
    const times = known === undefined ? 0 : known.times + (again ? 1 : 0)
    next.set(cluster, { replicas, untilMs: nowMs + lasting(times), times })
  }
  return next
}

/** The memory of what was noted somewhere by a process before this one. */
export const notedCapacity = (noted: Readonly<Record<string, number>>, nowMs: number): CapacityMemory =>
  rememberCapacity(new Map(), new Map(Object.entries(noted)), nowMs)

/** The room that counts now. */
export const capacityNow = (memory: CapacityMemory, nowMs: number): ReadonlyMap<string, number> =>
  new Map(
    Array.from(memory).flatMap(([cluster, { replicas, untilMs }]) => (untilMs > nowMs ? [[cluster, replicas]] : []))
  )

/** When the room that counts changes with time alone; Infinity: never. */
export const capacityWakeMs = (memory: CapacityMemory, nowMs: number): number => {
  let wake = Infinity
  for (const { untilMs } of memory.values()) if (untilMs > nowMs && untilMs < wake) wake = untilMs
  return wake
}
