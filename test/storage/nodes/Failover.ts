// What clients feel when a leader goes: handed over, killed, or paused for longer than its term, under load from all nodes.
// Prints a table of the time without a writer, failed requests, and the longest silence of a watch, and ends with 1 if anything was
// lost, doubled or out of order. Run: `node test/storage/nodes/Failover.ts [rounds]` (needs `wharf assets build tikv`).
import { setTimeout as sleep } from "node:timers/promises"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset } from "#kind"
import { FailoverLoad } from "./FailoverLoad.ts"
import { NodeCluster } from "./NodeCluster.ts"

const TERM_MS = 1000
const WARM_MS = 1500
const AFTER_MS = 5000
const rounds = Number(process.argv[2] ?? 3)

const faults = {
  "hand-over (SIGTERM)": (cluster: NodeCluster, leader: number) => cluster.end(leader, "SIGTERM"),
  "kill (SIGKILL)": (cluster: NodeCluster, leader: number) => cluster.end(leader, "SIGKILL"),
  "pause of 2.5 terms": async (cluster: NodeCluster, leader: number) => {
    cluster.signal(leader, "SIGSTOP")
    await sleep(2.5 * TERM_MS)
    cluster.signal(leader, "SIGCONT")
  }
}

const pathOf = (name: "tikv-testbed" | "pd-server") =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

const programs = { "tikv-testbed": await pathOf("tikv-testbed"), "pd-server": await pathOf("pd-server") }
let wrong = 0
console.log(
  "| Fault | Writes before, per s | Without a writer, ms | Longest silence of a watch, ms | Failed requests |"
)
console.log("|---|---|---|---|---|")
for (const [name, inflict] of Object.entries(faults)) {
  for (let round = 0; round < rounds; round++) {
    const cluster = await NodeCluster.start(programs, { termMs: TERM_MS })
    const leader = await cluster.leader()
    const load = new FailoverLoad(cluster.endpoints, 4)
    await sleep(WARM_MS)
    const before = load.acknowledged.length
    const beforeFailed = load.failed.length
    const atMs = performance.now()
    await inflict(cluster, leader)
    await sleep(AFTER_MS)
    await load.stop()
    const { watchMs, writerMs } = load.gaps(atMs)
    const kinds = new Map<string, number>()
    const failures = load.failed.slice(beforeFailed)
    for (const { message } of failures) kinds.set(message, (kinds.get(message) ?? 0) + 1)
    const failed = `${failures.length}${[...kinds].map(([message, count]) => `; ${count} × ${message}`).join("")}`
    console.log(
      `| ${name} | ${Math.round((before * 1000) / WARM_MS)} | ${Math.round(writerMs)} | ${Math.round(watchMs)} | ${failed} |`
    )
    for (const message of await load.judge()) {
      wrong++
      console.log(`WRONG: ${message}`)
    }
    await cluster.destroy()
  }
}
process.exit(wrong > 0 ? 1 : 0)
