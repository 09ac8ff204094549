// A tenant's watch, of one namespace, of all that it has, or of a kind that stands in none: its share of a watch that all tenants have
// together.
// Owns its beginning, its bookmarks and its end; refuses to hold what a slow client does not take: it ends, and the client resumes.
import { ApiFailure, type Clockwork, Failures } from "#kube"
import type { HttpBody, HttpFields } from "#net"
import type { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import { BodyInvalid, type RewriteStream } from "../rewrite/Contract.ts"
import { answerOptions } from "../serve/Answers.ts"
import type { TenantCall } from "../serve/TenantCall.ts"
import { acceptUp, fieldsDown, selectorsUp } from "../serve/UpstreamHead.ts"
import type { Upstream } from "../upstream/Upstream.ts"
import { InitialEvents, type InitialState } from "./InitialEvents.ts"
import type { SharedWatches } from "./SharedWatches.ts"
import { columnsOnce, withoutObjects } from "./TableEvents.ts"
import { type SplitFields, splitFields, type WatchStart, watchStart } from "./WatchAsked.ts"
import { isAfter, type SourceEvent, type WatchQuestion } from "./WatchSource.ts"

/** Bytes that may wait for a client. */
const WAITING_BYTES_MAX = 8_388_608
/** Seconds of a watch whose client says nothing: kube-apiserver's minimum, and up to twice as much. */
const SECONDS_MIN = 1800

export interface TenantWatchOptions {
  readonly upstream: Upstream
  readonly namespaces: TenantNamespaces
  readonly shared: SharedWatches
  readonly clockwork: Clockwork
}

const newline = Uint8Array.of(10)

/** What of upstream's answer to a shared watch is everybody's. */
const shareable: ReadonlySet<string> = new Set(["cache-control", "warning"])

/** What a watch asks upstream: all of the kind, or one namespace of it. */
interface Questions {
  /** For the state at the beginning: all that selects. */
  readonly state: (namespace: string) => WatchQuestion
  /** For what follows: without what names decide. */
  readonly shared: WatchQuestion
}

const parameter = (name: string, value: string): ReadonlyArray<string> =>
  value === "" ? [] : [`${name}=${encodeURIComponent(value)}`]

export class TenantWatch {
  private readonly options: TenantWatchOptions
  private readonly call: TenantCall
  private readonly start: WatchStart
  /** Upstream's spelling of the one namespace that is watched; empty: all of the tenant's, or a kind in none. */
  private readonly namespace: string
  private readonly rewrite: RewriteStream | undefined
  private readonly hidesObjects: boolean
  private sink: HttpBody | undefined
  private since: ReadonlyMap<string, string> = new Map()
  private toldColumns = false
  private passes: SplitFields["passes"]

  private constructor(options: TenantWatchOptions, call: TenantCall, start: WatchStart) {
    this.options = options
    this.call = call
    this.start = start
    const { served, shape } = call.kind
    const { namespace } = call.path.info
    this.namespace = served.namespaced && namespace !== "" ? call.scope.names.namespaceUp(namespace) : ""
    this.hidesObjects = call.query.get("includeObject") === "None"
    // Only a watch of Tables remembers something from one event to the next.
    const inTables = call.exchange.header("accept")?.includes("as=Table") === true
    this.rewrite = inTables ? call.scope.rewriting.watchToTenant(shape, answerOptions(call)) : undefined
  }

  /** How the watch of a call begins; a failure when it asks for what no shared watch has. */
  static prepare(options: TenantWatchOptions, call: TenantCall): (() => void) | ApiFailure {
    const start = watchStart(call.query)
    if (start instanceof ApiFailure) return start
    const watch = new TenantWatch(options, call, start)
    const questions = watch.questions()
    if (questions instanceof ApiFailure) return questions
    return options.shared.refusal(questions.shared) ?? (() => watch.begin(questions))
  }

  private begin(questions: Questions): void {
    this.limitTime()
    if (this.start.state) this.state(questions)
    else this.follow(questions.shared, this.start.version)
  }

  private questions(): Questions | ApiFailure {
    const { call } = this
    const accept = acceptUp(call.exchange.header("accept"), true)
    if (accept instanceof ApiFailure) return accept
    const selectors = selectorsUp(call)
    if (selectors instanceof ApiFailure) return selectors
    const fields = splitFields(selectors.field, call.kind.served.namespaced)
    this.passes = fields.passes
    // Whose a row is, its object tells.
    const included = this.hidesObjects ? "" : call.query.get("includeObject")
    const parameters = (field: string) => [
      ...parameter("labelSelector", selectors.label),
      ...parameter("fieldSelector", field),
      ...parameter("includeObject", included)
    ]
    return {
      state: (namespace) => ({ accept, parameters: parameters(selectors.field), path: this.path(namespace) }),
      shared: { accept, parameters: parameters(fields.rest), path: this.path("") }
    }
  }

  private path(namespace: string): string {
    const { group, resource, version } = this.call.kind.served
    const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
    return namespace === "" ? `${root}/${resource}` : `${root}/namespaces/${namespace}/${resource}`
  }

  private limitTime(): void {
    const { call } = this
    const { clockwork } = this.options
    const asked = Number(call.query.get("timeoutSeconds"))
    const seconds = asked > 0 ? asked : SECONDS_MIN * (1 + clockwork.random())
    call.onOver(clockwork.after(Math.min(seconds, 2 * SECONDS_MIN * 10) * 1000, () => this.end()))
  }

  private state(questions: Questions): void {
    const { call, namespace, options } = this
    const initial = new InitialEvents({
      upstream: options.upstream,
      namespaces: options.namespaces,
      tenant: call.scope.tenant.id,
      only: namespace !== "" || !call.kind.served.namespaced ? namespace : undefined,
      resourceVersion: this.start.version,
      question: questions.state,
      opened: (fields) => this.open(fields),
      event: (event) => this.write(event, undefined),
      done: (state) => {
        if (call.over) return
        if (state instanceof ApiFailure) this.ended(state)
        else this.stateTold(state, questions.shared)
      }
    })
    call.onOver(initial.begin())
  }

  private stateTold(state: InitialState, question: WatchQuestion): void {
    this.since = state.since
    if (this.start.streams) {
      const { from } = state
      this.write(state.bookmark === undefined ? emptyBookmark(this.call, from) : at(state.bookmark, from), undefined)
    }
    this.follow(question, state.from)
  }

  private follow(question: WatchQuestion, resourceVersion: string): void {
    const { call, namespace } = this
    if (call.over) return
    const cancel = this.options.shared.subscribe(question, call.kind.served, {
      tenant: call.scope.tenant.id,
      namespace,
      resourceVersion,
      begun: (fields) => this.open(fields),
      event: (event, columns) => this.hear(event, columns),
      ended: (failure) => this.ended(failure)
    })
    if (cancel instanceof ApiFailure) return this.ended(cancel)
    call.onOver(cancel)
  }

  private hear(event: SourceEvent, columns: string | undefined): void {
    if (event.type === "BOOKMARK") {
      if (this.start.bookmarks) this.write(event, columns)
      return
    }
    if (this.passes?.(event) === false) return
    const since = this.since.get(event.namespace)
    // Told with the state already.
    if (since !== undefined && !isAfter(event.resourceVersion, since)) return
    this.write(event, columns)
  }

  private open(fields: HttpFields): HttpBody {
    const own = fields.filter(([name]) => shareable.has(name))
    this.sink ??= this.call.start(200, [["content-type", "application/json"], ...fieldsDown(this.call, own)])
    return this.sink
  }

  private write(event: SourceEvent, columns: string | undefined): void {
    const { call } = this
    if (call.over) return
    const line = columnsOnce(event, this.toldColumns, columns)
    const translated = this.translated(line)
    if (translated instanceof BodyInvalid)
      return this.ended(Failures.internal("upstream sent an event that cannot be read"))
    if (translated === undefined || translated.length === 0) return
    this.toldColumns ||= (columns ?? event.columns) !== undefined
    const told = this.hidesObjects ? withoutObjects(translated) : translated
    const sink = this.open([])
    sink.write(told)
    if (told.at(-1) !== 10) sink.write(newline)
    if (sink.bufferedBytes > WAITING_BYTES_MAX) this.end()
  }

  private translated(line: Uint8Array): Uint8Array | BodyInvalid | undefined {
    const { call, rewrite } = this
    if (rewrite === undefined) return call.scope.rewriting.eventToTenant(call.kind.shape, line, answerOptions(call))
    const first = rewrite.push(line)
    return first instanceof BodyInvalid || first.length > 0 ? first : rewrite.push(newline)
  }

  /** Only what is too old is told within the watch; after all else the client asks anew, and hears why. */
  private ended(failure: ApiFailure): void {
    const { call } = this
    if (call.over) return
    if (failure.code !== 410) return this.sink === undefined ? call.fail(failure) : this.end()
    const { rewriting } = call.scope
    const object = { ...failure.status, message: rewriting.textToTenant(failure.message) }
    this.open([]).write(Buffer.from(`${JSON.stringify({ type: "ERROR", object })}\n`))
    this.end()
  }

  private end(): void {
    if (this.call.over) return
    this.open([]).end()
    this.call.finish()
  }
}

/** A bookmark of another version. */
const at = (bookmark: SourceEvent, version: string): SourceEvent => {
  if (bookmark.resourceVersion === version) return bookmark
  const own = `"resourceVersion":"${bookmark.resourceVersion}"`
  const text = Buffer.from(bookmark.bytes).toString("utf8").replaceAll(own, `"resourceVersion":"${version}"`)
  return { ...bookmark, resourceVersion: version, bytes: Buffer.from(text) }
}

/** Of a tenant without namespaces. */
const emptyBookmark = (call: TenantCall, resourceVersion: string): SourceEvent => {
  const { group, kind, version } = call.kind.served
  const object = {
    kind,
    apiVersion: group === "" ? version : `${group}/${version}`,
    metadata: { resourceVersion, creationTimestamp: null, annotations: { "k8s.io/initial-events-end": "true" } }
  }
  const bytes = Buffer.from(JSON.stringify({ type: "BOOKMARK", object }))
  return { type: "BOOKMARK", namespace: "", name: "", resourceVersion, endsInitial: true, bytes }
}
