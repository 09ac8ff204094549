// A group of equal watchers: opens its streams, creates its watches, reads events with a cursor and hands each one's
// revision to the account. Owns the watch protocol of the load generator and its slow watchers (read stalls).
// Refuses to own the arithmetic of delivery: Delivery.ts does that.
import type { ClientStream, GrpcClient } from "#net"
import type { RecordedWatch } from "#reports"
import type { Watch } from "../Scenario.ts"
import { Cursor } from "./Answer.ts"
import { errorName } from "./Call.ts"
import { WatchAccount } from "./Delivery.ts"
import { methods, prefixEnd, watchRequest } from "./KubeRequests.ts"
import type { RunContext } from "./RunContext.ts"

const requireLeader = [["hasleader", "true"]] as const

interface Stream {
  readonly call: ClientStream
  /** Revision of the last event, by watch id. */
  readonly last: Float64Array
}

/** A running group of watchers. */
export class Watchers {
  readonly account: WatchAccount
  readonly #watch: Watch
  readonly #context: RunContext
  readonly #streams: Array<Stream> = []
  readonly #sharedRevisions: boolean
  readonly #cursor = new Cursor()
  readonly #event = new Cursor()
  #created = 0
  #failure: string | undefined
  #onCreated: (() => void) | undefined
  #stallTimer: NodeJS.Timeout | undefined
  #closing = false

  constructor(watch: Watch, context: RunContext, sharedRevisions: boolean) {
    const { index } = context.space(watch.keys)
    this.#watch = watch
    this.#context = context
    this.#sharedRevisions = sharedRevisions
    this.account = new WatchAccount(
      context.times,
      index,
      watch.watchers,
      watch.scope === "key" ? (key) => (key < watch.watchers ? 1 : 0) : undefined
    )
  }

  get failure(): string | undefined {
    return this.#failure
  }

  /** Creates every watch; `onCreated` follows the last confirmation, or the first failure. */
  open(clients: ReadonlyArray<GrpcClient>, onCreated: () => void): void {
    const { perStream, revisionsBack, watchers } = this.#watch
    this.#onCreated = onCreated
    const from = revisionsBack === undefined ? 0 : Math.max(1, this.#context.revision - revisionsBack + 1)
    if (from > 0) this.account.expectPast(from, this.#context.revision)
    this.#context.times.listen(this.account)
    for (let first = 0; first < watchers; first += perStream) {
      const client = clients[this.#streams.length % clients.length]
      this.#openStream(client, first, Math.min(perStream, watchers - first), from)
    }
    const { stall } = this.#watch
    if (stall !== undefined) this.#stallTimer = setInterval(() => this.#stall(stall.for), stall.every)
  }

  #openStream(client: GrpcClient, first: number, count: number, startRevision: number): void {
    const { keys, prevKv, progressNotify, scope } = this.#watch
    const { pool } = this.#context.space(keys)
    const last = new Float64Array(count + 1)
    const call = client.stream(
      methods.watch,
      {
        message: (bytes) => this.#read(bytes, last),
        end: (status) => {
          if (!this.#closing) this.#fail(`a watch stream ended: ${errorName(status)}`)
        }
      },
      { metadata: requireLeader }
    )
    const stream = { call, last }
    this.#streams.push(stream)
    for (let index = 0; index < count; index++) {
      const key = scope === "key" ? pool.blank() : pool.prefix
      if (scope === "key") pool.write(key, 0, first + index)
      const range = scope === "key" ? {} : { end: prefixEnd(pool.prefix) }
      const { bytes } = watchRequest(key, { ...range, startRevision, prevKv, progressNotify, watchId: index + 1 })
      call.send(bytes)
    }
  }

  #fail(reason: string): void {
    this.#failure ??= reason
    this.#onCreated?.()
    this.#onCreated = undefined
  }

  /** WatchResponse: header = 1, watch_id = 2, created = 3, canceled = 4, events = 11. */
  #read(bytes: Uint8Array, last: Float64Array): void {
    this.#context.tick()
    const cursor = this.#cursor.reset(bytes)
    let watch = 0
    while (cursor.at < cursor.end) {
      const tag = cursor.varint()
      if (tag === 0x5a) {
        const length = cursor.varint()
        this.#readEvent(bytes, cursor.at, cursor.at + length, last, watch)
        cursor.at += length
      } else if (tag === 0x10) watch = cursor.varint()
      else if (tag === 0x18) {
        cursor.varint()
        this.#confirm()
      } else if (tag === 0x20) {
        cursor.varint()
        this.#fail("the server cancelled a watch")
      } else cursor.skip(tag)
    }
  }

  #confirm(): void {
    this.#created++
    if (this.#created !== this.#watch.watchers) return
    this.#onCreated?.()
    this.#onCreated = undefined
  }

  /** Event: kv = 2 with mod_revision = 3, which comes before the value. */
  #readEvent(bytes: Uint8Array, from: number, to: number, last: Float64Array, watch: number): void {
    const event = this.#event.reset(bytes, from, to)
    while (event.at < to) {
      const tag = event.varint()
      if (tag !== 0x12) {
        event.skip(tag)
        continue
      }
      const end = event.varint() + event.at
      while (event.at < end) {
        const field = event.varint()
        if (field !== 0x18) {
          event.skip(field)
          continue
        }
        const revision = event.varint()
        this.account.arrived(revision, last[watch], this.#context.now, this.#sharedRevisions)
        if (revision > last[watch]) last[watch] = revision
        return
      }
      return
    }
  }

  #stall(forMs: number): void {
    for (const { call } of this.#streams) call.pause()
    setTimeout(() => {
      for (const { call } of this.#streams) call.resume()
    }, forMs)
  }

  /** Ends the watches and gives their account. */
  close(phase: string): RecordedWatch {
    this.#closing = true
    clearInterval(this.#stallTimer)
    this.#context.times.unlisten(this.account)
    this.account.close()
    for (const { call } of this.#streams) call.cancel()
    const { delivered, duplicated, expected, lag, outOfOrder } = this.account
    const { name, watchers } = this.#watch
    return { name, phase, watchers, expected, delivered, duplicated, outOfOrder, lag: lag.toRecorded() }
  }
}
