// Keys of service-account tokens: what signs, what verifies, and how the world learns of them (OpenID Connect discovery).
// Owns key ids and algorithms; refuses to make keys, which SigningKeysAdapter.ts does, and to know claims.
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"

/** The JWS algorithms of RFC 7518 that Kubernetes signs with. */
export type Algorithm = "RS256" | "ES256" | "ES384" | "ES512"

export interface VerifyingKey {
  readonly id: string
  readonly algorithm: Algorithm
  readonly key: KeyObject
}

export interface SigningKey extends VerifyingKey {
  readonly privateKey: KeyObject
}

const CURVES: Readonly<Record<string, Algorithm>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" }

const algorithmOf = (key: KeyObject): Algorithm => {
  if (key.asymmetricKeyType === "rsa") return "RS256"
  const curve = key.asymmetricKeyDetails?.namedCurve
  const algorithm = key.asymmetricKeyType === "ec" && curve !== undefined ? CURVES[curve] : undefined
  if (algorithm === undefined)
    throw new TypeError("a service-account key is an RSA key or an EC key on P-256, P-384 or P-521")
  return algorithm
}

const publicPart = (key: KeyObject): VerifyingKey => {
  const der = key.export({ type: "spki", format: "der" })
  // Like kube-apiserver: a hash of the DER form, so that the id tells nothing that could be taken for the key.
  return { id: createHash("sha256").update(der).digest("base64url"), algorithm: algorithmOf(key), key }
}

/** A signing key from PEM (PKCS#1, SEC 1 or PKCS#8); throws a TypeError that does not show the text. */
export const signingKey = (pem: string): SigningKey => {
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(pem)
  } catch {
    throw new TypeError("the service-account signing key is no private key in PEM form")
  }
  return { ...publicPart(createPublicKey(privateKey)), privateKey }
}

/** Every key of a PEM text, public ones and the public parts of private ones; throws a TypeError without any. */
export const verifyingKeys = (pem: string): ReadonlyArray<VerifyingKey> => {
  const blocks = pem.match(/-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/g) ?? []
  const keys = blocks.filter((block) => block.includes("KEY-----"))
  if (keys.length === 0) throw new TypeError("a service-account key file holds at least one key in PEM form")
  return keys.map((block) => {
    try {
      return publicPart(createPublicKey(block))
    } catch {
      throw new TypeError("a block of the service-account key file is no RSA or EC key")
    }
  })
}

/** The JSON Web Key Set (RFC 7517) of `/openid/v1/jwks`. */
export const jsonWebKeySet = (keys: ReadonlyArray<VerifyingKey>): { readonly keys: ReadonlyArray<object> } => ({
  keys: keys.map(({ algorithm, id, key }) => {
    const { crv, e, kty, n, x, y } = key.export({ format: "jwk" })
    const material = kty === "RSA" ? { n, e } : { crv, x, y }
    return { use: "sig", kty, kid: id, alg: algorithm, ...material }
  })
})

/** `/.well-known/openid-configuration`; `jwksUri` is an absolute https URL. */
export const openIdConfiguration = (
  issuer: string,
  jwksUri: string,
  keys: ReadonlyArray<VerifyingKey>
): Readonly<Record<string, string | ReadonlyArray<string>>> => ({
  issuer,
  jwks_uri: jwksUri,
  response_types_supported: ["id_token"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: [...new Set(keys.map(({ algorithm }) => algorithm))].sort()
})
