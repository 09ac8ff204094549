// The port to the servers of a TiKV cluster: calls by address and method, as bytes.
// Owns the contract alone; NetTransportAdapter.ts carries it over sockets, tests over virtual time. Refuses retries and
// addresses' meaning: whoever calls knows both.
import type { Effect } from "effect"
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

export interface Transport {
  /** One request, one answer; fails when none came within `timeoutMs`. Interruption cancels the call. */
  readonly unary: (
    address: string,
    path: string,
    request: Uint8Array,
    timeoutMs: number
  ) => Effect.Effect<Uint8Array, RpcFailed>
  readonly stream: (address: string, path: string, handler: StreamHandler) => TransportStream
}
