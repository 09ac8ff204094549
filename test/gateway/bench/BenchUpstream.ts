// An endpoint that costs little: a fixed configmap of a kilobyte, reviews that know one token, watches that get an event when told.
import { Effect, Scope } from "effect"
import { type HttpBody, type HttpExchange, type HttpFields, listen } from "../../../core/net/index.ts"
import { readCertificates } from "./Certificates.ts"
import { answers } from "./Control.ts"

const { server } = readCertificates(process.argv[2] ?? "")
const json: HttpFields = [
  ["content-type", "application/json"],
  ["audit-id", "00000000-0000-0000-0000-000000000000"],
  ["cache-control", "no-cache, private"],
  ["x-kubernetes-pf-flowschema-uid", "11111111-1111-1111-1111-111111111111"],
  ["x-kubernetes-pf-prioritylevel-uid", "22222222-2222-2222-2222-222222222222"]
]
const data = "x".repeat(800)
const configmap = Buffer.from(
  JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "c", namespace: "n" }, data: { data } })
)
const reviewed = JSON.stringify({
  kind: "TokenReview",
  apiVersion: "authentication.k8s.io/v1",
  status: { authenticated: true, user: { username: "alice", groups: ["dev", "system:authenticated"] } }
})
const watchers = new Set<HttpBody>()
let requests = 0
let reviews = 0

const serve = (exchange: HttpExchange): void => {
  const { path } = exchange
  if (path.startsWith("/readyz")) return exchange.respond(200, [], "ok")
  if (path.endsWith("/tokenreviews")) {
    reviews++
    return exchange.readBody(65_536, () => exchange.respond(201, json, reviewed))
  }
  requests++
  if (!path.includes("watch=1")) return exchange.respond(200, json, configmap)
  const body = exchange.start(200, json)
  watchers.add(body)
  exchange.onClose = () => watchers.delete(body)
}

const listening = await listen({ host: "127.0.0.1", port: 0, methods: [], exchange: serve, tls: { ...server } }).pipe(
  Scope.provide(Scope.makeUnsafe()),
  Effect.runPromise
)
answers({
  counts: () => ({ requests, reviews, connections: listening.connections(), watchers: watchers.size }),
  event: () => {
    const line = Buffer.from(
      `${JSON.stringify({ type: "MODIFIED", at: performance.timeOrigin + performance.now(), object: { data: "y".repeat(400) } })}\n`
    )
    for (const watcher of watchers) watcher.write(line)
  }
})
process.send?.(listening.port)
process.on("disconnect", () => process.exit(0))
