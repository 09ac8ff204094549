// The queue: order, back-off, hints, events during an attempt, and that no pod is ever lost whatever comes in which order.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { KubeObject } from "#kube"
import { Cluster, defaultProfile, Selectors } from "#scheduling"
import { Action } from "../../core/scheduling/queue/ClusterEvents.ts"
import { Hints, hintTable } from "../../core/scheduling/queue/Hints.ts"
import type { QueuedPod } from "../../core/scheduling/queue/QueuedPod.ts"
import { SchedulingQueue } from "../../core/scheduling/queue/SchedulingQueue.ts"
import { TestClockwork } from "../apiserver/World.ts"
import { parameters } from "./Generators.ts"
import { node, pod } from "./Objects.ts"

const make = (gate: (pod: KubeObject) => string = () => "") => {
  const clockwork = new TestClockwork()
  const context = { cluster: new Cluster(), selectors: new Selectors(), profile: defaultProfile }
  const hints = new Hints(new Map([["default-scheduler", context]]), hintTable)
  const queue = new SchedulingQueue({ clockwork, hints, ready: () => undefined, gate })
  queue.start()
  return { clockwork, queue }
}

const rejected = (...plugins: ReadonlyArray<string>): ReadonlySet<string> => new Set(plugins)
const nodeAdded = (name = "n") => ({ resource: "Node", action: Action.add, after: node(name) }) as const
const drain = (queue: SchedulingQueue): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) names.push(next.pod.metadata.name!)
  return names
}

describe("the queue", () => {
  it("gives out pods by priority, then by age", () => {
    const { clockwork, queue } = make()
    for (const [name, priority] of [
      ["a", 0],
      ["b", 5],
      ["c", 0],
      ["d", 5]
    ] as const) {
      queue.add(pod(name, { spec: { priority } }))
      clockwork.pass(10)
    }
    assert.deepStrictEqual(drain(queue), ["b", "d", "a", "c"])
  })

  it("moves a pod for events that its rejectors care for, and for no others", () => {
    const { queue } = make()
    queue.add(pod("p", { requests: { cpu: "2" } }))
    const attempt = queue.pop()!
    queue.returnUnschedulable(attempt, attempt.pod, rejected("NodeResourcesFit"))
    assert.strictEqual(queue.sizes.unschedulable, 1)
    queue.moved({ resource: "AssignedPod", action: Action.add, after: pod("x", { spec: { nodeName: "n" } }) })
    queue.moved({ resource: "Node", action: Action.add, after: node("small", { allocatable: { cpu: "1" } }) })
    assert.strictEqual(queue.sizes.unschedulable, 1, "neither event can help")
    queue.moved(nodeAdded())
    assert.strictEqual(queue.sizes.unschedulable, 0)
  })

  it("judges a failed attempt by what came while it was under way", () => {
    const { queue } = make()
    queue.add(pod("p"))
    const attempt = queue.pop()!
    queue.moved(nodeAdded())
    queue.returnUnschedulable(attempt, attempt.pod, rejected("NodeResourcesFit"))
    assert.strictEqual(queue.sizes.unschedulable, 0, "the node came during the attempt")
    const { queue: other } = make()
    other.add(pod("p"))
    const second = other.pop()!
    other.returnUnschedulable(second, second.pod, rejected("NodeResourcesFit"))
    assert.strictEqual(other.sizes.unschedulable, 1)
  })

  it("backs off for one second, then twice as long each time, ten at most", () => {
    const { clockwork, queue } = make()
    queue.add(pod("p"))
    const waits: Array<number> = []
    for (let round = 0; round < 6; round++) {
      const attempt = queue.pop()!
      queue.returnUnschedulable(attempt, attempt.pod, rejected())
      const start = clockwork.now()
      while (!queue.hasNext) clockwork.pass(100)
      waits.push(clockwork.now() - start)
    }
    for (const [at, wanted] of [1000, 2000, 4000, 8000, 10_000, 10_000].entries())
      assert.closeTo(waits[at], wanted + 500, 1100, `round ${at}`)
  })

  it("gives out pods that back off when no other waits, but none that failed by an error", () => {
    const { queue } = make()
    queue.add(pod("p"))
    const attempt = queue.pop()!
    queue.moved(nodeAdded())
    queue.returnUnschedulable(attempt, attempt.pod, rejected("NodeResourcesFit"))
    assert.strictEqual(queue.sizes.backoff, 1)
    assert.isTrue(queue.hasNext)
    const second = queue.pop()!
    queue.returnUnschedulable(second, second.pod, rejected())
    assert.isFalse(queue.hasNext)
  })

  it("tries everything again after five minutes", () => {
    const { clockwork, queue } = make()
    queue.add(pod("p"))
    const attempt = queue.pop()!
    queue.returnUnschedulable(attempt, attempt.pod, rejected("NodeAffinity"))
    clockwork.pass(4 * 60_000)
    assert.isFalse(queue.hasNext)
    clockwork.pass(2 * 60_000)
    assert.isTrue(queue.hasNext)
  })

  it("loses no pod and doubles none, whatever comes in which order", () => {
    type Step = {
      readonly kind: "add" | "pop" | "fail" | "error" | "done" | "remove" | "node" | "wait" | "gate"
      readonly which: number
    }
    const step: fc.Arbitrary<Step> = fc.record({
      kind: fc.constantFrom("add", "add", "pop", "pop", "fail", "error", "done", "remove", "node", "wait", "gate"),
      which: fc.nat({ max: 7 })
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const gated = new Set<string>()
        const { clockwork, queue } = make((one) => (gated.has(one.metadata.name!) ? "SchedulingGates" : ""))
        const alive = new Set<string>()
        const flight = new Map<string, QueuedPod>()
        for (const { kind, which } of steps) {
          const name = `p${which}`
          const object = pod(name)
          const [first] = flight.values()
          if (kind === "add" && !alive.has(name)) {
            alive.add(name)
            queue.add(object)
          } else if (kind === "pop") {
            const next = queue.pop()
            if (next !== undefined) {
              assert.isFalse(flight.has(next.uid), "attempted twice at once")
              flight.set(next.uid, next)
            }
          } else if ((kind === "fail" || kind === "error") && first !== undefined) {
            flight.delete(first.uid)
            queue.returnUnschedulable(first, first.pod, kind === "fail" ? rejected("NodeResourcesFit") : rejected())
          } else if (kind === "done" && first !== undefined) {
            flight.delete(first.uid)
            alive.delete(first.pod.metadata.name!)
            queue.done(first.uid)
          } else if (kind === "remove" && alive.has(name) && !flight.has(object.metadata.uid!)) {
            alive.delete(name)
            queue.remove(object.metadata.uid!)
          } else if (kind === "node") queue.moved(nodeAdded())
          else if (kind === "wait") clockwork.pass(1500)
          else if (kind === "gate" && !gated.delete(name)) gated.add(name)
        }
        gated.clear()
        for (const one of flight.values()) queue.returnUnschedulable(one, one.pod, rejected("NodeResourcesFit"))
        clockwork.pass(6 * 60_000)
        assert.deepStrictEqual(
          drain(queue).toSorted((a, b) => (a < b ? -1 : 1)),
          [...alive].toSorted((a, b) => (a < b ? -1 : 1))
        )
      }),
      parameters(400) as fc.Parameters<[Array<Step>]>
    )
  })
})
