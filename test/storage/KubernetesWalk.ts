// What a real Kubernetes is put through on a store: nodes, a Deployment that grows, is updated and shrinks, two API
// servers, compaction. The same steps on ours and on etcd; owns no judgement but that each step ends.
import { setTimeout as sleep } from "node:timers/promises"
import type { KwokCluster } from "./KwokCluster.ts"
import { quantile, total, type Sample } from "./PrometheusText.ts"

export interface WalkSize {
  readonly nodes: number
  readonly pods: number
}

/** What the API servers and the store counted, and how long each step took, in seconds. */
export interface WalkRecord {
  readonly seconds: Readonly<Record<string, number>>
  readonly first: ReadonlyArray<Sample>
  readonly second: ReadonlyArray<Sample>
  readonly store: ReadonlyArray<Sample>
}

/** Flags that make the walk short: compaction every 15 s, and progress notices as the API server wants them. */
export const walkArguments = [
  "kube-apiserver=etcd-compaction-interval=15s",
  "kube-apiserver=etcd-count-metric-poll-period=5s",
  "etcd=watch-progress-notify-interval=5s"
]

const STEP_MS = 150_000

/** Walks through all steps; each fails when it does not end within 150 s. */
export const walk = async (cluster: KwokCluster, { nodes, pods }: WalkSize): Promise<WalkRecord> => {
  const seconds: Record<string, number> = {}
  const step = async (name: string, body: () => Promise<unknown>): Promise<void> => {
    const from = performance.now()
    await body()
    seconds[name] = Math.round((performance.now() - from) / 100) / 10
  }
  await step(`${nodes} nodes register`, async () => {
    await cluster.scaleNodes(nodes)
    await cluster.until("get nodes --no-headers", (answer) => count(answer, " Ready ") === nodes, STEP_MS)
  })
  let second = ""
  await step("a second API server starts", async () => {
    second = await cluster.secondApiServer()
  })
  await step(`${pods} pods run`, async () => {
    await cluster.kubectl(`create deployment web --image=web:1 --replicas=${pods}`)
    await untilPods(cluster, "readyReplicas", pods)
  })
  await step("all pods are replaced", async () => {
    await cluster.kubectl("set image deployment/web web=web:2")
    await cluster.kubectl(`rollout status deployment/web --timeout=${STEP_MS / 1000}s`)
  })
  await step("half of them go, by the other API server", async () => {
    await cluster.kubectl(`scale deployment/web --replicas=${pods / 2} --server ${second}`)
    await untilPods(cluster, "replicas", pods / 2)
    await cluster.until(`get pods --no-headers --server ${second}`, (answer) => lines(answer) === pods / 2, STEP_MS)
  })
  await step("history is compacted", () => untilCompacted(cluster))
  return {
    seconds,
    first: await cluster.metrics(),
    second: await cluster.metrics(second),
    store: await cluster.storeMetrics()
  }
}

const count = (text: string, part: string): number => text.split(part).length - 1
const lines = (text: string): number => text.split("\n").filter((line) => line !== "").length

/** Waits until the Deployment's status says so. */
export const untilPods = (cluster: KwokCluster, field: "readyReplicas" | "replicas", pods: number): Promise<void> =>
  cluster.until(`get deployment web -o jsonpath={.status.${field}}`, (answer) => Number(answer) === pods, STEP_MS)

/** etcd's name of the metric that says where the compacted history ends. */
export const COMPACTED = "etcd_debugging_mvcc_compact_revision"

const untilCompacted = async (cluster: KwokCluster): Promise<void> => {
  const end = performance.now() + STEP_MS
  while (total(await cluster.storeMetrics(), COMPACTED) <= 1) {
    if (performance.now() > end) throw new Error("the API server's compaction never reached the store")
    await sleep(1000)
  }
}

/** One line of a table of latencies, in milliseconds. */
export interface Latency {
  readonly operation: string
  readonly requests: number
  readonly p50: number
  readonly p99: number
}

/** The API server's latencies at its store, by operation. */
export const storeLatencies = (samples: ReadonlyArray<Sample>): ReadonlyArray<Latency> => {
  const name = "etcd_request_duration_seconds"
  const operations = samples
    .filter((sample) => sample.name === `${name}_count`)
    .map(({ labels }) => labels["operation"] ?? "")
  return [...new Set(operations)].sort().map((operation) => ({
    operation,
    requests: total(samples, `${name}_count`, { operation }),
    p50: 1000 * quantile(samples, name, { operation }, 0.5),
    p99: 1000 * quantile(samples, name, { operation }, 0.99)
  }))
}
