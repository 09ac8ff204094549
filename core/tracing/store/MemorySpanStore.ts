// The store of traces in memory, plainly: a set of facts, and every question answered by looking at all that may matter. Other stores are
// judged against it, and the simulator runs on it.
// Owns nothing on disk; refuses retention by age, which needs a clock that it does not have: at its bound it takes no more.
import type { Cancel, Clockwork } from "#kube"
import { serviceOf, spanName } from "../model/Describe.ts"
import { type Fact, keptFact } from "../model/Fact.ts"
import { objectId, traceIdIn } from "../model/Ids.ts"
import { type ObjectKey, WINDOW_SECONDS, windowStartUs } from "../model/ObjectKey.ts"
import type { SpanService } from "../model/Span.ts"
import { byTime, type FactRef, type FactSource, inRange } from "./FactSource.ts"
import { matchUs, touches } from "./MatchQuery.ts"
import { readHistory } from "./ReadHistory.ts"
import { readTrace } from "./ReadTrace.ts"
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

export interface MemorySpanStoreOptions {
  readonly clockwork: Pick<Clockwork, "defer">
  readonly windowSeconds?: number
  /** Facts beyond which nothing more is taken. Default 1,000,000. */
  readonly factsMax?: number
}

const FACTS_MAX = 1_000_000
const RETRY_AFTER_MS = 1000

export class MemorySpanStore implements SpanStore, FactSource {
  readonly windowSeconds: number
  private readonly clockwork: Pick<Clockwork, "defer">
  private readonly factsMax: number
  private readonly facts = new Map<string, Fact>()
  private readonly byObject = new Map<string, Array<Fact>>()
  private readonly listeners = new Set<(changes: ReadonlyArray<Change>) => void>()

  constructor({ clockwork, factsMax = FACTS_MAX, windowSeconds = WINDOW_SECONDS }: MemorySpanStoreOptions) {
    this.clockwork = clockwork
    this.factsMax = factsMax
    this.windowSeconds = windowSeconds
  }

  append(facts: ReadonlyArray<Fact>, done: (outcome: Appended) => void): void {
    if (this.facts.size + facts.length > this.factsMax) {
      return this.clockwork.defer(() => done({ kind: "full", retryAfterMs: RETRY_AFTER_MS }))
    }
    const changes = new Map<string, Change>()
    let added = 0
    for (const fact of facts) {
      if (this.facts.has(fact.id)) continue
      added++
      this.facts.set(fact.id, fact)
      const object = objectId(fact.object, this.windowSeconds)
      const known = this.byObject.get(object)
      if (known === undefined) this.byObject.set(object, [fact])
      else known.push(fact)
      const traceId = traceIdIn(object, windowStartUs(fact.atUs, this.windowSeconds))
      changes.set(traceId, { traceId, object: fact.object })
    }
    this.clockwork.defer(() => {
      done({ kind: "durable", added, known: facts.length - added })
      if (changes.size > 0) for (const listener of this.listeners) listener([...changes.values()])
    })
  }

  appendFrom(feed: Feed, done: (outcome: Appended) => void): void {
    const facts: Array<Fact> = []
    feed((fact) => void facts.push(keptFact(fact)))
    this.append(facts, done)
  }

  ofObject(object: string, kinds: ReadonlyArray<Fact["kind"]>, range: Range): ReadonlyArray<FactRef> {
    return (this.byObject.get(object) ?? [])
      .filter(({ atUs, kind }) => kinds.includes(kind) && inRange(atUs, range))
      .map((fact) => ({ kind: fact.kind, id: fact.id, atUs: fact.atUs, load: () => fact }))
      .sort(byTime)
  }

  trace(traceId: string, spansMax?: number): SpanChunks {
    return readTrace(this, traceId, spansMax)
  }

  search(query: TraceQuery, done: (found: ReadonlyArray<FoundTrace>) => void): void {
    const found = new Map<string, FoundTrace>()
    for (const fact of this.facts.values()) {
      const newestUs = matchUs(fact, query, this.windowSeconds)
      if (newestUs === undefined) continue
      const start = windowStartUs(fact.atUs, this.windowSeconds)
      const traceId = traceIdIn(objectId(fact.object, this.windowSeconds), start)
      const known = found.get(traceId)
      if (known !== undefined && known.newestUs >= newestUs) continue
      found.set(traceId, { traceId, object: fact.object, windowStartUs: start, newestUs })
    }
    const sorted = [...found.values()].sort((a, b) => b.newestUs - a.newestUs || (a.traceId < b.traceId ? -1 : 1))
    this.clockwork.defer(() => done(sorted.slice(0, query.limit)))
  }

  objects(query: ObjectQuery, done: (found: ReadonlyArray<ObjectKey>) => void): void {
    const newest = new Map<string, { readonly object: ObjectKey; readonly atUs: number }>()
    for (const { atUs, object } of this.facts.values()) {
      if (!inRange(atUs, query) || !fits(object, query)) continue
      const id = objectId(object, this.windowSeconds)
      if (atUs > (newest.get(id)?.atUs ?? Number.NEGATIVE_INFINITY)) newest.set(id, { object, atUs })
    }
    const sorted = Array.from(newest).sort(([a, x], [b, y]) => y.atUs - x.atUs || (a < b ? -1 : 1))
    this.clockwork.defer(() => done(sorted.slice(0, query.limit).map(([, { object }]) => object)))
  }

  tracesOf(object: ObjectKey, range: Range): ReadonlyArray<string> {
    const id = objectId(object, this.windowSeconds)
    const starts = new Set((this.byObject.get(id) ?? []).map(({ atUs }) => windowStartUs(atUs, this.windowSeconds)))
    return Array.from(starts)
      .filter((start) => touches(start, this.windowSeconds, range))
      .sort((a, b) => a - b)
      .map((start) => traceIdIn(id, start))
  }

  history(
    object: ObjectKey,
    options: Range & { readonly uid?: string; readonly limit: number }
  ): ReadonlyArray<Revision> {
    return readHistory(this, object, options)
  }

  services(): ReadonlyArray<SpanService> {
    const known = new Set<SpanService>()
    for (const fact of this.facts.values()) {
      known.add("object")
      const service = serviceOf(fact)
      if (service !== undefined) known.add(service)
    }
    return [...known].sort()
  }

  operations(service: SpanService): ReadonlyArray<string> {
    const names = new Set<string>()
    for (const fact of this.facts.values()) {
      if (service === "object") names.add(`${fact.object.resource}/${fact.object.name}`)
      else if (serviceOf(fact) === service) names.add(spanName(fact))
    }
    return [...names].sort().slice(0, OPERATIONS_MAX)
  }

  clusters(): ReadonlyArray<string> {
    return [...new Set(Array.from(this.facts.values(), ({ object }) => object.cluster))].sort()
  }

  onChange(listener: (changes: ReadonlyArray<Change>) => void): Cancel {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  stats(): StoreStats {
    let oldestUs: number | undefined
    for (const { atUs } of this.facts.values()) if (oldestUs === undefined || atUs < oldestUs) oldestUs = atUs
    return { facts: this.facts.size, bytes: 0, expired: 0, waiting: 0, oldestUs }
  }
}

/** Names of spans that a store tells. */
export const OPERATIONS_MAX = 10_000

const fits = (object: ObjectKey, query: ObjectQuery): boolean =>
  (query.cluster === undefined || query.cluster === object.cluster) &&
  (query.group === undefined || query.group === object.group) &&
  (query.resource === undefined || query.resource === object.resource) &&
  (query.namespace === undefined || query.namespace === object.namespace) &&
  (query.name === undefined || query.name === object.name)
