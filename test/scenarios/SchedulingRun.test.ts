// Small clusters whose pods have opinions: what the scheduler made of them is judged on the objects at the end, by plain arithmetic.
import { readFileSync } from "node:fs"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import type { KubeObject } from "#kube"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"
import { amountOf, demandOf } from "../../sim/binder/PodDemand.ts"
import { clusterSteps } from "../../scenarios/cluster/ClusterSteps.ts"
import { ClusterMeasures, plannedMarks } from "../../scenarios/world/ClusterMeasures.ts"
import { ScenarioWorld } from "../../scenarios/world/ScenarioWorld.ts"

const live = (cluster: string) => {
  const text = `apiVersion: wharf/v1
kind: Scenario
name: small
description: A small cluster
cluster:
  duration: 2m
  controllers: none
  registerOver: 1s
  zones: [zone-a, zone-b, zone-c]
  machineTypes: { small: { cpu: 4, memory: 32Gi, pods: 110, example.com/card: 2 } }
  nodeGroups: [{ name: node, count: 12, machineType: small, reserved: { cpu: 0, memory: 0 } }]
${cluster}slo: [{ metric: scheduler.waiting, atMost: 0 }]
`
  const { scenario } = Result.getOrThrow(parseScenario("small.yaml", text))
  const own = scenario.cluster
  if (own === undefined) throw new Error("no cluster")
  const measures = new ClusterMeasures(own, ".")
  const { clock, hooks } = measures
  const run = new ScenarioWorld({ cluster: own, seed: 1, folder: ".", plan: [], clock, hooks })
  measures.attach(run)
  run.start(clusterSteps(own, 1, "."))
  run.world.kernel.run({ untilMs: own.duration })
  const list = (resource: string): ReadonlyArray<KubeObject> => run.world.api.server?.view("", resource).list("") ?? []
  const { scheduling } = measures.recorded(run, { wallMs: 1, residentMaxBytes: 1 })
  if (scheduling === undefined) throw new Error("nothing measured")
  assert.deepStrictEqual(run.violations.list, [])
  return { pods: list("pods"), nodes: list("nodes"), scheduling }
}

const specOf = ({ spec }: KubeObject) => spec as { readonly nodeName?: string; readonly priorityClassName?: string }
const ofApp = (pods: ReadonlyArray<KubeObject>, app: string) =>
  pods.filter(({ metadata }) => metadata.labels?.["app"] === app)
const countBy = (pods: ReadonlyArray<KubeObject>, key: (pod: KubeObject) => string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const pod of pods) counts.set(key(pod), (counts.get(key(pod)) ?? 0) + 1)
  return counts
}
const nodeOf = (pod: KubeObject): string => specOf(pod).nodeName ?? ""

const assertRoom = (pods: ReadonlyArray<KubeObject>, nodes: ReadonlyArray<KubeObject>) => {
  for (const node of nodes) {
    const here = pods.filter((pod) => nodeOf(pod) === node.metadata.name)
    const { allocatable } = node["status"] as { readonly allocatable: Readonly<Record<string, string>> }
    const sum = (of: "cpuMilli" | "memory") => here.reduce((all, pod) => all + demandOf(pod)[of], 0)
    assert.isAtMost(sum("cpuMilli"), amountOf("cpu", allocatable["cpu"]), node.metadata.name)
    assert.isAtMost(sum("memory"), amountOf("memory", allocatable["memory"]), node.metadata.name)
    assert.isAtMost(here.length, Number(allocatable["pods"]))
  }
}

describe("preemption in a scenario", () => {
  it("places every urgent pod, sends only lesser ones away, and overcommits no node", () => {
    const { nodes, pods, scheduling } = live(`  priorityClasses: [{ name: low, value: 1 }, { name: high, value: 100 }]
  workloads:
    - { name: filler, kind: Pod, replicas: 48, cpu: 900m, priorityClass: low, mayWait: true, at: 5s }
    - { name: urgent, kind: Pod, replicas: 10, cpu: 3000m, priorityClass: high, at: 20s, perSecond: 5 }
`)
    assert.lengthOf(nodes, 12)
    const urgent = ofApp(pods, "urgent").filter((pod) => nodeOf(pod) !== "")
    assert.lengthOf(urgent, 10)
    // A node of 4 CPUs holds 3 of its 900m pods too many beside 3 CPUs.
    const fillers = ofApp(pods, "filler")
    assert.lengthOf(fillers, 48 - 30)
    assert.include(scheduling, { preemptions: 10, victims: 30, waiting: 0, bound: 58 })
    assert.deepStrictEqual(
      scheduling.waits.map(({ priority, wait }) => [priority, wait.count]),
      [
        ["high", 10],
        ["low", 48]
      ]
    )
    assert.isAtLeast(scheduling.attempts, 58 + scheduling.unschedulable)
    assertRoom(pods, nodes)
  })

  it("sends nobody away for a class that does not preempt", () => {
    const { pods, scheduling } = live(`  priorityClasses: [{ name: high, value: 100, preempts: false }]
  workloads:
    - { name: filler, kind: Pod, replicas: 48, cpu: 900m, mayWait: true, at: 5s }
    - { name: urgent, kind: Pod, replicas: 2, cpu: 3000m, priorityClass: high, mayWait: true, at: 20s }
`)
    assert.lengthOf(ofApp(pods, "filler"), 48)
    assert.include(scheduling, { preemptions: 0, victims: 0, waiting: 2 })
  })
})

