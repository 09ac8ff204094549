// What the gateway tells of requests: series that clients cannot mint, log lines without secrets, audit events by policy, W3C trace
// contexts in and out, and spans that a collector of the specification's shape reads.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Audit, AuditPolicyInvalid, parseAuditPolicy } from "#apiserver"
import type { JsonObject } from "#kube"
import { AccessLog, redactedTarget } from "../../../core/gateway/observe/AccessLog.ts"
import { GatewayObserver } from "../../../core/gateway/observe/GatewayObserver.ts"
import { counts, Histogram } from "../../../core/gateway/observe/MetricFamily.ts"
import { gatewayMetrics, limiterMetrics, metricTable } from "../../../core/gateway/observe/MetricTable.ts"
import { Spans } from "../../../core/gateway/observe/Spans.ts"
import { formatTraceparent, parseTraceparent, passableTracestate } from "../../../core/gateway/observe/TraceContext.ts"
import { VirtualClock } from "../limits/VirtualClock.ts"
import { recordOf } from "./Records.ts"

const observerWith = (more: Partial<ConstructorParameters<typeof GatewayObserver>[0]> = {}) =>
  new GatewayObserver({ clockwork: new VirtualClock(), ...more })

/** Samples of a page by name and labels. */
const samples = (page: string): ReadonlyMap<string, number> =>
  new Map(
    page
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))])
  )

const hello = { header: () => undefined }

