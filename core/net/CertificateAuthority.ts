// A certificate authority of one's own (X.509, ECDSA on P-256): what servers that nobody gave certificates, and runs that start real
// programs, sign their certificates with. Owns how certificates are made; refuses files, renewal and whom to trust, which are its
// callers'. @peculiar/x509 is loaded only when something is made.
import { randomBytes, webcrypto } from "node:crypto"
import { isIP } from "node:net"

/** PEM texts; the key is PKCS#8. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** What a certificate that an authority signs says. */
export interface LeafRequest {
  /** As in "O=system:masters, CN=kubernetes-admin". */
  readonly subject: string
  /** What its owner does with it: answer as a server, ask as a client. */
  readonly usage: "server" | "client"
  /** Host names and addresses of a server. */
  readonly hosts?: ReadonlyArray<string>
  /** Default: a year. */
  readonly lifetimeMs?: number
}

export interface CertificateAuthority extends KeyPair {
  /** Signs a certificate for a new key, or for `keys` where many certificates share one. */
  readonly sign: (request: LeafRequest, keys?: webcrypto.CryptoKeyPair) => Promise<KeyPair>
}

const curve = { name: "ECDSA", namedCurve: "P-256" } as const
const signing = { name: "ECDSA", hash: "SHA-256" } as const
/** RFC 5280, section 4.2.1.12. */
const USAGES = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const
const YEAR_MS = 365 * 86_400_000
const AUTHORITY_LIFETIME_MS = 10 * YEAR_MS
/** A client's clock may be a little behind. */
const EARLIER_MS = 300_000

const library = async () => {
  // The library registers its parts by decorators and asks for this at load.
  await import("reflect-metadata")
  return import("@peculiar/x509")
}

const validity = (lifetimeMs: number): { readonly notBefore: Date; readonly notAfter: Date } => ({
  notBefore: new Date(Date.now() - EARLIER_MS),
  notAfter: new Date(Date.now() + lifetimeMs)
})

const serial = (): string => randomBytes(16).toString("hex")

/** New keys, for those who sign many certificates with one: making keys is what takes time. */
export const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(curve, true, ["sign", "verify"])

const keyText = async (key: webcrypto.CryptoKey): Promise<string> => {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64")
  return `-----BEGIN PRIVATE KEY-----\n${(base64.match(/.{1,64}/g) ?? []).join("\n")}\n-----END PRIVATE KEY-----\n`
}

const signWith =
  (cert: string, signingKey: webcrypto.CryptoKey): CertificateAuthority["sign"] =>
  async ({ hosts = [], lifetimeMs = YEAR_MS, subject, usage }, given) => {
    const x509 = await library()
    const authority = new x509.X509Certificate(cert)
    const keys = given ?? (await newKeys())
    const names = hosts.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }))
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject,
      issuer: authority.subject,
      ...validity(lifetimeMs),
      signingAlgorithm: signing,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([USAGES[usage]]),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)])
      ]
    })
    return { cert: `${certificate.toString("pem")}\n`, key: await keyText(keys.privateKey) }
  }

/** Makes an authority of this name (a subject like "CN=kubernetes"), good for ten years. */
export const makeAuthority = async (subject: string): Promise<CertificateAuthority> => {
  const x509 = await library()
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: subject,
    ...validity(AUTHORITY_LIFETIME_MS),
    signingAlgorithm: signing,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
    ]
  })
  const cert = `${certificate.toString("pem")}\n`
  return { cert, key: await keyText(keys.privateKey), sign: signWith(cert, keys.privateKey) }
}

/** An authority that was made before. */
export const loadAuthority = async (pair: KeyPair): Promise<CertificateAuthority> => {
  const der = Buffer.from(pair.key.replaceAll(/-----[^-]+-----|\s/g, ""), "base64")
  const key = await webcrypto.subtle.importKey("pkcs8", der, curve, true, ["sign"])
  return { ...pair, sign: signWith(pair.cert, key) }
}
