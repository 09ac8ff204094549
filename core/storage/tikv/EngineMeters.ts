// What the engine on TiKV counts: its operations and their times, the client's requests, retries, regions and commits.
// Owns names, help and the counting of operations; refuses to count what the parts of the client count themselves.
import { Effect } from "effect"
import type { EngineMetric } from "../engine/Engine.ts"
import { durationBounds, Histogram } from "../mvcc/Histogram.ts"
import type { TikvEngineOptions } from "./TikvEngine.ts"

/** What is timed: `timestamp`, `get` and `scan` and `count` of reads, and `commit`. */
const operations = ["timestamp", "get", "scan", "count", "commit"] as const
type Operation = (typeof operations)[number]

export class EngineMeters {
  private readonly options: TikvEngineOptions
  private readonly times: Readonly<Record<Operation, Histogram>> = {
    timestamp: new Histogram(),
    get: new Histogram(),
    scan: new Histogram(),
    count: new Histogram(),
    commit: new Histogram()
  }
  failedReads = 0
  scannedRows = 0

  constructor(options: TikvEngineOptions) {
    this.options = options
  }

  /** Notes how long an operation took that began at a time of the monotonic clock. */
  observe(operation: Operation, startedMs: number): void {
    this.times[operation].observe((this.options.monotonic() - startedMs) / 1000)
  }

  /** Runs an operation and notes how long it took, however it ended. */
  timed<A, E>(operation: Operation, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const startedMs = this.options.monotonic()
      return Effect.ensuring(
        effect,
        Effect.sync(() => this.observe(operation, startedMs))
      )
    })
  }

  /** Everything counted, in Prometheus' terms. */
  families(): ReadonlyArray<EngineMetric> {
    return [this.operationTimes(), ...this.clientFamilies()]
  }

  private operationTimes(): EngineMetric {
    return {
      name: "wharf_tikv_operation_duration_seconds",
      kind: "histogram",
      help: "Time of the engine's operations on TiKV.",
      samples: operations.flatMap((operation) => {
        const { counts, sum } = this.times[operation]
        let below = 0
        const buckets = [...counts].map((count, at) => {
          below += count
          return [`_bucket{operation="${operation}",le="${durationBounds[at] ?? "+Inf"}"}`, below] as const
        })
        const label = `{operation="${operation}"}`
        return [...buckets, [`_sum${label}`, sum] as const, [`_count${label}`, below] as const]
      })
    }
  }

  private clientFamilies(): ReadonlyArray<EngineMetric> {
    const { client, oracle, pd, regions, resolver, transactions } = this.options.client
    const labelled = (counts: ReadonlyMap<string, number>, label: string) =>
      [...counts].map(([name, count]) => [`{${label}="${name.slice(name.lastIndexOf("/") + 1)}"}`, count] as const)
    return [
      counter("wharf_tikv_requests_total", "Requests to stores.", labelled(client.stats.requests, "method")),
      counter(
        "wharf_tikv_region_errors_total",
        "Requests refused by a region.",
        labelled(client.stats.regionErrors, "kind")
      ),
      counter("wharf_tikv_request_failures_total", "Requests without an answer.", [["", client.stats.failures]]),
      counter("wharf_tikv_pd_requests_total", "Requests to the placement driver.", [["", pd.stats.requests]]),
      counter("wharf_tikv_pd_leader_changes_total", "Times that its leader was found.", [["", pd.stats.leaderChanges]]),
      counter("wharf_tikv_timestamps_total", "Timestamps given.", [["", oracle.stats.timestamps]]),
      counter("wharf_tikv_timestamp_requests_total", "Requests that they came in.", [["", oracle.stats.requests]]),
      counter("wharf_tikv_locks_met_total", "Locks in the way.", [["", resolver.stats.met]]),
      counter("wharf_tikv_locks_resolved_total", "Locks brought to their transaction's end.", [
        ["", resolver.stats.resolved]
      ]),
      counter(
        "wharf_tikv_commits_total",
        "Transactions by how they ended.",
        Object.entries(transactions.stats).map(([kind, count]) => [`{kind="${kind}"}`, count] as const)
      ),
      counter("wharf_tikv_scanned_rows_total", "Rows that scans brought.", [["", this.scannedRows]]),
      counter("wharf_tikv_failed_reads_total", "Reads that the cluster did not serve.", [["", this.failedReads]]),
      { ...counter("wharf_tikv_regions_known", "Regions remembered.", [["", regions.size]]), kind: "gauge" }
    ]
  }
}

const counter = (name: string, help: string, samples: EngineMetric["samples"]): EngineMetric => ({
  name,
  kind: "counter",
  help,
  samples
})
