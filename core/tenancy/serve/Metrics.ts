// The server's counters as Prometheus reads them: of all together, and of each tenant that asked for something.
// Owns names and text; refuses to count.
import type { TenantLoadStats } from "../quota/TenantLoad.ts"
import type { TenancyStats } from "./Tenancy.ts"

export const METRICS_TYPE = [["content-type", "text/plain; version=0.0.4; charset=utf-8"]] as const

export interface MetricsShown extends TenancyStats {
  readonly tenants: number
  readonly byTenant: ReadonlyArray<TenantLoadStats & { readonly id: string }>
}

type Row = readonly [name: string, type: "counter" | "gauge", help: string]

const together: ReadonlyArray<readonly [...Row, of: (stats: MetricsShown) => number]> = [
  ["requests_total", "counter", "Requests that came, of tenants and operators.", ({ requests }) => requests],
  ["refused_total", "counter", "Requests of nobody known, or above a tenant's limits.", ({ refused }) => refused],
  ["upstream_watches", "gauge", "Watches that tenants share.", ({ upstreamWatches }) => upstreamWatches],
  ["tenants", "gauge", "Tenants that exist.", ({ tenants }) => tenants]
]

const each: ReadonlyArray<readonly [...Row, of: keyof TenantLoadStats]> = [
  ["tenant_requests_total", "counter", "Requests of a tenant.", "requests"],
  ["tenant_refused_total", "counter", "Requests above a tenant's limits.", "refused"],
  ["tenant_requests_in_flight", "gauge", "Requests of a tenant that are under way.", "inFlight"],
  ["tenant_streams_open", "gauge", "Watches and streams of a tenant that are open.", "longRunning"]
]

const metric = ([name, type, help]: Row, samples: ReadonlyArray<string>): string => {
  const full = `kubewharf_tenancy_${name}`
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${samples.map((sample) => `${full}${sample}\n`).join("")}`
}

/** All of them in the text format of Prometheus. */
export const metricsText = (stats: MetricsShown): string =>
  [
    ...together.map(([name, type, help, of]) => metric([name, type, help], [` ${of(stats)}`])),
    // Ids have no character that a label's value must escape.
    ...each.map(([name, type, help, of]) =>
      metric(
        [name, type, help],
        stats.byTenant.map((tenant) => `{tenant="${tenant.id}"} ${tenant[of]}`)
      )
    )
  ].join("")
