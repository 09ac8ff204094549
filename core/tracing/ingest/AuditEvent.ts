// An audit event's head (everything but the bodies), read from parsed JSON into plain texts and numbers.
// Owns which fields are needed and the complaint about those that are not what they must be; refuses bodies, which are kept apart.
import { parseRfc3339 } from "#kube"

/** What the head of an `audit.k8s.io/v1` Event says; empty texts where it does not. */
export interface AuditHead {
  readonly level: string
  readonly auditId: string
  readonly stage: string
  readonly requestUri: string
  readonly verb: string
  readonly username: string
  readonly impersonator: string
  readonly sourceIps: ReadonlyArray<string>
  readonly userAgent: string
  readonly objectRef: ObjectRef | undefined
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly causes: ReadonlyArray<string>
  readonly detailsUid: string
  readonly receivedUs: number
  readonly stageUs: number
  readonly truncated: boolean
}

export interface ObjectRef {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
}

/** An audit event or batch that cannot be taken; says which field and why, and shows nothing of its content. */
export class AuditInvalid extends Error {
  override readonly name = "AuditInvalid"
  constructor(field: string, rule: string) {
    super(`${field}: ${rule}`)
  }
}

type Fields = { readonly [name: string]: unknown }

const fields = (value: unknown): Fields | undefined =>
  // SAFETY: an object that is no list has fields.
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined

const text = (value: unknown): string => (typeof value === "string" ? value : "")

const texts = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : []

const microseconds = (value: unknown, field: string): number => {
  const ms = typeof value === "string" ? parseRfc3339(value) : undefined
  if (ms === undefined) throw new AuditInvalid(field, "must be an RFC 3339 time")
  return Math.round(ms * 1000)
}

const required = (value: unknown, field: string): string => {
  if (typeof value !== "string" || value === "") throw new AuditInvalid(field, "must be a non-empty text")
  return value
}

/** Reads a head; `at` names the event in complaints, like "items[3]". */
export const auditHead = (value: unknown, at: string): AuditHead => {
  const event = fields(value)
  if (event === undefined) throw new AuditInvalid(at, "must be an object")
  const user = fields(event["user"])
  const impersonated = fields(event["impersonatedUser"])
  const status = fields(event["responseStatus"])
  const details = fields(status?.["details"])
  const annotations = fields(event["annotations"])
  const receivedUs = microseconds(event["requestReceivedTimestamp"], `${at}.requestReceivedTimestamp`)
  const { code } = status ?? {}
  return {
    level: text(event["level"]),
    auditId: required(event["auditID"], `${at}.auditID`),
    stage: required(event["stage"], `${at}.stage`),
    requestUri: text(event["requestURI"]),
    verb: required(event["verb"], `${at}.verb`),
    username: text((impersonated ?? user)?.["username"]),
    impersonator: impersonated === undefined ? "" : text(user?.["username"]),
    sourceIps: texts(event["sourceIPs"]),
    userAgent: text(event["userAgent"]),
    objectRef: objectRef(fields(event["objectRef"])),
    code: typeof code === "number" ? code : 0,
    reason: text(status?.["reason"]),
    message: text(status?.["message"]),
    causes: details === undefined ? [] : causesOf(details["causes"]),
    detailsUid: text(details?.["uid"]),
    receivedUs,
    stageUs: microseconds(event["stageTimestamp"], `${at}.stageTimestamp`),
    truncated: annotations?.["audit.k8s.io/truncated"] === "true"
  }
}

const objectRef = (reference: Fields | undefined): ObjectRef | undefined =>
  reference === undefined
    ? undefined
    : {
        group: text(reference["apiGroup"]),
        version: text(reference["apiVersion"]),
        resource: text(reference["resource"]),
        subresource: text(reference["subresource"]),
        namespace: text(reference["namespace"]),
        name: text(reference["name"]),
        uid: text(reference["uid"]),
        resourceVersion: text(reference["resourceVersion"])
      }

/** What a failure's details name, a line for each. */
export const causesOf = (causes: unknown): ReadonlyArray<string> =>
  Array.isArray(causes)
    ? causes.map((cause) => {
        const { field, message, reason } = fields(cause) ?? {}
        return [text(field), text(reason), text(message)].filter((part) => part !== "").join(": ")
      })
    : []
