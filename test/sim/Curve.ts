// The curve of cost against nodes: a steady world of each size in a process of its own, and what it costs in time and memory, as a table
// and as JSON. Sizes up to 300 nodes run twice, and the two event logs must be the same; beyond that it asserts nothing: timings are
// read, not tested.
//
//   node test/sim/Curve.ts [NODES…] [--pods-per-node 30] [--pods-max 300000] [--points FILE] [--fault-minutes 120] [--out FILE.md]
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { defaultNetwork, drawPlan, type FaultStep, podChurn, RandomStream, wallMs, World } from "#sim"
import { leaveRoom, memoryFlags } from "../../scenarios/cluster/WorldMemory.ts"
import { clusterDefinitions } from "./Definitions.ts"

interface Point {
  readonly nodes: number
  readonly pods: number
  /** CPU seconds until all nodes are registered and ready, and the wall time. */
  readonly readyCpuSeconds: number
  readonly readyWallSeconds: number
  /** CPU microseconds for each pod: created, bound, started, running. */
  readonly cpuMicrosPerPod: number
  readonly steadyCpuSeconds: number
  readonly steadyWallSeconds: number
  /** Seconds of the world in one second of CPU time. */
  readonly timesRealTime: number
  readonly leases: number
  /** Of the whole steady world: statuses, churn, compaction and collection of garbage come on top of the renewal itself. */
  readonly cpuMicrosPerLease: number
  readonly residentMiB: number
  readonly peakMiB: number
  readonly eventLogHash: string
}

/** Long enough for collections of old garbage to fall into it, in the share of time that they take. */
const STEADY_MS = 600_000
/** The histories of the store fill up before the steady state is measured. */
const SETTLE_MS = 15_000
const CREATED_PER_SECOND = 5000
/** What the ClusterLoader2 load test changes in one second. */
const REPLACED_PER_SECOND = 10
const SIZES = [100, 300, 1000, 3000, 5000, 10_000, 20_000, 50_000]
const TWICE_UP_TO = 300
const MIB = 2 ** 20

const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1e6
}

const timed = (run: () => void): { readonly cpu: number; readonly wall: number } => {
  const [cpuBefore, wallBefore] = [cpuSeconds(), wallMs()]
  run()
  return { cpu: cpuSeconds() - cpuBefore, wall: (wallMs() - wallBefore) / 1000 }
}

const peakMiB = (): number => process.resourceUsage().maxRSS / 1024

const measure = (nodes: number, pods: number): Point => {
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    compactionMs: 10_000,
    nodeGroups: [{ name: "node", count: nodes, zones: ["a", "b", "c"] }]
  })
  const { kernel } = world
  const ready = timed(() => {
    world.start()
    kernel.run({ untilMs: 60_000, until: () => world.nodes.stats.registered === nodes })
  })
  const startMs = kernel.nowMs
  const steadyFromMs = startMs + (pods / CREATED_PER_SECOND) * 1000 + 30_000 + SETTLE_MS
  world.play(
    podChurn(
      {
        pods,
        namespaces: Math.max(1, Math.floor(nodes / 100)),
        createPerSecond: CREATED_PER_SECOND,
        replacePerSecond: pods === 0 ? 0 : REPLACED_PER_SECOND,
        startMs,
        untilMs: steadyFromMs + STEADY_MS
      },
      new RandomStream(1)
    )
  )
  const limitMs = steadyFromMs - SETTLE_MS
  const filled = timed(() => kernel.run({ untilMs: limitMs, until: () => world.pods.stats.stagesDone >= pods * 2 }))
  kernel.run({ untilMs: steadyFromMs })
  leaveRoom(nodes)
  const renewed = world.nodes.renewals.stats.renewed
  const steady = timed(() => kernel.run({ untilMs: steadyFromMs + STEADY_MS }))
  const leases = world.nodes.renewals.stats.renewed - renewed
  if (values.verbose)
    console.error(world.nodes.stats, world.nodes.renewals.stats, world.pods.stats, world.bindings.stats)
  return {
    nodes,
    pods: world.pods.stats.known,
    readyCpuSeconds: ready.cpu,
    readyWallSeconds: ready.wall,
    cpuMicrosPerPod: pods === 0 ? 0 : (filled.cpu * 1e6) / pods,
    steadyCpuSeconds: steady.cpu,
    steadyWallSeconds: steady.wall,
    timesRealTime: STEADY_MS / 1000 / steady.cpu,
    leases,
    cpuMicrosPerLease: (steady.cpu * 1e6) / leases,
    residentMiB: process.memoryUsage.rss() / MIB,
    peakMiB: peakMiB(),
    eventLogHash: kernel.log.hash()
  }
}

