// A trace of 50,000 spans as its readers get it: node test/tracing/bench/LongTrace.ts [spans]
// One object with so many updates, every tenth with a diff, in the store on disk; read as spans, as chunks of jaeger.storage.v2 below 4 MiB
// over a socket, as JSON of the query API, and as a view of a display mode. Best of three, this process alone, on loopback.
import { Effect } from "effect"
import { connect } from "#net"
import { traceIdOf, WINDOW_SECONDS } from "#tracing"
import { GetTracesRequest } from "../../../core/tracing/jaeger/StorageMessages.ts"
import { key, Standing, START_US, Story } from "../out/Story.ts"
import { served } from "../out/Served.ts"
import { openOnDisk } from "../Stores.ts"

const SPANS = Number(process.argv[2] ?? 50_000)
const ROUNDS = 3
const map = key("configmaps", "hot")

const storyOf = (): Story => {
  const story = new Story()
  for (let at = 1; at < SPANS; at++) {
    const more = { resourceVersion: String(at), newResourceVersion: String(at + 1), fieldManager: "bench" }
    story.audit(map, START_US + at * 1000, "update", more)
    if (at % 10 === 0) {
      const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "hot" }, data: { at: String(at) } }
      story.snapshot(map, START_US + at * 1000, at + 1, body, { source: "audit" })
    }
  }
  return story
}

const best = async (what: string, run: () => Promise<string>): Promise<void> => {
  let least = Number.POSITIVE_INFINITY
  let said = ""
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now()
    said = await run()
    least = Math.min(least, performance.now() - begun)
  }
  process.stdout.write(`${what}: ${Math.round(least)} ms, ${said}\n`)
}

const program = Effect.gen(function* () {
  const { close, store } = yield* Effect.promise(() => openOnDisk())
  yield* Effect.addFinalizer(() => Effect.promise(close))
  const { facts } = storyOf()
  for (let at = 0; at < facts.length; at += 5000) {
    yield* Effect.callback<void>((resume) => store.append(facts.slice(at, at + 5000), () => resume(Effect.void)))
  }
  const ours = yield* served(store, { clockwork: new Standing(START_US + 600e6) })
  const client = yield* connect({ host: "127.0.0.1", port: ours.port, maxReceiveMessageBytes: 4 * 2 ** 20 })
  const traceId = traceIdOf(map, START_US, WINDOW_SECONDS)
  const query = GetTracesRequest.encode({
    query: [{ traceId: Buffer.from(traceId, "hex"), startTime: undefined, endTime: undefined }]
  })
  yield* Effect.promise(() =>
    best("spans from the store", async () => {
      const chunks = store.trace(traceId)
      let spans = 0
      for (let next = chunks.next(); next !== undefined; next = chunks.next()) spans += next.length
      return `${spans} spans`
    })
  )
  yield* Effect.promise(() =>
    best(
      "chunks over gRPC",
      () =>
        new Promise((resolve, reject) => {
          const sizes: Array<number> = []
          const stream = client.stream("/jaeger.storage.v2.TraceReader/GetTraces", {
            message: (bytes) => sizes.push(bytes.length),
            end: ({ code, message }) =>
              code === 0
                ? resolve(`${sizes.length} chunks of ${Math.max(...sizes)} bytes at most`)
                : reject(new Error(message))
          })
          stream.send(query)
          stream.halfClose()
        })
    )
  )
  const get = (path: string) => async (): Promise<string> => {
    const answer = await fetch(`${ours.url}${path}`)
    return `${(await answer.arrayBuffer()).byteLength} bytes`
  }
  yield* Effect.promise(() => best("JSON of the query API", get(`/api/traces/${traceId}`)))
  const mode = encodeURIComponent("tracing [owned objects]")
  const about = `resource=configmaps&namespace=shop&name=hot&displayMode=${mode}&start=${START_US}&end=${START_US + 60e6}`
  yield* Effect.promise(() => best("a display mode's view as JSON", get(`/extensions/api/v1/trace?${about}`)))
  yield* Effect.promise(() => best("why", get("/answers/v1/why?resource=configmaps&namespace=shop&name=hot")))
})

await Effect.runPromise(Effect.scoped(program))
