// How late watchers hear of changes: from a revision's commit in the store to the event's arrival at a client, in virtual time.
// Owns the times of the last commits and the measuring wrapper around watches; refuses states that a watch begins with, which are
// no news. Bound: the times of the last 262,144 revisions; events of older ones are not counted.
import { type Client, type Collection, groupResource, type KubeObject, type WatchEvent } from "#kube"
import { Latency, type RecordedInformers, type SlowEvent } from "#reports"
import type { SimProcess } from "#sim"
import { Slowest } from "./Slowest.ts"
import type { VirtualClock } from "./VirtualClock.ts"

const REVISIONS_KEPT = 262_144

interface Entry {
  readonly lag: Latency
  readonly slowest: Slowest<SlowEvent>
  watches: number
}

export class WatchLag {
  private readonly clock: VirtualClock
  private readonly entries = new Map<string, Entry>()
  private readonly committedMs = new Float64Array(REVISIONS_KEPT)
  private readonly revisions = new Float64Array(REVISIONS_KEPT)
  private newest = 0

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** Revisions up to this one are committed now. */
  committed(revision: number): void {
    // A store that came back without its newest revisions counts them again.
    if (revision < this.newest) this.newest = revision - 1
    const from = Math.max(this.newest + 1, revision - REVISIONS_KEPT + 1)
    for (let at = from; at <= revision; at++) {
      this.committedMs[at % REVISIONS_KEPT] = this.clock.nowMs
      this.revisions[at % REVISIONS_KEPT] = at
    }
    this.newest = revision
  }

  /** The same client, the events of its watches measured. */
  wrap(client: Client, process: SimProcess): Client {
    return {
      ...client,
      watch: (collection, options, listener) => {
        const entry = this.entryOf(collection)
        entry.watches++
        const before = this.newest
        return client.watch(collection, options, {
          event: (event) => {
            this.heard(entry, event, before, process.name)
            listener.event(event)
          },
          ended: (failure) => listener.ended(failure)
        })
      }
    }
  }

  /** What was measured, by resource. */
  recorded(): ReadonlyArray<RecordedInformers> {
    return [...this.entries]
      .map(([resource, { lag, slowest, watches }]) => ({
        resource,
        watches,
        lag: lag.toRecorded(),
        slowest: slowest.list()
      }))
      .toSorted((left, right) => (left.resource < right.resource ? -1 : 1))
  }

  private heard(entry: Entry, { object, type }: WatchEvent, before: number, client: string): void {
    const revision = Number(object.metadata.resourceVersion)
    const place = revision % REVISIONS_KEPT
    if (type === "BOOKMARK" || !(revision > before) || this.revisions[place] !== revision) return
    const us = (this.clock.nowMs - this.committedMs[place]) * 1000
    entry.lag.record(us)
    if (entry.slowest.wants(us)) entry.slowest.add(us, this.slow(object, type, client, place, us))
  }

  private slow({ metadata }: KubeObject, type: string, client: string, place: number, us: number): SlowEvent {
    const { name = "", namespace = "" } = metadata
    return { namespace, name, type, client, atMs: this.committedMs[place], us }
  }

  private entryOf({ resource }: Collection): Entry {
    const name = groupResource(resource)
    let entry = this.entries.get(name)
    if (entry === undefined) {
      entry = { lag: new Latency(), slowest: new Slowest(), watches: 0 }
      this.entries.set(name, entry)
    }
    return entry
  }
}
