// Whether a user may do something, as its cluster says: SubjectAccessReviews, asked as the gateway itself and remembered.
// Owns the cache and one review for all who ask the same at once; refuses to decide when the cluster does not answer.
import type { UserInfo } from "#apiserver"
import type { JsonObject } from "#kube"
import type { Question } from "./Impersonation.ts"
import { LruCache } from "./LruCache.ts"
import { review, type ReviewContext, type Unavailable, unavailable } from "./Reviewer.ts"

const REMEMBERED_MAX = 8192
const WAITING_MAX = 10_000
/** As kube-apiserver's webhook authorizer remembers. */
const ALLOWED_MS = 300_000
const DENIED_MS = 30_000

export interface Decision {
  readonly kind: "decision"
  readonly allowed: boolean
  readonly reason: string
}

type Done = (outcome: Decision | Unavailable) => void

export class AccessReviews {
  private readonly context: ReviewContext
  private readonly known = new LruCache<Decision>(REMEMBERED_MAX)
  private readonly underway = new Map<string, Array<Done>>()
  private waiting = 0
  /** Reviews that were asked for. */
  asked = 0

  constructor(context: ReviewContext) {
    this.context = context
  }

  /** Asks all questions, one after the other; `done` is called once, with the first that is not allowed or the last. */
  all(
    user: UserInfo,
    questions: ReadonlyArray<Question>,
    done: (outcome: Decision | Unavailable, question: Question) => void
  ): void {
    const next = (at: number): void => {
      const question = questions[at]
      this.one(user, question, (outcome) => {
        if (outcome.kind === "decision" && outcome.allowed && at + 1 < questions.length) next(at + 1)
        else done(outcome, question)
      })
    }
    next(0)
  }

  private one(user: UserInfo, question: Question, done: Done): void {
    const { clockwork } = this.context
    const key = JSON.stringify([user.name, user.uid ?? "", user.groups, user.extra ?? {}, question])
    const known = this.known.get(key, clockwork.now())
    if (known !== undefined) return done(known)
    if (this.waiting >= WAITING_MAX) return done(unavailable("too many requests wait for access reviews"))
    this.waiting++
    const waiting = this.underway.get(key)
    if (waiting !== undefined) return void waiting.push(done)
    this.underway.set(key, [done])
    this.ask(user, question, key)
  }

  private ask(user: UserInfo, question: Question, key: string): void {
    this.asked++
    const { extra, groups, name, uid } = user
    const object = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        resourceAttributes: { ...question },
        user: name,
        groups: [...groups],
        ...(uid === undefined ? {} : { uid }),
        ...(extra === undefined
          ? {}
          : { extra: Object.fromEntries(Object.entries(extra).map(([k, v]) => [k, [...v]])) })
      }
    }
    review(this.context, "/apis/authorization.k8s.io/v1/subjectaccessreviews", object, (status) => {
      const outcome = this.outcomeOf(key, status)
      const waiting = this.underway.get(key) ?? []
      this.underway.delete(key)
      this.waiting -= waiting.length
      for (const done of waiting) done(outcome)
    })
  }

  private outcomeOf(key: string, status: JsonObject | Unavailable): Decision | Unavailable {
    if (status["kind"] === "unavailable") return status as Unavailable
    const { allowed, denied, evaluationError, reason } = status as JsonObject
    const isAllowed = allowed === true && denied !== true
    const decision: Decision = {
      kind: "decision",
      allowed: isAllowed,
      reason: typeof reason === "string" ? reason : ""
    }
    // Who could not be judged is refused, but not for longer than this once.
    if (!isAllowed && typeof evaluationError === "string" && evaluationError !== "") return decision
    this.known.set(key, decision, this.context.clockwork.now() + (isAllowed ? ALLOWED_MS : DENIED_MS))
    return decision
  }
}
