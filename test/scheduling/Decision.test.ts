// The fast decision against the plain one: the same nodes fall for the same reasons, the others get the same scores from every plugin, and
// the one that is chosen is among the best; after any sequence of events what was kept by deltas equals what is built anew.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { KubeObject } from "#kube"
import { Cluster, Decider, defaultProfile, Diagnosis, Nominations, noVolumes, Selectors } from "#scheduling"
import { nodeOf, type NodeParts, nodeParts, parameters, podOf, type PodParts, podParts } from "./Generators.ts"
import { Reference, type ReferenceState } from "./Reference.ts"

const namespaces = { default: { team: "a" }, other: { team: "b" } }

class Rig {
  readonly cluster = new Cluster()
  readonly selectors = new Selectors()
  readonly decider: Decider
  private draw = 0.37

  constructor() {
    for (const [name, labels] of Object.entries(namespaces)) this.cluster.namespaceSeen(name, labels)
    this.decider = new Decider({
      cluster: this.cluster,
      profile: defaultProfile,
      nominations: new Nominations(),
      selectors: this.selectors,
      volumes: () => noVolumes,
      random: () => (this.draw = (this.draw * 7.3 + 0.11) % 1)
    })
  }
}

const service = (app: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: `s-${app}`, namespace: "default" },
  spec: { selector: { app } }
})

/** Holds the fast answer for a pod against the plain one; answers the chosen node. */
const compare = (rig: Rig, state: ReferenceState, one: KubeObject): string | undefined => {
  const plain = new Reference(state, one).judge()
  const told = rig.decider.explain(one, 1000)
  const decision = rig.decider.decide(one)
  const expected = new Map<string, number>()
  for (const { plugin, texts } of plain.reasons.values())
    for (const text of texts) expected.set(`${plugin}: ${text}`, (expected.get(`${plugin}: ${text}`) ?? 0) + 1)
  const found = new Map<string, number>()
  for (const { nodes, plugin, reason } of told.ruledOut)
    found.set(`${plugin}: ${reason}`, (found.get(`${plugin}: ${reason}`) ?? 0) + nodes)
  assert.deepStrictEqual(Object.fromEntries(found), Object.fromEntries(expected), "reasons")
  assert.strictEqual(told.feasible, plain.scores.size, "feasible nodes")
  if (state.nodes.length > 0 && plain.scores.size > 0) {
    assert.deepStrictEqual(
      Object.fromEntries(told.best.map(({ node, scores }) => [node, scores])),
      Object.fromEntries(plain.scores),
      "scores"
    )
    if (decision instanceof Diagnosis) throw new Error("a node was there, and none was chosen")
    assert.include([...plain.best], decision.name, "a best node")
    return decision.name
  }
  assert.instanceOf(decision, Diagnosis)
  return undefined
}

const placedAs = (one: KubeObject, nodeName: string): KubeObject => ({
  ...one,
  spec: { ...(one.spec as Record<string, never>), nodeName }
})

type Step =
  | { readonly kind: "pod"; readonly parts: PodParts }
  | { readonly kind: "again" }
  | { readonly kind: "remove"; readonly which: number }
  | { readonly kind: "end"; readonly which: number }
  | { readonly kind: "node"; readonly which: number; readonly parts: NodeParts }
  | { readonly kind: "nodeGone"; readonly which: number }
  | { readonly kind: "service"; readonly app: string }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: podParts.map((parts): Step => ({ kind: "pod", parts })) },
  { weight: 6, arbitrary: fc.constant<Step>({ kind: "again" }) },
  { weight: 2, arbitrary: fc.nat().map((which): Step => ({ kind: "remove", which })) },
  { weight: 1, arbitrary: fc.nat().map((which): Step => ({ kind: "end", which })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat({ max: 9 }), nodeParts).map(([which, parts]): Step => ({ kind: "node", which, parts }))
  },
  { weight: 1, arbitrary: fc.nat({ max: 9 }).map((which): Step => ({ kind: "nodeGone", which })) },
  { weight: 1, arbitrary: fc.constantFrom("x", "y").map((app): Step => ({ kind: "service", app })) }
)