describe("metrics", () => {
  it("count a request under the original's names", () => {
    const observer = observerWith()
    const record = recordOf("GET", "/api/v1/namespaces/default/pods/a", { flowControl: "reads" })
    observer.arrived(hello, false)
    observer.received(record)
    observer.ended(record)
    const page = samples(observer.text())
    const labels = `serverName="a.example.io",endpoint="https://10.0.0.1:6443",verb="get",resource="pods"`
    assert.strictEqual(
      page.get(`kubegateway_proxy_apiserver_request_total{${labels},code="200",flowcontrol="reads"}`),
      1
    )
    assert.strictEqual(page.get(`kubegateway_proxy_apiserver_request_duration_seconds_count{${labels}}`), 1)
    assert.strictEqual(page.get(`kubegateway_proxy_apiserver_request_duration_seconds_bucket{${labels},le="0.001"}`), 0)
    assert.strictEqual(
      page.get(`kubegateway_proxy_apiserver_request_duration_seconds_bucket{${labels},le="0.0025"}`),
      1
    )
    assert.strictEqual(page.get("kubegateway_proxy_http_request_inflight"), 0)
    assert.strictEqual(page.get(`kubegateway_proxy_http_data_size_bytes_total{type="response"}`), 512)
  })

  it("count by user where that is asked for, nodes as one", () => {
    const quiet = observerWith()
    const observer = observerWith({ byUser: true })
    const labels = `serverName="a.example.io",verb="get",resource="pods"`
    const ask = (user: string, groups: ReadonlyArray<string>) => {
      const record = recordOf("GET", "/api/v1/namespaces/default/pods/a", { user, receivedBytes: 3 })
      const facts = record.facts === undefined ? undefined : { ...record.facts, user: { name: user, groups } }
      for (const each of [observer, quiet]) {
        each.arrived(hello, false)
        each.ended({ ...record, facts })
      }
    }
    ask("alice", [])
    ask("alice", [])
    ask("system:node:a", ["system:nodes"])
    ask("system:node:b", ["system:nodes"])
    const page = samples(observer.text())
    const all = `${labels},code="200",flowcontrol="system-default"`
    const requests = "kubegateway_proxy_apiserver_request_total_with_user"
    assert.strictEqual(page.get(`${requests}{${all},user="alice"}`), 2)
    assert.strictEqual(page.get(`${requests}{${all},user="system:nodes"}`), 2)
    const bytes = "kubegateway_proxy_http_data_size_bytes_with_user"
    assert.strictEqual(page.get(`${bytes}{type="request",${labels},flowcontrol="system-default",user="alice"}`), 6)
    assert.closeTo(
      page.get(`kubegateway_proxy_apiserver_request_load_with_user{${all},user="alice"}`) ?? 0,
      0.0024,
      1e-6
    )
    assert.notInclude(quiet.text(), "with_user")
  })

  it("count how often an endpoint was found unfit", () => {
    const observer = observerWith()
    for (const reason of ["Timeout", "Timeout", "NotReady"]) observer.unhealthy("a.example.io", "https://e", reason)
    const page = samples(observer.text())
    const of = (reason: string) => `serverName="a.example.io",endpoint="https://e",reason="${reason}"`
    assert.strictEqual(page.get(`kubegateway_proxy_upstream_unhealthy{${of("Timeout")}}`), 2)
    assert.strictEqual(page.get(`kubegateway_proxy_upstream_unhealthy{${of("NotReady")}}`), 1)
  })

  it("hold watches apart: a gauge while they are open, no duration", () => {
    const observer = observerWith()
    const record = recordOf("GET", "/api/v1/pods?watch=1")
    observer.arrived(hello, false)
    observer.received(record)
    observer.started(record)
    const gauge = `kubegateway_proxy_apiserver_registered_watchers{serverName="a.example.io",endpoint="https://10.0.0.1:6443",resource="pods"}`
    assert.strictEqual(samples(observer.text()).get(gauge), 1)
    assert.strictEqual(samples(observer.text()).get("kubegateway_proxy_http_request_inflight"), 1)
    observer.ended(record)
    const page = samples(observer.text())
    assert.strictEqual(page.get(gauge), 0)
    for (const [name, value] of page) if (name.includes("duration_seconds_count")) assert.strictEqual(value, 0, name)
  })

  it("give no client a series of its own, whatever it sends", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ resource: fc.stringMatching(/^[a-z0-9"\\]{1,12}$/), code: fc.constantFrom(404, 429, 503, 0) }),
          {
            minLength: 1,
            maxLength: 60
          }
        ),
        (requests) => {
          const observer = observerWith()
          for (const { code, resource } of requests) {
            const path = `/api/v1/${encodeURIComponent(resource)}`
            observer.ended(recordOf("GET", path, { code, reason: code === 404 ? "" : "rate_limited" }))
            observer.ended(
              recordOf("GET", path, { code: 503, cluster: "", endpoint: "", reason: "cluster_not_being_proxied" })
            )
            observer.ended(recordOf(resource.toUpperCase().replaceAll(/[^A-Z]/g, "X"), "/made/up", { code: 404 }))
          }
          const page = observer.text()
          for (const { resource } of requests)
            if (!["other", "get"].includes(resource)) assert.notInclude(page, `resource="${resource}"`)
          assert.isAtMost(samples(page).size, 600)
        }
      ),
      { numRuns: 40 }
    )
  })

  it("put what is beyond a metric's bound together, and write what Prometheus reads", () => {
    const family = counts({ name: "x_total", kind: "counter", help: "X.", labels: ["a"] }, 3)
    for (let at = 0; at < 10; at++) family.of(`v${at}`).value++
    assert.strictEqual(family.size, 4)
    assert.include(family.text(), `x_total{a="other"} 7`)
    family.of('q"\\\n')
    assert.notInclude(family.text(), "\n\n")
    family.forget("a", "v0")
    assert.strictEqual(family.size, 3)
  })

  it("count every value into one bucket", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true })), (values) => {
        const histogram = new Histogram([0.001, 0.1, 1, 10])
        for (const value of values) histogram.observe(value)
        assert.strictEqual(
          histogram.counts.reduce((sum, count) => sum + count, 0),
          values.length
        )
        assert.strictEqual(histogram.counts[0], values.filter((value) => value <= 0.001).length)
      })
    )
  })

  it("are all in one table, each name once", () => {
    const all = [...Object.values(gatewayMetrics), ...Object.values(limiterMetrics)].map(({ name }) => name)
    assert.strictEqual(new Set(all).size, all.length)
    for (const name of all) assert.include(metricTable(), `| ${name} |`)
    assert.isTrue(all.every((name) => /^kubegateway_(proxy|ratelimiter)_[a-z_]+$/.test(name)))
  })
})

