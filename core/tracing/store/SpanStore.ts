// What everything outward asks of the store of traces: facts in, spans out.
// Owns the contract that the memory and the LMDB store keep; refuses display modes, wire forms and answers, which stand on it.
import type { Cancel } from "#kube"
import type { Fact, Take } from "../model/Fact.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import type { DiffLine, Span, SpanService } from "../model/Span.ts"

/** How an append ended: `durable` survives the loss of power; nothing is kept of the others. */
export type Appended =
  | { readonly kind: "durable"; readonly added: number; readonly known: number }
  /** As many facts wait as may: try again later. */
  | { readonly kind: "full"; readonly retryAfterMs: number }
  | { readonly kind: "failed"; readonly detail: string }

/** Which traces are looked for. Every part that is there must hold, all but the limit for one and the same span. */
export interface TraceQuery {
  /** Absent: audit and event spans. */
  readonly service?: SpanService
  /** A span's name. */
  readonly operation?: string
  /** Attributes with exactly these values. */
  readonly attributes?: Readonly<Record<string, string>>
  /** Half-open range of a span's start; absent ends are open. For object and link spans the window must touch it. */
  readonly fromUs?: number
  readonly toUs?: number
  readonly minDurationUs?: number
  readonly maxDurationUs?: number
  /** At least 1. */
  readonly limit: number
}

/** A trace with a span that a query looked for. */
export interface FoundTrace {
  readonly traceId: string
  readonly object: ObjectKey
  readonly windowStartUs: number
  /** The start of the newest span that matched, by which traces are sorted, newest first. */
  readonly newestUs: number
}

/** A time range, half-open; absent ends are open. */
export interface Range {
  readonly fromUs?: number
  readonly toUs?: number
}

/** Which objects are looked for; every part that is there must be equal. */
export interface ObjectQuery extends Range, Partial<ObjectKey> {
  readonly limit: number
}

/** One version of an object, with what changed since the version before it. */
export interface Revision {
  readonly uid: string
  readonly resourceVersion: string
  readonly generation: number
  readonly atUs: number
  readonly state: "created" | "seen" | "deleted"
  readonly source: "audit" | "watch"
  readonly redacted: boolean
  /** Redacted JSON. */
  readonly body: string
  /** The version that the changes are since; empty when no earlier one is known. */
  readonly since: string
  readonly diff: ReadonlyArray<DiffLine>
}

/** Hands out a trace part by part; what was not asked for is not read. */
export interface SpanChunks {
  /** The next spans, never none; undefined at the end. */
  readonly next: () => ReadonlyArray<Span> | undefined
}

/** What a batch that became durable touched: each trace once. */
export interface Change {
  readonly traceId: string
  readonly object: ObjectKey
}

/** Hands over facts one by one. */
export type Feed = (take: Take) => void

export interface SpanStore {
  /** Seconds of a window; fixed for the life of a store. */
  readonly windowSeconds: number
  /**
   * Takes facts; those that are there already change nothing. `done` is called once, not before the call returned, when the
   * batch is durable and every later read sees it, or when nothing of it will be.
   */
  readonly append: (facts: ReadonlyArray<Fact>, done: (outcome: Appended) => void) => void
  /**
   * The same of facts that are made while they are taken, before the call returns. What the feed throws is thrown on: then nothing of
   * it is kept, and `done` not called. A store that is full does not call the feed.
   */
  readonly appendFrom: (feed: Feed, done: (outcome: Appended) => void) => void
  /**
   * The spans of one trace: the object's own first, then its links, then audits and events by start and id. At most
   * `spansMax` at a time (default 500). A trace that is not there has none.
   */
  readonly trace: (traceId: string, spansMax?: number) => SpanChunks
  /** Traces by the newest matching span, newest first. `done` is not called before the call returned. */
  readonly search: (query: TraceQuery, done: (found: ReadonlyArray<FoundTrace>) => void) => void
  /** Objects with a fact of any kind in the range, by the newest, newest first. */
  readonly objects: (query: ObjectQuery, done: (found: ReadonlyArray<ObjectKey>) => void) => void
  /** Ids of an object's traces whose windows touch the range, oldest first. */
  readonly tracesOf: (object: ObjectKey, range: Range) => ReadonlyArray<string>
  /** The object's known versions, of one incarnation or all, oldest first; at most the newest `limit`. */
  readonly history: (
    object: ObjectKey,
    options: Range & { readonly uid?: string; readonly limit: number }
  ) => ReadonlyArray<Revision>
  /** Services with spans, sorted. */
  readonly services: () => ReadonlyArray<SpanService>
  /** Names of spans of a service, sorted; bounded. */
  readonly operations: (service: SpanService) => ReadonlyArray<string>
  /** Clusters with facts, sorted. */
  readonly clusters: () => ReadonlyArray<string>
  /** Hears of each batch after it became durable, until cancelled. */
  readonly onChange: (listener: (changes: ReadonlyArray<Change>) => void) => Cancel
  readonly stats: () => StoreStats
}

export interface StoreStats {
  readonly facts: number
  readonly bytes: number
  /** Facts of whole segments that were dropped for age or size. */
  readonly expired: number
  /** Facts in batches that wait to become durable. */
  readonly waiting: number
  /** The oldest fact's time; undefined when there is none. */
  readonly oldestUs: number | undefined
}
