// The curve of cost against nodes: `node test/sim/Curve.ts [NODES…]` runs a steady world of each size in a process of its own and prints
// what a node costs in time and memory. It asserts nothing: timings are read, not tested.
import { execFileSync } from "node:child_process"
import { memoryBytes, podChurn, RandomStream, SpeedMeter, wallMs, World } from "#sim"
import { clusterDefinitions } from "./Definitions.ts"

interface Point {
  readonly nodes: number
  readonly pods: number
  readonly readyWallMs: number
  readonly podsWallMs: number
  readonly timesRealTime: number
  readonly eventsPerSecond: number
  readonly leasesPerSecond: number
  readonly microsPerLease: number
  readonly residentMiB: number
  readonly eventLogHash: string
}

const PODS_PER_NODE = 30
const STEADY_MS = 120_000
const CREATED_PER_SECOND = 5000
const SIZES = [100, 300, 1000, 3000, 5000]

const measure = (nodes: number, podsPerNode: number): Point => {
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    compactionMs: 10_000,
    nodeGroups: [{ name: "node", count: nodes, zones: ["a", "b", "c"] }]
  })
  const begun = wallMs()
  world.start()
  world.kernel.run({ untilMs: 60_000, until: () => world.nodes.stats.registered === nodes })
  const readyWallMs = wallMs() - begun
  const pods = nodes * podsPerNode
  const { nowMs } = world.kernel
  const namespaces = Math.max(1, Math.floor(nodes / 100))
  const churn = { pods, namespaces, createPerSecond: CREATED_PER_SECOND, startMs: nowMs, untilMs: nowMs }
  world.play(podChurn(churn, new RandomStream(1)))
  const podsBegun = wallMs()
  const limitMs = nowMs + (pods / CREATED_PER_SECOND) * 1000 + 30_000
  world.kernel.run({ untilMs: limitMs, until: () => world.pods.stats.stagesDone >= pods * 2 })
  const podsWallMs = wallMs() - podsBegun
  const renewed = world.nodes.renewals.stats.renewed
  const meter = new SpeedMeter(world.kernel, wallMs)
  world.kernel.run({ untilMs: world.kernel.nowMs + STEADY_MS })
  const { eventsPerSecond, timesRealTime, wallMs: steadyWallMs } = meter.read()
  const leases = world.nodes.renewals.stats.renewed - renewed
  if (process.argv.includes("--verbose"))
    console.error(
      world.nodes.stats,
      world.nodes.renewals.stats,
      world.pods.stats,
      world.bindings.stats,
      world.player.stats
    )
  return {
    nodes,
    pods: world.pods.stats.known,
    readyWallMs,
    podsWallMs,
    timesRealTime,
    eventsPerSecond,
    leasesPerSecond: (leases * 1000) / steadyWallMs,
    microsPerLease: (steadyWallMs * 1000) / leases,
    residentMiB: memoryBytes().residentBytes / 2 ** 20,
    eventLogHash: world.kernel.log.hash()
  }
}

const [mode, ...given] = process.argv.slice(2)
if (mode === "--one") console.log(JSON.stringify(measure(Number(given[0]), Number(given[1] ?? PODS_PER_NODE))))
else {
  const sizes = [mode, ...given].flatMap((text) => (Number(text) > 0 ? [Number(text)] : []))
  for (const nodes of sizes.length > 0 ? sizes : SIZES) {
    const line = execFileSync(process.execPath, [
      "--max-old-space-size=8192",
      import.meta.filename,
      "--one",
      String(nodes)
    ])
    console.log(line.toString().trim())
  }
}
