// Run records as the runner would write them, made up from a seed: realistic in shape, so that pages, statistics and
// linter are tried on what they will meet.
import { Latency, runRecordSchema, runRecordVersion } from "../../reports/index.ts"
import type { OperationSeries, RecordedOperation, RecordedWatch, RunRecord } from "../../reports/index.ts"
import { seededRandom } from "../../reports/SeededRandom.ts"

export interface SyntheticOptions {
  readonly backend?: string
  readonly durable?: boolean
  readonly seed?: number
  readonly index?: number
  readonly of?: number
  readonly position?: number
  /** Multiplies throughput and divides latency. */
  readonly speed?: number
  /** Relative standard deviation between runs. */
  readonly noise?: number
  readonly seconds?: number
}

const normal = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const operationKinds = [
  { name: "create", kind: "write", share: 0.2, us: 900 },
  { name: "update", kind: "write", share: 0.3, us: 950 },
  { name: "get", kind: "read", share: 0.45, us: 420 },
  { name: "list", kind: "read", share: 0.05, us: 5200 }
] as const

const scenarioText = `apiVersion: wharf/v1
kind: Scenario
name: quickstart
seed: 7
load:
  - name: apiserver
    shape: closed
    clients: 4
    mix: { create: 20, update: 30, get: 45, list: 5 }
slo:
  - { name: p99 of get, expression: "get.p99 <= 10ms" }
`

/** One record; the same options give the same record. */
export const syntheticRecord = (options: SyntheticOptions = {}): RunRecord => {
  const { backend = "lmdb", durable = true, seed = 1, index = 0, of = 1, seconds = 12 } = options
  const random = seededRandom(seed * 7919 + index)
  const speed = (options.speed ?? 1) * (1 + (options.noise ?? 0.02) * normal(random))
  const rate = 3000 * speed
  const warmup = 2
  const built = operationKinds.map((kind) => operation(kind, { rate, speed, seconds, warmup, random }))
  const writes = built.filter(({ recorded }) => recorded.kind === "write")
  const events = writes.reduce((sum, { recorded }) => sum + recorded.completed, 0)
  const watch = watchOf(events, speed, random)
  return {
    schema: runRecordSchema,
    schemaVersion: runRecordVersion,
    id: `quickstart-${backend}-${index}`,
    command: `wharf run scenarios/quickstart.yaml --backend ${backend} --seed 7`,
    scenario: { name: "quickstart", hash: "4f2a".padEnd(64, "0"), text: scenarioText, overrides: {} },
    seed: 7,
    startedAt: new Date(Date.UTC(2026, 10, 24, 1, 30) + (options.position ?? index) * 20_000).toISOString(),
    durationMs: (seconds + warmup) * 1000,
    target: "process",
    backend: {
      name: backend,
      version: backend === "etcd" ? "3.7.3" : "0.1.0",
      settings: { fsync: String(durable) },
      durable
    },
    repeat: { index, of, position: options.position ?? index, order: "ABBA" },
    phases: [
      {
        name: "warmup",
        kind: "warmup",
        startMs: 0,
        endMs: warmup * 1000,
        loop: "closed",
        clients: 4,
        targetPerS: null
      },
      {
        name: "steady",
        kind: "measure",
        startMs: warmup * 1000,
        endMs: (warmup + seconds) * 1000,
        loop: "closed",
        clients: 4,
        targetPerS: null
      }
    ],
    machine: {
      cpuModel: "Example CPU @ 2.40GHz",
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      kernel: "6.1.0",
      node: "v26.10.0",
      governor: null,
      loadBefore: [0.2, 0.3, 0.3],
      loadAfter: [1.9, 0.8, 0.5],
      bootIdHash: "ab".repeat(32)
    },
    versions: { wharf: "0.1.0", gitCommit: "ce1550f" },
    generator: { ceilingPerS: 41_000, ceilingCpuPercent: 99, cpuPercent: 46 },
    operations: built.map(({ recorded }) => recorded),
    watch: [watch],
    counters: { "create.planned": 4000, "events.expected": 20_000, "bytes.value": 512 * 20_000 },
    series: {
      atS: Array.from({ length: seconds + warmup }, (_, at) => at),
      operations: built.map(({ series }) => series),
      watch: {
        delivered: perSecond(seconds + warmup, warmup, Math.round(events / seconds)),
        lagP50Us: perSecond(seconds + warmup, warmup, 1500).map((us) =>
          us === 0 ? null : us * (0.9 + 0.2 * random())
        ),
        lagP99Us: perSecond(seconds + warmup, warmup, 5200 / speed).map((us) =>
          us === 0 ? null : us * (0.7 + 0.9 * random())
        )
      }
    },
    components: components(seconds + warmup, backend, random),
    annotations: [
      { kind: "compaction", text: "compacted up to revision 12000", atMs: 6000, durationMs: 700 },
      { kind: "longest pause", text: "no write answered", atMs: 6100, durationMs: 41 }
    ],
    slos: [
      {
        name: "p99 of get",
        expression: "get.p99 <= 10ms",
        threshold: 10,
        unit: "ms",
        observed: 3.2 / speed,
        verdict: "pass"
      },
      {
        name: "watch delivery",
        expression: "watch.delivery >= 100%",
        threshold: 100,
        unit: "%",
        observed: 100,
        verdict: "pass"
      }
    ],
    validity: { valid: true, reasons: [] },
    violations: []
  }
}