interface FaultRun {
  readonly nodes: number
  readonly pods: number
  readonly virtualSeconds: number
  readonly cpuSeconds: number
  readonly timesRealTime: number
  /** The same of the beginning, when the program itself is still being compiled. */
  readonly timesAtFirst: number
  readonly eventLogHash: string
}

const FIRST_MS = 30 * 60_000

/** Of the world's time; a fault strikes every half a minute on average. */
const FAULTS_A_MINUTE = 2
const FAULT_NODES = 100
const FAULT_KINDS: ReadonlyArray<FaultStep["kind"]> = [
  "crash",
  "pause",
  "partition",
  "one-way",
  "bad-link",
  "skew",
  "disk-stall",
  "compact",
  "nodes-die",
  "zone-cut",
  "slow-watcher"
]

/** A hundred nodes through so many minutes of misfortunes: server and disk, network, zones, compaction at bad moments. */
const measureFaults = (minutes: number): FaultRun => {
  const untilMs = minutes * 60_000
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    compactionMs: 60_000,
    nodeGroups: [{ name: "node", count: FAULT_NODES, zones: ["a", "b", "c"] }],
    registerOverMs: 500,
    network: defaultNetwork,
    faults: drawPlan(new RandomStream(1).split("plan"), {
      fromMs: 30_000,
      toMs: untilMs - 60_000,
      steps: minutes * FAULTS_A_MINUTE,
      servers: ["apiserver"],
      clients: ["kubelets", "scheduler", "users"],
      kinds: FAULT_KINDS,
      zones: ["a", "b", "c"]
    })
  })
  world.start()
  world.play(
    podChurn(
      { pods: 3000, namespaces: 1, replacePerSecond: 1, startMs: 1000, untilMs, createPerSecond: 300 },
      new RandomStream(1)
    )
  )
  const firstMs = Math.min(FIRST_MS, untilMs)
  const first = timed(() => world.kernel.run({ untilMs: firstMs }))
  const rest = timed(() => world.kernel.run({ untilMs }))
  const cpu = first.cpu + rest.cpu
  return {
    nodes: FAULT_NODES,
    pods: world.pods.stats.known,
    virtualSeconds: untilMs / 1000,
    cpuSeconds: cpu,
    timesRealTime: untilMs / 1000 / cpu,
    timesAtFirst: firstMs / 1000 / first.cpu,
    eventLogHash: world.kernel.log.hash()
  }
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    one: { type: "string" },
    "pods-per-node": { type: "string", default: "30" },
    "pods-max": { type: "string", default: "300000" },
    out: { type: "string", default: "" },
    points: { type: "string", default: "" },
    faults: { type: "boolean", default: false },
    "fault-minutes": { type: "string", default: "120" },
    verbose: { type: "boolean", default: false }
  }
})

const podsOf = (nodes: number): number => Math.min(nodes * Number(values["pods-per-node"]), Number(values["pods-max"]))

/** What a process of so many nodes prints, with the memory that a scenario's has. */
const run = (nodes: number, args: ReadonlyArray<string>): unknown => {
  const own = [`--pods-per-node=${values["pods-per-node"]}`, `--pods-max=${values["pods-max"]}`]
  const output = execFileSync(process.execPath, [...memoryFlags(nodes), import.meta.filename, ...args, ...own])
  return JSON.parse(output.toString())
}

const pointAt = (nodes: number): Point => {
  // SAFETY: the other process prints a point.
  const point = run(nodes, ["--one", String(nodes)]) as Point
  if (nodes > TWICE_UP_TO) return point
  const again = run(nodes, ["--one", String(nodes)]) as Point
  if (again.eventLogHash !== point.eventLogHash) throw new Error(`two runs of ${nodes} nodes differ`)
  return point.steadyCpuSeconds < again.steadyCpuSeconds ? point : again
}

