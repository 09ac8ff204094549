// The store of traces on disk: facts in compressed blocks, an index of columns for each 65,536 of them, bounded by age and size.
// Owns acceptance (what waits is bounded, a batch is there whole or not at all), group commit, closing and dropping of segments; refuses
// to answer before a batch is durable. Reading is SegmentSet's and ReadTrace's.
import type { Cancel, Clockwork } from "#kube"
import { objectName, serviceOf, spanName } from "../model/Describe.ts"
import type { Fact } from "../model/Fact.ts"
import { objectId } from "../model/Ids.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { services, type SpanService } from "../model/Span.ts"
import { bitOf, objectConditions } from "./ColumnSearch.ts"
import { byTime, type FactRef, type FactSource } from "./FactSource.ts"
import type { LmdbSegmentsAdapter } from "./LmdbSegmentsAdapter.ts"
import { OPERATIONS_MAX } from "./MemorySpanStore.ts"
import { readHistory } from "./ReadHistory.ts"
import { readTrace } from "./ReadTrace.ts"
import { searchObjects, searchTraces } from "./SearchSegments.ts"
import { SegmentWriter } from "./SegmentWriter.ts"
import { tracesIn } from "./TracesIn.ts"
import type {
  Appended,
  Change,
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
  readonly facts: ReadonlyArray<Fact>
  readonly done: (outcome: Appended) => void
}

/** Facts of one commit: what one commit costs is shared, and nobody waits for a commit without end. */
const COMMIT_FACTS = 16_384
const RETRY_AFTER_MS = 1000
const RETAIN_EVERY_MS = 10_000
/** How long a search may hold the thread. */
const SEARCH_SLICE_MS = 8
/** Object ids that are kept, because each is a hash to compute. */
const OBJECTS_MAX = 65_536

export class LmdbSpanStore implements SpanStore, FactSource {
  readonly windowSeconds: number
  private readonly options: LmdbSpanStoreOptions
  private readonly writer: SegmentWriter
  private readonly listeners = new Set<(changes: ReadonlyArray<Change>) => void>()
  private readonly names = new Map<string, Set<string>>()
  private readonly objectIds = new Map<string, string>()
  private lastObject: ObjectKey | undefined
  private lastId = ""
  private queue: Array<Waiting> = []
  private waiting = 0
  private committing = false
  private searches = 0
  private readonly stopRetaining: Cancel
  private onIdle: (() => void) | undefined

  constructor(options: LmdbSpanStoreOptions) {
    this.options = options
    this.windowSeconds = options.windowSeconds
    this.writer = new SegmentWriter(options)
    for (const name of options.disk.names()) {
      const [list, ...rest] = name.split("\n")
      this.namesOf(list).add(rest.join("\n"))
    }
    this.stopRetaining = options.clockwork.every(RETAIN_EVERY_MS, () => this.retain())
  }

  append(facts: ReadonlyArray<Fact>, done: (outcome: Appended) => void): void {
    if (this.waiting > 0 && this.waiting + facts.length > this.options.waitingMax) {
      return this.options.clockwork.defer(() => done({ kind: "full", retryAfterMs: RETRY_AFTER_MS }))
    }
    this.waiting += facts.length
    this.queue.push({ facts, done })
    // What comes within the same turn shares the commit.
    if (this.queue.length === 1 && !this.committing) this.options.clockwork.defer(() => this.commit())
  }

  private commit(): void {
    if (this.committing || this.queue.length === 0) return
    this.committing = true
    const batch = this.take()
    const changes = new Map<string, Change>()
    const added: Array<number> = []
    const names: Array<string> = []
    for (const { facts } of batch) {
      let count = 0
      for (const fact of facts) {
        if (this.writer.isDurable(fact)) continue
        const object = this.idOf(fact.object)
        const traceId = this.writer.add(fact, object)
        if (traceId === undefined) continue
        count++
        if (!changes.has(traceId)) changes.set(traceId, { traceId, object: fact.object })
        this.nameNew(fact, names)
      }
      added.push(count)
    }
    this.writer.write(names, (failure) => {
      this.committing = false
      for (const [at, { done, facts }] of batch.entries()) {
        this.waiting -= facts.length
        if (failure === undefined) done({ kind: "durable", added: added[at], known: facts.length - added[at] })
        else done({ kind: "failed", detail: failure })
      }
      if (failure === undefined && changes.size > 0) {
        for (const listener of this.listeners) listener([...changes.values()])
      }
      if (failure !== undefined) for (const name of names) this.forgetName(name)
      this.commit()
      if (!this.committing) this.onIdle?.()
    })
  }

  /** What goes into the next commit: whole appends, at least one. */
  private take(): ReadonlyArray<Waiting> {
    let facts = 0
    let end = 0
    while (end < this.queue.length && (end === 0 || facts + this.queue[end].facts.length <= COMMIT_FACTS)) {
      facts += this.queue[end++].facts.length
    }
    return this.queue.splice(0, end)
  }

  private idOf(object: ObjectKey): string {
    // Facts of one event share their object.
    if (object === this.lastObject) return this.lastId
    this.lastObject = object
    this.lastId = this.idByText(object)
    return this.lastId
  }

  private idByText(object: ObjectKey): string {
    const text = objectText(object)
    const known = this.objectIds.get(text)
    if (known !== undefined) return known
    const id = objectId(object, this.windowSeconds)
    if (this.objectIds.size >= OBJECTS_MAX) this.objectIds.clear()
    this.objectIds.set(text, id)
    return id
  }

  private namesOf(list: string): Set<string> {
    let names = this.names.get(list)
    if (names === undefined) this.names.set(list, (names = new Set()))
    return names
  }

  private nameNew(fact: Fact, fresh: Array<string>): void {
    this.name("clusters", fact.object.cluster, fresh)
    this.name("object", objectName(fact.object), fresh)
    const service = serviceOf(fact)
    if (service !== undefined) this.name(service, spanName(fact), fresh)
  }

  private name(list: string, name: string, fresh: Array<string>): void {
    const names = this.namesOf(list)
    if (names.size >= OPERATIONS_MAX || names.has(name)) return
    names.add(name)
    fresh.push(`${list}\n${name}`)
  }

  private forgetName(name: string): void {
    const at = name.indexOf("\n")
    this.namesOf(name.slice(0, at)).delete(name.slice(at + 1))
  }

  ofObject(object: string, kinds: ReadonlyArray<Fact["kind"]>, range: Range): ReadonlyArray<FactRef> {
    const mask = kinds.reduce((bits, kind) => bits | bitOf(kind), 0)
    const refs = this.writer.segments.refs(objectConditions(object, mask, range)).sort(byTime)
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
    return tracesIn(this.writer.segments, this.idOf(object), range, this.windowSeconds)
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
    const idle = (): boolean => !this.committing && this.queue.length === 0 && this.writer.idle
    this.onIdle = () => {
      if (idle()) done()
      else this.options.clockwork.defer(() => this.onIdle?.())
    }
    this.onIdle()
  }
}
