// Who may see the gateway's own pages where it has no control plane of its own: whoever the configuration's API server lets, and
// holders of a certificate of the gateway's authority that says system:masters.
// Owns these two ways; refuses pages. Bound: 16 reviews under way; who comes then is told to come again.
import {
  clientCertificates,
  CertificateAuthorities,
  fieldsIn,
  fieldsOf,
  Rejected,
  textOf,
  textsOf,
  type UserInfo
} from "#apiserver"
import { ApiFailure, type Client, type Clockwork, Failures, gvr, type JsonObject, type KubeObject } from "#kube"
import type { HttpExchange } from "#net"

/** Answers why a request may not go on; undefined when it may. */
export type AdminAccess = (
  exchange: HttpExchange,
  path: string,
  done: (refusal: ApiFailure | undefined) => void
) => void

export interface AdminAccessOptions {
  readonly clockwork: Clockwork
  /** PEM of the gateway's authorities; empty: no certificate proves anybody. */
  readonly clientCa: string
  /** The API server that is asked about tokens and rights; undefined: there is none. */
  readonly client: Client | undefined
}

const REVIEWS_MAX = 16
const MASTERS = "system:masters"
const TOO_BUSY = "too many reviews are under way"

const review = (group: string, kind: string, spec: JsonObject): KubeObject => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: {},
  spec
})

const userOf = (answer: KubeObject): UserInfo | undefined => {
  const status = fieldsOf(answer.status)
  const user = fieldsIn(status["user"])
  if (status["authenticated"] !== true || user === undefined) return undefined
  return { name: textOf(user["username"]), groups: textsOf(user["groups"]) }
}

/** Asks an API server who somebody is and what he may do. */
class Reviews {
  readonly #client: Client
  #open = 0

  constructor(client: Client) {
    this.#client = client
  }

  user(token: string, done: (user: UserInfo | ApiFailure) => void): void {
    const asked = review("authentication.k8s.io", "TokenReview", { token })
    this.#ask("tokenreviews", asked, (answer) =>
      done(answer instanceof ApiFailure ? answer : (userOf(answer) ?? Failures.unauthorized()))
    )
  }

  allowed({ groups, name }: UserInfo, path: string, done: (refusal: ApiFailure | undefined) => void): void {
    const spec = { user: name, groups: [...groups], nonResourceAttributes: { path, verb: "get" } }
    this.#ask("subjectaccessreviews", review("authorization.k8s.io", "SubjectAccessReview", spec), (answer) => {
      if (answer instanceof ApiFailure) return done(answer)
      done(fieldsOf(answer.status)["allowed"] === true ? undefined : forbidden(name, path))
    })
  }

  #ask(resource: string, object: KubeObject, done: (answer: KubeObject | ApiFailure) => void): void {
    if (this.#open >= REVIEWS_MAX) return done(Failures.tooManyRequests(TOO_BUSY, 1))
    this.#open++
    const group = resource === "tokenreviews" ? "authentication.k8s.io" : "authorization.k8s.io"
    this.#client.create({ resource: gvr(group, "v1", resource), namespace: "" }, object, {}, (answer) => {
      this.#open--
      // What the other server says of us is not for who asks.
      done(answer instanceof ApiFailure ? Failures.unavailable("the reviewing API server does not answer") : answer)
    })
  }
}

const forbidden = (user: string, path: string): ApiFailure =>
  Failures.generic(403, "Forbidden", `forbidden: User ${JSON.stringify(user)} cannot get path ${JSON.stringify(path)}`)

const bearerOf = (exchange: HttpExchange): string | undefined =>
  /^Bearer +(\S+)$/i.exec(exchange.header("authorization") ?? "")?.[1]

/** The gate before the admin pages. */
export const adminAccess = ({ client, clientCa, clockwork }: AdminAccessOptions): AdminAccess => {
  const certificates =
    clientCa === "" ? undefined : clientCertificates(new CertificateAuthorities(clientCa), clockwork.now)
  const reviews = client === undefined ? undefined : new Reviews(client)
  const authorize = (user: UserInfo, path: string, done: (refusal: ApiFailure | undefined) => void): void => {
    if (reviews === undefined) return done(forbidden(user.name, path))
    reviews.allowed(user, path, done)
  }
  return (exchange, path, done) => {
    const shown = certificates?.authenticate(exchange)
    if (shown instanceof Rejected) return done(Failures.unauthorized())
    // Only the gateway's own authority makes masters here; an API server's word is asked for.
    if (shown?.user.groups.includes(MASTERS) === true) return done(undefined)
    if (shown !== undefined) return authorize(shown.user, path, done)
    const token = bearerOf(exchange)
    if (token === undefined || reviews === undefined) return done(Failures.unauthorized())
    reviews.user(token, (user) => (user instanceof ApiFailure ? done(user) : authorize(user, path, done)))
  }
}
