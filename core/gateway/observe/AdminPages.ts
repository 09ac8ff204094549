// The gateway's own pages, on its own address: health for everyone, and metrics, version and what it is doing for those who may see it.
// Owns routing, authorisation and the Statuses of refusals; refuses content, which is brought. Hosts that are no address of the gateway
// are not answered with pages: a cluster's name that is not served yet must not show them. Reads only: other methods get 405.
import type { Authenticator, UserInfo } from "#apiserver"
import { Rejected } from "#apiserver"
import type { Json } from "#kube"
import type { HttpExchange, HttpExchangeHandler } from "#net"
import { isIP } from "node:net"
import { hostOf } from "../proxy/HostName.ts"

/** Whether a part is well: undefined, or why not. */
export interface AdminCheck {
  readonly name: string
  readonly check: () => string | undefined
  /** Whether only readiness depends on it. */
  readonly readinessOnly?: boolean
}

export interface AdminPagesOptions {
  /** Who asks, by certificate or token; absent: nobody can prove anything, and only health is shown. */
  readonly authenticator?: Authenticator
  /** Who sees more than health: groups. Default system:masters and system:monitoring. */
  readonly groups?: ReadonlyArray<string>
  /** Names beside its addresses under which the gateway itself is asked. */
  readonly names?: ReadonlyArray<string>
  readonly checks: ReadonlyArray<AdminCheck>
  readonly metrics: () => string
  readonly version: Json
  /** Pages below /debug/ by the rest of their path. */
  readonly debug: ReadonlyMap<string, () => Json>
  /** Answers hosts that are not the gateway's. */
  readonly strangers: HttpExchangeHandler
}

const GROUPS = ["system:masters", "system:monitoring"]
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

const text = (exchange: HttpExchange, status: number, body: string, type = "text/plain; charset=utf-8"): void =>
  exchange.respond(
    status,
    [
      ["content-type", type],
      ["cache-control", "no-cache, private"],
      ["x-content-type-options", "nosniff"]
    ],
    body
  )

const json = (exchange: HttpExchange, status: number, value: Json): void =>
  text(exchange, status, `${JSON.stringify(value, undefined, 2)}\n`, "application/json")

const refuse = (exchange: HttpExchange, code: number, reason: string, message: string): void =>
  json(exchange, code, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code })

export class AdminPages {
  private readonly options: AdminPagesOptions
  private readonly groups: ReadonlySet<string>
  private readonly names: ReadonlySet<string>

  constructor(options: AdminPagesOptions) {
    this.options = options
    this.groups = new Set(options.groups ?? GROUPS)
    this.names = new Set(["localhost", ...(options.names ?? [])])
  }

  readonly handler: HttpExchangeHandler = (exchange) => {
    const host = hostOf(exchange.header("host") ?? "")
    if (host === undefined || (isIP(host) === 0 && !this.names.has(host))) return this.options.strangers(exchange)
    const [path = "/", query = ""] = exchange.path.split("?")
    const [, first = "", ...rest] = path.split("/")
    if (exchange.method !== "GET" && exchange.method !== "HEAD")
      return refuse(exchange, 405, "MethodNotAllowed", "the gateway's own pages are only read")
    if (first === "healthz" || first === "livez" || first === "readyz")
      return this.health(exchange, first, { rest: rest.join("/"), verbose: /(?:^|&)verbose(?:$|[=&])/.test(query) })
    const user = this.userOf(exchange, path)
    if (user === undefined) return refuse(exchange, 401, "Unauthorized", "Unauthorized")
    if (!user.groups.some((group) => this.groups.has(group))) {
      const message = `forbidden: User ${JSON.stringify(user.name)} cannot get path ${JSON.stringify(path)}`
      return refuse(exchange, 403, "Forbidden", message)
    }
    this.page(exchange, path)
  }

  private userOf(exchange: HttpExchange, path: string): UserInfo | undefined {
    const answer = this.options.authenticator?.authenticate(exchange, path)
    return answer === undefined || answer instanceof Rejected ? undefined : answer.user
  }

  private page(exchange: HttpExchange, path: string): void {
    const { debug, metrics, version } = this.options
    if (path === "/metrics") return text(exchange, 200, metrics(), METRICS_TYPE)
    if (path === "/version") return json(exchange, 200, version)
    const page = path.startsWith("/debug/") ? debug.get(path.slice("/debug/".length)) : undefined
    if (page !== undefined) return json(exchange, 200, page())
    const paths = ["/healthz", "/livez", "/readyz", "/metrics", "/version"]
    if (path === "/")
      return json(exchange, 200, { paths: [...paths, ...[...debug.keys()].map((name) => `/debug/${name}`)] })
    text(exchange, 404, "404 page not found\n")
  }

  private health(
    exchange: HttpExchange,
    endpoint: "healthz" | "livez" | "readyz",
    { rest, verbose }: { readonly rest: string; readonly verbose: boolean }
  ): void {
    const all = this.options.checks.filter(({ readinessOnly }) => endpoint === "readyz" || readinessOnly !== true)
    const asked = rest === "" ? all : all.filter(({ name }) => name === rest)
    if (asked.length === 0 && rest !== "") return text(exchange, 404, "404 page not found\n")
    // Why a part is unwell is for the log and for those who may see more: here only its name is told.
    const lines = asked.map(({ check, name }) => ({ name, well: check() === undefined }))
    const well = lines.every((line) => line.well)
    const shown = lines.map((line) => (line.well ? `[+]${line.name} ok` : `[-]${line.name} failed: reason withheld`))
    const verdict = `${endpoint} check ${well ? "passed" : "failed"}`
    text(exchange, well ? 200 : 500, well && !verbose ? "ok" : `${[...shown, verdict].join("\n")}\n`)
  }
}
