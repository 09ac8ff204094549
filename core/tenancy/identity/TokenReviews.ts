// Bearer tokens, by asking the cluster behind us (authentication.k8s.io TokenReview): no key of it is needed here.
// Owns a short memory of what it said; refuses to keep tokens, of which it remembers a digest alone.
import { createHash } from "node:crypto"
import { ApiFailure, type Client, type Clockwork, gvr, isJsonObject, type Json, type KubeObject } from "#kube"
import type { UserInfo } from "#apiserver"

/** For how long an answer is believed, as kube-apiserver does with its webhook; a revoked token lives so much longer. */
const KNOWN_MS = 10_000
/** Tokens that are remembered; beyond it the oldest are asked about again. */
const KNOWN_MAX = 16_384
/** Requests that wait for one answer about one token. */
const WAITING_MAX = 10_000

type Answer = (user: UserInfo | undefined | ApiFailure) => void

interface Known {
  readonly user: UserInfo | undefined
  readonly untilMs: number
}

const reviews = { resource: gvr("authentication.k8s.io", "v1", "tokenreviews"), namespace: "" }

const textsOf = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : []

/** Who a review says the token's bearer is. */
export const reviewedUser = ({ status }: KubeObject): UserInfo | undefined => {
  if (!isJsonObject(status) || status["authenticated"] !== true || !isJsonObject(status["user"])) return undefined
  const { extra, groups, uid, username } = status["user"]
  if (typeof username !== "string" || username === "") return undefined
  const extras = isJsonObject(extra) ? Object.entries(extra).map(([key, value]) => [key, textsOf(value)] as const) : []
  return {
    name: username,
    groups: textsOf(groups),
    ...(typeof uid === "string" ? { uid } : {}),
    extra: Object.fromEntries(extras)
  }
}

/** Answers whose a token is; undefined: nobody's. */
export class TokenReviews {
  private readonly client: Client
  private readonly clockwork: Clockwork
  private readonly known = new Map<string, Known>()
  private readonly waiting = new Map<string, Array<Answer>>()

  constructor(client: Client, clockwork: Clockwork) {
    this.client = client
    this.clockwork = clockwork
  }

  review(token: string, done: Answer): void {
    const key = createHash("sha256").update(token).digest("base64")
    const known = this.known.get(key)
    if (known !== undefined && this.clockwork.monotonic() < known.untilMs) return done(known.user)
    const waiting = this.waiting.get(key)
    if (waiting !== undefined) {
      if (waiting.length < WAITING_MAX) waiting.push(done)
      else done(undefined)
      return
    }
    this.waiting.set(key, [done])
    const review = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token }
    }
    this.client.create(reviews, review, {}, (answer) => this.settle(key, answer))
  }

  private settle(key: string, answer: KubeObject | ApiFailure): void {
    const user = answer instanceof ApiFailure ? answer : reviewedUser(answer)
    if (!(user instanceof ApiFailure)) this.remember(key, user)
    const waiting = this.waiting.get(key) ?? []
    this.waiting.delete(key)
    for (const done of waiting) done(user)
  }

  private remember(key: string, user: UserInfo | undefined): void {
    this.known.delete(key)
    this.known.set(key, { user, untilMs: this.clockwork.monotonic() + KNOWN_MS })
    if (this.known.size <= KNOWN_MAX) return
    const [oldest] = this.known.keys()
    if (oldest !== undefined) this.known.delete(oldest)
  }
}
