// Tokens of service accounts: signed by us, bound to live objects, and the older kind that a secret holds.
// Owns the claims and the checks against what exists now; refuses to issue tokens, which TokenRequest.ts does.
import { createHash } from "node:crypto"
import { type KubeObject, parseRfc3339 } from "#kube"
import type { Api, ResourceView } from "../Api.ts"
import type { UserInfo } from "../Request.ts"
import { type Authentication, Rejected, type TokenAuthenticator } from "./Authenticator.ts"
import { sameSecret } from "./BootstrapTokens.ts"
import { audiencesOf, type Claims, isSignedBy, LEEWAY_SECONDS, parseJwt, timeProblem } from "./Jwt.ts"
import type { VerifyingKey } from "./SigningKeys.ts"

/** A reference to an object by name and uid, in a token's claims. */
export interface ClaimedObject {
  readonly name: string
  readonly uid: string
}

/** The claim "kubernetes.io". */
export interface BoundClaims {
  readonly namespace: string
  readonly serviceaccount: ClaimedObject
  readonly pod?: ClaimedObject
  readonly secret?: ClaimedObject
  readonly node?: ClaimedObject
  readonly warnafter?: number
}

export const LEGACY_ISSUER = "kubernetes/serviceaccount"
/** Verified tokens that are remembered; the one unused longest is forgotten. */
const MAX_REMEMBERED = 16_384

/** "system:serviceaccount:<namespace>:<name>" */
export const serviceAccountUser = (namespace: string, name: string): string =>
  `system:serviceaccount:${namespace}:${name}`

