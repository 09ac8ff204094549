// The store's numbers under etcd's metric names, in Prometheus' text format.
// Owns names, types and buckets; refuses to gather: everything is read from the parts when somebody asks.
// Source of the names: etcd 3.7 `/metrics`.
import { readFileSync } from "node:fs"
import type { ListenStats } from "#net"
import { ETCD_VERSION } from "../api/MaintenanceApi.ts"
import type { Storage } from "./Storage.ts"

type Kind = "counter" | "gauge"

/** One metric with its samples; labels are written as given. */
interface Family {
  readonly name: string
  readonly kind: Kind
  readonly help: string
  readonly samples: ReadonlyArray<readonly [labels: string, value: number]>
}

const gauge = (name: string, help: string, value: number, labels = ""): Family => ({
  name,
  kind: "gauge",
  help,
  samples: [[labels, value]]
})
const counter = (name: string, help: string, value: number): Family => ({
  ...gauge(name, help, value),
  kind: "counter"
})

/** Everything that `/metrics` shows. */
export const renderMetrics = (storage: Storage, wire: ListenStats): string =>
  [
    ...serverFamilies(storage),
    ...mvccFamilies(storage),
    ...wireFamilies(storage, wire),
    ...processFamilies(storage.startedAtMs)
  ]
    .map(render)
    .join("")

/** What a member in front of the store can tell. */
export const renderFrontMetrics = (wire: ListenStats, connected: boolean, startedAtMs: number): string =>
  [
    gauge("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", connected ? 1 : 0),
    gauge("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", 0),
    ...trafficFamilies(wire),
    ...processFamilies(startedAtMs)
  ]
    .map(render)
    .join("")

const render = ({ help, kind, name, samples }: Family): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${samples
    .map(([labels, value]) => `${name}${labels} ${value}\n`)
    .join("")}`

const serverFamilies = (storage: Storage): ReadonlyArray<Family> => [
  gauge("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", 1),
  gauge("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", 1),
  gauge("etcd_server_version", "Which version is running.", 1, `{server_version="${ETCD_VERSION}"}`),
  gauge("etcd_cluster_version", "Which version is running.", 1, `{cluster_version="3.7"}`),
  gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", storage.quotaBytes),
  counter(
    "etcd_server_proposals_committed_total",
    "Answers to writes that were committed.",
    storage.store.committer.stats.answers
  ),
  counter("etcd_server_proposals_failed_total", "Commits that failed.", storage.store.committer.stats.failures),
  counter(
    "etcd_disk_backend_commits_total",
    "Durable commits; answers per commit show the grouping.",
    storage.store.committer.stats.commits
  )
]

const mvccFamilies = ({ auth, compactor, hub, store, counts }: Storage): ReadonlyArray<Family> => {
  const { inUseBytes, totalBytes } = store.engine.size()
  return [
    gauge("etcd_mvcc_db_total_size_in_bytes", "Total size of the underlying database in bytes.", totalBytes),
    gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Size of the database logically in use in bytes.", inUseBytes),
    gauge("etcd_debugging_auth_revision", "The current revision of auth store.", auth.revision),
    gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.", store.revision),
    gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", store.compacted),
    counter("etcd_debugging_mvcc_db_compaction_keys_total", "Rows removed by compaction.", compactor.stats.rowsRemoved),
    gauge(
      "etcd_debugging_mvcc_db_compaction_longest_step_ms",
      "Longest step of compaction in milliseconds.",
      compactor.stats.longestStepMs
    ),
    gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers.", hub.watcherCount),
    gauge(
      "etcd_debugging_mvcc_slow_watcher_total",
      "Watchers that read the log because they are behind.",
      hub.behindCount
    ),
    counter("etcd_debugging_mvcc_events_total", "Events sent to watchers.", hub.stats.eventsSent),
    gauge("etcd_debugging_lease_active", "Leases that have not expired.", store.lessor.size),
    counter("etcd_mvcc_range_total", "Ranges asked for.", counts.get("/etcdserverpb.KV/Range") ?? 0),
    counter("etcd_mvcc_put_total", "Puts asked for.", counts.get("/etcdserverpb.KV/Put") ?? 0),
    counter("etcd_mvcc_delete_total", "Deletions asked for.", counts.get("/etcdserverpb.KV/DeleteRange") ?? 0),
    counter("etcd_mvcc_txn_total", "Transactions asked for.", counts.get("/etcdserverpb.KV/Txn") ?? 0)
  ]
}

const trafficFamilies = (wire: ListenStats): ReadonlyArray<Family> => [
  counter("etcd_network_client_grpc_received_bytes_total", "Bytes received from clients.", wire.bytesReceived),
  counter("etcd_network_client_grpc_sent_bytes_total", "Bytes sent to clients.", wire.bytesSent)
]

const wireFamilies = ({ counts }: Storage, wire: ListenStats): ReadonlyArray<Family> => [
  ...trafficFamilies(wire),
  {
    name: "grpc_server_started_total",
    kind: "counter",
    help: "Total number of RPCs started on the server.",
    samples: [...counts].map(([path, count]) => {
      const [, service, method] = path.split("/")
      return [`{grpc_method="${method}",grpc_service="${service}"}`, count] as const
    })
  }
]

const processFamilies = (startedAtMs: number): ReadonlyArray<Family> => {
  const { rss } = process.memoryUsage()
  const { system, user } = process.cpuUsage()
  return [
    counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", (user + system) / 1e6),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", rss),
    gauge(
      "process_resident_anonymous_memory_bytes",
      "Resident memory that no file backs, in bytes.",
      anonymousBytes(rss)
    ),
    gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", startedAtMs / 1000)
  ]
}

/** Memory that the process itself needs; pages of the data file are not counted where the system tells them apart. */
const anonymousBytes = (rss: number): number => {
  try {
    return Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? rss / 1024) * 1024
  } catch {
    return rss
  }
}
