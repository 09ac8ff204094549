// What clients of a front send and read: objects and their paths, watch events in whatever pieces they come, an upstream's counts.
import type { HttpAnswerListener, HttpClient, HttpRequestHead } from "#net"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { nginxConfig } from "../../../scenarios/front/backends/NginxConfig.ts"
import { credentialsIn } from "../../../scenarios/front/backends/Tenancy.ts"
import type { Front } from "../../../scenarios/front/Front.ts"
import { answerName, FrontCall, type FrontRunning, resourceVersionOf } from "../../../scenarios/front/load/FrontCall.ts"
import { FrontContext } from "../../../scenarios/front/load/FrontContext.ts"
import { tokenOf, userOfToken } from "../../../scenarios/front/load/FrontEndpoint.ts"
import { frontBehaviour } from "../../../scenarios/front/load/FrontOperations.ts"
import { FrontWatchers } from "../../../scenarios/front/load/FrontWatchers.ts"
import { tokenReviewed } from "../../../scenarios/front/upstream/FixedAnswers.ts"
import { countsOf } from "../../../scenarios/front/upstream/RealCounts.ts"
import { RecentEvents } from "../../../scenarios/front/upstream/RecentEvents.ts"
import { Tally } from "../../../scenarios/generator/Tally.ts"

const objects = { name: "objects", resource: "configmaps", namespaces: 3, count: 10, bytes: 400 } as const
const front = (more: Partial<Front> = {}): Front => ({
  upstream: "fixed",
  upstreams: 1,
  fixed: { listItems: 10, delay: 0 },
  instances: 1,
  limits: [],
  objects: [objects],
  phases: [],
  ...more
})
const endpoint = { targets: [], serverName: "x", ca: "", pairs: {}, tenants: [] }
const contextOf = (more: Partial<Front> = {}, translates = false) =>
  new FrontContext(1, front(more), endpoint, translates)

/** A client that keeps what is asked of it, and answers when the test says so. */
class FakeHttp implements HttpClient {
  readonly protocol = "h2"
  readonly ready = true
  readonly activeRequests = 0
  readonly leaving = false
  onRoom: (() => void) | undefined
  onClose: (() => void) | undefined
  readonly asked: Array<{ readonly head: HttpRequestHead; readonly listener: HttpAnswerListener }> = []
  request(head: HttpRequestHead, listener: HttpAnswerListener) {
    this.asked.push({ head, listener })
    const nothing = () => {}
    const request = { write: () => true, relay: () => true, end: nothing, bufferedBytes: 0 }
    return { ...request, pause: nothing, resume: nothing, cancel: nothing }
  }
  closeWhenIdle(): void {}
  close(): void {}
}

const watchersOf = (context: FrontContext, count: number, scope: "all" | "namespace") => {
  const http = new FakeHttp()
  const identity = { by: "certificate", user: "client", users: 1, fresh: false } as const
  const watch = { name: "w", watchers: count, connections: 1, scope, identity } as const
  const watchers = new FrontWatchers(watch, context, { connections: [{ tenant: 0, http, fields: () => [] }] })
  let opened = 0
  watchers.open(() => opened++)
  const [list] = http.asked.splice(0)
  list.listener.head(200, [])
  list.listener.body(Buffer.from(`{"metadata":{"resourceVersion":"100"},"items":[]}`))
  list.listener.end([])
  for (const { listener } of http.asked) listener.head(200, [])
  assert.strictEqual(opened, 1)
  return { watchers, watches: http.asked }
}

const event = (version: number) =>
  `{"type":"MODIFIED","object":{"metadata":{"name":"ö","resourceVersion":"${version}"}}}\n`

