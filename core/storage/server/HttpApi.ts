// What the store answers over plain HTTP: health, liveness, readiness, version, metrics.
// Owns paths and bodies, which are etcd's; refuses everything else with 404.
import { type HttpHandler, type HttpResponse, type ListenStats, textResponse } from "#net"
import { ETCD_VERSION } from "../api/MaintenanceApi.ts"
import { AlarmType } from "../rpc/AdminMessages.ts"
import type { StorageNode } from "../nodes/StorageNode.ts"
import { renderFrontMetrics, renderMetrics } from "./Metrics.ts"
import type { Storage } from "./Storage.ts"

const json = (status: number, body: unknown): HttpResponse => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body)
})

const versions = { etcdserver: ETCD_VERSION, etcdcluster: "3.7.0", storage: "3.7.0" }

/** What differs between a member that holds the store and one in front of it. */
interface Pages {
  readonly isReady: () => boolean
  readonly health: (excluded: ReadonlyArray<string>) => HttpResponse
  readonly metrics: () => string
}

const serve =
  ({ health, isReady, metrics }: Pages): HttpHandler =>
  ({ path }) => {
    const [route, query = ""] = path.split("?")
    switch (route) {
      case "/version":
        return json(200, versions)
      case "/health":
        return health(new URLSearchParams(query).getAll("exclude"))
      case "/livez":
        return textResponse(200, "ok\n")
      case "/readyz":
        return isReady() ? textResponse(200, "ok\n") : textResponse(503, "not ready\n")
      case "/metrics":
        return {
          status: 200,
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
          body: metrics()
        }
      default:
        return textResponse(404, "404 page not found\n")
    }
  }

/** Answers the store's HTTP paths; `isReady` turns false while the server drains. */
export const httpApi = (
  storage: Storage,
  wire: () => ListenStats,
  isReady: () => boolean,
  node?: StorageNode
): HttpHandler =>
  serve({
    isReady,
    health: (excluded) => (node?.hasLeader === false ? leaderless : health(storage, excluded)),
    metrics: () => renderMetrics(storage, wire(), node)
  })

const leaderless = json(503, { health: "false", reason: "RAFT NO LEADER" })

/** The same paths on a member in front of the store; it is ready and healthy while the store is in reach. */
export const frontHttpApi = (wire: () => ListenStats, isReady: () => boolean, startedAtMs: number): HttpHandler =>
  serve({
    isReady,
    health: () => (isReady() ? json(200, { health: "true", reason: "" }) : leaderless),
    metrics: () => renderFrontMetrics(wire(), isReady(), startedAtMs)
  })

/** Unhealthy while an alarm is raised, unless the caller excludes it. */
const health = ({ alarms, healthChecks }: Storage, excluded: ReadonlyArray<string>): HttpResponse => {
  const names = alarms.active.map((alarm) => (alarm === AlarmType.NoSpace ? "NOSPACE" : "CORRUPT"))
  const raised = names.find((name) => !excluded.includes(name))
  if (raised === undefined) healthChecks.passed++
  else healthChecks.failed++
  return raised === undefined
    ? json(200, { health: "true", reason: "" })
    : json(503, { health: "false", reason: `ALARM ${raised}` })
}
