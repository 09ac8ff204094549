// One upstream watch for all tenants that ask the same question, split by whose each object is and in which namespace.
// Owns who hears what and connecting anew; Past.ts keeps the recent events, Backfill.ts fetches older ones. Refuses to translate a byte.
import type { ApiFailure, Cancel, Clockwork } from "#kube"
import type { HttpFields } from "#net"
import type { Upstream, UpstreamCall } from "../upstream/Upstream.ts"
import { Backfill, isFinal } from "./Backfill.ts"
import { Past, type PastRoom } from "./Past.ts"
import { isAfter, openSource, Pauses, type SourceEvent, type WatchQuestion } from "./WatchSource.ts"

/** A watch that nobody listens to is closed after this time. */
const IDLE_MS = 30_000

/** Whose an object is: the id of a tenant, "" of everybody; undefined: nobody's that may hear of it. */
export type OwnerOf = (event: SourceEvent) => string | undefined

export interface Subscriber {
  readonly tenant: string
  /** The only namespace whose events are heard, in upstream's spelling; empty: all of the tenant's, or of a kind in none. */
  readonly namespace: string
  /** Events after it are heard. */
  readonly resourceVersion: string
  /** Upstream has taken the watch, and says this beside; called once, before all else but a failure. */
  readonly begun: (fields: HttpFields) => void
  /** An event, and what a Table's columns are, which only some events say. */
  readonly event: (event: SourceEvent, columns: string | undefined) => void
  /** Over: 410 when the past is lost. Not called after a cancel. */
  readonly ended: (failure: ApiFailure) => void
}

interface Entry extends Subscriber {
  /** The last that was handed on. */
  position: string
  /** Whether it hears what is shared as it comes. */
  live: boolean
  begunAlready: boolean
  over: boolean
}

export interface SharedWatchOptions {
  readonly upstream: Upstream
  readonly clockwork: Clockwork
  readonly question: WatchQuestion
  readonly ownerOf: OwnerOf
  /** Nobody has listened for a while. */
  readonly idle: () => void
  /** What it keeps of the recent past takes from this room, which all watches share. */
  readonly room: PastRoom
  /** Events of the recent past that are kept. Default 10,000, and never more than 32 MiB. */
  readonly pastMax?: number
}

/** Where an entry listens: a namespace by its name, all of a tenant under a name that no namespace has. */
const channelOf = (tenant: string, namespace: string): string => (namespace === "" ? `${tenant}/` : namespace)

export class SharedWatch {
  private readonly options: SharedWatchOptions
  private readonly pauses: Pauses
  private readonly entries = new Set<Entry>()
  private readonly channels = new Map<string, Set<Entry>>()
  /** Those who stand before what is kept. */
  private readonly behind = new Set<Entry>()
  /** Those of them who hear the backfill that runs. */
  private joined = new Set<Entry>()
  private readonly backfill: Backfill
  private past: Past
  private position = ""
  private columns: string | undefined
  private source: UpstreamCall | undefined
  /** What upstream said when it took the watch; undefined until it has. */
  private taken: HttpFields | undefined
  private cancelPause: Cancel | undefined
  private cancelIdle: Cancel | undefined

  constructor(options: SharedWatchOptions) {
    this.options = options
    this.pauses = new Pauses(options.clockwork)
    this.past = new Past("", options.room)
    this.backfill = new Backfill(
      { ...options, pastMax: options.pastMax },
      {
        begin: () => this.beginBehind(),
        until: () => this.past.start,
        event: (event) => this.heardBehind(event),
        reached: (between, position) => this.reached(between, position),
        stopped: (position) => this.moveBehind(position),
        refused: (failure, from) => this.refuseBehind(failure, from)
      }
    )
  }

  get subscribers(): number {
    return this.entries.size
  }

  /** Upstream watches that it holds: one, and one more while somebody catches up. */
  get upstreamWatches(): number {
    return (this.source === undefined ? 0 : 1) + (this.backfill.running ? 1 : 0)
  }

  subscribe(subscriber: Subscriber): Cancel {
    const { resourceVersion: position } = subscriber
    const entry: Entry = { ...subscriber, position, live: false, begunAlready: false, over: false }
    this.cancelIdle?.()
    this.cancelIdle = undefined
    this.entries.add(entry)
    const channel = channelOf(entry.tenant, entry.namespace)
    const set = this.channels.get(channel)
    if (set === undefined) this.channels.set(channel, new Set([entry]))
    else set.add(entry)
    if (this.source === undefined && this.cancelPause === undefined) this.start(position)
    else if (this.taken !== undefined) this.options.clockwork.defer(() => this.admit(entry))
    return () => this.remove(entry)
  }

  stop(): void {
    this.cancelIdle?.()
    this.cancelPause?.()
    this.source?.cancel()
    this.backfill.stop()
    this.past.release()
    for (const entry of this.entries) entry.over = true
    this.entries.clear()
    this.channels.clear()
    this.behind.clear()
    this.joined.clear()
  }

  private remove(entry: Entry): void {
    if (entry.over) return
    entry.over = true
    this.entries.delete(entry)
    this.behind.delete(entry)
    this.joined.delete(entry)
    const channel = channelOf(entry.tenant, entry.namespace)
    const set = this.channels.get(channel)
    set?.delete(entry)
    if (set?.size === 0) this.channels.delete(channel)
    if (this.entries.size === 0) this.cancelIdle = this.options.clockwork.after(IDLE_MS, this.options.idle)
  }

