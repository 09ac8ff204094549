// One upstream watch for all tenants that ask the same question, split by whose each object is.
// Owns the recent past, from which late comers are caught up, and connecting anew; refuses to translate a byte.
import { ApiFailure, type Cancel, type Clockwork, Failures } from "#kube"
import type { Upstream, UpstreamCall } from "../upstream/Upstream.ts"
import { isAfter, openSource, Pauses, type SourceEvent, type WatchQuestion } from "./WatchSource.ts"

/** The recent past that is kept; what is older is asked of upstream again. */
const PAST_EVENTS_MAX = 10_000
const PAST_BYTES_MAX = 33_554_432
/** A watch that nobody listens to is closed after this time. */
const IDLE_MS = 30_000
/** Private watches that catch late comers up at the same time, of one question. */
const CATCHING_UP_MAX = 64

/** Whose an object is: the id of a tenant, "" of everybody; undefined: nobody's that may hear of it. */
export type OwnerOf = (event: SourceEvent) => string | undefined

export interface Subscriber {
  readonly tenant: string
  /** Events after it are heard. */
  readonly resourceVersion: string
  readonly event: (event: SourceEvent) => void
  /** Over: 410 when the past is lost. Not called after a cancel. */
  readonly ended: (failure: ApiFailure) => void
}

interface Entry extends Subscriber {
  /** The last that was handed on. */
  position: string
  /** Whether it has reached what is shared, and hears of it from now on. */
  live: boolean
  over: boolean
  catchingUp: UpstreamCall | undefined
}

export interface SharedWatchOptions {
  readonly upstream: Upstream
  readonly clockwork: Clockwork
  readonly question: WatchQuestion
  readonly ownerOf: OwnerOf
  /** Nobody has listened for a while. */
  readonly idle: () => void
  /** Events of the recent past that are kept. Default 10,000, and never more than 32 MiB. */
  readonly pastMax?: number
}

export class SharedWatch {
  private readonly options: SharedWatchOptions
  private readonly entries = new Map<string, Set<Entry>>()
  private readonly pauses: Pauses
  private past: Array<SourceEvent> = []
  private pastBytes = 0
  /** What is before it is not in the past that is kept. */
  private pastStart = ""
  private position = ""
  private source: UpstreamCall | undefined
  private cancelPause: Cancel | undefined
  private cancelIdle: Cancel | undefined
  private catchingUp = 0
  private size = 0

  constructor(options: SharedWatchOptions) {
    this.options = options
    this.pauses = new Pauses(options.clockwork)
  }

  get subscribers(): number {
    return this.size
  }

  subscribe(subscriber: Subscriber): Cancel | ApiFailure {
    const entry: Entry = {
      ...subscriber,
      position: subscriber.resourceVersion,
      live: false,
      over: false,
      catchingUp: undefined
    }
    const isFirst = this.source === undefined && this.cancelPause === undefined
    const isCovered = isFirst || !isAfter(this.pastStart, entry.position)
    if (!isCovered && this.catchingUp >= CATCHING_UP_MAX) {
      return Failures.tooManyRequests("too many watches begin in the past at once", 1)
    }
    this.cancelIdle?.()
    this.cancelIdle = undefined
    this.add(entry)
    if (isFirst) this.start(entry.position)
    if (isCovered) this.options.clockwork.defer(() => this.goLive(entry))
    else this.catchUp(entry)
    return () => this.remove(entry)
  }

  stop(): void {
    this.cancelIdle?.()
    this.cancelPause?.()
    this.source?.cancel()
    for (const set of this.entries.values()) for (const entry of set) this.close(entry)
    this.entries.clear()
  }

  private add(entry: Entry): void {
    this.size++
    const set = this.entries.get(entry.tenant)
    if (set === undefined) this.entries.set(entry.tenant, new Set([entry]))
    else set.add(entry)
  }

  private close(entry: Entry): void {
    entry.over = true
    if (entry.catchingUp === undefined) return
    entry.catchingUp.cancel()
    entry.catchingUp = undefined
    this.catchingUp--
  }

