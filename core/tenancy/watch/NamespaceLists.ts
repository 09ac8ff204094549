// One list over all namespaces of a tenant: each namespace is listed by itself at one version, so that it costs what the tenant
// has and not what the cluster has.
// Owns the order of pages and the version they share; refuses to authorize, which is done before.
import { ApiFailure, Failures } from "#kube"
import type { HttpAnswerListener, HttpBody, HttpFields } from "#net"
import { inListOrder, type TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import { BodyInvalid, type RewriteStream } from "../rewrite/Contract.ts"
import { answerOptions, answerWhole } from "../serve/Answers.ts"
import type { Cursors } from "../serve/Cursor.ts"
import type { TenantCall } from "../serve/TenantCall.ts"
import { acceptUp, fieldsDown, fieldsUp, pathUp, queryUp } from "../serve/UpstreamHead.ts"
import {
  lostUpstream,
  type Upstream,
  type UpstreamCall,
  wholeAnswer,
  type WholeAnswer,
  WHOLE_BYTES_MAX
} from "../upstream/Upstream.ts"
import { type ListAround, ListItems, ListJoiner } from "./ListItems.ts"

/** Namespaces that are asked for at the same time. */
const ABREAST = 8
/** Bytes that a namespace behind the first in line may hold until it must wait. */
const HELD_BYTES_MAX = 1_048_576

export interface NamespaceListsOptions {
  readonly upstream: Upstream
  readonly namespaces: TenantNamespaces
  readonly cursors: Cursors
}

/** Parameters that the fan-out says by itself. */
const own: ReadonlySet<string> = new Set(["limit", "resourceVersion", "resourceVersionMatch", "continue", "watch"])

/** What names a list in its tokens: the same question must be asked with them. */
export const listName = (call: TenantCall): string =>
  [pathUp(call), call.query.get("labelSelector"), call.query.get("fieldSelector")].join("?")

/** One namespace's part of the list. */
class Part implements HttpAnswerListener {
  readonly namespace: string
  call: UpstreamCall | undefined
  around: ListAround | undefined
  private readonly list: NamespaceLists
  private readonly items: ListItems
  private refusal: (HttpAnswerListener & { call: UpstreamCall | undefined }) | undefined
  private held: Array<Uint8Array> = []
  private heldBytes = 0
  private before: ListAround | undefined

  constructor(list: NamespaceLists, namespace: string) {
    this.list = list
    this.namespace = namespace
    this.items = new ListItems(
      (around) => {
        this.before = around
        if (list.isFirst(this)) list.joiner.begin(around)
        list.versionSeen(around)
      },
      (bytes) => this.item(bytes)
    )
  }

  head(code: number, fields: HttpFields): void {
    if (code === 200) return this.list.headSeen(fields)
    this.refusal = wholeAnswer(WHOLE_BYTES_MAX, (answer) => this.list.refused(answer))
    this.refusal.head(code, fields)
  }

  body(bytes: Uint8Array): void {
    if (this.refusal !== undefined) this.refusal.body(bytes)
    else if (!this.items.push(bytes)) this.list.broken()
  }

  private item(bytes: Uint8Array): void {
    if (this.list.isFirst(this)) return this.list.joiner.put(bytes.slice())
    this.held.push(bytes.slice())
    this.heldBytes += bytes.length
    if (this.heldBytes > HELD_BYTES_MAX) this.call?.pause()
  }

  /** It is this one's turn to be written. */
  turn(): void {
    this.list.joiner.next()
    if (this.before !== undefined) this.list.joiner.begin(this.before)
    for (const bytes of this.held) this.list.joiner.put(bytes)
    this.held = []
    this.heldBytes = 0
    this.call?.resume()
  }

  end(trailers: HttpFields): void {
    if (this.refusal !== undefined) return this.refusal.end(trailers)
    this.around = this.items.end()
    if (this.around === undefined) return this.list.broken()
    this.list.partEnded()
  }

  failed(error: Error): void {
    this.list.failed(lostUpstream(error))
  }

  /** How many items came. */
  get count(): number {
    return this.items.count
  }
}

/** Serves one list. */
export class NamespaceLists {
  private readonly options: NamespaceListsOptions
  private readonly call: TenantCall
  private readonly rewrite: RewriteStream
  readonly joiner: ListJoiner
  private sink: HttpBody | undefined
  private fields: HttpFields = []
  private line: Array<Part> = []
  private waiting: ReadonlyArray<string> = []
  private version = ""
  /** The continue token of upstream that the first namespace goes on with. */
  private upstreamToken = ""
  /** Items that the page may still have. */
  private left: number
  private readonly isPaged: boolean
  private readonly known = new Set<string>()
  private checked = false
  private last: Part | undefined

  constructor(options: NamespaceListsOptions, call: TenantCall) {
    this.options = options
    this.call = call
    this.left = Math.max(0, Math.trunc(Number(call.query.get("limit")) || 0))
    this.isPaged = this.left > 0
    this.rewrite = call.scope.rewriting.answerToTenant(call.kind.shape, {
      ...answerOptions(call),
      collection: true,
      // The token in the joined list is ours already.
      continueToken: (token) => token
    })
    this.joiner = new ListJoiner((bytes) => this.write(bytes))
    call.onOver(() => {
      for (const part of this.line) part.call?.cancel()
    })
  }

  begin(): void {
    const { call, options } = this
    const tenant = call.scope.tenant.id
    const token = call.query.get("continue")
    if (token === "") {
      const names = options.namespaces.of(tenant)
      // A tenant that has just been made is not in the copy yet.
      if (names.length > 0) return this.over(names)
      return options.namespaces.current(tenant, (found) => {
        if (found instanceof ApiFailure) return call.fail(found)
        if (found.names.length === 0) return this.over([`${tenant}-default`])
        this.over(found.names)
      })
    }
    const cursor = options.cursors.open(token)
    if (cursor === undefined || cursor.of !== call.scope.tenant.uid || cursor.list !== listName(call)) {
      return call.fail(Failures.badRequest("continue key is not valid: it is not a token of this list"))
    }
    this.version = cursor.version
    this.upstreamToken = cursor.upstream
    options.namespaces.current(tenant, (found) => {
      if (found instanceof ApiFailure) return call.fail(found)
      // One that is gone meanwhile is still there at the version that all pages show.
      const rest = found.names.filter((name) => inListOrder(name, cursor.namespace) > 0)
      this.checked = true
      this.over([cursor.namespace, ...rest])
    })
  }

  private over(namespaces: ReadonlyArray<string>): void {
    for (const name of namespaces) this.known.add(name)
    this.waiting = namespaces
    this.more()
  }

  /** Asks for further namespaces: the first alone, because it says which version the others show. */
  private more(): void {
    const abreast = this.version === "" || this.isPaged ? 1 : ABREAST
    if (this.isPaged && this.left <= 0) return
    while (this.line.length < abreast && this.waiting.length > 0 && !this.call.over) {
      const [namespace = "", ...rest] = this.waiting
      this.waiting = rest
      const part = new Part(this, namespace)
      this.line.push(part)
      this.send(part)
      if (this.line.length === 1) part.turn()
    }
  }

  private send(part: Part): void {
    const { call } = this
    const accept = acceptUp(call.exchange.header("accept"))
    if (accept instanceof ApiFailure) return call.fail(accept)
    const query = queryUp(call, this.versionQuery(), own)
    if (query instanceof ApiFailure) return call.fail(query)
    const { served } = call.kind
    const root = served.group === "" ? `/api/${served.version}` : `/apis/${served.group}/${served.version}`
    const path = `${root}/namespaces/${part.namespace}/${served.resource}${query}`
    part.call = this.options.upstream.send(
      { method: "GET", path, fields: fieldsUp(call, { accept, own: true }) },
      undefined,
      part
    )
  }

  private versionQuery(): Readonly<Record<string, string>> {
    const { query } = this.call
    const limit = this.isPaged ? String(this.left) : ""
    // A token holds its version; to say it once more is refused.
    if (this.upstreamToken !== "") return { limit, continue: this.upstreamToken }
    if (this.version !== "") {
      const any = query.get("resourceVersion") === "0"
      return { limit, resourceVersion: this.version, resourceVersionMatch: any ? "NotOlderThan" : "Exact" }
    }
    const resourceVersion = query.get("resourceVersion")
    return { limit, resourceVersion, resourceVersionMatch: query.get("resourceVersionMatch") }
  }

  isFirst(part: Part): boolean {
    return this.line[0] === part
  }

  headSeen(fields: HttpFields): void {
    this.fields = fields
  }

  versionSeen({ metadata }: ListAround): void {
    if (this.version !== "") return
    this.version = metadata?.resourceVersion ?? ""
    // Lists of custom resources say their version last.
    if (this.version !== "") this.versionKnown()
  }

  private versionKnown(): void {
    if (!this.checked) {
      this.checked = true
      this.check()
    }
    if (!this.isPaged) this.more()
  }

  private check(): void {
    this.checking = true
    this.options.namespaces.current(this.call.scope.tenant.id, (found) => {
      this.checking = false
      if (this.call.over) return
      if (found instanceof ApiFailure) return this.failed(found)
      const missed = found.names.filter((name) => !this.known.has(name))
      for (const name of missed) this.known.add(name)
      this.waiting = [...this.waiting, ...missed].sort(inListOrder)
      this.more()
      this.advance()
    })
  }

  private checking = false

  partEnded(): void {
    if (this.version === "") {
      this.version = this.line[0]?.around?.metadata?.resourceVersion ?? ""
      this.versionKnown()
    }
    this.advance()
  }

  /** Those at the head of the line that have ended make room for the next. */
  private advance(): void {
    for (let first = this.line[0]; first?.around !== undefined; first = this.line[0]) {
      this.upstreamToken = ""
      const token = first.around.metadata?.continue ?? ""
      this.last = first
      this.line.shift()
      this.line[0]?.turn()
      if (this.isPaged) {
        this.left -= first.count
        if (token !== "") return this.finish(first.namespace, token)
      }
      this.more()
    }
    if (this.line.length > 0 || this.checking) return
    const isFull = this.isPaged && this.left <= 0
    if (isFull || this.waiting.length === 0) this.finish(this.waiting[0] ?? "", "")
  }

  private finish(namespace: string, upstream: string): void {
    const { call } = this
    if (call.over || this.last?.around === undefined) return
    const { scope } = call
    const token =
      namespace === ""
        ? {}
        : {
            continue: this.options.cursors.seal({
              of: scope.tenant.uid,
              list: listName(call),
              version: this.version,
              namespace,
              upstream
            })
          }
    this.joiner.begin(this.last.around)
    this.joiner.end(this.last.around, { resourceVersion: this.version, ...token })
    const rest = this.rewrite.end()
    if (rest instanceof BodyInvalid) return this.broken()
    this.send200()
    if (rest.length > 0) this.sink?.write(rest)
    this.sink?.end()
    call.finish()
  }

  private send200(): void {
    if (this.sink !== undefined) return
    const sink = this.call.start(200, fieldsDown(this.call, this.fields))
    sink.onDrain = () => this.line[0]?.call?.resume()
    this.sink = sink
  }

  private write(bytes: Uint8Array): void {
    if (this.call.over) return
    const rewritten = this.rewrite.push(bytes)
    if (rewritten instanceof BodyInvalid) return this.broken()
    if (rewritten.length === 0) return
    this.send200()
    if (this.sink?.write(rewritten) === false) this.line[0]?.call?.pause()
  }

  refused(answer: WholeAnswer | ApiFailure): void {
    if (this.sink === undefined) answerWhole(this.call, answer)
    else this.broken()
  }

  failed(failure: ApiFailure): void {
    if (this.call.over) return
    if (this.sink === undefined) this.call.fail(failure)
    else this.broken()
  }

  /** What has begun and cannot be whole is broken off, so that the client sees it. */
  broken(): void {
    if (this.call.over) return
    if (this.sink === undefined)
      return this.call.fail(Failures.internal("upstream answered with a list that cannot be read"))
    this.sink.abort()
    this.call.finish()
  }
}
