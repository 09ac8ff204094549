// The objects of one resource as the store has them, kept up by one watch on the store, with the recent changes.
// Owns the state, its order and its revision, and tells watchers and followers of each change once it is whole. Refuses selectors and
// versions. What this process wrote arrives as the very object that was written; what others wrote is decoded here.
import type { Cancel, KubeObject, TargetMemo } from "#kube"
import { SortedMap } from "#storage"
import { type Entry, type KeyEvent, type KeyValue, KeyValueFailure, type KeyWatch } from "../store/KeyValue.ts"
import { decodeStored, hasLayout, type TextLayout } from "../store/StoredJson.ts"
import { Donors } from "./Donors.ts"
import { CacheEvent, EventRing, type RingBounds } from "./EventRing.ts"
import { FieldLists } from "./FieldLists.ts"
import { Held, Place } from "./Held.ts"
import { type Scan, scanOf } from "./PastState.ts"
import type { WatchClock } from "./WatchClock.ts"
import { type IndexedWatcher, WatcherIndex } from "./WatcherIndex.ts"

export interface CacheOptions {
  readonly keyValue: KeyValue
  readonly clock: WatchClock
  /** Runs a function after some milliseconds. */
  readonly after: (delayMs: number, run: () => void) => Cancel
  /** Like "/registry/pods/". */
  readonly prefix: string
  readonly layout: TextLayout
  readonly ring: RingBounds
}

/** Called after each change with what was and what is. */
export type Follower = (before: KubeObject | undefined, after: KubeObject | undefined) => void

/** Entries of a page when the cache fills. */
const PAGE = 10_000
const RESTART_MS = 1000

export class ResourceCache {
  readonly clock: WatchClock
  readonly layout: TextLayout
  readonly prefix: string
  readonly donors = new Donors()
  readonly fields = new FieldLists()
  readonly ring: EventRing
  private readonly options: CacheOptions
  private objects = new SortedMap<Place>()
  /** The same by namespace and name, once they are asked for so. */
  private names: Map<string, Map<string, Place>> | undefined
  private readonly watchers = new WatcherIndex()
  private readonly followers = new Set<Follower>()
  private watch: KeyWatch | undefined
  private applied = 0
  private state: "idle" | "filling" | "ready" | "stopped" = "idle"
  private readonly waiting: Array<() => void> = []
  private readonly fresh: Array<{ readonly revision: number; readonly done: () => void }> = []
  /** Values that are no JSON objects: they are not served. */
  readonly stats = { undecodable: 0, decoded: 0, changes: 0 }

  constructor(options: CacheOptions) {
    this.options = options
    this.clock = options.clock
    this.layout = options.layout
    this.prefix = options.prefix
    this.ring = new EventRing(options.ring)
  }

  get isReady(): boolean {
    return this.state === "ready"
  }

  get size(): number {
    return this.objects.size
  }

  get watcherCount(): number {
    return this.watchers.size
  }

  /** The revision that the state is of. */
  get revision(): number {
    return this.watch === undefined ? this.applied : Math.max(this.applied, this.watch.revision())
  }

  get(key: string): Held | undefined {
    return this.objects.get(key)?.held
  }

  /** The same without its key being made, for resources whose objects are looked up again and again; the asker may keep the place. */
  find(namespace: string, name: string, memo?: TargetMemo): Held | undefined {
    const known = memo?.place
    if (known instanceof Place && known.among === this.objects) return known.held
    this.names ??= this.nameAll()
    const place = this.names.get(namespace)?.get(name)
    if (memo !== undefined) memo.place = place
    return place?.held
  }

  private nameAll(): Map<string, Map<string, Place>> {
    const names = (this.names = new Map<string, Map<string, Place>>())
    this.objects.scan("", undefined, (_key, place) => {
      this.named(place, place.held)
      return true
    })
    return names
  }

