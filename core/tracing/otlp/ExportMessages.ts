// The answer of OpenTelemetry's trace service to an export, and its error status over HTTP, as tables.
// Owns their fields; refuses the request, which EncodeSpans.ts writes. Source: opentelemetry/proto/collector/trace/v1/trace_service.proto.
import { field, message, one } from "#net"

export const ExportTraceServiceResponse = message({ partialSuccess: one(1, () => PartialSuccess) })
const PartialSuccess = message({ rejectedSpans: field(1, "int64"), errorMessage: field(2, "string") })

/** google.rpc.Status, which OTLP over HTTP answers errors with. */
export const RpcStatus = message({ code: field(1, "int32"), message: field(2, "string") })
