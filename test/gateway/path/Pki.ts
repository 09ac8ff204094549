// Certificates for tests of the gateway: authorities and what they sign, with any names, organisations and times, as PEM texts.
import "reflect-metadata"
import { webcrypto } from "node:crypto"
import * as x509 from "@peculiar/x509"

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
x509.cryptoProvider.set(webcrypto)

export interface Pair {
  readonly cert: string
  readonly key: string
}

export interface Wanted {
  readonly name: string
  readonly organizations?: ReadonlyArray<string>
  readonly dns?: ReadonlyArray<string>
  readonly notBefore?: Date
  readonly notAfter?: Date
}

const DAY_MS = 86_400_000
let serial = 1

const keyText = async (keys: webcrypto.CryptoKeyPair): Promise<string> => {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64")
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join("\n") ?? ""}\n-----END PRIVATE KEY-----\n`
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])

/** An authority of a test. */
export class Pki {
  readonly ca: string
  private readonly certificate: x509.X509Certificate
  private readonly keys: webcrypto.CryptoKeyPair

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.certificate = certificate
    this.keys = keys
    this.ca = `${certificate.toString("pem")}\n`
  }

  static async make(name: string): Promise<Pki> {
    const keys = await newKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: String(serial++).padStart(4, "0"),
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 3650 * DAY_MS),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)
      ]
    })
    return new Pki(certificate, keys)
  }

  /** Signs a certificate for servers (with `dns`, and for 127.0.0.1) and clients. */
  async sign({ dns = [], name, notAfter, notBefore, organizations = [] }: Wanted): Promise<Pair> {
    const keys = await newKeys()
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: String(serial++).padStart(4, "0"),
      subject: new x509.Name([...organizations.map((each) => ({ O: [each] })), { CN: [name] }]),
      issuer: this.certificate.subject,
      notBefore: notBefore ?? new Date(Date.now() - DAY_MS),
      notAfter: notAfter ?? new Date(Date.now() + 365 * DAY_MS),
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...dns.map((value) => ({ type: "dns", value }) as const),
          { type: "ip", value: "127.0.0.1" }
        ])
      ]
    })
    return { cert: `${certificate.toString("pem")}\n`, key: await keyText(keys) }
  }
}
