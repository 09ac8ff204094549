// Paths that are no resource: discovery, OpenAPI, health, version, metrics and the index of them all.
// Owns the routing of these; each answer is made by its own part.
import type { Definitions } from "../Definition.ts"
import type { Call } from "./Call.ts"
import type { Discovery } from "./Discovery.ts"
import { answerDiscovery } from "./DiscoveryRoutes.ts"
import type { FrontMetrics } from "./FrontMetrics.ts"
import { type HealthCheck, HealthChecks, type HealthEndpoint } from "./HealthChecks.ts"
import { notAcceptable } from "./ObjectAnswer.ts"
import { OpenApiRoutes } from "./OpenApiRoutes.ts"
import { methodNotAllowed, textNotFound } from "./PlainAnswers.ts"
import { encodeValue } from "./StatusBody.ts"
import { versionInfo } from "./Version.ts"

export interface ServerRoutesOptions {
  readonly definitions: Definitions
  readonly discovery: Discovery
  readonly metrics: FrontMetrics
  readonly checks: ReadonlyArray<HealthCheck>
  readonly serverAddress: () => string
  readonly extraPaths: ReadonlyMap<string, (call: Call) => void>
  readonly onUnhealthy: (text: string) => void
}

const isHealth = (text: string): text is HealthEndpoint => text === "livez" || text === "readyz" || text === "healthz"

export class ServerRoutes {
  private readonly options: ServerRoutesOptions
  private readonly health: HealthChecks
  private readonly openApi: OpenApiRoutes

  constructor(options: ServerRoutesOptions) {
    this.options = options
    this.health = new HealthChecks(options.checks, (endpoint, text) =>
      options.onUnhealthy(`${endpoint} check failed: ${text}`)
    )
    this.openApi = new OpenApiRoutes(options.definitions)
  }

  answer(call: Call): void {
    const { path } = call.url
    const { discovery, extraPaths, serverAddress } = this.options
    const extra = extraPaths.get(path)
    if (extra !== undefined) return extra(call)
    if (answerDiscovery(call, discovery, serverAddress())) return
    const [, first = "", ...rest] = path.split("/")
    if (call.exchange.method !== "GET" && this.knows(path)) return call.fail(methodNotAllowed())
    if (isHealth(first)) return this.health.answer(call, first, rest.join("/"))
    if (path === "/") return this.value(call, { paths: this.paths() })
    if (path === "/version" || path === "/version/") return this.value(call, versionInfo)
    if (path === "/metrics") {
      const type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
      return call.respond(200, [["content-type", type]], this.options.metrics.text())
    }
    if (!this.openApi.answer(call)) textNotFound(call)
  }

  private value(call: Call, value: unknown): void {
    const { wanted } = call
    if (wanted === undefined) return call.fail(notAcceptable())
    // These two are laid out for people whoever asks.
    const { body, contentType } = encodeValue(value, { ...wanted, format: "json", pretty: true })
    call.respond(200, [["content-type", contentType]], body)
  }

  private knows(path: string): boolean {
    return path === "/" || this.paths().includes(path)
  }

  /** All paths that answer something, in order. */
  private paths(): ReadonlyArray<string> {
    const { discovery, extraPaths } = this.options
    const groups = [...discovery.groups()].flatMap(([group, versions]) =>
      group === ""
        ? versions.map((version) => `/api/${version}`)
        : [`/apis/${group}`, ...versions.map((version) => `/apis/${group}/${version}`)]
    )
    const own = ["/api", "/apis", "/apis/", "/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"]
    return [...own, ...groups, ...this.health.paths().map((name) => `/${name}`), ...extraPaths.keys()].sort()
  }
}
