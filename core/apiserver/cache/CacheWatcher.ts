// One watch on a cache: the state first if it was asked for, then every change, bookmarks in between, and an end.
// Owns the watcher's place, its bounded buffer and its timing; refuses to know other watchers: one that stalls loses its watch, and costs
// the others nothing. Order and completeness: events come in the order of revisions, each once.
import { apiVersionOf, type ApiFailure, INITIAL_EVENTS_END } from "#kube"
import type { ApiWatch, ApiWatchListener, HeldEvent, HeldObject } from "../Request.ts"
import type { CacheEvent } from "./EventRing.ts"
import { type Held, looseHeld } from "./Held.ts"
import type { WatchClock } from "./WatchClock.ts"
import type { IndexedWatcher, WatchScope } from "./WatcherIndex.ts"

/** Events beyond those it began with that wait for a listener which asked for a pause; one more ends the watch. */
const WAITING_MAX = 1000
const BOOKMARK_MS = 60_000
/** A last bookmark comes so long before the watch's end. */
const BEFORE_END_MS = 2000

export interface CacheWatcherOptions {
  readonly scope: WatchScope
  /** Undefined: every object of the scope. */
  readonly matches: ((held: Held) => boolean) | undefined
  /** From the stored version to the one asked for. */
  readonly convert: ((held: Held) => HeldObject) | undefined
  readonly gvk: { readonly group: string; readonly version: string; readonly kind: string }
  readonly bookmarks: boolean
  /** Whether a bookmark says where the initial state ends. */
  readonly initialEventsEnd: boolean
  readonly timeoutMs: number
}

/** What a watcher needs of its cache. */
export interface WatchedCache {
  readonly revision: number
  readonly clock: WatchClock
  readonly leave: (watcher: IndexedWatcher) => void
}

export class CacheWatcher implements IndexedWatcher, ApiWatch {
  readonly scope: WatchScope
  private readonly cache: WatchedCache
  private readonly options: CacheWatcherOptions
  private readonly listener: ApiWatchListener
  private initial: ReadonlyArray<Held> | undefined
  private initialAt = 0
  private waiting: Array<HeldEvent> = []
  private waitingMax = WAITING_MAX
  private paused = true
  private over = false
  /** Changes up to here are not for this watcher: they are in its initial state, or before its start. */
  private readonly from: number
  private readonly endsAt: number
  private cancelDue: (() => void) | undefined

  constructor(
    cache: WatchedCache,
    options: CacheWatcherOptions,
    listener: ApiWatchListener,
    from: number,
    initial: ReadonlyArray<Held> | undefined
  ) {
    this.cache = cache
    this.options = options
    this.listener = listener
    this.scope = options.scope
    this.from = from
    this.initial = initial
    this.endsAt = cache.clock.now() + options.timeoutMs
    this.schedule(cache.clock.now())
  }

  /** Delivers what lies before the first change; the watcher must be in the index by now. */
  begin(backlog: ReadonlyArray<CacheEvent>): void {
    this.paused = true
    this.waitingMax = WAITING_MAX + backlog.length + (this.initial?.length ?? 0)
    for (const event of backlog) {
      // What is new comes through the index, which knows the scope; what is past comes whole.
      const told = this.isInScope(event) ? this.tellable(event) : undefined
      if (told !== undefined) this.waiting.push(told)
    }
    this.resume()
  }

  offer(event: CacheEvent): void {
    if (this.over || event.revision <= this.from) return
    const told = this.tellable(event)
    if (told !== undefined) this.push(told)
  }

  private isInScope({ key }: CacheEvent): boolean {
    const { name, namespace } = this.scope
    if (name !== "") return key === (namespace === "" ? name : `${namespace}/${name}`)
    return namespace === "" || key.startsWith(`${namespace}/`)
  }

  private tellable(event: CacheEvent): HeldEvent | undefined {
    const { convert, matches } = this.options
    if (this.scope.name === "" && this.scope.field !== undefined && this.scope.namespace !== "") {
      if (!event.key.startsWith(`${this.scope.namespace}/`)) return undefined
    }
    const { after, before } = event
    const was = before !== undefined && (matches === undefined || matches(before))
    const is = after !== undefined && (matches === undefined || matches(after))
    const told = event.told(was, is)
    if (told === undefined || convert === undefined) return told
    return { type: told.type, held: convert(told.held as Held) }
  }

  private push(event: HeldEvent): void {
    if (!this.paused) {
      if (!this.listener.event(event)) this.paused = true
      return
    }
    if (this.waiting.length >= this.waitingMax) this.end(undefined)
    else this.waiting.push(event)
  }

  resume(): void {
    if (this.over || !this.paused) return
    this.paused = false
    if (this.initial !== undefined && !this.resumeInitial(this.initial)) return
    const { waiting } = this
    let at = 0
    while (at < waiting.length && !this.over) {
      if (!this.listener.event(waiting[at++])) {
        this.paused = true
        break
      }
    }
    this.waiting = at === waiting.length ? [] : waiting.slice(at)
  }

  /** False when the listener asked for a pause. */
  private resumeInitial(initial: ReadonlyArray<Held>): boolean {
    const { convert, initialEventsEnd } = this.options
    while (this.initialAt < initial.length) {
      const held = initial[this.initialAt++]
      const event: HeldEvent = { type: "ADDED", held: convert === undefined ? held : convert(held) }
      const more = this.listener.event(event)
      if (this.over) return false
      if (!more) {
        this.paused = true
        return false
      }
    }
    this.initial = undefined
    if (!initialEventsEnd || this.listener.event(this.bookmark(this.from, true))) return true
    this.paused = true
    return false
  }

  private bookmark(revision: number, isEndOfInitial: boolean): HeldEvent {
    const { gvk } = this.options
    const resourceVersion = String(revision)
    const metadata = isEndOfInitial
      ? { resourceVersion, annotations: { [INITIAL_EVENTS_END]: "true" } }
      : { resourceVersion }
    return { type: "BOOKMARK", held: looseHeld({ kind: gvk.kind, apiVersion: apiVersionOf(gvk), metadata }, revision) }
  }

  private schedule(now: number): void {
    const { bookmarks } = this.options
    const lastBookmark = this.endsAt - BEFORE_END_MS
    const next = bookmarks && lastBookmark > now ? Math.min(now + BOOKMARK_MS, lastBookmark) : this.endsAt
    this.cancelDue = this.cache.clock.at(next, this)
  }

  /** Called by the clock. */
  due(now: number): void {
    if (this.over) return
    if (now >= this.endsAt) return this.end(undefined)
    const revision = Math.max(this.cache.revision, this.from)
    if (this.options.bookmarks && this.initial === undefined) this.push(this.bookmark(revision, false))
    if (!this.over) this.schedule(now)
  }

  lost(): void {
    this.end(undefined)
  }

  /** Ends the watch and says so. */
  end(failure: ApiFailure | undefined): void {
    if (this.over) return
    this.stop()
    this.listener.ended(failure)
  }

  stop(): void {
    if (this.over) return
    this.over = true
    this.cancelDue?.()
    this.cache.leave(this)
    this.waiting = []
    this.initial = undefined
  }
}
