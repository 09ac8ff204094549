// A whole simulated cluster: nodes register and keep their leases, pods are bound and run, end and go, and dead zones fall silent.
import { assert, describe, it } from "vitest"
import { isJsonObject, type KubeObject, parseRfc3339 } from "#kube"
import { type ChurnStep, parseStages, podChurn, RandomStream, timedKubeScheduler, World, type WorldOptions } from "#sim"
import { clusterDefinitions } from "./Definitions.ts"

const make = (options: Partial<WorldOptions> = {}): World =>
  new World({
    seed: 3,
    definitions: clusterDefinitions,
    nodeGroups: [{ name: "node", count: 12, zones: ["a", "b", "c"] }],
    ...options
  })

const podsOf = (world: World): ReadonlyArray<KubeObject> => world.api.server!.view("", "pods").list("")
const statusOf = ({ status }: KubeObject): Readonly<Record<string, unknown>> => (isJsonObject(status) ? status : {})
const leaseTimes = (world: World): ReadonlyArray<readonly [string, number]> =>
  world.api
    .server!.view("coordination.k8s.io", "leases")
    .list("kube-node-lease")
    .map(({ metadata, spec }) => [metadata.name ?? "", parseRfc3339((spec as { renewTime: string }).renewTime)!])

const podStep = (name: string, more: { metadata?: object; spec?: object } = {}): ChurnStep => ({
  atMs: 0,
  verb: "create",
  of: { apiVersion: "v1", resource: "pods", namespace: "default", name },
  object: {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", ...more.metadata },
    spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "1" } } }], ...more.spec }
  }
})

