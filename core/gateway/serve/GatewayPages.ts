// What a gateway tells of itself beside /metrics: health checks, and a page of its clusters.
// Owns the pages; refuses to decide who may see them (our API server's RBAC, or ServeAdmin.ts).
import type { HealthCheck, ServerPage } from "#apiserver"
import type { JsonObject } from "#kube"
import type { ConfigStore } from "../config/ConfigStore.ts"
import type { StatusReporter } from "../source/StatusReporter.ts"

/** A part of the gateway that may not be there yet. */
export interface GatewayParts {
  readonly store: ConfigStore
  readonly reporter: () => StatusReporter | undefined
  readonly isSynced: () => boolean
  /** Whether every endpoint was checked once. */
  readonly isChecked: () => boolean
  readonly isDraining: () => boolean
}

/** Ready: the configuration was read, and its endpoints were looked at. */
export const gatewayChecks = (parts: GatewayParts): ReadonlyArray<HealthCheck> => [
  {
    name: "gateway-config",
    readinessOnly: true,
    check: () => (parts.isSynced() ? undefined : "the configuration was not read yet")
  },
  {
    name: "gateway-endpoints",
    readinessOnly: true,
    check: () => (parts.isChecked() ? undefined : "endpoints were not checked yet")
  },
  { name: "gateway-shutdown", readinessOnly: true, check: () => (parts.isDraining() ? "shutting down" : undefined) }
]

const clustersPage = ({ reporter, store }: GatewayParts): ServerPage => {
  const clusters = Array.from(store.verdicts(), ({ message, name, reason, serving }): JsonObject => ({
    name,
    reason,
    message,
    generation: serving?.generation ?? null,
    status: reporter()?.statusOf(name) ?? null
  }))
  const body = { revision: store.current().revision, clusters }
  return { contentType: "application/json", body: `${JSON.stringify(body, undefined, 2)}\n` }
}

/** Pages by path; nothing in them is secret, but who may see them is asked all the same. */
export const gatewayPages = (parts: GatewayParts): ReadonlyMap<string, () => ServerPage> =>
  new Map([["/debug/gateway/clusters", () => clustersPage(parts)]])
