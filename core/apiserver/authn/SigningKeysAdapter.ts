// Makes a key for service-account tokens from the machine's randomness.
// Owns that one act; a simulation gives keys from PEM instead, so that a seed decides all.
import { generateKeyPairSync } from "node:crypto"

/** A new private key in PEM form (PKCS#8): RSA of 2048 bits, or P-256. */
export const newSigningKeyPem = (type: "rsa" | "ec" = "rsa"): string => {
  const privateKeyEncoding = { type: "pkcs8", format: "pem" } as const
  const publicKeyEncoding = { type: "spki", format: "pem" } as const
  return type === "rsa"
    ? generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding, publicKeyEncoding }).privateKey
    : generateKeyPairSync("ec", { namedCurve: "P-256", privateKeyEncoding, publicKeyEncoding }).privateKey
}
