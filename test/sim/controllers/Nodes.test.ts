// Nodes that fall silent, what is said of them, and when their pods have to go, in simulated clusters of several zones.
import { array, assert as check, boolean, constantFrom, integer, property, record } from "fast-check"
import { assert, describe, it } from "vitest"
import { type JsonObject, type KubeObject, parseRfc3339 } from "#kube"
import type { FaultPlan } from "#sim"
import { CidrSet } from "../../../sim/controllers/nodes/CidrSet.ts"
import { ttlStep } from "../../../sim/controllers/nodes/NodeTtl.ts"
import { nodeIpam } from "../../../sim/controllers/nodes/NodeIpam.ts"
import { controllersNamed, fields, Resources, textOf, UpkeepWorld } from "./UpkeepWorld.ts"

const { events, nodes, pods } = Resources
const runs = Number(process.env["UPKEEP_RUNS"] ?? 6)
const lifecycle = controllersNamed("node-lifecycle-controller", "taint-eviction-controller")
const ZONES = ["a", "b", "c"]

interface Taint {
  readonly key: string
  readonly effect: string
  readonly timeAdded?: string
}

const taintsOf = (node: KubeObject | undefined): ReadonlyArray<Taint> =>
  (fields(node?.spec)["taints"] ?? []) as unknown as ReadonlyArray<Taint>
const conditionOf = (object: KubeObject | undefined, type: string): JsonObject | undefined =>
  ((fields(object?.status)["conditions"] ?? []) as ReadonlyArray<JsonObject>).find((one) => one["type"] === type)
const zoneOf = (node: KubeObject): string => node.metadata.labels?.["topology.kubernetes.io/zone"] ?? ""
const isEvicting = ({ effect, key }: Taint): boolean =>
  effect === "NoExecute" && key === "node.kubernetes.io/unreachable"

const cluster = (count: number, faults: FaultPlan, more: object = {}): UpkeepWorld =>
  new UpkeepWorld({
    run: lifecycle,
    nodeGroups: [{ name: "node", count, zones: ZONES }],
    faults,
    ...more
  })

const pod = (name: string, more: JsonObject = {}): KubeObject & { metadata: { name: string } } => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "100m" } } }], ...more }
})

