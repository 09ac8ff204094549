// Continue tokens of our own: what a tenant holds tells nothing and cannot be made up, because it is sealed for that tenant.
// Owns sealing and opening (AES-256-GCM under a nonce that follows from the content); refuses to know what a page is.
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto"

/** Where a list goes on. */
export interface Cursor {
  /** The tenant's uid: another's token is no token. */
  readonly of: string
  /** What is listed: path and selectors. */
  readonly list: string
  /** The version that all pages show; empty where upstream's own token holds it. */
  readonly version: string
  /** The namespace to go on with, in upstream's spelling; empty where the list has only one. */
  readonly namespace: string
  /** Upstream's own token; empty: from the namespace's beginning. */
  readonly upstream: string
}

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** A token that is longer was not made here. */
const TOKEN_CHARACTERS_MAX = 8192

export class Cursors {
  private readonly key: Buffer
  private readonly nonceKey: Buffer

  /** Servers that share the secret read one another's tokens. */
  constructor(secret: string | Uint8Array) {
    this.key = createHmac("sha256", secret).update("continue token").digest()
    this.nonceKey = createHmac("sha256", secret).update("continue token's nonce").digest()
  }

  seal(cursor: Cursor): string {
    const { list, namespace, of, upstream, version } = cursor
    const text = JSON.stringify([of, list, version, namespace, upstream])
    const nonce = createHmac("sha256", this.nonceKey).update(text).digest().subarray(0, NONCE_BYTES)
    const cipher = createCipheriv("aes-256-gcm", this.key, nonce)
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url")
  }

  /** Undefined for what was not sealed here. */
  open(token: string): Cursor | undefined {
    if (token.length > TOKEN_CHARACTERS_MAX) return undefined
    const bytes = Buffer.from(token, "base64url")
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv("aes-256-gcm", this.key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
      // SAFETY: only what was sealed above opens.
      const [of, list, version, namespace, upstream] = JSON.parse(text.toString("utf8")) as [
        string,
        string,
        string,
        string,
        string
      ]
      return { of, list, version, namespace, upstream }
    } catch {
      return undefined
    }
  }
}
