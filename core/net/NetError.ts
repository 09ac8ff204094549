// The errors of this room, each a typed value at the door. Owns their sentences; refuses to own wire codes, which stand
// in GrpcCode.ts (gRPC) and Frame.ts (HTTP/2), and the decision when to raise them.
import { Schema } from "effect"
import { grpcCodeName } from "./GrpcCode.ts"

/** A listener could not be opened; `message` names the address and what the operating system said, in words. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  address: Schema.String,
  code: Schema.String,
  message: Schema.String
}) {}

/** A connection could not be made; `message` names the address and what the operating system or TLS said. */
export class ConnectFailed extends Schema.TaggedError<ConnectFailed>()("ConnectFailed", {
  address: Schema.String,
  code: Schema.String,
  message: Schema.String
}) {}

/** The status of a call that did not end with OK, as the peer or this side's deadline, cancellation or transport set it. */
export class GrpcStatus extends Schema.TaggedError<GrpcStatus>()("GrpcStatus", {
  code: Schema.Int,
  message: Schema.String
}) {
  /** A status from its parts; the code is one of `GrpcCode`, or whatever number the peer sent. */
  static of(code: number, message: string): GrpcStatus {
    return new GrpcStatus({ code, message })
  }

  override toString(): string {
    return `${grpcCodeName(this.code)}: ${this.message}`
  }
}

/** An HTTP request got no answer, or no whole one. */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", { message: Schema.String }) {
  static of(message: string): RequestFailed {
    return new RequestFailed({ message })
  }
}

/** Everything that this room raises. */
export type NetError = ListenFailed | ConnectFailed | GrpcStatus | RequestFailed

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there already",
  EADDRNOTAVAIL: "no network interface of this machine has this address",
  EACCES: "the operating system does not permit it; ports below 1024 may need privileges",
  ENOENT: "no such file or directory",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the peer closed the connection while it was being set up",
  ENOTFOUND: "the host name does not resolve",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "no route to the host"
}

/** The sentence for an operating system or TLS error code: the known reason, else the error's own words. */
export const describeSystemError = (error: Error & { readonly code?: string }): { code: string; reason: string } => {
  const code = error.code ?? "UNKNOWN"
  const reason = reasons[code]
  return { code, reason: reason === undefined ? error.message : `${reason} (${code})` }
}
