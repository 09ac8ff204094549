// What a running federation counts, as Prometheus reads it.
// Owns names and texts; refuses to count anything itself.
import type { FederationStats } from "../Federation.ts"

const gauge = (name: string, help: string, rows: ReadonlyArray<readonly [labels: string, value: number]>): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${rows.map(([labels, value]) => `${name}${labels} ${value}\n`).join("")}`

const counter = (name: string, help: string, rows: ReadonlyArray<readonly [labels: string, value: number]>): string =>
  gauge(name, help, rows).replace(" gauge\n", " counter\n")

/** One page. */
export const federationMetrics = (stats: FederationStats): string => {
  const each = (value: (stats: ReturnType<FederationStats["controllers"][number]["stats"]>) => number) =>
    stats.controllers.map(({ name, stats: read }) => [`{controller="${name}"}`, value(read())] as const)
  const waiting = [...stats.queued].map(([cluster, keys]) => [`{cluster="${cluster}"}`, keys] as const)
  return [
    gauge("federation_clusters", "Joined member clusters.", [["", stats.clusters]]),
    gauge("federation_objects", "Federated objects.", [["", stats.objects]]),
    gauge("federation_open_circuits", "Members that are left alone because they do not answer.", [
      ["", stats.openCircuits]
    ]),
    gauge("federation_unclaimed_objects", "Managed objects in members that no federated object stands for.", [
      ["", stats.unclaimed]
    ]),
    counter(
      "federation_events_total",
      "Events about sources, by what became of them.",
      Object.entries(stats.events).map(([end, count]) => [`{end="${end}"}`, count] as const)
    ),
    gauge("federation_member_queue_length", "Objects that wait for a member.", waiting),
    gauge(
      "federation_queue_length",
      "Keys that wait for a controller.",
      each(({ queued }) => queued)
    ),
    counter(
      "federation_reconciles_total",
      "Keys that a controller has worked on.",
      each(({ reconciles }) => reconciles)
    ),
    counter(
      "federation_failures_total",
      "Keys whose work failed and is tried again.",
      each(({ failures }) => failures)
    )
  ].join("")
}