  private end(entries: Iterable<Entry>, failure: ApiFailure): void {
    for (const entry of entries) {
      if (entry.over) continue
      this.remove(entry)
      entry.ended(failure)
    }
  }

  // --- the shared stream ---

  private start(from: string): void {
    this.past.release()
    this.past = new Past(from, this.options.room, this.options.pastMax)
    this.position = from
    this.connect()
  }

  private connect(): void {
    const { question, upstream } = this.options
    this.cancelPause = undefined
    this.source = openSource(
      upstream,
      question,
      { resourceVersion: this.position },
      {
        opened: (fields) => this.opened(fields),
        event: (event) => this.hear(event),
        ended: (failure) => this.lost(failure)
      }
    )
  }

  private opened(fields: HttpFields): void {
    this.taken = fields
    for (const entry of this.entries) this.admit(entry)
  }

  private lost(failure: ApiFailure | undefined): void {
    this.source = undefined
    this.taken = undefined
    if (failure?.code === 410) return this.expire(failure)
    if (failure !== undefined && isFinal(failure)) {
      this.backfill.stop()
      return this.end([...this.entries], failure)
    }
    // Who has been promised nothing yet asks again by itself.
    if (failure !== undefined)
      this.end(
        [...this.entries].filter(({ begunAlready }) => !begunAlready),
        failure
      )
    if (this.entries.size > 0) this.cancelPause = this.pauses.after(() => this.connect())
  }

  /** What happened after the version that was asked from is lost, to whoever has heard no later one. */
  private expire(failure: ApiFailure): void {
    const { position } = this
    this.end(
      [...this.entries].filter((entry) => !isAfter(entry.position, position)),
      failure
    )
    let newest: string | undefined
    for (const entry of this.entries) {
      entry.live = false
      if (newest === undefined || isAfter(entry.position, newest)) newest = entry.position
    }
    if (newest !== undefined) this.start(newest)
  }

  private hear(event: SourceEvent): void {
    this.pauses.well()
    if (event.resourceVersion !== "") this.position = event.resourceVersion
    this.columns = event.columns ?? this.columns
    if (event.type === "BOOKMARK") {
      for (const entry of this.entries) this.hand(entry, event)
      return
    }
    this.past.push(event)
    const owner = this.options.ownerOf(event)
    if (owner === undefined) return
    if (owner === "") {
      for (const entry of this.entries) this.hand(entry, event)
      return
    }
    for (const entry of this.channels.get(channelOf(owner, "")) ?? []) this.hand(entry, event)
    if (event.namespace === "") return
    for (const entry of this.channels.get(event.namespace) ?? []) this.hand(entry, event)
  }

  private hand(entry: Entry, event: SourceEvent): void {
    if (!entry.live || entry.over || !isAfter(event.resourceVersion, entry.position)) return
    entry.position = event.resourceVersion
    entry.event(event, this.columns)
  }

  private concerns(entry: Entry, event: SourceEvent): boolean {
    const owner = this.options.ownerOf(event)
    if (owner !== "" && owner !== entry.tenant) return false
    return entry.namespace === "" || entry.namespace === event.namespace
  }

  // --- those who come later ---

  private admit(entry: Entry): void {
    if (entry.over || entry.live || this.taken === undefined || this.behind.has(entry)) return
    if (!entry.begunAlready) {
      entry.begunAlready = true
      entry.begun(this.taken)
      if (entry.over) return
    }
    if (!this.past.covers(entry.position)) return this.fallBehind(entry)
    entry.live = true
    for (const event of this.past.after(entry.position)) {
      if (entry.over) return
      if (this.concerns(entry, event)) this.hand(entry, event)
    }
  }

  private fallBehind(entry: Entry): void {
    this.behind.add(entry)
    const missed = this.backfill.missed(entry.position)
    if (missed === undefined) return this.backfill.want()
    this.joined.add(entry)
    for (const event of missed) this.handBehind(entry, event)
  }

  private beginBehind(): string | undefined {
    this.joined = new Set(this.behind)
    let oldest: string | undefined
    for (const { position } of this.behind) if (oldest === undefined || isAfter(oldest, position)) oldest = position
    return oldest
  }

  private handBehind(entry: Entry, event: SourceEvent): void {
    if (entry.over || !isAfter(event.resourceVersion, entry.position) || !this.concerns(entry, event)) return
    entry.position = event.resourceVersion
    entry.event(event, this.columns)
  }

  private heardBehind(event: SourceEvent): void {
    this.columns = event.columns ?? this.columns
    for (const entry of this.joined) this.handBehind(entry, event)
  }

  private reached(between: Past, position: string): void {
    this.past.prepend(between)
    const { joined } = this
    this.moveBehind(position)
    for (const entry of joined) {
      this.behind.delete(entry)
      this.admit(entry)
    }
  }

  /** Those who heard the backfill have heard all up to this version. */
  private moveBehind(position: string): void {
    for (const entry of this.joined) if (isAfter(position, entry.position)) entry.position = position
    this.joined = new Set()
  }

  private refuseBehind(failure: ApiFailure, from: string): void {
    const concerned = [...this.behind].filter((entry) => failure.code !== 410 || !isAfter(entry.position, from))
    this.end(concerned, failure)
  }
}