describe("a node that falls silent", () => {
  it("is unknown after 50 s, unreachable for pods, and well again when it speaks", () => {
    const world = cluster(6, [{ kind: "nodes-die", atMs: 20_000, forMs: 200_000, zone: "b", count: 0 }])
    world.create(pods, pod("p", { nodeSelector: { "topology.kubernetes.io/zone": "b" } }))
    world.pass(10_000)
    assert.strictEqual(conditionOf(world.get(pods, "default", "p"), "Ready")?.["status"], "True")
    world.pass(55_000)
    for (const node of world.list(nodes)) assert.strictEqual(conditionOf(node, "Ready")?.["status"], "True", "too soon")
    world.pass(25_000)
    for (const node of world.list(nodes)) {
      const isDead = zoneOf(node) === "b"
      const ready = conditionOf(node, "Ready")
      assert.strictEqual(ready?.["status"], isDead ? "Unknown" : "True")
      if (!isDead) continue
      assert.deepInclude(ready, { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." })
      assert.strictEqual(conditionOf(node, "PIDPressure")?.["status"], "Unknown")
      const keys = taintsOf(node).map(({ effect, key }) => `${key}:${effect}`)
      assert.include(keys, "node.kubernetes.io/unreachable:NoSchedule")
    }
    assert.strictEqual(conditionOf(world.get(pods, "default", "p"), "Ready")?.["status"], "False")
    const reasons = world.eventReasons()
    for (const reason of ["RegisteredNode", "NodeNotReady"]) assert.include(reasons, reason)
    world.pass(180_000)
    for (const node of world.list(nodes)) {
      assert.strictEqual(conditionOf(node, "Ready")?.["status"], "True")
      assert.deepStrictEqual(taintsOf(node), [])
    }
    assert.deepStrictEqual(world.failures, [])
  })

  it("keeps its pods as long as they tolerate it, and loses them then, unless it comes back", () => {
    const tolerationSeconds = 60
    const tolerations = [
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds }
    ]
    const nodeSelector = { "topology.kubernetes.io/zone": "b" }
    const world = cluster(3, [{ kind: "nodes-die", atMs: 20_000, forMs: 1_000_000, zone: "b", count: 0 }])
    world.create(pods, pod("patient", { nodeSelector, tolerations: [{ operator: "Exists" }] }))
    world.create(pods, pod("brief", { nodeSelector, tolerations }))
    world.create(pods, pod("none", { nodeSelector }))
    world.pass(90_000)
    const deletedAt = (name: string): string | undefined => world.get(pods, "default", name)?.metadata.deletionTimestamp
    assert.isDefined(deletedAt("none"))
    assert.isUndefined(deletedAt("brief"))
    assert.deepInclude(conditionOf(world.get(pods, "default", "none"), "DisruptionTarget"), {
      status: "True",
      reason: "DeletionByTaintManager",
      message: "Taint manager: deleting due to NoExecute taint"
    })
    world.pass(60_000)
    assert.isDefined(deletedAt("brief"))
    assert.isUndefined(deletedAt("patient"))
    const told = world.list(events).filter((event) => event["reason"] === "TaintManagerEviction")
    const messages = told.map((event) => textOf(event["message"])).sort()
    assert.deepStrictEqual(messages, [
      "Marking for deletion Pod default/brief",
      "Marking for deletion Pod default/none"
    ])
  })

  it("cancels what it set off when its taint goes", () => {
    const tolerations = [{ operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }]
    const nodeSelector = { "topology.kubernetes.io/zone": "b" }
    const world = cluster(3, [{ kind: "nodes-die", atMs: 20_000, forMs: 120_000, zone: "b", count: 0 }])
    world.create(pods, pod("p", { nodeSelector, tolerations }))
    world.pass(600_000)
    assert.isUndefined(world.get(pods, "default", "p")?.metadata.deletionTimestamp)
    const event = world.list(events).find((one) => one["reason"] === "TaintManagerEviction")
    assert.strictEqual(event?.["message"], "Cancelling deletion of Pod default/p")
  })
})

describe("zones", () => {
  it("are never evicted faster than their rate, and not at all while every zone is dark", () => {
    const steps = array(
      record({
        zone: constantFrom(...ZONES),
        atMs: integer({ min: 10_000, max: 400_000 }),
        forMs: integer({ min: 60_000, max: 300_000 }),
        cut: boolean()
      }),
      { minLength: 1, maxLength: 4 }
    )
    check(
      property(steps, integer({ min: 1, max: 1000 }), (all, seed) => {
        const faults: FaultPlan = all.map(({ atMs, cut, forMs, zone }) =>
          cut ? { kind: "zone-cut", atMs, forMs, zone } : { kind: "nodes-die", atMs, forMs, zone, count: 0 }
        )
        const world = cluster(30, faults, { seed })
        /** Times at which a node of each zone was tainted. */
        const tainted = new Map<string, Array<number>>()
        world.client.watch(
          { resource: nodes, namespace: "" },
          {},
          {
            event: ({ object }) => {
              const taint = taintsOf(object).find(isEvicting)
              const at = parseRfc3339(taint?.timeAdded ?? "")
              if (at === undefined) return
              const name = `${zoneOf(object)} ${object.metadata.name}`
              const times = tainted.get(name) ?? []
              if (times.at(-1) !== at) tainted.set(name, [...times, at])
            },
            ended: () => undefined
          }
        )
        world.pass(800_000)
        for (const zone of ZONES) {
          const times = [...tainted]
            .flatMap(([name, at]) => (name.startsWith(`${zone} `) ? at : []))
            .sort((a, b) => a - b)
          const changes = all.length * 2
          for (const [first, from] of times.entries())
            for (let last = first; last < times.length; last++) {
              const seconds = (times[last] - from) / 1000
              // Times are written in whole seconds; a change of a zone's state may hand it one more token.
              assert.isAtMost(last - first + 1, 1 + (seconds + 1) * 0.1 + changes, `zone ${zone}`)
            }
        }
        assert.deepStrictEqual(world.failures, [])
      }),
      { numRuns: runs }
    )
  })

  it("of many nodes are evicted at a tenth of a node per second", () => {
    const world = cluster(60, [{ kind: "nodes-die", atMs: 10_000, forMs: 10_000_000, zone: "a", count: 0 }])
    world.pass(80_000)
    const count = (): number => world.list(nodes).filter((node) => taintsOf(node).some(isEvicting)).length
    const before = count()
    world.pass(100_000)
    assert.closeTo(count() - before, 10, 1)
  })

  it("that all go dark are left alone", () => {
    const faults: FaultPlan = ZONES.map((zone) => ({ kind: "zone-cut", atMs: 10_000, forMs: 300_000, zone }))
    const world = cluster(9, faults)
    world.pass(200_000)
    for (const node of world.list(nodes)) {
      assert.strictEqual(conditionOf(node, "Ready")?.["status"], "Unknown")
      assert.isFalse(taintsOf(node).some(isEvicting))
    }
    world.pass(200_000)
    for (const node of world.list(nodes)) assert.deepStrictEqual(taintsOf(node), [])
  })
})

describe("pods that nobody keeps", () => {
  it("go with their node, without one, or when too many are over", () => {
    const world = new UpkeepWorld({
      run: controllersNamed("pod-garbage-collector-controller"),
      nodeGroups: [{ name: "node", count: 2, zones: ["a", "b"] }],
      faults: [{ kind: "nodes-die", atMs: 11_000, forMs: 1_000_000, zone: "b", count: 0 }]
    })
    for (const [name, zone] of [
      ["here", "a"],
      ["gone", "b"]
    ] as const)
      world.create(pods, pod(name, { nodeSelector: { "topology.kubernetes.io/zone": zone } }))
    world.create(pods, pod("unplaced", { schedulerName: "nobody" }))
    world.pass(15_000)
    const host = textOf(fields(world.get(pods, "default", "gone")?.spec)["nodeName"])
    const other = textOf(fields(world.get(pods, "default", "here")?.spec)["nodeName"])
    assert.notStrictEqual(host, other)
    world.delete(nodes, "", host)
    world.change(pods, ["default", "unplaced"], (object) => ({
      ...object,
      metadata: { ...object.metadata, finalizers: ["example.com/hold"] }
    }))
    world.delete(pods, "default", "unplaced")
    world.pass(35_000)
    assert.isDefined(world.get(pods, "default", "gone"), "quarantine")
    assert.strictEqual(fields(world.get(pods, "default", "unplaced")?.status)["phase"], "Failed")
    world.pass(45_000)
    assert.isUndefined(world.get(pods, "default", "gone"))
    assert.isDefined(world.get(pods, "default", "here"))
  })
})

describe("ranges of addresses", () => {
  it("are given out once each, and again when they come back", () => {
    check(
      property(
        constantFrom(["10.0.0.0/20", 24] as const, ["fd00:10::/60", 64] as const),
        array(boolean(), { maxLength: 60 }),
        ([range, bits], takes) => {
          const set = new CidrSet(range, bits)
          const held = new Set<string>()
          for (const take of takes) {
            if (take || held.size === 0) {
              const part = set.allocate()
              if (part === undefined) assert.strictEqual(held.size, 16)
              else {
                assert.isFalse(held.has(part), part)
                held.add(part)
              }
            } else {
              const [first = ""] = held
              assert.isTrue(set.release(first))
              held.delete(first)
            }
            assert.strictEqual(set.free, 16 - held.size)
          }
        }
      )
    )
    const set = new CidrSet("10.0.0.0/22", 24)
    assert.isTrue(set.occupy("10.0.1.128/25"))
    assert.deepStrictEqual(
      [set.allocate(), set.allocate(), set.allocate(), set.allocate()],
      ["10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24", undefined]
    )
    assert.strictEqual(new CidrSet("fd00::/112", 120).allocate(), "fd00::/120")
    assert.throws(() => new CidrSet("10.0.0.0/33", 34), TypeError)
  })

  it("are nodes' own, and free again when these go", () => {
    const make = nodeIpam({ clusterCidrs: ["10.244.0.0/22"] })
    const world = new UpkeepWorld({ run: [{ name: "node-ipam-controller", make }] })
    const node = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name } })
    const cidrs = (): ReadonlyArray<unknown> => world.list(nodes).map(({ spec }) => fields(spec)["podCIDR"])
    for (const name of ["a", "b", "c", "d", "e"]) world.create(nodes, node(name))
    world.pass(1000)
    const given = cidrs().filter((cidr) => cidr !== undefined)
    assert.lengthOf(new Set(given), 4)
    world.delete(nodes, "", "a")
    world.pass(5000)
    assert.lengthOf(new Set(cidrs()), 4)
    assert.notInclude(cidrs(), undefined)
  })
})

it("tells kubelets to ask less often the more of them there are", () => {
  const steps: Array<number> = [0]
  for (const count of [0, 100, 101, 95, 89, 501, 460, 449, 5000]) steps.push(ttlStep(steps.at(-1) ?? 0, count))
  assert.deepStrictEqual(steps, [0, 0, 0, 1, 1, 0, 2, 2, 1, 4])
})
