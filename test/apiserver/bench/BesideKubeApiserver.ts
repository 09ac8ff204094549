// Our API server beside a real kube-apiserver on etcd, in one run and in turn: create, get, update and list of pods over HTTP, kubectl, and
// what each side costs in CPU time and memory. Prints a page; judges nothing.
//
//   node test/apiserver/bench/BesideKubeApiserver.ts [--rounds 3] [--pods 10000] [--folder DIR] [--out FILE.md]
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { cpus, loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset, type ProgramName } from "#kind"
import { type Cost, costOf, type Side, startOurs, startReal, TOKEN } from "./Sides.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    pods: { type: "string", default: "10000" },
    folder: { type: "string", default: tmpdir() },
    only: { type: "string", default: "" },
    out: { type: "string", default: "" }
  }
})
const pods = Number(values.pods)
const rounds = Number(values.rounds)
const sides = ["ours", "kube-apiserver"] as const
type Name = (typeof sides)[number]

const pathOf = (name: ProgramName): Promise<string> =>
  Effect.runPromise(
    findAsset(name).pipe(
      Effect.map(({ path }) => path),
      Effect.provide(NodeServices.layer)
    )
  )
const programs = {
  etcd: await pathOf("etcd"),
  "kube-apiserver": await pathOf("kube-apiserver"),
  kubectl: await pathOf("kubectl"),
  h2load: await pathOf("h2load")
}

const NAMESPACE = "bench"
const POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { generateName: "web-", labels: { app: "web", tier: "front" } },
  spec: {
    automountServiceAccountToken: false,
    containers: [
      {
        name: "web",
        image: "registry.example/web:1.2.3",
        env: [{ name: "PORT", value: "8080" }],
        ports: [{ containerPort: 8080 }],
        resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "64Mi" } }
      }
    ]
  }
}

interface Sample {
  readonly perSecond: number
  /** Of the side, for one request. */
  readonly cpuMicros: number
}

/** Runs a load and answers what it was and cost; `seconds` is what the load says of itself. */
const measured = async (side: Side, requests: number, load: () => number | Promise<number>): Promise<Sample> => {
  const before = costOf(side)
  const seconds = await load()
  return { perSecond: requests / seconds, cpuMicros: ((costOf(side).cpuMs - before.cpuMs) * 1000) / requests }
}

const h2load = (side: Side, path: string, requests: number, args: ReadonlyArray<string>): number => {
  const all = ["-n", String(requests), "-H", `authorization: Bearer ${TOKEN}`, ...args, `${side.url}${path}`]
  const { stdout } = spawnSync(programs.h2load, all, { encoding: "utf8", maxBuffer: 2 ** 26 })
  const time = /finished in ([\d.]+)(us|ms|s)/.exec(stdout)
  const [, succeeded] = /(\d+) succeeded/.exec(stdout) ?? []
  const [, good] = /status codes: (\d+) 2xx/.exec(stdout) ?? []
  if (time === null || Number(succeeded) !== requests || Number(good) !== requests) {
    throw new Error(`h2load of ${path} on ${side.name} failed:\n${stdout}`)
  }
  return Number(time[1]) / { us: 1e6, ms: 1e3, s: 1 }[time[2] as "us" | "ms" | "s"]
}

const update = async (side: Side, requests: number): Promise<number> => {
  const { body } = await side.call("GET", `/api/v1/namespaces/${NAMESPACE}/pods?limit=1000`)
  const { items } = JSON.parse(body) as { items: ReadonlyArray<object> }
  const objects = items.map((item) => ({ apiVersion: "v1", kind: "Pod", ...item }))
  const load = fileURLToPath(new URL("UpdateLoad.ts", import.meta.url))
  const output = execFileSync(process.execPath, [load, side.url, TOKEN, String(requests), "100"], {
    input: JSON.stringify(objects),
    maxBuffer: 2 ** 26
  })
  const { failed, seconds } = JSON.parse(output.toString()) as { failed: number; seconds: number }
  if (failed > 0) throw new Error(`${failed} of ${requests} updates on ${side.name} failed`)
  return seconds
}

const kubectl = (side: Side): number => {
  const began = performance.now()
  const args = ["--kubeconfig", side.kubeconfig, "-n", NAMESPACE, "get", "pods", "--no-headers"]
  const lines = execFileSync(programs.kubectl, args, { encoding: "utf8", maxBuffer: 2 ** 28 })
    .trim()
    .split("\n").length
  if (lines < pods) throw new Error(`kubectl saw ${lines} of ${pods} pods on ${side.name}`)
  return (performance.now() - began) / 1000
}

const operations = ["create", "get", "update", "list of all", "list in pages of 500", "kubectl get pods"] as const
type Operation = (typeof operations)[number]
interface Round {
  readonly samples: Record<Operation, Sample>
  readonly idle: Cost
  readonly full: Cost
}

const LISTS = 10

