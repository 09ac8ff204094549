// What leads every answer of plain HTTP over HTTP/2: its status and, unless the handler dates it, the date (RFC 9110 section
// 6.6.1). Owns their memory, which all connections share and which changes once a second; refuses to own the other fields.
import type { HttpFields } from "./HttpExchange.ts"

const plain = new Map<number, HttpFields>()
const dated = new Map<number, HttpFields>()
let datedSecond = 0
let date = ""

/** The leading fields of an answer; there are at most a thousand different ones at a time. */
export const statusFields = (status: number, fields: HttpFields): HttpFields => {
  for (const field of fields) if (field[0] === "date") return plainFields(status)
  const nowMs = Date.now()
  const second = Math.floor(nowMs / 1000)
  if (second !== datedSecond) {
    datedSecond = second
    date = new Date(nowMs).toUTCString()
    dated.clear()
  }
  const known = dated.get(status)
  if (known !== undefined) return known
  const made: HttpFields = [...plainFields(status), ["date", date]]
  dated.set(status, made)
  return made
}

const plainFields = (status: number): HttpFields => {
  const known = plain.get(status)
  if (known !== undefined) return known
  const made: HttpFields = [[":status", String(status)]]
  plain.set(status, made)
  return made
}
