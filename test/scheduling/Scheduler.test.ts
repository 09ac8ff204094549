// The scheduler end to end on a simulated API server: pods are bound, told why not, and bound once that has changed.
import { assert, describe, it } from "vitest"
import { node, pod } from "./Objects.ts"
import { SchedulerWorld } from "./SchedulerWorld.ts"

describe("pods", () => {
  it("are bound to nodes that they fit on, evenly", () => {
    const world = new SchedulerWorld(1)
    world.createAll(Array.from({ length: 5 }, (_, at) => node(`n${at}`)))
    world.createAll(Array.from({ length: 40 }, (_, at) => pod(`p${at}`, { requests: { cpu: "500m", memory: "1Gi" } })))
    world.run(2000)
    assert.deepStrictEqual(world.failures, [])
    assert.lengthOf(world.bound, 40)
    const counts = new Map<string, number>()
    for (const [name] of world.bound) {
      const on = world.nodeOf(name)!
      counts.set(on, (counts.get(on) ?? 0) + 1)
    }
    assert.deepStrictEqual([...counts.values()], [8, 8, 8, 8, 8])
    const events = world.list("Event", "default") as ReadonlyArray<{ reason?: string; note?: string }>
    assert.lengthOf(
      events.filter(({ reason }) => reason === "Scheduled"),
      40
    )
    assert.match(events[0].note ?? "", /^Successfully assigned default\/p\d+ to n\d$/)
  })

  it("without room are told so in kube-scheduler's words, and bound when a node comes", () => {
    const world = new SchedulerWorld(2)
    world.create(node("small", { allocatable: { cpu: "1" } }))
    world.create(node("closed", { spec: { unschedulable: true } }))
    world.create(node("tainted", { spec: { taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] } }))
    world.create(pod("big", { requests: { cpu: "2" } }))
    world.run(3000)
    const told = world.conditionOf("big")
    assert.deepInclude(told, { status: "False", reason: "Unschedulable" })
    assert.strictEqual(
      told?.message,
      "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. " +
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    assert.strictEqual(world.scheduler.stats.queue.unschedulable, 1)
    const { attempts } = world.scheduler.stats
    world.run(60_000)
    assert.strictEqual(world.scheduler.stats.attempts, attempts, "nothing has changed")
    world.create(node("large"))
    world.run(2000)
    assert.strictEqual(world.nodeOf("big"), "large")
  })

  it("with scheduling gates wait until the last is gone", () => {
    const world = new SchedulerWorld(3)
    world.create(node("n"))
    world.create(pod("gated", { spec: { schedulingGates: [{ name: "example.com/wait" }] } }))
    world.run(5000)
    assert.isUndefined(world.nodeOf("gated"))
    assert.strictEqual(world.scheduler.stats.queue.gated, 1)
    world.patch("Pod", "gated", { spec: { schedulingGates: null } })
    world.run(2000)
    assert.strictEqual(world.nodeOf("gated"), "n")
  })

  it("of higher priority go first, and preempt when there is no room", () => {
    const world = new SchedulerWorld(4)
    world.createAll([node("a", { allocatable: { cpu: "2" } }), node("b", { allocatable: { cpu: "2" } })])
    const low = (name: string) => pod(name, { requests: { cpu: "1" }, spec: { priority: 1 } })
    world.createAll([low("l0"), low("l1"), low("l2"), low("l3")])
    world.run(2000)
    assert.lengthOf(world.bound, 4)
    world.create(pod("high", { requests: { cpu: "1" }, spec: { priority: 100 } }))
    world.run(500)
    const told = world.conditionOf("high")
    assert.match(
      told?.message ?? "",
      /^0\/2 nodes are available: 2 Insufficient cpu\. preemption: found a potential placement for pod on node [ab], preempting 1 victims$/
    )
    const victims = world.list("Pod").filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    assert.lengthOf(victims, 1)
    assert.deepInclude(
      (victims[0].status as { conditions: ReadonlyArray<object> }).conditions.find(
        (one) => (one as { type?: string }).type === "DisruptionTarget"
      ),
      { status: "True", reason: "PreemptionByScheduler" }
    )
    assert.isString((world.get("Pod", "high").status as { nominatedNodeName?: string }).nominatedNodeName)
    world.delete("Pod", victims[0].metadata.name!)
    world.run(2000)
    assert.strictEqual(
      world.nodeOf("high"),
      (victims[0].spec as { nodeName: string }).nodeName,
      "the room that was made"
    )
  })
})
