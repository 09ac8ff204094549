// The parts of the pipeline one by one: who acts when, which shard has what, when a member is left alone.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  afterActing,
  Circuit,
  federatedName,
  HashRing,
  mayAct,
  MemberClient,
  type Pending,
  pendingOf,
  pendingText,
  takeTurns,
  usualBounds,
  usualCircuit
} from "#federation"
import { ApiFailure, type Client, type Done, gvr, type KubeObject } from "#kube"
import { VirtualClock } from "../../kube/VirtualClock.ts"

const names = ["a", "b", "c", "d", "e"]
const groups: fc.Arbitrary<Pending> = fc.shuffledSubarray(names).chain((chosen) =>
  fc.array(fc.nat({ max: 2 }), { minLength: chosen.length, maxLength: chosen.length }).map((jumps) => {
    const made: Array<Array<string>> = []
    chosen.forEach((name, at) => {
      if (at === 0 || jumps[at] > 0) made.push([name])
      else made[made.length - 1]?.push(name)
    })
    return made
  })
)

describe("pending controllers", () => {
  it("always drain, and no later group acts before an earlier one is done", () => {
    fc.assert(
      fc.property(groups, fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 12 }), (all, acts) => {
        let pending = all
        const order = new Map(all.flatMap((group, at) => group.map((name) => [name, at] as const)))
        for (const [which, changes] of acts) {
          const able = names.filter((name) => pending.length > 0 && mayAct(pending, name))
          const name = able[which % Math.max(1, able.length)]
          if (name === undefined) break
          const at = order.get(name) ?? -1
          pending = afterActing(pending, name, all, changes)
          assert.isFalse(pending.flat().includes(name), "who acted waits no longer")
          if (changes)
            for (const [other, place] of order)
              if (place > at) assert.isTrue(pending.flat().includes(other), "everyone behind acts again")
        }
        for (let turns = 0; pending.length > 0; turns++) {
          assert.isBelow(turns, 50, "it does not drain")
          pending = afterActing(pending, pending[0][0], all, false)
        }
      })
    )
  })

  it("let one process take all the turns that are its own, and no others", () => {
    fc.assert(
      fc.property(groups, fc.subarray(names), (pending, ours) => {
        const { acting, left } = takeTurns(pending, new Set(ours))
        assert.deepStrictEqual([...acting, ...left.flat()].toSorted(), pending.flat().toSorted())
        if (left.length > 0) assert.isTrue(left[0].every((name) => !ours.includes(name)))
        assert.deepStrictEqual(pendingOf({ "kubeadmiral.io/pending-controllers": pendingText(left) }), left)
      })
    )
  })
})

describe("shards", () => {
  it("share evenly, and one more moves only its own share", () => {
    const keys = Array.from({ length: 20_000 }, (_, at) => `team-${at % 97}/web-${at}-deployments.apps`)
    for (const count of [2, 5, 16]) {
      const [ring, grown] = [new HashRing(count), new HashRing(count + 1)]
      const sizes = new Array<number>(count).fill(0)
      let moved = 0
      for (const key of keys) {
        sizes[ring.owner(key)]++
        if (ring.owner(key) === grown.owner(key)) continue
        moved++
        assert.strictEqual(grown.owner(key), count, "a key moved between shards that were there before")
      }
      for (const size of sizes) assert.isBelow(Math.abs(size * count - keys.length), keys.length * 0.45)
      assert.isBelow(moved, (keys.length / (count + 1)) * 1.5)
    }
  })
})

describe("names of federated objects", () => {
  it("are KubeAdmiral's", () => {
    assert.strictEqual(federatedName("web", "deployments.apps"), "web-deployments.apps")
    assert.match(
      federatedName("system:node", "clusterroles.rbac.authorization.k8s.io"),
      /^system\.node-clusterroles\.rbac\.authorization\.k8s\.io-\d+$/
    )
    assert.isAtMost(federatedName("x".repeat(253), "deployments.apps").length, 253)
    assert.notStrictEqual(federatedName("A", "t"), federatedName("a", "t"))
  })
})

const target = { resource: gvr("", "v1", "configmaps"), namespace: "default", name: "x" }
const object: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } }

describe("a member's client", () => {
  it("keeps its bounds: calls under way, calls that wait, and an end to each", () => {
    const clock = new VirtualClock(1)
    const asked: Array<Done<KubeObject>> = []
    // SAFETY: only get is asked.
    const silent = {
      get: (_target: unknown, _options: unknown, done: Done<KubeObject>) => void asked.push(done)
    } as unknown as Client
    const client = new MemberClient(silent, clock, { ...usualBounds, inFlightMax: 2, waitingMax: 3, callMs: 1000 })
    const codes: Array<number> = []
    for (let call = 0; call < 7; call++)
      client.get(target, {}, (answer) => codes.push(answer instanceof ApiFailure ? answer.code : 200))
    clock.run(1)
    assert.lengthOf(asked, 2)
    assert.deepStrictEqual(codes, [429, 429])
    asked[0](object)
    assert.lengthOf(asked, 3)
    clock.run(999)
    assert.strictEqual(codes.filter((code) => code === 504).length, 1)
    clock.run(5000)
    assert.lengthOf(codes, 7)
    asked[1](object)
    assert.lengthOf(codes, 7, "an answer after its end is heard by nobody")
  })

  it("is left alone after failures in a row, tried with one call, and back after a success", () => {
    const clock = new VirtualClock(1)
    const circuit = new Circuit(clock)
    for (let failure = 0; failure < usualCircuit.failuresMax; failure++) {
      assert.isTrue(circuit.enter())
      circuit.failed()
    }
    assert.isTrue(circuit.isOpen)
    assert.isFalse(circuit.enter())
    let longest = 0
    for (let trial = 0; trial < 10; trial++) {
      const wait = circuit.waitMs()
      longest = Math.max(longest, wait)
      clock.run(wait)
      assert.isTrue(circuit.enter())
      assert.isFalse(circuit.enter(), "only one call tries")
      circuit.failed()
    }
    assert.strictEqual(longest, usualCircuit.longestMs)
    clock.run(circuit.waitMs())
    assert.isTrue(circuit.enter())
    circuit.succeeded()
    assert.isFalse(circuit.isOpen)
  })
})
