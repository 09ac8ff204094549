// Proves who a request comes from, for one cluster: a front proxy's word, a client certificate, a bearer token, or nobody.
// Owns the order, what is remembered per certificate, and that a certificate counts only while it is valid and only for an authority
// of this cluster; refuses the handshake (#net) and the review of tokens (TokenReviews.ts).
import { X509Certificate } from "node:crypto"
import { ANONYMOUS, CertificateAuthorities, requestHeaders, Rejected, type RequestAuthenticator } from "#apiserver"
import type { Clockwork } from "#kube"
import type { HttpExchange, PeerCertificate } from "#net"
import type { Authentication } from "../config/UpstreamCluster.ts"
import { type Denied, denied, type Identity, identityOf } from "./Identity.ts"
import { tokenKey, type TokenReviews, type TokenUser } from "./TokenReviews.ts"

/** What a request brings to prove who it comes from. */
export interface Credentials {
  readonly exchange: HttpExchange
  /** Undefined without one. */
  readonly token: string | undefined
  /** The digest of the token, made when it is first needed. */
  tokenKey: string | undefined
}

export interface AuthenticatorOptions {
  readonly clockwork: Clockwork
  readonly settings: Authentication
  /** PEM; whose certificates prove users of this cluster. */
  readonly clientCa: string | undefined
  readonly reviews: TokenReviews
}

interface KnownCertificate {
  readonly notBefore: number
  readonly notAfter: number
  readonly identity: Identity | Denied | undefined
}

type Outcome = Identity | Denied

const UNAUTHORIZED = denied(401, "Unauthorized")
const AUTHENTICATED = "system:authenticated"

export class Authenticator {
  private readonly options: AuthenticatorOptions
  private readonly front: RequestAuthenticator | undefined
  private readonly anonymous: Outcome
  private readonly certificates = new WeakMap<PeerCertificate, KnownCertificate>()
  private readonly ofTokens = new WeakMap<TokenUser, Outcome>()
  private readonly authorities: CertificateAuthorities | undefined

  constructor(options: AuthenticatorOptions) {
    this.options = options
    const { clientCa, clockwork, settings } = options
    const { frontProxy } = settings
    this.front =
      frontProxy === undefined
        ? undefined
        : requestHeaders({ ...frontProxy, authorities: new CertificateAuthorities(frontProxy.ca) }, clockwork.now)
    this.authorities = clientCa === undefined ? undefined : new CertificateAuthorities(clientCa)
    this.anonymous = settings.anonymous ? identityOf(ANONYMOUS, "anonymous", settings.neverImpersonate) : UNAUTHORIZED
  }

  /** Answers at once, or undefined, and `done` is called later, once. */
  authenticate(credentials: Credentials, done: (outcome: Outcome) => void): Outcome | undefined {
    const { exchange, token } = credentials
    const { peerCertificate } = exchange
    if (peerCertificate !== undefined) {
      const proven = this.byProxy(credentials) ?? this.byCertificate(exchange, peerCertificate)
      if (proven !== undefined && proven !== UNAUTHORIZED) return proven
      if (token === undefined) return proven ?? UNAUTHORIZED
    } else if (token === undefined) {
      return exchange.peerCertificateProblem === undefined ? this.anonymous : this.untrusted(exchange)
    }
    return this.byToken(credentials, token, done)
  }

  private byProxy({ exchange }: Credentials): Outcome | undefined {
    if (this.front === undefined) return undefined
    const answer = this.front.authenticate(exchange)
    if (answer === undefined || answer instanceof Rejected) return undefined
    const { user } = answer
    return identityOf(withAuthenticated(user), "proxy", this.options.settings.neverImpersonate)
  }

  private byCertificate(exchange: HttpExchange, certificate: PeerCertificate): Outcome | undefined {
    let known = this.certificates.get(certificate)
    if (known === undefined) {
      known = this.learn(exchange, certificate)
      this.certificates.set(certificate, known)
    }
    if (known.identity === undefined) return undefined
    const nowMs = this.options.clockwork.now()
    // The handshake may be days ago: the certificate has to be valid now.
    return nowMs < known.notBefore || nowMs > known.notAfter ? UNAUTHORIZED : known.identity
  }

  /** What the handshake trusted counts only if it was for this cluster's authority and not for a front proxy's. */
  private learn({ tlsIdentity }: HttpExchange, certificate: PeerCertificate): KnownCertificate {
    const { clientCa, settings } = this.options
    const x509 = new X509Certificate(certificate.raw)
    const times = { notBefore: x509.validFromDate.getTime(), notAfter: x509.validToDate.getTime() }
    const proven = clientCa !== undefined && tlsIdentity !== undefined && tlsIdentity.ca === clientCa
    if (!proven && this.authorities?.verify(certificate.raw) === undefined) return { ...times, identity: undefined }
    const { commonName, organizations } = certificate
    // Like kube-apiserver: a certificate without a common name names nobody.
    if (commonName === "") return { ...times, identity: UNAUTHORIZED }
    const user = withAuthenticated({ name: commonName, groups: organizations })
    return { ...times, identity: identityOf(user, "certificate", settings.neverImpersonate) }
  }

  private untrusted({ peerCertificateProblem }: HttpExchange): Outcome {
    return denied(401, `Unauthorized: the client certificate is not trusted (${peerCertificateProblem ?? ""})`)
  }

  private byToken(credentials: Credentials, token: string, done: (outcome: Outcome) => void): Outcome | undefined {
    const { reviews, settings } = this.options
    if (settings.tokens === "Refuse") return UNAUTHORIZED
    if (settings.tokens === "Passthrough") return passThrough(token)
    credentials.tokenKey ??= tokenKey(token)
    const settle = (outcome: TokenUser | Exclude<ReturnType<TokenReviews["find"]>, undefined>): Outcome => {
      if (outcome.kind === "user") return this.ofToken(outcome)
      return outcome.kind === "bad" ? UNAUTHORIZED : denied(503, outcome.message, outcome.retryAfterSeconds)
    }
    const known = reviews.find(token, credentials.tokenKey, (outcome) => done(settle(outcome)))
    return known === undefined ? undefined : settle(known)
  }

  private ofToken(outcome: TokenUser): Outcome {
    let identity = this.ofTokens.get(outcome)
    if (identity === undefined) {
      identity = identityOf(withAuthenticated(outcome.user), "token", this.options.settings.neverImpersonate)
      this.ofTokens.set(outcome, identity)
    }
    return identity
  }
}

/** The endpoint reviews the token itself, and the gateway does not know whose it is. */
const passThrough = (token: string): Identity => ({
  kind: "identity",
  user: { name: "", groups: [] },
  proof: "passthrough",
  fields: [["authorization", `Bearer ${token}`]]
})

const withAuthenticated = <U extends { readonly name: string; readonly groups: ReadonlyArray<string> }>(user: U): U =>
  user.groups.includes(AUTHENTICATED) || user.name === ANONYMOUS.name
    ? user
    : { ...user, groups: [...user.groups, AUTHENTICATED] }
