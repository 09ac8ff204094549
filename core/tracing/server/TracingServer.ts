// The tracing server's answers: health, metrics, version, and every route that is mounted, each for who may ask it.
// Owns routing and the question of access; refuses content, which the routes bring.
import { versionInfo } from "#apiserver"
import {
  type CallInfo,
  GrpcCode,
  type GrpcMethod,
  type HttpExchange,
  type HttpExchangeHandler,
  type UnaryCall
} from "#net"
import type { Access } from "./Access.ts"
import { answerJson, answerText, refuse, unauthorized } from "./Answers.ts"
import type { Route } from "./Route.ts"

export interface TracingServerOptions {
  readonly access: Access
  readonly routes: ReadonlyArray<Route>
  readonly metrics: () => string
  /** Why the server is not ready; undefined when it is. */
  readonly unready: () => string | undefined
  readonly onDefect: (defect: unknown) => void
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/** Answers everything that is not gRPC. */
export const tracingHandler = (options: TracingServerOptions): HttpExchangeHandler => {
  const { access, metrics, onDefect, unready } = options
  const health = (exchange: HttpExchange, why: string | undefined): void =>
    why === undefined ? answerText(exchange, 200, "ok") : answerText(exchange, 503, `not ready: ${why}\n`)
  const own: ReadonlyArray<Route> = [
    { path: "/livez", access: "open", answer: (exchange) => health(exchange, undefined) },
    { path: "/healthz", access: "open", answer: (exchange) => health(exchange, undefined) },
    { path: "/readyz", access: "open", answer: (exchange) => health(exchange, unready()) },
    { path: "/metrics", access: "read", answer: (exchange) => answerText(exchange, 200, metrics(), METRICS_TYPE) },
    { path: "/version", access: "open", answer: (exchange) => answerJson(exchange, 200, versionInfo) }
  ]
  const routes = [...own, ...options.routes].sort((a, b) => b.path.length - a.path.length)
  return (exchange) => {
    const [path = "/"] = exchange.path.split("?")
    const route = routes.find((found) => (found.path.endsWith("/") ? path.startsWith(found.path) : path === found.path))
    if (route === undefined)
      return refuse(exchange, 404, "NotFound", "the server could not find the requested resource")
    const asker = access.of(exchange)
    if (route.access === "read" && asker === undefined) return unauthorized(exchange)
    if (route.access === "read" && asker?.mayRead !== true)
      return refuse(exchange, 403, "Forbidden", `${asker?.name ?? ""} may not read traces`)
    try {
      route.answer(exchange, path, asker)
    } catch (defect) {
      onDefect(defect)
      refuse(exchange, 500, "InternalError", "internal error")
    }
  }
}

/** A method of gRPC for those who may read traces. */
export const guarded = (method: GrpcMethod, access: Access): GrpcMethod => {
  const refused = (call: CallInfo & Pick<UnaryCall, "fail">): boolean => {
    const asker = access.ofCall(call)
    if (asker?.mayRead === true) return false
    if (asker === undefined) call.fail(GrpcCode.Unauthenticated, "Unauthorized")
    else call.fail(GrpcCode.PermissionDenied, `${asker.name} may not read traces`)
    return true
  }
  if ("unary" in method) {
    return { ...method, unary: (call, request) => void (refused(call) || method.unary(call, request)) }
  }
  return { ...method, stream: (call) => (refused(call) ? { message: () => {}, end: () => {} } : method.stream(call)) }
}
