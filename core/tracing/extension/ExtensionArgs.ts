// The arguments of a modifier that grafts other systems' traces onto ours: which server is asked, for which spans, and with which fields.
// Owns the schema of both of the original's kinds and what it means as requests; refuses to ask.
import { Schema } from "effect"
import { TransformInvalid } from "../view/TransformInvalid.ts"
import { template, type TemplateData } from "./Template.ts"

const optional = Schema.optionalKey
const GoDuration = Schema.String.check(
  Schema.isPattern(/^(\d+(\.\d+)?(ms|s|m))+$/, { message: 'must be a duration like "5s"' })
)
const Address = Schema.String.check(
  Schema.isPattern(/^https?:\/\/[^\s/?#]+[^\s?#]*$/, { message: "must be an http or https address" })
)
const Templates = Schema.Record(Schema.String, Schema.String)
const common = {
  modifierClass: optional(Schema.String),
  service: optional(Schema.String),
  operation: optional(Schema.String),
  totalTimeout: GoDuration,
  maxConcurrency: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))
}
const purposes = { forObject: optional(Schema.Boolean), forAuditEvent: optional(Schema.Boolean) }

/** The original links Jaeger's storages in; we ask the query server that stands over one, at `queryUrl`. */
const JaegerStorage = Schema.Struct({
  kind: Schema.Literal("JaegerStorage"),
  queryUrl: Address,
  tagTemplates: optional(Templates),
  numTracesLimit: optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
  ...purposes,
  ...common
})

const HttpTrace = Schema.Struct({
  kind: Schema.Literal("HTTPTrace"),
  traceBackends: Schema.Array(
    Schema.Struct({
      /** Every field must match its regular expression. */
      tagFilters: optional(Templates),
      argsTemplates: optional(Templates),
      urlTemplate: Schema.NonEmptyString,
      ...purposes
    })
  ).check(Schema.isMinLength(1)),
  ...common
})

export const ExtensionArgs = Schema.Union([JaegerStorage, HttpTrace])
export type ExtensionArgs = typeof ExtensionArgs.Type

/** What a foreign trace is looked for: an object, or one request of its. */
export type Purpose = "object" | "audit"

/** Where to ask for a subject's traces: addresses of which the first that answers counts; none when it is not asked for. */
export type Ask = (purpose: Purpose, data: TemplateData) => ReadonlyArray<string>

export interface Extension {
  readonly timeoutMs: number
  readonly concurrency: number
  readonly ask: Ask
}

const LIMIT_DEFAULT = 5

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

const milliseconds = (text: string): number => {
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m)/g)) sum += Number(amount) * unitMs[unit]
  return sum
}

const compiled = (text: string, field: string) => {
  const made = template(text)
  if (made === undefined)
    throw new TransformInvalid({ field, rule: "only fields like {{.auditId}} can stand in a template" })
  return made
}

const compiledAll = (texts: Readonly<Record<string, string>>, field: string) =>
  Object.entries(texts).map(([name, text]) => [name, compiled(text, `${field}.${name}`)] as const)

const isFor = (
  { forAuditEvent, forObject }: { readonly forObject?: boolean; readonly forAuditEvent?: boolean },
  purpose: Purpose
): boolean => (purpose === "object" ? forObject : forAuditEvent) === true

const jaeger = (args: Extract<ExtensionArgs, { readonly kind: "JaegerStorage" }>, field: string): Ask => {
  const tags = compiledAll(args.tagTemplates ?? {}, `${field}.tagTemplates`)
  const base = args.queryUrl.replace(/\/$/, "")
  return (purpose, data) => {
    if (!isFor(args, purpose)) return []
    const query = new URLSearchParams({
      service: args.service ?? "",
      tags: JSON.stringify(Object.fromEntries(tags.map(([name, fill]) => [name, fill(data)]))),
      start: String(data["start"] ?? 0),
      end: String(data["end"] ?? 0),
      limit: String(args.numTracesLimit ?? LIMIT_DEFAULT)
    })
    if (args.operation !== undefined && args.operation !== "") query.set("operation", args.operation)
    return [`${base}/api/traces?${query.toString()}`]
  }
}

const pattern = (text: string, field: string): RegExp => {
  try {
    return new RegExp(text)
  } catch {
    throw new TransformInvalid({ field, rule: "must be a regular expression" })
  }
}

const http = (args: Extract<ExtensionArgs, { readonly kind: "HTTPTrace" }>, field: string): Ask => {
  const backends = args.traceBackends.map((backend, at) => {
    const place = `${field}.traceBackends[${at}]`
    return {
      backend,
      url: compiled(backend.urlTemplate, `${place}.urlTemplate`),
      parameters: compiledAll(backend.argsTemplates ?? {}, `${place}.argsTemplates`),
      filters: Object.entries(backend.tagFilters ?? {}).map(
        ([name, text]) => [name, pattern(text, `${place}.tagFilters.${name}`)] as const
      )
    }
  })
  return (purpose, data) => {
    const escaped = Object.fromEntries(
      Object.entries(data).map(([name, value]) => [name, typeof value === "string" ? encodeURIComponent(value) : value])
    )
    return backends
      .filter(({ backend }) => isFor(backend, purpose))
      .filter(({ filters }) => filters.every(([name, regex]) => regex.test(String(data[name] ?? ""))))
      .map(({ parameters, url }) => {
        const query = new URLSearchParams(parameters.map(([name, fill]) => [name, fill(data)]))
        return `${url(escaped)}?${query.toString()}`
      })
  }
}

/** What a modifier's arguments mean; throws TransformInvalid. */
export const extensionOf = (args: ExtensionArgs, field: string): Extension => ({
  timeoutMs: milliseconds(args.totalTimeout),
  concurrency: args.maxConcurrency,
  ask: args.kind === "JaegerStorage" ? jaeger(args, field) : http(args, field)
})
