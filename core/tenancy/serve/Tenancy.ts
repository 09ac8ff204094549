// The server's handler: from a request on the wire to the way that serves it.
// Owns the chain (path, identity, limits, routing) and what is answered to nobody in particular; refuses sockets, files and processes:
// it runs as well in a process that has neither.
import { ApiFailure, type Cancel, type Client, type Clockwork, Failures } from "#kube"
import { Query } from "#apiserver"
import type { HttpExchange, HttpExchangeHandler } from "#net"
import { Catalog } from "../discovery/Catalog.ts"
import { TenantDiscovery } from "../discovery/TenantDiscovery.ts"
import { TenantOpenApi } from "../discovery/TenantOpenApi.ts"
import type { Caller, PlatformCaller, TenantCaller } from "../identity/Caller.ts"
import type { Identify } from "../identity/Identify.ts"
import type { Definitions } from "../lifecycle/Definitions.ts"
import type { KubeconfigRoute } from "../lifecycle/KubeconfigRoute.ts"
import type { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import type { Tenants } from "../lifecycle/Tenants.ts"
import type { TenantView } from "../names/TenantView.ts"
import { QuotaDesk } from "../quota/QuotaDesk.ts"
import type { TenantLimits } from "../quota/TenantLoad.ts"
import { TenantTurns } from "../quota/TenantTurns.ts"
import type { Rewriting } from "../rewrite/Contract.ts"
import type { Upstream } from "../upstream/Upstream.ts"
import { AccessChecks } from "../walls/AccessChecks.ts"
import { Grants } from "../walls/Grants.ts"
import { SharedWatches } from "../watch/SharedWatches.ts"
import { Cursors } from "./Cursor.ts"
import { impersonated } from "./Impersonation.ts"
import { METRICS_TYPE, metricsText } from "./Metrics.ts"
import { answerPlatform } from "./PlatformRoutes.ts"
import { readPath, type RequestPath } from "./RequestPath.ts"
import { ResourceRoutes } from "./ResourceRoutes.ts"
import { Scopes } from "./Scopes.ts"
import { answerFailure, TenantCall } from "./TenantCall.ts"

export interface TenancyOptions {
  /** Raw requests to the cluster behind, with this server's own rights. */
  readonly upstream: Upstream
  /** The same cluster as objects. */
  readonly client: Client
  readonly clockwork: Clockwork
  readonly tenants: Tenants
  readonly namespaces: TenantNamespaces
  /** What custom resources declare; absent: none declares anything. */
  readonly definitions?: Definitions
  readonly identify: Identify
  readonly rewriting: (view: TenantView) => Rewriting
  readonly limits: TenantLimits
  /** What continue tokens are sealed with; servers that share it read one another's. */
  readonly secret: string | Uint8Array
  readonly kubeconfigs?: KubeconfigRoute
  /** Events of each kind from which watches that begin in the past are caught up, before upstream is asked. Default 10,000. */
  readonly eventsKept?: number
  /** Told what was thrown unforeseen. */
  readonly onDefect: (defect: unknown) => void
}

export interface TenancyStats {
  readonly requests: number
  readonly refused: number
  readonly upstreamWatches: number
}

export interface Tenancy {
  readonly handler: HttpExchangeHandler
  readonly catalog: Catalog
  readonly grants: Grants
  readonly stats: () => TenancyStats
  /** From now on not ready; ends the open watches in good order, so that clients go elsewhere. */
  readonly drain: () => void
  readonly stop: () => void
}

export const makeTenancy = (options: TenancyOptions): Tenancy => {
  const server = new Server(options)
  return {
    handler: (exchange) => server.handle(exchange),
    catalog: server.catalog,
    grants: server.grants,
    stats: () => server.stats(),
    drain: () => server.drain(),
    stop: () => server.stop()
  }
}

/** Kinds that upstream took away are forgotten so soon; new ones are asked for when a request names them. */
const REFRESH_MS = 10_000

const text = [["content-type", "text/plain; charset=utf-8"]] as const

class Server {
  readonly catalog: Catalog
  readonly grants: Grants
  private readonly options: TenancyOptions
  private readonly scopes: Scopes
  private readonly shared: SharedWatches
  private readonly resources: ResourceRoutes
  private readonly discovery: TenantDiscovery
  private readonly openApi: TenantOpenApi
  private draining = false
  /** Watches and streams that are open, by tenant. */
  private readonly longRunning = new Map<string, Set<TenantCall>>()
  private readonly turns: TenantTurns
  private readonly cancelRefresh: Cancel
  private requests = 0
  private refused = 0

  constructor(options: TenancyOptions) {
    const { client, clockwork, limits, namespaces, rewriting, secret, tenants, upstream } = options
    this.options = options
    this.turns = new TenantTurns(clockwork)
    this.catalog = new Catalog(upstream)
    this.grants = new Grants(client, clockwork)
    this.shared = new SharedWatches({
      upstream,
      clockwork,
      ...(options.eventsKept === undefined ? {} : { pastMax: options.eventsKept })
    })
    this.scopes = new Scopes({
      tenants,
      catalog: this.catalog,
      definitions: options.definitions,
      clockwork,
      limits,
      rewriting
    })
    this.discovery = new TenantDiscovery(this.catalog)
    this.openApi = new TenantOpenApi(upstream, this.catalog)
    this.resources = new ResourceRoutes({
      upstream,
      namespaces,
      clockwork,
      grants: this.grants,
      quotas: new QuotaDesk(client, clockwork, namespaces),
      shared: this.shared,
      cursors: new Cursors(secret),
      checks: new AccessChecks(client, clockwork)
    })
    tenants.onChange = (id) => this.tenantChanged(id)
    this.catalog.refresh(() => undefined)
    this.cancelRefresh = clockwork.every(REFRESH_MS, () => this.catalog.refresh(() => undefined))
  }

  /** Who may ask no more hears no more. */
  private tenantChanged(id: string): void {
    const tenant = this.options.tenants.get(id)
    if (tenant === undefined) this.scopes.forget(id)
    if (tenant !== undefined && tenant.access !== "Frozen") return
    for (const call of this.longRunning.get(id) ?? []) call.endEarly(false)
  }

  private track(id: string, call: TenantCall): void {
    const calls = this.longRunning.get(id) ?? new Set()
    this.longRunning.set(id, calls.add(call))
    call.onOver(() => {
      calls.delete(call)
      if (calls.size === 0 && this.longRunning.get(id) === calls) this.longRunning.delete(id)
    })
  }

  stats(): TenancyStats {
    return { requests: this.requests, refused: this.refused, upstreamWatches: this.shared.size }
  }

  drain(): void {
    this.draining = true
    for (const calls of this.longRunning.values()) for (const call of calls) call.endEarly(true)
  }

  stop(): void {
    this.cancelRefresh()
    this.shared.stop()
  }

  handle(exchange: HttpExchange): void {
    this.requests++
    this.guard(exchange, () => {
      const { path } = exchange
      if (path === "/healthz" || path === "/livez") return exchange.respond(200, text, "ok")
      if (path === "/readyz")
        return this.draining ? exchange.respond(503, text, "stopping") : exchange.respond(200, text, "ok")
      this.options.identify(exchange, (caller) => this.guard(exchange, () => this.identified(exchange, caller)))
    })
  }

  private guard(exchange: HttpExchange, run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.options.onDefect(defect)
      answerFailure(exchange, Failures.internal("this request met an error that nobody foresaw"))
    }
  }

  private identified(exchange: HttpExchange, caller: Caller | ApiFailure): void {
    if (caller instanceof ApiFailure) {
      this.refused++
      return answerFailure(exchange, caller)
    }
    if (this.options.kubeconfigs?.answer(exchange, caller) === true) return
    if (caller.kind === "platform" && exchange.path === "/metrics") return this.metrics(exchange, caller)
    if (caller.kind === "platform") return answerPlatform(this.options.upstream, exchange, caller)
    const path = readPath(exchange.method, exchange.path)
    if (path === undefined) return exchange.respond(404, text, "404 page not found\n")
    this.tenant(exchange, path, caller)
  }

  private metrics(exchange: HttpExchange, { user }: PlatformCaller): void {
    if (!user.groups.includes("system:masters")) {
      const why = `User ${JSON.stringify(user.name)} cannot get path "/metrics"`
      return answerFailure(exchange, Failures.forbidden({ group: "", resource: "", name: "" }, why))
    }
    const byTenant = Array.from(this.scopes.all(), ({ load, tenant: { id } }) => ({ id, ...load.stats }))
    exchange.respond(200, METRICS_TYPE, metricsText({ ...this.stats(), tenants: this.options.tenants.size, byTenant }))
  }

  private tenant(exchange: HttpExchange, path: RequestPath, caller: TenantCaller): void {
    const scope = this.scopes.of(caller.tenant)
    const acting = impersonated(exchange, caller, scope)
    if (acting instanceof ApiFailure) return answerFailure(exchange, acting)
    const { info } = path
    const isLongRunning = info.verb === "watch" || /^(log|exec|attach|portforward|proxy)$/.test(info.subresource)
    const leave = scope.load.enter(isLongRunning)
    if (leave instanceof ApiFailure) {
      this.refused++
      return answerFailure(exchange, leave)
    }
    const kind = info.isResourceRequest ? scope.kind(info.apiGroup, info.apiVersion, info.resource) : undefined
    const call = new TenantCall(exchange, { path, query: new Query(path.query), caller: acting, scope, kind })
    call.onOver(leave)
    if (isLongRunning) this.track(caller.tenant.id, call)
    if (!info.isResourceRequest) return this.nonResource(call)
    const answer = () => (kind === undefined ? this.unknownKind(call) : this.resources.answer(call))
    if (isLongRunning) return answer()
    const turn = info.verb === "list" ? "list" : "other"
    const take = () => this.guard(exchange, () => (call.over ? undefined : answer()))
    call.onOver(this.turns.take(turn, caller.tenant.id, take))
  }

  /** A kind that is not known may have come a moment ago. */
  private unknownKind(call: TenantCall): void {
    const { exchange, caller, path, query, scope } = call
    const { apiGroup, apiVersion, resource } = path.info
    this.catalog.refresh(() =>
      this.guard(exchange, () => {
        if (call.over) return
        const kind = scope.kind(apiGroup, apiVersion, resource)
        if (kind === undefined) return call.respond(404, text, "404 page not found\n")
        const found = new TenantCall(exchange, { path, query, caller, scope, kind })
        found.onOver(() => call.finish())
        if (path.info.verb === "watch") this.track(caller.tenant.id, found)
        this.resources.answer(found)
      })
    )
  }

  private nonResource(call: TenantCall): void {
    const { path } = call.path.info
    const { method } = call.exchange
    const segments = path.split("/").filter((segment) => segment !== "")
    if (method === "GET" || method === "HEAD") {
      if (TenantDiscovery.isDiscovery(segments)) return this.discovery.answer(call, segments)
      if (segments[0] === "openapi") return this.openApi.answer(call, segments)
      if (path === "/version" || path === "/version/") return this.openApi.version(call)
    }
    const who = call.scope.names.userDown(call.caller.user.name) ?? ""
    const why = `User ${JSON.stringify(who)} cannot ${method.toLowerCase()} path ${JSON.stringify(path)}`
    call.fail(Failures.forbidden({ group: "", resource: "", name: "" }, why))
  }
}
