// How a node that does not write keeps up with the one that does: it reads the durable log and tells its watchers.
// Owns the place up to which the log was read; refuses to trust anybody's word: what the leader tells is a hint to read, no more.
// One read is under way at a time; what happened meanwhile is in the next.
import type { View } from "../engine/Engine.ts"
import type { Store } from "../mvcc/Store.ts"
import { fetchEvents, type FetchedStretch } from "../watch/EventLog.ts"
import type { WatchHub } from "../watch/WatchHub.ts"

/** What one read takes in. */
const STRETCH = { events: 1000, bytes: 4 * 2 ** 20 }

export class LogFollower {
  private readonly store: Store
  private readonly hub: WatchHub
  private readonly observed: (meta: View) => void
  private running = false
  private reading = false
  private again = false
  private life = 0
  /** Who waits for a look that has not begun yet, and for the one under way. */
  private awaiting: Array<() => void> = []
  private served: Array<() => void> = []

  /** `observed` sees all of Meta at each look. */
  constructor(store: Store, hub: WatchHub, observed: (meta: View) => void) {
    this.store = store
    this.hub = hub
    this.observed = observed
  }

  start(): void {
    this.running = true
    this.look()
  }

  stop(): void {
    this.running = false
    this.reading = false
    this.again = false
    this.life++
    this.carryOver()
  }

  /** Somebody says that there is a revision. */
  hint(revision: number): void {
    if (revision > this.store.revision) this.look()
  }

  /** Runs `then` when all that was written before the call has been told. */
  level(then: () => void): void {
    this.awaiting.push(then)
    this.look()
  }

  /** Reads what is new. */
  look(): void {
    if (!this.running) return
    if (this.reading) {
      this.again = true
      return
    }
    this.reading = true
    this.served = this.awaiting
    this.awaiting = []
    const { life } = this
    this.read((stretch) => {
      if (life !== this.life) return
      this.reading = false
      const { again } = this
      this.again = false
      this.take(stretch)
      this.observed(stretch.meta)
      const isLevel = stretch.next > stretch.shown
      if (isLevel) this.serve()
      else this.carryOver()
      if (this.running && (again || !isLevel)) this.look()
    })
  }

  /** Reads up to the newest revision, whoever wrote it, and answers when all of it has been told. */
  catchUp(done: () => void): void {
    const { life } = this
    this.read((stretch) => {
      if (life !== this.life) return
      this.take(stretch)
      if (stretch.next <= stretch.shown) return this.catchUp(done)
      this.carryOver()
      this.served = this.awaiting
      this.awaiting = []
      this.serve()
      done()
    })
  }

  /** What was to be served by a look that is no more is served by the next. */
  private carryOver(): void {
    this.awaiting = [...this.served, ...this.awaiting]
    this.served = []
  }

  private serve(): void {
    const { served } = this
    this.served = []
    for (const then of served) then()
  }

  private read(done: (stretch: FetchedStretch) => void): void {
    const { hub, store } = this
    // Nobody is told anything, so the events need not be read: whoever comes meanwhile reads them from the log.
    const bounds = hub.watcherCount === 0 ? { events: 0, bytes: 0 } : STRETCH
    fetchEvents(store.engine, store.revision + 1, undefined, bounds, done)
  }

  private take({ compacted, events, next, shown }: FetchedStretch): void {
    const { hub, store } = this
    const due = store.revision + 1
    store.compacted = Math.max(store.compacted, compacted)
    const isGap = compacted > due || (events.length === 0 && shown >= due)
    if (!isGap) return store.follow(next - 1, events)
    hub.skip(store.revision, shown)
    store.follow(shown, [])
  }
}
