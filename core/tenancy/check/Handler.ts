// The server's handler as checks see it: requests go in as they come, and what it asks of the cluster behind is written down.
// Owns the two ends, without socket or clock; what is asked upstream is answered with nothing that matters, in the same turn.
import { ApiFailure, builtInResources, type Client, type Clockwork, Failures, type KubeList } from "#kube"
import type { HttpAnswerListener, HttpBody, HttpExchange, HttpFields, HttpRequestHead } from "#net"
import type { Catalog } from "../discovery/Catalog.ts"
import type { TenantCaller } from "../identity/Caller.ts"
import { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import { Tenants } from "../lifecycle/Tenants.ts"
import type { Rewriting } from "../rewrite/Contract.ts"
import { makeTenancy, type Tenancy } from "../serve/Tenancy.ts"
import type { Upstream, UpstreamCall } from "../upstream/Upstream.ts"
import { cast } from "./Book.ts"

const unbounded = {
  requestsPerSecond: Number.MAX_SAFE_INTEGER,
  burst: Number.MAX_SAFE_INTEGER,
  inFlightMax: Number.MAX_SAFE_INTEGER,
  longRunningMax: Number.MAX_SAFE_INTEGER
}

/** Turns of one request, above which it goes round in circles. */
const TURNS_MAX = 10_000

/** Time that stands still: only what is deferred happens. */
class StillClockwork implements Clockwork {
  private queue: Array<() => void> = []
  readonly now = (): number => 0
  readonly monotonic = (): number => 0
  readonly random = (): number => 0.5
  readonly defer = (run: () => void): void => void this.queue.push(run)
  readonly after = (): (() => void) => () => undefined
  readonly every = (): (() => void) => () => undefined

  settle(): void {
    for (let turn = 0; this.queue.length > 0; turn++) {
      if (turn > TURNS_MAX) throw new Error("a request goes round in circles")
      const { queue } = this
      this.queue = []
      for (const run of queue) run()
    }
  }
}

interface Group {
  readonly metadata: { readonly name: string }
  readonly versions: Array<{ version: string; freshness: string; resources: Array<unknown> }>
}

const CONNECTED = ["attach", "exec", "log", "portforward", "proxy"]

/** What is served upstream: the built-in kinds, the tenant's own, and one that is another's. */
const served = (core: boolean): string => {
  const groups = new Map<string, Group>()
  const foreign = ["", ...cast.others].map((id) => ({
    group: `${id === "" ? cast.tenant : id}-${cast.customGroup}`,
    version: "v1",
    kind: "Widget",
    resource: "widgets",
    namespaced: true,
    verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    subresources: []
  }))
  for (const { group, kind, namespaced, resource, subresources, verbs, version } of [
    ...builtInResources(),
    ...foreign
  ]) {
    if ((group === "") !== core) continue
    const found = groups.get(group) ?? { metadata: { name: group }, versions: [] }
    groups.set(group, found)
    let held = found.versions.find((one) => one.version === version)
    if (held === undefined) found.versions.push((held = { version, freshness: "Current", resources: [] }))
    const connected = group === "" && ["pods", "services", "nodes"].includes(resource) ? CONNECTED : []
    held.resources.push({
      resource,
      responseKind: { kind },
      scope: namespaced ? "Namespaced" : "Cluster",
      verbs,
      subresources: [
        ...subresources.map((one) => ({ subresource: one.name, verbs: one.verbs })),
        ...connected.map((name) => ({ subresource: name, verbs: ["create", "delete", "get", "patch", "update"] }))
      ]
    })
  }
  return JSON.stringify({
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    items: [...groups.values()]
  })
}

const DONE = '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}'
const json: HttpFields = [["content-type", "application/json"]]
const encoder = new TextEncoder()

const quiet: UpstreamCall = {
  pause: () => undefined,
  resume: () => undefined,
  cancel: () => undefined,
  write: () => true,
  end: () => undefined
}

class RecordingUpstream implements Upstream {
  asked: Array<HttpRequestHead> = []
  private readonly clockwork: StillClockwork
  private readonly discovery = new Map([
    ["/api", encoder.encode(served(true))],
    ["/apis", encoder.encode(served(false))]
  ])

  constructor(clockwork: StillClockwork) {
    this.clockwork = clockwork
  }

  send(head: HttpRequestHead, _body: Uint8Array | "stream" | undefined, listener: HttpAnswerListener): UpstreamCall {
    const known = this.discovery.get(head.path)
    if (known === undefined) this.asked.push(head)
    this.clockwork.defer(() => {
      listener.head(200, json)
      listener.body(known ?? encoder.encode(DONE))
      listener.end([])
    })
    return quiet
  }

  upgrade(head: HttpRequestHead, done: Parameters<Upstream["upgrade"]>[1]): () => void {
    this.asked.push(head)
    this.clockwork.defer(() => done(Failures.unavailable("nobody is here")))
    return () => undefined
  }
}

/** Knows one namespace of the tenant, and nothing else. */
const clientOf = (clockwork: StillClockwork): Client => {
  const nothing = Failures.unavailable("nobody is here")
  const list: KubeList = {
    apiVersion: "v1",
    kind: "NamespaceList",
    metadata: { resourceVersion: "1" },
    items: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: `${cast.tenant}-default` } }]
  }
  const later = <A>(done: (answer: A | ApiFailure) => void, answer: A | ApiFailure): void =>
    clockwork.defer(() => done(answer))
  return {
    get: (_target, _options, done) => later(done, nothing),
    list: (_collection, _options, done) => later(done, list),
    watch: () => () => undefined,
    create: (_target, _object, _options, done) => later(done, nothing),
    update: (_target, _object, _options, done) => later(done, nothing),
    patch: (_target, _patch, _options, done) => later(done, nothing),
    delete: (_target, _options, done) => later(done, nothing),
    deleteCollection: (_collection, _options, _selection, done) => later(done, nothing)
  }
}

