// What clients of three nodes on TiKV feel each time that the leader goes: again and again it is killed, then again and again asked to
// go (SIGTERM), under writers and watchers on every node. Prints the least, middle and longest time without a write, the requests that
// failed and the longest silence of a watch, and ends with 1 if anything acknowledged was lost, doubled or told out of order.
//
//   node test/storage/nodes/FailoverRepeat.ts [--kills 10] [--hand-overs 10] [--term 1000]
//
// Needs `wharf assets build tikv`; a quiet machine, for three nodes and a cluster share it.
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset, type ProgramName } from "#kind"
import { FailoverLoad } from "./FailoverLoad.ts"
import { NodeCluster } from "./NodeCluster.ts"

/** Between a fault and the look at what it did: longer than any gap that is to be seen, with the leader's return behind it. */
const AFTER_MS = 2500
/** Everything is as usual again before the next. */
const SETTLE_MS = 700

interface Fault {
  readonly writerMs: number
  readonly watchMs: number
  readonly failed: number
}

const pathOf = (name: ProgramName): Promise<string> =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

const once = async (cluster: NodeCluster, load: FailoverLoad, signal: "SIGKILL" | "SIGTERM"): Promise<Fault> => {
  const leader = await cluster.leader()
  const failedBefore = load.failed.length
  const sinceMs = performance.now()
  await cluster.end(leader, signal)
  await sleep(AFTER_MS)
  const { watchMs, writerMs } = load.gaps(sinceMs)
  const failed = load.failed.length - failedBefore
  await cluster.startNode(leader)
  await sleep(SETTLE_MS)
  return { writerMs, watchMs, failed }
}

const spread = (values: ReadonlyArray<number>): string => {
  const sorted = values.toSorted((a, b) => a - b)
  return [sorted[0], sorted[sorted.length >> 1], sorted.at(-1) ?? 0].map((one) => one.toFixed(0)).join(" / ")
}

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "10" },
    "hand-overs": { type: "string", default: "10" },
    term: { type: "string", default: "1000" }
  }
})
const programs = { "tikv-testbed": await pathOf("tikv-testbed"), "pd-server": await pathOf("pd-server") }
const cluster = await NodeCluster.start(programs, { termMs: Number(values.term) })
try {
  const load = new FailoverLoad(cluster.endpoints, 4)
  await sleep(SETTLE_MS)
  console.log("| Fault | times | without a write, ms (least / middle / longest) | watch silent, ms | requests failed |")
  console.log("|---|---|---|---|---|")
  for (const [name, signal, times] of [
    ["leader killed", "SIGKILL", Number(values.kills)],
    ["leader asked to go", "SIGTERM", Number(values["hand-overs"])]
  ] as const) {
    const seen: Array<Fault> = []
    for (let at = 0; at < times; at++) seen.push(await once(cluster, load, signal))
    const cells = [
      spread(seen.map(({ writerMs }) => writerMs)),
      spread(seen.map(({ watchMs }) => watchMs)),
      spread(seen.map(({ failed }) => failed))
    ]
    console.log(`| ${name} | ${times} | ${cells.join(" | ")} |`)
  }
  await load.stop()
  const wrong = await load.judge()
  console.log(wrong.length === 0 ? "nothing was lost, doubled or told out of order" : wrong.join("\n"))
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  await cluster.destroy()
}
