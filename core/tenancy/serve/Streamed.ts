// Answers in pieces: lists of one namespace, watches that no shared watch can serve, logs, and what is proxied to pods and services.
// Owns which of them are translated; refuses what spans namespaces, which the fan-out and the shared watches have.
import { ApiFailure } from "#kube"
import type { HttpRequestHead } from "#net"
import type { RewriteStream } from "../rewrite/Contract.ts"
import { answerOptions, answerWhole, PiecewiseAnswer, type PieceRewrite } from "./Answers.ts"
import type { Forwarding } from "./Forward.ts"
import type { TenantCall } from "./TenantCall.ts"
import { fieldsUp, headUp, ownHead, pathUp, queryUp } from "./UpstreamHead.ts"

/** Sends a request whose answer is passed on as it comes; again when upstream had not heard of the tenant's rights. */
export const sendPiecewise = (
  { grants, upstream }: Forwarding,
  call: TenantCall,
  head: HttpRequestHead,
  rewriteOf: PieceRewrite,
  continueToken?: ListPage["continueToken"]
): void => {
  const attempt = (asked: HttpRequestHead, tries: number): void => {
    const answer = new PiecewiseAnswer(call, rewriteOf)
    answer.continueToken = continueToken
    answer.onRefused = (refusal) => {
      if (refusal.code !== 403) return false
      grants.repair(call, { refusal, tries }, (way) => {
        if (call.over) return
        if (way === "again") attempt(asked, tries + 1)
        else if (way === "own") attempt(ownHead(asked), tries + 1)
        else answerWhole(call, refusal)
      })
      return true
    }
    answer.follow(upstream.send(asked, undefined, answer))
  }
  attempt(head, 0)
}

/** A list of one namespace; upstream's own continue token, and how that of the next page is told. */
export interface ListPage {
  readonly upstreamToken: string
  readonly continueToken: (upstream: string) => string
}

/** A list of one namespace. */
export const forwardList = (forwarding: Forwarding, call: TenantCall, page: ListPage): void => {
  const { rewriting } = call.scope
  const head = headUp(call, { further: { continue: page.upstreamToken } })
  if (head instanceof ApiFailure) return call.fail(head)
  const options = { ...answerOptions(call), collection: true, countsOwn: true, continueToken: page.continueToken }
  const rewriteOf = (): RewriteStream => rewriting.answerToTenant(call.kind.shape, options)
  sendPiecewise(forwarding, call, head, rewriteOf, page.continueToken)
}

/** A watch of one namespace that asks for something unusual: upstream answers it, or says what is wrong with it. */
export const forwardWatch = (forwarding: Forwarding, call: TenantCall): void => {
  const head = headUp(call)
  if (head instanceof ApiFailure) return call.fail(head)
  const { rewriting } = call.scope
  sendPiecewise(forwarding, call, head, () => rewriting.watchToTenant(call.kind.shape, answerOptions(call)))
}

/** Text, such as a log: passed on as it is; failures are translated. */
export const forwardText = (forwarding: Forwarding, call: TenantCall): void => {
  const query = queryUp(call)
  if (query instanceof ApiFailure) return call.fail(query)
  const head = { method: "GET", path: pathUp(call) + query, fields: fieldsUp(call, { accept: "*/*" }) }
  sendPiecewise(forwarding, call, head, () => undefined)
}

/** Fields of a proxied request that would say who somebody is, or belong to one connection. */
const keptBack =
  /^(impersonate-.*|x-remote-.*|x-forwarded-.*|authorization|cookie|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|content-length|sec-websocket-protocol)$/

/** HTTP to a pod or a service: everything passes both ways but identities. */
export const forwardProxy = ({ upstream }: Forwarding, call: TenantCall): void => {
  const { exchange, path } = call
  const own = fieldsUp(call, { accept: exchange.header("accept") ?? "*/*" })
  const ownNames = new Set(own.map(([name]) => name))
  const theirs = exchange
    .fields()
    .filter(([name]) => !keptBack.test(name) && !ownNames.has(name) && !name.startsWith(":"))
  const head = {
    method: exchange.method,
    path: `${pathUp(call)}${path.query === "" ? "" : `?${path.query}`}`,
    fields: [...own, ...theirs]
  }
  const answer = new PiecewiseAnswer(call, "raw")
  const sent = upstream.send(head, "stream", {
    head: (code, fields) => answer.head(code, fields),
    body: (bytes) => answer.body(bytes),
    end: (trailers) => answer.end(trailers),
    failed: (error, wasSent) => answer.failed(error, wasSent),
    drain: () => exchange.resumeBody()
  })
  answer.follow(sent)
  exchange.onBody(
    (bytes) => sent.write(bytes.slice()),
    () => sent.end()
  )
}
