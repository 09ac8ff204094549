// A group of equal watchers: opens its streams, creates its watches, reads events with a cursor and hands each one's
// revision to the account. Owns the watch protocol of the load generator and its slow watchers (read stalls).
// Refuses to own the arithmetic of delivery: Delivery.ts does that.
import type { ClientStream, GrpcClient } from "#net"
import type { RecordedWatch } from "#reports"
import type { Watch } from "../Scenario.ts"
import { Cursor, subMessage, varintField } from "./Answer.ts"
import { errorName } from "./Call.ts"
import { WatchAccount } from "./Delivery.ts"
import { methods, prefixEnd, watchRequest } from "./KubeRequests.ts"
import { noStream } from "./NoStream.ts"
import type { RunContext } from "./RunContext.ts"

const requireLeader = [["hasleader", "true"]] as const

/** Between attempts to go on with a stream that has ended, in milliseconds. */
const resumeMs = 20

/** What a group is told beside what it watches. */
export interface WatchersSettings {
  /** Several keys may change at one revision. */
  readonly sharesRevisions: boolean
  /** A stream that ends is opened again where it ended, instead of failing. */
  readonly resumes: boolean
}

interface Stream {
  call: ClientStream
  readonly client: GrpcClient
  readonly first: number
  /** By watch id: revision of the last event. */
  readonly last: Float64Array
  /** By watch id: revision up to which all is known when no event has come yet. */
  readonly from: Float64Array
  /** By watch id: when something was last heard of it. */
  readonly heardAt: Float64Array
}

/** A running group of watchers. */
export class Watchers {
  readonly account: WatchAccount
  readonly #watch: Watch
  readonly #context: RunContext
  readonly #streams: Array<Stream> = []
  readonly #settings: WatchersSettings
  /** The longest time that one of the watchers was told nothing before it was told something, in ms. */
  gapMs = 0
  readonly #cursor = new Cursor()
  readonly #event = new Cursor()
  #created = 0
  #failure: string | undefined
  #onCreated: (() => void) | undefined
  #stallTimer: NodeJS.Timeout | undefined
  #closing = false

  constructor(watch: Watch, context: RunContext, settings: WatchersSettings) {
    const { index } = context.space(watch.keys)
    this.#watch = watch
    this.#context = context
    this.#settings = settings
    this.account = new WatchAccount(
      context.times,
      index,
      watch.watchers,
      watch.scope === "key" ? (key) => (key < watch.watchers ? 1 : 0) : undefined
    )
  }

  get name(): string {
    return this.#watch.name
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
      const count = Math.min(perStream, watchers - first) + 1
      const stream = {
        call: noStream,
        client,
        first,
        last: new Float64Array(count),
        from: new Float64Array(count).fill(from - 1),
        heardAt: new Float64Array(count)
      }
      this.#streams.push(stream)
      this.#openStream(stream)
    }
    const { stall } = this.#watch
    if (stall !== undefined) this.#stallTimer = setInterval(() => this.#stall(stall.for), stall.every)
  }

  /** Opens a stream's watches, behind what each has heard already. */
  #openStream(stream: Stream): void {
    const { keys, prevKv, progressNotify, scope } = this.#watch
    const { pool } = this.#context.space(keys)
    const { client, first, from, last } = stream
    const call = client.stream(
      methods.watch,
      {
        message: (bytes) => this.#read(bytes, stream),
        end: (status) => {
          if (this.#closing) return
          if (this.#settings.resumes) this.#resume(stream)
          else this.#fail(`a watch stream ended: ${errorName(status)}`)
        }
      },
      { metadata: requireLeader }
    )
    stream.call = call
    for (let id = 1; id < last.length; id++) {
      const key = scope === "key" ? pool.blank() : pool.prefix
      if (scope === "key") pool.write(key, 0, first + id - 1)
      const range = scope === "key" ? {} : { end: prefixEnd(pool.prefix) }
      const known = last[id] > 0 ? last[id] : from[id]
      const startRevision = known < 0 ? 0 : known + 1
      call.send(watchRequest(key, { ...range, startRevision, prevKv, progressNotify, watchId: id }).bytes)
    }
  }

  #resume(stream: Stream): void {
    setTimeout(() => {
      if (this.#closing) return
      if (stream.client.ready) this.#openStream(stream)
      else this.#resume(stream)
    }, resumeMs)
  }

  #fail(reason: string): void {
    this.#failure ??= reason
    this.#onCreated?.()
    this.#onCreated = undefined
  }

  /** WatchResponse: header = 1, watch_id = 2, created = 3, canceled = 4, events = 11. */
  #read(bytes: Uint8Array, stream: Stream): void {
    this.#context.tick()
    const cursor = this.#cursor.reset(bytes)
    let watch = 0
    while (cursor.at < cursor.end) {
      const tag = cursor.varint()
      if (tag === 0x5a) {
        const length = cursor.varint()
        this.#readEvent(bytes, cursor.at, cursor.at + length, stream, watch)
        cursor.at += length
      } else if (tag === 0x10) watch = cursor.varint()
      else if (tag === 0x18) {
        cursor.varint()
        this.#confirm(stream, watch, bytes)
      } else if (tag === 0x20) {
        cursor.varint()
        this.#canceled(stream)
      } else cursor.skip(tag)
    }
  }

  #canceled({ call }: Stream): void {
    // Who goes on elsewhere gives the whole stream up, and its end opens it again.
    if (this.#settings.resumes) call.cancel()
    else this.#fail("the server cancelled a watch")
  }

  #confirm({ from, heardAt }: Stream, watch: number, bytes: Uint8Array): void {
    // Until the first event a watch from now on has heard all that was there when it began.
    if (from[watch] < 0) from[watch] = varintField(subMessage(bytes, 1), 3)
    if (heardAt[watch] === 0) heardAt[watch] = this.#context.now
    this.#created++
    if (this.#created !== this.#watch.watchers) return
    this.#onCreated?.()
    this.#onCreated = undefined
  }

  /** Event: kv = 2 with mod_revision = 3, which comes before the value. */
  #readEvent(bytes: Uint8Array, at: number, to: number, { heardAt, last }: Stream, watch: number): void {
    const event = this.#event.reset(bytes, at, to)
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
        const { now } = this.#context
        this.account.arrived(revision, last[watch], now, this.#settings.sharesRevisions)
        if (revision > last[watch]) last[watch] = revision
        if (now - heardAt[watch] > this.gapMs) this.gapMs = now - heardAt[watch]
        heardAt[watch] = now
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
