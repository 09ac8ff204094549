// What it costs to keep a large cluster: `node test/sim/controllers/UpkeepBench.ts graph` feeds the collector's graph 300,000 pods, and
// `… zone [nodes] [pods]` lets a third of a cluster's nodes die with their pods on them. Prints times and memory; asserts nothing.
import { type KubeObject } from "#kube"
import { controllerManager, onePassBinder, upkeepControllers, wallMs, World } from "#sim"
import { DependencyGraph } from "../../../sim/controllers/upkeep/DependencyGraph.ts"
import { clusterDefinitions } from "../Definitions.ts"

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const megabytes = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}

const served = (resource: string, kind: string, group = "") => ({
  group,
  version: "v1",
  resource,
  kind,
  namespaced: true,
  verbs: [],
  custom: false
})

const graph = (count: number): void => {
  let work = 0
  const count1 = (): void => void work++
  const dependents = new DependencyGraph({
    toDelete: count1,
    toDeleteLater: count1,
    toOrphan: count1,
    invalidNamespace: count1
  })
  const sets = served("replicasets", "ReplicaSet", "apps")
  const pods = served("pods", "Pod")
  const object = (name: string, uid: string, owner?: string): KubeObject => ({
    apiVersion: "v1",
    kind: "",
    metadata: {
      name,
      namespace: "default",
      uid,
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true }]
          })
    }
  })
  const all = Array.from({ length: count }, (_, at) => object(`pod-${at}`, `uid-${at}`, `set-${at % 10_000}`))
  for (let at = 0; at < 10_000; at++) dependents.seen(sets, object(`set-${at}`, `set-${at}`))
  const before = megabytes()
  let started = wallMs()
  for (const one of all) dependents.seen(pods, one)
  say(
    `${count} pods: ${(((wallMs() - started) * 1000) / count).toFixed(2)} µs each to learn, ${(megabytes() - before).toFixed(0)} MB`
  )
  started = wallMs()
  for (let round = 0; round < 3; round++)
    for (const one of all) dependents.seen(pods, { ...one, metadata: { ...one.metadata } })
  say(`${(((wallMs() - started) * 1000) / count / 3).toFixed(2)} µs for each later event`)
  started = wallMs()
  for (const { metadata } of all) dependents.gone(metadata.uid ?? "")
  say(`${(((wallMs() - started) * 1000) / count).toFixed(2)} µs to forget each; ${work} calls asked for`)
}

const zone = (nodes: number, pods: number): void => {
  const run = upkeepControllers.filter(({ name }) =>
    [
      "node-lifecycle-controller",
      "taint-eviction-controller",
      "pod-garbage-collector-controller",
      "garbage-collector-controller"
    ].includes(name)
  )
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    nodeGroups: [{ name: "node", count: nodes, zones: ["a", "b", "c"] }],
    registerOverMs: 5000,
    placer: onePassBinder(20_000),
    faults: [{ kind: "nodes-die", atMs: 120_000, forMs: 10_000_000, zone: "b", count: 0 }],
    controllers: [controllerManager({ controllers: run })]
  })
  world.start()
  const step = (name: string, untilMs: number): void => {
    const started = wallMs()
    const from = world.kernel.nowMs
    world.kernel.run({ untilMs })
    const spent = (wallMs() - started) / 1000
    const virtual = (untilMs - from) / 1000
    say(
      `${name}: ${virtual.toFixed(0)} s in ${spent.toFixed(1)} s (${(virtual / spent).toFixed(0)} times real time), ${(process.memoryUsage().rss / 1_048_576).toFixed(0)} MB`
    )
  }
  step(`${nodes} nodes come`, 10_000)
  const client = world.client("users")
  for (let at = 0; at < pods; at++) {
    const metadata = { name: `p${at}`, namespace: "default" }
    const spec = { containers: [{ name: "c", image: "i" }] }
    client.create(
      { resource: { group: "", version: "v1", resource: "pods" }, namespace: "default" },
      { apiVersion: "v1", kind: "Pod", metadata, spec },
      {},
      () => undefined
    )
  }
  step(`${pods} pods come`, 60_000)
  step("nothing happens", 120_000)
  step("a zone dies", 240_000)
  step("its nodes are tainted one by one", 600_000)
}

const [what = "graph", first, second] = process.argv.slice(2)
if (what === "zone") zone(Number(first ?? 10_000), Number(second ?? 100_000))
else graph(Number(first ?? 300_000))
