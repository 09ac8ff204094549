// The store of traces on disk: facts in compressed blocks, an index of columns for each 65,536 of them, bounded by age and size.
// Owns acceptance (what waits is bounded, a batch is there whole or not at all), group commit, closing and dropping of segments; refuses
// to answer before a batch is durable. Reading is SegmentSet's and ReadTrace's.
import type { Cancel, Clockwork } from "#kube"
import type { Fact, RawSnapshot } from "../model/Fact.ts"
import { type ObjectKey, windowStartUs } from "../model/ObjectKey.ts"
import { services, type SpanService } from "../model/Span.ts"
import { bitOf } from "./ColumnSearch.ts"
import { byTime, type FactRef, type FactSource } from "./FactSource.ts"
import { type IndexedObject, IndexedObjects, traceIn } from "./IndexedObjects.ts"
import type { LmdbSegmentsAdapter } from "./LmdbSegmentsAdapter.ts"
import { OPERATIONS_MAX } from "./MemorySpanStore.ts"
import { readHistory } from "./ReadHistory.ts"
import { readTrace } from "./ReadTrace.ts"
import { searchObjects, searchTraces } from "./SearchSegments.ts"
import { SegmentWriter } from "./SegmentWriter.ts"
import { type IndexedName, SpanNames } from "./SpanNames.ts"
import { tracesIn } from "./TracesIn.ts"
import type {
  Appended,
  Change,
  Feed,
  FoundTrace,
  ObjectQuery,
  Range,
  Revision,
  SpanChunks,
  SpanStore,
  StoreStats,
  TraceQuery
} from "./SpanStore.ts"

export interface LmdbSpanStoreOptions {
  readonly clockwork: Clockwork
  readonly disk: LmdbSegmentsAdapter
  readonly windowSeconds: number
  readonly ageMaxMs: number
  /** Of blocks and columns; the file keeps what was freed for later use. */
  readonly bytesMax: number
  /** Facts that may wait to become durable; beyond, an append is refused as full. */
  readonly waitingMax: number
  /** How many facts are remembered to know a repetition at once. */
  readonly recentMax: number
  /** Facts of a segment: what is searched as one, and dropped as one. */
  readonly segmentRows: number
}

export const defaultStoreBounds = {
  ageMaxMs: 7 * 86_400_000,
  bytesMax: 64 * 2 ** 30,
  waitingMax: 100_000,
  recentMax: 2_097_152,
  segmentRows: 65_536
} as const

interface Waiting {
  readonly facts: number
  readonly added: number
  readonly done: (outcome: Appended) => void
}

/** What goes into one commit: everything that came while the one before was written. */
interface Group {
  readonly waiting: Array<Waiting>
  readonly changes: Map<string, Change>
  readonly names: Array<string>
}

const newGroup = (): Group => ({ waiting: [], changes: new Map(), names: [] })

/** Bytes of records that may wait to become durable, as well as facts. */
const WAITING_BYTES_MAX = 64 * 2 ** 20
const RETRY_AFTER_MS = 1000
const RETAIN_EVERY_MS = 10_000
/** How long a search may hold the thread. */
const SEARCH_SLICE_MS = 8

export class LmdbSpanStore implements SpanStore, FactSource {
  readonly windowSeconds: number
  private readonly options: LmdbSpanStoreOptions
  private readonly writer: SegmentWriter
  private readonly listeners = new Set<(changes: ReadonlyArray<Change>) => void>()
  private readonly names = new Map<string, Set<string>>()
  private readonly indexed: IndexedObjects
  private readonly spanNames = new SpanNames()
  private group = newGroup()
  private waiting = 0
  private committing = false
  private searches = 0
  private readonly stopRetaining: Cancel
  private onIdle: (() => void) | undefined