describe("watchers of a front", () => {
  it("count every event once, in whatever pieces its bytes come", () => {
    const cuts = fc.array(fc.nat(), { maxLength: 30 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), cuts, (events, where) => {
        const context = contextOf()
        const { watchers, watches } = watchersOf(context, 2, "all")
        for (let at = 1; at <= events; at++) context.times.acknowledged(0, 100 + at, 0, 0)
        const text = Array.from({ length: events }, (_, at) => event(101 + at))
        const bytes = Buffer.from(
          `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"100"}}}\n${text.join("")}`
        )
        const ends = [...where.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
        for (const { listener } of watches) {
          let from = 0
          for (const end of ends) {
            listener.body(bytes.subarray(from, end))
            from = end
          }
        }
        const { delivered, duplicated, expected, outOfOrder } = watchers.close("p")
        assert.deepStrictEqual([delivered, duplicated, outOfOrder], [2 * events, 0, 0])
        assert.strictEqual(expected, 2 * events)
      }),
      // Each group of watchers has histograms of its own, which take longer to make than to fill.
      { numRuns: 25 }
    )
  })

  it("expect of a namespace's watcher that namespace's events only", () => {
    const context = contextOf()
    const { watchers, watches } = watchersOf(context, 4, "namespace")
    assert.deepStrictEqual(
      watches.map(({ head }) => /namespaces\/([^/]+)\//.exec(head.path)?.[1]),
      ["objects-0", "objects-1", "objects-2", "objects-0"]
    )
    for (const namespace of [0, 1, 2]) context.times.acknowledged(0, 101 + namespace, 0, namespace)
    assert.strictEqual(watchers.close("p").expected, 2 + 1 + 1)
  })

  it("open a watch again from the last version that they saw", async () => {
    const { watchers, watches } = watchersOf(contextOf(), 1, "all")
    watches[0].listener.body(Buffer.from(event(123)))
    watches[0].listener.failed(new Error("lost"), true)
    for (let waited = 0; watches.length < 2 && waited < 500; waited++) await new Promise((then) => setTimeout(then, 10))
    assert.match(watches[1].head.path, /resourceVersion=123$/)
    watchers.close("p")
  })
})

describe("the fixed upstream", () => {
  it("tells a watch that comes back all that it missed, or that this is gone", () => {
    const spaces = fc.array(fc.constantFrom("a", "b"), { maxLength: 60 })
    fc.assert(
      fc.property(
        spaces,
        fc.nat(60),
        fc.constantFrom("a", "b", undefined),
        fc.boolean(),
        (written, from, seen, old) => {
          const recent = new RecentEvents()
          // 20,000 writes before, so that the first ones are forgotten.
          const before = old ? 20_000 : 0
          const versions = [...Array.from({ length: before }, () => "a"), ...written]
          versions.forEach((namespace, at) => recent.add({ version: at + 1, type: "MODIFIED", name: "o", namespace }))
          const told = recent.after(before + from, seen)?.map(({ version }) => version)
          const missed = written.flatMap((namespace, at) =>
            at >= from && (seen === undefined || seen === namespace) ? [before + at + 1] : []
          )
          assert.deepEqual(told, missed)
          assert.equal(recent.after(1, seen) === undefined, old)
        }
      ),
      { numRuns: 50 }
    )
  })
})

describe("objects", () => {
  it("lie where tenants' ids say, unless the front shows each its own cluster", () => {
    const place = (translates: boolean) => {
      const pool = contextOf({ tenants: { count: 5 } }, translates).pool(undefined)
      return pool.path(pool.preset(4, 7))
    }
    assert.strictEqual(place(false), "/api/v1/namespaces/t00004-objects-1/configmaps/o-7")
    assert.strictEqual(place(true), "/api/v1/namespaces/objects-1/configmaps/o-7")
  })

  it("are JSON of about their size, each unlike the others", () => {
    for (const resource of ["configmaps", "pods", "secrets"] as const) {
      const pool = contextOf({ objects: [{ ...objects, resource, bytes: 2000 }] }).pool(undefined)
      const bodies = [pool.body(pool.name(0)), pool.body(pool.preset(0, 3))]
      const read = bodies.map((body) => JSON.parse(body.toString("utf8")) as { metadata: { name: string } })
      assert.deepStrictEqual(
        read.map(({ metadata }) => metadata.name),
        ["c-0", "o-3"]
      )
      for (const { length } of bodies) assert.closeTo(length, 2000, 120)
    }
  })

  it("are deleted once, by their own tenant", () => {
    const pool = contextOf({ tenants: { count: 2 } }).pool(undefined)
    const [first, second, other] = [pool.name(0), pool.name(0), pool.name(1)]
    for (const place of [first, second, other]) pool.created(place)
    assert.deepStrictEqual([pool.takeCreated(0), pool.takeCreated(0), pool.takeCreated(0)], [second, first, undefined])
    assert.strictEqual(pool.takeCreated(1), other)
  })
})

describe("answers", () => {
  it("tell a version and a reason", () => {
    const version = (text: string) => resourceVersionOf(Buffer.from(text))
    assert.strictEqual(version(`{"metadata":{"name":"a","resourceVersion":"90071992"}}`), 90_071_992)
    assert.strictEqual(version("{}"), 0)
    assert.strictEqual(answerName(404, `{"kind":"Status","reason":"NotFound"}`), "HTTP 404 NotFound")
    assert.strictEqual(answerName(502, "<html>"), "HTTP 502")
  })

  it("of a review name the user of a token, fresh or not", () => {
    for (const token of [tokenOf("client-7"), tokenOf("client-7", 12)]) {
      assert.strictEqual(userOfToken(token), "client-7")
      assert.include(tokenReviewed(`{"spec":{"token":"${token}"}}`), `"username":"client-7"`)
    }
    assert.include(tokenReviewed(`{"spec":{"token":"stolen"}}`), `"authenticated":false`)
  })

  it("of /metrics sum requests, and reviews apart", () => {
    const page = [
      'apiserver_request_total{code="200",resource="configmaps",verb="GET"} 12',
      'apiserver_request_total{code="201",resource="tokenreviews",verb="POST"} 3',
      'apiserver_request_total{code="404",resource="pods",verb="GET"} 1',
      "apiserver_audit_event_total 99"
    ]
    assert.deepStrictEqual(countsOf(page.join("\n")), { requests: 13, reviews: 3 })
  })
})

describe("backends", () => {
  it("read a kubeconfig with inline data, and nothing else", () => {
    const data = (text: string) => Buffer.from(text).toString("base64")
    const text = `clusters: [{ cluster: { certificate-authority-data: ${data("A")} } }]\nusers: [{ user: { client-certificate-data: ${data("B")}, client-key-data: ${data("C")} } }]\n`
    assert.deepStrictEqual(credentialsIn(text), { ca: "A", pair: { cert: "B", key: "C" } })
    assert.isUndefined(credentialsIn("users: []\n"))
  })

  it("configure nginx with the limits of the scenario, each for its users", () => {
    const limits: Front["limits"] = [
      { name: "few", user: "noisy", qps: 20, burst: 40, scope: "local" },
      { name: "all", inFlight: 7, scope: "local" }
    ]
    const files = { ca: "a", serverCert: "b", serverKey: "c", frontCert: "d", frontKey: "e", upstreamCa: "f" }
    const text = nginxConfig({
      front: { limits },
      port: 1,
      upstreamPorts: [2, 3],
      directory: "/d",
      files,
      isRoot: false,
      turn: 4
    })
    assert.include(text, "limit_req_zone $key_few zone=few:1m rate=20r/s;")
    assert.include(text, "limit_req zone=few burst=40 nodelay;")
    assert.include(text, "limit_conn all 7;")
    assert.include(text, "~(?:CN=|wharf-)noisy-\\d+ few;")
    for (const port of [2, 3]) assert.include(text, `server 127.0.0.1:${port} max_fails=0;`)
    assert.notInclude(text, "user root")
  })
})

describe("a call's place", () => {
  it("does not take what still comes on a held watch for the next request's answer", () => {
    const context = contextOf()
    context.watched = true
    const http = new FakeHttp()
    const running = (operation: "watch" | "create"): FrontRunning => ({
      behaviour: frontBehaviour(
        { op: operation, weight: 1, hold: 1, scope: "namespace", cached: false },
        context,
        operation
      ),
      tally: new Tally(operation, operation === "watch" ? "watch" : "write", false),
      weight: 1,
      refused: undefined
    })
    const [watch, create] = [running("watch"), running("create")]
    let finished = 0
    // What a driver that is behind does: the place that became free goes on at once.
    const owner = { finished: () => void (finished++ === 0 && call.begin(create, 0, 0)) }
    const call: FrontCall = new FrontCall({ take: () => ({ tenant: 0, http, fields: () => [] }) }, context, owner)
    assert.isTrue(call.begin(watch, 0, 0))
    const [held] = http.asked
    held.listener.head(200, [])
    const written = http.asked[1]
    assert.strictEqual(written.head.method, "POST")
    written.listener.head(201, [])
    held.listener.body(Buffer.from(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}\n`))
    held.listener.end([])
    assert.strictEqual(finished, 1)
    written.listener.body(Buffer.from(`{"metadata":{"name":"a","resourceVersion":"9"}}`))
    written.listener.end([])
    assert.strictEqual(finished, 2)
    assert.deepStrictEqual(
      [7, 9].map((version) => Number.isNaN(context.times.sentAt(version))),
      [true, false]
    )
  })

  it("hears of a watch that was refused", () => {
    const context = contextOf()
    const http = new FakeHttp()
    const tally = new Tally("watch", "watch", false)
    const operation = { op: "watch", weight: 1, hold: 1, scope: "namespace", cached: false } as const
    const running = { behaviour: frontBehaviour(operation, context, "watch"), tally, weight: 1, refused: undefined }
    const call = new FrontCall({ take: () => ({ tenant: 0, http, fields: () => [] }) }, context, { finished: () => {} })
    call.begin(running, 0, 0)
    const [{ listener }] = http.asked
    listener.head(403, [])
    listener.body(Buffer.from(`{"reason":"Forbidden"}`))
    listener.end([])
    assert.deepStrictEqual(tally.record("p").errors, { "HTTP 403 Forbidden": 1 })
  })
})
