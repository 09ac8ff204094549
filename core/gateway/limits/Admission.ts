// The port between the data path and the limits: asked before an endpoint is chosen, and told when the request has ended.
// Owns the shapes; refuses any rule, which the flows have.
import type { RequestFacts } from "../policy/RequestFacts.ts"

/** A request that was let in. Both calls may come more than once; later ones do nothing. */
export interface Permit {
  readonly kind: "permit"
  /** The answer's head is there: a long-running request gives its place among the short ones back, after its initial list. */
  settle(): void
  /** The request has ended, however it did. */
  release(): void
}

/** Why a request was not let in. */
export type RefusalReason = "rate_limited" | "queue_full" | "queue_timeout" | "user_rate_limited" | "limiter_lost"

export interface Refusal {
  readonly kind: "refusal"
  readonly reason: RefusalReason
  /** Undefined: the answer carries no Retry-After, so that the client drops the request (events). */
  readonly retryAfterSeconds: number | undefined
}

/** A request that waits; `decided` is called later, unless it is cancelled before. */
export interface Waiting {
  readonly kind: "waiting"
  /** The client went away: nothing is decided any more. */
  cancel(): void
}

export type Decided = (outcome: Permit | Refusal) => void

export interface Admission {
  /** Decides at once or later; `flowControl` is the policy's, empty for exempt. `decided` is called only after a Waiting. */
  readonly admit: (
    cluster: string,
    flowControl: string,
    facts: RequestFacts,
    decided: Decided
  ) => Permit | Refusal | Waiting
}

/** Of what is not limited: nothing is counted, so nothing is given back. */
export const freePermit: Permit = {
  kind: "permit",
  settle: () => undefined,
  release: () => undefined
}

/** Lets everything in. */
export const openAdmission: Admission = { admit: () => freePermit }