describe("the access log", () => {
  const linesOf = (enabled: boolean) => {
    const lines: Array<JsonObject> = []
    return { lines, log: new AccessLog({ enabled, sink: { write: (line) => void lines.push(line) } }) }
  }

  it("writes what policies say, and failures and slow requests whatever they say", () => {
    const { lines, log } = linesOf(true)
    log.ended(recordOf("GET", "/api/v1/pods"), false)
    log.ended(recordOf("GET", "/api/v1/pods", { log: false }), false)
    assert.strictEqual(lines.length, 1)
    log.ended(recordOf("GET", "/api/v1/pods", { log: false, code: 502 }), false)
    log.ended(recordOf("GET", "/api/v1/pods/a", { log: false, code: 0 }), false)
    log.ended(recordOf("GET", "/api/v1/namespaces/a/pods/a", { log: false, endedMs: 7000 }), false)
    assert.strictEqual(lines.length, 4)
    log.ended(recordOf("GET", "/api/v1/pods", { log: false, endedMs: 7000 }), false)
    log.ended(recordOf("GET", "/api/v1/pods?watch=1", { log: false, endedMs: 90_000 }), false)
    assert.strictEqual(lines.length, 4)
    const off = linesOf(false)
    off.log.ended(recordOf("GET", "/api/v1/pods"), false)
    assert.strictEqual(off.lines.length, 0)
    off.log.ended(recordOf("GET", "/api/v1/pods"), true)
    assert.deepInclude(off.lines[0], { code: 200, verb: "list", user: "alice", latencyMs: 1.2 })
    assert.deepInclude(off.lines[0]["stages"], { upstream_head: 0.9 })
  })

  it("shows no secret of a query, and one line whatever a client sends", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9._-]{8,40}$/),
        fc.constantFrom("token", "access_token", "password", "api_key"),
        (secret, name) => {
          const { lines, log } = linesOf(true)
          log.ended(
            recordOf("GET", `/api/v1/pods?limit=5&${name}=zz${secret}&x=1`, {
              headers: { "user-agent": "a\n{}\u0000" }
            }),
            false
          )
          const text = JSON.stringify(lines[0])
          assert.notInclude(text, `zz${secret}`)
          assert.include(text, "limit=5")
          assert.notInclude(text, "\n")
        }
      )
    )
    assert.strictEqual(redactedTarget("/x?a=1&token=abc&b=2"), "/x?a=1&token=REDACTED&b=2")
  })
})

