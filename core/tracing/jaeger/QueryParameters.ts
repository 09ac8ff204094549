// The parameters of Jaeger's query API, of the old paths and of /api/v3, as a catalog's query.
// Owns names, units and defaults; a malformed one is a BadParameter that names it.
import { parseRfc3339 } from "#kube"
import { BadParameter } from "../api/Answering.ts"
import type { CatalogQuery } from "./TraceCatalog.ts"

const units: Readonly<Record<string, number>> = { ns: 0.001, us: 1, µs: 1, ms: 1000, s: 1e6, m: 6e7, h: 3.6e9 }

/** Go's durations in microseconds, like "1m30s"; undefined when nothing is said. */
export const goDuration = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined || text === "") return undefined
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) throw new BadParameter(name, 'must be like "100ms" or "1.5s"')
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(amount) * units[unit]
  return sum
}

const integer = (name: string, text: string | null): number | undefined => {
  if (text === null || text === "") return undefined
  if (!/^-?\d{1,17}$/.test(text)) throw new BadParameter(name, "must be an integer")
  return Number(text)
}

const attributesOf = (name: string, text: string | undefined): Readonly<Record<string, string>> => {
  if (text === undefined || text === "") return {}
  const value = parsed(name, text)
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BadParameter(name, "must be a JSON object")
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, typeof one === "string" ? one : JSON.stringify(one)])
  )
}

const parsed = (name: string, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new BadParameter(name, "must be JSON")
  }
}

const checkDurations = (query: CatalogQuery): CatalogQuery => {
  const { maxDurationUs, minDurationUs } = query
  if (minDurationUs !== undefined && maxDurationUs !== undefined && maxDurationUs < minDurationUs) {
    throw new BadParameter("maxDuration", "should be greater than minDuration")
  }
  return query
}

/** How far back a search looks that says no start. */
const LOOKBACK_US = 2 * 24 * 3600 * 1e6

/** Of /api/traces: times in microseconds. */
export const legacyQuery = (query: URLSearchParams, nowUs: number): CatalogQuery => {
  const service = query.get("service") ?? ""
  if (service === "") throw new BadParameter("service", "is required")
  const attributes: Record<string, string> = {}
  for (const tag of query.getAll("tag")) {
    const [key, ...rest] = tag.split(":")
    if (rest.length === 0) throw new BadParameter("tag", "must be key:value")
    attributes[key] = rest.join(":")
  }
  for (const tags of query.getAll("tags")) Object.assign(attributes, attributesOf("tags", tags))
  return checkDurations({
    service,
    operation: query.get("operation") ?? "",
    attributes,
    fromUs: integer("start", query.get("start")) ?? nowUs - LOOKBACK_US,
    toUs: integer("end", query.get("end")) ?? nowUs,
    minDurationUs: goDuration("minDuration", query.get("minDuration") ?? undefined),
    maxDurationUs: goDuration("maxDuration", query.get("maxDuration") ?? undefined),
    limit: integer("limit", query.get("limit")) ?? 0
  })
}

/** Of /api/v3: names in snake_case or camelCase, times in RFC 3339. */
export const v3Query = (query: URLSearchParams): CatalogQuery => {
  const of = (snake: string): string | undefined => {
    const camel = snake.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    return query.get(`query.${snake}`) ?? query.get(`query.${camel}`) ?? undefined
  }
  const time = (name: string): number => {
    const text = of(name) ?? ""
    if (text === "") throw new BadParameter(`query.${name}`, "is required")
    const ms = parseRfc3339(text)
    if (ms === undefined) throw new BadParameter(`query.${name}`, "must be an RFC 3339 time")
    return ms * 1000
  }
  return checkDurations({
    service: of("service_name") ?? "",
    operation: of("operation_name") ?? "",
    attributes: attributesOf("query.attributes", of("attributes")),
    fromUs: time("start_time_min"),
    toUs: time("start_time_max"),
    minDurationUs: goDuration("query.duration_min", of("duration_min")),
    maxDurationUs: goDuration("query.duration_max", of("duration_max")),
    limit: integer("query.num_traces", of("num_traces") ?? of("search_depth") ?? null) ?? 0
  })
}

/** Jaeger takes ids without their leading zeros. */
export const traceIdParameter = (name: string, text: string): string => {
  if (!/^[0-9a-f]{1,32}$/i.test(text)) throw new BadParameter(name, "must be 1 to 32 hex digits")
  return text.toLowerCase().padStart(32, "0")
}
