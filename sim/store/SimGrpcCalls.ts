// The server's side of a simulated call: what a method of core/net's contract answers to.
// Owns that a call is answered at most once and never after it was cancelled; refuses to know how the answer travels.
import { type GrpcCode, GrpcStatus, type OutSpace, type StreamCall, type UnaryCall } from "#net"

/** What both kinds of calls say of their client: nothing much, it is simulated. */
class SimCall {
  readonly peer = "127.0.0.1:0"
  readonly tlsPeerCommonName = undefined
  readonly localAddress = "127.0.0.1:2379"
  cancelled = false
  onCancel: (() => void) | undefined
  protected answered = false

  header(_name: string): string | undefined {
    return undefined
  }

  binaryHeader(_name: string): Uint8Array | undefined {
    return undefined
  }

  setHeader(_name: string, _value: string): void {}

  setTrailer(_name: string, _value: string): void {}

  /** The client is gone or wants no answer. */
  cancel(): void {
    if (this.answered || this.cancelled) return
    this.cancelled = true
    this.onCancel?.()
  }
}

const NOTHING = new Uint8Array(0)

export class ServerUnary extends SimCall implements UnaryCall {
  private readonly reply: (error: GrpcStatus | undefined, message: Uint8Array) => void
  private space: OutSpace | undefined

  constructor(reply: (error: GrpcStatus | undefined, message: Uint8Array) => void) {
    super()
    this.reply = reply
  }

  respond(message: Uint8Array): void {
    this.answer(undefined, Buffer.from(message))
  }

  respondOwned(message: Uint8Array, released?: () => void): void {
    this.respond(message)
    released?.()
  }

  fail(code: GrpcCode, message: string): void {
    this.refuse(GrpcStatus.of(code, message))
  }

  refuse(status: GrpcStatus): void {
    this.answer(status, NOTHING)
  }

  reserve(size: number): OutSpace {
    return (this.space = { bytes: Buffer.alloc(size), offset: 0 })
  }

  commit(): void {
    this.answer(undefined, this.space?.bytes ?? NOTHING)
  }

  private answer(error: GrpcStatus | undefined, message: Uint8Array): void {
    if (this.answered || this.cancelled) return
    this.answered = true
    this.reply(error, message)
  }
}

export class ServerStream extends SimCall implements StreamCall {
  readonly bufferedBytes = 0
  onDrain: (() => void) | undefined
  onGoAway: (() => void) | undefined
  private readonly out: { message: (bytes: Uint8Array) => void; end: (status: GrpcStatus) => void }

  constructor(out: { message: (bytes: Uint8Array) => void; end: (status: GrpcStatus) => void }) {
    super()
    this.out = out
  }

  send(message: Uint8Array): boolean {
    if (!this.answered && !this.cancelled) this.out.message(Buffer.from(message))
    return true
  }

  sendOwned(message: Uint8Array): boolean {
    return this.send(message)
  }

  end(): void {
    this.refuse(GrpcStatus.of(0, ""))
  }

  fail(code: GrpcCode, message: string): void {
    this.refuse(GrpcStatus.of(code, message))
  }

  refuse(status: GrpcStatus): void {
    if (this.answered || this.cancelled) return
    this.answered = true
    this.out.end(status)
  }

  pause(): void {}

  resume(): void {}
}
