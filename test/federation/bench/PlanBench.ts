// How many objects a second are placed over so many clusters, by the planner alone: no API server, no network.
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

const round = (given: PropagationPolicy, previous: ReadonlyArray<Placement> | undefined, more: number) => {
  const started = performance.now()
  const placements = units.map((one, at) => {
    const scaled = { ...one, replicas: (one.replicas ?? 0) + more }
    return schedule({
      unit: scaled,
      fleet,
      policy: given,
      profile: defaultSchedulingProfile,
      previous: previous?.[at] ?? nowhere,
      nowMs: NOW
    }).placement
  })
  return { placements, perSecond: objects / ((performance.now() - started) / 1000) }
}

console.log(
  `${objects} objects over ${clusters} clusters; objects/s: placed for the first time, scaled by 3, seen again`
)
for (const [name, spec] of cases) {
  const given = policy(spec, name)
  round(given, undefined, 0)
  const first = round(given, undefined, 0)
  const scaled = round(given, first.placements, 3)
  const again = round(given, scaled.placements, 3)
  const figures = [first, scaled, again].map(({ perSecond }) =>
    Math.round(perSecond).toLocaleString("en-US").padStart(9)
  )
  console.log(`${name.padEnd(44)} ${figures.join(" ")}`)
}
