// Single values of request options as kube-apiserver converts them from strings, with the failures in its words.
// Owns numbers, booleans and durations; refuses to know which option they belong to.
import { ApiFailure, Failures } from "#kube"
import type { Query } from "./RequestUrl.ts"

const MAX_INT64 = 2n ** 63n - 1n

/** A 64-bit integer; a failure in strconv's words otherwise. */
export const integerOption = (query: Query, name: string): number | undefined | ApiFailure => {
  const text = query.get(name)
  if (text === "") return undefined
  if (!/^[+-]?\d+$/.test(text)) {
    return Failures.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text)
  if (value > MAX_INT64 || value < -MAX_INT64 - 1n) {
    return Failures.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  }
  return Number(value)
}

/** A boolean of a query: present and neither "false" nor "0" is true (apimachinery's conversion of strings). */
export const booleanOption = (query: Query, name: string): boolean | undefined => {
  if (!query.has(name)) return undefined
  const text = query.get(name).toLowerCase()
  return text !== "false" && text !== "0"
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000
}

/** Milliseconds of a Go duration like "1m30s" or "1.5h"; undefined when it is none. */
export const goDuration = (text: string): number | undefined => {
  if (text === "0" || text === "+0" || text === "-0") return 0
  const match = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text)
  if (match === null) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(amount) * (unitMs[unit ?? ""] ?? 0)
  }
  return match[1] === "-" ? -total : total
}

/** The first failure of several values. */
export const firstFailure = (...values: ReadonlyArray<unknown>): ApiFailure | undefined =>
  values.find((value): value is ApiFailure => value instanceof ApiFailure)
