// Client certificates: CN is the user, each O a group.
// Owns which authorities count and a memo per connection; refuses the handshake, where #net has proved the client holds the key.
import { createHash, X509Certificate } from "node:crypto"
import type { PeerCertificate } from "#net"
import { type Authenticated, type Authentication, Rejected, type RequestAuthenticator } from "./Authenticator.ts"

/** id-kp-clientAuth and anyExtendedKeyUsage, RFC 5280 section 4.2.1.12. */
const CLIENT_USAGES: ReadonlyArray<string> = ["1.3.6.1.5.5.7.3.2", "2.5.29.37.0"]

/** A certificate that one of the authorities signed, with the milliseconds since the epoch between which it holds. */
export interface KnownCertificate {
  readonly notBefore: number
  readonly notAfter: number
}

/** Certificates of authorities, read from PEM. */
export class CertificateAuthorities {
  private readonly authorities: ReadonlyArray<X509Certificate>

  /** Throws a TypeError that names the rule when the text holds no certificate. */
  constructor(pem: string) {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new TypeError("a CA file holds at least one PEM block of type CERTIFICATE")
    this.authorities = blocks.map((block) => new X509Certificate(block))
  }

  /** The validity of a certificate that one of these signed for use by clients; undefined for any other. */
  verify(raw: Uint8Array): KnownCertificate | undefined {
    const certificate = new X509Certificate(raw)
    const usages: ReadonlyArray<string> | undefined = certificate.keyUsage
    if (usages !== undefined && !CLIENT_USAGES.some((usage) => usages.includes(usage))) return undefined
    if (!this.authorities.some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey)))
      return undefined
    return { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() }
  }
}

interface Known extends KnownCertificate {
  /** Undefined for a certificate without a common name. */
  readonly answer: Authenticated | undefined
}

const userOf = ({ commonName, organizations, raw }: PeerCertificate): Authenticated | undefined =>
  commonName === ""
    ? undefined
    : {
        user: {
          name: commonName,
          groups: organizations,
          extra: {
            "authentication.kubernetes.io/credential-id": [
              `X509SHA256=${createHash("sha256").update(raw).digest("hex")}`
            ]
          }
        }
      }

const OUTSIDER = new Rejected("the client certificate is not signed by a known authority for clients")
const EXPIRED = new Rejected("the client certificate has expired or is not yet valid")

/** Users by certificate: the first request of a connection is verified, the others cost one lookup. */
export const clientCertificates = (authorities: CertificateAuthorities, now: () => number): RequestAuthenticator => {
  const known = new WeakMap<PeerCertificate, Known | Rejected>()
  const learn = (certificate: PeerCertificate): Known | Rejected => {
    const validity = authorities.verify(certificate.raw)
    const entry = validity === undefined ? OUTSIDER : { ...validity, answer: userOf(certificate) }
    known.set(certificate, entry)
    return entry
  }
  return {
    authenticate: ({ peerCertificate }): Authentication => {
      if (peerCertificate === undefined) return undefined
      const entry = known.get(peerCertificate) ?? learn(peerCertificate)
      if (entry instanceof Rejected) return entry
      const at = now()
      return at < entry.notBefore || at > entry.notAfter ? EXPIRED : entry.answer
    }
  }
}
