// The store's numbers under etcd's metric names.
// Owns names, types and help; refuses to gather: everything is read from the parts when somebody asks. What Raft alone has
// (peers, snapshots of the log) is left out rather than shown as 0.
// Source of the names: etcd 3.7 `/metrics`.
import { GrpcCode, grpcCodeName, type ListenStats } from "#net"
import { ETCD_VERSION } from "../api/MaintenanceApi.ts"
import type { StorageNode } from "../nodes/StorageNode.ts"
import { keyRange } from "../mvcc/Snapshot.ts"
import { counter, type Family, gauge, histogram, renderFamilies } from "./MetricFamily.ts"
import { processFamilies } from "./ProcessMetrics.ts"
import type { MethodCalls, Storage } from "./Storage.ts"

/** Everything that `/metrics` shows. */
export const renderMetrics = (storage: Storage, wire: ListenStats, node?: StorageNode): string =>
  renderFamilies([
    ...serverFamilies(storage, node),
    ...(node === undefined ? [] : nodeFamilies(node)),
    ...diskFamilies(storage),
    ...mvccFamilies(storage),
    ...watchAndLeaseFamilies(storage),
    ...trafficFamilies(wire),
    ...callFamilies(storage.calls),
    ...(storage.store.engine.metrics?.() ?? []),
    ...processFamilies(storage.startedAtMs)
  ])

/** What a member in front of the store can tell. */
export const renderFrontMetrics = (wire: ListenStats, connected: boolean, startedAtMs: number): string =>
  renderFamilies([
    ...leadershipFamilies(connected, false, Number(connected)),
    ...trafficFamilies(wire),
    ...processFamilies(startedAtMs)
  ])

const leadershipFamilies = (hasLeader: boolean, isLeader: boolean, changes: number): ReadonlyArray<Family> => [
  gauge("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", Number(hasLeader)),
  gauge("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", Number(isLeader)),
  gauge("etcd_server_is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.", 0),
  counter("etcd_server_leader_changes_seen_total", "The number of leader changes seen.", changes)
]

/** How a node takes part: what it sent to the leader, and how many reads shared one look at the engine. */
const nodeFamilies = ({ reads, router }: StorageNode): ReadonlyArray<Family> => [
  counter("kubewharf_storage_forwarded_requests_total", "Requests sent on to the leader.", router.stats.forwarded),
  counter(
    "kubewharf_storage_repeated_requests_total",
    "Requests that did nothing, or may be repeated, and went on to the next leader.",
    router.stats.repeated
  ),
  counter(
    "kubewharf_storage_unknown_requests_total",
    "Requests answered as unknown because the way to the leader broke.",
    router.stats.unknown
  ),
  counter("kubewharf_storage_reads_total", "Reads asked of the engine.", reads.stats.asked),
  counter("kubewharf_storage_gathered_reads_total", "Reads of the engine that answered them.", reads.stats.carried)
]

const serverFamilies = (
  { healthChecks, quotaBytes, store }: Storage,
  node: StorageNode | undefined
): ReadonlyArray<Family> => {
  const { pending, stats } = store.committer
  return [
    ...(node === undefined
      ? leadershipFamilies(true, true, 1)
      : leadershipFamilies(node.hasLeader, node.leads(), node.election.leaderChanges)),
    gauge("etcd_server_version", "Which version is running.", 1, `{server_version="${ETCD_VERSION}"}`),
    gauge("etcd_cluster_version", "Which version is running.", 1, `{cluster_version="3.7"}`),
    gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", quotaBytes),
    gauge("etcd_server_proposals_committed_total", "Writes that are durable.", stats.answers),
    gauge("etcd_server_proposals_applied_total", "Writes that are visible.", stats.answers),
    gauge("etcd_server_proposals_pending", "Writes that wait for a commit.", pending),
    counter("etcd_server_proposals_failed_total", "Commits that failed.", stats.failures),
    counter("etcd_server_health_success", "The total number of successful health checks.", healthChecks.passed),
    counter("etcd_server_health_failures", "The total number of failed health checks.", healthChecks.failed)
  ]
}

/** A commit here is one durable write for all that waited, so log and backend show the same time. */
const diskFamilies = ({ store }: Storage): ReadonlyArray<Family> => {
  const { durations, stats } = store.committer
  return [
    histogram("etcd_disk_wal_fsync_duration_seconds", "The time that a durable commit took.", durations),
    histogram("etcd_disk_backend_commit_duration_seconds", "The time that a durable commit took.", durations),
    counter("etcd_disk_backend_commits_total", "Durable commits; writes per commit show the grouping.", stats.commits)
  ]
}

