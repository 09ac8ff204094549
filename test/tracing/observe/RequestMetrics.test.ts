// Metrics of requests as configuration defines them: what each filter lets through, which labels each request has, and the original's
// files in TOML. The audit heads are made by hand, so that each case is about one thing.
import { Result } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { AuditHead } from "#tracing"
import { parseMetricRules, parseTracingConfig } from "../../../core/tracing/config/TracingConfig.ts"
import { defaultMetricRules, type MetricRule, RequestMetrics } from "../../../core/tracing/observe/RequestMetrics.ts"

const SECOND = 1_000_000

const head = (more: Partial<AuditHead> = {}): AuditHead => ({
  level: "Metadata",
  auditId: "a",
  stage: "ResponseComplete",
  requestUri: "/api/v1/namespaces/shop/pods",
  verb: "list",
  username: "ana",
  impersonator: "",
  sourceIps: ["10.0.0.1"],
  userAgent: "kubectl",
  objectRef: {
    group: "",
    version: "v1",
    resource: "pods",
    subresource: "",
    namespace: "shop",
    name: "",
    uid: "",
    resourceVersion: ""
  },
  code: 200,
  reason: "",
  message: "",
  causes: [],
  detailsUid: "",
  receivedUs: 0,
  stageUs: SECOND,
  truncated: false,
  ...more
})

const counted = (rule: Partial<MetricRule>, ...heads: ReadonlyArray<AuditHead>): string => {
  const metrics = new RequestMetrics([{ name: "m", quantifier: "request_count", tags: [], ...rule }])
  for (const one of heads) metrics.observe("prod", "10.9.9.9", one, 2 * SECOND)
  return metrics
    .text()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .join("\n")
}

const codes = [200, 201, 301, 404, 409, 500, 503] as const

describe("a filter on a tag", () => {
  it("lets through what is one of its values, or none of them when it is negated", () => {
    fc.assert(
      fc.property(
        fc.subarray([...codes], { minLength: 1 }),
        fc.boolean(),
        fc.constantFrom(...codes),
        (some, negate, code) => {
          const oneOf = some.map(String)
          const told = counted({ tagFilters: [{ tag: "code", oneOf, negate }] }, head({ code }))
          expect(told).toBe(some.includes(code) === negate ? "" : "kelemetrix_m 1")
        }
      )
    )
  })

  it("takes regular expressions where it says so, and needs all filters to hold", () => {
    const errors = { tag: "code", oneOf: ["[45].."], isRegex: true } as const
    const lists = { tag: "verb", oneOf: ["list", "get"] } as const
    const told = (code: number, verb: string) => counted({ tagFilters: [errors, lists] }, head({ code, verb }))
    expect([told(404, "list"), told(503, "get"), told(404, "patch"), told(200, "list")]).toEqual([
      "kelemetrix_m 1",
      "kelemetrix_m 1",
      "",
      ""
    ])
  })
})

it.each([
  ["<", 0.5, false],
  ["<", 1.5, true],
  [">", 0.5, true],
  [">", 1, false],
  [">=", 1, true],
  ["<=", 1, true],
  ["<=", 0.9, false]
] as const)("a filter on a quantity: 1 s %s %d s is %s", (operator, threshold, passes) => {
  const told = counted({ quantityFilters: [{ quantity: "request_latency", operator, threshold }] }, head())
  expect(told).toBe(passes ? "kelemetrix_m 1" : "")
})

it("lets nothing through where the quantity is not there", () => {
  const quantityFilters = [{ quantity: "request_latency_ratio", operator: ">=", threshold: 0 }] as const
  expect(counted({ quantityFilters }, head({ verb: "watch" }))).toBe("")
  expect(counted({ quantityFilters }, head())).toBe("kelemetrix_m 1")
})

it.each([
  ["cluster", {}, "prod"],
  ["apiserverAddr", {}, "10.9.9.9"],
  ["username", { username: "system:node:n1" }, "system:node:*"],
  ["clientAddr", {}, "10.0.0.1"],
  ["verb", {}, "list"],
  ["code", { code: 0 }, ""],
  ["errorReason", { reason: "Conflict" }, "Conflict"],
  ["resourceVersion", {}, "Empty"],
  ["resourceVersion", { requestUri: "/api/v1/pods?resourceVersion=0" }, "Zero"],
  ["resourceVersion", { requestUri: "/api/v1/pods?limit=1&resourceVersion=12" }, "NonZero"],
  ["hasSelector", { requestUri: "/api/v1/pods?labelSelector=a" }, "true"],
  ["hasSelector", {}, "false"],
  ["groupResource", {}, "pods"],
  ["namespace", {}, "shop"],
  ["subresource", { objectRef: undefined }, ""]
] as const)("labels a request by %s of %j: %s", (tag, more, value) => {
  expect(counted({ tags: [tag] }, head(more))).toBe(`kelemetrix_m{${tag}="${value}"} 1`)
})

it("counts only requests that have ended", () => {
  expect(counted({}, head({ stage: "RequestReceived" }), head({ stage: "ResponseStarted" }))).toBe("")
})

it("counts something for each of its own metrics", () => {
  const uri = "/api/v1/pods?timeoutSeconds=1"
  const metrics = new RequestMetrics(defaultMetricRules)
  for (const one of [head({ requestUri: uri }), head({ code: 500 }), head({ verb: "watch", code: 410 })]) {
    metrics.observe("prod", "", one, 2 * SECOND)
  }
  for (const { name } of defaultMetricRules) expect(metrics.text()).toMatch(new RegExp(`^kelemetrix_${name}[_{ ]`, "m"))
})

const toml = `
[[metrics]]
name = "errors_by_user"
quantifier = "request_count"
tags = ["username", "cluster", "code"]
    [[metrics.tagFilters]]
    tag = "code"
    oneOf = ["[45].."]
    isRegex = true
[[metrics]]
name = "slow"
quantifier = "request_latency_ratio"
tags = ["cluster"]
    [[metrics.quantityFilters]]
    quantity = "request_latency_ratio"
    operator = ">"
    threshold = 1.0
`

describe("the original's file", () => {
  it("is read in TOML, and says the same as in YAML", () => {
    const rules = Result.getOrThrow(parseMetricRules("kelemetrix.toml", toml))
    expect(rules.map(({ name }) => name)).toEqual(["errors_by_user", "slow"])
    const yaml = JSON.stringify({ metrics: rules })
    expect(Result.getOrThrow(parseMetricRules("kelemetrix.yaml", yaml))).toEqual(rules)
    const config = Result.getOrThrow(parseTracingConfig("a.toml", toml.replaceAll("metrics", "requestMetrics")))
    expect(config.requestMetrics).toEqual(rules.map((rule) => expect.objectContaining({ name: rule.name })))
  })

  it.each([
    ["not TOML", toml.replace("[[metrics]]", "[[metrics"), /kelemetrix\.toml: Invalid TOML/],
    ["an unknown key", toml.replace("isRegex", "isregex"), /isregex/],
    ["an unknown tag", toml.replace('tag = "code"', 'tag = "colour"'), /tag/],
    ["an operator that is none", toml.replace('operator = ">"', 'operator = "=>"'), /operator/]
  ])("is refused with %s, by the name of the field", (_, text, message) => {
    const read = parseMetricRules("kelemetrix.toml", text)
    expect(Result.isFailure(read) ? read.failure.message : "").toMatch(message)
  })
})
