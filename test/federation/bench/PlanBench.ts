// How many objects a second are placed over so many clusters, by the planner alone: no API server, no network. One thread; seconds are
// those of the processor, so that company on the machine does not count, and of the clock beside them.
// Run: node test/federation/bench/PlanBench.ts [clusters] [objects]
import {
  Fleet,
  type MemberCluster,
  nowhere,
  type Placement,
  type PropagationPolicy,
  schedule,
  type SchedulingUnit,
  defaultSchedulingProfile
} from "#federation"
import type { Json } from "#kube"
import { cluster, NOW, policy, unit } from "../scheduling/Fleets.ts"

const clusters = Number(process.argv[2] ?? 1000)
const objects = Number(process.argv[3] ?? 10_000)

const fleet = Fleet.of(
  Array.from({ length: clusters }, (_, at): MemberCluster => {
    const free = 20_000 + ((at * 7919) % 80_000)
    return cluster(`member-${String(at).padStart(4, "0")}`, {
      labels: { "topology.kubernetes.io/zone": `z${at % 5}`, tier: at % 3 === 0 ? "gold" : "silver" },
      allocatable: new Map([
        ["cpu", 100_000],
        ["memory", 400_000]
      ]),
      available: new Map([
        ["cpu", free],
        ["memory", free * 3]
      ])
    })
  })
)

const listed = fleet.clusters
  .filter((_, at) => at % 20 === 0)
  .map(({ name }, at): Json => ({
    cluster: name,
    preferences: { weight: 1 + (at % 4), minReplicas: at % 2 }
  }))

const cases: ReadonlyArray<readonly [string, Record<string, Json>]> = [
  ["divide over all clusters, by room", { schedulingMode: "Divide" }],
  ["divide over all clusters, by fitting pods", { schedulingMode: "Divide", replicasStrategy: "Capacity" }],
  ["divide over a third, by selector", { schedulingMode: "Divide", clusterSelector: { tier: "gold" } }],
  ["divide over 50 by static weights", { schedulingMode: "Divide", placement: listed }],
  ["fill the best 3", { schedulingMode: "Divide", replicasStrategy: "Binpack", maxClusters: 3 }],
  ["duplicate to the best 5", { schedulingMode: "Duplicate", maxClusters: 5 }],
  [
    "spread over 3 zones, 6 clusters",
    { schedulingMode: "Divide", maxClusters: 6, spreadConstraints: [{ topologyKey: "zone", minGroups: 3 }] }
  ]
]

const units: ReadonlyArray<SchedulingUnit> = Array.from({ length: objects }, (_, at) =>
  unit({
    name: `web-${at}`,
    replicas: 1 + ((at * 31) % 200),
    request: new Map([
      ["cpu", 100 * (1 + (at % 4))],
      ["memory", 200]
    ])
  })
)

/** Objects whose placements are held at a time: what is measured is planning, not the collection of a million map entries. */
const BATCH = 500

let wallMs = 0

/** Places a batch, from nowhere or from where it is; answers where it is then and the milliseconds that took. */
const round = (
  given: PropagationPolicy,
  batch: ReadonlyArray<SchedulingUnit>,
  from: Round | undefined,
  more: number
): Round => {
  const scaled = batch.map((one) => ({ ...one, replicas: (one.replicas ?? 0) + more }))
  const startedAt = performance.now()
  const started = process.cpuUsage()
  const placements = scaled.map(
    (one, at) =>
      schedule({
        unit: one,
        fleet,
        policy: given,
        profile: defaultSchedulingProfile,
        previous: from?.placements[at] ?? nowhere,
        nowMs: NOW
      }).placement
  )
  const { system, user } = process.cpuUsage(started)
  wallMs += performance.now() - startedAt
  return { placements, ms: (user + system) / 1000 }
}

interface Round {
  readonly placements: ReadonlyArray<Placement>
  readonly ms: number
}

console.log(
  `${objects} objects over ${clusters} clusters; objects/s: placed for the first time, scaled by 3, seen again`
)
for (const [name, spec] of cases) {
  const given = policy(spec, name)
  const spent = [0, 0, 0]
  wallMs = 0
  for (let begin = -BATCH; begin < objects; begin += BATCH) {
    // The batch before the first warms up.
    const batch = units.slice(Math.max(0, begin), Math.max(0, begin) + BATCH)
    const first = round(given, batch, undefined, 0)
    const scaled = round(given, batch, first, 3)
    const again = round(given, batch, scaled, 3)
    if (begin >= 0) [first, scaled, again].forEach(({ ms }, at) => (spent[at] += ms))
  }
  const figures = spent.map((ms) =>
    Math.round((objects * 1000) / ms)
      .toLocaleString("en-US")
      .padStart(9)
  )
  const wall = Math.round((3 * (objects + BATCH) * 1000) / wallMs).toLocaleString("en-US")
  console.log(`${name.padEnd(44)} ${figures.join(" ")}  (all three by the clock: ${wall})`)
}