const everything = keyRange(Buffer.alloc(1), Buffer.alloc(1))

const keyCount = ({ store }: Storage): number => {
  let keys = 0
  store.engine.read(
    () => [],
    (view) => void (keys = store.latest(view).count(everything))
  )
  return keys
}

const mvccFamilies = (storage: Storage): ReadonlyArray<Family> => {
  const { auth, calls, compactor, store } = storage
  const { inUseBytes, totalBytes } = store.engine.size()
  const asked = (method: string) => calls.find(({ path }) => path === `/etcdserverpb.KV/${method}`)?.started ?? 0
  return [
    gauge("etcd_mvcc_db_total_size_in_bytes", "Total size of the underlying database in bytes.", totalBytes),
    gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Size of the database logically in use in bytes.", inUseBytes),
    gauge("etcd_debugging_auth_revision", "The current revision of auth store.", auth.revision),
    // To count the keys of a shared engine is to read it all.
    ...(store.engine.shared === true
      ? []
      : [gauge("etcd_debugging_mvcc_keys_total", "Total number of keys.", keyCount(storage))]),
    gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.", store.revision),
    gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", store.compacted),
    counter("etcd_debugging_mvcc_db_compaction_keys_total", "Rows removed by compaction.", compactor.stats.rowsRemoved),
    gauge(
      "etcd_debugging_mvcc_db_compaction_longest_step_ms",
      "Longest step of compaction in milliseconds.",
      compactor.stats.longestStepMs
    ),
    counter("etcd_mvcc_range_total", "Ranges asked for.", asked("Range") + asked("RangeStream")),
    counter("etcd_mvcc_put_total", "Puts asked for.", asked("Put")),
    counter("etcd_mvcc_delete_total", "Deletions asked for.", asked("DeleteRange")),
    counter("etcd_mvcc_txn_total", "Transactions asked for.", asked("Txn"))
  ]
}

const watchAndLeaseFamilies = ({ expiredLeases, hub, store }: Storage): ReadonlyArray<Family> => {
  const { size, stats } = store.lessor
  return [
    gauge("etcd_debugging_mvcc_watch_stream_total", "Total number of watch streams.", hub.stats.streams),
    gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers.", hub.watcherCount),
    gauge(
      "etcd_debugging_mvcc_slow_watcher_total",
      "Watchers that read the log because they are behind.",
      hub.behindCount
    ),
    counter("etcd_debugging_mvcc_events_total", "Events sent to watchers.", hub.stats.eventsSent),
    gauge("etcd_debugging_lease_active", "Leases that have not expired.", size),
    counter("etcd_debugging_lease_granted_total", "The total number of granted leases.", stats.granted),
    counter("etcd_debugging_lease_renewed_total", "The number of renewed leases seen by the leader.", stats.renewed),
    counter("etcd_debugging_lease_revoked_total", "The total number of revoked leases.", stats.revoked),
    counter("etcd_debugging_server_lease_expired_total", "The total number of expired leases.", expiredLeases)
  ]
}

const trafficFamilies = (wire: ListenStats): ReadonlyArray<Family> => [
  counter("etcd_network_client_grpc_received_bytes_total", "Bytes received from clients.", wire.bytesReceived),
  counter("etcd_network_client_grpc_sent_bytes_total", "Bytes sent to clients.", wire.bytesSent)
]

const typeOf: Readonly<Record<string, string>> = {
  RangeStream: "server_stream",
  Snapshot: "server_stream",
  Watch: "bidi_stream",
  LeaseKeepAlive: "bidi_stream"
}

const labelsOf = (path: string): string => {
  const [, service, method] = path.split("/")
  return `grpc_method="${method}",grpc_service="${service}",grpc_type="${typeOf[method] ?? "unary"}"`
}

/** grpc-go spells two of the codes in its own way. */
const codeName = (code: number): string =>
  code === GrpcCode.Ok ? "OK" : code === GrpcCode.Cancelled ? "Canceled" : grpcCodeName(code)

const callFamilies = (calls: ReadonlyArray<MethodCalls>): ReadonlyArray<Family> => [
  {
    name: "grpc_server_started_total",
    kind: "counter",
    help: "Total number of RPCs started on the server.",
    samples: calls.map(({ path, started }) => [`{${labelsOf(path)}}`, started] as const)
  },
  {
    name: "grpc_server_handled_total",
    kind: "counter",
    help: "Total number of RPCs completed on the server, regardless of success or failure.",
    samples: calls.flatMap(({ handled, path }) =>
      [...handled].map((ended, code) => [`{grpc_code="${codeName(code)}",${labelsOf(path)}}`, ended] as const)
    )
  }
]
