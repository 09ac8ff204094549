// Groups of equal watchers at a front: opens the watches over a number of connections, reads their events as they come, opens a
// watch that ended again from where it was, as informers do, and knows what each should have seen.
// Owns that account (with Delivery.ts) and the reading of watch events; writes are FrontCall.ts's.
// Bound: an event of at most 4 MiB is put together from pieces.
import type { HttpAnswerListener, HttpClientRequest } from "#net"
import type { RecordedWatch } from "#reports"
import { WatchAccount } from "../../generator/Delivery.ts"
import type { FrontWatch } from "../FrontPhase.ts"
import type { FrontConnection } from "./FrontClients.ts"
import { answerName, resourceVersionOf } from "./FrontCall.ts"
import type { FrontContext } from "./FrontContext.ts"
import type { FrontObjectPool } from "./FrontObjectPool.ts"

const newline = 10
const eventBytesMax = 4 * 1024 * 1024
const reopenMs = 100
/** Fronts that hold heads back until the first event are not waited for any longer. */
const openWithinMs = 15_000
/** Where the event's type stands in `{"type":"ADDED"`. */
const typeAt = 9
const bookmark = 0x42
const errorType = 0x45

/** The connections that watchers share. */
interface Connections {
  readonly connections: ReadonlyArray<FrontConnection>
}

/** A group of watchers in a phase. */
export class FrontWatchers {
  readonly account: WatchAccount
  /** Watches that ended and were opened again. */
  reopened = 0
  /** Watches whose answer had not begun when the phase went on without it. */
  unheard = 0
  readonly name: string
  readonly #watch: FrontWatch
  readonly #context: FrontContext
  readonly #pool: FrontObjectPool
  readonly #clients: Connections
  readonly #watches: Array<OneWatch> = []
  #opened = 0
  #closing = false
  #failure: string | undefined
  #onOpened: (() => void) | undefined

