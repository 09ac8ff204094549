// A span on its way out, in the words that OpenTelemetry and Jaeger share: what the store tells as it is, and what display modes make.
// Owns the shape and the step from a stored span to it; refuses wire forms.
import type { Span, SpanLink } from "../model/Span.ts"

/** Something within a span. All values are texts. */
export interface OutLog {
  readonly atUs: number
  readonly name: string
  readonly fields: Readonly<Record<string, string>>
}

export interface OutSpan {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly service: string
  readonly name: string
  readonly startUs: number
  readonly endUs: number
  readonly failed: boolean
  readonly tags: Readonly<Record<string, string>>
  readonly logs: ReadonlyArray<OutLog>
  readonly links: ReadonlyArray<SpanLink>
  /** What a reader must know of this span's making, like that something was cut. */
  readonly warnings: ReadonlyArray<string>
}

/** The next spans of one trace, never none; undefined at the end. */
export type NextSpans = () => ReadonlyArray<OutSpan> | undefined

const none: ReadonlyArray<string> = []

/** A stored span, unchanged. A log's name is its type and its text a field, since texts can be long. */
export const outSpan = (span: Span): OutSpan => {
  const { attributes, endUs, events, failed, links, name, parentSpanId, service, spanId, startUs, traceId } = span
  return {
    traceId,
    spanId,
    parentSpanId,
    service,
    name,
    startUs,
    endUs,
    failed,
    tags: attributes,
    logs: events.map(({ atUs, message, type }) => ({ atUs, name: type, fields: { message } })),
    links,
    warnings: none
  }
}

/** Characters of one text of a span that was cut. */
const TEXT_MAX = 8192
/** Logs of a span that was cut. */
const LOGS_MAX = 256

const cut = (text: string): string =>
  text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}… (${text.length} characters)`

const cutAll = (texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, cut(value)]))

/** The same span with long texts and many logs cut, for a wire that carries no more; a warning says so. */
export const cutSpan = (span: OutSpan): OutSpan => ({
  ...span,
  name: cut(span.name),
  tags: cutAll(span.tags),
  logs: span.logs.slice(0, LOGS_MAX).map((log) => ({ ...log, fields: cutAll(log.fields) })),
  warnings: [
    ...span.warnings,
    `texts were cut at ${TEXT_MAX} characters and logs at ${LOGS_MAX}, of ${span.logs.length}`
  ]
})
