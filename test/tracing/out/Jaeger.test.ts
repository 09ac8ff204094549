// Jaeger's two interfaces as a client sees them: the shapes that its page insists on, and the rules of its storage's streams.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect, GrpcCode, type GrpcClient } from "#net"
import { traceIdOf, WINDOW_SECONDS } from "#tracing"
import {
  FindTraceIdsResponse,
  FindTracesRequest,
  GetDependenciesRequest,
  GetDependenciesResponse,
  GetOperationsRequest,
  GetOperationsResponse,
  GetServicesResponse,
  GetTracesRequest
} from "../../../core/tracing/jaeger/StorageMessages.ts"
import { getJson, type Parsed, served } from "./Served.ts"
import { deploymentStory, key, MINUTE, SECOND, Standing, START_US, Story } from "./Story.ts"

const nowUs = START_US + 5 * MINUTE
const facts = deploymentStory().story
const clockwork = new Standing(nowUs)
const iso = (us: number): string => new Date(us / 1000).toISOString()
const range = `start=${START_US - MINUTE}&end=${nowUs}`
const v3Range = `query.startTimeMin=${iso(START_US - MINUTE)}&query.startTimeMax=${iso(nowUs)}`
const serve = (story: Story = facts) => served(story.store(), { clockwork })

const hex = (digits: number): RegExp => new RegExp(`^[0-9a-f]{${digits}}$`)
const decimal = /^\d+$/

/** What the page's own checks ask of a trace of the old API. */
const checkLegacyTrace = (trace: Parsed): void => {
  assert.match(trace.traceID, hex(32))
  const ids = new Set(trace.spans.map(({ spanID }: Parsed) => spanID))
  assert.strictEqual(ids.size, trace.spans.length)
  for (const span of trace.spans) {
    assert.strictEqual(span.traceID, trace.traceID)
    assert.match(span.spanID, hex(16))
    assert.isString(span.operationName)
    assert.isTrue(Number.isInteger(span.startTime) && Number.isInteger(span.duration) && span.duration >= 0)
    assert.isString(trace.processes[span.processID].serviceName)
    for (const { refType, spanID, traceID } of span.references) {
      assert.include(["CHILD_OF", "FOLLOWS_FROM"], refType)
      assert.match(traceID, hex(32))
      assert.match(spanID, hex(16))
      if (refType === "CHILD_OF") assert.isTrue(ids.has(spanID))
    }
    for (const pair of [...span.tags, ...span.logs.flatMap(({ fields }: Parsed) => fields)]) {
      assert.include(["string", "bool", "int64", "float64", "binary"], pair.type)
      assert.hasAllKeys(pair, ["key", "type", "value"])
    }
    for (const { timestamp } of span.logs) assert.isTrue(Number.isInteger(timestamp))
    assert.isTrue(span.warnings === null || span.warnings.every((one: unknown) => typeof one === "string"))
  }
}

