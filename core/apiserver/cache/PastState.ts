// The objects of a resource as they were at an older revision: the present with the changes since then taken back.
// Owns that reckoning for pages of lists; refuses revisions that the ring no longer reaches, which the store answers.
import type { SortedMap } from "#storage"
import type { CacheEvent } from "./EventRing.ts"
import type { Held, Place } from "./Held.ts"

/** Visits objects of [start, end) in key order until the visitor answers false. */
export type Scan = (start: string, end: string | undefined, visit: (key: string, held: Held) => boolean) => void

/** The scan of a past state; `since` are the changes after it, oldest first. */
export const scanOf = (objects: SortedMap<Place>, since: ReadonlyArray<CacheEvent>): Scan => {
  const present: Scan = (start, end, visit) =>
    objects.scan(start, end, (key, { held }) => held === undefined || visit(key, held))
  if (since.length === 0) return present
  const was = new Map<string, Held | undefined>()
  for (const { before, key } of since) if (!was.has(key)) was.set(key, before)
  const changed = [...was.keys()].sort()
  return (start, end, visit) => {
    let at = 0
    while (at < changed.length && changed[at] < start) at++
    let stopped = false
    /** Visits the changed keys before `upTo`; all up to the end without it. */
    const catchUp = (upTo: string | undefined): boolean => {
      for (; at < changed.length; at++) {
        if ((upTo !== undefined && changed[at] >= upTo) || (end !== undefined && changed[at] >= end)) break
        const held = was.get(changed[at])
        if (held !== undefined && !visit(changed[at], held)) return !(stopped = true)
      }
      return true
    }
    present(start, end, (key, held) => {
      if (!catchUp(key)) return false
      // A changed key is visited as it was, or not at all when it was not there yet.
      if (at < changed.length && changed[at] === key) return true
      if (!visit(key, held)) stopped = true
      return !stopped
    })
    if (!stopped) catchUp(undefined)
  }
}
