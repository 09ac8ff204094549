// The certificate port on @peculiar/x509 and the machine's cryptography, for one authority in PEM.
// Owns reading requests and signing certificates; refuses to decide what may be signed. The library is loaded when it is first used.
import { randomBytes, webcrypto, X509Certificate } from "node:crypto"
import { Effect } from "effect"
import { type ApiFailure, Failures } from "#kube"
import type { CertificatePort, RequestFacts, SigningOrder } from "./CertificatePort.ts"

/** PEM texts of an authority; the key is PKCS#8, EC on P-256 or RSA. */
export interface Authority {
  readonly cert: string
  readonly key: string
}

const library = async () => {
  // The library registers its parts by decorators and asks for this at load.
  await import("reflect-metadata")
  return import("@peculiar/x509")
}

/** subjectAltName */
const ALTERNATIVE_NAMES = "2.5.29.17"

/** Bits of the extension keyUsage (RFC 5280, section 4.2.1.3), the first one is 0. */
const KEY_USAGES: Readonly<Record<string, number>> = {
  signing: 0,
  "digital signature": 0,
  "content commitment": 1,
  "key encipherment": 2,
  "data encipherment": 3,
  "key agreement": 4,
  "cert sign": 5,
  "crl sign": 6,
  "encipher only": 7,
  "decipher only": 8
}
const KEY_USAGE = "2.5.29.15"
const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": "1.3.6.1.5.5.7.3.1",
  "client auth": "1.3.6.1.5.5.7.3.2",
  "code signing": "1.3.6.1.5.5.7.3.3",
  "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4",
  timestamping: "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9"
}

const failed = (what: string) => (): ApiFailure => Failures.internal(what)

const read = async (pem: string): Promise<RequestFacts> => {
  const x509 = await library()
  const request = new x509.Pkcs10CertificateRequest(pem)
  const extension = request.getExtension(ALTERNATIVE_NAMES)
  const names = extension === null ? [] : new x509.SubjectAlternativeNameExtension(extension.rawData).names.toJSON()
  const of = (type: string): ReadonlyArray<string> =>
    names.filter((name) => name.type === type).map(({ value }) => value)
  return {
    commonName: request.subjectName.getField("CN")[0] ?? "",
    organizations: request.subjectName.getField("O"),
    dnsNames: of("dns"),
    ipAddresses: of("ip"),
    emails: of("email"),
    uris: of("url")
  }
}

const algorithmOf = (certificate: X509Certificate) =>
  certificate.publicKey.asymmetricKeyType === "rsa"
    ? ({ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const)
    : ({ name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const)

/** A DER bit string in which these bits are set: without trailing zeros, as named bits are written. */
const bitString = (bits: ReadonlyArray<number>): Uint8Array<ArrayBuffer> => {
  const last = Math.max(-1, ...bits)
  const bytes = new Uint8Array(Math.ceil((last + 1) / 8))
  for (const bit of bits) bytes[bit >> 3] |= 0x80 >> (bit & 7)
  const unused = bytes.length * 8 - (last + 1)
  return Uint8Array.of(0x03, bytes.length + 1, unused, ...bytes)
}

const sign = async (authority: Authority, order: SigningOrder): Promise<string> => {
  const x509 = await library()
  const signer = new x509.X509Certificate(authority.cert)
  const algorithm = algorithmOf(new X509Certificate(authority.cert))
  const der = Buffer.from(authority.key.replaceAll(/-----[^-]+-----|\s/g, ""), "base64")
  const signingKey = await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"])
  const request = new x509.Pkcs10CertificateRequest(order.request)
  if (!(await request.verify())) throw new TypeError("the request's signature does not verify")
  const usages = order.usages.flatMap((usage) => KEY_USAGES[usage] ?? [])
  const extended = order.usages.flatMap((usage) => EXTENDED_USAGES[usage] ?? []).sort()
  const names = request.getExtension(ALTERNATIVE_NAMES)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString("hex"),
    subject: request.subjectName.toJSON(),
    issuer: signer.subjectName.toJSON(),
    notBefore: new Date(order.notBeforeMs),
    notAfter: new Date(order.notAfterMs),
    signingAlgorithm: algorithm,
    publicKey: request.publicKey,
    signingKey,
    extensions: [
      new x509.Extension(KEY_USAGE, true, bitString(usages)),
      ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(extended)]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
      ...(names === null ? [] : [names])
    ]
  })
  return `${certificate.toString("pem")}\n`
}

/** The port of an authority; throws a TypeError when its certificate cannot be read. */
export const certificatePort = (authority: Authority): CertificatePort => {
  let end: number
  try {
    end = new X509Certificate(authority.cert).validToDate.getTime()
  } catch {
    throw new TypeError("the authority's certificate is no certificate in PEM form")
  }
  return {
    endsMs: end,
    endOf: (certificate) => {
      try {
        return new X509Certificate(certificate).validToDate.getTime()
      } catch {
        return undefined
      }
    },
    read: (request) => Effect.tryPromise({ try: () => read(request), catch: failed("unable to parse the request") }),
    sign: (order) =>
      Effect.tryPromise({ try: () => sign(authority, order), catch: failed("the request could not be signed") })
  }
}
