// A stock Jaeger as the judge: over our remote storage it must show what our own query API shows, and it must take what we export.
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { machineClockwork } from "#kube"
import { openExporter, traceIdOf, WINDOW_SECONDS } from "#tracing"
import { describeWith } from "../../Judges.ts"
import { type Parsed, served, type Served } from "../out/Served.ts"
import { deploymentStory, key, MINUTE, Standing, START_US, Story } from "../out/Story.ts"
import { type JaegerServer, normalised, startJaeger } from "./JaegerServer.ts"

const nowUs = START_US + 5 * MINUTE
const range = `start=${START_US - MINUTE}&end=${nowUs}&limit=50`
const iso = (us: number): string => new Date(us / 1000).toISOString()
const get = async (url: string): Promise<Parsed> => (await fetch(url)).json()

const storyWithDiffs = (): Story => {
  const { story } = deploymentStory()
  const map = key("configmaps", "m")
  for (let at = 0; at < 3; at++) {
    const more = { newResourceVersion: String(10 + at), resourceVersion: String(9 + at), fieldManager: "helm" }
    story.audit(map, START_US + at * 1000, "update", {
      ...more,
      code: at === 2 ? 409 : 200,
      reason: at === 2 ? "Conflict" : ""
    })
    story.snapshot(map, START_US + at * 1000, 10 + at, {
      metadata: { name: "m" },
      data: { size: String(at), text: 'ä\u0000é"<' }
    })
  }
  return story
}

const HOT_SPANS = 50_000

