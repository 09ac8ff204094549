// Who sends a request: a tenant's certificate, a service account of one of its namespaces by its token, or an operator of the platform.
// Owns the order of asking, and that a tenant exists and is still the same one at each request; refuses anonymous requests.
import { CertificateAuthorities, type UserInfo } from "#apiserver"
import { ApiFailure, type Clockwork, Failures } from "#kube"
import type { HttpExchange } from "#net"
import type { Tenant, Tenants } from "../lifecycle/Tenants.ts"
import { prefixIn } from "../names/TenantId.ts"
import type { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import { assertedIdentity, type Caller, type TenantCaller } from "./Caller.ts"
import { TenantCertificates, type TenantSubject } from "./TenantCertificates.ts"
import type { TokenReviews } from "./TokenReviews.ts"

/** Answers once, perhaps at once: the caller, or why nobody is let in. */
export type Identify = (exchange: HttpExchange, done: (caller: Caller | ApiFailure) => void) => void

export interface IdentifyOptions {
  readonly clockwork: Clockwork
  readonly tenants: Tenants
  readonly namespaces: TenantNamespaces
  readonly tokens: TokenReviews
  /** PEM of the authority of tenants' certificates. */
  readonly tenantCa: string
  /** PEM of the authorities of operators' certificates; empty: none. */
  readonly platformCa: string
}

const bearer = /^bearer +([^ ]+)$/i
const WEBSOCKET_BEARER = /(?:^|,)\s*base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)\s*(?:,|$)/

const tokenOf = (exchange: HttpExchange): string | undefined => {
  const authorization = exchange.header("authorization")
  if (authorization !== undefined) return bearer.exec(authorization.trim())?.[1] ?? ""
  const encoded = WEBSOCKET_BEARER.exec(exchange.header("sec-websocket-protocol") ?? "")?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64url").toString("utf8")
}

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/

/** What makes a caller of each proof; the same proof makes the same caller as long as nothing changed. */
class Identities {
  private readonly options: IdentifyOptions
  private readonly certificates: TenantCertificates
  private readonly platform: CertificateAuthorities | undefined
  private readonly callers = new WeakMap<TenantSubject, TenantCaller>()

  constructor(options: IdentifyOptions) {
    this.options = options
    this.certificates = new TenantCertificates(new CertificateAuthorities(options.tenantCa))
    this.platform = options.platformCa === "" ? undefined : new CertificateAuthorities(options.platformCa)
  }

  identify(exchange: HttpExchange, done: (caller: Caller | ApiFailure) => void): void {
    const { peerCertificate } = exchange
    if (peerCertificate !== undefined) {
      const subject = this.certificates.read(peerCertificate)
      return done(
        (subject === undefined ? this.operator(exchange) : this.bySubject(subject)) ?? Failures.unauthorized()
      )
    }
    const token = tokenOf(exchange)
    if (token === undefined || token === "") return done(Failures.unauthorized())
    this.options.tokens.review(token, (user) => {
      if (user instanceof ApiFailure) return done(Failures.unavailable("tokens cannot be checked now"))
      done((user === undefined ? undefined : this.byUser(user)) ?? Failures.unauthorized())
    })
  }

  private bySubject(subject: TenantSubject): TenantCaller | undefined {
    const nowMs = this.options.clockwork.now()
    if (nowMs < subject.notBefore || nowMs > subject.notAfter) return undefined
    const tenant = this.options.tenants.get(subject.id)
    if (tenant === undefined || tenant.uid !== subject.uid) return undefined
    const known = this.callers.get(subject)
    if (known?.tenant === tenant) return known
    const admin = subject.user === `${tenant.id}-admin`
    const caller = callerOf(tenant, { name: subject.user, groups: subject.groups }, admin)
    this.callers.set(subject, caller)
    return caller
  }

  private operator({ peerCertificate }: HttpExchange): Caller | undefined {
    if (peerCertificate === undefined || peerCertificate.commonName === "") return undefined
    const validity = this.platform?.verify(peerCertificate.raw)
    const nowMs = this.options.clockwork.now()
    if (validity === undefined || nowMs < validity.notBefore || nowMs > validity.notAfter) return undefined
    const { commonName, organizations } = peerCertificate
    return { kind: "platform", user: { name: commonName, groups: [...organizations, "system:authenticated"] } }
  }

  /** A service account of a tenant's namespace is the tenant's; one under the prefix of nobody is nobody here. */
  private byUser(user: UserInfo): Caller | undefined {
    const namespace = SERVICE_ACCOUNT.exec(user.name)?.[1]
    if (namespace === undefined) return { kind: "platform", user }
    const id = prefixIn(namespace)
    const tenant = id === undefined ? undefined : this.options.tenants.get(id)
    if (tenant === undefined) return { kind: "platform", user }
    // A namespace that only looks like a tenant's does not carry its label.
    if (!this.options.namespaces.of(tenant.id).includes(namespace)) return undefined
    return callerOf(tenant, user, false)
  }
}

/** Everybody of a tenant is in its own spelling of everybody's groups. */
const callerOf = (tenant: Tenant, user: UserInfo, admin: boolean): TenantCaller => {
  const everyones = [`${tenant.id}-system:authenticated`]
  if (SERVICE_ACCOUNT.test(user.name)) everyones.push(`${tenant.id}-system:serviceaccounts`)
  const groups = [...user.groups, ...everyones]
  return { kind: "tenant", tenant, admin, user: assertedIdentity(tenant.id, { ...user, groups }, admin) }
}

export const makeIdentify = (options: IdentifyOptions): Identify => {
  const identities = new Identities(options)
  return (exchange, done) => identities.identify(exchange, done)
}