describe("the query API", () => {
  it.live("tells services, operations and dependencies on old and new paths", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const legacy = (yield* getJson(`${url}/api/services`)).body
        const v3 = (yield* getJson(`${url}/api/v3/services`)).body
        assert.strictEqual(legacy.data[0], "tracing")
        assert.deepStrictEqual(v3, { services: legacy.data })
        assert.strictEqual(legacy.total, legacy.data.length)
        assert.deepStrictEqual((yield* getJson(`${url}/api/services/tracing/operations`)).body.data, ["main"])
        const operations = { operations: [{ name: "main", spanKind: "internal" }] }
        assert.deepStrictEqual((yield* getJson(`${url}/api/v3/operations?service=tree`)).body, operations)
        assert.deepStrictEqual((yield* getJson(`${url}/api/operations?service=tree&spanKind=server`)).body.data, [])
        const { body } = yield* getJson(`${url}/api/dependencies?endTs=${nowUs / 1000}&lookback=3600000`)
        assert.deepInclude(body.data, { parent: "replicasets", child: "pods", callCount: 3 })
        assert.strictEqual((yield* getJson(`${url}/api/metrics/latencies`)).status, 200)
        assert.strictEqual((yield* getJson(`${url}/api/nothing`)).status, 404)
      })
    )
  )

  it.live("finds traces as the page checks them, by mode, cluster, attribute and time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const find = (query: string) => getJson(`${url}/api/traces?${range}&${query}`)
        const all = (yield* find("service=tracing&limit=20")).body
        assert.strictEqual(all.data.length, 5)
        for (const trace of all.data) checkLegacyTrace(trace)
        const tags = encodeURIComponent('{"resource":"pods","type":"Warning"}')
        assert.strictEqual((yield* find(`service=tree&tags=${tags}`)).body.data.length, 1)
        assert.strictEqual((yield* find("service=tracing&operation=main&limit=2")).body.data.length, 2)
        assert.isEmpty((yield* find("service=tracing&operation=other")).body.data)
        assert.isEmpty((yield* find("service=unknown")).body.data)
        const stored = (yield* find("service=event&operation=FailedScheduling")).body.data
        assert.strictEqual(stored.length, 1)
        assert.isTrue(stored[0].spans.some(({ operationName }: Parsed) => operationName === "FailedScheduling"))
        for (const bad of [
          "service=",
          "service=tree&minDuration=soon",
          "service=tree&tags=[",
          "service=tree&start=x",
          "service=tree&minDuration=2s&maxDuration=1s"
        ]) {
          const { body, status } = yield* getJson(`${url}/api/traces?${bad}`)
          assert.strictEqual(status, 400, bad)
          assert.isNotEmpty(body.errors[0].msg)
        }
      })
    )
  )

  it.live("shows a file of OTLP as traces, refuses what is none, and has no archive", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const post = (path: string, body: string) =>
          Effect.promise(async () => {
            const answer = await fetch(`${url}/api/${path}`, { method: "POST", body })
            return { status: answer.status, body: (await answer.json()) as Parsed }
          })
        const id = traceIdOf(key("deployments", "web"), START_US, WINDOW_SECONDS)
        const own = (yield* getJson(`${url}/api/traces/${id}`)).body
        const file = (yield* getJson(`${url}/api/v3/traces/${id}`)).body.result
        const shown = yield* post("transform", JSON.stringify(file))
        assert.strictEqual(shown.status, 200)
        checkLegacyTrace(shown.body.data[0])
        assert.deepStrictEqual(shown.body.data, own.data)
        for (const [bad, field] of [
          ["{", "body"],
          ["{}", "resourceSpans"],
          [JSON.stringify(file).replace('"traceId":"', '"traceId":"x'), "traceId"],
          [JSON.stringify(file).replace(/"startTimeUnixNano":"\d+"/, '"startTimeUnixNano":"soon"'), "startTimeUnixNano"]
        ]) {
          const refused = yield* post("transform", bad)
          assert.strictEqual(refused.status, 400, field)
          assert.include(refused.body.errors[0].msg, field)
        }
        assert.strictEqual((yield* post(`archive/${id}`, "")).status, 501)
      })
    )
  )

  it.live("gives one trace by its id, whole, and tells missing ones apart from malformed ones", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const [{ traceID }] = (yield* getJson(
          `${url}/api/traces?${range}&service=${encodeURIComponent("tree [owned objects]")}&tags=${encodeURIComponent('{"resource":"deployments"}')}`
        )).body.data
        const { body } = yield* getJson(`${url}/api/traces/${traceID}`)
        checkLegacyTrace(body.data[0])
        const v3 = (yield* getJson(`${url}/api/v3/traces/${traceID}`)).body
        const spans = v3.result.resourceSpans.flatMap(({ scopeSpans }: Parsed) =>
          scopeSpans.flatMap((scope: Parsed) => scope.spans)
        )
        assert.sameMembers(
          spans.map(({ spanId }: Parsed) => spanId),
          body.data[0].spans.map(({ spanID }: Parsed) => spanID)
        )
        for (const span of spans) {
          assert.match(span.traceId, hex(32))
          assert.match(span.startTimeUnixNano, decimal)
        }
        assert.strictEqual((yield* getJson(`${url}/api/traces/${"0".repeat(31)}1`)).status, 404)
        assert.strictEqual((yield* getJson(`${url}/api/v3/traces/${"0".repeat(31)}1`)).status, 404)
        assert.strictEqual((yield* getJson(`${url}/api/traces/xyz`)).status, 400)
        const both = (yield* getJson(`${url}/api/traces?traceID=${traceID}&traceID=1`)).body
        assert.strictEqual(both.data.length, 1)
        assert.strictEqual(both.errors[0].traceID, `${"0".repeat(31)}1`)
      })
    )
  )

  it.live("sums traces up as the newer page checks them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const { body } = yield* getJson(
          `${url}/api/v3/trace-summaries?${v3Range}&query.serviceName=tracing&query.searchDepth=3`
        )
        assert.strictEqual(body.summaries.length, 3)
        for (const summary of body.summaries) {
          assert.match(summary.traceId, hex(32))
          assert.match(summary.minStartTimeUnixNano, decimal)
          assert.match(summary.maxEndTimeUnixNano, decimal)
          assert.strictEqual(summary.orphanSpanCount, 0)
          assert.strictEqual(
            summary.services.reduce((sum: number, one: Parsed) => sum + one.spanCount, 0),
            summary.spanCount
          )
        }
        assert.strictEqual(body.summaries.filter(({ errorSpanCount }: Parsed) => errorSpanCount > 0).length, 1)
        assert.strictEqual((yield* getJson(`${url}/api/v3/trace-summaries?query.serviceName=tree`)).status, 400)
        assert.strictEqual(
          (yield* getJson(`${url}/api/v3/traces?${v3Range}&query.service_name=tree&query.attributes=%5B%5D`)).status,
          400
        )
      })
    )
  )
})

