// The port between the data path and everything that tells of requests: metrics, access log, audit and traces.
// Owns the shapes; refuses to read a clock: the data path stores moments, from which durations are made when a request has ended.
import type { UserInfo } from "#apiserver"
import type { HttpExchange } from "#net"
import type { RequestFacts } from "../policy/RequestFacts.ts"

/** Moments on the monotonic clock, in milliseconds; 0: never reached. */
export interface Moments {
  /** The request's head was read. */
  readonly arrivedMs: number
  /** Who asks is known. */
  readonly authenticatedMs: number
  /** The limits let it in. */
  readonly admittedMs: number
  /** It was given to a connection of the endpoint. */
  readonly sentMs: number
  /** The answer's head came. */
  readonly headMs: number
  /** All is over. */
  readonly endedMs: number
}

/** One request as the data path knows it so far; the data path's own object, read during the calls only. */
export interface RequestRecord extends Moments {
  readonly exchange: Pick<HttpExchange, "method" | "path" | "protocol" | "peer" | "header">
  /** Names this request in audit, logs and towards the endpoint. */
  readonly auditId: string
  /** Milliseconds since the epoch. */
  readonly receivedAtMs: number
  /** The cluster's name; empty when the host is none of ours, and then nothing of the host is kept. */
  readonly cluster: string
  /** The endpoint's URL; empty while none is chosen. */
  readonly endpoint: string
  /** The policy's flow control; empty for exempt. */
  readonly flowControl: string
  /** Undefined before the request was understood and authenticated. */
  readonly facts: RequestFacts | undefined
  /** Who asked to act as `facts.user`. */
  readonly impersonator: UserInfo | undefined
  /** Whether the policy writes it to the access log. */
  readonly log: boolean
  /** The status that the client was sent; 0: none, the client went away before. */
  readonly code: number
  /** Why the gateway itself ended it, in one word like rate_limited or no_ready_endpoints; empty when the endpoint's answer went through. */
  readonly reason: string
  /** Bytes of bodies, from the client and to it. */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** What `arrived` answered. */
  readonly trace: RequestTrace | undefined
}

/** The trace that a request belongs to. */
export interface RequestTrace {
  /** Fields for the endpoint, in the place of the client's: traceparent and tracestate. */
  readonly upstream: ReadonlyArray<readonly [name: string, value: string]>
  /** 32 hexadecimal digits. */
  readonly traceId: string
}

export interface Observer {
  /** A request's head was read. `tracing` is the cluster's switch. Undefined: it is traced by nobody, and its fields stay as they are. */
  readonly arrived: (exchange: Pick<HttpExchange, "header">, tracing: boolean) => RequestTrace | undefined
  /** Who asks is known: the audit's RequestReceived. */
  readonly received: (record: RequestRecord) => void
  /** The head of a long-running answer went out: the audit's ResponseStarted, and one more open watch. */
  readonly started: (record: RequestRecord) => void
  /** The request is over, once for each `arrived`. */
  readonly ended: (record: RequestRecord) => void
}

/** Tells nobody. */
export const silentObserver: Observer = {
  arrived: () => undefined,
  received: () => undefined,
  started: () => undefined,
  ended: () => undefined
}