  constructor(watch: FrontWatch, context: FrontContext, clients: Connections) {
    this.name = watch.name
    this.#watch = watch
    this.#context = context
    this.#clients = clients
    this.#pool = context.pool(watch.objects)
    const seen = this.#seen()
    this.account = new WatchAccount(context.times, this.#pool.index, watch.watchers, (namespace) => seen[namespace])
  }

  get failure(): string | undefined {
    return this.#failure
  }

  get watchers(): number {
    return this.#watch.watchers
  }

  /** By namespace among those of all tenants: how many watchers see it. */
  #seen(): Int32Array {
    const { namespaces } = this.#pool.objects
    const seen = new Int32Array(this.#pool.tenants * namespaces)
    for (let index = 0; index < this.#watch.watchers; index++) {
      const { namespace, tenant } = this.#placeOf(index)
      // Without a front that tells tenants apart, a watch of all namespaces sees those of all tenants.
      if (namespace === undefined && !this.#context.translates) for (let at = 0; at < seen.length; at++) seen[at]++
      else if (namespace === undefined) for (let at = 0; at < namespaces; at++) seen[tenant * namespaces + at]++
      else seen[tenant * namespaces + namespace]++
    }
    return seen
  }

  #placeOf(index: number): { readonly tenant: number; readonly namespace: number | undefined } {
    const { connections, scope, tenant } = this.#watch
    const { tenants } = this.#context
    const own = tenant === undefined ? (tenants === 0 ? 0 : (index % connections) % tenants) : tenant - 1
    const turn = Math.floor(index / (tenants === 0 || tenant !== undefined ? 1 : Math.min(connections, tenants)))
    return { tenant: own, namespace: scope === "all" ? undefined : turn % this.#pool.objects.namespaces }
  }

  /** Opens every watch from now on; `onOpened` follows the last one's head, or the first failure. */
  open(onOpened: () => void): void {
    this.#onOpened = onOpened
    this.#context.watched = true
    this.#context.times.listen(this.account)
    this.#version((version) => {
      for (let index = 0; index < this.#watch.watchers; index++) {
        const { namespace, tenant } = this.#placeOf(index)
        const path = `${this.#pool.collection(tenant, namespace)}?watch=1&allowWatchBookmarks=true&resourceVersion=`
        const watch = new OneWatch(this, this.#context, path, index % this.#watch.connections, version)
        this.#watches.push(watch)
        this.start(watch)
      }
      setTimeout(() => this.#goOn(), openWithinMs).unref()
    })
  }

  #goOn(): void {
    if (this.#onOpened === undefined) return
    this.unheard = this.#watch.watchers - this.#opened
    this.#onOpened()
    this.#onOpened = undefined
  }

  /** The version that the collection has now, from a list of one object. */
  #version(then: (version: number) => void): void {
    const connection = this.#clients.connections[0]
    let text = ""
    let status = 0
    const path = `${this.#pool.collection(connection.tenant, this.#watch.scope === "all" ? undefined : 0)}?limit=1`
    const listener: HttpAnswerListener = {
      head: (code) => void (status = code),
      body: (bytes) => void (text += Buffer.from(bytes).toString("latin1")),
      end: () => (status < 300 ? then(resourceVersionOf(Buffer.from(text))) : this.fail(answerName(status, text))),
      failed: (error) => this.fail(error.message)
    }
    if (connection.http === undefined) return this.fail("its connection is lost")
    connection.http.request({ method: "GET", path, fields: connection.fields() }, listener).end()
  }

  start(watch: OneWatch): void {
    if (this.#closing) return
    const connection = this.#clients.connections[watch.connection]
    if (connection.http?.ready !== true) return this.again(watch)
    watch.handle = connection.http.request({ method: "GET", path: watch.path, fields: connection.fields() }, watch)
    watch.handle.end()
  }

  /** A watch ended: an informer opens another from the last version that it saw. */
  again(watch: OneWatch): void {
    if (this.#closing) return
    if (!watch.opened && this.#onOpened !== undefined) return this.fail("a watch ended before it had begun")
    setTimeout(() => this.start(watch), reopenMs)
  }

  confirmed(): void {
    this.#opened++
    if (this.#opened !== this.#watch.watchers) return
    this.#onOpened?.()
    this.#onOpened = undefined
  }

  fail(reason: string): void {
    this.#failure ??= `watch ${this.#watch.name}: ${reason}`
    this.#onOpened?.()
    this.#onOpened = undefined
  }

  /** Ends the watches and gives their account. */
  close(phase: string): RecordedWatch {
    this.#closing = true
    this.#context.times.unlisten(this.account)
    this.account.close()
    for (const { handle } of this.#watches) handle?.cancel()
    const { delivered, duplicated, expected, lag, outOfOrder } = this.account
    const { name, watchers } = this.#watch
    return { name, phase, watchers, expected, delivered, duplicated, outOfOrder, lag: lag.toRecorded() }
  }
}

/** One watch, over all its requests. */
class OneWatch implements HttpAnswerListener {
  readonly connection: number
  handle: HttpClientRequest | undefined
  opened = false
  readonly #group: FrontWatchers
  readonly #context: FrontContext
  readonly #path: string
  #version: number
  #status = 0
  #partial: Buffer | undefined

  constructor(group: FrontWatchers, context: FrontContext, path: string, connection: number, version: number) {
    this.#group = group
    this.#context = context
    this.#path = path
    this.connection = connection
    this.#version = version
  }

  get path(): string {
    return `${this.#path}${this.#version}`
  }

  head(status: number): void {
    this.#status = status
    if (status >= 300) return
    if (this.opened) {
      this.#group.reopened++
      return
    }
    this.opened = true
    this.#group.confirmed()
  }

  body(bytes: Uint8Array): void {
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    if (this.#status >= 300) return this.#group.fail(answerName(this.#status, chunk.toString("utf8")))
    this.#context.tick()
    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const piece = chunk.subarray(from, end)
      this.#event(this.#partial === undefined ? piece : Buffer.concat([this.#partial, piece]))
      this.#partial = undefined
      from = end + 1
    }
    if (from === chunk.length) return
    const rest = chunk.subarray(from)
    this.#partial = this.#partial === undefined ? Buffer.from(rest) : Buffer.concat([this.#partial, rest])
    if (this.#partial.length > eventBytesMax) this.#group.fail("an event is larger than 4 MiB")
  }

  #event(line: Buffer): void {
    const type = line[typeAt]
    if (type === errorType) return this.#group.fail(answerName(0, line.toString("utf8")))
    const version = resourceVersionOf(line)
    if (type !== bookmark) this.#group.account.arrived(version, this.#version, this.#context.now, false)
    if (version > this.#version) this.#version = version
  }

  end(): void {
    this.#partial = undefined
    this.#group.again(this)
  }

  failed(): void {
    this.end()
  }
}
