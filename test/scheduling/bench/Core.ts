// The decision alone, without API server, store or watch: pods per second by kind of pod and number of nodes.
// Run with: node test/scheduling/bench/Core.ts [--nodes 1000,5000] [--pods 10000] [--case basic,spread]. Prints one line each.
// "workloads" are a thousand services whose pods come in turns; in "upgrade" a node is cordoned after every tenth of them besides.
import { parseArgs } from "node:util"
import type { KubeObject } from "#kube"
import { Cluster, Decider, defaultProfile, Diagnosis, Nominations, noVolumes, Selectors } from "#scheduling"
import { node, pod, type PodOptions } from "../Objects.ts"

const { values } = parseArgs({
  options: { nodes: { type: "string" }, pods: { type: "string" }, case: { type: "string" } }
})

const requests = { cpu: "100m", memory: "500Mi" }
const labels = { app: "bench" }
const selector = { matchLabels: labels }
const term = (topologyKey: string) => ({ topologyKey, labelSelector: selector })
const required = (topologyKey: string) => ({ requiredDuringSchedulingIgnoredDuringExecution: [term(topologyKey)] })
const preferred = (topologyKey: string) => ({
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term(topologyKey) }]
})
const HOST = "kubernetes.io/hostname"
const ZONE = "topology.kubernetes.io/zone"
const spread = (whenUnsatisfiable: string, maxSkew: number, topologyKey: string) => [
  { maxSkew, topologyKey, whenUnsatisfiable, labelSelector: selector }
]

/** One shape of pods for each case; scheduler_perf's templates, shortened. */
const cases: Readonly<Record<string, PodOptions>> = {
  basic: { requests },
  affinity: { requests, labels, spec: { affinity: { podAffinity: required(ZONE) } } },
  antiAffinity: { requests, labels, spec: { affinity: { podAntiAffinity: required(HOST) } } },
  preferredAffinity: { requests, labels, spec: { affinity: { podAffinity: preferred(HOST) } } },
  preferredAntiAffinity: { requests, labels, spec: { affinity: { podAntiAffinity: preferred(HOST) } } },
  spreadHard: { requests, labels, spec: { topologySpreadConstraints: spread("DoNotSchedule", 5, ZONE) } },
  spreadSoft: { requests, labels, spec: { topologySpreadConstraints: spread("ScheduleAnyway", 5, ZONE) } },
  spreadHosts: { requests, labels, spec: { topologySpreadConstraints: spread("DoNotSchedule", 1, HOST) } }
}

/** A small generator with a seed: the same ties in every run. */
const randomFrom = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0
  return (seed >>> 0) / 4_294_967_296
}

const WORKLOADS = 1000

/** Pods of many workloads in turns, each spread by default because a service selects it. */
const turns = (at: number): PodOptions => ({ requests, labels: { app: `app-${at % WORKLOADS}` } })

const serviceOf = (app: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: app, namespace: "default" },
  spec: { selector: { app } }
})

const mixed: Readonly<Record<string, boolean>> = { workloads: false, upgrade: true }

const run = (nodes: number, pods: number, optionsOf: (at: number) => PodOptions, cordons: boolean) => {
  const cluster = new Cluster()
  const selectors = new Selectors()
  const decider = new Decider({
    cluster,
    profile: defaultProfile,
    nominations: new Nominations(cluster),
    selectors,
    volumes: () => noVolumes,
    random: randomFrom(7)
  })
  const nodeAt = (at: number, unschedulable: boolean): KubeObject =>
    node(`n${at}`, { labels: { [ZONE]: `zone-${at % 3}` }, spec: { unschedulable } })
  for (let at = 0; at < nodes; at++) cluster.nodeSeen(nodeAt(at, false))
  for (let at = 0; at < WORKLOADS; at++) selectors.seen("Service", serviceOf(`app-${at}`))
  const waiting: Array<KubeObject> = Array.from({ length: pods }, (_, at) => pod(`p${at}`, optionsOf(at)))
  const memory = process.memoryUsage().heapUsed
  const start = process.cpuUsage()
  let placed = 0
  for (const [at, one] of waiting.entries()) {
    if (cordons && at % 10 === 0) cluster.nodeSeen(nodeAt((at / 10) % nodes, (at / 10 / nodes) % 2 < 1))
    const decision = decider.decide(one)
    if (decision instanceof Diagnosis) continue
    cluster.assume(one, decision.name)
    placed++
  }
  const { system, user } = process.cpuUsage(start)
  return { seconds: (system + user) / 1e6, placed, heapMb: (process.memoryUsage().heapUsed - memory) / 1e6 }
}

const names = values.case?.split(",") ?? [...Object.keys(cases), ...Object.keys(mixed)]
const sizes = values.nodes?.split(",").map(Number) ?? [1000, 5000, 10_000, 20_000, 50_000]
const count = Number(values.pods ?? 10_000)
for (const name of names)
  for (const size of sizes) {
    const pods = name === "antiAffinity" ? Math.min(count, size) : count
    const { placed, seconds } = run(size, pods, name in mixed ? turns : () => cases[name], mixed[name] === true)
    const rate = Math.round(pods / seconds)
    console.log(
      `${name.padEnd(22)} ${String(size).padStart(6)} nodes ${String(pods).padStart(6)} pods ` +
        `${String(placed).padStart(6)} placed ${seconds.toFixed(3).padStart(8)} CPU s ${String(rate).padStart(8)} pods/s`
    )
  }
