// The gateway's own pages on a port of their own, where no control plane of its own serves them: health to everybody, the rest to
// whom AdminAccess.ts lets.
// Owns routing and the listener; refuses what pages say.
import { Effect } from "effect"
import type { HealthCheck, ServerPage } from "#apiserver"
import { type ApiFailure, machineClockwork } from "#kube"
import { type HttpExchange, listen, type TlsIdentity } from "#net"
import { adminAccess, type AdminAccessOptions } from "./AdminAccess.ts"

export interface AdminOptions extends Omit<AdminAccessOptions, "clockwork"> {
  readonly host: string
  readonly port: number
  readonly identity: TlsIdentity
  readonly checks: ReadonlyArray<HealthCheck>
  readonly pages: ReadonlyMap<string, () => ServerPage>
  readonly metrics: ReadonlyArray<() => string>
  readonly onDefect: (defect: unknown) => void
}

const PLAIN = [["content-type", "text/plain; charset=utf-8"]] as const
const METRICS = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
const health: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"])

const answerHealth = (exchange: HttpExchange, path: string, checks: ReadonlyArray<HealthCheck>): void => {
  const asked = path === "/readyz" ? checks : checks.filter(({ readinessOnly }) => readinessOnly !== true)
  const failed = asked.filter(({ check }) => check() !== undefined)
  if (failed.length === 0) return exchange.respond(200, PLAIN, "ok")
  exchange.respond(500, PLAIN, `${failed.map(({ name }) => `[-]${name} failed: reason withheld\n`).join("")}`)
}

const refuse = (exchange: HttpExchange, { code, status }: ApiFailure): void =>
  exchange.respond(code, [["content-type", "application/json"]], JSON.stringify(status))

/** Opens the port; it closes with the scope. */
export const serveAdmin = Effect.fn("gateway.admin")(function* (options: AdminOptions) {
  const { client, clientCa } = options
  const access = adminAccess({ client, clientCa, clockwork: machineClockwork })
  const pages = new Map<string, () => ServerPage>([
    ...options.pages,
    ["/metrics", () => ({ contentType: METRICS, body: options.metrics.map((page) => page()).join("") })]
  ])
  const answer = (exchange: HttpExchange): void => {
    const [path = ""] = exchange.path.split("?")
    if (exchange.method !== "GET") return exchange.respond(405, PLAIN, "only GET\n")
    if (health.has(path)) return answerHealth(exchange, path, options.checks)
    access(exchange, path, (refusal) => {
      if (refusal !== undefined) return refuse(exchange, refusal)
      const page = pages.get(path)
      if (page === undefined) return exchange.respond(404, PLAIN, "404 page not found\n")
      const { body, contentType } = page()
      exchange.respond(200, [["content-type", contentType]], body)
    })
  }
  const { identity } = options
  return yield* listen({
    host: options.host,
    port: options.port,
    methods: [],
    exchange: answer,
    onDefect: options.onDefect,
    tls: {
      context: () => ({ cert: identity.cert, key: identity.key, ...(clientCa === "" ? {} : { ca: clientCa }) }),
      clientAuth: "optional"
    }
  })
})
