// How much memory the process of a world takes, and what it pays the collector of garbage for it.
// Owns Node's flags and the room that the heap of a large world has; refuses to start processes, and to know what lives in them.
import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks"
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8"

/** MiB of JavaScript heap that a world may take: what 50,000 nodes need, and not what a machine has. */
const HEAP_MIB = 12_288
/** Nodes beyond which a world is a large one. */
const LARGE = 2000
/** MiB of one half of the nursery: most of what a world makes is gone within seconds of its own time, and looked through less often so. */
const nurseryMiB = (nodes: number): number => (nodes > LARGE ? 256 : 64)

/**
 * What outlives one collection of young garbage is the newest state of something and lives on, so it becomes old at once: V8 would copy
 * it a second time first. Its only switch for that is one that its own tests use, drawing lots with a chance that is 100 of 100 here. At
 * 10,000 nodes this makes those collections three times shorter and spares 600 MiB.
 */
const OLD_AT_ONCE = ["--scavenger-chaos-mode", "--scavenger-chaos-mode-threshold=100"]

/**
 * MiB by which the heap of a large world may grow beyond what lives in it before that is looked through again: what is left of a part of
 * the 4 GiB that 10,000 nodes may take. Left alone it grows by as much again, which is gigabytes; by a share, a world that takes little
 * pays most, and by an eighth that work never ends.
 */
const roomMiB = (livingMiB: number): number => Math.min(1000, Math.max(300, 2100 - livingMiB))
const MIB = 2 ** 20

/**
 * MiB of holes between old objects that are left alone, beside the room. V8 moves 4 MiB of objects at most in a collection, so that a
 * world in which much comes and goes (an upgrade of all its nodes) takes 5 MiB more in each minute of its own time, for hours, until a
 * third of it is empty.
 */
const HOLES_MIB = 600
/** MiB by which the old space has grown again before it is compacted again: that takes seconds. */
const REGROWN_MIB = 64

/** V8 takes the room as a percentage of what lives. */
const growth = (livingMiB: number): string =>
  `--heap-growing-percent=${Math.min(100, Math.max(12, Math.round((100 * roomMiB(livingMiB)) / livingMiB)))}`

/** Until it is known what lives. */
const GROWTH_AT_FIRST = "--heap-growing-percent=50"

/** How Node is started for a world of so many nodes. */
export const memoryFlags = (nodes: number): ReadonlyArray<string> => [
  `--max-old-space-size=${HEAP_MIB}`,
  `--max-semi-space-size=${nurseryMiB(nodes)}`,
  ...OLD_AT_ONCE,
  "--expose-gc",
  ...(nodes > LARGE ? [GROWTH_AT_FIRST] : [])
]

/** Gives the heap of a large world its room by what is in it now. */
export const leaveRoom = (nodes: number): void => {
  if (nodes > LARGE) setFlagsFromString(growth(getHeapStatistics().used_heap_size / MIB))
}

const oldSpace = (): { readonly sizeMiB: number; readonly emptyMiB: number } => {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space")
  const size = space?.space_size ?? 0
  return { sizeMiB: size / MIB, emptyMiB: (size - (space?.space_used_size ?? 0)) / MIB }
}

let compactedMiB = 0

/** Moves old objects together where more than so many MiB lie empty between them: the last resort of V8 moves some 12 MiB, several times. */
export const compactHeap = (emptyMiB: number): void => {
  const before = oldSpace()
  if (before.emptyMiB < emptyMiB || before.sizeMiB < compactedMiB + REGROWN_MIB) return
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" })
  compactedMiB = oldSpace().sizeMiB
}

/** Gives the heap its room whenever it has been looked through, and keeps it together. */
export const keepRoom = (nodes: number): void => {
  if (nodes <= LARGE) return
  const observer = new PerformanceObserver((list) => {
    const isLookedThrough = list.getEntries().some((entry) => {
      // SAFETY: entries of this type say which collection it was; the declarations leave it out.
      const { detail } = entry as PerformanceEntry & { readonly detail: { readonly kind: number } }
      return detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
    })
    if (!isLookedThrough) return
    leaveRoom(nodes)
    compactHeap(roomMiB(getHeapStatistics().used_heap_size / MIB) + HOLES_MIB)
  })
  observer.observe({ entryTypes: ["gc"] })
}
