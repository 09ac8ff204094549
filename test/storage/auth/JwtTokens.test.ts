// Signed tokens: every algorithm there and back, everything that must not be believed, and what the flag may say.
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { describe, expect, it } from "vitest"
import { JwtTokens } from "../../../core/storage/auth/JwtTokens.ts"
import { makeJwtSigner, parseAuthToken } from "../../../core/storage/auth/TokenOptions.ts"
import { BadFlag } from "../../../core/storage/server/EtcdFlags.ts"

const NOW_MS = 1_800_000_000_000
const pem = (key: KeyObject): Buffer =>
  Buffer.from(key.export({ format: "pem", type: key.type === "public" ? "spki" : "pkcs8" }))
const pair = (keys: { publicKey: KeyObject; privateKey: KeyObject }) => ({
  publicPem: pem(keys.publicKey),
  privatePem: pem(keys.privateKey)
})
const rsa = pair(generateKeyPairSync("rsa", { modulusLength: 2048 }))
const ec = (namedCurve: string) => pair(generateKeyPairSync("ec", { namedCurve }))
const secret = { publicPem: undefined, privatePem: Buffer.from("not for your eyes") }
interface Pems {
  readonly publicPem: Buffer | undefined
  readonly privatePem: Buffer
}
const keys = new Map<string, Pems>([
  ...["HS256", "HS384", "HS512"].map((name) => [name, secret] as const),
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map((name) => [name, rsa] as const),
  ["ES256", ec("P-256")],
  ["ES384", ec("P-384")],
  ["ES512", ec("P-521")],
  ["EdDSA", pair(generateKeyPairSync("ed25519"))]
])
const tokensOf = (name: string, nowMs = NOW_MS) => {
  const { privatePem, publicPem } = keys.get(name)!
  return new JwtTokens(makeJwtSigner(name, publicPem, privatePem), 300_000, () => nowMs)
}
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")

describe.each([...keys.keys()])("%s", (name) => {
  it("names user and revision again, until it expires", () => {
    const token = tokensOf(name).assign("alice", 7) as string
    expect(tokensOf(name).holder(token)).toEqual({ user: "alice", revision: 7 })
    expect(tokensOf(name, NOW_MS + 299_000).holder(token)?.user).toBe("alice")
    expect(tokensOf(name, NOW_MS + 300_000).holder(token)).toBeUndefined()
  })

  it("does not believe what was changed", () => {
    const [head, body, signature] = (tokensOf(name).assign("alice", 7) as string).split(".")
    const forged = part({ exp: 4_000_000_000, revision: 7, username: "root" })
    const none = part({ alg: "none", typ: "JWT" })
    for (const token of [
      `${head}.${forged}.${signature}`,
      `${none}.${body}.`,
      `${none}.${body}.${signature}`,
      "a.b.c"
    ]) {
      expect(tokensOf(name).holder(token)).toBeUndefined()
    }
  })
})

describe("signed tokens", () => {
  it("of another algorithm of the same key are refused", () => {
    expect(tokensOf("PS256").holder(tokensOf("RS256").assign("alice", 1) as string)).toBeUndefined()
    expect(tokensOf("RS512").holder(tokensOf("RS256").assign("alice", 1) as string)).toBeUndefined()
  })

  it("can be checked but not given with a public key alone", () => {
    const verifier = new JwtTokens(makeJwtSigner("RS256", rsa.publicPem, undefined), 300_000, () => NOW_MS)
    expect(verifier.assign("alice", 1)).toMatchObject({ message: "auth: token signing attempted with verify-only key" })
    expect(verifier.holder(tokensOf("RS256").assign("alice", 1) as string)?.user).toBe("alice")
  })
})

describe("--auth-token", () => {
  const files = new Map([
    ["pub", rsa.publicPem],
    ["priv", rsa.privatePem],
    ["other", pair(generateKeyPairSync("rsa", { modulusLength: 2048 })).publicPem],
    ["text", Buffer.from("not for your eyes")]
  ])
  const parse = (text: string) => parseAuthToken(text, 300, (path) => files.get(path))

  it("takes what etcd takes", () => {
    expect(parse("simple")).toEqual({ kind: "simple", ttlSeconds: 300 })
    expect(parse("")).toEqual({ kind: "none" })
    expect(parse("jwt,sign-method=RS256,pub-key=pub,priv-key=priv,ttl=1h30m")).toMatchObject({ ttlMs: 5_400_000 })
    expect(parse("jwt,sign-method=HS256,priv-key=text")).toMatchObject({ kind: "jwt", ttlMs: 300_000 })
  })

  it.each([
    ["other", /simple, or jwt/],
    ["jwt", /sign-method/],
    ["jwt,sign-method=RS256", /pub-key or priv-key/],
    ["jwt,sign-method=RS128,priv-key=priv", /sign-method/],
    ["jwt,sign-method=RS256,priv-key=priv,priv-key=priv", /once/],
    ["jwt,sign-method", /name=value/],
    ["jwt,sign-method=RS256,priv-key=absent", /can be read in priv-key/],
    ["jwt,sign-method=RS256,priv-key=text", /PEM file/],
    ["jwt,sign-method=RS256,pub-key=priv", /PEM file/],
    ["jwt,sign-method=RS256,pub-key=other,priv-key=priv", /two halves/],
    ["jwt,sign-method=ES256,priv-key=priv", /kind that ES256/],
    ["jwt,sign-method=HS256", /secret/],
    ["jwt,sign-method=HS256,priv-key=text,ttl=soon", /duration/]
  ])("refuses %s without showing a key", (text, rule) => {
    const result = parse(text)
    expect(result).toBeInstanceOf(BadFlag)
    expect((result as BadFlag).message).toMatch(/^--auth-token: must /)
    expect((result as BadFlag).message).toMatch(rule)
    expect((result as BadFlag).message).not.toMatch(/not for your eyes|PRIVATE/)
  })
})
