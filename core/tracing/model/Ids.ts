// The ids of traces, spans and facts, each computed from what happened and from nothing else: every replica, retry, restart and order
// gives the same. Owns what goes into each id; refuses counters, clocks and randomness.
// A trace id is the window's start in seconds (4 bytes, so that a reader knows where to look) and a hash of the object and the window's length.
import { hash } from "node:crypto"
import { type ObjectKey, objectText, windowStartUs } from "./ObjectKey.ts"

const hexHash = (text: string, digits: number): string => hash("sha256", text, "hex").slice(0, digits)

/** A list of texts as one; no two lists are confused. */
export const joined = (...parts: ReadonlyArray<string>): string => {
  let text = ""
  for (const part of parts) text += `${part.length}:${part}`
  return text
}

/** 16 hex digits for a list of texts. */
export const idOf = (...parts: ReadonlyArray<string>): string => hexHash(joined(...parts), 16)

/** The same of joined texts and a body after them. */
export const idOfBody = (before: string, body: string): string => hexHash(before + body, 16)

/** The same of both as UTF-8, one after the other. */
export const idOfBytes = (bytes: Uint8Array): string => hash("sha256", bytes, "hex").slice(0, 16)

/** 24 hex digits that stand for an object in every window. */
export const objectId = (key: ObjectKey, windowSeconds: number): string =>
  hexHash(`${windowSeconds} ${objectText(key)}`, 24)

/** 32 hex digits: the trace of an object in the window that a time falls into. */
export const traceIdOf = (key: ObjectKey, atUs: number, windowSeconds: number): string =>
  traceIdIn(objectId(key, windowSeconds), windowStartUs(atUs, windowSeconds))

/** The same of an object's id and a window's start. */
export const traceIdIn = (object: string, startUs: number): string =>
  `${Math.floor(startUs / 1_000_000)
    .toString(16)
    .padStart(8, "0")
    .slice(-8)}${object}`

/** A trace id's parts; undefined when it is not of 32 lower-case hex digits. */
export const parseTraceId = (traceId: string): { readonly object: string; readonly startUs: number } | undefined =>
  /^[0-9a-f]{32}$/.test(traceId)
    ? { object: traceId.slice(8), startUs: Number.parseInt(traceId.slice(0, 8), 16) * 1_000_000 }
    : undefined

/** 16 hex digits: the root of a trace. */
export const objectSpanId = (traceId: string): string => idOf("object", traceId)
