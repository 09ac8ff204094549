// OpenTelemetry's JSON of spans: ids in hex, 64-bit integers as texts, enumerations as numbers.
// Owns the form; refuses to send it. Source: opentelemetry-proto, docs/specification.md.
import type { Json, JsonObject } from "#kube"
import type { OutSpan } from "./OutSpan.ts"

const nanos = (us: number): string => `${Math.round(us)}000`

const attributesOf = (values: Readonly<Record<string, string>>): ReadonlyArray<Json> =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }))

const spanJson = (span: OutSpan): JsonObject => ({
  traceId: span.traceId,
  spanId: span.spanId,
  ...(span.parentSpanId === "" ? {} : { parentSpanId: span.parentSpanId }),
  name: span.name,
  kind: 1,
  startTimeUnixNano: nanos(span.startUs),
  endTimeUnixNano: nanos(span.endUs),
  attributes: [...attributesOf(span.tags), ...warningsOf(span)],
  events: span.logs.map(({ atUs, fields, name }) => ({
    timeUnixNano: nanos(atUs),
    name,
    attributes: attributesOf(fields)
  })),
  links: span.links.map(({ attributes, spanId, traceId }) => ({
    traceId,
    spanId,
    attributes: attributesOf(attributes)
  })),
  status: span.failed ? { code: 2 } : {}
})

const warningsOf = ({ warnings }: OutSpan): ReadonlyArray<Json> =>
  warnings.length === 0
    ? []
    : [
        {
          key: "@jaeger@warnings",
          value: { arrayValue: { values: warnings.map((stringValue) => ({ stringValue })) } }
        }
      ]

/** `{resourceSpans}` of some spans, a resource for each service, in the order of their first spans. */
export const tracesJson = (spans: ReadonlyArray<OutSpan>): JsonObject => ({
  resourceSpans: Array.from(
    Map.groupBy(spans, ({ service }) => service),
    ([service, group]) => ({
      resource: { attributes: attributesOf({ "service.name": service }) },
      scopeSpans: [{ scope: { name: "kubewharf" }, spans: group.map(spanJson) }]
    })
  )
})
