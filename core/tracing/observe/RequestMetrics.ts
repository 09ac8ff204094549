// Metrics of a cluster's requests from its audit stream, as configuration defines them: a quantity, labels, and filters on both.
// Owns quantities, labels and filters under the original's names; refuses names of its own: what is not configured is not counted.
// Differences to the original are its defects: a negated filter on several values needs all of them to miss, an absent quantity passes no
// filter, times are seconds in fixed buckets, and labels are bounded.
import { Schema } from "effect"
import type { AuditHead } from "../ingest/AuditEvent.ts"
import { Metric, ratioBounds, secondBounds } from "./Metrics.ts"

export const quantifiers = ["request_count", "request_latency", "mq_latency", "request_latency_ratio"] as const

export const requestTags = [
  "cluster",
  "apiserverAddr",
  "username",
  "clientAddr",
  "verb",
  "code",
  "errorReason",
  "resourceVersion",
  "hasSelector",
  "group",
  "version",
  "resource",
  "groupResource",
  "subresource",
  "namespace",
  "name"
] as const
export type RequestTag = (typeof requestTags)[number]

const Tag = Schema.Literals(requestTags)
const Quantifier = Schema.Literals(quantifiers)

/** One metric as configuration writes it. */
export const MetricRule = Schema.Struct({
  name: Schema.String.check(Schema.isPattern(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, { message: "must be a metric's name" })),
  quantifier: Quantifier,
  tags: Schema.Array(Tag),
  tagFilters: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        tag: Tag,
        oneOf: Schema.Array(Schema.String),
        isRegex: Schema.optionalKey(Schema.Boolean),
        negate: Schema.optionalKey(Schema.Boolean)
      })
    )
  ),
  quantityFilters: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        quantity: Quantifier,
        operator: Schema.Literals(["<", ">", "<=", ">="]),
        threshold: Schema.Finite
      })
    )
  )
})
export type MetricRule = typeof MetricRule.Type

/** The original's, by name. */
export const defaultMetricRules: ReadonlyArray<MetricRule> = [
  { name: "baseline", quantifier: "request_count", tags: ["cluster", "verb", "code", "groupResource", "subresource"] },
  { name: "baseline_latency", quantifier: "request_latency", tags: ["cluster", "verb", "groupResource"] },
  {
    name: "errors_by_user",
    quantifier: "request_count",
    tags: ["cluster", "username", "verb", "groupResource", "code", "errorReason"],
    tagFilters: [{ tag: "code", oneOf: ["^[45]"], isRegex: true }]
  },
  {
    name: "cache_penetrations",
    quantifier: "request_count",
    tags: ["cluster", "username", "verb", "groupResource", "hasSelector"],
    tagFilters: [
      { tag: "verb", oneOf: ["list", "get"] },
      { tag: "resourceVersion", oneOf: ["Empty"] }
    ]
  },
  {
    name: "list_timeout",
    quantifier: "request_latency_ratio",
    tags: ["cluster", "username", "groupResource"],
    tagFilters: [{ tag: "verb", oneOf: ["list"] }],
    quantityFilters: [{ quantity: "request_latency_ratio", operator: ">=", threshold: 0.5 }]
  },
  {
    name: "watch_error",
    quantifier: "request_count",
    tags: ["cluster", "username", "groupResource", "code", "errorReason"],
    tagFilters: [
      { tag: "verb", oneOf: ["watch"] },
      { tag: "code", oneOf: ["200", "101"], negate: true }
    ]
  }
]

interface Seen {
  readonly cluster: string
  readonly peer: string
  readonly head: AuditHead
  readonly nowUs: number
}

/** API servers end requests after this many seconds unless they are told otherwise. */
const TIMEOUT_SECONDS = 60

export class RequestMetrics {
  private readonly rules: ReadonlyArray<{ readonly rule: MetricRule; readonly metric: Metric; readonly passes: Passes }>

  constructor(rules: ReadonlyArray<MetricRule>, prefix = "kelemetrix_") {
    this.rules = rules.map((rule) => {
      const isCount = rule.quantifier === "request_count"
      const bounds = rule.quantifier === "request_latency_ratio" ? ratioBounds : secondBounds
      const metric = new Metric({
        name: `${prefix}${rule.name}`,
        help: `${rule.quantifier} of requests in the audit stream.`,
        labels: rule.tags,
        kind: isCount ? "counter" : "histogram",
        ...(isCount ? {} : { bounds })
      })
      return { rule, metric, passes: compile(rule) }
    })
  }

