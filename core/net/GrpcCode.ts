// The gRPC status codes and how they map to HTTP and HTTP/2. Owns the one table of codes of this protocol; refuses to own
// the meaning that a service gives them.
// Source: gRPC's "Status codes" and "gRPC over HTTP2" documents.

/** Status codes of gRPC. */
export const GrpcCode = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16
} as const
export type GrpcCode = (typeof GrpcCode)[keyof typeof GrpcCode]

const names = Object.keys(GrpcCode)

/** The name of a code for messages and logs; `Code(n)` for a number that gRPC does not define. */
export const grpcCodeName = (code: number): string => names[code] ?? `Code(${code})`

/** What a client reports for an answer without gRPC trailers, by its HTTP status ("HTTP to gRPC Status Code Mapping"). */
export const grpcCodeOfHttpStatus = (status: number): GrpcCode => {
  if (status === 400) return GrpcCode.Internal
  if (status === 401) return GrpcCode.Unauthenticated
  if (status === 403) return GrpcCode.PermissionDenied
  if (status === 404) return GrpcCode.Unimplemented
  if (status === 429 || status === 502 || status === 503 || status === 504) return GrpcCode.Unavailable
  return GrpcCode.Unknown
}

/** What a client reports for a stream that the peer reset, by the HTTP/2 error code ("Errors" in gRPC over HTTP2). */
export const grpcCodeOfReset = (error: number): GrpcCode => {
  if (error === 0x7) return GrpcCode.Unavailable
  if (error === 0x8) return GrpcCode.Cancelled
  if (error === 0xb) return GrpcCode.ResourceExhausted
  if (error === 0xc) return GrpcCode.PermissionDenied
  return GrpcCode.Internal
}

// No space at either end: HTTP/2 forbids it there (RFC 9113 section 8.2.1).
const unreserved = /^(?:[!-$&-~](?:[ -$&-~]*[!-$&-~])?)?$/

/** Percent-encodes a status message for the `grpc-message` trailer: UTF-8, everything but printable ASCII, and `%`. */
export const encodeGrpcMessage = (message: string): string => {
  if (unreserved.test(message)) return message
  let encoded = ""
  const bytes = Buffer.from(message, "utf8")
  for (const [at, byte] of bytes.entries()) {
    const inside = at > 0 && at < bytes.length - 1
    const plain = byte >= (inside ? 0x20 : 0x21) && byte <= 0x7e && byte !== 0x25
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }
  return encoded
}

const escape = /%([0-9a-fA-F]{2})/g

/** Decodes a `grpc-message` trailer; sequences that are no escapes stay as they are, as the protocol asks. */
export const decodeGrpcMessage = (encoded: string): string => {
  if (!encoded.includes("%")) return encoded
  const bytes = encoded.replace(escape, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, "latin1").toString("utf8")
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** A `grpc-timeout` value in milliseconds (fractions kept), or undefined when it breaks the grammar: 1 to 8 digits, unit. */
export const decodeGrpcTimeout = (value: string): number | undefined => {
  const last = value.length - 1
  if (last < 1 || last > 8) return undefined
  let amount = 0
  for (let at = 0; at < last; at++) {
    const digit = value.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) return undefined
    amount = amount * 10 + digit
  }
  const unit = unitMs[value.charAt(last)]
  return unit === undefined ? undefined : amount * unit
}

/** The shortest `grpc-timeout` for a number of milliseconds, rounded up, at least one nanosecond. */
export const encodeGrpcTimeout = (timeoutMs: number): string => {
  if (timeoutMs <= 0) return "1n"
  const ms = Math.ceil(timeoutMs)
  if (ms < 1e8) return `${ms}m`
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 1e8) return `${seconds}S`
  return `${Math.min(Math.ceil(seconds / 3600), 99_999_999)}H`
}