describe("placement in a scenario", () => {
  it("keeps spreads, affinities, anti-affinities, gates and extended resources", () => {
    const { nodes, pods, scheduling } = live(`  workloads:
    - name: even
      kind: Pod
      replicas: 20
      spread: [{ topologyKey: topology.kubernetes.io/zone }, { topologyKey: kubernetes.io/hostname, maxSkew: 2 }]
      at: 5s
    - { name: apart, kind: Pod, replicas: 12, podAntiAffinity: [{ topologyKey: kubernetes.io/hostname }], at: 6s }
    - { name: together, kind: Pod, replicas: 9, podAffinity: [{ topologyKey: topology.kubernetes.io/zone }], at: 7s }
    - name: there
      kind: Pod
      replicas: 9
      nodeAffinity: [{ key: topology.kubernetes.io/zone, operator: NotIn, values: [zone-a, zone-c] }]
      at: 8s
    - { name: cards, kind: Pod, replicas: 12, extended: { example.com/card: 2 }, at: 8s }
    - { name: gated, kind: Pod, replicas: 4, gates: [example.com/wait], at: 9s }
    - { name: shut, kind: Pod, replicas: 3, gates: [example.com/wait], mayWait: true, at: 9s }
  actions: [{ kind: ungate, at: 40s, of: gated }]
`)
    const zones = new Map(
      nodes.map(({ metadata }) => [metadata.name ?? "", metadata.labels?.["topology.kubernetes.io/zone"] ?? ""])
    )
    const zoneOf = (pod: KubeObject): string => zones.get(nodeOf(pod)) ?? ""
    const skew = (counts: ReadonlyMap<string, number>, domains: number): number =>
      Math.max(...counts.values()) - (counts.size < domains ? 0 : Math.min(...counts.values()))
    const even = ofApp(pods, "even")
    assert.lengthOf(even, 20)
    assert.isAtMost(skew(countBy(even, zoneOf), 3), 1)
    assert.isAtMost(skew(countBy(even, nodeOf), 12), 2)
    assert.strictEqual(countBy(ofApp(pods, "apart"), nodeOf).size, 12)
    assert.strictEqual(countBy(ofApp(pods, "together"), zoneOf).size, 1)
    assert.deepStrictEqual([...countBy(ofApp(pods, "there"), zoneOf)], [["zone-b", 9]])
    assert.strictEqual(countBy(ofApp(pods, "cards"), nodeOf).size, 12)
    assert.isFalse(ofApp(pods, "gated").some((pod) => nodeOf(pod) === ""))
    assert.isTrue(ofApp(pods, "shut").every((pod) => nodeOf(pod) === ""))
    assert.include(scheduling, { gated: 3, waiting: 0, bound: 66, failures: 0 })
    // Waiting behind a gate is not waiting for the scheduler.
    assert.isBelow(scheduling.waits[0].wait.max ?? Infinity, 1_000_000)
    assertRoom(pods, nodes)
  })

  it("says how far its workloads are scaled, by a number of their own or by the nodes", () => {
    const text = readFileSync(new URL("../../scenarios/gke-65k.yaml", import.meta.url), "utf8")
    const { cluster } = Result.getOrThrow(parseScenario("gke-65k.yaml", text)).scenario
    if (cluster === undefined) throw new Error("no cluster")
    const [first, ...others] = cluster.actions
    const marks = plannedMarks({
      ...cluster,
      actions: [{ kind: "scale", at: 1, of: "serve", replicas: 7 }, first, ...others]
    })
    assert.deepStrictEqual(
      marks.slice(0, 2).map((mark) => mark.text),
      ["scale of serve to 7", "scale of train to 50,000 in all"]
    )
  })
})
