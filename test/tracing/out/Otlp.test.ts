// The wire forms: protobuf that an independent library reads back, chunks within their bound, and export that loses nothing silently.
import type { Parsed } from "./Served.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import protobuf from "protobufjs"
import { machineClockwork } from "#kube"
import { type GrpcMethod, type HttpExchange, listen } from "#net"
import { openExporter, type OutSpan } from "#tracing"
import { SpanChunker } from "../../../core/tracing/otlp/EncodeSpans.ts"
import { ExportTraceServiceResponse } from "../../../core/tracing/otlp/ExportMessages.ts"
import { tracesJson } from "../../../core/tracing/otlp/OtlpJson.ts"
import { deploymentStory, START_US } from "./Story.ts"

/** OpenTelemetry's messages as far as they concern spans, written here so that the judge shares nothing with the encoder. */
const { root } = protobuf.parse(`
syntax = "proto3"; package t;
message TracesData { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Scope { string name = 1; }
message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Event events = 11;
  repeated Link links = 13; Status status = 15; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; ArrayValue array_value = 5; } }
message ArrayValue { repeated AnyValue values = 1; }
`)
const TracesData = root.lookupType("t.TracesData")

/** What a collector reads, in the form of OTLP's JSON. */
const read = (chunk: Uint8Array): Parsed => {
  const options = { longs: String, bytes: String, arrays: true, defaults: false } as const
  const { resourceSpans } = TracesData.toObject(TracesData.decode(chunk), options)
  const hex = (text: string | undefined): string => Buffer.from(text ?? "", "base64").toString("hex")
  for (const { scopeSpans } of resourceSpans)
    for (const { spans } of scopeSpans)
      for (const span of spans) {
        span.traceId = hex(span.traceId)
        span.spanId = hex(span.spanId)
        if (span.parentSpanId !== undefined) span.parentSpanId = hex(span.parentSpanId)
        span.status ??= {}
        for (const link of span.links) Object.assign(link, { traceId: hex(link.traceId), spanId: hex(link.spanId) })
      }
  return { resourceSpans }
}

const hexText = (digits: number) =>
  fc.uint8Array({ minLength: digits / 2, maxLength: digits / 2 }).map((bytes) => Buffer.from(bytes).toString("hex"))
const texts = fc.dictionary(
  fc.string({ minLength: 1 }),
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
  { maxKeys: 4, noNullPrototype: true }
)
const time = fc.integer({ min: 1, max: START_US * 2 })
const spanOf = (service: fc.Arbitrary<string>): fc.Arbitrary<OutSpan> =>
  fc.record({
    traceId: hexText(32),
    spanId: hexText(16),
    parentSpanId: fc.oneof(fc.constant(""), hexText(16)),
    service,
    name: fc.string(),
    startUs: time,
    endUs: time,
    failed: fc.boolean(),
    tags: texts,
    logs: fc.array(fc.record({ atUs: time, name: fc.string(), fields: texts }), { maxLength: 3 }),
    links: fc.array(fc.record({ traceId: hexText(32), spanId: hexText(16), attributes: texts }), { maxLength: 2 }),
    warnings: fc.array(fc.string(), { maxLength: 2 })
  })

const chunksOf = (spans: ReadonlyArray<OutSpan>, bytesMax?: number): ReadonlyArray<Buffer> => {
  const parts = [spans.slice(0, 3), spans.slice(3)].filter((part) => part.length > 0)
  const chunker = new SpanChunker(() => parts.shift(), bytesMax)
  const chunks: Array<Buffer> = []
  for (let chunk = chunker.chunk(); chunk !== undefined; chunk = chunker.chunk()) chunks.push(chunk)
  return chunks
}

/** protobufjs leaves out what is empty; JSON writes some of it. */
const plain = (value: Parsed): Parsed =>
  JSON.parse(
    JSON.stringify(value, (_key, one) => (one === "" || (Array.isArray(one) && one.length === 0) ? undefined : one))
  )

describe("TracesData", () => {
  it("says as protobuf what it says as JSON", () => {
    fc.assert(
      fc.property(fc.array(spanOf(fc.constantFrom("pods", "nodes")), { minLength: 1, maxLength: 6 }), (spans) => {
        const chunks = chunksOf(spans)
        assert.strictEqual(chunks.length, 1)
        assert.deepStrictEqual(plain(read(chunks[0])), plain(tracesJson(spans)))
      })
    )
  })

  it("comes in chunks that are never empty nor above their bound, and lose no span", () => {
    fc.assert(
      fc.property(
        fc.array(spanOf(fc.string({ maxLength: 5 })), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 3000, max: 20_000 }),
        (spans, bytesMax) => {
          const chunks = chunksOf(spans, bytesMax)
          const told = chunks.flatMap((chunk) => {
            assert.isAtMost(chunk.length, bytesMax)
            const inside = read(chunk).resourceSpans.flatMap(({ scopeSpans }: Parsed) =>
              scopeSpans.flatMap((scope: Parsed) => scope.spans)
            )
            assert.isNotEmpty(inside)
            return inside.map(({ spanId }: Parsed) => spanId)
          })
          assert.sameMembers(
            told,
            spans.map(({ spanId }) => spanId)
          )
        }
      )
    )
  })

  it("cuts the texts of a span that no message could carry, and says so", () => {
    const [span] = fc.sample(spanOf(fc.constant("pods")), 1)
    const long = {
      ...span,
      logs: [{ atUs: 1, name: "audit/objectSnapshot", fields: { message: "x".repeat(5_000_000) } }]
    }
    const [chunk] = chunksOf([long])
    assert.isBelow(chunk.length, 20_000 + JSON.stringify(span).length * 4)
    const [told] = read(chunk).resourceSpans[0].scopeSpans[0].spans
    assert.match(JSON.stringify(told.attributes), /texts were cut at 8192 characters/)
  })
})

