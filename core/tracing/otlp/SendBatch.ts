// The wires to a collector: OTLP over gRPC, and over HTTP as protobuf or JSON.
// Owns one connection and how each status of each wire is meant; refuses queues and retries, which the exporter does.
import { type GrpcClient, GrpcCode, grpcCodeName, type HttpClient, type HttpFields } from "#net"
import { ExportTraceServiceResponse, RpcStatus } from "./ExportMessages.ts"
import { SpanChunker } from "./EncodeSpans.ts"
import { tracesJson } from "./OtlpJson.ts"
import type { OutSpan } from "./OutSpan.ts"
import type { BatchSender, Sent } from "./SpanExporter.ts"

/** How long a collector may take for a batch. */
const DEADLINE_MS = 10_000
const ANSWER_BYTES_MAX = 65_536

/** Hands out the connection to use now; `undefined` when there is none, with the reason. */
export type Connected<Client> = (done: (client: Client | undefined, reason: string) => void) => void

/** A batch as messages: TracesData and an export request are the same bytes. */
const messagesOf = (spans: ReadonlyArray<OutSpan>): ReadonlyArray<Buffer> => {
  let told = false
  const chunker = new SpanChunker(() => {
    if (told) return undefined
    told = true
    return spans
  })
  const messages: Array<Buffer> = []
  for (let chunk = chunker.chunk(); chunk !== undefined; chunk = chunker.chunk()) messages.push(chunk)
  return messages
}

/** Sends messages one after another; the worst outcome is the batch's. A retry sends all again, which changes nothing where ids are kept. */
const inTurn = (
  messages: ReadonlyArray<Uint8Array>,
  send: (message: Uint8Array, done: (sent: Sent) => void) => void,
  done: (sent: Sent) => void
): void => {
  let rejected = 0
  let reason = ""
  const next = (at: number): void => {
    const message = messages[at]
    if (message === undefined) return done({ kind: "accepted", rejected, reason })
    send(message, (sent) => {
      if (sent.kind !== "accepted") return done(sent)
      rejected += sent.rejected
      if (sent.reason !== "") reason = sent.reason
      next(at + 1)
    })
  }
  next(0)
}

const partial = (bytes: Uint8Array): Sent => {
  const { partialSuccess } = ExportTraceServiceResponse.decode(bytes)
  return {
    kind: "accepted",
    rejected: Number(partialSuccess?.rejectedSpans ?? 0),
    reason: partialSuccess?.errorMessage ?? ""
  }
}

const retryable = new Set<number>([
  GrpcCode.Cancelled,
  GrpcCode.DeadlineExceeded,
  GrpcCode.Aborted,
  GrpcCode.OutOfRange,
  GrpcCode.Unavailable,
  GrpcCode.DataLoss,
  GrpcCode.ResourceExhausted
])

export const grpcSender = (connected: Connected<GrpcClient>, close: () => void, metadata: HttpFields): BatchSender => ({
  close,
  send: (spans, done) =>
    connected((client, reason) => {
      if (client === undefined) return done({ kind: "retry", reason, afterMs: undefined })
      const send = (message: Uint8Array, sent: (outcome: Sent) => void): void => {
        client.unary(
          "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
          message,
          (error, answer) => {
            if (error === undefined) return sent(partial(answer))
            const words = `${grpcCodeName(error.code)}: ${error.message}`
            const again = retryable.has(error.code)
            sent(again ? { kind: "retry", reason: words, afterMs: undefined } : { kind: "refused", reason: words })
          },
          { deadlineMs: DEADLINE_MS, metadata }
        )
      }
      inTurn(messagesOf(spans), send, done)
    })
})

const retryableStatus = new Set([429, 502, 503, 504])

export interface HttpSenderOptions {
  /** Like "/v1/traces". */
  readonly path: string
  readonly encoding: "protobuf" | "json"
  readonly fields: HttpFields
}

export const httpSender = (
  connected: Connected<HttpClient>,
  close: () => void,
  { encoding, fields, path }: HttpSenderOptions
): BatchSender => {
  const contentType = encoding === "json" ? "application/json" : "application/x-protobuf"
  const head = { method: "POST", path, fields: [["content-type", contentType], ...fields] as HttpFields }
  const post = (client: HttpClient, message: Uint8Array, done: (sent: Sent) => void): void => {
    let status = 0
    let retryAfter: string | undefined
    const parts: Array<Uint8Array> = []
    let size = 0
    const request = client.request(
      { ...head, fields: [...head.fields, ["content-length", String(message.length)]] },
      {
        head: (code, answered) => {
          status = code
          retryAfter = answered.find(([name]) => name === "retry-after")?.[1]
        },
        body: (bytes) => {
          size += bytes.length
          if (size <= ANSWER_BYTES_MAX) parts.push(bytes.slice())
        },
        end: () => done(meaning(status, Buffer.concat(parts), encoding, retryAfter)),
        failed: (error) => done({ kind: "retry", reason: error.message, afterMs: undefined })
      }
    )
    request.end(message)
  }
  return {
    close,
    send: (spans, done) =>
      connected((client, reason) => {
        if (client === undefined) return done({ kind: "retry", reason, afterMs: undefined })
        const messages = encoding === "json" ? [Buffer.from(JSON.stringify(tracesJson(spans)))] : messagesOf(spans)
        inTurn(messages, (message, sent) => post(client, message, sent), done)
      })
  }
}

const meaning = (status: number, body: Buffer, encoding: "protobuf" | "json", retryAfter: string | undefined): Sent => {
  if (status >= 200 && status < 300) return encoding === "json" ? partialJson(body) : partialBytes(body)
  const reason = `HTTP ${status}${encoding === "protobuf" ? statusText(body) : ""}`
  if (!retryableStatus.has(status)) return { kind: "refused", reason }
  const seconds = Number(retryAfter)
  return { kind: "retry", reason, afterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined }
}

const partialBytes = (body: Buffer): Sent => {
  try {
    return partial(body)
  } catch {
    return { kind: "accepted", rejected: 0, reason: "" }
  }
}

const partialJson = (body: Buffer): Sent => {
  try {
    // SAFETY: the fields are read as what they may be.
    const { partialSuccess } = JSON.parse(body.toString() || "{}") as {
      readonly partialSuccess?: { readonly rejectedSpans?: string | number; readonly errorMessage?: string }
    }
    return {
      kind: "accepted",
      rejected: Number(partialSuccess?.rejectedSpans ?? 0) || 0,
      reason: partialSuccess?.errorMessage ?? ""
    }
  } catch {
    return { kind: "accepted", rejected: 0, reason: "" }
  }
}

const statusText = (body: Buffer): string => {
  try {
    const { message } = RpcStatus.decode(body)
    return message === "" ? "" : `: ${message.slice(0, 200)}`
  } catch {
    return ""
  }
}
