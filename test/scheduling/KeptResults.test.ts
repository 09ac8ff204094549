// What is kept from one attempt to the next (judged nodes, who is promised what, dry runs) against a decider that has seen nothing before:
// whatever happens to nodes, pods and promises in between, both say the same.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { JsonObject, KubeObject } from "#kube"
import { type Budget, budgetOf, Cluster, Decider, defaultProfile, Diagnosis, Nominations } from "#scheduling"
import { noVolumes, Preemption, type Profile, Selectors } from "#scheduling"
import { nodeOf, nodeParts, parameters, podOf, podParts } from "./Generators.ts"
import { node, pod } from "./Objects.ts"

const HOST = "kubernetes.io/hostname"
const NODES = 4
const WAITING = 5

/** Mostly pods that ask for room alone, as most do; the others use what the generators know. */
const anyPod = fc.oneof(
  { weight: 3, arbitrary: fc.record({ cpu: fc.constantFrom("1", "1", "2"), priority: fc.constantFrom(0, 3, 7) }) },
  { weight: 1, arbitrary: podParts }
)

const make = (name: string, parts: typeof anyPod extends fc.Arbitrary<infer A> ? A : never): KubeObject => {
  if (!("cpu" in parts)) return podOf(name, parts)
  const { cpu, priority } = parts
  return pod(name, { labels: { app: "x" }, requests: { cpu }, spec: { priority } })
}

/** Of little room, so that pods have to give way; half of them like any other. */
const crampedNode = fc
  .tuple(nodeParts, fc.boolean())
  .map(([parts, isPlain]) =>
    isPlain ? { ...parts, cpu: "2" as const, pods: "110" as const, taints: undefined, unschedulable: undefined } : parts
  )

const nodeNumber = fc.nat({ max: NODES - 1 })
const waiting = fc.nat({ max: WAITING - 1 })

const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("place" as const), pod: anyPod, node: nodeNumber }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("begin" as const), at: fc.nat(), second: fc.nat({ max: 59 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("node" as const), node: nodeNumber, parts: crampedNode }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const), node: nodeNumber }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("promise" as const), pod: waiting, node: nodeNumber }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("take back" as const), pod: waiting }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("budgets" as const), allowed: fc.nat({ max: 2 }) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("ask" as const), pod: waiting }) }
)

const budget = (allowed: number): KubeObject => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "b", namespace: "default" },
  spec: { selector: { matchLabels: { app: "x" } } },
  status: { disruptionsAllowed: allowed }
})

const begun = (one: KubeObject, second: number): KubeObject => ({
  ...one,
  status: { startTime: `2026-11-29T00:00:${String(second).padStart(2, "0")}Z` }
})

const ending = (one: KubeObject): KubeObject => ({
  ...one,
  metadata: { ...one.metadata, deletionTimestamp: "2026-11-29T00:01:00Z" }
})

class Scene {
  readonly cluster = new Cluster()
  readonly nominations = new Nominations(this.cluster)
  budgets: ReadonlyArray<Budget> = []
  readonly kept = this.lane()
  private readonly placed = new Map<string, { readonly object: KubeObject; readonly node: string }>()

  lane() {
    const { cluster, nominations } = this
    const profile: Profile = { ...defaultProfile, preemption: { candidatesPercent: 60, candidatesMin: 2 } }
    const decider = new Decider({
      cluster,
      profile,
      nominations,
      selectors: new Selectors(),
      volumes: () => noVolumes,
      random: () => 0.5
    })
    return { decider, preemption: new Preemption({ decider, budgets: () => this.budgets, random: () => 0.5 }) }
  }

  place(object: KubeObject, node: string): void {
    const on: KubeObject = { ...object, spec: { ...(object.spec as JsonObject), nodeName: node } }
    this.placed.set(object.metadata.uid ?? "", { object: on, node })
    this.cluster.place(on, node)
  }

  private any(at: number) {
    return this.placed.size === 0 ? undefined : [...this.placed.values()][at % this.placed.size]
  }

  change(at: number, by: (object: KubeObject) => KubeObject): void {
    const found = this.any(at)
    if (found !== undefined) this.place(by(found.object), found.node)
  }

  remove(at: number): void {
    const uid = this.any(at)?.object.metadata.uid ?? ""
    this.placed.delete(uid)
    this.cluster.remove(uid)
  }
}

