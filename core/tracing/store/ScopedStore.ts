// The store as somebody sees it who may read some namespaces only: what is of others is not there, whoever asks for it by whatever name.
// Owns that filter over every question; refuses writes. Links of what is shown may name what is not, as the objects' own fields do.
import type { Cancel } from "#kube"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { Attribute, type SpanService } from "../model/Span.ts"
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

/** What may be read: all of a cluster, or one namespace of it. */
export interface ReadGrant {
  readonly cluster: string
  /** Undefined: all namespaces, and what is in none. */
  readonly namespace: string | undefined
}

const nothing: SpanChunks = { next: () => undefined }

export class ScopedStore implements SpanStore {
  readonly windowSeconds: number
  private readonly store: SpanStore
  private readonly grants: ReadonlyArray<ReadGrant>

  constructor(store: SpanStore, grants: ReadonlyArray<ReadGrant>) {
    this.store = store
    this.grants = grants
    this.windowSeconds = store.windowSeconds
  }

  append(_facts: unknown, done: (outcome: Appended) => void): void {
    done({ kind: "failed", detail: "who may only read cannot write" })
  }

  appendFrom(_feed: Feed, done: (outcome: Appended) => void): void {
    this.append(undefined, done)
  }

  private mayRead({ cluster, namespace }: ObjectKey): boolean {
    return this.grants.some(
      (grant) => grant.cluster === cluster && (grant.namespace === undefined || grant.namespace === namespace)
    )
  }

  trace(traceId: string, spansMax?: number): SpanChunks {
    const chunks = this.store.trace(traceId, spansMax)
    const first = chunks.next()
    // A trace is about one object, and its first span is the object's.
    if (first === undefined || !this.mayRead(first[0].object)) return nothing
    let told = false
    return {
      next: () => {
        if (told) return chunks.next()
        told = true
        return first
      }
    }
  }

  search(query: TraceQuery, done: (found: ReadonlyArray<FoundTrace>) => void): void {
    const { attributes = {}, limit } = query
    const queries = this.within(attributes[Attribute.cluster], attributes[Attribute.namespace]).map((parts) => ({
      ...query,
      attributes: { ...attributes, ...parts }
    }))
    if (queries.length === 0) return this.store.search({ limit: 1 }, () => done([]))
    gathered<TraceQuery, FoundTrace>(
      queries,
      (one, next) => this.store.search(one, next),
      (found) => {
        const sorted = found.toSorted((a, b) => b.newestUs - a.newestUs || (a.traceId < b.traceId ? -1 : 1))
        done(sorted.slice(0, limit))
      }
    )
  }

  /** One grant's objects after another's, each by the newest. */
  objects(query: ObjectQuery, done: (found: ReadonlyArray<ObjectKey>) => void): void {
    const queries = this.within(query.cluster, query.namespace).map((parts) => ({ ...query, ...parts }))
    if (queries.length === 0) return this.store.objects({ limit: 1 }, () => done([]))
    gathered<ObjectQuery, ObjectKey>(
      queries,
      (one, next) => this.store.objects(one, next),
      (found) => done(found.slice(0, query.limit))
    )
  }

  /** What is asked for, cut to each grant; a grant within another one asks nothing of its own. */
  private within(
    cluster: string | undefined,
    namespace: string | undefined
  ): ReadonlyArray<{ readonly cluster: string; readonly namespace?: string }> {
    return this.grants.flatMap((grant) => {
      if (cluster !== undefined && cluster !== grant.cluster) return []
      const wanted = grant.namespace ?? namespace
      if (namespace !== undefined && wanted !== namespace) return []
      return [{ cluster: grant.cluster, ...(wanted === undefined ? {} : { namespace: wanted }) }]
    })
  }

  tracesOf(object: ObjectKey, range: Range): ReadonlyArray<string> {
    return this.mayRead(object) ? this.store.tracesOf(object, range) : []
  }

  history(
    object: ObjectKey,
    options: Range & { readonly uid?: string; readonly limit: number }
  ): ReadonlyArray<Revision> {
    return this.mayRead(object) ? this.store.history(object, options) : []
  }

  services(): ReadonlyArray<SpanService> {
    return this.store.services()
  }

  /** None: they name objects and users of everywhere. */
  operations(): ReadonlyArray<string> {
    return []
  }

  clusters(): ReadonlyArray<string> {
    return this.store.clusters().filter((cluster) => this.grants.some((grant) => grant.cluster === cluster))
  }

  onChange(listener: (changes: ReadonlyArray<Change>) => void): Cancel {
    return this.store.onChange((changes) => {
      const shown = changes.filter(({ object }) => this.mayRead(object))
      if (shown.length > 0) listener(shown)
    })
  }

  stats(): StoreStats {
    return this.store.stats()
  }
}

/** Asks one after another and puts the answers together. */
const gathered = <Query, A>(
  queries: ReadonlyArray<Query>,
  ask: (query: Query, next: (found: ReadonlyArray<A>) => void) => void,
  done: (found: ReadonlyArray<A>) => void
): void => {
  const all: Array<A> = []
  const step = (at: number): void => {
    const query = queries[at]
    if (query === undefined) return done(all)
    ask(query, (found) => {
      all.push(...found)
      step(at + 1)
    })
  }
  step(0)
}

/** Grants without those that another one covers, in an order of their own: the same rights give the same list. */
export const distinctGrants = (grants: ReadonlyArray<ReadGrant>): ReadonlyArray<ReadGrant> => {
  const whole = new Set(grants.flatMap(({ cluster, namespace }) => (namespace === undefined ? [cluster] : [])))
  const parts = grants.filter(({ cluster, namespace }) => namespace === undefined || !whole.has(cluster))
  const named = new Map(parts.map((grant) => [`${grant.cluster}/${grant.namespace ?? ""}`, grant]))
  return Array.from(named)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, grant]) => grant)
}
