// Limits that follow snapshots: resized and retyped live, of each user's own, not holding up system components, local again when the
// limiter's switch goes off.
import { assert, describe, it } from "vitest"
import { requestInfo, RequestInfoInvalid } from "#kube"
import type { FlowControl } from "../../../core/gateway/config/UpstreamCluster.ts"
import type { Permit } from "../../../core/gateway/limits/Admission.ts"
import type { Flow } from "../../../core/gateway/limits/Flow.ts"
import { Limits } from "../../../core/gateway/limits/Limits.ts"
import { UserBuckets } from "../../../core/gateway/limits/UserBuckets.ts"
import { flowControl, FakeSnapshots, globalSlots } from "../global/LimiterWorld.ts"
import { VirtualClock } from "./VirtualClock.ts"

const slots = (max: number, given: Partial<FlowControl> = {}): FlowControl =>
  flowControl({
    limit: { kind: "MaxRequestsInflight", max, globalMax: undefined, maxLongRunning: undefined },
    ...given
  })

const tokens = (qps: number, burst: number, given: Partial<FlowControl> = {}): FlowControl =>
  flowControl({ limit: { kind: "TokenBucket", local: { qps, burst }, global: undefined }, ...given })

const factsOf = (user = "alice", path = "/api/v1/namespaces/default/pods/a", groups: ReadonlyArray<string> = []) => {
  const info = requestInfo("GET", path)
  if (info instanceof RequestInfoInvalid) throw info
  const query = path.split("?")[1] ?? ""
  return { info, user: { name: user, groups }, userAgent: "", sourceIp: "10.0.0.1", query, draw: 0 }
}

const bench = (control: FlowControl) => {
  const clockwork = new VirtualClock()
  const snapshots = new FakeSnapshots({ c: [control] })
  const limits = new Limits({ clockwork, snapshots })
  const permits: Array<Permit> = []
  const ask = (facts = factsOf(), flow = "limited"): string => {
    const outcome = limits.admit("c", flow, facts, (late) => void (late.kind === "permit" && permits.push(late)))
    if (outcome.kind === "permit") permits.push(outcome)
    return outcome.kind === "refusal" ? outcome.reason : outcome.kind
  }
  const flow = (): Flow => limits.flows()[0].flow
  return { clockwork, snapshots, limits, permits, ask, flow }
}

describe("limits", () => {
  it("let through what no flow control holds", () => {
    const { ask } = bench(slots(0))
    assert.strictEqual(ask(factsOf(), ""), "permit")
    assert.strictEqual(ask(factsOf(), "unknown"), "permit")
    assert.strictEqual(ask(), "rate_limited")
  })

  it("keep every permit through a hundred changes of size and kind", () => {
    const { ask, flow, permits, snapshots } = bench(slots(5))
    for (let at = 0; at < 5; at++) assert.strictEqual(ask(), "permit")
    for (let change = 0; change < 100; change++) {
      const control = change % 3 === 0 ? tokens(1 + change, 3) : slots(change % 3 === 1 ? 2 : 7)
      snapshots.swap({ c: [control] })
      ask()
      permits.splice(change % permits.length, 1)[0]?.release()
      assert.strictEqual(flow().counts.inFlight, permits.length)
    }
    snapshots.swap({ c: [slots(permits.length)] })
    assert.strictEqual(ask(), "rate_limited")
    const last = flow()
    snapshots.swap({ c: [] })
    for (const permit of permits.splice(0)) permit.release()
    assert.strictEqual(last.counts.inFlight, 0)
  })

  it("have a bucket for each user, and never hold up who is not to be held up", () => {
    const { ask, clockwork } = bench(
      slots(100, {
        perUser: { qps: 1, burst: 2 },
        neverLimited: { users: ["system:kube-*"], groups: ["system:masters"] }
      })
    )
    assert.deepStrictEqual([ask(), ask(), ask()], ["permit", "permit", "user_rate_limited"])
    assert.strictEqual(ask(factsOf("bob")), "permit")
    for (let at = 0; at < 5; at++) {
      assert.strictEqual(ask(factsOf("system:kube-scheduler")), "permit")
      assert.strictEqual(ask(factsOf("root", undefined, ["system:masters"])), "permit")
    }
    clockwork.advance(1000)
    assert.deepStrictEqual([ask(), ask()], ["permit", "user_rate_limited"])
  })

  it("count a watch's initial list, and nothing of a watch that goes on from a version", () => {
    const { ask, clockwork, flow, permits } = bench(slots(1))
    assert.strictEqual(ask(factsOf("a", "/api/v1/pods?watch=1&resourceVersion=5")), "permit")
    permits[0]?.settle()
    assert.strictEqual(flow().counts.inFlight, 0)
    assert.strictEqual(ask(factsOf("a", "/api/v1/pods?watch=1")), "permit")
    permits[1]?.settle()
    assert.strictEqual(ask(), "rate_limited")
    clockwork.advance(1000)
    assert.strictEqual(ask(), "permit")
    assert.strictEqual(flow().counts.longRunning, 2)
  })

  it("are taken over by a limiter, and are the gateway's own again when its switch goes off", () => {
    const clockwork = new VirtualClock()
    const snapshots = new FakeSnapshots({ c: [globalSlots("GlobalAllocate", 10)] })
    const log: Array<string> = []
    const limits = new Limits({
      clockwork,
      snapshots,
      global: {
        manage: (cluster, { name }) => {
          log.push(`take ${cluster}/${name}`)
          return () => void log.push(`give ${cluster}/${name}`)
        }
      }
    })
    assert.deepStrictEqual(log, ["take c/limited"])
    snapshots.swap({ c: [globalSlots("GlobalAllocate", 10)] }, false)
    assert.deepStrictEqual(log, ["take c/limited", "give c/limited"])
    assert.strictEqual(limits.flows()[0].flow.kind, "MaxRequestsInflight")
    snapshots.swap({ c: [globalSlots("GlobalAllocate", 20)] })
    snapshots.swap({})
    assert.deepStrictEqual(log.slice(2), ["take c/limited", "give c/limited"])
    limits.stop()
  })
})

describe("users' buckets", () => {
  it("are bounded, and forget full ones first", () => {
    const users = new UserBuckets(1, 2, 3)
    for (const user of ["a", "b", "c"]) assert.strictEqual(users.take(user, 0), 0)
    users.take("a", 0)
    assert.isAbove(users.take("a", 0), 0)
    users.take("d", 1500)
    assert.strictEqual(users.size, 3)
    assert.isAbove(users.take("a", 0), 0)
    users.untake("a")
    assert.strictEqual(users.take("a", 0), 0)
  })
})