/** Plays steps, and holds every decision against the plain scheduler. */
class Play {
  readonly rig = new Rig()
  readonly nodes = new Map<string, KubeObject>()
  readonly placed = new Map<string, KubeObject>()
  readonly services = new Map<string, KubeObject>()
  private last: PodParts | undefined
  private count = 0

  get state(): ReferenceState {
    return {
      nodes: [...this.nodes.values()],
      placed: [...this.placed.values()],
      namespaces,
      services: [...this.services.values()]
    }
  }

  node(name: string, parts: NodeParts): void {
    const object = nodeOf(name, parts)
    this.nodes.set(name, object)
    this.rig.cluster.nodeSeen(object)
  }

  play(one: Step): void {
    switch (one.kind) {
      case "pod":
        this.last = one.parts
        return this.schedule(one.parts)
      case "again":
        if (this.last !== undefined) this.schedule(this.last)
        return
      case "remove": {
        const key = [...this.placed.keys()][one.which % Math.max(1, this.placed.size)]
        if (key === undefined) return
        this.placed.delete(key)
        this.rig.cluster.remove(key)
        return
      }
      case "end": {
        const key = [...this.placed.keys()][one.which % Math.max(1, this.placed.size)]
        const before = key === undefined ? undefined : this.placed.get(key)
        if (before === undefined) return
        const after = { ...before, metadata: { ...before.metadata, deletionTimestamp: "2026-11-28T00:00:00Z" } }
        this.placed.set(key, after)
        this.rig.cluster.place(after, (after.spec as { nodeName: string }).nodeName)
        return
      }
      case "node":
        return this.node(`n${one.which}`, one.parts)
      case "nodeGone":
        this.nodes.delete(`n${one.which}`)
        return this.rig.cluster.nodeGone(`n${one.which}`)
      case "service":
        this.services.set(one.app, service(one.app))
        return this.rig.selectors.seen("Service", service(one.app))
    }
  }

  private schedule(parts: PodParts): void {
    const one = podOf(`p${this.count++}`, parts)
    const chosen = compare(this.rig, this.state, one)
    if (chosen === undefined) return
    this.placed.set(one.metadata.uid!, placedAs(one, chosen))
    this.rig.cluster.assume(one, chosen)
  }
}

describe("the fast decision", () => {
  it("is the plain one's, for random clusters, pods and events", () => {
    fc.assert(
      fc.property(
        fc.array(nodeParts, { minLength: 1, maxLength: 8 }),
        fc.array(step, { minLength: 1, maxLength: 25 }),
        (nodes, steps) => {
          const play = new Play()
          for (const [at, parts] of nodes.entries()) play.node(`n${at}`, parts)
          for (const one of steps) play.play(one)
        }
      ),
      parameters(300) as fc.Parameters<[Array<NodeParts>, Array<Step>]>
    )
  })

  it("does not depend on the order of nodes", () => {
    fc.assert(
      fc.property(
        fc.array(nodeParts, { minLength: 2, maxLength: 8 }),
        fc.array(podParts, { minLength: 1, maxLength: 10 }),
        podParts,
        (nodes, placed, next) => {
          const [forward, backward] = [new Rig(), new Rig()]
          const objects = nodes.map((parts, at) => nodeOf(`n${at}`, parts))
          for (const one of objects) forward.cluster.nodeSeen(one)
          for (const one of objects.toReversed()) backward.cluster.nodeSeen(one)
          for (const [at, parts] of placed.entries()) {
            const one = podOf(`p${at}`, parts)
            forward.cluster.assume(one, `n${at % nodes.length}`)
            backward.cluster.assume(one, `n${at % nodes.length}`)
          }
          const one = podOf("next", next)
          assert.deepStrictEqual(forward.decider.explain(one, 100), backward.decider.explain(one, 100))
        }
      ),
      parameters(200) as fc.Parameters<[Array<NodeParts>, Array<PodParts>, PodParts]>
    )
  })
})
