// The messages of jaeger.storage.v2 as tables, all but TracesData, which EncodeSpans.ts writes.
// Owns their fields; refuses to serve them. Source: jaeger-idl, proto/storage/v2/trace_storage.proto and dependency_storage.proto.
import { field, list, many, message, one, optional } from "#net"

export const Timestamp = message({ seconds: field(1, "int64"), nanos: field(2, "int32") })
export const Duration = message({ seconds: field(1, "int64"), nanos: field(2, "int32") })

export const GetTracesRequest = message({ query: many(1, () => GetTraceParams) })
const GetTraceParams = message({
  traceId: field(1, "bytes"),
  startTime: one(2, () => Timestamp),
  endTime: one(3, () => Timestamp)
})

export const GetServicesResponse = message({ services: list(1, "string") })
export const GetOperationsRequest = message({ service: field(1, "string"), spanKind: field(2, "string") })
export const GetOperationsResponse = message({ operations: many(1, () => Operation) })
const Operation = message({ name: field(1, "string"), spanKind: field(2, "string") })

/** Arrays and lists of pairs cannot be searched for: every value here is a text. */
const AnyValue = message({
  stringValue: optional(1, "string"),
  boolValue: optional(2, "bool"),
  intValue: optional(3, "int64"),
  doubleValue: optional(4, "double")
})
const KeyValue = message({ key: field(1, "string"), value: one(2, () => AnyValue) })

export const FindTracesRequest = message({ query: one(1, () => TraceQueryParameters) })
export const TraceQueryParameters = message({
  serviceName: field(1, "string"),
  operationName: field(2, "string"),
  attributes: many(3, () => KeyValue),
  startTimeMin: one(4, () => Timestamp),
  startTimeMax: one(5, () => Timestamp),
  durationMin: one(6, () => Duration),
  durationMax: one(7, () => Duration),
  searchDepth: field(8, "int32")
})

export const FindTraceIdsResponse = message({ traceIds: many(1, () => FoundTraceId) })
const FoundTraceId = message({
  traceId: field(1, "bytes"),
  start: one(2, () => Timestamp),
  end: one(3, () => Timestamp)
})

export const GetDependenciesRequest = message({ startTime: one(1, () => Timestamp), endTime: one(2, () => Timestamp) })
export const GetDependenciesResponse = message({ dependencies: many(1, () => Dependency) })
const Dependency = message({
  parent: field(1, "string"),
  child: field(2, "string"),
  callCount: field(3, "uint64"),
  source: field(4, "string")
})
