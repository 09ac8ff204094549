// What servers answer, read: objects, lists, failures, warnings and the lines of a watch.
// Owns JSON from bytes; refuses to decide what to do about a failure.
import type { HttpFields } from "#net"
import { isJsonObject, type Json, type JsonObject } from "../Json.ts"
import type { KubeList, KubeObject } from "../KubeObject.ts"
import { ApiFailure, Failures, type Status } from "../Status.ts"
import type { WatchEvent } from "../WatchEvent.ts"

const decoder = new TextDecoder()

const parseJson = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** The first value of a field. */
export const fieldOf = (fields: HttpFields, name: string): string | undefined =>
  fields.find(([field]) => field === name)?.[1]

/** Seconds that a server asks to wait; undefined when it does not ask. */
export const retryAfterSeconds = (fields: HttpFields): number | undefined => {
  const text = fieldOf(fields, "retry-after")
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined
}

/** The texts of Warning fields with code 299 (RFC 7234 section 5.5). */
export const warningsOf = (fields: HttpFields): ReadonlyArray<string> => {
  const warnings: Array<string> = []
  for (const [name, value] of fields) {
    if (name !== "warning") continue
    for (const match of value.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g))
      warnings.push((match[1] ?? "").replace(/\\(.)/g, "$1"))
  }
  return warnings
}

const isStatus = (value: Json | undefined): value is JsonObject => isJsonObject(value) && value["kind"] === "Status"

/** The longest part of an answer that was no Status which a failure repeats. */
const SHOWN_MAX = 256

const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout"
}

/** A failure from an answer that is none of success: its Status, or one made of what there is. */
export const failureOf = (code: number, body: Uint8Array): ApiFailure => {
  const text = decoder.decode(body)
  const value = parseJson(text)
  // SAFETY: a server that says kind Status speaks meta/v1; the code is the one that was seen where the body has none.
  if (isStatus(value)) return new ApiFailure({ code, ...value } as unknown as Status)
  const shown = text.slice(0, SHOWN_MAX).trim()
  return Failures.generic(code, reasons[code] ?? "InternalError", shown === "" ? `the server answered ${code}` : shown)
}

/** An object, which needs no more than to be one. */
export const objectOf = (body: Uint8Array): KubeObject | ApiFailure => {
  const value = parseJson(decoder.decode(body))
  if (!isJsonObject(value)) return Failures.internal("the server's answer is no JSON object")
  // SAFETY: everything that an API server answers with success has a type and metadata.
  return (isJsonObject(value["metadata"]) ? value : { ...value, metadata: {} }) as unknown as KubeObject
}

/** A list; its items get the type that servers leave out because the list's says it. */
export const listOf = (body: Uint8Array): KubeList | ApiFailure => {
  const value = parseJson(decoder.decode(body))
  if (!isJsonObject(value) || typeof value["kind"] !== "string" || !value["kind"].endsWith("List")) {
    return Failures.internal("the server's answer is no list")
  }
  const list = value as unknown as { apiVersion: string; kind: string; items: Array<Record<string, unknown>> | null }
  list.items ??= []
  const kind = list.kind.slice(0, -"List".length)
  for (const item of list.items) {
    // The items were made by the parser a moment ago and are nobody else's yet.
    item["apiVersion"] ??= list.apiVersion
    item["kind"] ??= kind
  }
  return list as unknown as KubeList
}

const NEWLINE = 10

/** Cuts the bytes of a watch into lines as they come. */
export class WatchLines {
  readonly #lineBytesMax: number
  readonly #line: (line: Uint8Array) => void
  #rest: Array<Uint8Array> = []
  #restBytes = 0

  constructor(lineBytesMax: number, line: (line: Uint8Array) => void) {
    this.#lineBytesMax = lineBytesMax
    this.#line = line
  }

  /** Takes bytes that are valid during the call; false when a line is longer than the bound. */
  push(bytes: Uint8Array): boolean {
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const part = bytes.subarray(start, end)
      start = end + 1
      if (this.#restBytes === 0) {
        if (part.length > 0) this.#line(part)
        continue
      }
      this.#rest.push(part)
      const whole = Buffer.concat(this.#rest)
      this.#rest = []
      this.#restBytes = 0
      this.#line(whole)
    }
    if (start === bytes.length) return true
    this.#restBytes += bytes.length - start
    if (this.#restBytes > this.#lineBytesMax) return false
    this.#rest.push(bytes.slice(start))
    return true
  }
}

/** An event from one line; a failure is what an ERROR event carries, or what is wrong with the line. */
export const eventOf = (line: Uint8Array): WatchEvent | ApiFailure => {
  const value = parseJson(decoder.decode(line))
  if (!isJsonObject(value)) return Failures.internal("a line of the watch is no JSON object")
  const { object, type } = value
  if (type === "ERROR") {
    if (isStatus(object)) return new ApiFailure({ code: 500, ...object } as unknown as Status)
    return Failures.internal("the watch ended with an error that is no Status")
  }
  const known = type === "ADDED" || type === "MODIFIED" || type === "DELETED" || type === "BOOKMARK"
  if (!known || !isJsonObject(object)) return Failures.internal("a line of the watch is no event")
  return { type, object: object as unknown as KubeObject }
}
