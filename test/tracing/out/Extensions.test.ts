// Other systems' traces grafted into ours: what their servers are asked, where their spans hang in each base mode, and what becomes of a
// server that is late, broken or away. The servers are real ones on a socket; one answers in Jaeger's form.
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { DisplayModes, parseTransformFile, shippedModes, TransformInvalid } from "#tracing"
import { getJson, type Parsed, served } from "./Served.ts"
import { key, Standing, START_US, Story } from "./Story.ts"

const MINUTE = 60_000_000
const pod = key("pods", "web-0")

/** A trace of two spans, as Jaeger's query API writes it. */
const answerFor = (auditId: string) => ({
  data: [
    {
      traceID: "0af7651916cd43dd8448eb211c80319c",
      spans: [
        {
          traceID: "0af7651916cd43dd8448eb211c80319c",
          spanID: "b7ad6b7169203331",
          operationName: "Create",
          references: [],
          startTime: START_US,
          duration: 2000,
          tags: [{ key: "audit-id", type: "string", value: auditId }],
          logs: [{ timestamp: START_US, fields: [{ key: "event", type: "string", value: "admitted" }] }],
          processID: "p1"
        },
        {
          traceID: "0af7651916cd43dd8448eb211c80319c",
          spanID: "b7ad6b7169203332",
          operationName: "etcd3 put",
          references: [{ refType: "CHILD_OF", traceID: "x", spanID: "b7ad6b7169203331" }],
          startTime: START_US + 500,
          duration: 1000,
          tags: [{ key: "error", type: "bool", value: true }],
          logs: [],
          processID: "p1"
        }
      ],
      processes: { p1: { serviceName: "apiserver", tags: [] } }
    }
  ]
})