const runRound = async (side: Side, folder: string): Promise<Round> => {
  await side.call("POST", "/api/v1/namespaces", { metadata: { name: NAMESPACE } })
  await side.call("POST", `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata: { name: "default" } })
  const idle = costOf(side)
  const body = join(folder, "pod.json")
  writeFileSync(body, JSON.stringify(POD))
  const path = `/api/v1/namespaces/${NAMESPACE}/pods`
  const many = ["-c", "10", "-m", "10"]
  const creating = ["-d", body, "-H", "content-type: application/json", ...many]
  const create = await measured(side, pods, () => h2load(side, path, pods, creating))
  const listed = await side.call("GET", `${path}?limit=1`)
  const { items } = JSON.parse(listed.body) as { items: ReadonlyArray<{ metadata: { name: string } }> }
  const one = `${path}/${items[0]?.metadata.name ?? ""}`
  const get = await measured(side, pods * 2, () => h2load(side, one, pods * 2, many))
  const updated = await measured(side, pods, () => update(side, pods))
  const all = await measured(side, LISTS, () => h2load(side, path, LISTS, ["-c", "2", "-m", "1"]))
  const page = await measured(side, LISTS * 20, () => h2load(side, `${path}?limit=500`, LISTS * 20, ["-c", "4"]))
  const shown = await measured(side, 1, () => kubectl(side))
  return {
    samples: {
      create,
      get,
      update: updated,
      "list of all": all,
      "list in pages of 500": page,
      "kubectl get pods": shown
    },
    idle,
    full: costOf(side)
  }
}

const start = (name: Name, folder: string): Promise<Side> =>
  name === "ours"
    ? startOurs(folder, fileURLToPath(new URL("../../../bin/wharf", import.meta.url)))
    : startReal(folder, programs)

const results: Record<Name, Array<Round>> = { ours: [], "kube-apiserver": [] }
const loads = [loadavg()[0]]
for (let round = 0; round < rounds; round++) {
  // Back and forth, so that a machine that slows down or speeds up treats both alike.
  for (const name of round % 2 === 0 ? sides : sides.toReversed()) {
    if (values.only !== "" && values.only !== name) continue
    const folder = mkdtempSync(join(values.folder, "beside-"))
    const side = await start(name, folder)
    try {
      results[name].push(await runRound(side, folder))
    } finally {
      await side.stop()
      rmSync(folder, { recursive: true, force: true })
    }
    loads.push(loadavg()[0])
    process.stderr.write(`round ${round + 1}: ${name} done\n`)
  }
}

const middle = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
const shown = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
const cell = (name: Name, of: (round: Round) => number): string => {
  const all = results[name].map(of)
  if (all.length === 0) return "–"
  return `${shown(middle(all))} (${shown(Math.min(...all))}–${shown(Math.max(...all))})`
}
const ratio = (of: (round: Round) => number): string =>
  sides.some((name) => results[name].length === 0)
    ? "–"
    : shown(middle(results.ours.map(of)) / middle(results["kube-apiserver"].map(of)))

const rate = (operation: Operation) => (round: Round) => round.samples[operation].perSecond
const cpu = (operation: Operation) => (round: Round) => round.samples[operation].cpuMicros / 1000
const MIB = 2 ** 20
const row = (label: string, of: (round: Round) => number): string =>
  `| ${label} | ${cell("ours", of)} | ${cell("kube-apiserver", of)} | ${ratio(of)} |`
const head = (what: string): string => `| ${what} | Ours | kube-apiserver and etcd | Ratio |\n|---|---|---|---|`

const model = cpus()[0]?.model.trim() ?? "unknown"
const page = `# Our API server beside a real kube-apiserver

\`wharf serve apiserver --data-dir\` beside kube-apiserver 1.37.2 on etcd 3.7.3, each on data of its own on the same disk, syncing every
commit, over TLS, with RBAC and their usual admission plugins. ${rounds} rounds, sides in turn, a fresh server each time: ${pods} pods are created
by h2load (10 connections with 10 streams each), one of them is read ${pods * 2} times, ${pods} updates change a label of the first 1000 (100 in
flight, by a client of Node, since h2load knows only one body), and all are listed whole, in pages, and by kubectl.
${cpus().length} × ${model}, Node ${process.version.slice(1)}. The machine was shared: its load average was ${loads.map((load) => load.toFixed(1)).join(", ")} between the
rounds, and clients and servers share its cores; so CPU time tells more than rates do. Medians, with the least and the most.

    node test/apiserver/bench/BesideKubeApiserver.ts --rounds ${rounds} --pods ${pods}

## Requests a second

${head("Operation")}
${operations.map((operation) => row(operation, rate(operation))).join("\n")}

## CPU milliseconds of the servers for one request

${head("Operation")}
${operations.map((operation) => row(operation, cpu(operation))).join("\n")}

## Resident memory in MiB

${head("When")}
${row("after the start", ({ idle }) => idle.residentBytes / MIB)}
${row(`with ${pods} pods, at the end`, ({ full }) => full.residentBytes / MIB)}
${row("at the most", ({ full }) => full.peakBytes / MIB)}
`
console.log(page)
if (values.out !== "") writeFileSync(values.out, page)
