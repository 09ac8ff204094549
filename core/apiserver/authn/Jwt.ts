// JSON Web Tokens in compact form (RFC 7515, RFC 7519), signed and verified by node:crypto.
// Owns form, signature and the claims about time; refuses to know who a token is for.
import { sign as signBytes, verify as verifyBytes } from "node:crypto"
import type { Algorithm, SigningKey, VerifyingKey } from "./SigningKeys.ts"

/** What a token says; numbers are seconds since the epoch. */
export interface Claims {
  readonly iss?: string
  readonly sub?: string
  readonly aud?: string | ReadonlyArray<string>
  readonly exp?: number
  readonly nbf?: number
  readonly iat?: number
  readonly jti?: string
  readonly [claim: string]: unknown
}

/** Clocks may differ so far. */
export const LEEWAY_SECONDS = 60
/** Longer texts are no tokens of ours. */
const MAX_TOKEN_CHARS = 16_384

const digestOf = (algorithm: Algorithm): string => `sha${algorithm.slice(2)}`

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** The signed token in compact form. */
export const signJwt = (claims: Claims, { algorithm, id, privateKey }: SigningKey): string => {
  const text = `${encoded({ alg: algorithm, kid: id })}.${encoded(claims)}`
  const signature = signBytes(digestOf(algorithm), Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" })
  return `${text}.${signature.toString("base64url")}`
}

const decoded = (part: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"))
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    // No JSON: no token.
    return undefined
  }
}

/** A token taken apart, nothing of it proven yet; undefined when the text is none. */
export interface UnverifiedJwt {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Claims
  readonly signed: string
  readonly signature: string
}

export const parseJwt = (token: string): UnverifiedJwt | undefined => {
  if (token.length > MAX_TOKEN_CHARS) return undefined
  const parts = token.split(".")
  const [head, body, signature] = parts
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined) return undefined
  const [header, claims] = [decoded(head), decoded(body)]
  return header === undefined || claims === undefined
    ? undefined
    : { header, claims, signed: token.slice(0, head.length + 1 + body.length), signature }
}

/** Whether one of the keys signed the token: that of its `kid`, or any when it names none. */
export const isSignedBy = (jwt: UnverifiedJwt, keys: ReadonlyArray<VerifyingKey>): boolean => {
  const { alg, kid } = jwt.header
  const named = typeof kid === "string" && kid !== ""
  return keys.some(
    ({ algorithm, id, key }) =>
      (!named || kid === id) &&
      alg === algorithm &&
      verifyBytes(
        digestOf(algorithm),
        Buffer.from(jwt.signed),
        { key, dsaEncoding: "ieee-p1363" },
        Buffer.from(jwt.signature, "base64url")
      )
  )
}

/** Why a token does not hold at a time (seconds since the epoch); undefined when it does. */
export const timeProblem = ({ exp, iat, nbf }: Claims, now: number): string | undefined => {
  if (exp !== undefined && now - LEEWAY_SECONDS > exp) return "service account token has expired"
  if (nbf !== undefined && now + LEEWAY_SECONDS < nbf) return "service account token is not valid yet"
  if (iat !== undefined && now + LEEWAY_SECONDS < iat) return "service account token is issued in the future"
  return undefined
}

/** The audiences of a token as a list; empty when it names none. */
export const audiencesOf = ({ aud }: Claims): ReadonlyArray<string> =>
  aud === undefined ? [] : typeof aud === "string" ? [aud] : aud
