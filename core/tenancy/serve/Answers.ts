// Answers of upstream on their way to a tenant: whole ones and those in pieces, translated as they pass.
// Owns backpressure between the two sides and what is heard when one of them breaks off; refuses to send requests.
import { ApiFailure, Failures } from "#kube"
import type { HttpAnswerListener, HttpBody, HttpFields } from "#net"
import { type AnswerOptions, BodyInvalid, type RewriteStream } from "../rewrite/Contract.ts"
import {
  fieldOf,
  lostUpstream,
  type UpstreamCall,
  wholeAnswer,
  type WholeAnswer,
  WHOLE_BYTES_MAX
} from "../upstream/Upstream.ts"
import { fieldsDown } from "./UpstreamHead.ts"
import type { TenantCall } from "./TenantCall.ts"

const isJson = (fields: HttpFields): boolean => (fieldOf(fields, "content-type") ?? "").startsWith("application/json")

/** What an answer is told about the request. */
export const answerOptions = (call: TenantCall): AnswerOptions => ({
  ...(call.namespaceAsUpstream ? { namespaceAsUpstream: true } : {}),
  // Upstream tells what a deletion of many deleted.
  ...(call.path.info.verb === "deletecollection" ? { collection: true } : {})
})

/** An object that exists and is not the tenant's is not there. */
const notThere = (call: TenantCall): ApiFailure => {
  const { group, resource } = call.kind.shape
  return Failures.notFound({ group, resource, name: call.path.info.name })
}

/** Answers a tenant with a whole answer of upstream. */
export const answerWhole = (
  call: TenantCall,
  answer: WholeAnswer | ApiFailure,
  options: AnswerOptions = answerOptions(call)
): void => {
  if (answer instanceof ApiFailure) return call.fail(answer)
  const { body, code, fields } = answer
  if (!isJson(fields)) return answerForeign(call, answer)
  const translated = call.scope.rewriting.toTenant(call.kind.shape, body, options)
  if (translated === undefined) return call.fail(notThere(call))
  if (translated instanceof BodyInvalid) return call.fail(Failures.internal("upstream answered with broken JSON"))
  call.respond(code, fieldsDown(call, fields), translated)
}

const decoder = new TextDecoder()

/** What is no JSON is a short text, as proxies and panics answer. */
const answerForeign = (call: TenantCall, { body, code }: WholeAnswer): void => {
  const text = call.scope.rewriting.textToTenant(decoder.decode(body.subarray(0, 1024)).trim())
  call.fail(
    Failures.generic(code < 400 ? 502 : code, "InternalError", text === "" ? `upstream answered ${code}` : text)
  )
}

/** How the pieces of an answer of success are translated; undefined passes them as they are, "raw" passes everything. */
export type PieceRewrite = ((fields: HttpFields) => RewriteStream | undefined) | "raw"

/** Fields that belong to one connection. */
const ofConnection = /^(connection|keep-alive|transfer-encoding|upgrade|trailer|content-length|proxy-.*)$/

/** Hears an answer and passes it on piece by piece; what is no success is answered whole. */
export class PiecewiseAnswer implements HttpAnswerListener {
  private readonly call: TenantCall
  private readonly rewriteOf: PieceRewrite
  private rewrite: RewriteStream | undefined
  private sink: HttpBody | undefined
  private refusal: (HttpAnswerListener & { call: UpstreamCall | undefined }) | undefined
  private upstream: UpstreamCall | undefined
  /** How a list's token is told, of a list that expired on the way. */
  continueToken: AnswerOptions["continueToken"]
  /** Told of an answer that is none of success before the tenant is; true: it is taken care of. */
  onRefused: ((answer: WholeAnswer) => boolean) | undefined

  constructor(call: TenantCall, rewriteOf: PieceRewrite) {
    this.call = call
    this.rewriteOf = rewriteOf
  }

  /** The request that this hears the answer of. */
  follow(upstream: UpstreamCall): void {
    this.upstream = upstream
    this.call.onOver(() => upstream.cancel())
  }

  head(code: number, fields: HttpFields): void {
    if (this.call.over) return
    if (code >= 300 && this.rewriteOf !== "raw") {
      this.refusal = wholeAnswer(WHOLE_BYTES_MAX, (answer) => this.refused(answer))
      this.refusal.head(code, fields)
      return
    }
    const raw = this.rewriteOf === "raw"
    this.rewrite = this.rewriteOf === "raw" ? undefined : this.rewriteOf(fields)
    const kept = raw ? fields.filter(([name]) => !ofConnection.test(name)) : fieldsDown(this.call, fields)
    const sink = this.call.start(code, kept)
    sink.onDrain = () => this.upstream?.resume()
    this.sink = sink
  }

  private refused(answer: WholeAnswer | ApiFailure): void {
    if (!(answer instanceof ApiFailure) && this.onRefused?.(answer) === true) return
    const { continueToken } = this
    const options = answerOptions(this.call)
    answerWhole(this.call, answer, continueToken === undefined ? options : { ...options, continueToken })
  }

  body(bytes: Uint8Array): void {
    if (this.refusal !== undefined) return this.refusal.body(bytes)
    if (this.sink === undefined) return
    // What is written is handed over, and a view is valid during the call only.
    this.write(this.rewrite === undefined ? bytes.slice() : this.rewrite.push(bytes))
  }

  private write(bytes: Uint8Array | BodyInvalid): void {
    if (bytes instanceof BodyInvalid) return this.breakOff()
    if (bytes.length === 0 || this.sink === undefined) return
    if (!this.sink.write(bytes) && !this.call.over) this.upstream?.pause()
  }

  end(trailers: HttpFields): void {
    if (this.refusal !== undefined) return this.refusal.end(trailers)
    if (this.sink === undefined) return
    if (this.rewrite !== undefined) this.write(this.rewrite.end())
    this.sink?.end()
    this.call.finish()
  }

  failed(error: Error, sent: boolean): void {
    if (this.refusal !== undefined) return this.refusal.failed(error, sent)
    if (this.sink === undefined) this.call.fail(lostUpstream(error))
    else this.breakOff()
  }

  /** The client sees that the answer is not whole. */
  private breakOff(): void {
    this.sink?.abort()
    this.sink = undefined
    this.call.finish()
  }
}