describe("nodes", () => {
  it("register with a kubelet's status and renew their leases every ten seconds", () => {
    const world = make({ registerOverMs: 1000 })
    world.start()
    world.kernel.run({ untilMs: 120_000 })
    const nodes = world.api.server!.view("", "nodes").list("")
    assert.lengthOf(nodes, 12)
    const [node] = nodes
    const { allocatable, conditions, nodeInfo } = statusOf(node) as Record<string, never>
    assert.deepInclude(allocatable, { cpu: "7900m", pods: "110" })
    assert.deepInclude(nodeInfo, { kubeletVersion: "v1.37.2" })
    assert.strictEqual(
      (conditions as ReadonlyArray<{ type: string; status: string }>).find(({ type }) => type === "Ready")?.status,
      "True"
    )
    const now = world.kernel.epochMs + world.kernel.nowMs
    for (const [name, time] of leaseTimes(world)) assert.isBelow(now - time, 10_500, name)
    const { renewed } = world.nodes.renewals.stats
    assert.closeTo(renewed, (12 * 120) / 10.2, 12)
  })

  it("renew no lease twice as often because they were made anew", () => {
    const world = make()
    world.start()
    world.kernel.run({ untilMs: 30_000 })
    const users = world.client("users")
    const resource = { group: "", version: "v1", resource: "nodes" }
    for (const { facts } of world.nodes.machines)
      users.delete({ resource, namespace: "", name: facts.name }, {}, () => undefined)
    world.kernel.run({ untilMs: 60_000 })
    assert.strictEqual(world.nodes.stats.registered, 24)
    const { renewed } = world.nodes.renewals.stats
    const { heartbeats } = world.nodes.stats
    world.kernel.run({ untilMs: 660_000 })
    assert.closeTo(world.nodes.renewals.stats.renewed - renewed, (12 * 600) / 10.2, 24)
    assert.closeTo(world.nodes.stats.heartbeats - heartbeats, 12 * 2, 12)
  })

  it("report their status every five minutes", () => {
    const world = make()
    world.start()
    world.kernel.run({ untilMs: 3_600_000 })
    assert.closeTo(world.nodes.stats.heartbeats, 12 * 12, 14)
  })

  it("live by the stages of a file, too", () => {
    const text = `
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: broken}
spec:
  resourceRef: {apiGroup: v1, kind: Node}
  selector:
    matchLabels: {topology.kubernetes.io/zone: c}
    matchExpressions:
    - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: In, values: ["True"]}
  delay: {durationMilliseconds: 5000}
  next:
    statusTemplate: |
      conditions:
      - {type: Ready, status: "False", reason: nodeFailed, message: {{ printf "%s failed" NodeName | Quote }}}
`
    const world = make({ nodeStages: parseStages(text).map(({ stage }) => stage) })
    world.start()
    world.kernel.run({ untilMs: 20_000 })
    for (const node of world.api.server!.view("", "nodes").list("")) {
      const conditions = statusOf(node)["conditions"] as ReadonlyArray<{ type: string; message: string }>
      const { message } = conditions.find(({ type }) => type === "Ready")!
      const isBroken = node.metadata.labels?.["topology.kubernetes.io/zone"] === "c"
      assert.strictEqual(message, isBroken ? `${node.metadata.name} failed` : "kubelet is posting ready status")
      assert.lengthOf(conditions, 4)
    }
  })

  it("fall silent when their zone dies or is cut off, and come back", () => {
    for (const kind of ["nodes-die", "zone-cut"] as const) {
      const fault = { kind, atMs: 30_000, forMs: 60_000, zone: "b", count: 0 }
      const world = make({
        faults: [kind === "zone-cut" ? { kind, atMs: 30_000, forMs: 60_000, zone: "b" } : { ...fault, kind }]
      })
      world.start()
      world.kernel.run({ untilMs: 85_000 })
      const zoneOf = (name: string): string => world.nodes.machines[world.nodes.numberOf(name)!].zone
      const now = world.kernel.epochMs + world.kernel.nowMs
      for (const [name, time] of leaseTimes(world))
        assert.strictEqual(now - time > 20_000, zoneOf(name) === "b", `${kind} ${name}`)
      world.kernel.run({ untilMs: 105_000 })
      for (const [name, time] of leaseTimes(world))
        assert.isBelow(world.kernel.epochMs + 105_000 - time, 15_000, `${kind} ${name} is back`)
    }
  })

  it("boot after a death each at its own time, and not while their zone is dead again", () => {
    const aliveAt = (world: World, atMs: number): number => {
      world.kernel.run({ untilMs: atMs })
      return world.nodes.machines.filter((_, node) => world.nodes.isWell(node)).length
    }
    const die = { kind: "nodes-die", zone: "b", count: 0 } as const
    const world = make({
      nodeGroups: [{ name: "node", count: 90, zones: ["a", "b", "c"] }],
      registerOverMs: 20_000,
      faults: [
        { ...die, atMs: 30_000, forMs: 60_000 },
        { ...die, atMs: 100_000, forMs: 60_000 }
      ]
    })
    world.start()
    assert.deepStrictEqual(
      [29_000, 89_000].map((atMs) => aliveAt(world, atMs)),
      [90, 60]
    )
    const half = aliveAt(world, 99_000)
    assert.closeTo(half, 75, 10)
    assert.deepStrictEqual(
      [101_000, 159_000, 181_000].map((atMs) => aliveAt(world, atMs)),
      [60, 60, 90]
    )
  })
})

