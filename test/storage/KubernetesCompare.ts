// The same walk of a real Kubernetes on our store and on etcd, side by side: what each step takes, and how long the API
// server waits for its store. Writes a page; judges nothing.
//
//   node test/storage/KubernetesCompare.ts [--rounds 1] [--nodes 500] [--pods 1000] [--out FILE.md]
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, platform } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { findAsset, type ProgramName } from "#kind"
import { storeLatencies, walk, walkArguments, type Latency, type WalkRecord } from "./KubernetesWalk.ts"
import { KwokCluster, type KubernetesPrograms } from "./KwokCluster.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1" },
    nodes: { type: "string", default: "500" },
    pods: { type: "string", default: "1000" },
    out: { type: "string", default: "" }
  }
})
const size = { nodes: Number(values.nodes), pods: Number(values.pods) }
const sides = ["ours", "etcd"] as const
type Side = (typeof sides)[number]

const pathOf = (name: ProgramName): Promise<string> =>
  Effect.runPromise(
    findAsset(name).pipe(
      Effect.map((asset) => asset.path),
      Effect.provide(NodeServices.layer)
    )
  )

const programs: KubernetesPrograms = {
  kwokctl: await pathOf("kwokctl"),
  kwok: await pathOf("kwok"),
  kubectl: await pathOf("kubectl"),
  "kube-apiserver": await pathOf("kube-apiserver"),
  "kube-controller-manager": await pathOf("kube-controller-manager"),
  "kube-scheduler": await pathOf("kube-scheduler")
}
const binaries: Record<Side, string> = {
  ours: fileURLToPath(new URL("../../bin/etcd", import.meta.url)),
  etcd: await pathOf("etcd")
}

const walkOn = async (side: Side): Promise<WalkRecord> => {
  const cluster = await KwokCluster.start(programs, binaries[side], walkArguments)
  try {
    return await walk(cluster, size)
  } finally {
    await cluster.stop()
  }
}

const [loadBefore] = loadavg()
const records: Record<Side, Array<WalkRecord>> = { ours: [], etcd: [] }
for (let round = 0; round < Number(values.rounds); round++) {
  // Back and forth, so that a machine that slows down or speeds up treats both alike.
  for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
    records[side].push(await walkOn(side))
    process.stderr.write(`round ${round + 1}: ${side} done\n`)
  }
}

const mean = (numbers: ReadonlyArray<number>): number => numbers.reduce((sum, each) => sum + each, 0) / numbers.length
const latencies = (side: Side): ReadonlyArray<Latency> =>
  storeLatencies(records[side].flatMap(({ first, second }) => [...first, ...second]))
const cell = (number: number | undefined): string =>
  number === undefined || Number.isNaN(number) ? "–" : number.toFixed(number < 10 ? 1 : 0)

const stepRows = Object.keys(records.ours[0].seconds).map((step) => {
  const [ours, etcd] = sides.map((side) => mean(records[side].map(({ seconds }) => seconds[step])))
  return `| ${step} | ${cell(ours)} | ${cell(etcd)} |`
})
const byOperation = new Map(latencies("etcd").map((each) => [each.operation, each]))
const latencyRows = latencies("ours").map(({ operation, p50, p99, requests }) => {
  const other = byOperation.get(operation)
  return `| ${operation} | ${requests} | ${other?.requests ?? "–"} | ${cell(p50)} | ${cell(other?.p50)} | ${cell(p99)} | ${cell(other?.p99)} |`
})

const page = `# A real Kubernetes on the store, beside the same on etcd

Two kube-apiservers 1.37, controller-manager and scheduler, started by kwokctl with \`--etcd-binary\` naming our \`bin/etcd\`
or etcd 3.7; ${size.nodes} hollow nodes, one Deployment of ${size.pods} pods. ${values.rounds} round(s), sides in turn, all on one machine:
${availableParallelism()} × ${cpus()[0].model}, ${platform()}, Node ${process.versions.node}, load average ${loadBefore.toFixed(1)} when it began: the
programs of both sides share these cores, so only the comparison within this page means anything.

    node test/storage/KubernetesCompare.ts --rounds ${values.rounds} --nodes ${size.nodes} --pods ${size.pods}

## Seconds for each step

| Step | Ours | etcd |
|---|---|---|
${stepRows.join("\n")}

## What the API servers waited for their store, in milliseconds

\`etcd_request_duration_seconds\` of both API servers, quantiles interpolated within its buckets.

| Operation | Requests, ours | etcd | p50, ours | etcd | p99, ours | etcd |
|---|---|---|---|---|---|---|
${latencyRows.join("\n")}
`
if (values.out === "") process.stdout.write(page)
else writeFileSync(values.out, page)
