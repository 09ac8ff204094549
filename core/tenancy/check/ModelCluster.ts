// A cluster behind the handler that knows pods alone, as far as lists and watches of them go: by namespace, name, page and version, as
// kube-apiserver answers them. A watch is answered, and told what has happened, when a check says so.
// Owns this little model, against which joined lists and shared watches are judged; refuses labels and writes.
import { type ApiFailure, type Client, type Clockwork, Failures } from "#kube"
import type { HttpAnswerListener, HttpFields, HttpRequestHead } from "#net"
import type { Upstream, UpstreamCall } from "../upstream/Upstream.ts"
import { prefixIn } from "../names/TenantId.ts"

export interface Happened {
  readonly version: number
  readonly type: "ADDED" | "MODIFIED" | "DELETED"
  readonly namespace: string
  readonly name: string
}

/** What is asked about. */
export interface Concern {
  /** Empty: all. */
  readonly namespace: string
  readonly name: string | undefined
}

/** A watch as it was asked for. */
interface Asked extends Concern {
  readonly table: boolean
  readonly listener: HttpAnswerListener
  version: number
  /** Asked for the state first. */
  readonly initial: boolean
  opened: boolean
  toldColumns: boolean
}

const COLUMNS = [{ name: "Name", type: "string", format: "name", description: "", priority: 0 }]
const INITIAL_END = { "k8s.io/initial-events-end": "true" }
const json: HttpFields = [["content-type", "application/json"]]

const quiet: UpstreamCall = {
  pause: () => undefined,
  resume: () => undefined,
  write: () => true,
  end: () => undefined,
  cancel: () => undefined
}

/** What is served, as discovery says it. */
const served = (path: string) => {
  const pods = { resource: "pods", responseKind: { kind: "Pod" }, scope: "Namespaced", verbs: ["list", "watch"] }
  const core = { metadata: {}, versions: [{ version: "v1", freshness: "Current", resources: [pods] }] }
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    items: path === "/api" ? [core] : []
  }
}

const nobody = Failures.unavailable("nobody is here")

export class ModelCluster implements Upstream {
  readonly log: Array<Happened> = []
  /** Namespaces that exist. */
  readonly namespaces = new Set<string>()
  readonly open = new Set<Asked>()
  /** The most watches that were open at the same time. */
  most = 0
  version = 100
  /** What is before it has been compacted. */
  oldest = 0
  /** Answered to whoever watches. */
  refusal: ApiFailure | undefined
  private readonly clockwork: Clockwork

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  happen(type: Happened["type"], namespace: string, name: string): void {
    this.log.push({ version: ++this.version, type, namespace, name })
  }

  static concerns({ name, namespace }: Concern, each: Happened): boolean {
    return (namespace === "" || namespace === each.namespace) && (name === undefined || name === each.name)
  }

  /** The objects that there were at a version, each as it was last written, in the order of their keys. */
  state(concern: Concern, version = this.version): ReadonlyArray<Happened> {
    const found = new Map<string, Happened>()
    for (const each of this.log) {
      if (each.version > version || !ModelCluster.concerns(concern, each)) continue
      const key = `${each.namespace}/${each.name}`
      if (each.type === "DELETED") found.delete(key)
      else found.set(key, each)
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each)
  }

  upgrade(): () => void {
    throw new Error("no upgrade is asked for")
  }

  send(head: HttpRequestHead, _body: unknown, listener: HttpAnswerListener): UpstreamCall {
    const { pathname, searchParams: query } = new URL(head.path, "http://upstream")
    const concern: Concern = {
      namespace: /\/namespaces\/([^/]+)\//.exec(pathname)?.[1] ?? "",
      name: /^metadata\.name=(.*)$/.exec(query.get("fieldSelector") ?? "")?.[1]
    }
    if (query.has("watch")) return this.watched(concern, head, query, listener)
    const answer = pathname.endsWith("/pods") ? this.listed(concern, query) : served(pathname)
    this.clockwork.defer(() => {
      listener.head(200, json)
      listener.body(Buffer.from(JSON.stringify(answer)))
      listener.end([])
    })
    return quiet
  }

  private listed(concern: Concern, query: URLSearchParams) {
    const [at = "", start = ""] = (query.get("continue") ?? "").split("|")
    const exact = query.get("resourceVersionMatch") === "Exact" ? (query.get("resourceVersion") ?? "") : ""
    const version = Number(at || exact || this.version)
    const rest = this.state(concern, version).filter(({ name, namespace }) => `${namespace}/${name}` > start)
    const limit = Number(query.get("limit") ?? "0")
    const page = limit > 0 ? rest.slice(0, limit) : rest
    const last = page.at(-1)
    const further =
      page.length < rest.length && last !== undefined
        ? { continue: `${version}|${last.namespace}/${last.name}`, remainingItemCount: rest.length - page.length }
        : {}
    const metadata = { resourceVersion: String(version), ...further }
    return { kind: "PodList", apiVersion: "v1", metadata, items: page.map(podOf) }
  }