  constructor(options: LmdbSpanStoreOptions) {
    this.options = options
    this.windowSeconds = options.windowSeconds
    this.indexed = new IndexedObjects(options.windowSeconds)
    this.writer = new SegmentWriter({ ...options, objects: this.indexed, names: this.spanNames })
    for (const name of options.disk.names()) {
      const [list, ...rest] = name.split("\n")
      this.namesOf(list).add(rest.join("\n"))
    }
    this.stopRetaining = options.clockwork.every(RETAIN_EVERY_MS, () => this.retain())
  }

  append(facts: ReadonlyArray<Fact>, done: (outcome: Appended) => void): void {
    const isRoom = this.waiting === 0 || this.waiting + facts.length <= this.options.waitingMax
    if (!isRoom) return this.refuse(done)
    this.appendFrom((take) => {
      for (const fact of facts) take(fact)
    }, done)
  }

  appendFrom(feed: Feed, done: (outcome: Appended) => void): void {
    const { group, writer } = this
    if (this.waiting >= this.options.waitingMax || writer.pendingBytes >= WAITING_BYTES_MAX) return this.refuse(done)
    const mark = writer.mark()
    const names = group.names.length
    const fresh: Array<string> = []
    let facts = 0
    let added = 0
    try {
      feed((fact) => {
        facts++
        if (!this.take(fact, group, fresh)) return
        added++
      })
    } catch (error) {
      writer.rewind(mark)
      for (const traceId of fresh) group.changes.delete(traceId)
      this.forgetNames(group.names.splice(names))
      throw error
    }
    this.waiting += facts
    group.waiting.push({ facts, added, done })
    // What comes within the same turn shares the commit.
    if (group.waiting.length === 1 && !this.committing) this.options.clockwork.defer(() => this.commit())
  }

  private refuse(done: (outcome: Appended) => void): void {
    this.options.clockwork.defer(() => done({ kind: "full", retryAfterMs: RETRY_AFTER_MS }))
  }

  /** Takes a fact that is not known; adds its trace to the changes, and to the fresh ones where it was not there. */
  private take(fact: Fact | RawSnapshot, { changes, names }: Group, fresh: Array<string>): boolean {
    if (fact.kind === "link" && this.writer.knowsLink(fact)) return false
    const object = this.indexed.of(fact.object)
    const name = fact.kind === "audit" || fact.kind === "event" ? this.spanNames.of(fact) : undefined
    if (!this.writer.add(fact, object, name?.hash ?? object.nameHash)) return false
    const traceId = traceIn(object, windowStartUs(fact.atUs, this.windowSeconds))
    if (!changes.has(traceId)) {
      changes.set(traceId, { traceId, object: fact.object })
      fresh.push(traceId)
    }
    this.nameNew(fact, object, name, names)
    return true
  }

  private commit(): void {
    if (this.committing || this.group.waiting.length === 0) return
    this.committing = true
    const { changes, names, waiting } = this.group
    this.group = newGroup()
    this.writer.write(names, (failure) => {
      this.committing = false
      if (failure !== undefined) this.fail(failure, waiting, names)
      else {
        for (const { added, done, facts } of waiting) {
          this.waiting -= facts
          done({ kind: "durable", added, known: facts - added })
        }
        if (changes.size > 0) for (const listener of this.listeners) listener([...changes.values()])
      }
      this.commit()
      if (!this.committing) this.onIdle?.()
    })
  }

  /** Nothing of a commit was written: what came since may rest on it, and comes again as well. */
  private fail(detail: string, waiting: ReadonlyArray<Waiting>, names: ReadonlyArray<string>): void {
    const since = this.group
    this.group = newGroup()
    this.forgetNames(names)
    this.forgetNames(since.names)
    for (const { done, facts } of [...waiting, ...since.waiting]) {
      this.waiting -= facts
      done({ kind: "failed", detail })
    }
  }

  private namesOf(list: string): Set<string> {
    let names = this.names.get(list)
    if (names === undefined) this.names.set(list, (names = new Set()))
    return names
  }