/** The groups of every service account of a namespace. */
export const serviceAccountGroups = (namespace: string): ReadonlyArray<string> => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`
]

/** What a verified token is good for, if its objects still live. */
interface Verified {
  readonly claims: Claims
  readonly user: UserInfo
  readonly bound: BoundClaims
  /** Of the older kind: the secret must still hold this very token. */
  readonly legacy: boolean
}

const isClaimed = (value: unknown): value is ClaimedObject =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string"

const boundOf = (claims: Claims): BoundClaims | undefined => {
  const bound = claims["kubernetes.io"]
  if (typeof bound !== "object" || bound === null) return undefined
  // SAFETY: the signature is ours, and what we sign has this shape; the two parts that are used blindly are checked.
  const typed = bound as BoundClaims
  return typeof typed.namespace === "string" && isClaimed(typed.serviceaccount) ? typed : undefined
}

const LEGACY = "kubernetes.io/serviceaccount/"

const legacyOf = (claims: Claims): BoundClaims | string => {
  const claim = (name: string): string => {
    const value = claims[`${LEGACY}${name}`]
    return typeof value === "string" ? value : ""
  }
  const [namespace, secret] = [claim("namespace"), claim("secret.name")]
  const [name, uid] = [claim("service-account.name"), claim("service-account.uid")]
  if (claims.sub === undefined || claims.sub === "") return "sub claim is missing"
  if (namespace === "") return "namespace claim is missing"
  if (secret === "") return "secretName claim is missing"
  if (name === "") return "serviceAccountName claim is missing"
  if (uid === "") return "serviceAccountUID claim is missing"
  if (claims.sub !== serviceAccountUser(namespace, name)) return "sub claim is invalid"
  return { namespace, serviceaccount: { name, uid }, secret: { name: secret, uid: "" } }
}

const userOf = ({ jti }: Claims, { namespace, node, pod, serviceaccount }: BoundClaims): UserInfo => {
  const extra: Record<string, ReadonlyArray<string>> = {}
  if (jti !== undefined) extra["authentication.kubernetes.io/credential-id"] = [`JTI=${jti}`]
  if (node !== undefined && node.name !== "") {
    extra["authentication.kubernetes.io/node-name"] = [node.name]
    if ((node.uid ?? "") !== "") extra["authentication.kubernetes.io/node-uid"] = [node.uid]
  }
  if (pod !== undefined) {
    extra["authentication.kubernetes.io/pod-name"] = [pod.name]
    extra["authentication.kubernetes.io/pod-uid"] = [pod.uid]
  }
  return {
    name: serviceAccountUser(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
    ...(Object.keys(extra).length === 0 ? {} : { extra })
  }
}

export interface ServiceAccountTokensOptions {
  readonly keys: ReadonlyArray<VerifyingKey>
  /** Accepted; the first one issues. */
  readonly issuers: ReadonlyArray<string>
  /** What this server calls itself: tokens without audiences are for these. */
  readonly apiAudiences: ReadonlyArray<string>
}

/** Service-account tokens of both kinds. A signature is verified once, what it is bound to at every use. */
export class ServiceAccountTokens implements TokenAuthenticator {
  private readonly options: ServiceAccountTokensOptions
  private readonly api: Api
  private readonly accounts: ResourceView
  private readonly pods: ResourceView
  private readonly secrets: ResourceView
  private readonly nodes: ResourceView
  /** By a hash of the token, so that no dump of this map shows one. */
  private readonly verified = new Map<string, Verified>()

  constructor(api: Api, options: ServiceAccountTokensOptions) {
    this.api = api
    this.options = options
    this.accounts = api.view("", "serviceaccounts")
    this.pods = api.view("", "pods")
    this.secrets = api.view("", "secrets")
    this.nodes = api.view("", "nodes")
  }

  authenticateToken(token: string, audiences: ReadonlyArray<string>): Authentication {
    const verified = this.verifiedToken(token)
    if (verified === undefined || verified instanceof Rejected) return verified
    const nowSeconds = this.api.clockwork.now() / 1000
    const untimely = timeProblem(verified.claims, nowSeconds)
    if (untimely !== undefined) return new Rejected(untimely)
    const own = audiencesOf(verified.claims)
    const offered = own.length === 0 ? this.options.apiAudiences : own
    const shared = offered.filter((audience) => audiences.includes(audience))
    if (shared.length === 0) {
      const list = (names: ReadonlyArray<string>): string => `[${names.map((name) => JSON.stringify(name)).join(" ")}]`
      return new Rejected(`token audiences ${list(offered)} is invalid for the target audiences ${list(audiences)}`)
    }
    const gone = verified.legacy ? this.legacyProblem(token, verified) : this.boundProblem(verified.bound, nowSeconds)
    return gone === undefined ? { user: verified.user, audiences: shared } : new Rejected(gone)
  }

  private verifiedToken(token: string): Verified | Rejected | undefined {
    const digest = createHash("sha256").update(token).digest("base64")
    const known = this.verified.get(digest)
    if (known !== undefined) {
      // To the end of the order: the first of the map is the one unused longest.
      this.verified.delete(digest)
      this.verified.set(digest, known)
      return known
    }
    const fresh = this.verify(token)
    if (fresh === undefined || fresh instanceof Rejected) return fresh
    if (this.verified.size >= MAX_REMEMBERED) {
      const [oldest] = this.verified.keys()
      if (oldest !== undefined) this.verified.delete(oldest)
    }
    this.verified.set(digest, fresh)
    return fresh
  }

  private verify(token: string): Verified | Rejected | undefined {
    const jwt = parseJwt(token)
    if (jwt === undefined || typeof jwt.claims.iss !== "string") return undefined
    const { claims } = jwt
    const legacy = claims.iss === LEGACY_ISSUER
    if (!legacy && !this.options.issuers.includes(jwt.claims.iss)) return undefined
    if (!isSignedBy(jwt, this.options.keys)) return new Rejected("invalid signature, no keys found")
    const bound = legacy ? legacyOf(claims) : boundOf(claims)
    if (bound === undefined) return new Rejected("service account token claims could not be validated")
    return typeof bound === "string"
      ? new Rejected(bound)
      : { claims, bound, legacy, user: userOf(claims, legacy ? { ...bound, secret: bound.serviceaccount } : bound) }
  }

  private boundProblem({ namespace, node, pod, secret, serviceaccount }: BoundClaims, now: number): string | undefined {
    const account = this.accounts.get(namespace, serviceaccount.name)
    if (account === undefined) return `serviceaccounts "${serviceaccount.name}" not found`
    if (account.metadata.uid !== serviceaccount.uid)
      return `service account UID (${account.metadata.uid}) does not match claim (${serviceaccount.uid})`
    if (isGone(account, now)) return `service account ${namespace}/${serviceaccount.name} has been deleted`
    if (secret !== undefined) return objectProblem("secret", this.secrets.get(namespace, secret.name), secret, now)
    if (pod !== undefined) return objectProblem("pod", this.pods.get(namespace, pod.name), pod, now)
    // The node of a pod-bound token is only told, never checked.
    if (node !== undefined) return objectProblem("node", this.nodes.get("", node.name), node, now)
    return undefined
  }

  private legacyProblem(token: string, { bound }: Verified): string | undefined {
    const { namespace, serviceaccount } = bound
    const secret = this.secrets.get(namespace, bound.secret?.name ?? "")
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return "Token has been invalidated"
    // SAFETY: secrets' data is a map of base64 texts by its schema.
    const data = secret["data"] as Readonly<Record<string, string>> | undefined
    if (!sameSecret(Buffer.from(data?.["token"] ?? "", "base64").toString("utf8"), token))
      return "Token does not match server's copy"
    const account = this.accounts.get(namespace, serviceaccount.name)
    if (account === undefined) return `serviceaccounts "${serviceaccount.name}" not found`
    if (account.metadata.deletionTimestamp !== undefined)
      return `ServiceAccount ${namespace}/${serviceaccount.name} has been deleted`
    if (account.metadata.uid !== serviceaccount.uid)
      return `ServiceAccount UID (${account.metadata.uid}) does not match claim (${serviceaccount.uid})`
    const invalid = "kubernetes.io/legacy-token-invalid-since"
    return (secret.metadata.labels?.[invalid] ?? "") === ""
      ? undefined
      : `the token in secret ${namespace}/${bound.secret?.name} for service account ${namespace}/${serviceaccount.name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${invalid}' label from the secret to temporarily allow use of this token`
  }
}

/** Whether an object's deletion was so long ago that its tokens no longer count; `now` in seconds. */
const isGone = ({ metadata: { deletionTimestamp } }: KubeObject, now: number): boolean =>
  deletionTimestamp !== undefined && (parseRfc3339(deletionTimestamp) ?? 0) / 1000 < now - LEEWAY_SECONDS

const objectProblem = (
  kind: "secret" | "pod" | "node",
  object: KubeObject | undefined,
  claimed: ClaimedObject,
  now: number
): string | undefined => {
  if (object === undefined) return "service account token has been invalidated"
  if (object.metadata.uid !== claimed.uid)
    return `${kind} UID (${object.metadata.uid}) does not match service account ${kind} ref claim (${claimed.uid})`
  return isGone(object, now) ? "service account token has been invalidated" : undefined
}
