// What operators of the platform may do through this server: manage Tenants, and nothing else; for everything else they have the
// cluster behind it.
// Owns this short list of paths; who may do what is upstream's to say, in the operator's own name.
import { ApiFailure, Failures } from "#kube"
import type { HttpExchange, HttpFields } from "#net"
import { type PlatformCaller, impersonationOf } from "../identity/Caller.ts"
import { BODY_BYTES_MAX } from "#apiserver"
import { ask, type Upstream } from "../upstream/Upstream.ts"
import { answerFailure } from "./TenantCall.ts"

const TENANTS = "/apis/tenant.kubezoo.io/v1alpha1/tenants"

const discovery = /^\/(api|apis|version|openapi\/v[23])(\/|$)/

const isDiscovery = (path: string): boolean =>
  discovery.test(path) && path.split("/").length <= 4 && !path.includes("..") && !path.includes("%")

const isTenants = (path: string): boolean =>
  path === TENANTS || new RegExp(`^${TENANTS}/[a-z0-9-]{6}(/status)?$`).test(path)

const kept: ReadonlySet<string> = new Set(["accept", "content-type", "user-agent", "if-none-match"])
const connection = /^(connection|keep-alive|transfer-encoding|content-length|x-kubernetes-.*)$/

/** Answers an operator. Watches are passed on as they come. */
export const answerPlatform = (upstream: Upstream, exchange: HttpExchange, caller: PlatformCaller): void => {
  const mark = exchange.path.indexOf("?")
  const path = mark < 0 ? exchange.path : exchange.path.slice(0, mark)
  const reads = exchange.method === "GET" || exchange.method === "HEAD"
  if (!isTenants(path) && !(reads && isDiscovery(path))) {
    const why = `User ${JSON.stringify(caller.user.name)} manages tenants here; everything else is done on the cluster itself`
    return answerFailure(exchange, Failures.forbidden({ group: "", resource: "", name: "" }, why))
  }
  exchange.readBody(BODY_BYTES_MAX, (body) => {
    if (body === undefined) return answerFailure(exchange, Failures.tooLarge("the request body is too large"))
    const fields: HttpFields = [
      ...exchange.fields().filter(([name]) => kept.has(name)),
      ...impersonationOf(caller.user)
    ]
    const head = { method: exchange.method, path: exchange.path, fields }
    const sent = body.length === 0 ? undefined : body
    if (/[?&]watch=(1|true)/.test(exchange.path)) return pipe(upstream, exchange, head)
    ask(upstream, head, sent, (answer) => {
      if (answer instanceof ApiFailure) return answerFailure(exchange, answer)
      exchange.respond(
        answer.code,
        answer.fields.filter(([name]) => !connection.test(name)),
        answer.body
      )
    })
  })
}

const pipe = (upstream: Upstream, exchange: HttpExchange, head: Parameters<Upstream["send"]>[0]): void => {
  let sink: ReturnType<HttpExchange["start"]> | undefined
  const call = upstream.send(head, undefined, {
    head: (code, fields) => {
      sink = exchange.start(
        code,
        fields.filter(([name]) => !connection.test(name))
      )
      sink.onDrain = () => call.resume()
    },
    body: (bytes) => {
      if (sink?.write(bytes.slice()) === false) call.pause()
    },
    end: () => sink?.end(),
    failed: () => (sink === undefined ? answerFailure(exchange, Failures.unavailable("no answer")) : sink.abort())
  })
  exchange.onClose = () => call.cancel()
}
