// What a gateway tells of itself beside its metrics: health checks, and a page of its clusters.
// Owns the pages; refuses to decide who may see them (our API server's RBAC, or AdminPages.ts).
import type { HealthCheck } from "#apiserver"
import type { Json, JsonObject } from "#kube"
import type { ConfigStore } from "../config/ConfigStore.ts"
import type { StatusReporter } from "../source/StatusReporter.ts"

/** Parts of the gateway that may not be there yet. */
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

const clustersPage = ({ reporter, store }: GatewayParts): Json => ({
  revision: store.current().revision,
  clusters: Array.from(store.verdicts(), ({ message, name, reason, serving }): JsonObject => ({
    name,
    reason,
    message,
    generation: serving?.generation ?? null,
    status: reporter()?.statusOf(name) ?? null
  }))
})

/** Pages by their path below /debug/; nothing in them is secret, but who may see them is asked all the same. */
export const gatewayPages = (parts: GatewayParts): ReadonlyMap<string, () => Json> =>
  new Map([["gateway/clusters", () => clustersPage(parts)]])
