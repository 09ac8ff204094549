// What admission and observer cost one request, in nanoseconds of one thread: the data path calls them for every request.
// Run: node test/gateway/bench/ObserverCost.ts
import { machineClockwork } from "#kube"
import { Limits } from "../../../core/gateway/limits/Limits.ts"
import { AccessLog } from "../../../core/gateway/observe/AccessLog.ts"
import { GatewayObserver } from "../../../core/gateway/observe/GatewayObserver.ts"
import type { RequestRecord } from "../../../core/gateway/observe/Observer.ts"
import { FakeSnapshots, flowControl } from "../global/LimiterWorld.ts"
import { recordOf } from "../observe/Records.ts"

const ROUNDS = 7
const REQUESTS = 200_000

const records: ReadonlyArray<RequestRecord> = ["pods", "nodes", "configmaps", "secrets", "leases"].flatMap((resource) =>
  [0, 1, 2].map((endpoint) =>
    recordOf("GET", `/api/v1/namespaces/default/${resource}/a`, { endpoint: `https://10.0.0.${endpoint}:6443` })
  )
)

const at = (index: number): RequestRecord => records[index % records.length] ?? records[0]

/** The median over the rounds, of nanoseconds a request. */
const measure = (title: string, request: (index: number) => void): void => {
  const rounds: Array<number> = []
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let index = 0; index < REQUESTS; index++) request(index)
    rounds.push(Number(process.hrtime.bigint() - start) / REQUESTS)
  }
  const sorted = rounds.toSorted((left, right) => left - right)
  const [least = 0] = sorted
  process.stdout.write(
    `| ${title} | ${(sorted[ROUNDS >> 1] ?? 0).toFixed(0)} | ${least.toFixed(0)} … ${(sorted.at(-1) ?? 0).toFixed(0)} |\n`
  )
}

const limit = (name: string, given: Parameters<typeof flowControl>[0]) => flowControl({ name, ...given })
const slots = { kind: "MaxRequestsInflight" as const, max: 1000, globalMax: undefined, maxLongRunning: undefined }
const bucket = { kind: "TokenBucket" as const, local: { qps: 1e9, burst: 1e9 }, global: undefined }
const limits = new Limits({
  clockwork: machineClockwork,
  snapshots: new FakeSnapshots({
    c: [
      limit("exempt", { limit: { kind: "Exempt" } }),
      limit("slots", { limit: slots }),
      limit("bucket", { limit: bucket }),
      limit("fair", { limit: slots, queue: { length: 100, timeoutMs: 1000 } }),
      limit("users", { limit: bucket, perUser: { qps: 1e9, burst: 1e9 } })
    ]
  })
})
const plain = new GatewayObserver({ clockwork: machineClockwork })
let lines = 0
const logging = new GatewayObserver({
  clockwork: machineClockwork,
  accessLog: new AccessLog({ enabled: true, sink: { write: () => void lines++ } })
})
const header = { header: () => undefined }

const observe = (observer: GatewayObserver, record: RequestRecord): void => {
  observer.arrived(header, false)
  observer.received(record)
  observer.ended(record)
}

const admit = (flow: string, record: RequestRecord): void => {
  const outcome = record.facts === undefined ? undefined : limits.admit("c", flow, record.facts, () => undefined)
  if (outcome?.kind === "permit") outcome.release()
}

process.stdout.write("| what | ns a request, median | least … most |\n| --- | --- | --- |\n")
for (const flow of ["exempt", "slots", "bucket", "fair", "users"])
  measure(`admission: ${flow}`, (index) => admit(flow, at(index)))
measure("observer: metrics", (index) => observe(plain, at(index)))
measure("observer: metrics and access log lines (not written)", (index) => observe(logging, at(index)))
measure("admission (slots) and observer (metrics)", (index) => {
  const record = at(index)
  admit("slots", record)
  observe(plain, record)
})
limits.stop()
