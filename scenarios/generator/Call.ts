// One action in flight: who sends it, what it acts on, when it was planned and sent. Calls are reused, one per place in
// flight, so that an action costs no closures. Owns the bookkeeping of sending and finishing; operations decide bytes.
import { type GrpcClient, GrpcCode, grpcCodeName, type GrpcStatus } from "#net"
import type { DriverOptions, Place, PlaceOwner } from "./LoadDriver.ts"
import type { RunContext } from "./RunContext.ts"
import type { Tally } from "./Tally.ts"

const errorNameMax = 120

/** What one operation of a mix does with a call. */
export interface Behaviour {
  /** Sends the first request; false when there is nothing to act on now. */
  readonly begin: (call: Call) => boolean
  /** Takes an answer; it either sends again or finishes the call. The message is a view for this moment only. */
  readonly answered: (call: Call, message: Uint8Array) => void
  /** Called when a request failed, before the call finishes; keys in flight are let go here. */
  readonly failed?: (call: Call) => void
}

/** An operation of a load's mix, running. */
export interface RunningOperation {
  readonly behaviour: Behaviour
  readonly tally: Tally
  readonly weight: number
}

/** A load's places in flight, spread over its connections. */
export const callPlaces = (
  clients: ReadonlyArray<GrpcClient>,
  context: RunContext
): Pick<DriverOptions<RunningOperation>, "connected" | "newPlace"> => ({
  newPlace: (index, owner) => new Call(clients[index % clients.length], context, owner),
  connected: () => clients.every(({ ready }) => ready)
})

/**
 * The name a failed call is counted under: etcd's own message where it sent one, else the gRPC code's name, with the
 * message behind the codes that say nothing by themselves.
 */
export const errorName = ({ code, message }: GrpcStatus): string => {
  if (message.startsWith("etcdserver: ")) return message.slice(0, errorNameMax)
  const vague = code === GrpcCode.Unknown || code === GrpcCode.Internal
  return vague ? `${grpcCodeName(code)}: ${message}`.slice(0, errorNameMax) : grpcCodeName(code)
}

/** One place in flight. */
export class Call implements Place<RunningOperation> {
  client: GrpcClient
  operation: RunningOperation | undefined
  plannedAt = 0
  sentAt = 0
  active = false
  /** Key number the action works on. */
  key = -1
  /** Revision and pages of an action that takes several requests. */
  revision = 0
  pages = 0
  readonly context: RunContext
  readonly #owner: PlaceOwner<RunningOperation>
  #handle: { readonly cancel: () => void } | undefined

  constructor(client: GrpcClient, context: RunContext, owner: PlaceOwner<RunningOperation>) {
    this.client = client
    this.context = context
    this.#owner = owner
  }

  get ready(): boolean {
    return this.client.ready
  }

  /** Sends one request; the bytes are copied before this returns. */
  send(path: string, bytes: Uint8Array): void {
    if (this.operation !== undefined) this.operation.tally.bytesOut += bytes.length
    this.#handle = this.client.unary(path, bytes, this.#callback)
  }

  /** Remembers how to cancel an action that is not a unary request. */
  cancelBy(handle: { readonly cancel: () => void }): void {
    this.#handle = handle
  }

  /** Starts an operation's action; false when it has nothing to act on. */
  begin(operation: RunningOperation, plannedAt: number, now: number): boolean {
    this.operation = operation
    this.plannedAt = plannedAt
    this.sentAt = now
    this.active = true
    if (operation.behaviour.begin(this)) {
      operation.tally.sent++
      return true
    }
    this.active = false
    return false
  }

  /** Ends the action well. */
  succeed(): void {
    const { context, operation } = this
    if (!this.active || operation === undefined) return
    operation.tally.succeed(this.plannedAt, this.sentAt, context.now)
    this.#end()
  }

  /** Ends the action with an error to be counted under `name`. */
  fail(name: string): void {
    const { operation } = this
    if (!this.active || operation === undefined) return
    operation.behaviour.failed?.(this)
    operation.tally.fail(name)
    this.#end()
  }

  /** Ends an action that took too long; the call's late answer is ignored, so this call must not be used again. */
  expire(): void {
    this.fail("DeadlineExceeded")
    this.#handle?.cancel()
  }

  /** Takes an answer or an error, from a unary request or the last message of a stream. */
  answer(error: GrpcStatus | undefined, message: Uint8Array): void {
    const { operation } = this
    if (!this.active || operation === undefined) return
    this.context.tick()
    if (error !== undefined) return this.fail(errorName(error))
    operation.tally.bytesIn += message.length
    operation.behaviour.answered(this, message)
  }

  readonly #callback = (error: GrpcStatus | undefined, message: Uint8Array): void => this.answer(error, message)

  #end(): void {
    this.active = false
    this.context.completed(this.sentAt)
    this.#owner.finished(this)
  }
}
