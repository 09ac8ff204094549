// All watchers of a store: told of commits as they happen, or from the log when they are behind.
// Owns who is synced and who is not; refuses wire formats. Memory does not grow with a slow watcher: it loses its place
// among the synced and reads the log when its stream takes more.
import type { Store } from "../mvcc/Store.ts"
import type { StoredEvent } from "../mvcc/StoredEvent.ts"
import { type EventStretch, fetchEvents, readEvents } from "./EventLog.ts"
import type { View } from "../engine/Engine.ts"
import { IntervalIndex } from "./IntervalIndex.ts"
import { Watcher, type WatcherOptions, type WatchSink } from "./Watcher.ts"

/** Events read from the log in one turn of the loop: a few milliseconds, so that writers are not held up. */
const CATCH_UP = { events: 1000, bytes: 4 * 2 ** 20 }

export class WatchHub {
  private readonly store: Store
  private readonly defer: (run: () => void) => void
  private readonly index = new IntervalIndex<Set<Watcher>>()
  private readonly behind = new Set<Watcher>()
  private touched: Array<Watcher> = []
  private catchingUp = false
  private count = 0
  readonly stats = { eventsSent: 0, catchUpTurns: 0, streams: 0 }

  constructor(store: Store, defer: (run: () => void) => void) {
    this.store = store
    this.defer = defer
    store.listen({ committed: (revision, events) => this.publish(revision, events) })
  }

  get watcherCount(): number {
    return this.count
  }

  get behindCount(): number {
    return this.behind.size
  }

  /** Starts a watch; events of the past follow in later turns of the loop. */
  watch(options: WatcherOptions, sink: WatchSink): Watcher {
    const { revision } = this.store
    const { startRevision } = options
    const fromNow = startRevision === 0 || startRevision > revision
    const watcher = new Watcher(options, sink, fromNow ? Math.max(startRevision, revision + 1) : startRevision)
    const group = this.index.get(options.range)
    if (group === undefined) this.index.set(options.range, new Set([watcher]))
    else group.add(watcher)
    this.count++
    if (fromNow) watcher.synced = true
    else this.fallBehind(watcher)
    return watcher
  }

  cancel(watcher: Watcher): void {
    if (watcher.closed) return
    watcher.closed = true
    this.count--
    this.behind.delete(watcher)
    const group = this.index.get(watcher.options.range)
    group?.delete(watcher)
    if (group?.size === 0) this.index.delete(watcher.options.range)
  }

  /** Whether a watcher has been told everything up to the store's revision, which has reached its start. */
  isCurrent(watcher: Watcher): boolean {
    return watcher.synced && !watcher.sink.isBlocked() && this.store.revision >= watcher.options.startRevision
  }

  /** A stream takes more again: its watchers that fell behind may read on. */
  resume(): void {
    this.scheduleCatchUp()
  }

  private publish(revision: number, events: ReadonlyArray<StoredEvent>): void {
    if (this.count === 0) return
    for (const event of events) this.index.stab(event.text, this.gather, event)
    const { touched } = this
    this.touched = []
    for (const watcher of touched) {
      const gathered = watcher.gathered ?? []
      watcher.gathered = undefined
      if (watcher.closed) continue
      if (watcher.sink.isBlocked()) {
        watcher.nextRevision = gathered[0].revision
        this.fallBehind(watcher)
      } else this.hand(watcher, gathered, revision)
    }
  }

  private readonly gather = (group: Set<Watcher>, event: StoredEvent): void => {
    for (const watcher of group) {
      if (!watcher.synced || !watcher.wants(event)) continue
      if (watcher.gathered === undefined) {
        watcher.gathered = [event]
        this.touched.push(watcher)
      } else watcher.gathered.push(event)
    }
  }

  private hand(watcher: Watcher, events: ReadonlyArray<StoredEvent>, revision: number): void {
    this.stats.eventsSent += events.length
    watcher.quiet = false
    watcher.sink.events(watcher, events, revision)
  }

  private fallBehind(watcher: Watcher): void {
    watcher.synced = false
    this.behind.add(watcher)
    this.scheduleCatchUp()
  }

  /** Revisions after one up to another are passed by without their events: watchers that are due any read the log. */
  skip(after: number, upTo: number): void {
    this.index.each((group) => {
      for (const watcher of group) {
        if (!watcher.synced || watcher.nextRevision > upTo) continue
        watcher.nextRevision = Math.max(watcher.nextRevision, after + 1)
        this.fallBehind(watcher)
      }
    })
  }

  private scheduleCatchUp(): void {
    if (this.catchingUp || this.behind.size === 0) return
    this.catchingUp = true
    this.defer(() => {
      const { engine } = this.store
      if (engine.shared === true) return this.catchUpFetched()
      this.catchingUp = false
      engine.read(
        () => [],
        (view) => this.catchUp(view)
      )
    })
  }

  /** The watchers that are behind and can take more, and the first revision that one of them is due. */
  private ready(compacted: number): { readonly watchers: ReadonlySet<Watcher>; readonly from: number } {
    let from = Number.POSITIVE_INFINITY
    const watchers = new Set<Watcher>()
    for (const watcher of this.behind) {
      if (watcher.sink.isBlocked() || this.endCompacted(watcher, compacted)) continue
      watchers.add(watcher)
      from = Math.min(from, watcher.nextRevision)
    }
    return { watchers, from }
  }

  private endCompacted(watcher: Watcher, compacted: number): boolean {
    if (watcher.nextRevision >= compacted) return false
    this.cancel(watcher)
    watcher.sink.compacted(watcher, compacted)
    return true
  }

  /** One stretch of the log, read once for all watchers that are behind and can take more. */
  private catchUp(view: View): void {
    const { compacted, revision } = this.store
    const { from, watchers } = this.ready(compacted)
    if (watchers.size > 0) this.deliver(watchers, readEvents(view, from, revision, CATCH_UP))
  }

  /** The same on an engine that fetches: watchers may come, go and block meanwhile, and the log may be compacted. */
  private catchUpFetched(): void {
    const { compacted, engine, revision } = this.store
    const { from, watchers } = this.ready(compacted)
    if (watchers.size === 0) {
      this.catchingUp = false
      return
    }
    fetchEvents(engine, from, revision, CATCH_UP, (stretch) => {
      this.catchingUp = false
      this.store.compacted = Math.max(this.store.compacted, stretch.compacted)
      const able = [...watchers].filter(
        (watcher) => !watcher.closed && !watcher.sink.isBlocked() && !this.endCompacted(watcher, stretch.compacted)
      )
      this.deliver(new Set(able), stretch)
    })
  }

  private deliver(watchers: ReadonlySet<Watcher>, { events, next }: EventStretch): void {
    this.stats.catchUpTurns++
    for (const event of events) {
      const gather = (group: Set<Watcher>): void => {
        for (const watcher of group) {
          if (watchers.has(watcher) && watcher.wants(event)) (watcher.gathered ??= []).push(event)
        }
      }
      this.index.stab(event.text, gather, undefined)
    }
    for (const watcher of watchers) this.advance(watcher, next)
    this.scheduleCatchUp()
  }

  private advance(watcher: Watcher, next: number): void {
    const { revision } = this.store
    const { gathered } = watcher
    watcher.gathered = undefined
    if (watcher.closed) return
    watcher.nextRevision = Math.max(watcher.nextRevision, next)
    if (next > revision) {
      watcher.synced = true
      this.behind.delete(watcher)
    }
    if (gathered !== undefined) this.hand(watcher, gathered, next > revision ? revision : next - 1)
  }
}
