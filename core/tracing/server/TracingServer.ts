// The tracing server's answers: health, metrics, version, and every route that is mounted, each for who may ask it.
// Owns routing and the question of access; refuses content, which the routes bring.
import { versionInfo } from "#apiserver"
import {
  type CallInfo,
  GrpcCode,
  type GrpcMethod,
  type HttpExchange,
  type HttpExchangeHandler,
  type StreamCall,
  type StreamListener,
  type UnaryCall
} from "#net"
import type { ReadGrant } from "../store/ScopedStore.ts"
import type { Access } from "./Access.ts"
import { answerJson, answerText, refuse, unauthorized } from "./Answers.ts"
import type { Route } from "./Route.ts"

export interface TracingServerOptions {
  readonly access: Access
  readonly routes: ReadonlyArray<Route>
  /** The routes of who may read some namespaces only. */
  readonly granted: (grants: ReadonlyArray<ReadGrant>) => ReadonlyArray<Route>
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
    const found = routeOf(routes, path)
    if (found === undefined)
      return refuse(exchange, 404, "NotFound", "the server could not find the requested resource")
    const asker = access.of(exchange)
    if (found.access === "read" && asker === undefined) return unauthorized(exchange)
    const grants = asker?.mayRead ?? false
    const route =
      found.access === "open" || grants === true
        ? found
        : grants === false
          ? undefined
          : routeOf(options.granted(grants), path)
    if (route === undefined)
      return refuse(
        exchange,
        403,
        "Forbidden",
        `${asker?.name ?? ""} may not read ${grants === false ? "traces" : "this"}`
      )
    try {
      route.answer(exchange, path, asker)
    } catch (defect) {
      onDefect(defect)
      refuse(exchange, 500, "InternalError", "internal error")
    }
  }
}

const routeOf = (routes: ReadonlyArray<Route>, path: string): Route | undefined =>
  routes.find((found) => (found.path.endsWith("/") ? path.startsWith(found.path) : path === found.path))

/** A method of gRPC for those who may read traces; `granted` is the same method over what somebody may read. */
export const guarded = (
  method: GrpcMethod,
  access: Access,
  granted: (grants: ReadonlyArray<ReadGrant>) => GrpcMethod | undefined
): GrpcMethod => {
  const allowed = (call: CallInfo & Pick<UnaryCall, "fail">): GrpcMethod | undefined => {
    const asker = access.ofCall(call)
    const grants = asker?.mayRead ?? false
    if (grants === true) return method
    const own = grants === false ? undefined : granted(grants)
    if (own !== undefined) return own
    if (asker === undefined) call.fail(GrpcCode.Unauthenticated, "Unauthorized")
    else call.fail(GrpcCode.PermissionDenied, `${asker.name} may not read traces`)
    return undefined
  }
  if ("unary" in method) {
    const unary = (call: UnaryCall, request: Uint8Array): void => {
      const own = allowed(call)
      if (own !== undefined && "unary" in own) own.unary(call, request)
    }
    return { ...method, unary }
  }
  const stream = (call: StreamCall): StreamListener => {
    const own = allowed(call)
    return own !== undefined && "stream" in own ? own.stream(call) : { message: () => {}, end: () => {} }
  }
  return { ...method, stream }
}