  // --- watches ---

  private watched(
    concern: Concern,
    { fields }: HttpRequestHead,
    query: URLSearchParams,
    listener: HttpAnswerListener
  ): UpstreamCall {
    const asked: Asked = {
      ...concern,
      table: fields.some(([name, value]) => name === "accept" && value.includes("as=Table")),
      listener,
      version: Number(query.get("resourceVersion") ?? "0"),
      initial: query.get("sendInitialEvents") === "true",
      opened: false,
      toldColumns: false
    }
    this.open.add(asked)
    this.most = Math.max(this.most, this.open.size)
    return { ...quiet, cancel: () => void this.open.delete(asked) }
  }

  /** Answers who has asked, and tells everyone what has happened. */
  turn(): void {
    for (const asked of this.open) if (!asked.opened) this.answer(asked)
    for (const asked of this.open) {
      if (!asked.opened) continue
      for (const each of this.log) {
        if (each.version <= asked.version || !this.open.has(asked)) continue
        asked.version = each.version
        if (ModelCluster.concerns(asked, each)) this.tell(asked, each)
      }
    }
  }

  private answer(asked: Asked): void {
    const { listener } = asked
    if (this.refusal !== undefined) {
      this.open.delete(asked)
      listener.head(this.refusal.code, json)
      listener.body(Buffer.from(JSON.stringify(this.refusal.status)))
      listener.end([])
      return
    }
    asked.opened = true
    listener.head(200, [["warning", '299 - "old"']])
    if (asked.initial) {
      for (const each of this.state(asked)) this.tell(asked, { ...each, type: "ADDED" })
      asked.version = this.version
      this.bookmark(asked, INITIAL_END)
    } else if (asked.version < this.oldest) {
      this.open.delete(asked)
      const object = Failures.expired("too old resource version").status
      listener.body(Buffer.from(`${JSON.stringify({ type: "ERROR", object })}\n`))
    }
  }

  /** Tells everyone how far it is. */
  bookmarks(): void {
    for (const asked of this.open) if (asked.opened) this.bookmark(asked)
  }

  private bookmark(asked: Asked, annotations?: Readonly<Record<string, string>>): void {
    const metadata = { resourceVersion: String(asked.version), ...(annotations === undefined ? {} : { annotations }) }
    line(asked, "BOOKMARK", { kind: "Pod", apiVersion: "v1", metadata })
  }

  private tell(asked: Asked, each: Happened): void {
    line(asked, each.type, podOf(each))
  }

  /** Breaks one of the open answers off. */
  lose(): void {
    for (const asked of this.open) {
      this.open.delete(asked)
      asked.listener.failed(new Error("lost"), true)
      return
    }
  }

  /** The same cluster as objects: its namespaces. */
  client(): Client {
    const later = <A>(done: (answer: A | ApiFailure) => void, answer: A | ApiFailure): void =>
      this.clockwork.defer(() => done(answer))
    return {
      get: (_target, _options, done) => later(done, nobody),
      list: (_collection, { labelSelector = "" }, done) => {
        const id = labelSelector.split("=")[1] ?? ""
        const items = [...this.namespaces]
          .filter((name) => prefixIn(name) === id)
          .map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }))
        const metadata = { resourceVersion: String(this.version) }
        later(done, { apiVersion: "v1", kind: "NamespaceList", metadata, items })
      },
      watch: () => () => undefined,
      create: (_target, _object, _options, done) => later(done, nobody),
      update: (_target, _object, _options, done) => later(done, nobody),
      patch: (_target, _patch, _options, done) => later(done, nobody),
      delete: (_target, _options, done) => later(done, nobody),
      deleteCollection: (_collection, _options, _selection, done) => later(done, nobody)
    }
  }
}

interface Pod {
  readonly kind: string
  readonly apiVersion: string
  readonly metadata: { readonly resourceVersion: string }
}

const podOf = ({ name, namespace, version }: Happened): Pod => {
  const metadata = { name, namespace, resourceVersion: String(version) }
  return { kind: "Pod", apiVersion: "v1", metadata }
}

/** One event as it is sent: of Tables the first says the columns. */
const line = (asked: Asked, type: string, pod: Pod): void => {
  let object: unknown = pod
  if (asked.table) {
    const columnDefinitions = asked.toldColumns ? null : COLUMNS
    const row = { cells: [], object: { ...pod, kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1" } }
    const { resourceVersion } = pod.metadata
    const metadata = { resourceVersion }
    object = { kind: "Table", apiVersion: "meta.k8s.io/v1", metadata, columnDefinitions, rows: [row] }
    asked.toldColumns = true
  }
  asked.listener.body(Buffer.from(`${JSON.stringify({ type, object })}\n`))
}
