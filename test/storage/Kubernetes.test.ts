// A real Kubernetes on our store: real API servers, controllers and scheduler, hollow nodes.
// What the API servers' own metrics say of the store is the judgement: nothing failed, nothing fell back.
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWith } from "../Judges.ts"
import { COMPACTED, untilPods, walk, walkArguments, type WalkRecord } from "./KubernetesWalk.ts"
import { KwokCluster } from "./KwokCluster.ts"
import { total, type Sample } from "./PrometheusText.ts"

const store = fileURLToPath(new URL("../../bin/etcd", import.meta.url))
const size = { nodes: 500, pods: 1000 }

/** Calls by method and code that did not end well; a watch ends by being cancelled. */
const failedCalls = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> =>
  samples
    .filter(({ labels, name, value }) => {
      const { grpc_code: code, grpc_method: method } = labels
      const fine = code === "OK" || (code === "Canceled" && method === "Watch")
      return name === "grpc_client_handled_total" && !fine && value > 0
    })
    .map(({ labels, value }) => `${labels["grpc_method"]} ${labels["grpc_code"]}: ${value}`)

describeWith(
  "kwokctl",
  "kwok",
  "kubectl",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler"
)("Kubernetes 1.37 on the store", (programs) => {
  let cluster: KwokCluster
  let record: WalkRecord

  beforeAll(async () => {
    cluster = await KwokCluster.start(programs, store, walkArguments)
    record = await walk(cluster, size)
  }, 600_000)
  afterAll(async () => cluster?.stop(), 60_000)

  it("serves two API servers without a failed request", () => {
    for (const samples of [record.first, record.second]) {
      expect(failedCalls(samples)).toEqual([])
      expect(total(samples, "etcd_request_errors_total")).toBe(0)
      expect(total(samples, "grpc_client_handled_total", { grpc_method: "Range", grpc_code: "OK" })).toBeGreaterThan(0)
    }
    expect(total(record.first, "etcd_requests_total", { operation: "create" })).toBeGreaterThan(2 * size.pods)
  })

  it("answers consistent reads from the API server's cache, never past it", () => {
    const name = "apiserver_watch_cache_consistent_read_total"
    for (const samples of [record.first, record.second]) {
      expect(total(samples, name, { fallback: "false", success: "true" })).toBeGreaterThan(0)
      expect(total(samples, name, { fallback: "true" })).toBe(0)
      expect(total(samples, name, { success: "false" })).toBe(0)
    }
  })

  it("gives watches their progress and starts them with a list", () => {
    for (const samples of [record.first, record.second]) {
      expect(total(samples, "etcd_bookmark_total")).toBeGreaterThan(100)
      expect(total(samples, "apiserver_watch_list_duration_seconds_count")).toBeGreaterThan(0)
    }
  })

  it("streams its lists", () => {
    for (const samples of [record.first, record.second]) {
      expect(
        total(samples, "grpc_client_handled_total", { grpc_method: "RangeStream", grpc_code: "OK" })
      ).toBeGreaterThan(0)
      const name = "apiserver_storage_list_duration_seconds_count"
      expect(total(samples, name, { streamed: "true" })).toBeGreaterThan(0)
      expect(total(samples, name, { streamed: "false" })).toBe(0)
    }
  })

  it("is compacted by the API server", () => {
    expect(total(record.store, COMPACTED)).toBeGreaterThan(1)
    expect(
      total(record.first, "grpc_client_handled_total", { grpc_method: "Compact", grpc_code: "OK" })
    ).toBeGreaterThan(0)
  })

  it("loses nothing when it is killed in the middle, and Kubernetes goes on", async () => {
    await cluster.kubectl("create configmap acknowledged --from-literal=before=crash")
    await cluster.kubectl(`scale deployment/web --replicas=${size.pods}`)
    await cluster.crashStore()
    expect(await cluster.kubectl("get configmap acknowledged -o jsonpath={.data.before}")).toBe("crash")
    await untilPods(cluster, "readyReplicas", size.pods)
    await cluster.until("get pods --no-headers", (answer) => answer.split(" Running ").length - 1 === size.pods, 60_000)
    expect(await cluster.kubectl("get nodes -o name").then((names) => names.trim().split("\n").length)).toBe(size.nodes)
  }, 300_000)
})
