// OpenTelemetry's JSON of spans read back, as a person hands it to Jaeger's page as a file.
// Owns the reading; a field that is not what the protocol says is refused by its name. Refuses to store what it read.
import type { OutLog, OutSpan } from "./OutSpan.ts"

/** The text is no OTLP JSON; says which field and why. */
export class OtlpInvalid extends Error {
  override readonly name = "OtlpInvalid"
  constructor(field: string, rule: string) {
    super(`${field}: ${rule}`)
  }
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown, field: string): Fields => {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new OtlpInvalid(field, "must be an object")
  // SAFETY: an object that is no list has fields.
  return value as Fields
}

const listOf = (value: unknown, field: string): ReadonlyArray<Fields> => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new OtlpInvalid(field, "must be a list")
  return value.map((item, at) => fieldsOf(item, `${field}[${at}]`))
}

const text = (value: unknown): string => (typeof value === "string" ? value : "")

const hex = (value: unknown, digits: number, field: string): string => {
  const id = text(value).toLowerCase()
  if (id.length !== digits || !/^[0-9a-f]+$/.test(id)) throw new OtlpInvalid(field, `must be ${digits} hex digits`)
  return id
}

const microseconds = (value: unknown, field: string): number => {
  const nanos = typeof value === "number" ? String(value) : text(value)
  if (!/^\d{1,20}$/.test(nanos)) throw new OtlpInvalid(field, "must be nanoseconds as a whole number")
  return Number(BigInt(nanos) / 1000n)
}

const valueText = (value: unknown): string => {
  const fields = typeof value === "object" && value !== null ? Object.values(value) : []
  const [first] = fields
  return typeof first === "string" ? first : first === undefined ? "" : JSON.stringify(first)
}

const attributesOf = (value: unknown, field: string): Record<string, string> =>
  Object.fromEntries(listOf(value, field).map((pair) => [text(pair["key"]), valueText(pair["value"])]))

const spanOf = (span: Fields, service: string, field: string): OutSpan => {
  const parent = text(span["parentSpanId"])
  const startUs = microseconds(span["startTimeUnixNano"], `${field}.startTimeUnixNano`)
  const status = span["status"] === undefined ? {} : fieldsOf(span["status"], `${field}.status`)
  return {
    traceId: hex(span["traceId"], 32, `${field}.traceId`),
    spanId: hex(span["spanId"], 16, `${field}.spanId`),
    parentSpanId: parent === "" ? "" : hex(parent, 16, `${field}.parentSpanId`),
    service,
    name: text(span["name"]),
    startUs,
    endUs: Math.max(startUs, microseconds(span["endTimeUnixNano"] ?? "0", `${field}.endTimeUnixNano`)),
    failed: status["code"] === 2 || status["code"] === "STATUS_CODE_ERROR",
    tags: attributesOf(span["attributes"], `${field}.attributes`),
    logs: listOf(span["events"], `${field}.events`).map((event, at): OutLog => ({
      atUs: microseconds(event["timeUnixNano"] ?? "0", `${field}.events[${at}].timeUnixNano`),
      name: text(event["name"]),
      fields: attributesOf(event["attributes"], `${field}.events[${at}].attributes`)
    })),
    links: listOf(span["links"], `${field}.links`).map((link, at) => ({
      traceId: hex(link["traceId"], 32, `${field}.links[${at}].traceId`),
      spanId: hex(link["spanId"], 16, `${field}.links[${at}].spanId`),
      attributes: attributesOf(link["attributes"], `${field}.links[${at}].attributes`)
    })),
    warnings: []
  }
}

/** The spans of a text, in its order; throws OtlpInvalid. */
export const readOtlpJson = (json: string): ReadonlyArray<OutSpan> => {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new OtlpInvalid("body", "must be JSON")
  }
  const { resourceSpans } = fieldsOf(value, "body")
  if (!Array.isArray(resourceSpans)) throw new OtlpInvalid("resourceSpans", "is required, and must be a list")
  return listOf(resourceSpans, "resourceSpans").flatMap((one, at) => {
    const place = `resourceSpans[${at}]`
    const resource = one["resource"] === undefined ? {} : fieldsOf(one["resource"], `${place}.resource`)
    const service = attributesOf(resource["attributes"], `${place}.resource.attributes`)["service.name"] ?? ""
    return listOf(one["scopeSpans"], `${place}.scopeSpans`).flatMap((scope, index) =>
      listOf(scope["spans"], `${place}.scopeSpans[${index}].spans`).map((span, number) =>
        spanOf(span, service, `${place}.scopeSpans[${index}].spans[${number}]`)
      )
    )
  })
}
