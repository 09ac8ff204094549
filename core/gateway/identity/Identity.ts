// Who a request comes from, once proven, and as what it goes on to the endpoint.
// Owns the shape and the list of those who are never passed on; refuses to prove anything.
import type { UserInfo } from "#apiserver"
import type { HttpFields } from "#net"
import type { NeverImpersonate } from "../config/UpstreamCluster.ts"
import { userFields, userProblem } from "./UserFields.ts"

export type Proof = "certificate" | "token" | "proxy" | "anonymous" | "passthrough"

/** The same object for all requests of one proof, as long as that is remembered. */
export interface Identity {
  readonly kind: "identity"
  readonly user: UserInfo
  readonly proof: Proof
  /** What says to the endpoint who asks. */
  readonly fields: HttpFields
}

/** The request ends here; the message is for the client and holds no secret. */
export interface Denied {
  readonly kind: "denied"
  readonly code: 400 | 401 | 403 | 503
  readonly message: string
  readonly retryAfterSeconds?: number
}

export const denied = (code: Denied["code"], message: string, retryAfterSeconds?: number): Denied => ({
  kind: "denied",
  code,
  message,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
})

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name

/** Whether a user may not be passed on, by its name or one of its groups. */
const isNeverPassed = ({ groups, users }: NeverImpersonate, user: UserInfo): boolean =>
  users.some((pattern) => matches(pattern, user.name)) ||
  groups.some((pattern) => user.groups.some((group) => matches(pattern, group)))

/** A proven user as an identity, unless it may not or cannot be passed on. */
export const identityOf = (user: UserInfo, proof: Proof, never: NeverImpersonate): Identity | Denied => {
  const problem = userProblem(user)
  if (problem !== undefined) return denied(403, `the user cannot be passed on to the cluster: ${problem}`)
  const excepted = never.exceptCertificates && proof === "certificate"
  if (!excepted && isNeverPassed(never, user)) {
    return denied(403, "the gateway is configured never to pass this user on to the cluster")
  }
  return { kind: "identity", user, proof, fields: userFields(user) }
}
