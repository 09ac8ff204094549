// The graph of followers against a model that starts from nothing each time, over random graphs with cycles and random changes.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { FollowGraph, type FollowNode, type Need } from "#federation"

const NAMES = ["a", "b", "c", "d", "e", "f"]
const CLUSTERS = ["oak", "elm", "fir"]

/** Where everything is, by repeating the definition until nothing is added. */
const model = (nodes: ReadonlyMap<string, FollowNode>): ReadonlyMap<string, ReadonlySet<string>> => {
  const where = new Map(NAMES.map((name) => [name, new Set(nodes.get(name)?.own)]))
  for (let round = 0; round < NAMES.length * CLUSTERS.length; round++) {
    for (const [leader, node] of nodes) {
      for (const need of node.needs) {
        if (nodes.get(need.object)?.followsNobody === true) continue
        for (const cluster of where.get(leader) ?? []) {
          if (need.clusters === undefined || need.clusters.has(cluster)) where.get(need.object)?.add(cluster)
        }
      }
    }
  }
  return where
}

/** The union of where an object's leaders are, in the model. */
const followedIn = (nodes: ReadonlyMap<string, FollowNode>, name: string): ReadonlyArray<string> => {
  const where = model(nodes)
  const found = new Set<string>()
  if (nodes.get(name)?.followsNobody === true) return []
  for (const [leader, node] of nodes) {
    for (const need of node.needs) {
      if (leader === name || need.object !== name) continue
      for (const cluster of where.get(leader) ?? []) {
        if (need.clusters === undefined || need.clusters.has(cluster)) found.add(cluster)
      }
    }
  }
  return [...found].sort()
}

const need: fc.Arbitrary<Need> = fc.oneof(
  fc.record({ object: fc.constantFrom(...NAMES) }),
  fc.record({ object: fc.constantFrom(...NAMES), clusters: fc.subarray(CLUSTERS).map((some) => new Set(some)) })
)

const node: fc.Arbitrary<FollowNode> = fc.record({
  own: fc.subarray(CLUSTERS),
  needs: fc.uniqueArray(need, { maxLength: 3, selector: ({ object }) => object }),
  followsNobody: fc.nat({ max: 9 }).map((chance) => chance === 0)
})

const step = fc.record({ name: fc.constantFrom(...NAMES), node: fc.option(node, { nil: undefined, freq: 4 }) })

describe("followers", () => {
  it("are where the union of their leaders is, after any changes, cycles or not", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
        const graph = new FollowGraph()
        const nodes = new Map<string, FollowNode>()
        for (const { name, node: next } of steps) {
          if (next === undefined) {
            nodes.delete(name)
            graph.delete(name)
          } else {
            nodes.set(name, next)
            graph.set(name, next)
          }
        }
        for (const name of NAMES) {
          // Cycles lead an object's own clusters back to it; they say nothing that it has not of itself.
          assert.deepStrictEqual(graph.followed(name), followedIn(nodes, name), name)
        }
      }),
      { numRuns: 400 }
    )
  })

  it("hear of every change that concerns them", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const graph = new FollowGraph()
        for (const { name, node: next } of steps) {
          const before = new Map(NAMES.map((one) => [one, graph.followed(one)]))
          const told = next === undefined ? graph.delete(name) : graph.set(name, next)
          for (const one of NAMES) {
            const changed = JSON.stringify(before.get(one)) !== JSON.stringify(graph.followed(one))
            if (changed && one !== name) assert.isTrue(told.has(one), `${one} after ${name}`)
          }
        }
      }),
      { numRuns: 300 }
    )
  })

  it("leave when the last leader leaves, even if they lead each other", () => {
    const graph = new FollowGraph()
    graph.set("workload", { own: ["oak", "elm"], needs: [{ object: "account" }] })
    graph.set("account", { own: [], needs: [{ object: "secret" }] })
    graph.set("secret", { own: [], needs: [{ object: "account" }] })
    assert.deepStrictEqual(
      [graph.followed("account"), graph.followed("secret")],
      [
        ["elm", "oak"],
        ["elm", "oak"]
      ]
    )
    graph.set("workload", { own: ["elm"], needs: [{ object: "account" }] })
    assert.deepStrictEqual(graph.followed("secret"), ["elm"])
    graph.delete("workload")
    assert.deepStrictEqual([graph.followed("account"), graph.followed("secret")], [[], []])
  })

  it("do not follow when they are told not to", () => {
    const graph = new FollowGraph()
    graph.set("workload", { own: ["oak"], needs: [{ object: "map" }] })
    graph.set("map", { own: [], needs: [], followsNobody: true })
    assert.deepStrictEqual([graph.followed("map"), graph.leaders("map")], [[], []])
  })
})