const sink: HttpBody = {
  write: () => true,
  relay: () => true,
  bufferedBytes: 0,
  onDrain: undefined,
  end: () => undefined,
  abort: () => undefined
}

/** A request as a client sends it. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly fields: HttpFields
  readonly body: string
}

/** One request on its way in, from memory; of what is answered it keeps the code. */
export class MemoryExchange implements HttpExchange {
  readonly protocol: HttpExchange["protocol"] = "HTTP/1.1"
  readonly peer = "10.0.0.1:1"
  readonly secure = true
  readonly peerCertificate = undefined
  readonly peerCertificateProblem = undefined
  readonly serverName = undefined
  readonly tlsIdentity = undefined
  memo: unknown
  connectionMemo: unknown
  onClose: (() => void) | undefined
  onGoAway: (() => void) | undefined
  code = 0
  private readonly sent: Sent

  constructor(sent: Sent) {
    this.sent = sent
  }

  get method(): string {
    return this.sent.method
  }

  get path(): string {
    return this.sent.path
  }

  get bodyless(): boolean {
    return this.sent.body === ""
  }

  header(name: string): string | undefined {
    return this.sent.fields.find(([field]) => field === name)?.[1]
  }

  fields(): HttpFields {
    return this.sent.fields
  }

  readBody(_maxBytes: number, done: (body: Uint8Array | undefined) => void): void {
    done(encoder.encode(this.sent.body))
  }

  onBody(chunk: (bytes: Uint8Array) => boolean, end: () => void): void {
    chunk(encoder.encode(this.sent.body))
    end()
  }

  resumeBody(): void {}

  respond(status: number, _fields?: HttpFields, _body?: string | Uint8Array): void {
    this.code = status
  }

  start(status: number, _fields?: HttpFields): HttpBody {
    this.code = status
    return sink
  }

  hangUp(): void {}

  upgrade(): undefined {
    return undefined
  }
}

/** What came of one request. */
export interface Passed {
  readonly code: number
  /** What was asked upstream for it. */
  readonly asked: ReadonlyArray<HttpRequestHead>
}

/** The handler, serving one caller. */
export class CheckedHandler {
  private readonly clockwork = new StillClockwork()
  private readonly upstream = new RecordingUpstream(this.clockwork)
  private readonly tenancy: Tenancy
  private caller: TenantCaller | undefined
  private defect: unknown

  constructor(rewriting: Rewriting) {
    const { clockwork, upstream } = this
    const client = clientOf(clockwork)
    this.tenancy = makeTenancy({
      upstream,
      client,
      clockwork,
      tenants: new Tenants({ client, clockwork }),
      namespaces: new TenantNamespaces(client, clockwork),
      identify: (_exchange, done) => done(this.caller ?? Failures.unauthorized()),
      rewriting: () => rewriting,
      limits: unbounded,
      secret: "of a check",
      onDefect: (defect) => (this.defect = defect)
    })
    clockwork.settle()
  }

  /** What is served upstream. */
  get catalog(): Catalog {
    return this.tenancy.catalog
  }

  /** Sends a request as somebody; fails when the handler breaks over it. */
  send(caller: TenantCaller, sent: Sent): Passed {
    const exchange = new MemoryExchange(sent)
    this.caller = caller
    this.upstream.asked = []
    this.tenancy.handler(exchange)
    this.clockwork.settle()
    exchange.onClose?.()
    this.clockwork.settle()
    if (this.defect !== undefined) throw this.defect
    return { code: exchange.code, asked: this.upstream.asked }
  }
}
