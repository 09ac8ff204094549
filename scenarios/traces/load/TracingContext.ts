// What all loads of one run against a tracing server share: the clock, the stream's pool of batches, the way to the server, and what was
// seen besides latencies. Owns that state; nothing here sends or decides.
import { connect, type ConnectFailed, type GrpcClient } from "#net"
import { Agent } from "node:http"
import { Effect, type Scope } from "effect"
import type { Endpoint } from "../../generator/Protocol.ts"
import { PhaseClock } from "../../generator/PhaseClock.ts"
import type { TracingOperation, TracingStream } from "../Tracing.ts"
import { type AuditPool, auditPool } from "./AuditPool.ts"
import { type Filled, longTraceId, searchPath } from "./FillTraces.ts"

/** What a client of jaeger.storage.v2 takes by default. */
const MESSAGE_BYTES_MAX = 4 * 2 ** 20

/** What a phase saw besides its operations. */
export interface TracingSeen {
  /** Audit events in batches that were answered, and their bytes. */
  events: number
  eventBytes: number
  /** Of traces that were read. */
  messages: number
  messageBytesMax: number
  /** Spans of the shortest trace that was read; null when none was. */
  spans: number | null
}

const nothing = (): TracingSeen => ({ events: 0, eventBytes: 0, messages: 0, messageBytesMax: 0, spans: null })

/** Shared state of a run against a tracing server. */
export class TracingContext extends PhaseClock {
  readonly endpoint: Endpoint
  readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })
  readonly pool: AuditPool
  readonly traceId: Buffer
  readonly longTrace: number
  seen = nothing()
  private readonly filled: Filled

  constructor(seed: number, stream: TracingStream, filled: Filled, endpoint: Endpoint) {
    super(seed)
    this.endpoint = endpoint
    this.filled = filled
    this.pool = auditPool(stream, filled.endUs)
    this.traceId = Buffer.from(longTraceId(filled), "hex")
    this.longTrace = filled.longTrace ?? 0
  }

  searchPath(query: TracingOperation["query"]): string {
    return searchPath(query, this.filled)
  }

  /** A connection for traces; closes with the scope. */
  get storage(): Effect.Effect<GrpcClient, ConnectFailed, Scope.Scope> {
    return connect({ ...this.endpoint, maxReceiveMessageBytes: MESSAGE_BYTES_MAX })
  }

  /** Forgets what is counted per phase. */
  override startPhase(): void {
    super.startPhase()
    this.seen = nothing()
  }
}
