// One request of a tenant on its way: what was asked, by whom, and its one answer.
// Owns that it is answered once and what is told back when it is over; refuses to know how any request is served.
import { type ApiFailure, Failures } from "#kube"
import type { Query } from "#apiserver"
import type { HttpBody, HttpExchange, HttpFields } from "#net"
import type { TenantCaller } from "../identity/Caller.ts"
import type { RequestPath } from "./RequestPath.ts"
import type { TenantKind, TenantScope } from "./Scopes.ts"
import { asYaml, failureBody, wantsYaml, YamlBody } from "./YamlAnswer.ts"

const json: readonly [string, string] = ["content-type", "application/json"]

const retryFields = (failure: ApiFailure): HttpFields => {
  const seconds = failure.status.details?.retryAfterSeconds
  return seconds === undefined || seconds === 0 ? [json] : [json, ["retry-after", String(seconds)]]
}

/** Answers a failure to whoever asked. */
export const answerFailure = (exchange: HttpExchange, failure: ApiFailure): void =>
  exchange.respond(failure.code, retryFields(failure), failureBody(failure))

export class TenantCall {
  readonly exchange: HttpExchange
  readonly path: RequestPath
  readonly query: Query
  readonly caller: TenantCaller
  readonly scope: TenantScope
  private readonly kindAsked: TenantKind | undefined
  /** Whether nothing more may be answered: it was, or the client has gone. */
  over = false
  private endings: Array<() => void> = []
  private sink: HttpBody | undefined
  private readonly warnings: Array<readonly [string, string]> = []

  constructor(
    exchange: HttpExchange,
    asked: {
      readonly path: RequestPath
      readonly query: Query
      readonly caller: TenantCaller
      readonly scope: TenantScope
      readonly kind: TenantKind | undefined
    }
  ) {
    this.exchange = exchange
    this.path = asked.path
    this.query = asked.query
    this.caller = asked.caller
    this.scope = asked.scope
    this.kindAsked = asked.kind
    exchange.onClose = () => this.finish()
  }

  /** Of a request for a resource, which routing has found. */
  get kind(): TenantKind {
    if (this.kindAsked === undefined) throw new Error("this request is for no resource")
    return this.kindAsked
  }

  /** Whether the namespace was asked for in upstream's spelling, as pods see it; answers then keep that spelling. */
  get namespaceAsUpstream(): boolean {
    const { namespace } = this.path.info
    return namespace !== "" && this.scope.names.namespaceUp(namespace) === namespace
  }

  /** Tells the client something with its answer, whatever that will be. */
  warn(text: string): void {
    this.warnings.push(["warning", `299 - ${JSON.stringify(text)}`])
  }

  /** Runs when the request is over, however it ends; at once when it is. */
  onOver(run: () => void): void {
    if (this.over) run()
    else this.endings.push(run)
  }

  finish(): void {
    if (this.over) return
    this.over = true
    const { endings } = this
    this.endings = []
    for (const run of endings) run()
  }

  /** Streams have no form in YAML, and what is proxied has the form that it has. */
  private get inYaml(): boolean {
    const { info } = this.path
    return info.verb !== "watch" && info.subresource !== "proxy" && wantsYaml(this.exchange.header("accept"))
  }

  respond(code: number, fields: HttpFields, body: string | Uint8Array): void {
    if (this.over) return
    const written = this.inYaml ? asYaml(fields, body) : { fields, body }
    this.exchange.respond(code, [...written.fields, ...this.warnings], written.body)
    this.finish()
  }

  fail(failure: ApiFailure): void {
    this.respond(failure.code, retryFields(failure), failureBody(failure))
  }

  json(code: number, value: unknown, fields: HttpFields = []): void {
    this.respond(code, [json, ...fields], `${JSON.stringify(value)}\n`)
  }

  /** Begins an answer that comes in pieces; it must be ended with `finish` after its last. */
  start(code: number, fields: HttpFields): HttpBody {
    const { exchange } = this
    const isJson = fields.some(([name, value]) => name === "content-type" && value.startsWith("application/json"))
    this.sink =
      isJson && this.inYaml
        ? new YamlBody(fields, (written, body, other = code) => exchange.respond(other, written, body))
        : exchange.start(code, fields)
    return this.sink
  }

  /** Ends what would go on for long: in good order, so that clients ask elsewhere, or at once, because they may ask no more. */
  endEarly(inGoodOrder: boolean): void {
    if (this.over) return
    if (this.sink === undefined) this.fail(Failures.unavailable("this server takes no more of this request"))
    else if (inGoodOrder) this.sink.end()
    else this.sink.abort()
    this.finish()
  }
}
