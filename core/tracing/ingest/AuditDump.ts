// An audit event as a line that may lie in a file: its head, and of its answer what the store may keep. It can be read again as an audit log.
// Owns that form; refuses requests' bodies, and of what is secret everything but code and reason.
import type { Json, JsonObject } from "#kube"
import type { AuditHead } from "./AuditEvent.ts"
import { isSensitive, type Kept } from "./Redaction.ts"

/** Where lines go: a file for each cluster. */
export type Dump = (cluster: string, line: string) => void

/** The line of an event, without its end. `event` is its JSON without bodies. */
export const dumpLine = (
  event: JsonObject,
  { objectRef }: AuditHead,
  answer: Kept | undefined,
  bytes: Buffer
): string => {
  const { requestObject: _, responseObject: __, ...head } = event
  const secret = objectRef !== undefined && isSensitive(objectRef.resource, objectRef.subresource)
  const shown = secret ? { ...head, responseStatus: codeOf(head["responseStatus"]) } : head
  const line = JSON.stringify(shown)
  if (answer === undefined) return line
  return `${line.slice(0, -1)},"responseObject":${bodyText(answer, bytes)}}`
}

const codeOf = (status: Json | undefined): Json => {
  if (typeof status !== "object" || status === null || Array.isArray(status)) return null
  // SAFETY: an object that is no list has fields.
  const { code = null, reason = null } = status as JsonObject
  return { code, reason }
}

/** The body on one line. */
const bodyText = ({ body }: Kept, bytes: Buffer): string => {
  if (typeof body === "string") return body.includes("\n") ? JSON.stringify(JSON.parse(body)) : body
  let text = ""
  let from = body.start
  for (const [cutFrom, cutTo] of body.cuts) {
    text += bytes.toString("utf8", from, cutFrom)
    from = cutTo
  }
  text += bytes.toString("utf8", from, body.end)
  return text.includes("\n") ? JSON.stringify(JSON.parse(text)) : text
}
