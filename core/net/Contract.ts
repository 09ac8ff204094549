// What a service sees of this room: methods, calls, listeners, and the same for clients. Owns the shapes that other rooms
// build against; refuses to own any behaviour.
import type { GrpcCode } from "./GrpcCode.ts"
import type { GrpcStatus } from "./NetError.ts"

/** What the server counts for a method that wants to know. */
export interface MethodCounters {
  /** How many calls ended with each gRPC code, at the code's index; 17 long. */
  readonly handled?: Float64Array
}

/** A method that answers one message with one message. `path` is like "/etcdserverpb.KV/Range". */
export interface UnaryMethod extends MethodCounters {
  readonly path: string
  /** `request` is a view that is valid during the call only: to keep it, copy it. */
  readonly unary: (call: UnaryCall, request: Uint8Array) => void
}

/** A method with a stream of messages on either side or both. */
export interface StreamMethod extends MethodCounters {
  readonly path: string
  readonly stream: (call: StreamCall) => StreamListener
}

/** A server method: exactly one of unary and stream. */
export type GrpcMethod = UnaryMethod | StreamMethod

/** What every call knows of its client. */
export interface CallInfo {
  /** The first value of a request metadata field, by its lower-case name. */
  header(name: string): string | undefined
  /** The decoded first value of a `-bin` field; undefined when absent or no base64. */
  binaryHeader(name: string): Uint8Array | undefined
  /** The client as "ip:port". */
  readonly peer: string
  /** The common name of the client's verified certificate: empty when it has none, undefined without a certificate. */
  readonly tlsPeerCommonName: string | undefined
  /** That certificate in DER, the same object for all calls of a connection; calls that came another way have none. */
  readonly tlsPeerCertificate?: Uint8Array | undefined
  /** Our side as "ip:port". */
  readonly localAddress: string
  readonly cancelled: boolean
  /** Called when the client reset the call, its deadline passed or the connection was lost: at most once, never after the answer. */
  onCancel: (() => void) | undefined
  /** Adds a field to the response headers; too late once the first message went out. */
  setHeader(name: string, value: string): void
  /** Adds a field to the trailers. */
  setTrailer(name: string, value: string): void
}

/** Where to write a message in place: `size` bytes of `bytes` from `offset` on. */
export interface OutSpace {
  bytes: Uint8Array
  offset: number
}

/** One unary call. Exactly one of `respond`, `respondOwned`, `commit` and `fail` ends it; later ones are ignored. */
export interface UnaryCall extends CallInfo {
  /** Answers OK; the message is copied before this returns. */
  respond(message: Uint8Array): void
  /**
   * Answers OK; the message's memory is handed over and must not change until `released` is called, which happens when
   * the system has taken all of it, and never when the connection is lost before.
   */
  respondOwned(message: Uint8Array, released?: () => void): void
  fail(code: GrpcCode, message: string): void
  /** Space for a message of exactly `size` bytes in the connection's own buffer; fill it and `commit` before returning. */
  reserve(size: number): OutSpace
  /** Answers OK with the bytes written to the reserved space. */
  commit(): void
}

/** One streaming call. */
export interface StreamCall extends CallInfo {
  /** Sends a message, copied; false above the high-water mark: wait for `onDrain`. */
  send(message: Uint8Array): boolean
  /** Like `send`, but the message's memory is handed over. */
  sendOwned(message: Uint8Array): boolean
  /** Bytes that wait for window or socket. */
  readonly bufferedBytes: number
  /** Called when `bufferedBytes` fell below half the mark after `send` answered false. */
  onDrain: (() => void) | undefined
  /** The server says goodbye and waits for this call's end, but not for long: at most once, soon if it has said it already. */
  onGoAway: (() => void) | undefined
  /** Ends the call with OK, after what was sent. */
  end(): void
  /** Ends the call with a status, after what was sent. */
  fail(code: GrpcCode, message: string): void
  /** Stops taking messages: the client's window stays shut. */
  pause(): void
  resume(): void
}

/** What a stream method does with what comes in. */
export interface StreamListener {
  /** `bytes` is a view that is valid during the call only. */
  message(bytes: Uint8Array): void
  /** The client sent its last message. */
  end(): void
}

/** Options of one client call. */
export interface CallOptions {
  /** From now; the call fails with DeadlineExceeded, and the server is told by `grpc-timeout`. */
  readonly deadlineMs?: number
  /** Metadata fields; names in lower case, `-bin` values base64. Pass the same array again to save encoding it. */
  readonly metadata?: ReadonlyArray<readonly [string, string]>
}

/** A running client call. */
export interface ClientCall {
  /** Resets the call; its callback still comes, with Cancelled. */
  cancel(): void
}

/** What a streaming client call does with what comes in. */
export interface ClientListener {
  /** `bytes` is a view that is valid during the call only. */
  message(bytes: Uint8Array): void
  /** The call is over; code 0 is OK. Comes exactly once. */
  end(status: GrpcStatus): void
  /** `send` may go on after it answered false. */
  drain?(): void
}

/** A running streaming client call. */
export interface ClientStream extends ClientCall {
  /** Sends a message, copied; false above the high-water mark. */
  send(message: Uint8Array): boolean
  /** No more messages from this side. */
  halfClose(): void
  readonly bufferedBytes: number
  pause(): void
  resume(): void
}

/** One client connection. */
export interface GrpcClient {
  /** Calls a unary method; `message` is read before this returns, the answer is a view valid during the callback. */
  unary(
    path: string,
    message: Uint8Array,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void,
    options?: CallOptions
  ): ClientCall
  stream(path: string, listener: ClientListener, options?: CallOptions): ClientStream
  /** Whether new calls can succeed: connected, and the server has not said goodbye. */
  readonly ready: boolean
  /** Fails what is open with Unavailable and closes the socket. */
  close(): void
}