describe("trace contexts", () => {
  const hex = (digits: number) =>
    fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter((text) => !/^0+$/.test(text))

  it("are read back as they were written, and refused when they are not the standard's", () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, parentId, sampled) => {
        assert.deepStrictEqual(parseTraceparent(formatTraceparent({ traceId, parentId, sampled })), {
          traceId,
          parentId,
          sampled
        })
        for (const bad of [
          `00-${"0".repeat(32)}-${parentId}-01`,
          `00-${traceId}-${"0".repeat(16)}-01`,
          `ff-${traceId}-${parentId}-01`,
          `00-${traceId}-${parentId}-01-more`,
          `00-${traceId.toUpperCase().replaceAll(/[0-9]/g, "A")}-${parentId}-01`,
          `00-${traceId}-${parentId}`,
          ""
        ])
          assert.isUndefined(parseTraceparent(bad), bad)
        assert.isDefined(parseTraceparent(`01-${traceId}-${parentId}-01-more`))
      })
    )
    assert.strictEqual(passableTracestate(" a=1 , b@c=2 "), "a=1,b@c=2")
    assert.isUndefined(passableTracestate("A=1"))
    assert.isUndefined(passableTracestate(`a=${"x".repeat(600)}`))
  })

  it("go on to the endpoint under a span of our own, and are exported as the specification has it", () => {
    const clockwork = new VirtualClock()
    const bodies: Array<string> = []
    const spans = new Spans({
      clockwork,
      serviceName: "kube-gateway",
      instance: "one",
      send: (body, done) => {
        bodies.push(body)
        done(true)
      }
    })
    const observer = new GatewayObserver({ clockwork, spans, sampling: 0 })
    const traceId = "0af7651916cd43dd8448eb211c80319c"
    const headers: Record<string, string> = {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      tracestate: "vendor=1"
    }
    const trace = observer.arrived({ header: (name) => headers[name] }, true)
    const fields = new Map(trace?.upstream)
    const sent = parseTraceparent(fields.get("traceparent"))
    assert.strictEqual(sent?.traceId, traceId)
    assert.notStrictEqual(sent?.parentId, "b7ad6b7169203331")
    assert.isTrue(sent?.sampled)
    assert.strictEqual(fields.get("tracestate"), "vendor=1")
    observer.ended(recordOf("GET", "/api/v1/pods", { trace }))
    // Without a parent the sampling decides, which is none here.
    observer.ended(recordOf("GET", "/api/v1/pods", { trace: observer.arrived(hello, true) }))
    // A cluster that does not trace leaves the client's fields as they are.
    assert.isUndefined(observer.arrived({ header: (name) => headers[name] }, false))
    clockwork.advance(2000)
    assert.strictEqual(bodies.length, 1)
    const [resource] = JSON.parse(bodies[0]).resourceSpans
    const exported = resource.scopeSpans[0].spans
    assert.strictEqual(exported.length, 6)
    const [root] = exported
    assert.strictEqual(root.traceId, traceId)
    assert.strictEqual(root.spanId, sent?.parentId)
    assert.strictEqual(root.parentSpanId, "b7ad6b7169203331")
    assert.strictEqual(root.name, "list pods")
    for (const span of exported) {
      assert.match(span.spanId, /^[0-9a-f]{16}$/)
      assert.match(span.startTimeUnixNano, /^\d{19}$/)
      assert.isTrue(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano))
    }
    assert.isTrue(exported.slice(1).every((span: { parentSpanId: string }) => span.parentSpanId === root.spanId))
  })

  it("are dropped and counted where the collector does not answer", () => {
    const clockwork = new VirtualClock()
    const spans = new Spans({ clockwork, serviceName: "x", instance: "y", send: () => undefined })
    const own = { traceId: "1".repeat(32), parentId: "2".repeat(16), sampled: true }
    for (let at = 0; at < 3000; at++) spans.add(recordOf("GET", "/api/v1/pods"), own, undefined)
    assert.isAbove(spans.dropped, 6 * 1000)
    const observer = new GatewayObserver({ clockwork, spans })
    assert.strictEqual(
      samples(observer.text()).get(`kubegateway_proxy_observer_dropped_total{sink="traces"}`),
      spans.dropped
    )
  })

  it("of one request can be asked for with x-debug-trace-log", () => {
    const lines: Array<JsonObject> = []
    const accessLog = new AccessLog({ enabled: false, sink: { write: (line) => void lines.push(line) } })
    const observer = observerWith({ accessLog })
    const trace = observer.arrived({ header: (name) => (name === "x-debug-trace-log" ? "1" : undefined) }, false)
    observer.ended(recordOf("GET", "/api/v1/pods", { trace }))
    observer.ended(recordOf("GET", "/api/v1/pods"))
    assert.strictEqual(lines.length, 1)
    assert.isDefined(lines[0]["stages"])
    assert.strictEqual(lines[0]["traceID"], trace?.traceId)
  })
})

describe("the audit", () => {
  it("records by policy, in kube-apiserver's events", () => {
    const policy = parseAuditPolicy(
      [
        "apiVersion: audit.k8s.io/v1",
        "kind: Policy",
        'omitStages: ["RequestReceived"]',
        "rules:",
        "- { level: None, users: [bob] }",
        "- { level: Metadata, verbs: [delete, watch] }"
      ].join("\n")
    )
    if (policy instanceof AuditPolicyInvalid) return assert.fail(policy.message)
    const events: Array<JsonObject> = []
    const backend = { write: (event: JsonObject) => void events.push(event) }
    const observer = observerWith({ audit: (metrics) => new Audit(policy, [backend], metrics) })
    for (const [method, user] of [
      ["GET", "alice"],
      ["DELETE", "bob"],
      ["DELETE", "alice"]
    ]) {
      const record = recordOf(method ?? "", "/api/v1/namespaces/default/pods/a", {
        user: user ?? "",
        impersonator: { name: "root", groups: [] }
      })
      observer.received(record)
      observer.ended(record)
    }
    const watch = recordOf("GET", "/apis/apps/v1/deployments?watch=1")
    observer.received(watch)
    observer.started(watch)
    observer.ended(watch)
    assert.deepStrictEqual(
      events.map(({ stage, verb }) => [verb, stage]),
      [
        ["delete", "ResponseComplete"],
        ["watch", "ResponseStarted"],
        ["watch", "ResponseComplete"]
      ]
    )
    assert.deepInclude(events[0], {
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: "Metadata",
      user: { username: "root", groups: [] },
      impersonatedUser: { username: "alice", groups: ["system:authenticated"] },
      sourceIPs: ["10.1.2.3"],
      responseStatus: { metadata: {}, code: 200 },
      objectRef: { resource: "pods", namespace: "default", name: "a", apiVersion: "v1" }
    })
  })
})
