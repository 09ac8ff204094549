// Signed tokens (RFC 7519): who, as of which auth revision, until when; any store with the key can check them.
// Owns the compact form, the algorithms of RFC 7518 and RFC 8037 that etcd knows, and the claims that etcd writes.
// Refuses to take a token back: a change of the auth revision makes older ones useless instead.
import { constants, createHmac, sign, timingSafeEqual, verify, type KeyObject } from "node:crypto"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import { GrpcCode } from "#net"
import type { Caller, TokenProvider } from "./Tokens.ts"

/** How tokens are signed: one algorithm, with its key or keys. */
export type JwtSigner =
  | { readonly family: "hmac"; readonly name: string; readonly digest: string; readonly secret: Uint8Array }
  | {
      readonly family: "rsa" | "pss" | "ecdsa" | "eddsa"
      readonly name: string
      readonly digest: string | undefined
      readonly publicKey: KeyObject
      /** Absent on a store that only checks tokens. */
      readonly privateKey: KeyObject | undefined
    }

const verifyOnly = new EtcdFailure(GrpcCode.Unknown, "auth: token signing attempted with verify-only key")

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** The object in one part of a token, or undefined when there is none. */
const decode = (part: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString())
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const keyInput = (family: JwtSigner["family"], key: KeyObject, signing: boolean) => {
  if (family === "ecdsa") return { key, dsaEncoding: "ieee-p1363" as const }
  if (family !== "pss") return { key }
  const saltLength = signing ? constants.RSA_PSS_SALTLEN_DIGEST : constants.RSA_PSS_SALTLEN_AUTO
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
}

const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

export class JwtTokens implements TokenProvider {
  private readonly signer: JwtSigner
  private readonly ttlMs: number
  private readonly now: () => number

  /** `now` in milliseconds since the epoch. */
  constructor(signer: JwtSigner, ttlMs: number, now: () => number) {
    this.signer = signer
    this.ttlMs = ttlMs
    this.now = now
  }

  holder(token: string): Caller | undefined {
    if (!COMPACT.test(token)) return undefined
    const [head, body, signature] = token.split(".")
    if (decode(head)?.["alg"] !== this.signer.name) return undefined
    if (!this.isSigned(`${head}.${body}`, Buffer.from(signature, "base64url"))) return undefined
    const claims = decode(body)
    if (claims === undefined || !this.isCurrent(claims)) return undefined
    const { revision, username } = claims
    if (typeof username !== "string" || typeof revision !== "number") return undefined
    return { user: username, revision: Math.trunc(revision) }
  }

  private isCurrent({ exp, nbf }: Record<string, unknown>): boolean {
    const seconds = this.now() / 1000
    if (exp !== undefined && (typeof exp !== "number" || seconds >= exp)) return false
    return nbf === undefined || (typeof nbf === "number" && seconds >= nbf)
  }

  private isSigned(text: string, signature: Uint8Array): boolean {
    const { signer } = this
    if (signer.family === "hmac") {
      const expected = createHmac(signer.digest, signer.secret).update(text).digest()
      return expected.length === signature.length && timingSafeEqual(expected, signature)
    }
    return verify(signer.digest, Buffer.from(text), keyInput(signer.family, signer.publicKey, false), signature)
  }

  assign(username: string, revision: number): string | EtcdFailure {
    const exp = Math.floor((this.now() + this.ttlMs) / 1000)
    const text = `${encode({ alg: this.signer.name, typ: "JWT" })}.${encode({ exp, revision, username })}`
    const signature = this.signatureOf(text)
    return signature === undefined ? verifyOnly : `${text}.${signature.toString("base64url")}`
  }

  private signatureOf(text: string): Buffer | undefined {
    const { signer } = this
    if (signer.family === "hmac") return createHmac(signer.digest, signer.secret).update(text).digest()
    if (signer.privateKey === undefined) return undefined
    return sign(signer.digest, Buffer.from(text), keyInput(signer.family, signer.privateKey, true))
  }

  invalidateUser(): void {}

  clear(): void {}
}
