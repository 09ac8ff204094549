// Who a bearer token belongs to, as its cluster says: reviewed once, remembered for a while, never longer than the token lives.
// Owns the two caches (good and bad tokens apart, so that a flood of bad ones pushes out no good one), one review for all who show
// the same token at once, and the limit on reviews; refuses to judge a token itself. Tokens are kept as digests only.
import { hash } from "node:crypto"
import type { UserInfo } from "#apiserver"
import type { Json, JsonObject } from "#kube"
import { isJsonObject } from "#kube"
import type { Authentication } from "../config/UpstreamCluster.ts"
import { CallRate } from "./CallRate.ts"
import { LruCache } from "./LruCache.ts"
import { review, type ReviewContext, type Unavailable, unavailable } from "./Reviewer.ts"

const GOOD_MAX = 16_384
const BAD_MAX = 16_384
/** Requests that wait for reviews under way. */
const WAITING_MAX = 10_000
/** Longer texts are refused unasked. */
const TOKEN_CHARS_MAX = 16_384

/** A token's user, the same object as long as the review is remembered. */
export interface TokenUser {
  readonly kind: "user"
  readonly user: UserInfo
  /** Milliseconds since the epoch. */
  readonly untilMs: number
}

export interface BadToken {
  readonly kind: "bad"
}

export type TokenOutcome = TokenUser | BadToken | Unavailable
type Done = (outcome: TokenOutcome) => void

const bad: BadToken = { kind: "bad" }

/** The name under which a token is known here. */
export const tokenKey = (token: string): string => hash("sha256", token, "base64")

export class TokenReviews {
  private readonly context: ReviewContext
  private readonly settings: Authentication
  private readonly rate: CallRate
  private readonly good = new LruCache<TokenUser>(GOOD_MAX)
  private readonly refused = new LruCache<BadToken>(BAD_MAX)
  private readonly underway = new Map<string, Array<Done>>()
  private waiting = 0
  /** Reviews that were asked for. */
  asked = 0

  constructor(context: ReviewContext, settings: Authentication) {
    this.context = context
    this.settings = settings
    this.rate = new CallRate(settings.tokenReviewsPerSecond, settings.tokenReviewsBurst)
  }

  /** Answers at once what is known, else undefined, and `done` is called later, once. */
  find(token: string, key: string, done: Done): TokenOutcome | undefined {
    if (token.length > TOKEN_CHARS_MAX) return bad
    const { clockwork } = this.context
    const nowMs = clockwork.now()
    const known = this.good.get(key, nowMs) ?? this.refused.get(key, nowMs)
    if (known !== undefined) return known
    if (this.waiting >= WAITING_MAX) return unavailable("too many requests wait for the review of their token")
    const waiting = this.underway.get(key)
    if (waiting !== undefined) {
      this.waiting++
      waiting.push(done)
      return undefined
    }
    if (!this.rate.take(clockwork.monotonic())) {
      return unavailable("too many tokens are to be reviewed", this.rate.retryAfterSeconds(clockwork.monotonic()))
    }
    this.waiting++
    this.underway.set(key, [done])
    this.ask(token, key)
    return undefined
  }

  private ask(token: string, key: string): void {
    this.asked++
    const object = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } }
    // Not within the caller's turn, which has not been told yet that it waits.
    this.context.clockwork.defer(() =>
      review(this.context, "/apis/authentication.k8s.io/v1/tokenreviews", object, (status) => {
        const outcome = this.outcomeOf(token, key, status)
        const waiting = this.underway.get(key) ?? []
        this.underway.delete(key)
        this.waiting -= waiting.length
        for (const done of waiting) done(outcome)
      })
    )
  }

  private outcomeOf(token: string, key: string, status: JsonObject | Unavailable): TokenOutcome {
    if (isUnavailable(status)) return status
    const nowMs = this.context.clockwork.now()
    const user = status["authenticated"] === true ? userOf(status["user"]) : undefined
    const endMs = expiryOf(token)
    if (user === undefined || nowMs >= endMs) {
      this.refused.set(key, bad, nowMs + this.settings.tokenFailureTtlMs)
      return bad
    }
    const untilMs = Math.min(nowMs + this.settings.tokenSuccessTtlMs, endMs)
    const outcome: TokenUser = { kind: "user", user, untilMs }
    this.good.set(key, outcome, untilMs)
    return outcome
  }
}

const isUnavailable = (status: JsonObject | Unavailable): status is Unavailable => status["kind"] === "unavailable"

const texts = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : []

/** A user without a name is none. */
const userOf = (value: Json | undefined): UserInfo | undefined => {
  if (value === undefined || !isJsonObject(value)) return undefined
  const { extra, groups, uid, username } = value
  if (typeof username !== "string" || username === "") return undefined
  const more = extra !== undefined && isJsonObject(extra) ? Object.entries(extra) : []
  return {
    name: username,
    groups: texts(groups),
    ...(typeof uid === "string" && uid !== "" ? { uid } : {}),
    ...(more.length === 0 ? {} : { extra: Object.fromEntries(more.map(([key, values]) => [key, texts(values)])) })
  }
}

/** When a JSON Web Token says that it ends; never, for other tokens. What it says is not believed for more than that. */
const expiryOf = (token: string): number => {
  const [, claims, signature] = token.split(".")
  if (claims === undefined || signature === undefined) return Number.POSITIVE_INFINITY
  try {
    const value = JSON.parse(Buffer.from(claims, "base64url").toString("utf8")) as Json
    const exp = isJsonObject(value) ? value["exp"] : undefined
    return typeof exp === "number" ? exp * 1000 : Number.POSITIVE_INFINITY
  } catch {
    // No claims that could be read: the time to live is the bound.
    return Number.POSITIVE_INFINITY
  }
}