  /** Takes a place into the names, or out of them when nothing is there any more. */
  private named(place: Place, held: Held | undefined): void {
    const { names } = this
    if (names === undefined) return
    const slash = place.key.indexOf("/")
    const namespace = place.key.slice(0, Math.max(0, slash))
    const own = names.get(namespace)
    if (held === undefined) return void own?.delete(place.key.slice(slash + 1))
    // The object's own text where it says the same: who asks again and again has that very one, and equal texts are found faster so.
    const cut = place.key.slice(slash + 1)
    const name = held.object.metadata.name === cut ? held.object.metadata.name : cut
    if (own === undefined) names.set(namespace, new Map([[name, place]]))
    else own.set(name, place)
  }

  /** The scan of the present, or of the state at a revision; undefined when that is too long ago. */
  scan(revision?: number): Scan | undefined {
    const since = revision === undefined ? [] : this.ring.after(revision)
    return since && scanOf(this.objects, since)
  }

  /** Objects of one value of a field, unordered; undefined when they must be looked for. */
  byField(field: string, of: (object: KubeObject) => string, value: string): ReadonlyMap<string, Held> | undefined {
    return this.fields.find(field, of, value, (visit) =>
      this.scan()?.("", undefined, (key, held) => {
        visit(key, held)
        return true
      })
    )
  }

  /** Fills the cache on first use; calls back when it is ready, at once when it is. */
  whenReady(done: () => void): void {
    if (this.state === "ready" || this.state === "stopped") return done()
    this.waiting.push(done)
    if (this.state === "idle") this.fill()
  }

  private fill(): void {
    this.state = "filling"
    const objects = new SortedMap<Place>()
    const page = (start: string, revision: number): void =>
      this.options.keyValue.page(this.prefix, start, PAGE, revision, (found) => {
        if (this.state === "stopped") return
        if (found instanceof KeyValueFailure) return void this.options.after(RESTART_MS, () => this.fill())
        for (const entry of found.entries) {
          const place = this.placeOf(entry.key)
          place.held = this.known(entry, place) ?? this.decode(entry, undefined, place)
          place.among = objects
          if (place.held !== undefined) objects.set(place.key, place)
        }
        const last = found.entries.at(-1)
        if (found.more && last !== undefined) return page(`${last.key}\0`, found.revision)
        this.filled(objects, found.revision)
      })
    page(this.prefix, 0)
  }

  private filled(objects: SortedMap<Place>, revision: number): void {
    const before = this.objects
    this.objects = objects
    this.names = undefined
    this.fields.clear()
    this.applied = revision
    this.ring.reset(revision)
    this.state = "ready"
    this.watch = this.options.keyValue.watch(this.prefix, revision + 1, {
      events: (events, upTo) => this.apply(events, upTo),
      progress: (upTo) => this.progress(upTo),
      ended: () => this.restart()
    })
    if (before.size > 0 || this.followers.size > 0) this.tellDifference(before)
    for (const done of this.waiting.splice(0)) done()
    this.progress(revision)
  }

  /** The store's watch is lost with events that nobody has any more: everyone starts anew. */
  private restart(): void {
    this.watch = undefined
    for (const watcher of this.watchers.all()) watcher.lost()
    this.fill()
  }

  private tellDifference(before: SortedMap<Place>): void {
    before.scan("", undefined, (key, { held }) => {
      if (this.get(key) === undefined) this.tellFollowers(held, undefined)
      return true
    })
    this.objects.scan("", undefined, (key, { held }) => {
      const old = before.get(key)?.held
      if (old?.revision !== held?.revision) this.tellFollowers(old, held)
      return true
    })
  }

  private placeOf(storeKey: string): Place {
    return new Place(storeKey.slice(this.prefix.length), storeKey)
  }

  /** Where an event's object is: the place that it came with when that is one of ours, so that nothing is looked up. */
  private placeAt({ key, origin }: KeyEvent): Place {
    const brought = origin instanceof Held ? origin.place : undefined
    if (brought?.among === this.objects) return brought
    return this.objects.get(brought?.key ?? key.slice(this.prefix.length)) ?? brought ?? this.placeOf(key)
  }

  /** Puts what is now in a place of the objects, or takes the place out of them. */
  private put(place: Place, after: Held | undefined): void {
    const { objects } = this
    if (after === undefined) objects.delete(place.key)
    else if (place.among !== objects) objects.set(place.key, place)
    if ((after === undefined) !== (place.held === undefined)) this.named(place, after)
    place.held = after
    place.among = after === undefined ? undefined : objects
    if (after !== undefined) after.place = place
  }

