// A federation under a flood of Deployments, in this process alone, so that it can be profiled: host, controllers and members that answer
// from memory. The scenario federation-100x5k is the measured form of it.
// Run: node --cpu-prof --cpu-prof-dir=profile test/federation/bench/FloodBench.ts [members] [objects]
import { walkFederation } from "../../../scenarios/federation/world/FederationWalk.ts"

const [members = 100, objects = 3000] = process.argv.slice(2).map(Number)
const limit = 300_000

const result = await walkFederation(
  {
    members: { count: members, nodes: 5000, pods: 20_000, latency: 0, podStart: 2000 },
    placement: { mode: "Divide", clusters: 2, replicas: 4, tolerated: 5000, grace: 60_000 },
    health: { probe: 2000, lostAfter: 4000, backAfter: 2000 },
    rest: 3000,
    heap: 8 * 1024 ** 3,
    steps: [
      { kind: "create", name: "warm", judged: false, limit, objects: 100, inFlight: 256 },
      { kind: "create", name: "flood", judged: true, limit, objects, inFlight: 1000 }
    ]
  },
  () => undefined
)
const { system, user } = process.cpuUsage()
for (const { hostWrites, objects: count, restMs, step } of result.federation.steps)
  console.log(`${step}: ${(hostWrites / count).toFixed(2)} host writes an object, at rest after ${restMs} ms`)
for (const { endMs, name, startMs } of result.phases)
  if (name === "flood") console.log(`${Math.round((objects * 1000) / (endMs - startMs))} objects a second`)
console.log(`${((system + user) / 1_000_000).toFixed(1)} s of processor time`)
process.exit(0)
