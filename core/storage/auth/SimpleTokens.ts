// Simple tokens: random names that this process remembers, as long as they are used.
// Owns their lifetimes; refuses durability: after a restart clients authenticate again, as with etcd.
// Source of the form (16 letters, a dot, a number): etcd 3.7 server/auth/simple_token.go.
import type { Entropy } from "./EntropyAdapter.ts"
import type { Caller, TokenProvider } from "./Tokens.ts"

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
const PREFIX_LETTERS = 16
/** Bytes below this map onto letters evenly. */
const EVEN_BELOW = LETTERS.length * 4
/** A token that is used is renewed at most this often. */
const RENEWAL_MS = 1000
/** Tokens alive at once; beyond, the one least recently renewed is forgotten and its client authenticates again. */
const TOKENS_MAX = 100_000

interface Held {
  readonly user: string
  readonly expiresAtMs: number
}

export interface SimpleTokenOptions {
  readonly ttlMs: number
  /** Milliseconds, never going back. */
  readonly clock: () => number
  readonly entropy: Entropy
}

export class SimpleTokens implements TokenProvider {
  private readonly options: SimpleTokenOptions
  /** In the order of renewal, and so of expiry. */
  private readonly held = new Map<string, Held>()
  private assigned = 0

  constructor(options: SimpleTokenOptions) {
    this.options = options
  }

  get size(): number {
    return this.held.size
  }

  holder(token: string, revision: number): Caller | undefined {
    const found = this.held.get(token)
    if (found === undefined) return undefined
    const now = this.options.clock()
    if (now > found.expiresAtMs) {
      this.held.delete(token)
      return undefined
    }
    if (now + this.options.ttlMs - found.expiresAtMs >= RENEWAL_MS) this.hold(token, found.user, now)
    return { user: found.user, revision }
  }

  assign(user: string): string {
    const now = this.options.clock()
    this.forgetExpired(now)
    const token = `${this.prefix()}.${++this.assigned}`
    this.hold(token, user, now)
    return token
  }

  invalidateUser(user: string): void {
    for (const [token, held] of this.held) if (held.user === user) this.held.delete(token)
  }

  clear(): void {
    this.held.clear()
  }

  private hold(token: string, user: string, now: number): void {
    this.held.delete(token)
    this.held.set(token, { user, expiresAtMs: now + this.options.ttlMs })
  }

  private forgetExpired(now: number): void {
    for (const [token, { expiresAtMs }] of this.held) {
      if (now <= expiresAtMs && this.held.size < TOKENS_MAX) return
      this.held.delete(token)
    }
  }

  private prefix(): string {
    let letters = ""
    while (letters.length < PREFIX_LETTERS) {
      for (const byte of this.options.entropy(PREFIX_LETTERS)) {
        if (byte < EVEN_BELOW && letters.length < PREFIX_LETTERS) letters += LETTERS[byte % LETTERS.length]
      }
    }
    return letters
  }
}