  private remove(entry: Entry): void {
    if (entry.over) return
    this.close(entry)
    this.size--
    const set = this.entries.get(entry.tenant)
    set?.delete(entry)
    if (set?.size === 0) this.entries.delete(entry.tenant)
    if (this.size === 0) this.cancelIdle = this.options.clockwork.after(IDLE_MS, this.options.idle)
  }

  // --- the shared stream ---

  private start(from: string): void {
    this.past = []
    this.pastBytes = 0
    this.pastStart = from
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
        event: (event) => this.hear(event),
        ended: (failure) => this.lost(failure)
      }
    )
  }

  private lost(failure: ApiFailure | undefined): void {
    this.source = undefined
    if (failure?.code === 410) return this.expire(failure)
    this.cancelPause = this.pauses.after(() => this.connect())
  }

  /** What happened meanwhile is lost: everyone lists again. */
  private expire(failure: ApiFailure): void {
    const all = [...this.entries.values()].flatMap((set) => [...set])
    for (const entry of all) {
      this.remove(entry)
      entry.ended(failure)
    }
  }

  private hear(event: SourceEvent): void {
    this.pauses.well()
    this.position = event.resourceVersion
    if (event.type === "BOOKMARK") {
      for (const set of this.entries.values()) for (const entry of set) this.hand(entry, event)
      return
    }
    this.keep(event)
    const owner = this.options.ownerOf(event)
    if (owner === undefined) return
    if (owner === "") for (const set of this.entries.values()) for (const entry of set) this.hand(entry, event)
    else for (const entry of this.entries.get(owner) ?? []) this.hand(entry, event)
  }

  private hand(entry: Entry, event: SourceEvent): void {
    if (!entry.live || entry.over || !isAfter(event.resourceVersion, entry.position)) return
    entry.position = event.resourceVersion
    entry.event(event)
  }

  private keep(event: SourceEvent): void {
    this.past.push(event)
    this.pastBytes += event.bytes.length
    const eventsMax = this.options.pastMax ?? PAST_EVENTS_MAX
    if (this.past.length <= eventsMax && this.pastBytes <= PAST_BYTES_MAX) return
    // A quarter at once: shifting one by one costs as much as there is past.
    const dropped = this.past.slice(0, Math.ceil(this.past.length / 4))
    this.past = this.past.slice(dropped.length)
    for (const each of dropped) this.pastBytes -= each.bytes.length
    this.pastStart = dropped.at(-1)?.resourceVersion ?? this.pastStart
  }

  // --- late comers ---

  private goLive(entry: Entry): void {
    if (entry.over || entry.live) return
    // So much may have come since it was decided that the past covers it no more.
    if (isAfter(this.pastStart, entry.position)) return this.catchUp(entry)
    entry.live = true
    for (const event of this.past) {
      if (entry.over) return
      const owner = this.options.ownerOf(event)
      if (owner === "" || owner === entry.tenant) this.hand(entry, event)
    }
  }

  /** A watch of its own from where it stands until it has reached what is kept. */
  private catchUp(entry: Entry): void {
    this.catchingUp++
    const { ownerOf, question, upstream } = this.options
    const done = (): void => {
      if (entry.catchingUp === undefined) return
      entry.catchingUp.cancel()
      entry.catchingUp = undefined
      this.catchingUp--
    }
    entry.catchingUp = openSource(
      upstream,
      question,
      { resourceVersion: entry.position },
      {
        event: (event) => {
          if (entry.over) return
          const owner = event.type === "BOOKMARK" ? undefined : ownerOf(event)
          if (owner === "" || owner === entry.tenant) entry.event(event)
          entry.position = event.resourceVersion
          if (isAfter(this.pastStart, entry.position)) return
          done()
          this.goLive(entry)
        },
        ended: (failure) => {
          if (entry.over) return
          done()
          this.remove(entry)
          entry.ended(failure ?? Failures.expired("the watch ended before it had caught up"))
        }
      }
    )
  }
}
