// jaeger.storage.v2 over gRPC: a stock Jaeger reads us as its remote storage.
// Owns the methods and the pace of their streams: a chunk is one trace's, never empty, below gRPC's 4 MiB, and is made when the one before
// it went out. Refuses writes, which the audit stream alone makes.
import { GrpcCode, type GrpcMethod, type Message, ProtoError, type StreamCall, type UnaryCall } from "#net"
import { SpanChunker } from "../otlp/EncodeSpans.ts"
import {
  FindTraceIdsResponse,
  FindTracesRequest,
  GetDependenciesRequest,
  GetDependenciesResponse,
  GetOperationsRequest,
  GetOperationsResponse,
  GetServicesResponse,
  GetTracesRequest
} from "./StorageMessages.ts"
import type { CatalogQuery, CatalogTrace, TraceCatalog } from "./TraceCatalog.ts"

const READER = "/jaeger.storage.v2.TraceReader"
const DEPENDENCIES = "/jaeger.storage.v2.DependencyReader"
/** Traces that one GetTraces may name. */
const IDS_MAX = 1000

type Seconds = { readonly seconds: number | bigint; readonly nanos: number } | undefined

const microseconds = (time: Seconds): number | undefined =>
  time === undefined ? undefined : Number(time.seconds) * 1_000_000 + Math.floor(time.nanos / 1000)

/** A duration that is zero asks for nothing. */
const duration = (time: Seconds): number | undefined => microseconds(time) || undefined

const queryOf = (request: ReturnType<typeof FindTracesRequest.decode>): CatalogQuery => {
  const { query } = request
  const attributes: Record<string, string> = {}
  for (const { key, value } of query?.attributes ?? []) {
    const { boolValue, doubleValue, intValue, stringValue } = value ?? {}
    attributes[key] = String(stringValue ?? boolValue ?? intValue ?? doubleValue ?? "")
  }
  return {
    service: query?.serviceName ?? "",
    operation: query?.operationName ?? "",
    attributes,
    fromUs: microseconds(query?.startTimeMin),
    toUs: microseconds(query?.startTimeMax),
    minDurationUs: duration(query?.durationMin),
    maxDurationUs: duration(query?.durationMax),
    limit: query?.searchDepth ?? 0
  }
}

/** The services' methods. */
export const remoteStorage = (catalog: TraceCatalog, chunkBytesMax?: number): ReadonlyArray<GrpcMethod> => {
  const pump = (call: StreamCall, traces: Traces): void => new Pump(call, traces, chunkBytesMax).run()
  return [
    streamOf(`${READER}/GetTraces`, GetTracesRequest, (call, { query }) => {
      if (query.length > IDS_MAX) {
        return call.fail(
          GrpcCode.InvalidArgument,
          `query: ${query.length} traces, at most ${IDS_MAX} are given at once`
        )
      }
      const ids = query.map(({ traceId }) => Buffer.from(traceId).toString("hex"))
      pump(call, (next) => {
        const id = ids.shift()
        if (id === undefined) return next(undefined)
        catalog.get(id, (trace) => next(trace ?? nothing))
      })
    }),
    streamOf(`${READER}/FindTraces`, FindTracesRequest, (call, request) =>
      catalog.find(queryOf(request), (found) => {
        const traces = [...found]
        pump(call, (next) => next(traces.shift()))
      })
    ),
    unaryOf(`${READER}/FindTraceIDs`, FindTracesRequest, (call, request) =>
      catalog.find(queryOf(request), (found) => {
        const traceIds = found.map(({ traceId }) => ({
          traceId: Buffer.from(traceId, "hex"),
          start: undefined,
          end: undefined
        }))
        call.respond(FindTraceIdsResponse.encode({ traceIds }))
      })
    ),
    {
      path: `${READER}/GetServices`,
      unary: (call) => call.respond(GetServicesResponse.encode({ services: catalog.services() }))
    },
    unaryOf(`${READER}/GetOperations`, GetOperationsRequest, (call, { service, spanKind }) => {
      // Every span is internal; who asks for another kind gets none.
      const names = spanKind === "" || spanKind === "internal" ? catalog.operations(service) : []
      call.respond(GetOperationsResponse.encode({ operations: names.map((name) => ({ name, spanKind: "internal" })) }))
    }),
    unaryOf(`${DEPENDENCIES}/GetDependencies`, GetDependenciesRequest, (call, { endTime, startTime }) =>
      catalog.dependencies(microseconds(startTime), microseconds(endTime), (found) => {
        const dependencies = found.map((dependency) => ({ ...dependency, source: "kubewharf" }))
        call.respond(GetDependenciesResponse.encode({ dependencies }))
      })
    )
  ]
}

const nothing: CatalogTrace = { traceId: "", next: () => undefined }

/** Hands on the next trace; undefined at the end. */
type Traces = (next: (trace: CatalogTrace | undefined) => void) => void

/** Sends traces one after another, as fast as the client takes them. */
class Pump {
  private readonly call: StreamCall
  private readonly traces: Traces
  private readonly chunkBytesMax: number | undefined
  private chunker: SpanChunker | undefined

  constructor(call: StreamCall, traces: Traces, chunkBytesMax: number | undefined) {
    this.call = call
    this.traces = traces
    this.chunkBytesMax = chunkBytesMax
    call.onDrain = () => this.run()
  }

  run(): void {
    while (!this.call.cancelled) {
      if (this.chunker === undefined) return this.traces((trace) => this.take(trace))
      const chunk = this.chunker.chunk()
      if (chunk === undefined) this.chunker = undefined
      else if (!this.call.sendOwned(chunk)) return
    }
  }

  private take(trace: CatalogTrace | undefined): void {
    if (trace === undefined) return this.call.end()
    this.chunker = new SpanChunker(trace.next, this.chunkBytesMax)
    this.run()
  }
}

const decoded = <T extends object>(
  call: UnaryCall | StreamCall,
  codec: Message<T>,
  bytes: Uint8Array
): T | undefined => {
  try {
    return codec.decode(bytes)
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error
    call.fail(GrpcCode.InvalidArgument, error.message)
    return undefined
  }
}

const unaryOf = <T extends object>(
  path: string,
  codec: Message<T>,
  answer: (call: UnaryCall, request: T) => void
): GrpcMethod => ({
  path,
  unary: (call, bytes) => {
    const request = decoded(call, codec, bytes)
    if (request !== undefined) answer(call, request)
  }
})

/** A method with one request and a stream of answers. */
const streamOf = <T extends object>(
  path: string,
  codec: Message<T>,
  answer: (call: StreamCall, request: T) => void
): GrpcMethod => ({
  path,
  stream: (call) => {
    let asked = false
    return {
      message: (bytes) => {
        if (asked) return
        asked = true
        // The bytes are valid during this call only, and an answer may come later.
        const request = decoded(call, codec, bytes.slice())
        if (request !== undefined) answer(call, request)
      },
      end: () => {
        if (!asked) call.fail(GrpcCode.InvalidArgument, "no request was sent")
      }
    }
  }
})