/** A collector that counts what it takes and answers as it is told. */
const collector = Effect.fnUntraced(function* (answers: Array<"ok" | "busy" | "bad" | "partial">) {
  const seen: Array<string> = []
  const take = (chunk: Uint8Array): void => {
    for (const { scopeSpans } of read(chunk).resourceSpans)
      for (const { spans } of scopeSpans) for (const { spanId } of spans) seen.push(spanId)
  }
  const partial = ExportTraceServiceResponse.encode({
    partialSuccess: { rejectedSpans: 2, errorMessage: "two are too old" }
  })
  const method: GrpcMethod = {
    path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    unary: (call, request) => {
      const answer = answers.shift() ?? "ok"
      if (answer === "busy") return call.fail(14, "busy")
      if (answer === "bad") return call.fail(3, "bad")
      take(request)
      call.respond(answer === "partial" ? partial : new Uint8Array(0))
    }
  }
  const exchange = (asked: HttpExchange): void =>
    asked.readBody(10_000_000, (body) => {
      const answer = answers.shift() ?? "ok"
      if (answer === "busy") return asked.respond(503, [["retry-after", "0"]], "")
      if (answer === "bad") return asked.respond(400, [], "")
      const isJson = asked.header("content-type") === "application/json"
      if (isJson) {
        for (const { scopeSpans } of JSON.parse(Buffer.from(body ?? []).toString()).resourceSpans)
          for (const { spans } of scopeSpans) for (const { spanId } of spans) seen.push(spanId)
        return asked.respond(
          200,
          [["content-type", "application/json"]],
          answer === "partial" ? '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"two are too old"}}' : "{}"
        )
      }
      take(body ?? new Uint8Array(0))
      asked.respond(200, [["content-type", "application/x-protobuf"]], answer === "partial" ? partial : "")
    })
  const { port } = yield* listen({ host: "127.0.0.1", port: 0, methods: [method], exchange })
  return { seen, endpoint: `http://127.0.0.1:${port}` }
})

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), until(holds))))

describe("an exporter", () => {
  for (const protocol of ["grpc", "http/protobuf", "http/json"] as const) {
    it.live(`sends each span once over ${protocol}, tries again what was busy and counts what was not taken`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { endpoint, seen } = yield* collector(["busy", "partial", "ok", "bad"])
          const store = new (yield* Effect.promise(() => import("#tracing"))).MemorySpanStore({
            clockwork: machineClockwork
          })
          const exporter = yield* openExporter(store, { endpoint, protocol, headers: [] }, machineClockwork, {
            settleMs: 40,
            batchSpans: 10
          })
          const { facts } = deploymentStory().story
          store.append(facts, () => {})
          yield* until(() => exporter.stats().refused > 0)
          yield* until(() => exporter.stats().waitingSpans + exporter.stats().waitingTraces === 0)
          const spans = 5 + 8 + 10
          const { refused, rejected, retries, sent } = exporter.stats()
          yield* until(() => exporter.stats().sent + exporter.stats().rejected + exporter.stats().refused === spans)
          assert.strictEqual(retries, 1)
          assert.strictEqual(rejected, 2)
          assert.isAbove(refused, 0)
          assert.strictEqual(new Set(seen).size, seen.length)
          assert.isAtMost(sent, seen.length)
          const before = seen.length
          store.append(facts, () => {})
          const [audit] = facts
          store.append([{ ...audit, id: "00000000000000aa", atUs: audit.atUs + 5 }], () => {})
          yield* until(() => seen.length === before + 1)
        })
      )
    )
  }

  it.live("drops and counts what finds no room, and gives up on a collector that never answers", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { MemorySpanStore } = yield* Effect.promise(() => import("#tracing"))
        const store = new MemorySpanStore({ clockwork: machineClockwork })
        const options = { endpoint: "http://127.0.0.1:1", protocol: "grpc", headers: [] } as const
        const limits = { settleMs: 20, batchSpans: 4, spansMax: 12, retryMs: 10 }
        const exporter = yield* openExporter(store, options, machineClockwork, limits)
        store.append(deploymentStory().story.facts, () => {})
        yield* until(
          () => exporter.stats().waitingSpans + exporter.stats().waitingTraces === 0 && exporter.stats().expired >= 12
        )
        const { dropped, expired, lastError, sent } = exporter.stats()
        assert.strictEqual(sent, 0)
        assert.strictEqual(dropped + expired, 23)
        assert.match(lastError, /127\.0\.0\.1:1/)
      })
    )
  )

  it.effect("refuses an address that it could not use, without showing what is secret in it", () =>
    Effect.gen(function* () {
      const store = deploymentStory().story.store()
      for (const endpoint of ["collector", "ftp://collector", "http://ana:geheim@collector"]) {
        const refused = yield* Effect.flip(
          Effect.scoped(openExporter(store, { endpoint, protocol: "grpc", headers: [] }, machineClockwork))
        )
        assert.match(refused.message, /^endpoint: must /)
        assert.notInclude(refused.message, "geheim")
      }
    })
  )
})
