// One request in flight to a front: who sends it, what it acts on, when it was planned and sent, and what became of it.
// Owns the bookkeeping of sending and finishing; which request it is, is FrontOperations.ts's. Places are used again and again, so
// that a request costs few objects; a request that took too long takes its place with it.
import type { HttpAnswerListener, HttpClientRequest, HttpFields } from "#net"
import type { DriverOptions, DrivenOperation, Place, PlaceOwner } from "../../generator/LoadDriver.ts"
import type { Tally } from "../../generator/Tally.ts"
import type { FrontClients, FrontConnection } from "./FrontClients.ts"
import type { FrontContext } from "./FrontContext.ts"
import type { ObjectPlace } from "./FrontObjectPool.ts"

/** Bytes of an answer that are kept, for a resourceVersion or a Status. */
const keptBytesMax = 16_384
const errorNameMax = 120
const statusTooMany = 429
const versionField = Buffer.from('"resourceVersion":"')
const quote = 0x22

/** A request as an operation makes it. */
export interface FrontRequest {
  readonly method: string
  readonly path: string
  readonly body?: Buffer
  readonly contentType?: string
}

/** What one operation of a mix does with a call. */
export interface FrontBehaviour {
  /** The request to send; undefined when there is nothing to act on now. */
  readonly request: (call: FrontCall, connection: FrontConnection) => FrontRequest | undefined
  /** Whether the answer's resourceVersion says when a watched object changed. */
  readonly writes: boolean
  /** Called when the answer was good, before the call finishes. */
  readonly answered?: (call: FrontCall) => void
  /** A watch: held open for so long after the answer's head, in ms. */
  readonly holdMs?: number
}

/** An operation of a load's mix, running. */
export interface FrontRunning extends DrivenOperation {
  readonly behaviour: FrontBehaviour
  readonly tally: Tally
  /** Counts answers of 429 where they are the point. */
  readonly refused: Tally | undefined
}

/** The first resourceVersion in an object's JSON, which is its own; 0 without one. */
export const resourceVersionOf = (bytes: Buffer, from = 0): number => {
  const at = bytes.indexOf(versionField, from)
  if (at < 0) return 0
  let version = 0
  for (let index = at + versionField.length; index < bytes.length && bytes[index] !== quote; index++) {
    version = version * 10 + bytes[index] - 0x30
  }
  return version
}

/** The name an answer that is not good is counted under: its code and, from a Status, its reason. */
export const answerName = (status: number, body: string): string => {
  const reason = /"reason":\s*"([^"]{1,60})"/.exec(body)?.[1]
  return reason === undefined ? `HTTP ${status}` : `HTTP ${status} ${reason}`
}

/** A load's places in flight over its clients. */
export const frontPlaces = (
  clients: FrontClients,
  context: FrontContext
): Pick<DriverOptions<FrontRunning>, "connected" | "newPlace"> => ({
  newPlace: (_, owner) => new FrontCall(clients, context, owner),
  connected: () => clients.connected
})

/**
 * Listens to a watch that is held: the place's until its head is good, and nobody's afterwards. The place goes on to another
 * request, and what still comes on the watch must not be taken for that one's answer.
 */
class UntilHead implements HttpAnswerListener {
  #call: HttpAnswerListener | undefined

  constructor(call: HttpAnswerListener) {
    this.#call = call
  }

  head(status: number, fields: HttpFields): void {
    const call = this.#call
    if (status < 300) this.#call = undefined
    call?.head(status, fields)
  }

  body(bytes: Uint8Array): void {
    this.#call?.body(bytes)
  }

  end(trailers: HttpFields): void {
    this.#call?.end(trailers)
  }

  failed(error: Error, sent: boolean): void {
    this.#call?.failed(error, sent)
  }
}

/** One place in flight. */
export class FrontCall implements Place<FrontRunning>, HttpAnswerListener {
  readonly context: FrontContext
  active = false
  sentAt = 0
  /** What the request acts on, for its answer. */
  object: ObjectPlace | undefined
  readonly ready = true
  readonly #clients: Pick<FrontClients, "take">
  readonly #owner: PlaceOwner<FrontRunning>
  #operation: FrontRunning | undefined
  #plannedAt = 0
  #status = 0
  #kept: Buffer | undefined
  #handle: HttpClientRequest | undefined