describeWith("jaeger")("a stock Jaeger over our remote storage", ({ jaeger }) => {
  const hot = key("configmaps", "hot")
  let scope: Scope.Closeable
  let ours: Served
  let theirs: JaegerServer

  beforeAll(async () => {
    const story = storyWithDiffs()
    for (let at = 1; at < HOT_SPANS; at++) story.audit(hot, START_US + at, "update", { resourceVersion: String(at) })
    scope = Scope.makeUnsafe()
    ours = await Effect.runPromise(Scope.provide(served(story.store(), { clockwork: new Standing(nowUs) }), scope))
    theirs = await startJaeger(jaeger, ours.port)
  }, 120_000)
  afterAll(async () => {
    await theirs?.stop()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("knows the same services, operations and dependencies", async () => {
    const both = async (path: string, of: (body: Parsed) => ReadonlyArray<unknown>) => {
      const [mine, judged] = [await get(`${ours.url}${path}`), await get(`${theirs.url}${path}`)]
      const sorted = (body: Parsed) =>
        of(body)
          .map((one) => JSON.stringify(one))
          .sort()
      assert.deepStrictEqual(sorted(judged), sorted(mine), path)
      assert.isNotEmpty(of(mine), path)
    }
    await both("/api/services", ({ data }) => data)
    await both("/api/v3/services", ({ services }) => services)
    await both("/api/services/tracing/operations", ({ data }) => data)
    await both("/api/v3/operations?service=event", ({ operations }) => operations)
    await both(`/api/dependencies?endTs=${nowUs / 1000}&lookback=3600000`, ({ data }) => data)
  })

  for (const service of ["tracing", "tree [owned objects]", "grouped [full tree]", "timeline", "event"]) {
    it(`finds the same traces as ${service}`, async () => {
      // Without what Jaeger adjusts for clocks of several machines.
      const tags = encodeURIComponent(
        JSON.stringify(service === "event" ? { type: "Warning" } : { namespace: "shop", resource: "pods" })
      )
      const path = `/api/traces?${range}&service=${encodeURIComponent(service)}&tags=${tags}&raw=true`
      const [mine, judged] = [await get(`${ours.url}${path}`), await get(`${theirs.url}${path}`)]
      const sorted = (body: Parsed) =>
        body.data.map(normalised).sort((a: Parsed, b: Parsed) => (a.traceID < b.traceID ? -1 : 1))
      assert.isNotEmpty(mine.data)
      assert.deepStrictEqual(sorted(judged), sorted(mine))
    })
  }

  it("gives the same trace by its id, with diffs and failures, on old and new paths", async () => {
    const [found] = (
      await get(
        `${ours.url}/api/traces?${range}&service=tree&tags=${encodeURIComponent('{"resource":"configmaps","reason":"Conflict"}')}`
      )
    ).data
    const path = `/api/traces/${found.traceID}?raw=true`
    const [mine, judged] = [await get(`${ours.url}${path}`), await get(`${theirs.url}${path}`)]
    assert.deepStrictEqual(normalised(judged.data[0]), normalised(mine.data[0]))
    assert.match(JSON.stringify(judged), /data.size \\"0\\" -> \\"1\\"/)
    const v3 = `/api/v3/traces/${found.traceID}?raw_traces=true`
    const spans = (body: Parsed) =>
      body.result.resourceSpans
        .flatMap(({ scopeSpans }: Parsed) => scopeSpans.flatMap((one: Parsed) => one.spans))
        .map(({ endTimeUnixNano, name, spanId, startTimeUnixNano, traceId }: Parsed) =>
          [traceId, spanId, name, startTimeUnixNano, endTimeUnixNano].map(String)
        )
        .sort()
    const [ownV3, judgedV3] = [await get(`${ours.url}${v3}`), await get(`${theirs.url}${v3}`)]
    assert.strictEqual(spans(judgedV3).length, spans(ownV3).length)
    assert.deepStrictEqual(
      spans(judgedV3).map(([, , name]: Parsed) => name),
      spans(ownV3).map(([, , name]: Parsed) => name)
    )
    const missing = await fetch(`${theirs.url}/api/traces/${"0".repeat(31)}1`)
    assert.strictEqual(missing.status, 404)
    assert.strictEqual((await fetch(`${ours.url}/api/traces/${"0".repeat(31)}1`)).status, 404)
  })

  it("reads a trace of 50,000 spans through messages of 4 MiB", async () => {
    const id = traceIdOf(hot, START_US, WINDOW_SECONDS)
    const { data } = await get(`${theirs.url}/api/traces/${id}?raw=true`)
    assert.strictEqual(data[0].spans.length, HOT_SPANS)
  }, 120_000)

  it("asks by time and duration as we do", async () => {
    const query = `query.start_time_min=${iso(START_US - MINUTE)}&query.start_time_max=${iso(nowUs)}&query.service_name=audit&query.duration_min=4ms`
    assert.strictEqual((await fetch(`${theirs.url}/api/v3/traces?${query}`)).status, 404)
    assert.strictEqual((await fetch(`${ours.url}/api/v3/traces?${query}`)).status, 404)
  })
})

describeWith("jaeger")("a stock Jaeger as a collector", ({ jaeger }) => {
  let theirs: JaegerServer
  beforeAll(async () => {
    theirs = await startJaeger(jaeger)
  }, 120_000)
  afterAll(() => theirs?.stop())

  for (const protocol of ["grpc", "http/protobuf", "http/json"] as const) {
    it.live(`takes what is exported over ${protocol}, and shows it`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const story = new Story()
          const map = key("configmaps", `by-${protocol.replace("/", "-")}`)
          for (let at = 0; at < 300; at++) story.audit(map, START_US + at, "update", { code: at % 7 === 0 ? 409 : 200 })
          const store = story.store()
          const endpoint = protocol === "grpc" ? theirs.otlpGrpc : theirs.otlpHttp
          const exporter = yield* openExporter(store, { endpoint, protocol, headers: [] }, machineClockwork, {
            settleMs: 50
          })
          const ours = yield* served(store, { clockwork: new Standing(nowUs) })
          const id = traceIdOf(map, START_US, WINDOW_SECONDS)
          const spans = 301
          while (exporter.stats().sent < spans) {
            assert.strictEqual(exporter.stats().refused + exporter.stats().dropped, 0, exporter.stats().lastError)
            yield* Effect.sleep("50 millis")
          }
          const path = `/api/traces/${id}?raw=true`
          let judged = yield* Effect.promise(() => get(`${theirs.url}${path}`))
          while (judged.data?.[0]?.spans.length !== spans) {
            yield* Effect.sleep("100 millis")
            judged = yield* Effect.promise(() => get(`${theirs.url}${path}`))
          }
          const mine = yield* Effect.promise(() => get(`${ours.url}${path}`))
          assert.deepStrictEqual(normalised(judged.data[0]), normalised(mine.data[0]))
        })
      )
    )
  }
})