/** All that is said of a pod, in a form that can be compared. */
const said = (scene: Scene, { decider, preemption }: ReturnType<Scene["lane"]>, one: KubeObject) => {
  const explained = decider.explain(one, 1000)
  const decision = decider.decide(one)
  if (!(decision instanceof Diagnosis)) return { explained, feasible: decision.feasible }
  const resolvable = scene.cluster.rows.filter(
    ({ index }) => scene.cluster.present[index] === 1 && decision.isResolvable(index)
  )
  assert.strictEqual(decision.resolvableNodes, resolvable.length, "nodes that preemption may look at")
  const search = preemption.search(one, decision)
  const found =
    "candidates" in search
      ? search.candidates.map(({ name, sinceMs, victims, violations }) => ({
          name,
          sinceMs,
          violations,
          victims: victims.map(({ ending: isEnding, pod: victim, uid }) => ({ uid, isEnding, status: victim.status }))
        }))
      : search
  return { explained, text: decision.text, resolvable: resolvable.map(({ name }) => name), found }
}

describe("kept results", () => {
  it("are those of a decider that has seen nothing before", () => {
    let searches = 0
    let promised = 0
    fc.assert(
      fc.property(
        fc.array(crampedNode, { minLength: NODES, maxLength: NODES }),
        fc.array(anyPod, { minLength: NODES, maxLength: 3 * NODES }),
        fc.array(anyPod, { minLength: WAITING, maxLength: WAITING }),
        fc.array(step, { maxLength: 60, size: "max" }),
        (nodes, first, waitingParts, steps) => {
          const scene = new Scene()
          const { cluster, nominations } = scene
          for (const [at, parts] of nodes.entries()) cluster.nodeSeen(nodeOf(`n${at}`, parts))
          for (const [at, parts] of first.entries()) scene.place(make(`first-${at}`, parts), `n${at % NODES}`)
          const asking = waitingParts.map((parts, at) => make(`waiting-${at}`, parts))
          for (const [at, one] of steps.entries()) {
            switch (one.do) {
              case "place":
                scene.place(make(`p${at}`, one.pod), `n${one.node}`)
                break
              case "remove":
                scene.remove(one.at)
                break
              case "begin":
                scene.change(one.at, (object) => begun(object, one.second))
                break
              case "end":
                scene.change(one.at, ending)
                break
              case "node":
                cluster.nodeSeen(nodeOf(`n${one.node}`, one.parts))
                break
              case "lose":
                cluster.nodeGone(`n${one.node}`)
                break
              case "promise":
                nominations.add(asking[one.pod], `n${one.node}`)
                break
              case "take back":
                nominations.remove(asking[one.pod].metadata.uid ?? "")
                break
              case "budgets":
                scene.budgets = [budgetOf(budget(one.allowed)) ?? assert.fail("no budget")]
                break
              case "ask": {
                const kept = said(scene, scene.kept, asking[one.pod])
                assert.deepStrictEqual(kept, said(scene, scene.lane(), asking[one.pod]))
                if ("found" in kept && !("message" in kept.found)) {
                  searches++
                  if (!nominations.isEmpty) promised++
                }
              }
            }
          }
        }
      ),
      parameters(400)
    )
    assert.isAbove(searches, 50, "candidates were found")
    assert.isAbove(promised, 20, "and while nodes were promised")
  })

  it("know the labels that only a promised pod has named", () => {
    const scene = new Scene()
    const { cluster, nominations } = scene
    for (const name of ["n0", "n1"]) cluster.nodeSeen(node(name))
    const x = { labelSelector: { matchLabels: { app: "x" } } }
    const near = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ ...x, topologyKey: HOST }] } }
    const far = {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, podAffinityTerm: { ...x, topologyKey: "topology.kubernetes.io/zone" } }
        ]
      }
    }
    scene.place(pod("near", { spec: { affinity: near } }), "n1")
    nominations.add(pod("promised", { spec: { affinity: far } }), "n0")
    const { best } = scene.kept.decider.explain(pod("next", { labels: { app: "x" } }), 2)
    const scores = Object.fromEntries(best.map(({ node: name, scores: each }) => [name, each["InterPodAffinity"]]))
    assert.deepStrictEqual(scores, { n0: 0, n1: 100 })
  })
})