  constructor(clients: Pick<FrontClients, "take">, context: FrontContext, owner: PlaceOwner<FrontRunning>) {
    this.#clients = clients
    this.context = context
    this.#owner = owner
  }

  begin(operation: FrontRunning, plannedAt: number, now: number): boolean {
    const connection = this.#clients.take()
    const request = connection === undefined ? undefined : operation.behaviour.request(this, connection)
    if (connection?.http === undefined || request === undefined) return false
    this.#operation = operation
    this.#plannedAt = plannedAt
    this.sentAt = now
    this.active = true
    this.#status = 0
    this.#kept = undefined
    const { body, contentType, method, path } = request
    const fields: HttpFields =
      body === undefined
        ? connection.fields()
        : [
            ...connection.fields(),
            ["content-type", contentType ?? "application/json"],
            ["content-length", String(body.length)]
          ]
    if (body !== undefined) operation.tally.bytesOut += body.length
    const listener = operation.behaviour.holdMs === undefined ? this : new UntilHead(this)
    this.#handle = connection.http.request({ method, path, fields }, listener)
    this.#handle.end(body)
    return true
  }

  head(status: number): void {
    this.#status = status
    const { behaviour } = this.#operation ?? {}
    if (!this.active || behaviour?.holdMs === undefined || status >= 300) return
    const handle = this.#handle
    this.context.tick()
    this.#succeed()
    setTimeout(() => handle?.cancel(), behaviour.holdMs)
  }

  body(bytes: Uint8Array): void {
    const operation = this.#operation
    if (!this.active || operation === undefined) return
    operation.tally.bytesIn += bytes.length
    if (this.#status < 300 && !(operation.behaviour.writes && this.context.watched)) return
    const kept = this.#kept
    if (kept !== undefined && kept.length >= keptBytesMax) return
    this.#kept = kept === undefined ? Buffer.from(bytes) : Buffer.concat([kept, bytes])
  }

  end(): void {
    if (!this.active || this.#operation === undefined) return
    this.context.tick()
    const { behaviour, refused } = this.#operation
    if (this.#status >= 300) {
      if (this.#status === statusTooMany && refused !== undefined) return this.#refuse(refused)
      return this.#fail(answerName(this.#status, this.#kept?.toString("utf8") ?? ""))
    }
    if (behaviour.writes && this.context.watched && this.object !== undefined) this.#acknowledge(this.object)
    behaviour.answered?.(this)
    this.#succeed()
  }

  failed(error: Error): void {
    if (!this.active) return
    this.context.tick()
    this.#fail(error.message.slice(0, errorNameMax))
  }

  expire(): void {
    this.#fail("no answer in time")
    this.#handle?.cancel()
  }

  #acknowledge(object: ObjectPlace): void {
    const version = this.#kept === undefined ? 0 : resourceVersionOf(this.#kept)
    if (version === 0) return
    const { pool } = object
    this.context.times.acknowledged(pool.index, version, this.sentAt, pool.namespaceNumber(object))
  }

  #succeed(): void {
    const { tally } = this.#operation ?? {}
    if (tally === undefined) return
    tally.sent++
    tally.succeed(this.#plannedAt, this.sentAt, this.context.now)
    this.#over()
  }

  /** The request moves to the refusals' own account, where it was answered. */
  #refuse(refused: Tally): void {
    if (this.#operation !== undefined) this.#operation.tally.planned--
    refused.planned++
    refused.sent++
    refused.succeed(this.#plannedAt, this.sentAt, this.context.now)
    this.#over()
  }

  #fail(name: string): void {
    const { tally } = this.#operation ?? {}
    if (!this.active || tally === undefined) return
    tally.sent++
    tally.fail(name)
    this.#over()
  }

  #over(): void {
    this.active = false
    this.context.completed(this.sentAt)
    this.#owner.finished(this)
  }
}
