// A run record of a simulated cluster, made up from a seed: realistic in shape, so that pages and tables are tried on what they meet.
import {
  Latency,
  type RecordedCalls,
  type RecordedCluster,
  type RecordedHistogram,
  type RunRecord
} from "../../reports/index.ts"
import { seededRandom } from "../../reports/SeededRandom.ts"
import { syntheticRecord } from "./SyntheticRecord.ts"

export interface SyntheticClusterOptions {
  readonly seed?: number
  readonly index?: number
  readonly of?: number
  /** Multiplies every latency. */
  readonly slowness?: number
  readonly violations?: RunRecord["violations"]
  readonly eventLogHash?: string
  /** Multiplies real time. */
  readonly cost?: number
  readonly samples?: number
  readonly curve?: boolean
}

const zones = [
  { name: "zone-a", nodes: 34 },
  { name: "zone-b", nodes: 33 },
  { name: "zone-c", nodes: 1200 }
]
const HOUR = 3_600_000

export const syntheticCluster = (options: SyntheticClusterOptions = {}): RunRecord => {
  const { index = 0, of = 1, seed = 1, violations = [] } = options
  const base = syntheticRecord({ seed, index, of })
  return {
    ...base,
    id: `cluster-${index}`,
    command: "wharf run scenarios/cluster-100.yaml --repeat 1",
    scenario: { ...base.scenario, name: "cluster-100" },
    target: "sim",
    backend: { name: "sim", version: "0.1.0", settings: { network: "0.5 ms" }, durable: false },
    phases: [],
    generator: { ceilingPerS: null, ceilingCpuPercent: null, cpuPercent: null },
    operations: [],
    watch: [],
    series: { atS: [], operations: [] },
    components: [],
    annotations: [],
    counters: { "pods bound": 3000, events: 1_195_282 },
    violations,
    slos: [
      {
        name: "cluster api.list.p99",
        expression: "api.list.p99 ≤ 30,000 ms",
        threshold: 30_000,
        unit: "ms",
        observed: 2.1,
        verdict: "pass"
      }
    ],
    cluster: clusterPart(options)
  }
}

const histogram = (random: () => number, count: number, us: number): RecordedHistogram => {
  const latency = new Latency()
  for (let sample = 0; sample < count; sample++) latency.record(us * (0.5 + random() + (random() < 0.01 ? 20 : 0)))
  return latency.toRecorded()
}

const clusterPart = (options: SyntheticClusterOptions): RecordedCluster => {
  const { cost = 1, curve = true, eventLogHash = "8f2eaa45a5590f0daebc50eb1a92b88e", samples = 120 } = options
  const random = seededRandom(options.seed ?? 1)
  const slowness = options.slowness ?? 1
  const atMs = Array.from({ length: samples }, (_, at) => ((at + 1) * 2 * HOUR) / samples)
  const isDown = (at: number): boolean => at > samples * 0.3 && at < samples * 0.5
  const calls = (
    verb: RecordedCalls["verb"],
    resource: string,
    scope: RecordedCalls["scope"],
    us: number,
    errors: Readonly<Record<string, number>> = {}
  ): RecordedCalls => ({
    verb,
    resource,
    scope,
    answered: 400,
    errors,
    latency: histogram(random, 400, us * slowness),
    slowest: [1, 2, 3].map((at) => ({
      namespace: scope === "cluster" ? "" : `team-${at}`,
      name: scope === "object" ? `web-${at}` : "",
      client: "kubelets",
      atMs: at * 1000,
      us: us * slowness * (30 - at)
    }))
  })
  const stage = (us: number) => histogram(random, 300, us * slowness)
  return {
    eventLogHash,
    events: 1_195_282,
    virtualMs: 2 * HOUR,
    wallMs: 21_000 * cost,
    residentMaxBytes: 450 * 2 ** 20,
    nodes: 1267,
    podsMax: 3000,
    model: ["Network: log-normal with a median of 0.5 ms each way.", "Disk: a flush takes 0.2 ms at the median."],
    calls: [
      calls("create", "pods", "object", 2000),
      calls("update", "leases.coordination.k8s.io", "object", 1300, { "409": 8, "503": 2 }),
      calls("get", "nodes", "object", 1000),
      calls("list", "pods", "namespace", 1100),
      calls("list", "pods", "cluster", 1200),
      calls("deletecollection", "pods", "namespace", 900)
    ],
    podStarts: {
      scheduled: stage(6000),
      seen: stage(800),
      running: stage(100_000),
      watched: stage(600),
      whole: stage(108_000),
      slowest: [1, 2, 3].map((at) => ({
        namespace: `team-${at}`,
        name: `web-${at}`,
        node: `node-${at}`,
        createdMs: at * 1000,
        scheduledMs: at * 1000 + 900,
        seenMs: at === 3 ? null : at * 1000 + 1000,
        runningMs: at * 1000 + 4000 - at,
        watchedMs: at * 1000 + 4001 - at
      }))
    },
    scheduling: {
      attempts: 3300,
      bound: 3000,
      unschedulable: 300,
      failures: 0,
      preemptions: 40,
      victims: 120,
      waiting: 7,
      gated: 2,
      busyBound: 2999,
      busyVirtualMs: 3000,
      busyWallMs: 6000,
      mostInSecond: 1000,
      waits: [
        { priority: "high", wait: stage(6000) },
        { priority: "none", wait: stage(8000) }
      ]
    },
    informers: [
      {
        resource: "pods",
        watches: 30,
        lag: histogram(random, 500, 700 * slowness),
        slowest: [{ namespace: "team-1", name: "web-1", type: "MODIFIED", client: "observer", atMs: 5000, us: 30_000 }]
      }
    ],
    state: {
      atMs,
      zones: zones.map(({ name, nodes }) => ({
        name,
        nodes,
        ready: atMs.map((_, at) => (name === "zone-b" && isDown(at) ? 0 : nodes))
      })),
      pods: {
        Unscheduled: atMs.map(() => 0),
        Pending: atMs.map((_, at) => (isDown(at) ? 300 : 3)),
        Running: atMs.map((_, at) => (isDown(at) ? 2100 : 2990)),
        Succeeded: atMs.map((_, at) => at),
        Failed: atMs.map(() => 0),
        Terminating: atMs.map((_, at) => (isDown(at) ? 600 : 0))
      },
      objects: { pods: atMs.map(() => 3000), nodes: atMs.map(() => 1267), events: atMs.map((_, at) => at * 10) },
      queues: { "deployment-controller": atMs.map((_, at) => (at % 7 === 0 ? 40 : 0)) },
      wallMs: atMs.map((_, at) => ((at + 1) * 21_000 * cost) / samples),
      residentBytes: atMs.map((_, at) => 2 ** 28 + at * 2 ** 20)
    },
    marks: [
      { kind: "fault", text: "zone-b dies", atMs: 0.3 * 2 * HOUR, durationMs: 0.2 * 2 * HOUR },
      { kind: "action", text: "rolling update of web", atMs: 1.5 * HOUR, durationMs: null }
    ],
    ...(curve
      ? {
          curve: [
            { nodes: 100, pods: 3000, readyWallMs: 80, wallMsPerVirtualS: 0.4, residentBytes: 2 ** 28 },
            { nodes: 1000, pods: 30_000, readyWallMs: 700, wallMsPerVirtualS: 4.4, residentBytes: 2 ** 29 },
            { nodes: 10_000, pods: 300_000, readyWallMs: 8000, wallMsPerVirtualS: 47, residentBytes: 2 ** 32 }
          ]
        }
      : {})
  }
}
