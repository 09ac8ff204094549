// The same write on both servers: what each answers, without what must differ.
// Owns that normal form; refuses to judge which difference is acceptable.
import { isDeepStrictEqual } from "node:util"
import type { RealApiServer } from "../../../kube/RealApiServer.ts"

type Call = RealApiServer["call"]

export interface Answered {
  readonly code: number
  readonly reason: string
  /** Sentences of a refusal, in an order that is nobody's promise. */
  readonly causes: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
  readonly object: unknown
}

interface Status {
  readonly reason?: string
  readonly message?: string
  readonly details?: { readonly causes?: ReadonlyArray<{ field?: string; message?: string; reason?: string }> }
}

/** What both servers choose by themselves. */
const CHOSEN = new Set(["uid", "resourceVersion", "creationTimestamp", "managedFields"])

const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" ? value.replace(/kube-api-access-\w{5}/g, "kube-api-access-RANDOM") : value
  }
  const entries = Object.entries(value)
    // What is null says nothing; Go writes it where a time or a list is not set.
    .filter(([name]) => !CHOSEN.has(name))
    .map(([name, inner]) => {
      if (name === "lastPhaseTransitionTime") return [name, "TIME"]
      if (name.endsWith("controller-uid")) return [name, "UID"]
      if (name === "clusterIP" && inner !== "None" && inner !== "") return [name, "IP"]
      if (name === "clusterIPs" && Array.isArray(inner) && inner[0] !== "None") return [name, inner.map(() => "IP")]
      if (inner !== 0 && (name === "nodePort" || name === "healthCheckNodePort")) return [name, "PORT"]
      return [name, plain(inner)] as const
    })
    .filter(([, inner]) => !isEmpty(inner))
  return Object.fromEntries(entries)
}

/** What says nothing: Go leaves it out, or writes null for it, where this server keeps what was sent. */
const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === false ||
  value === 0 ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0)

/** Where a message shows a whole object, the real server prints its own structs, with fields of other names and orders. */
const VALUE = /((?:Invalid|Unsupported|Duplicate) value: )(?:[{[].*[}\]]|null)(?=:|$)/

const plainText = (text: string): string =>
  text
    .replace(/kube-api-access-\w{5}/g, "kube-api-access-RANDOM")
    .replace(/\n[\s\S]*$/, "")
    .replace(VALUE, "$1VALUE")

const warningsOf = (warning: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  [warning ?? []]
    .flat()
    .flatMap((one) => one.split(/, (?=299 )/))
    .sort()

const ask = async (call: Call, method: string, path: string, body: object): Promise<Answered> => {
  const headers = { "content-type": "application/json", "user-agent": "kinds" }
  const answer = await call(method, path, { body: JSON.stringify(body), headers })
  const parsed = JSON.parse(answer.body) as Status
  const failed = answer.code >= 300
  const causes = parsed.details?.causes
  return {
    code: answer.code,
    reason: failed ? (parsed.reason ?? "") : "",
    causes: failed
      ? (causes === undefined
          ? [plainText(parsed.message ?? "")]
          : causes.map(({ field, message, reason }) => plainText(`${field}: ${reason}: ${message}`))
        ).toSorted()
      : [],
    warnings: warningsOf(answer.headers["warning"]),
    object: failed ? undefined : plain(parsed)
  }
}

/** Whether both answers say the same. */
export const agree = (ours: Answered, real: Answered): boolean => isDeepStrictEqual(ours, real)

/** The answer of one server to a write that changes nothing (dry run). */
export const tried = (call: Call, method: string, path: string, body: object): Promise<Answered> =>
  ask(call, method, `${path}?dryRun=All`, body)

/** Writes for good, where later writes need it. */
export const made = async (call: Call, path: string, body: object): Promise<void> => {
  const answer = await ask(call, "POST", path, body)
  if (answer.code !== 201 && answer.code !== 409) throw new Error(`${path}: ${answer.causes.join(", ")}`)
}

/** An object as a server has it. */
export const stored = async (call: Call, path: string): Promise<object> => {
  const { body, code } = await call("GET", path)
  if (code !== 200) throw new Error(`${path}: ${body}`)
  return JSON.parse(body) as object
}
