// What `--auth-token` says: which kind of tokens, and for signed ones algorithm, keys and lifetime.
// Owns the grammar, the keys' checks and the rule that each option keeps; refuses to read files itself.
// Source: etcd 3.7 server/auth/options.go. No error ever shows what a key file holds.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import { parseDuration } from "../server/EtcdConfig.ts"
import { BadFlag } from "../server/EtcdFlags.ts"
import type { JwtSigner } from "./JwtTokens.ts"

export type TokenOptions =
  | { readonly kind: "none" }
  /** Seconds that a token lives unused. */
  | { readonly kind: "simple"; readonly ttlSeconds: number }
  | { readonly kind: "jwt"; readonly signer: JwtSigner; readonly ttlMs: number }

const JWT_TTL_DEFAULT = "5m"

const bad = (rule: string): BadFlag => new BadFlag({ flag: "auth-token", rule })

/**
 * Parses `--auth-token` ("simple", "jwt,sign-method=RS256,pub-key=…,priv-key=…,ttl=5m", or nothing for no tokens), or says
 * which rule it breaks. `simpleTtlSeconds` is `--auth-token-ttl`; `readFile` answers undefined for a file that cannot be
 * read.
 */
export const parseAuthToken = (text: string, simpleTtlSeconds: number, readFile: ReadFile): TokenOptions | BadFlag => {
  try {
    return parse(text, simpleTtlSeconds, readFile)
  } catch (error) {
    if (error instanceof BadFlag) return error
    throw error
  }
}

type ReadFile = (path: string) => Uint8Array | undefined

const parse = (text: string, simpleTtlSeconds: number, readFile: ReadFile): TokenOptions => {
  const [kind, ...rest] = text.split(",")
  const options = new Map<string, string>()
  for (const option of rest) {
    const [name, value, ...more] = option.split("=")
    if (value === undefined || more.length > 0) throw bad("must give every option as name=value")
    if (options.has(name)) throw bad("must give every option once")
    options.set(name, value)
  }
  if (kind === "") return { kind: "none" }
  if (kind === "simple") return { kind, ttlSeconds: simpleTtlSeconds }
  if (kind !== "jwt") throw bad("must be simple, or jwt with its options")
  const file = (name: string): Uint8Array | undefined => {
    const path = options.get(name) ?? ""
    if (path === "") return undefined
    const bytes = readFile(path)
    if (bytes === undefined) throw bad(`must name a file that can be read in ${name}`)
    return bytes
  }
  const ttlMs = parseDuration("auth-token", options.get("ttl") || JWT_TTL_DEFAULT)
  const signer = makeJwtSigner(options.get("sign-method") ?? "", file("pub-key"), file("priv-key"))
  return { kind, signer, ttlMs }
}

const families = { HS: "hmac", RS: "rsa", PS: "pss", ES: "ecdsa" } as const
const curves: Readonly<Record<string, string>> = { ES256: "prime256v1", ES384: "secp384r1", ES512: "secp521r1" }

/** The algorithm of a name of RFC 7518 or RFC 8037 with its keys in PEM (an HMAC's secret is any bytes). Throws BadFlag. */
export const makeJwtSigner = (
  name: string,
  publicPem: Uint8Array | undefined,
  privatePem: Uint8Array | undefined
): JwtSigner => {
  const parts = /^(HS|RS|PS|ES)(256|384|512)$/.exec(name)
  if (parts === null && name !== "EdDSA")
    throw bad("must name in sign-method one of HS, RS, PS, ES with 256, 384 or 512, or EdDSA")
  const family = parts === null ? "eddsa" : families[parts[1] as keyof typeof families]
  const digest = parts === null ? undefined : `sha${parts[2]}`
  if (family === "hmac") {
    if (privatePem === undefined || privatePem.length === 0) throw bad("must name the secret in priv-key")
    return { family, name, digest: `sha${parts?.[2]}`, secret: Buffer.from(privatePem) }
  }
  const privateKey = privatePem && readKey("priv-key", () => createPrivateKey(Buffer.from(privatePem)))
  const givenPublic = publicPem && readKey("pub-key", () => publicKeyOf(publicPem))
  if (privateKey === undefined && givenPublic === undefined) throw bad("must name a key in pub-key or priv-key")
  const publicKey = givenPublic ?? createPublicKey(privateKey as KeyObject)
  for (const key of [publicKey, privateKey]) if (key !== undefined) checkKind(key, family, name)
  if (privateKey !== undefined && !createPublicKey(privateKey).equals(publicKey)) {
    throw bad("must name in pub-key and priv-key the two halves of one key")
  }
  return { family, name, digest, publicKey, privateKey }
}

const readKey = (option: string, read: () => KeyObject): KeyObject => {
  try {
    return read()
  } catch {
    throw bad(`must name in ${option} a PEM file with such a key`)
  }
}

/** A public key alone: node would take the public half out of a private one, which does not belong here. */
const publicKeyOf = (pem: Uint8Array): KeyObject => {
  const text = Buffer.from(pem).toString("latin1")
  if (text.includes("PRIVATE KEY")) throw new TypeError("a private key")
  return createPublicKey(text)
}

const checkKind = (key: KeyObject, family: string, name: string): void => {
  const kind = family === "eddsa" ? "ed25519" : family === "ecdsa" ? "ec" : "rsa"
  if (key.asymmetricKeyType !== kind) throw bad(`must name keys of the kind that ${name} signs with`)
  const curve = curves[name]
  if (curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== curve) {
    throw bad(`must name keys on the curve ${curve} for ${name}`)
  }
}
