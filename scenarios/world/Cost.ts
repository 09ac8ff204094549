// What a cluster of some size costs: real time until its nodes are there, real time for a second of its steady state, and memory.
// Owns one point of the curve, measured in a process of its own; nothing of the world is measured here but its cost.
import type { CostPoint } from "#reports"
import { memoryBytes, podChurn, RandomStream, SpeedMeter, wallMs } from "#sim"
import { afterNamespaces } from "../cluster/ClusterSteps.ts"
import type { WorldCommand } from "./Protocol.ts"
import { ScenarioWorld } from "./ScenarioWorld.ts"
import { costCluster } from "./WorldRun.ts"

type CostCommand = Extract<WorldCommand, { readonly type: "cost" }>

const PODS_PER_NODE = 30
/** What the greatest cluster that Kubernetes supports runs twice over; larger ones have emptier nodes. */
const PODS_MAX = 300_000
const PODS_PER_SECOND = 5000
const READY_WITHIN_MS = 120_000
const STEADY_MS = 60_000
const NAMESPACES_OF = 100

/** Makes a cluster of this size with 30 pods a node, 300,000 at most, lets it come to rest, and times a minute of leases and heartbeats. */
export const measureCost = ({ cluster, nodes, seed }: CostCommand): CostPoint => {
  const pods = Math.min(nodes * PODS_PER_NODE, PODS_MAX)
  const plain = costCluster(cluster, nodes, READY_WITHIN_MS)
  const scenario = new ScenarioWorld({ cluster: plain, seed, folder: ".", plan: [] })
  const { kernel } = scenario.world
  const begunMs = wallMs()
  scenario.start([])
  kernel.run({ untilMs: READY_WITHIN_MS, until: () => scenario.world.isReady })
  const readyWallMs = wallMs() - begunMs
  const namespaces = Math.max(1, Math.floor(nodes / NAMESPACES_OF))
  const churn = { pods, namespaces, createPerSecond: PODS_PER_SECOND, startMs: kernel.nowMs, untilMs: kernel.nowMs }
  scenario.world.play(afterNamespaces(podChurn(churn, new RandomStream(seed))))
  const limitMs = kernel.nowMs + (pods / PODS_PER_SECOND) * 1000 + 60_000
  kernel.run({ untilMs: limitMs, until: () => scenario.world.pods.stats.stagesDone >= pods * 2 })
  const meter = new SpeedMeter(kernel, wallMs)
  kernel.run({ untilMs: kernel.nowMs + STEADY_MS })
  const { virtualMs, wallMs: steadyMs } = meter.read()
  return {
    nodes,
    pods: scenario.world.pods.stats.known,
    readyWallMs,
    wallMsPerVirtualS: (steadyMs * 1000) / virtualMs,
    residentBytes: memoryBytes().residentBytes
  }
}