  private nameNew(
    { kind, object: { cluster } }: Fact | RawSnapshot,
    object: IndexedObject,
    name: IndexedName | undefined,
    fresh: Array<string>
  ): void {
    if (!object.isListed) {
      object.isListed = true
      this.name("clusters", cluster, fresh)
      this.name("object", object.name, fresh)
    }
    if (kind === "link" && !object.isLinkListed) {
      object.isLinkListed = true
      this.name(kind, object.name, fresh)
    }
    if (name === undefined || name.isListed) return
    name.isListed = true
    this.name(kind, name.name, fresh)
  }

  private name(list: string, name: string, fresh: Array<string>): void {
    const names = this.namesOf(list)
    if (names.size >= OPERATIONS_MAX || names.has(name)) return
    names.add(name)
    fresh.push(`${list}\n${name}`)
  }

  private forgetNames(names: ReadonlyArray<string>): void {
    if (names.length === 0) return
    for (const name of names) {
      const at = name.indexOf("\n")
      this.namesOf(name.slice(0, at)).delete(name.slice(at + 1))
    }
    this.indexed.forget()
    this.spanNames.forget()
  }

  ofObject(object: string, kinds: ReadonlyArray<Fact["kind"]>, range: Range): ReadonlyArray<FactRef> {
    const mask = kinds.reduce((bits, kind) => bits | bitOf(kind), 0)
    const refs = this.writer.segments.refs(object, mask, range).sort(byTime)
    // What was stored again after it had been forgotten is the same fact.
    return refs.filter(({ id }, at) => at === 0 || id !== refs[at - 1].id)
  }

  trace(traceId: string, spansMax?: number): SpanChunks {
    return readTrace(this, traceId, spansMax)
  }

  search(query: TraceQuery, done: (found: ReadonlyArray<FoundTrace>) => void): void {
    this.run(searchTraces(this.writer.segments, query, this.windowSeconds), done)
  }

  objects(query: ObjectQuery, done: (found: ReadonlyArray<ObjectKey>) => void): void {
    this.run(searchObjects(this.writer.segments, query), done)
  }

  /** Goes through a search in slices of time. */
  private run<A>(steps: Generator<undefined, A>, done: (found: A) => void): void {
    const { clockwork } = this.options
    this.searches++
    const slice = (): void => {
      const until = clockwork.monotonic() + SEARCH_SLICE_MS
      for (;;) {
        const step = steps.next()
        if (step.done === true) {
          this.searches--
          return done(step.value)
        }
        if (clockwork.monotonic() >= until) return clockwork.defer(slice)
      }
    }
    clockwork.defer(slice)
  }

  tracesOf(object: ObjectKey, range: Range): ReadonlyArray<string> {
    return tracesIn(this.writer.segments, this.indexed.of(object).id, range, this.windowSeconds)
  }

  history(
    object: ObjectKey,
    options: Range & { readonly uid?: string; readonly limit: number }
  ): ReadonlyArray<Revision> {
    return readHistory(this, object, options)
  }

  services(): ReadonlyArray<SpanService> {
    return services.filter((service) => this.namesOf(service).size > 0)
  }

  operations(service: SpanService): ReadonlyArray<string> {
    return [...this.namesOf(service)].sort()
  }

  clusters(): ReadonlyArray<string> {
    return [...this.namesOf("clusters")].sort()
  }

  onChange(listener: (changes: ReadonlyArray<Change>) => void): Cancel {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  stats(): StoreStats {
    return { ...this.writer.stats(), waiting: this.waiting }
  }

  /** Drops what is too old or too much; a search that is under way keeps what it looks at. */
  retain(): void {
    const { ageMaxMs, bytesMax, clockwork } = this.options
    if (this.searches === 0) this.writer.retain(clockwork.now() * 1000, ageMaxMs * 1000, bytesMax)
  }

  /** Takes nothing more; `done` is called when everything that waited is durable or failed. */
  stop(done: () => void): void {
    this.stopRetaining()
    const idle = (): boolean => !this.committing && this.group.waiting.length === 0 && this.writer.idle
    this.onIdle = () => {
      if (idle()) done()
      else this.options.clockwork.defer(() => this.onIdle?.())
    }
    this.onIdle()
  }
}
