// A tenant's watch over all its namespaces, or of a kind that stands in none: its share of a watch that all tenants have together.
// Owns its beginning, its bookmarks and its end; refuses to hold what a slow client does not take: it ends, and the client resumes.
import { ApiFailure, type Clockwork, Failures } from "#kube"
import type { HttpBody } from "#net"
import type { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import { BodyInvalid } from "../rewrite/Contract.ts"
import type { TenantCall } from "../serve/TenantCall.ts"
import { acceptUp, selectorsUp } from "../serve/UpstreamHead.ts"
import type { Upstream } from "../upstream/Upstream.ts"
import { InitialEvents, type InitialState } from "./InitialEvents.ts"
import type { SharedWatches } from "./SharedWatches.ts"
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

const isTrue = (text: string): boolean => text !== "" && text !== "0" && text.toLowerCase() !== "false"

export class TenantWatch {
  private readonly options: TenantWatchOptions
  private readonly call: TenantCall
  private sink: HttpBody | undefined
  private readonly bookmarks: boolean
  private since: ReadonlyMap<string, string> = new Map()

  constructor(options: TenantWatchOptions, call: TenantCall) {
    this.options = options
    this.call = call
    this.bookmarks = isTrue(call.query.get("allowWatchBookmarks"))
  }

  begin(): void {
    const { call } = this
    const accept = acceptUp(call.exchange.header("accept"), true)
    if (accept instanceof ApiFailure) return call.fail(accept)
    const selectors = selectorsUp(call)
    if (selectors instanceof ApiFailure) return call.fail(selectors)
    const parameters = [
      ...(selectors.label === "" ? [] : [`labelSelector=${encodeURIComponent(selectors.label)}`]),
      ...(selectors.field === "" ? [] : [`fieldSelector=${encodeURIComponent(selectors.field)}`]),
      ...(call.query.get("includeObject") === ""
        ? []
        : [`includeObject=${encodeURIComponent(call.query.get("includeObject"))}`])
    ]
    const question = (namespace: string): WatchQuestion => ({ accept, parameters, path: this.path(namespace) })
    const version = call.query.get("resourceVersion")
    const streams = isTrue(call.query.get("sendInitialEvents"))
    if (streams && !this.bookmarks) {
      return call.fail(Failures.badRequest("sendInitialEvents requires allowWatchBookmarks"))
    }
    this.limitTime()
    if (streams || version === "" || version === "0") this.state(question, streams)
    else this.follow(question(""), version)
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

  private state(question: (namespace: string) => WatchQuestion, streams: boolean): void {
    const { call, options } = this
    const initial = new InitialEvents({
      upstream: options.upstream,
      namespaces: options.namespaces,
      tenant: call.scope.tenant.id,
      namespaced: call.kind.served.namespaced,
      question,
      event: (event) => this.write(event),
      done: (state) => {
        if (call.over) return
        if (state instanceof ApiFailure) this.failed(state)
        else this.stateTold(state, question(""), streams)
      }
    })
    call.onOver(initial.begin())
  }

  private stateTold(state: InitialState, question: WatchQuestion, streams: boolean): void {
    this.since = state.since
    if (streams) this.write(state.bookmark ?? emptyBookmark(this.call, state.from))
    this.follow(question, state.from)
  }

  private follow(question: WatchQuestion, resourceVersion: string): void {
    const { call } = this
    const cancel = this.options.shared.subscribe(question, call.kind.served, {
      tenant: call.scope.tenant.id,
      resourceVersion,
      event: (event) => this.hear(event),
      ended: (failure) => this.failed(failure)
    })
    if (cancel instanceof ApiFailure) return this.failed(cancel)
    call.onOver(cancel)
    this.open()
  }

  private hear(event: SourceEvent): void {
    if (event.type === "BOOKMARK") {
      if (this.bookmarks) this.write(event)
      return
    }
    const since = this.since.get(event.namespace)
    // Told with the state already.
    if (since !== undefined && !isAfter(event.resourceVersion, since)) return
    this.write(event)
  }

  private open(): HttpBody {
    this.sink ??= this.call.start(200, [["content-type", "application/json"]])
    return this.sink
  }

  private write({ bytes }: SourceEvent): void {
    const { call } = this
    if (call.over) return
    const event = call.scope.rewriting.eventToTenant(call.kind.shape, bytes)
    if (event instanceof BodyInvalid)
      return this.failed(Failures.internal("upstream sent an event that cannot be read"))
    if (event === undefined || event.length === 0) return
    const sink = this.open()
    sink.write(event)
    if (event.at(-1) !== 10) sink.write(newline)
    if (sink.bufferedBytes > WAITING_BYTES_MAX) this.end()
  }

  private failed(failure: ApiFailure): void {
    const { call } = this
    if (call.over) return
    if (this.sink === undefined) return call.fail(failure)
    const { rewriting } = call.scope
    const object = { ...failure.status, message: rewriting.textToTenant(failure.message) }
    this.sink.write(Buffer.from(`${JSON.stringify({ type: "ERROR", object })}\n`))
    this.end()
  }

  private end(): void {
    if (this.call.over) return
    this.open().end()
    this.call.finish()
  }
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