describe("pods", () => {
  it("are bound, run with addresses of their own, end with their Job, and go when they are deleted", () => {
    const world = make()
    world.start()
    const ownerReferences = [{ apiVersion: "batch/v1", kind: "Job", name: "j", uid: "1", controller: true }]
    world.play([podStep("a"), podStep("b"), podStep("job", { metadata: { ownerReferences } })])
    world.kernel.run({ untilMs: 20_000 })
    const phases = Object.fromEntries(podsOf(world).map((pod) => [pod.metadata.name, statusOf(pod)["phase"]]))
    assert.deepStrictEqual(phases, { a: "Running", b: "Running", job: "Succeeded" })
    assert.strictEqual(new Set(podsOf(world).map((pod) => statusOf(pod)["podIP"])).size, 3)
    const { name, namespace, resource, apiVersion } = {
      apiVersion: "v1",
      resource: "pods",
      namespace: "default",
      name: "a"
    }
    world.play([{ atMs: 0, verb: "delete", of: { apiVersion, resource, namespace, name } }])
    world.kernel.run({ untilMs: 30_000 })
    assert.deepStrictEqual(
      podsOf(world).map((pod) => pod.metadata.name),
      ["b", "job"]
    )
    assert.strictEqual(world.pods.stats.known, 2)
  })

  it("wait for a scheduler that looks at all nodes in vain, as long as it was said to take for it", () => {
    const boundAt = (missMs: number): number => {
      const world = make({ placer: timedKubeScheduler({ turnMs: 5, attemptMs: 0, missMs }) })
      world.start()
      world.kernel.run({ untilMs: 5000 })
      const huge = { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "500" } } }] }
      world.play(["v", "w", "x", "y"].map((name) => podStep(name, { spec: huge })))
      world.kernel.run({ untilMs: 6000 })
      world.play([podStep("fits")])
      for (let atMs = 6000; atMs < 20_000; atMs += 100) {
        world.kernel.run({ untilMs: atMs })
        if (world.bindings.stats.bound === 1) return atMs
      }
      return Infinity
    }
    assert.isAtMost(boundAt(0), 6200)
    // Four attempts before it, and perhaps one of those again.
    const late = boundAt(1000)
    assert.isAtLeast(late, 9000)
    assert.isAtMost(late, 10_200)
  })

  it("wait with a reason when there is no room, and are bound when there is", () => {
    const world = make({
      nodeGroups: [{ name: "small", count: 2, capacity: { cpu: "2", memory: "4Gi", pods: "10" }, reserved: {} }]
    })
    world.start()
    world.play(["a", "b", "c", "d", "e"].map((name) => podStep(name)))
    world.kernel.run({ untilMs: 20_000 })
    const waiting = podsOf(world).filter((pod) => (pod.spec as { nodeName?: string }).nodeName === undefined)
    assert.lengthOf(waiting, 1)
    const conditions = statusOf(waiting[0])["conditions"] as ReadonlyArray<{ reason?: string; message?: string }>
    assert.deepInclude(conditions[0], {
      reason: "Unschedulable",
      message: "0/2 nodes are available: 2 Insufficient cpu."
    })
    const events = world.api.server!.view("", "events").list("default")
    assert.deepStrictEqual(
      events.map((event) => event["reason"]),
      ["FailedScheduling"]
    )
    const running = podsOf(world).find((pod) => pod !== waiting[0])!
    const of = { apiVersion: "v1", resource: "pods", namespace: "default", name: running.metadata.name! }
    world.play([{ atMs: 0, verb: "delete", of }])
    world.kernel.run({ untilMs: 40_000 })
    assert.lengthOf(podsOf(world), 4)
    assert.isTrue(podsOf(world).every((pod) => (pod.spec as { nodeName?: string }).nodeName !== undefined))
  })

  it("live by the stages of a file", () => {
    const text = `
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: up}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector: {matchExpressions: [{key: .status.phase, operator: In, values: [Pending]}]}
  delay: {durationMilliseconds: 500}
  next:
    event: {type: Normal, reason: Up, message: it is up}
    statusTemplate: |
      phase: Running
      podIP: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}
`
    const world = make({ podStages: parseStages(text).map(({ stage }) => stage) })
    world.start()
    world.play([podStep("a")])
    world.kernel.run({ untilMs: 5000 })
    const [pod] = podsOf(world)
    assert.strictEqual(statusOf(pod)["phase"], "Running")
    assert.match(String(statusOf(pod)["podIP"]), /^10\./)
    assert.strictEqual(world.api.server!.view("", "events").list("default")[0]?.["reason"], "Up")
  })
})

it("runs controllers by port, each in a process of its own, and stops them", () => {
  const seen: Array<string> = []
  const world = make({
    controllers: [
      {
        name: "counter",
        start: ({ clockwork, name }) => clockwork.every(1000, () => seen.push(name))
      }
    ]
  })
  world.start()
  world.kernel.run({ untilMs: 3500 })
  world.stop()
  world.kernel.run({ untilMs: 10_000 })
  assert.deepStrictEqual(seen, ["counter", "counter", "counter"])
})

it("does the same again with the same seed, pods and churn and all", () => {
  const hash = (seed: number): string => {
    const world = make({ seed })
    world.start()
    world.play(podChurn({ pods: 60, replacePerSecond: 5, untilMs: 30_000 }, new RandomStream(seed)))
    world.kernel.run({ untilMs: 40_000 })
    assert.strictEqual(world.player.stats.failures, 0)
    return world.kernel.log.hash()
  }
  assert.strictEqual(hash(1), hash(1))
  assert.notStrictEqual(hash(1), hash(2))
})