/** Points of an earlier run, one a line as this program writes them to standard error: a long curve need not be measured at once. */
const pointsBefore = (): ReadonlyArray<Point> =>
  values.points === ""
    ? []
    : readFileSync(values.points, "utf8")
        .trim()
        .split("\n")
        // SAFETY: this program wrote the lines.
        .map((line) => JSON.parse(line) as Point)

const row = (point: Point): string =>
  [
    "",
    point.nodes,
    point.pods,
    `${point.readyCpuSeconds.toFixed(2)} (${point.readyWallSeconds.toFixed(2)})`,
    point.cpuMicrosPerPod.toFixed(0),
    point.timesRealTime.toFixed(0),
    point.cpuMicrosPerLease.toFixed(1),
    point.residentMiB.toFixed(0),
    point.peakMiB.toFixed(0),
    `\`${point.eventLogHash.slice(0, 8)}\``,
    ""
  ].join(" | ")

const pageOf = (
  points: ReadonlyArray<Point>,
  faults: FaultRun,
  loads: ReadonlyArray<number>
): string => `# What a simulated cluster costs

One process: store, watch caches, hollow nodes and pods, binder. ${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.version.slice(1)}; the load average was
${loads.map((load) => load.toFixed(1)).join(", ")} from size to size, for others used the machine too: so the figures are CPU time, of all threads of the process, the collector's
among them. A world is filled with pods (30 a node, 300,000 at the most), and then runs ten minutes of its own time in steady state: leases each
10 s, statuses each 5 min, ten pods replaced a second, as the ClusterLoader2 load test does. Sizes up to ${TWICE_UP_TO} ran twice with the same event log.

    ${command()}

| Nodes | Pods | CPU (wall) seconds until all are ready | CPU µs a pod, from create to running | Times real time | CPU µs a lease, all else included | Resident MiB | Peak MiB | Event log |
|---|---|---|---|---|---|---|---|---|
${points.map((point) => row(point).trim()).join("\n")}

A fault run of ${faults.nodes} nodes and ${faults.pods} pods over a network, with ${(faults.virtualSeconds / 60) * FAULTS_A_MINUTE} misfortunes (crashes, pauses, partitions, bad links, stalled disks,
dying nodes, cut zones) in ${faults.virtualSeconds / 60} minutes of the world's time: ${faults.cpuSeconds.toFixed(1)} CPU seconds, ${faults.timesRealTime.toFixed(0)} times real time (${faults.timesAtFirst.toFixed(0)} in the first half
an hour, while the program itself is being compiled), event log \`${faults.eventLogHash.slice(0, 8)}\`.

## The same as JSON

\`\`\`json
${JSON.stringify({ points, faults }, undefined, 1)}
\`\`\`
`

const command = (): string =>
  [
    "node test/sim/Curve.ts",
    ...positionals,
    "--pods-per-node",
    values["pods-per-node"],
    "--pods-max",
    values["pods-max"]
  ].join(" ")

const main = (): void => {
  if (values.faults) return console.log(JSON.stringify(measureFaults(Number(values["fault-minutes"]))))
  if (values.one !== undefined)
    return console.log(JSON.stringify(measure(Number(values.one), podsOf(Number(values.one)))))
  const loads = [loadavg()[0] ?? 0]
  const points: Array<Point> = []
  const before = pointsBefore()
  for (const nodes of positionals.length > 0 ? positionals.map(Number) : SIZES) {
    points.push(before.find((point) => point.nodes === nodes) ?? pointAt(nodes))
    loads.push(loadavg()[0] ?? 0)
    process.stderr.write(`${JSON.stringify(points.at(-1))}\n`)
  }
  const page = pageOf(
    points,
    run(FAULT_NODES, ["--faults", "--fault-minutes", values["fault-minutes"]]) as FaultRun,
    loads
  )
  console.log(page)
  if (values.out !== "") writeFileSync(values.out, page)
}

main()