describe("the original's endpoints", () => {
  it.live("redirect to a trace, show one as JSON and tell changes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const object = "resource=deployments.apps&namespace=shop&name=web"
        const redirect = yield* Effect.promise(() =>
          fetch(`${url}/redirect?cluster=main&${object}&ts=${iso(START_US)}`, { redirect: "manual" })
        )
        assert.strictEqual(redirect.status, 302)
        assert.match(redirect.headers.get("location") ?? "", /^\/trace\/ff20000000e1e3e7[0-9a-f]{16}$/)
        assert.strictEqual(
          (yield* getJson(`${url}/redirect?cluster=main&${object}&ts=2020-01-01T00:00:00Z`)).status,
          404
        )
        assert.strictEqual((yield* getJson(`${url}/redirect?cluster=other&${object}`)).status, 400)
        const mode = encodeURIComponent("tree [owned objects]")
        const query = `${object}&start=${START_US}&end=${nowUs}&displayMode=${mode}`
        const trace = (yield* getJson(`${url}/extensions/api/v1/trace?${query}`)).body.data[0]
        checkLegacyTrace(trace)
        const events = (yield* getJson(`${url}/extensions/api/v1/trace?${query}&span_type=event`)).body.data[0]
        assert.isBelow(events.spans.length, trace.spans.length)
        assert.strictEqual((yield* getJson(`${url}/extensions/api/v1/trace?${object}&displayMode=none`)).status, 400)
        const diff = yield* getJson(`${url}/diff/core/v1/pods/shop/web-5d4f-a`)
        assert.strictEqual(diff.body.versions[0].resourceVersion, "100")
        assert.strictEqual((yield* getJson(`${url}/diff//v1/pods/shop/web-5d4f-a/100`)).body.versions.length, 1)
        assert.strictEqual((yield* getJson(`${url}/diff/core/v1/pods/shop/web-5d4f-a/7`)).status, 404)
      })
    )
  )

  it.live("and ours tell why an object does not get on, at any time of asking", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const object = "resource=deploy&namespace=shop&name=web"
        const { body } = yield* getJson(`${url}/answers/v1/trace?${object}`)
        assert.strictEqual(body.made, "1 replicasets and 3 pods")
        assert.deepStrictEqual(
          body.answers.map(({ kind }: Parsed) => kind),
          ["unscheduled"]
        )
        const early = (yield* getJson(`${url}/answers/v1/why?${object}&at=${START_US + SECOND / 2}`)).body
        assert.isEmpty(early.answers)
        assert.strictEqual((yield* getJson(`${url}/answers/v1/stuck`)).body.answers.length, 1)
        assert.strictEqual((yield* getJson(`${url}/answers/v1/why?resource=pods`)).body.parameter, "name")
        assert.strictEqual((yield* getJson(`${url}/answers/v1/why?resource=pods&name=none`)).status, 404)
      })
    )
  )
})

const chunksFrom = (client: GrpcClient, method: string, request: Uint8Array) =>
  Effect.callback<{ readonly code: number; readonly chunks: ReadonlyArray<Buffer> }>((resume) => {
    const chunks: Array<Buffer> = []
    const stream = client.stream(`/jaeger.storage.v2.TraceReader/${method}`, {
      message: (bytes) => chunks.push(Buffer.from(bytes)),
      end: ({ code }) => resume(Effect.succeed({ code, chunks }))
    })
    stream.send(request)
    stream.halfClose()
  })

