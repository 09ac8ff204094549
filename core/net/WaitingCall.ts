// Client calls that cannot start yet, because the server's stream limit is reached, or never, because the connection is gone.
// Owns what their caller may do meanwhile (send, half-close, cancel); refuses to own the call once it has started. What is sent
// to a waiting stream is kept up to a bound, then `send` answers false.
import type { ClientConnection } from "./ClientConnection.ts"
import type { CallOptions, ClientCall, ClientListener, ClientStream } from "./Contract.ts"
import { clearDeadline, type Deadline, setDeadline } from "./Deadlines.ts"
import { GrpcCode } from "./GrpcCode.ts"
import { GrpcStatus } from "./NetError.ts"

/** Bytes that a waiting stream keeps before `send` answers false. */
const keptBytesMax = 262_144
const noMessage = new Uint8Array(0)

/** A call in the waiting line. */
export abstract class WaitingCall implements ClientCall {
  protected readonly connection: ClientConnection
  protected readonly options: CallOptions | undefined
  private over = false
  private deadline: Deadline | undefined
  private startedMs = 0

  constructor(connection: ClientConnection, options: CallOptions | undefined) {
    this.connection = connection
    this.options = options
  }

  /** Tells the caller that the call failed; never from within the call that made it. */
  protected abstract failed(status: GrpcStatus): void
  protected abstract run(options: CallOptions | undefined): void
  protected abstract cancelRunning(): void

  startDeadline(deadlineMs: number): void {
    this.startedMs = performance.now()
    this.deadline = setDeadline(deadlineMs, () => this.stop(GrpcCode.DeadlineExceeded, "context deadline exceeded"))
  }

  /** A stream is free. */
  start(): void {
    if (this.over) return
    this.over = true
    const { deadline, options } = this
    if (deadline === undefined || options?.deadlineMs === undefined) return this.run(options)
    clearDeadline(deadline)
    this.run({ ...options, deadlineMs: Math.max(1, options.deadlineMs - (performance.now() - this.startedMs)) })
  }

  failLater(status: GrpcStatus): void {
    if (this.over) return
    this.over = true
    if (this.deadline !== undefined) clearDeadline(this.deadline)
    process.nextTick(() => this.failed(status))
  }

  cancel(): void {
    if (this.over) this.cancelRunning()
    else this.stop(GrpcCode.Cancelled, "cancelled by this client")
  }

  private stop(code: GrpcCode, reason: string): void {
    this.failLater(GrpcStatus.of(code, reason))
  }
}

export class WaitingUnary extends WaitingCall {
  private readonly path: string
  private readonly request: Uint8Array
  private readonly callback: (error: GrpcStatus | undefined, message: Uint8Array) => void
  private running: ClientCall | undefined

  constructor(
    connection: ClientConnection,
    path: string,
    request: Uint8Array,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void,
    options: CallOptions | undefined
  ) {
    super(connection, options)
    this.path = path
    this.request = request
    this.callback = callback
  }

  protected run(options: CallOptions | undefined): void {
    this.running = this.connection.unary(this.path, this.request, this.callback, options)
  }

  protected failed(status: GrpcStatus): void {
    this.callback(status, noMessage)
  }

  protected cancelRunning(): void {
    this.running?.cancel()
  }
}

export class WaitingStream extends WaitingCall implements ClientStream {
  private readonly path: string
  private readonly listener: ClientListener
  private running: ClientStream | undefined
  private readonly kept: Array<Uint8Array> = []
  private keptBytes = 0
  private halfClosed = false
  private paused = false

  constructor(connection: ClientConnection, path: string, listener: ClientListener, options: CallOptions | undefined) {
    super(connection, options)
    this.path = path
    this.listener = listener
  }

  get bufferedBytes(): number {
    return this.running?.bufferedBytes ?? this.keptBytes
  }

  send(message: Uint8Array): boolean {
    if (this.running !== undefined) return this.running.send(message)
    if (this.halfClosed) return false
    this.kept.push(Buffer.from(message))
    this.keptBytes += message.length
    return this.keptBytes <= keptBytesMax
  }

  halfClose(): void {
    this.halfClosed = true
    this.running?.halfClose()
  }

  pause(): void {
    this.paused = true
    this.running?.pause()
  }

  resume(): void {
    this.paused = false
    this.running?.resume()
  }

  protected run(options: CallOptions | undefined): void {
    const running = this.connection.stream(this.path, this.listener, options)
    this.running = running
    if (this.paused) running.pause()
    let open = true
    for (const message of this.kept) open = running.send(message)
    if (this.halfClosed) running.halfClose()
    else if (open && this.keptBytes > keptBytesMax) this.listener.drain?.()
  }

  protected failed(status: GrpcStatus): void {
    this.listener.end(status)
  }

  protected cancelRunning(): void {
    this.running?.cancel()
  }
}
