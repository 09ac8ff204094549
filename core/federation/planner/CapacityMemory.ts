// What was learned of clusters' room: replicas that waited there say how many do not. It is remembered for a while after they are moved,
// or else they would be planned back at once, and for longer each time that nothing has changed.
// Owns this memory, with time as an argument; refuses to count pods, and to plan.

/** What is remembered of one cluster. */
export interface LearnedCapacity {
  readonly replicas: number
  /** Until when it counts, in milliseconds. */
  readonly untilMs: number
  /** How often it was learned again soon after it had stopped counting. */
  readonly times: number
}

export type CapacityMemory = ReadonlyMap<string, LearnedCapacity>

/** How long it is remembered: the first time, and at most. */
const FIRST_MS = 300_000
const LONGEST_MS = 3_600_000

const lasting = (times: number): number => Math.min(LONGEST_MS, FIRST_MS * 2 ** times)

/** The memory after a look at all clusters: `observed` has those in which replicas wait, with how many do not. */
export const rememberCapacity = (
  memory: CapacityMemory,
  observed: ReadonlyMap<string, number>,
  nowMs: number
): CapacityMemory => {
  const next = new Map<string, LearnedCapacity>()
  for (const [cluster, known] of memory) {
    // What has stopped counting is kept for as long again, to know a cluster that is still full.
    if (!observed.has(cluster) && nowMs < known.untilMs + lasting(known.times)) next.set(cluster, known)
  }
  for (const [cluster, replicas] of observed) {
    const known = memory.get(cluster)
    const again = known !== undefined && known.untilMs <= nowMs
    const times = known === undefined ? 0 : known.times + (again ? 1 : 0)
    next.set(cluster, { replicas, untilMs: nowMs + lasting(times), times })
  }
  return next
}

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
