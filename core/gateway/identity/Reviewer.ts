// Asks a cluster as the gateway itself: reviews are objects that are posted and come back with a status.
// Owns the choice of an endpoint, one further try at another one, and the limit on such calls; refuses to know what is reviewed.
import type { Clockwork, Json, JsonObject } from "#kube"
import { isJsonObject } from "#kube"
import type { HttpFields } from "#net"
import { ownCall } from "../balance/OwnCall.ts"
import type { Upstream } from "../balance/Upstream.ts"
import type { CallRate } from "./CallRate.ts"

/** How long one endpoint may take. */
const REVIEW_TIMEOUT_MS = 5000
const TRIES = 2

/** There is no answer: the request fails with 503, never with 401 or 403. */
export interface Unavailable {
  readonly kind: "unavailable"
  /** Never holds a secret. */
  readonly message: string
  readonly retryAfterSeconds: number
}

export const unavailable = (message: string, retryAfterSeconds = 1): Unavailable => ({
  kind: "unavailable",
  message,
  retryAfterSeconds
})

/** What a review needs of its cluster. */
export interface ReviewContext {
  readonly clockwork: Clockwork
  /** An endpoint that may be asked, none of `tried`. */
  readonly pick: (tried: ReadonlyArray<Upstream>) => Upstream | undefined
  /** What proves the gateway. */
  readonly fields: HttpFields
  readonly rate: CallRate
}

/** Posts a review to `path`; `done` gets its status. */
export const review = (
  context: ReviewContext,
  path: string,
  object: JsonObject,
  done: (status: JsonObject | Unavailable) => void
): void => {
  const { clockwork, rate } = context
  if (!rate.take(clockwork.monotonic())) {
    return done(unavailable("too many reviews are asked for", rate.retryAfterSeconds(clockwork.monotonic())))
  }
  const body = Buffer.from(JSON.stringify(object))
  const fields: HttpFields = [...context.fields, ["content-type", "application/json"], ["accept", "application/json"]]
  const tried: Array<Upstream> = []
  const ask = (): void => {
    const upstream = context.pick(tried)
    if (upstream === undefined || tried.includes(upstream)) {
      return done(unavailable("no endpoint of the cluster could be asked"))
    }
    tried.push(upstream)
    const asked = { method: "POST", path, fields, body, timeoutMs: REVIEW_TIMEOUT_MS } as const
    ownCall(upstream, asked, clockwork, (outcome) => {
      if (outcome.kind === "failure") {
        upstream.failed(outcome.code, outcome.message)
        return tried.length < TRIES ? ask() : done(unavailable("no endpoint of the cluster could be asked"))
      }
      const status = outcome.status === 200 || outcome.status === 201 ? statusOf(outcome.body) : undefined
      if (status !== undefined) return done(status)
      if (outcome.status >= 500 && tried.length < TRIES) return ask()
      done(unavailable(`the cluster answered the gateway's own review with ${outcome.status}`))
    })
  }
  ask()
}

const statusOf = (body: Buffer): JsonObject | undefined => {
  try {
    const value = JSON.parse(body.toString("utf8")) as Json
    if (!isJsonObject(value)) return undefined
    const { status } = value
    return status !== undefined && isJsonObject(status) ? status : undefined
  } catch {
    // No JSON: no review.
    return undefined
  }
}
