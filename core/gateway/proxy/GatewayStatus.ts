// What the gateway itself answers when no endpoint does: a Status, as JSON or in Protocol Buffers, whichever the client reads.
// Owns the encoding and the choice; refuses to decide codes. Messages never hold a secret.
// Source: k8s.io/apimachinery, pkg/apis/meta/v1/generated.proto, pkg/runtime/generated.proto.
import type { Status } from "#kube"
import type { HttpExchange, HttpFields } from "#net"
import { ProtoWriter } from "#net"

/** What the beginning of Kubernetes' envelope in Protocol Buffers is. */
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00])
const PROTOBUF = "application/vnd.kubernetes.protobuf"

const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  413: "RequestEntityTooLarge",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout"
}

/** A failure by its code; 421 and 502 have no reason in Kubernetes. */
export const statusOf = (code: number, message: string, retryAfterSeconds?: number): Status => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message,
  reason: reasons[code] ?? "",
  ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
  code
})

/** The Status in Kubernetes' envelope; numbers are the tags of its fields. */
export const protobufStatus = ({ code = 0, details, message = "", reason = "", status }: Status): Uint8Array => {
  const writer = new ProtoWriter(256)
  writer.raw(MAGIC)
  const typeMeta = writer.open(10)
  writer.stringField(10, "v1")
  writer.stringField(18, "Status")
  writer.close(typeMeta)
  const raw = writer.open(18)
  // ListMeta, which Go writes though it is empty.
  writer.bytesField(10, new Uint8Array(0))
  writer.stringField(18, status)
  writer.stringField(26, message)
  writer.stringField(34, reason)
  if (details?.retryAfterSeconds !== undefined) {
    const inner = writer.open(42)
    writer.varint(40)
    writer.varint(details.retryAfterSeconds)
    writer.close(inner)
  }
  writer.varint(48)
  writer.varint(code)
  writer.close(raw)
  return writer.take()
}

/** Whether the client reads Protocol Buffers rather than JSON: the first of both that it names. */
const wantsProtobuf = (accept: string | undefined): boolean => {
  if (accept === undefined || !accept.includes(PROTOBUF)) return false
  const json = accept.indexOf("application/json")
  return json < 0 || accept.indexOf(PROTOBUF) < json
}

const jsonType: HttpFields[number] = ["content-type", "application/json"]
const protobufType: HttpFields[number] = ["content-type", PROTOBUF]

/** Answers a request with a failure. */
export const respondStatus = (exchange: HttpExchange, status: Status, more: HttpFields = []): void => {
  const { code = 500, details } = status
  const retry: HttpFields =
    details?.retryAfterSeconds === undefined ? [] : [["retry-after", String(details.retryAfterSeconds)]]
  const common: HttpFields = [["cache-control", "no-cache, private"], ...retry, ...more]
  if (wantsProtobuf(exchange.header("accept"))) {
    return exchange.respond(code, [protobufType, ...common], protobufStatus(status))
  }
  exchange.respond(code, [jsonType, ...common], `${JSON.stringify(status)}\n`)
}