  /** Counts one request that has ended. */
  observe(cluster: string, peer: string, head: AuditHead, nowUs: number): void {
    if (head.stage !== "ResponseComplete") return
    const seen = { cluster, peer, head, nowUs }
    for (const { metric, passes, rule } of this.rules) {
      if (!passes(seen)) continue
      const value = quantity(rule.quantifier, seen)
      if (value === undefined) continue
      const labels = rule.tags.map((tag) => tagOf(tag, seen))
      if (rule.quantifier === "request_count") metric.add(labels)
      else metric.observe(labels, value)
    }
  }

  text(): string {
    return this.rules.map(({ metric }) => metric.text()).join("")
  }
}

type Passes = (seen: Seen) => boolean

const compile = ({ quantityFilters = [], tagFilters = [] }: MetricRule): Passes => {
  const tags = tagFilters.map(({ isRegex = false, negate = false, oneOf, tag }) => {
    const patterns = isRegex ? oneOf.map((pattern) => new RegExp(pattern)) : []
    const values = new Set(oneOf)
    return (seen: Seen): boolean => {
      const value = tagOf(tag, seen)
      return (isRegex ? patterns.some((pattern) => pattern.test(value)) : values.has(value)) !== negate
    }
  })
  const quantities = quantityFilters.map(({ operator, quantity: name, threshold }) => (seen: Seen): boolean => {
    const value = quantity(name, seen)
    if (value === undefined) return false
    if (operator === "<") return value < threshold
    if (operator === ">") return value > threshold
    return operator === "<=" ? value <= threshold : value >= threshold
  })
  return (seen) => tags.every((test) => test(seen)) && quantities.every((test) => test(seen))
}

const quantity = (name: (typeof quantifiers)[number], { head, nowUs }: Seen): number | undefined => {
  if (name === "request_count") return 1
  const latency = (head.stageUs - head.receivedUs) / 1e6
  if (name === "request_latency") return latency
  if (name === "mq_latency") return Math.max(0, (nowUs - head.stageUs) / 1e6)
  // A watch lasts as long as it is asked to, which says nothing of its server.
  if (head.verb === "watch") return undefined
  return latency / timeoutOf(head.requestUri)
}

const timeoutOf = (uri: string): number => {
  const match = /[?&](?:timeoutSeconds|timeout)=(\d+)s?(?:&|$)/.exec(uri)
  const seconds = match === null ? 0 : Number(match[1])
  return seconds > 0 ? seconds : TIMEOUT_SECONDS
}

const queryHas = (uri: string, name: string): boolean => uri.includes(`?${name}=`) || uri.includes(`&${name}=`)

const tagOf = (tag: RequestTag, { cluster, head, peer }: Seen): string => {
  const { objectRef } = head
  switch (tag) {
    case "cluster":
      return cluster
    case "apiserverAddr":
      return peer
    case "username":
      return head.username.startsWith("system:node:") ? "system:node:*" : head.username
    case "clientAddr":
      return head.sourceIps[0] ?? ""
    case "verb":
      return head.verb
    case "code":
      return head.code === 0 ? "" : String(head.code)
    case "errorReason":
      return head.reason
    case "resourceVersion":
      return /[?&]resourceVersion=0(&|$)/.test(head.requestUri)
        ? "Zero"
        : /[?&]resourceVersion=[^&]/.test(head.requestUri)
          ? "NonZero"
          : "Empty"
    case "hasSelector":
      return String(queryHas(head.requestUri, "labelSelector") || queryHas(head.requestUri, "fieldSelector"))
    case "group":
      return objectRef?.group ?? ""
    case "version":
      return objectRef?.version ?? ""
    case "resource":
      return objectRef?.resource ?? ""
    case "groupResource":
      return objectRef === undefined
        ? ""
        : objectRef.group === ""
          ? objectRef.resource
          : `${objectRef.resource}.${objectRef.group}`
    case "subresource":
      return objectRef?.subresource ?? ""
    case "namespace":
      return objectRef?.namespace ?? ""
    case "name":
      return objectRef?.name ?? ""
  }
}