/** A server that remembers what it was asked; `answer` decides what it says, undefined never answers. */
const foreign = (answer: (url: URL) => string | undefined) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly server: Server; readonly url: string; readonly asked: Array<URL> }>((resolve) => {
          const asked: Array<URL> = []
          const server = createServer((request, response) => {
            const url = new URL(request.url ?? "/", "http://it")
            asked.push(url)
            const body = answer(url)
            if (body !== undefined) response.end(body)
          })
          server.listen(0, "127.0.0.1", () => {
            // SAFETY: it listens on a port.
            resolve({ server, asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
          })
        })
    ),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

const modesWith = (args: object): string =>
  shippedModes.replace(
    "modifiers:\n",
    `modifiers:\n  "00000001": ${JSON.stringify({ displayName: "apiserver trace", modifierName: "extension", args })}\n`
  )

const jaegerArgs = (queryUrl: string, more: object = {}) => ({
  kind: "JaegerStorage",
  queryUrl,
  service: "apiserver",
  tagTemplates: { "audit-id": "{{.auditId}}" },
  forAuditEvent: true,
  totalTimeout: "5s",
  maxConcurrency: 4,
  ...more
})

const story = (): Story => new Story().audit(pod, START_US, "create").audit(pod, START_US + 5000, "update")

const traceOf = (modes: string, mode: string, about = pod) =>
  Effect.gen(function* () {
    const { url } = yield* served(story().store(), { clockwork: new Standing(START_US + MINUTE), modes })
    const query = new URLSearchParams({
      resource: about.resource,
      namespace: about.namespace,
      name: about.name,
      displayMode: mode,
      start: String(START_US - MINUTE),
      end: String(START_US + MINUTE)
    })
    const { body } = yield* getJson(`${url}/extensions/api/v1/trace?${query.toString()}`)
    const [trace] = body.data as ReadonlyArray<Parsed>
    const parents = new Map<string, string>(
      trace.spans.map(({ operationName, spanID }: Parsed) => [spanID, operationName])
    )
    return trace.spans.map(({ operationName, processID, references, warnings }: Parsed) => ({
      name: operationName as string,
      service: trace.processes[processID].serviceName as string,
      under: parents.get(references.find(({ refType }: Parsed) => refType === "CHILD_OF")?.spanID) ?? "",
      warnings: (warnings ?? []) as ReadonlyArray<string>
    })) as ReadonlyArray<{ name: string; service: string; under: string; warnings: ReadonlyArray<string> }>
  })

describe("an extension of kind JaegerStorage", () => {
  for (const [mode, under] of [
    ["tree [apiserver trace]", / (create|update)$/],
    ["tracing [apiserver trace]", /^shop\/web-0 /]
  ] as const) {
    it.live(`hangs the traces of each request below it in ${mode}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { asked, url } = yield* foreign((asking) =>
            JSON.stringify(answerFor(JSON.parse(asking.searchParams.get("tags") ?? "{}")["audit-id"]))
          )
          const spans = yield* traceOf(modesWith(jaegerArgs(url)), mode)
          const creates = spans.filter(({ service }) => service === "apiserver")
          assert.deepEqual(creates.map(({ name }) => name).toSorted(), ["Create", "Create", "etcd3 put", "etcd3 put"])
          assert.isTrue(creates.filter(({ name }) => name === "etcd3 put").every((span) => span.under === "Create"))
          for (const span of creates.filter(({ name }) => name === "Create")) assert.match(span.under, under)
          assert.strictEqual(asked.length, 2)
          for (const { pathname, searchParams } of asked) {
            assert.strictEqual(pathname, "/api/traces")
            assert.strictEqual(searchParams.get("service"), "apiserver")
            assert.strictEqual(searchParams.get("limit"), "5")
            assert.match(JSON.parse(searchParams.get("tags") ?? "")["audit-id"], /^[0-9a-f]{16}$/)
          }
        })
      )
    )
  }

  it.live("keeps what arrived in time, and says what did not", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let calls = 0
        const { url } = yield* foreign(() => (++calls === 1 ? JSON.stringify(answerFor("x")) : undefined))
        const args = jaegerArgs(url, { totalTimeout: "300ms", maxConcurrency: 1 })
        const spans = yield* traceOf(modesWith(args), "tree [apiserver trace]")
        assert.strictEqual(spans.filter(({ service }) => service === "apiserver").length, 2)
        assert.include(spans[0].warnings.join(), "traces of 1 spans did not come in time")
      })
    )
  )

  it.live("shows ours alone where the other server is away or answers nonsense", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* foreign(() => "<html>")
        for (const address of [url, "http://127.0.0.1:1"]) {
          const spans = yield* traceOf(modesWith(jaegerArgs(address)), "tree [apiserver trace]")
          assert.strictEqual(spans.length, 3)
        }
      })
    )
  )
})

describe("an extension of kind HTTPTrace", () => {
  it.live("asks the first server whose filters match and that answers, with the object's fields in its address", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { asked, url } = yield* foreign((asking) =>
          asking.pathname.startsWith("/broken") ? "no" : JSON.stringify(answerFor("x"))
        )
        const backend = (path: string, filter: string) => ({
          tagFilters: { resource: filter },
          argsTemplates: { from: "{{unixMicro .start}}", object: "{{.groupResource}} {{.objectApiPath}}" },
          urlTemplate: `${url}/${path}/{{.name}}`,
          forObject: true
        })
        const args = {
          kind: "HTTPTrace",
          traceBackends: [backend("never", "^nodes$"), backend("broken", "pods"), backend("good", "pods")],
          totalTimeout: "5s",
          maxConcurrency: 2
        }
        const spans = yield* traceOf(modesWith(args), "tree [apiserver trace]")
        assert.strictEqual(spans.filter(({ service }) => service === "apiserver").length, 2)
        assert.deepEqual(
          asked.map(({ pathname }) => pathname),
          ["/broken/web-0", "/good/web-0"]
        )
        assert.match(asked[1].searchParams.get("from") ?? "", /^\d{16}$/)
        assert.strictEqual(asked[1].searchParams.get("object"), "pods /api/v1/namespaces/shop/pods/web-0")
      })
    )
  )
})

it("refuses arguments that it could not keep to, by the name of the field", () => {
  for (const [args, field] of [
    [jaegerArgs("ftp://x"), /queryUrl/],
    [{ ...jaegerArgs("http://x"), queryUrl: undefined, storageArgs: { "span-storage.type": "es" } }, /queryUrl/],
    [jaegerArgs("http://x", { totalTimeout: "soon" }), /totalTimeout/],
    [jaegerArgs("http://x", { tagTemplates: { a: "{{if .x}}" } }), /tagTemplates\.a/],
    [{ kind: "Other", totalTimeout: "1s", maxConcurrency: 1 }, /kind/]
  ] as const) {
    try {
      const { all } = new DisplayModes(parseTransformFile(modesWith(args)))
      assert.fail(`taken as ${all.length} modes`)
    } catch (error) {
      assert.instanceOf(error, TransformInvalid)
      assert.match(error.message, field)
    }
  }
})
