// What a query server asks, whatever the wire: services, operations, searches and traces.
// Owns how Jaeger's words are ours: a service is a display mode (its operations are clusters) or one of the stored services; refuses forms.
import { parseTraceId } from "../model/Ids.ts"
import { Attribute, type SpanService, services } from "../model/Span.ts"
import { type NextSpans, type OutSpan, outSpan } from "../otlp/OutSpan.ts"
import type { SpanStore, TraceQuery } from "../store/SpanStore.ts"
import type { TraceView, TraceViews } from "../view/TraceViews.ts"

/** Traces that one search tells at most. */
export const LIMIT_MAX = 1500
const LIMIT_DEFAULT = 20
/** Traces with links through which dependencies are counted. */
const DEPENDENCY_TRACES_MAX = 500

export interface CatalogQuery {
  /** Empty: the default display mode. */
  readonly service: string
  /** Empty: any. */
  readonly operation: string
  readonly attributes: Readonly<Record<string, string>>
  readonly fromUs: number | undefined
  readonly toUs: number | undefined
  readonly minDurationUs: number | undefined
  readonly maxDurationUs: number | undefined
  /** 0: the default, 20. */
  readonly limit: number
}

/** One trace, read as it is sent. */
export interface CatalogTrace {
  readonly traceId: string
  readonly next: NextSpans
}

export interface Dependency {
  readonly parent: string
  readonly child: string
  readonly callCount: number
}

export class TraceCatalog {
  private readonly store: SpanStore
  private readonly views: TraceViews
  private readonly nowUs: () => number

  constructor(store: SpanStore, views: TraceViews, nowUs: () => number) {
    this.store = store
    this.views = views
    this.nowUs = nowUs
  }

  /** Display modes, the default first, then what the store calls its spans. */
  services(): ReadonlyArray<string> {
    return [...this.views.modes.all.map(({ name }) => name), ...services]
  }

  operations(service: string): ReadonlyArray<string> {
    if (this.views.modes.ofName(service) !== undefined) return this.store.clusters()
    return isStored(service) ? this.store.operations(service) : []
  }

  /** Newest first, each made when it is asked for. `done` is not called before the call returned. */
  find(query: CatalogQuery, done: (traces: Iterable<CatalogTrace>) => void): void {
    const { operation, service } = query
    const wanted = traceQuery(query)
    const mode = service === "" ? this.views.modes.default : this.views.modes.ofName(service)
    if (mode !== undefined) {
      const attributes = operation === "" ? query.attributes : { ...query.attributes, [Attribute.cluster]: operation }
      const within = { ...wanted, attributes }
      return this.views.search(mode, within, this.nowUs(), (views) => done(mapped(views, ofView)))
    }
    if (!isStored(service)) return this.store.objects({ limit: 1 }, () => done([]))
    const stored = { ...wanted, service, ...(operation === "" ? {} : { operation }) }
    this.store.search(stored, (found) => done(found.map(({ traceId }) => this.stored(traceId))))
  }

  /** Undefined when nothing is known by this id. `done` is not called before the call returned. */
  get(traceId: string, done: (trace: CatalogTrace | undefined) => void): void {
    this.views.ofId(traceId, (answer) => {
      if (answer.kind === "found") return done(ofView(answer.view))
      const first = parseTraceId(traceId) === undefined ? undefined : this.store.trace(traceId, 1).next()
      done(first === undefined ? undefined : this.stored(traceId))
    })
  }

  /** Which kinds of objects make which, counted by links of the newest objects in the range. */
  dependencies(
    fromUs: number | undefined,
    toUs: number | undefined,
    done: (found: ReadonlyArray<Dependency>) => void
  ): void {
    const range = { ...(fromUs === undefined ? {} : { fromUs }), ...(toUs === undefined ? {} : { toUs }) }
    this.store.search({ service: "link", ...range, limit: DEPENDENCY_TRACES_MAX }, (found) => {
      const counts = new Map<string, { readonly parent: string; readonly child: string; callCount: number }>()
      for (const { traceId } of found) {
        for (const { attributes, service } of this.store.trace(traceId).next() ?? []) {
          if (service !== "link" || attributes[Attribute.linkRole] !== "child") continue
          const parent = attributes[Attribute.resource] ?? ""
          const child = attributes[Attribute.linkedResource] ?? ""
          const known = counts.get(`${parent} ${child}`)
          if (known === undefined) counts.set(`${parent} ${child}`, { parent, child, callCount: 1 })
          else known.callCount++
        }
      }
      done([...counts.values()].sort((a, b) => b.callCount - a.callCount || (a.parent < b.parent ? -1 : 1)))
    })
  }

  private stored(traceId: string): CatalogTrace {
    const chunks = this.store.trace(traceId)
    return { traceId, next: () => chunks.next()?.map(outSpan) }
  }
}

const isStored = (service: string): service is SpanService => services.some((known) => known === service)

const ofView = ({ spans, traceId }: TraceView): CatalogTrace => wholeTrace(traceId, spans)

/** A trace whose spans are all there. */
export const wholeTrace = (traceId: string, spans: ReadonlyArray<OutSpan>): CatalogTrace => {
  let told = false
  return {
    traceId,
    next: () => {
      if (told) return undefined
      told = true
      return spans
    }
  }
}

function* mapped<A, B>(items: Iterable<A>, of: (item: A) => B): Generator<B> {
  for (const item of items) yield of(item)
}

const traceQuery = (query: CatalogQuery): TraceQuery => {
  const { attributes, fromUs, limit, maxDurationUs, minDurationUs, toUs } = query
  return {
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    ...(fromUs === undefined ? {} : { fromUs }),
    // Jaeger's ends belong to the range, ours do not.
    ...(toUs === undefined ? {} : { toUs: toUs + 1 }),
    ...(minDurationUs === undefined ? {} : { minDurationUs }),
    ...(maxDurationUs === undefined ? {} : { maxDurationUs }),
    limit: Math.min(Math.max(limit, 0) || LIMIT_DEFAULT, LIMIT_MAX)
  }
}
