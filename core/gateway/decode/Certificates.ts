// Certificates and keys of a manifest, looked at before anything uses them.
// Owns what is right about them (PEM, a pair that belongs together); refuses trust, which the handshake decides. Nothing that is found
// wrong is ever shown.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { Redacted } from "effect"
import { invalidUnshown, type Problems } from "#apiserver"
import type { KeyPair } from "../config/UpstreamCluster.ts"

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

const parsed = (block: string): X509Certificate | undefined => {
  try {
    return new X509Certificate(block)
  } catch {
    return undefined
  }
}

/** All certificates of a PEM text; undefined when it has none, or one that cannot be read. */
export const certificatesIn = (pem: string): ReadonlyArray<X509Certificate> | undefined => {
  const blocks = pem.match(certificatePattern) ?? []
  const certificates = blocks.map(parsed).filter((one): one is X509Certificate => one !== undefined)
  return blocks.length > 0 && certificates.length === blocks.length ? certificates : undefined
}

/** Reports a text that is no PEM of certificates; answers it as it is. */
export const checkedAuthorities = (pem: string | undefined, field: string, problems: Problems): string | undefined => {
  if (pem !== undefined && certificatesIn(pem) === undefined)
    problems.push(invalidUnshown(field, "must be PEM with one or more certificates"))
  return pem
}

const keyOf = (pem: string): KeyObject | undefined => {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** The pair, or undefined with what is wrong about it. */
export const checkedPair = (
  cert: string,
  key: string,
  fields: { readonly cert: string; readonly key: string },
  problems: Problems
): KeyPair | undefined => {
  const [leaf] = certificatesIn(cert) ?? []
  const privateKey = keyOf(key)
  if (leaf === undefined) problems.push(invalidUnshown(fields.cert, "must be PEM with one or more certificates"))
  if (privateKey === undefined)
    problems.push(invalidUnshown(fields.key, "must be the PEM of a private key without a password"))
  if (leaf === undefined || privateKey === undefined) return undefined
  if (!leaf.checkPrivateKey(privateKey)) {
    problems.push(invalidUnshown(fields.key, `must be the key of the certificate in ${fields.cert}`))
    return undefined
  }
  return { cert, key: Redacted.make(key, { label: "private key" }) }
}
