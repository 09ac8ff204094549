// Requests for one object, and writes: forwarded under the caller's upstream identity, answered translated.
// Owns the second try after an upstream that does not know the tenant's rights yet; refuses collections and streams.
import { ApiFailure, type Clockwork } from "#kube"
import type { HttpRequestHead } from "#net"
import { ask, type Upstream, type UpstreamCall, type WholeAnswer } from "../upstream/Upstream.ts"
import type { QuotaDesk } from "../quota/QuotaDesk.ts"
import { beyondShare } from "../quota/QuotaRefusal.ts"
import type { Grants } from "../walls/Grants.ts"
import { answerWhole } from "./Answers.ts"
import { bodyUp, readBody } from "./RequestBodies.ts"
import type { TenantCall } from "./TenantCall.ts"
import { headUp, ownHead } from "./UpstreamHead.ts"

/** What requests are forwarded with. */
export interface Forwarding {
  readonly upstream: Upstream
  readonly grants: Grants
  readonly quotas: QuotaDesk
  readonly clockwork: Clockwork
}

/** Milliseconds until the first new try after a part of the quota was moved; upstream's controller has to take it in. */
const QUOTA_WAIT_MS = 30
const QUOTA_TRIES_MAX = 6

type Answered = (answer: WholeAnswer | ApiFailure) => void

/** Sends a request whose answer is read whole, again when upstream had not heard of the tenant's rights. */
export const sendWhole = (
  { clockwork, grants, quotas, upstream }: Forwarding,
  call: TenantCall,
  sending: { readonly head: HttpRequestHead; readonly body: Uint8Array | undefined },
  done: Answered
): void => {
  let sent: UpstreamCall | undefined
  call.onOver(() => sent?.cancel())
  const attempt = (head: HttpRequestHead, tries: number): void => {
    sent = ask(upstream, head, sending.body, (answer) => {
      sent = undefined
      if (call.over) return
      if (answer instanceof ApiFailure || answer.code !== 403) return done(answer)
      const requested = beyondShare(answer)
      if (requested !== undefined && tries < QUOTA_TRIES_MAX) {
        const namespace = call.scope.names.namespaceUp(call.path.info.namespace)
        return quotas.want(call.scope.tenant, { namespace, requested }, (hasRoom) => {
          if (call.over) return
          if (hasRoom) clockwork.after(QUOTA_WAIT_MS * 2 ** tries, () => attempt(head, tries + 1))
          else done(answer)
        })
      }
      grants.repair(call, { refusal: answer, tries }, (way) => {
        if (call.over) return
        if (way === "again") attempt(head, tries + 1)
        else if (way === "own") attempt(ownHead(head), tries + 1)
        else done(answer)
      })
    })
  }
  attempt(sending.head, 0)
}

/** A request without a body, or whose body is an object of the kind, options, or a subresource's. */
export const forward = (
  forwarding: Forwarding,
  call: TenantCall,
  done: Answered = (answer) => answerWhole(call, answer)
): void => {
  const { method } = call.exchange
  if (method === "GET" || method === "HEAD") {
    const head = headUp(call)
    if (head instanceof ApiFailure) return call.fail(head)
    return sendWhole(forwarding, call, { head, body: undefined }, done)
  }
  readBody(call, (body) => {
    const rewritten = bodyUp(call, body)
    if (rewritten instanceof ApiFailure) return call.fail(rewritten)
    const head = headUp(call, rewritten.length === 0 ? {} : { contentType: "application/json" })
    if (head instanceof ApiFailure) return call.fail(head)
    sendWhole(forwarding, call, { head, body: rewritten.length === 0 ? undefined : rewritten }, done)
  })
}
