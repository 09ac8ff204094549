// Client certificates of tenants: CN "<tenant>-<user>", OU the tenant's id and, once more, the uid of the Tenant that it was issued for.
// Owns reading and trusting them, with a memo per connection; refuses to say whether the tenant still exists, which each request asks.
import { X509Certificate } from "node:crypto"
import type { CertificateAuthorities } from "#apiserver"
import type { PeerCertificate } from "#net"

/** What a certificate of a tenant says. */
export interface TenantSubject {
  readonly id: string
  /** Of the Tenant: a certificate does not outlive it, though another takes its id. */
  readonly uid: string
  /** As seen upstream: with the tenant's prefix. */
  readonly user: string
  readonly groups: ReadonlyArray<string>
  /** Milliseconds since the epoch between which it holds. */
  readonly notBefore: number
  readonly notAfter: number
}

const UID = "uid:"

/** The subject that a certificate for a user of a tenant carries. */
export const subjectText = (id: string, uid: string, user: string): string =>
  `CN=${id}-${user}, OU=${id}, OU=${UID}${uid}`

const unitsOf = (certificate: X509Certificate): ReadonlyArray<string> =>
  certificate.subject.split("\n").flatMap((line) => (line.startsWith("OU=") ? [line.slice(3)] : []))

/** What the certificate of a connection says; undefined for one that is no tenant's. */
export class TenantCertificates {
  private readonly authorities: CertificateAuthorities
  private readonly known = new WeakMap<PeerCertificate, TenantSubject | "none">()

  constructor(authorities: CertificateAuthorities) {
    this.authorities = authorities
  }

  read(peer: PeerCertificate): TenantSubject | undefined {
    let entry = this.known.get(peer)
    if (entry === undefined) {
      entry = this.learn(peer) ?? "none"
      this.known.set(peer, entry)
    }
    return entry === "none" ? undefined : entry
  }

  private learn({ commonName, organizations, raw }: PeerCertificate): TenantSubject | undefined {
    const validity = this.authorities.verify(raw)
    if (validity === undefined) return undefined
    const units = unitsOf(new X509Certificate(raw))
    const uid = units.find((unit) => unit.startsWith(UID))?.slice(UID.length)
    const id = units.find((unit) => !unit.startsWith(UID))
    if (id === undefined || uid === undefined || !commonName.startsWith(`${id}-`)) return undefined
    return { id, uid, user: commonName, groups: organizations, ...validity }
  }
}
