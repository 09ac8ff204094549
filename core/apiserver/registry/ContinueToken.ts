// Where the next page of a list starts, as the text that clients hand back: the same JSON in base64 that kube-apiserver gives out.
// Owns the text and its checks (k8s.io/apiserver's pkg/storage/continue.go); refuses to know lists.
import { ApiFailure, Failures } from "#kube"

export interface ContinueToken {
  /** The revision of the list; −1: go on at the newest. */
  readonly revision: number
  /** The key at which the page starts, relative to the resource. */
  readonly start: string
}

const VERSION = "meta.k8s.io/v1"

/** The token for the page after a key. */
export const continueAfter = (key: string, revision: number): string => encodeContinue(`${key}\0`, revision)

/** The token for a page that starts at a key. */
export const encodeContinue = (start: string, revision: number): string =>
  Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start })).toString("base64url")

const refuse = (why: string): ApiFailure => Failures.badRequest(`invalid continue token: ${why}`)

/** Reads a token. */
export const decodeContinue = (text: string): ContinueToken | ApiFailure => {
  const token = parse(text)
  if (token === undefined) return refuse("continue key is not valid: not the token of a list")
  const { rv, start, v } = token
  if (v !== VERSION) {
    return refuse(
      `continue key is not valid: server does not recognize this encoded version ${typeof v === "string" ? v : ""}`
    )
  }
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0) {
    return refuse(`continue key is not valid: incorrect encoded start resourceVersion (version ${VERSION})`)
  }
  if (typeof start !== "string" || start === "") {
    return refuse(`continue key is not valid: encoded start key empty (version ${VERSION})`)
  }
  // Nobody gets out of the resource's keys by a path.
  const parts = start.replace(/^\//, "").split("/")
  if (parts.some((part, at) => part === "." || part === ".." || (part === "" && at < parts.length - 1))) {
    return refuse(`continue key is not valid: ${start}`)
  }
  return { revision: rv, start: start.replace(/^\//, "") }
}

const parse = (text: string): { readonly v?: unknown; readonly rv?: unknown; readonly start?: unknown } | undefined => {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString())
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
