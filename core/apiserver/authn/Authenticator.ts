// Who sends a request: asks each way of proving it in kube-apiserver's order and takes the first that knows the client.
// Owns the union, the groups that everyone gets and the anonymous user; refuses any single way, which have their own files.
// Nothing here or below puts a secret into a failure.
import type { HttpFields, PeerCertificate } from "#net"
import type { UserInfo } from "../Request.ts"

/** What a request brings to prove who sent it; an HttpExchange is one. */
export interface Credentials {
  readonly peerCertificate: PeerCertificate | undefined
  /** The first value of a field, by its lower-case name. */
  header(name: string): string | undefined
  fields(): HttpFields
}

/** A known client. The same client answers the same `user` object again where that is cheap: memos hang on it. */
export interface Authenticated {
  readonly user: UserInfo
  /** The audiences asked for that the proof is good for; absent for proofs that know none. */
  readonly audiences?: ReadonlyArray<string>
}

/** A proof that was meant for this way but does not hold; `why` names no secret. */
export class Rejected {
  readonly why: string

  constructor(why: string) {
    this.why = why
  }
}

/** Undefined: this way has nothing to say about the request. */
export type Authentication = Authenticated | Rejected | undefined

/** One way of proving who sent a request. */
export interface RequestAuthenticator {
  readonly authenticate: (credentials: Credentials) => Authentication
}

/** One kind of bearer token; `audiences` are those that the asker accepts. */
export interface TokenAuthenticator {
  readonly authenticateToken: (token: string, audiences: ReadonlyArray<string>) => Authentication
}

export const AUTHENTICATED = "system:authenticated"
export const UNAUTHENTICATED = "system:unauthenticated"

/** The user of requests that prove nothing, where those are let in. */
export const ANONYMOUS: UserInfo = { name: "system:anonymous", groups: [UNAUTHENTICATED] }

/** A way's answer, or why every way refused; undefined when none had anything to say. */
const firstOf = <A>(ways: ReadonlyArray<A>, ask: (way: A) => Authentication): Authentication => {
  let refusals: Array<string> | undefined
  for (const way of ways) {
    const answer = ask(way)
    if (answer === undefined) continue
    if (!(answer instanceof Rejected)) return answer
    refusals ??= []
    refusals.push(answer.why)
  }
  if (refusals === undefined) return undefined
  const [only] = refusals
  return new Rejected(refusals.length === 1 && only !== undefined ? only : `[${refusals.join(", ")}]`)
}

/** Asks each kind of token in turn. */
export const unionOfTokens = (kinds: ReadonlyArray<TokenAuthenticator>): TokenAuthenticator => ({
  authenticateToken: (token, audiences) => firstOf(kinds, (kind) => kind.authenticateToken(token, audiences))
})

const bearer = /^bearer +([^ ]+)/i

/** The token of an Authorization field ("Bearer …"), if it holds one. */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  authorization === undefined ? undefined : bearer.exec(authorization.trim())?.[1]

const WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."

/** The token that browsers' websockets carry as a subprotocol. */
const websocketToken = (credentials: Credentials): string | undefined => {
  for (const protocol of credentials.header("sec-websocket-protocol")?.split(",") ?? []) {
    const name = protocol.trim()
    if (name.startsWith(WEBSOCKET_TOKEN))
      return Buffer.from(name.slice(WEBSOCKET_TOKEN.length), "base64url").toString("utf8")
  }
  return undefined
}

/** Bearer tokens of the Authorization field, or of a websocket's subprotocol. */
export const bearerTokens = (tokens: TokenAuthenticator, audiences: ReadonlyArray<string>): RequestAuthenticator => ({
  authenticate: (credentials) => {
    const token = bearerToken(credentials.header("authorization")) ?? websocketToken(credentials)
    return token === undefined
      ? undefined
      : (tokens.authenticateToken(token, audiences) ?? new Rejected("invalid bearer token"))
  }
})

/** Everyone who is known is in system:authenticated; a user object is widened once. */
const withEveryonesGroup = (): ((user: UserInfo) => UserInfo) => {
  const widened = new WeakMap<UserInfo, UserInfo>()
  return (user) => {
    if (user.groups.includes(AUTHENTICATED) || user.groups.includes(UNAUTHENTICATED)) return user
    let wide = widened.get(user)
    if (wide === undefined) {
      wide = { ...user, groups: [...user.groups, AUTHENTICATED] }
      widened.set(user, wide)
    }
    return wide
  }
}

export interface AuthenticatorOptions {
  /** In the order of asking: request header, client certificate, bearer tokens. */
  readonly ways: ReadonlyArray<RequestAuthenticator>
  /** Whether requests that prove nothing are let in as system:anonymous; a bad proof never is. */
  readonly anonymous: boolean | ((path: string) => boolean)
}

/** The whole of authentication. */
export class Authenticator {
  private readonly ways: ReadonlyArray<RequestAuthenticator>
  private readonly anonymous: (path: string) => boolean
  private readonly everyone = withEveryonesGroup()

  constructor(options: AuthenticatorOptions) {
    this.ways = options.ways
    const { anonymous } = options
    this.anonymous = typeof anonymous === "function" ? anonymous : () => anonymous
  }

  /** Who sent a request to a path; Rejected means 401 Unauthorized. */
  authenticate(credentials: Credentials, path = "/"): Authenticated | Rejected {
    const answer = firstOf(this.ways, (way) => way.authenticate(credentials))
    if (answer === undefined)
      return this.anonymous(path) ? { user: ANONYMOUS } : new Rejected("no credentials provided")
    if (answer instanceof Rejected) return answer
    const user = this.everyone(answer.user)
    return user === answer.user ? answer : { ...answer, user }
  }
}

/** TokenReview's view of tokens: the union, with everyone's group. */
export const tokensForReview = (tokens: TokenAuthenticator): TokenAuthenticator => {
  const everyone = withEveryonesGroup()
  return {
    authenticateToken: (token, audiences) => {
      const answer = tokens.authenticateToken(token, audiences)
      if (answer === undefined) return new Rejected("invalid bearer token")
      return answer instanceof Rejected ? answer : { ...answer, user: everyone(answer.user) }
    }
  }
}
