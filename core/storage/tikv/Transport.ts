// The port to the servers of a TiKV cluster: calls by address and method, as bytes.
// Owns the contract alone; NetTransportAdapter.ts carries it over sockets, tests over virtual time. Refuses retries and
// addresses' meaning: whoever calls knows both.
import { Effect } from "effect"
import type { RpcFailed } from "./TikvError.ts"

/** Hears of what a stream brings. */
export interface StreamHandler {
  readonly message: (bytes: Uint8Array) => void
  /** Called once, when the stream is over for whatever reason. */
  readonly end: (reason: RpcFailed) => void
}

/** A stream in both directions. */
export interface TransportStream {
  readonly send: (bytes: Uint8Array) => void
  /** Ends it; the handler hears nothing more. */
  readonly close: () => void
}

/** Hears how a call ended, once and perhaps before the call returns: with its failure, or with the answer's bytes to keep. */
export type CallEnded = (failure: RpcFailed | undefined, answer: Uint8Array) => void

export interface Transport {
  /** One request, one answer; fails when none came within `timeoutMs`. What is answered cancels the call, which then ends unheard. */
  readonly call: (address: string, path: string, request: Uint8Array, timeoutMs: number, ended: CallEnded) => () => void
  readonly stream: (address: string, path: string, handler: StreamHandler) => TransportStream
}

/** A call as an Effect; interruption cancels it. */
export const unary = (
  transport: Transport,
  address: string,
  path: string,
  request: Uint8Array,
  timeoutMs: number
): Effect.Effect<Uint8Array, RpcFailed> =>
  Effect.callback((resume) => {
    const cancel = transport.call(address, path, request, timeoutMs, (failure, answer) =>
      resume(failure === undefined ? Effect.succeed(answer) : Effect.fail(failure))
    )
    return Effect.sync(cancel)
  })