  /** An object that was written in this process and is not to be read out of its own text; undefined for all others. */
  private known({ origin, revision }: Entry, place: Place): Held | undefined {
    return origin instanceof Held && origin.revision === revision
      ? new Held(origin.object, revision, this.layout, undefined, place)
      : undefined
  }

  private decode(
    { revision, value }: Pick<Entry, "revision" | "value">,
    before: Held | undefined,
    place: Place
  ): Held | undefined {
    const object = decodeStored(value, revision)
    if (object === undefined) {
      this.stats.undecodable++
      return undefined
    }
    this.stats.decoded++
    this.donors.lend(object, before?.object)
    return new Held(object, revision, this.layout, hasLayout(this.layout, value) ? value : undefined, place)
  }

  private heldOf(event: KeyEvent, before: Held | undefined, place: Place): Held | undefined {
    if (!event.isPut) return undefined
    const { origin } = event
    if (!(origin instanceof Held)) return this.decode(event, before, place)
    origin.settle(event.revision, event.hasBytes ? event.value : undefined)
    return origin
  }

  private apply(events: ReadonlyArray<KeyEvent>, revision: number): void {
    if (this.state !== "ready") return
    // All of it is applied before anyone is told, so that whoever asks back sees a whole state.
    const changes: Array<CacheEvent> = []
    const isHeard = this.watchers.size > 0 || this.followers.size > 0
    const nowMs = this.clock.now()
    for (const event of events) {
      const place = this.placeAt(event)
      const { held: before, key } = place
      const after = this.heldOf(event, before, place)
      if (before === undefined && after === undefined) continue
      this.put(place, after)
      this.fields.changed(key, before, after)
      this.stats.changes++
      // The ring outlives the telling by a minute: it makes the few events anew that somebody resumes from.
      if (after !== undefined) this.ring.push(after, before, nowMs)
      if (after !== undefined && !isHeard) continue
      const change = new CacheEvent(key, event.revision, before, after)
      if (after === undefined) this.ring.push(change, before, nowMs)
      changes.push(change)
    }
    this.applied = revision
    for (const change of changes) {
      this.watchers.dispatch(change)
      if (this.followers.size > 0) this.tellFollowers(change.before, change.after)
    }
    this.progress(revision)
  }

  private tellFollowers(before: Held | undefined, after: Held | undefined): void {
    for (const follower of this.followers) follower(before?.object, after?.object)
  }

  private progress(revision: number): void {
    if (revision > this.applied) this.applied = revision
    if (this.fresh.length === 0) return
    for (const waiter of this.fresh.splice(0)) {
      if (waiter.revision <= revision) waiter.done()
      else this.fresh.push(waiter)
    }
  }

  /** Calls back once the state is at a revision or later; the returned function gives up waiting. */
  whenFresh(revision: number, done: () => void): Cancel {
    if (this.revision >= revision) {
      done()
      return () => undefined
    }
    const waiter = { revision, done }
    this.fresh.push(waiter)
    this.watch?.requestProgress()
    return () => {
      const at = this.fresh.indexOf(waiter)
      if (at >= 0) this.fresh.splice(at, 1)
    }
  }

  /** Asks the store how far it is, for those that wait. */
  nudge(): void {
    this.watch?.requestProgress()
  }

  join(watcher: IndexedWatcher): void {
    this.watchers.add(watcher)
  }

  readonly leave = (watcher: IndexedWatcher): void => this.watchers.remove(watcher)

  follow(follower: Follower): Cancel {
    this.followers.add(follower)
    return () => void this.followers.delete(follower)
  }

  /** Ends all watches in good order and forgets everything. */
  stop(): void {
    this.state = "stopped"
    this.watch?.stop()
    for (const watcher of this.watchers.all()) watcher.lost()
    this.followers.clear()
    this.objects.clear()
    this.names = undefined
    this.ring.reset(this.applied)
  }
}
