// The audit webhook and the server's own pages: who is let in, what is refused and how, and that a refused batch leaves nothing.
import { afterAll, beforeAll, expect, it } from "vitest"
import { auditStream, eventList } from "../AuditStreams.ts"
import { auditToken, readToken, serve, type Served } from "../Served.ts"
import { everything } from "../Stores.ts"

let served: Served
beforeAll(async () => {
  served = await serve()
})
afterAll(() => served.close())

const events = auditStream(
  Array.from({ length: 20 }, (_, at) => ({
    verb: at < 5 ? ("create" as const) : ("update" as const),
    object: at % 5,
    afterUs: 1_000_001,
    code: 200,
    level: "RequestResponse" as const
  }))
)

it("lets nobody send or read without saying who they are", async () => {
  const body = eventList(events)
  expect((await served.ask("POST", "/audit/prod", { body })).code).toBe(401)
  expect((await served.ask("POST", "/audit/prod", { body, token: "wrong-token-0123456789" })).code).toBe(401)
  expect((await served.ask("POST", "/audit/prod", { body, token: readToken })).code).toBe(403)
  expect((await served.ask("POST", "/audit/other", { body, token: auditToken })).code).toBe(403)
  expect((await served.ask("POST", "/audit/a/b", { body, token: auditToken })).code).toBe(404)
  expect((await served.ask("GET", "/audit/prod", { token: auditToken })).code).toBe(405)
  expect((await served.ask("GET", "/metrics")).code).toBe(401)
  expect((await served.ask("GET", "/metrics", { token: auditToken })).code).toBe(403)
  expect(served.store.stats().facts).toBe(0)
})

it("refuses a batch whole, says which field is wrong, and shows nothing of its content", async () => {
  const broken = [
    ['{"kind":"EventList"', "body: must be JSON, and is not at byte 19"],
    [eventList(events).toString().replace("EventList", "PodList"), "kind: must be EventList"],
    [eventList(events).toString().replace("audit.k8s.io/v1", "audit.k8s.io/v2"), "apiVersion: must be audit.k8s.io/v1"],
    [eventList([...events, "7"]).toString(), "items[20]: must be an object"],
    [
      eventList([...events, '{"auditID":5}']).toString(),
      "items[20].requestReceivedTimestamp: must be an RFC 3339 time"
    ],
    [
      eventList([...events, events[0].replace('"auditID":"', '"auditID":"","x":"')]).toString(),
      "items[20].auditID: must be a non-empty text"
    ],
    [
      eventList([...events, events[0].replaceAll('"spec":{', '"spec":{"bad":tru,')]).toString(),
      "items[20].responseObject: must be JSON"
    ]
  ] as const
  for (const [body, message] of broken) {
    const reply = await served.ask("POST", "/audit/prod", { body, token: auditToken })
    expect([reply.code, JSON.parse(reply.body).message]).toEqual([400, message])
  }
  expect(served.store.stats().facts).toBe(0)
})

it("takes a batch once, however often it comes, and counts it once", async () => {
  const body = eventList(events)
  for (let time = 0; time < 3; time++) {
    expect((await served.ask("POST", "/audit/prod", { body, token: auditToken })).code).toBe(200)
  }
  const shown = await everything(served.store)
  expect(shown).toContain('"tester/1.0"')
  const { body: metrics } = await served.ask("GET", "/metrics", { token: readToken })
  expect(metrics).toContain('kelemetry_audit_webhook_batches_total{cluster="prod",code="200"} 3')
  expect(metrics).toContain('kelemetry_audit_webhook_batches_total{cluster="prod",code="400"} 7')
  expect(metrics).toContain(`kelemetry_facts_total{outcome="added"} ${served.store.stats().facts}`)
  expect(metrics).toContain(
    'kelemetrix_baseline{cluster="prod",verb="update",code="200",groupResource="pods",subresource=""}'
  )
  expect(metrics).toMatch(/kelemetry_ingest_lag_seconds_count\{cluster="prod"\} 60/)
})

it("tells a sender to wait at its bound, and takes the same batch later", async () => {
  const small = await serve({
    bounds: { ageMaxMs: 1e15, bytesMax: 2 ** 30, waitingMax: 1, recentMax: 1024, segmentRows: 1024 }
  })
  const body = eventList(events)
  const replies = await Promise.all(
    Array.from({ length: 12 }, () => small.ask("POST", "/audit/prod", { body, token: auditToken }))
  )
  const refused = replies.filter(({ code }) => code !== 200)
  expect(refused.length).toBeGreaterThan(0)
  for (const { code, headers } of refused) expect([code, headers["retry-after"]]).toEqual([429, "1"])
  expect((await small.ask("POST", "/audit/prod", { body, token: auditToken })).code).toBe(200)
  expect(await everything(small.store)).toBe(await everything(served.store))
  await small.close()
})

it("is alive, ready and of a version", async () => {
  for (const path of ["/livez", "/readyz", "/healthz"]) expect((await served.ask("GET", path)).body).toBe("ok")
  expect(JSON.parse((await served.ask("GET", "/version")).body).gitVersion).toMatch(/^v1\./)
  expect((await served.ask("GET", "/nothing", { token: readToken })).code).toBe(404)
})