const unary = (client: GrpcClient, path: string, request: Uint8Array) =>
  Effect.callback<Buffer>((resume) => {
    client.unary(`/jaeger.storage.v2.${path}`, request, (error, answer) =>
      resume(error === undefined ? Effect.succeed(Buffer.from(answer)) : Effect.die(error))
    )
  })

const countOf = (chunk: Buffer, hexId: string): number => chunk.toString("hex").split(`0a10${hexId}`).length - 1

describe("the remote storage", () => {
  it.live("answers every method of jaeger.storage.v2", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { port } = yield* serve()
        const client = yield* connect({ host: "127.0.0.1", port })
        const services = GetServicesResponse.decode(yield* unary(client, "TraceReader/GetServices", new Uint8Array(0)))
        assert.strictEqual(services.services[0], "tracing")
        const operations = yield* unary(
          client,
          "TraceReader/GetOperations",
          GetOperationsRequest.encode({ service: "event" })
        )
        assert.deepStrictEqual(
          GetOperationsResponse.decode(operations).operations.map(({ name }) => name),
          ["FailedScheduling", "Scheduled"]
        )
        const seconds = (us: number) => ({ seconds: Math.floor(us / 1e6), nanos: (us % 1e6) * 1000 })
        const base = { startTimeMin: seconds(START_US - MINUTE), startTimeMax: seconds(nowUs), searchDepth: 10 }
        const request = (more: object) =>
          FindTracesRequest.encode({ query: { serviceName: "tracing", ...base, ...more } as Parsed })
        const attributes = [{ key: "resource", value: { stringValue: "pods" } }]
        const ids = FindTraceIdsResponse.decode(
          yield* unary(client, "TraceReader/FindTraceIDs", request({ attributes }))
        )
        assert.strictEqual(ids.traceIds.length, 3)
        const found = yield* chunksFrom(client, "FindTraces", request({ attributes }))
        assert.strictEqual(found.code, 0)
        assert.strictEqual(found.chunks.length, 3)
        const query = ids.traceIds.map(({ traceId }) => ({ traceId, startTime: undefined, endTime: undefined }))
        const again = yield* chunksFrom(client, "GetTraces", GetTracesRequest.encode({ query }))
        assert.deepStrictEqual(again.chunks, found.chunks)
        const none = yield* chunksFrom(
          client,
          "GetTraces",
          GetTracesRequest.encode({ query: [{ ...query[0], traceId: Buffer.alloc(16, 1) }] })
        )
        assert.deepStrictEqual(none, { code: 0, chunks: [] })
        const dependencies = yield* unary(client, "DependencyReader/GetDependencies", GetDependenciesRequest.encode({}))
        assert.strictEqual(GetDependenciesResponse.decode(dependencies).dependencies[0].source, "kubewharf")
        const broken = yield* chunksFrom(client, "GetTraces", Buffer.from([0x0a, 0xff]))
        assert.strictEqual(broken.code, GrpcCode.InvalidArgument)
      })
    )
  )

  it.live(
    "sends a long trace in consecutive chunks below 4 MiB, none lost",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const story = new Story()
          const map = key("configmaps", "hot")
          for (let at = 0; at < 19_999; at++)
            story.audit(map, START_US + at, "update", { resourceVersion: String(at + 1) })
          const { port } = yield* serve(story)
          const client = yield* connect({ host: "127.0.0.1", port, maxReceiveMessageBytes: 4 * 2 ** 20 })
          const traceId = traceIdOf(map, START_US, WINDOW_SECONDS)
          const query = [{ traceId: Buffer.from(traceId, "hex"), startTime: undefined, endTime: undefined }]
          const { chunks, code } = yield* chunksFrom(client, "GetTraces", GetTracesRequest.encode({ query }))
          assert.strictEqual(code, 0)
          assert.isAbove(chunks.length, 2)
          for (const chunk of chunks) assert.isAtMost(chunk.length, 4 * 2 ** 20)
          assert.strictEqual(
            chunks.reduce((sum, chunk) => sum + countOf(chunk, traceId), 0),
            20_000
          )
        })
      ),
    120_000
  )
})