interface Shape {
  readonly rate: number
  readonly speed: number
  readonly seconds: number
  readonly warmup: number
  readonly random: () => number
}

const operation = (
  kind: (typeof operationKinds)[number],
  shape: Shape
): { recorded: RecordedOperation; series: OperationSeries } => {
  const { random, seconds, warmup } = shape
  const [latency, service] = [new Latency(), new Latency()]
  const completed: Array<number> = []
  const p50Us: Array<number> = []
  const p99Us: Array<number> = []
  for (let at = 0; at < seconds + warmup; at++) {
    const second = new Latency()
    const stall = at === 6 ? 2.4 : 1
    const count = Math.round((shape.rate * kind.share * (1 + 0.05 * normal(random))) / stall)
    for (let call = 0; call < count; call++) {
      const us = 60 + ((kind.us * Math.exp(0.45 * normal(random))) / shape.speed) * (random() < 0.004 ? 9 * stall : 1)
      second.record(us)
      if (at >= warmup) {
        latency.record(us)
        service.record(us * 0.96)
      }
    }
    completed.push(count)
    p50Us.push(second.percentile(50) ?? 0)
    p99Us.push(second.percentile(99) ?? 0)
  }
  const none = completed.map(() => 0)
  const done = completed.slice(warmup).reduce((sum, count) => sum + count, 0)
  return {
    recorded: {
      name: kind.name,
      kind: kind.kind,
      phase: "steady",
      planned: done,
      sent: done,
      completed: done,
      errors: {},
      lost: 0,
      bytesIn: done * (kind.kind === "read" ? 640 : 48),
      bytesOut: done * (kind.kind === "read" ? 90 : 700),
      latency: latency.toRecorded(),
      service: service.toRecorded()
    },
    series: { name: kind.name, sent: completed, completed, errors: none, lost: none, p50Us, p99Us }
  }
}

const watchOf = (events: number, speed: number, random: () => number): RecordedWatch => {
  const lag = new Latency()
  for (let event = 0; event < events; event++) lag.record(300 + (1200 * Math.exp(0.6 * normal(random))) / speed)
  return {
    name: "objects",
    phase: "steady",
    watchers: 1,
    expected: events,
    delivered: events,
    duplicated: 0,
    outOfOrder: 0,
    lag: lag.toRecorded()
  }
}

const perSecond = (seconds: number, warmup: number, value: number) =>
  Array.from({ length: seconds }, (_, at) => (at < warmup ? 0 : value))

const components = (seconds: number, backend: string, random: () => number): RunRecord["components"] =>
  (
    [
      ["server", 120, backend === "etcd" ? 190 : 130],
      ["load-generator", 46, 110]
    ] as const
  ).map(([role, cpu, mib]) => {
    const atS = Array.from({ length: seconds }, (_, at) => at)
    const cpuPercent = atS.map(() => cpu * (0.9 + 0.2 * random()))
    const anonymousBytes = atS.map((at) => Math.round((mib + at * 1.5) * 2 ** 20))
    const diskWrittenBytes = atS.map(() => (role === "server" ? Math.round(3e6 * (0.8 + 0.4 * random())) : 0))
    return {
      name: role === "server" ? backend : "load generator",
      role,
      atS,
      cpuPercent,
      rssBytes: anonymousBytes.map((bytes) => bytes + 60 * 2 ** 20),
      anonymousBytes,
      diskWrittenBytes,
      threads: atS.map(() => 11),
      totals: {
        cpuSeconds: cpuPercent.reduce((sum, percent) => sum + percent / 100, 0),
        rssMaxBytes: Math.max(...anonymousBytes) + 60 * 2 ** 20,
        anonymousMaxBytes: Math.max(...anonymousBytes),
        diskWrittenBytes: diskWrittenBytes.reduce((sum, bytes) => sum + bytes, 0),
        threadsMax: 11
      }
    }
  })

/** `runs` records of each backend, interleaved ABBA. */
export const syntheticRuns = (
  backends: ReadonlyArray<SyntheticOptions & { readonly backend: string }>,
  runs: number
): ReadonlyArray<RunRecord> => {
  const records: Array<RunRecord> = []
  for (let index = 0; index < runs; index++) {
    const order = index % 2 === 0 ? backends : [...backends].reverse()
    for (const options of order) {
      records.push(
        syntheticRecord({
          ...options,
          index,
          of: runs,
          position: records.length,
          seed: (options.seed ?? 1) + options.backend.length
        })
      )
    }
  }
  return records
}
