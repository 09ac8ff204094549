// Preemption against a plain form of its rules: the same candidates with the same victims on every node, as few as can be, budgets kept where
// they can be, and the least harmful of them chosen.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type JsonObject, type KubeObject, parseRfc3339 } from "#kube"
import {
  type Budget,
  budgetOf,
  type Candidate,
  Cluster,
  Decider,
  defaultProfile,
  Diagnosis,
  Nominations,
  noVolumes,
  Preemption,
  Selectors
} from "#scheduling"
import { nodeOf, type NodeParts, nodeParts, parameters, podOf, type PodParts, podParts } from "./Generators.ts"
import { node, pod } from "./Objects.ts"
import { Reference } from "./Reference.ts"

const namespaces = { default: { team: "a" }, other: { team: "b" } }

const budget = (app: string, allowed: number): KubeObject => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: `b-${app}`, namespace: "default" },
  spec: { selector: { matchLabels: { app } } },
  status: { disruptionsAllowed: allowed }
})

const budgetParts = fc.record({ app: fc.constantFrom("x", "y"), allowed: fc.nat({ max: 2 }) })
type BudgetParts = { readonly app: string; readonly allowed: number }

const startOf = (pod: KubeObject): number => parseRfc3339((pod.status as { startTime: string }).startTime)!
const priorityOf = (pod: KubeObject): number => (pod.spec as { priority?: number }).priority ?? 0
const labelsOf = (pod: KubeObject): Readonly<Record<string, string>> => pod.metadata.labels ?? {}

/** Most important first. */
const byImportance = (a: KubeObject, b: KubeObject): number => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b)

interface PlainCandidate {
  readonly victims: ReadonlyArray<string>
  readonly violations: number
}

/** The rules as they are written down: empty the node of lesser pods, then let as many come back as still leave room. */
const plainCandidate = (
  node: KubeObject,
  nodes: ReadonlyArray<KubeObject>,
  placed: ReadonlyArray<KubeObject>,
  pod: KubeObject,
  budgets: ReadonlyArray<Budget>
): PlainCandidate | undefined => {
  const { name = "" } = node.metadata
  const lesser = placed
    .filter((one) => (one.spec as { nodeName: string }).nodeName === name && priorityOf(one) < priorityOf(pod))
    .sort(byImportance)
  if (lesser.length === 0) return undefined
  const out = new Set(lesser)
  const fits = (): boolean =>
    !new Reference({ nodes, placed: placed.filter((one) => !out.has(one)), namespaces }, pod).judge().reasons.has(name)
  if (!fits()) return undefined
  const left = budgets.map(({ allowed }) => allowed)
  const breaking: Array<KubeObject> = []
  const harmless: Array<KubeObject> = []
  for (const one of lesser) {
    let breaks = false
    for (const [at, { namespace, selector }] of budgets.entries()) {
      if (breaks || namespace !== one.metadata.namespace || !selector.matches(labelsOf(one))) continue
      left[at]--
      breaks = left[at] < 0
    }
    ;(breaks ? breaking : harmless).push(one)
  }
  let violations = 0
  for (const one of [...breaking, ...harmless]) {
    out.delete(one)
    if (fits()) continue
    out.add(one)
    if (breaking.includes(one)) violations++
  }
  return { victims: [...out].sort(byImportance).map(({ metadata }) => metadata.uid!), violations }
}

const costs = (victims: ReadonlyArray<KubeObject>, violations: number): ReadonlyArray<number> => {
  const most = Math.max(...victims.map(priorityOf))
  return [
    violations,
    most,
    victims.reduce((sum, one) => sum + priorityOf(one) + 2 ** 31, 0),
    victims.length,
    -Math.min(...victims.filter((one) => priorityOf(one) === most).map(startOf))
  ]
}

const compareCosts = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  for (const [at, cost] of a.entries()) if (cost !== b[at]) return cost - b[at]
  return 0
}

const started = (pod: KubeObject, at: number): KubeObject => ({
  ...pod,
  status: { startTime: `2026-11-28T00:00:${String(at % 60).padStart(2, "0")}Z` }
})

describe("preemption", () => {
  it("chooses among victims that have not begun", () => {
    const cluster = new Cluster()
    const decider = new Decider({
      cluster,
      profile: defaultProfile,
      nominations: new Nominations(cluster),
      selectors: new Selectors(),
      volumes: () => noVolumes,
      random: () => 0.5
    })
    const preemption = new Preemption({ decider, budgets: () => [], random: () => 0.5 })
    for (const name of ["a", "b", "c"]) {
      cluster.nodeSeen(node(name, { allocatable: { cpu: "1" } }))
      cluster.place(pod(`on-${name}`, { requests: { cpu: "1" } }), name)
    }
    const high = pod("high", { requests: { cpu: "1" }, spec: { priority: 5 } })
    const decision = decider.decide(high)
    if (!(decision instanceof Diagnosis)) throw new Error("there is no room")
    const search = preemption.search(high, decision)
    if (!("candidates" in search)) throw new Error(search.message)
    assert.include(["a", "b", "c"], preemption.choose(search.candidates).name)
  })

  it.each(["x", "y"])("takes pods that are on their way out off the spread too, with one of app %s left", (stays) => {
    const cluster = new Cluster()
    const decider = new Decider({
      cluster,
      profile: defaultProfile,
      nominations: new Nominations(cluster),
      selectors: new Selectors(),
      volumes: () => noVolumes,
      random: () => 0.5
    })
    const preemption = new Preemption({ decider, budgets: () => [], random: () => 0.5 })
    cluster.nodeSeen(node("a", { allocatable: { cpu: "1" } }))
    const half = { labels: { app: "x" }, requests: { cpu: "500m" } }
    cluster.place(pod("leaving", { ...half, metadata: { deletionTimestamp: "2026-11-28T00:00:00Z" } }), "a")
    cluster.place(pod("staying", { ...half, labels: { app: stays }, spec: { priority: 5 } }), "a")
    const constraint = {
      maxSkew: 1,
      minDomains: 2,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "x" } }
    }
    const next = pod("next", { ...half, spec: { priority: 5, topologySpreadConstraints: [constraint] } })
    const decision = decider.decide(next)
    if (!(decision instanceof Diagnosis)) throw new Error("there is no room")
    const search = preemption.search(next, decision)
    if (!("candidates" in search)) throw new Error(search.message)
    assert.deepStrictEqual(
      search.candidates.map(({ victims }) => victims.map(({ uid }) => uid)),
      [["pod-default-leaving"]]
    )
  })

  it("finds the candidates of the plain rules and chooses the least harmful", () => {
    let searched = 0
    fc.assert(
      fc.property(
        fc.array(nodeParts, { minLength: 1, maxLength: 4 }),
        fc.array(podParts, { minLength: 2, maxLength: 12 }),
        fc.array(budgetParts, { maxLength: 2 }),
        podParts,
        (nodes, placedParts, budgetList, next) => {
          const cluster = new Cluster()
          for (const [name, labels] of Object.entries(namespaces)) cluster.namespaceSeen(name, labels)
          const objects = nodes.map((parts, at) => nodeOf(`n${at}`, parts))
          for (const one of objects) cluster.nodeSeen(one)
          const placed = placedParts.map((parts, at): KubeObject => {
            const one = started(podOf(`p${at}`, parts), at * 7)
            const on: KubeObject = { ...one, spec: { ...(one.spec as JsonObject), nodeName: `n${at % nodes.length}` } }
            cluster.place(on, `n${at % nodes.length}`)
            return on
          })
          const budgets = budgetList.flatMap(({ allowed, app }) => budgetOf(budget(app, allowed)) ?? [])
          const decider = new Decider({
            cluster,
            profile: { ...defaultProfile, preemption: { candidatesPercent: 100, candidatesMin: 100 } },
            nominations: new Nominations(cluster),
            selectors: new Selectors(),
            volumes: () => noVolumes,
            random: () => 0.5
          })
          const preemption = new Preemption({ decider, budgets: () => budgets, random: () => 0.5 })
          const plain = podOf("preemptor", next)
          const pod: KubeObject = { ...plain, spec: { ...(plain.spec as JsonObject), priority: 3 } }
          const decision = decider.decide(pod)
          if (!(decision instanceof Diagnosis)) return
          const traces = (): string =>
            JSON.stringify([
              decider.explain(pod, 10),
              cluster.rows.map(({ index, pods }) => [
                pods.size,
                cluster.podsPlaced[index],
                cluster.requested.columns.map((column) => Number(column?.get(index) ?? 0)),
                Number(cluster.scoredCpu.get(index))
              ])
            ])
          const before = traces()
          const search = preemption.search(pod, decision)
          assert.strictEqual(traces(), before, "the search left no trace")
          const found: ReadonlyArray<Candidate> = "candidates" in search ? search.candidates : []
          const expected = new Map(
            objects.flatMap((node, at) => {
              if (!decision.isResolvable(cluster.find(`n${at}`)!)) return []
              const candidate = plainCandidate(node, objects, placed, pod, budgets)
              return candidate === undefined || candidate.victims.length === 0 ? [] : [[`n${at}`, candidate] as const]
            })
          )
          searched += expected.size
          assert.deepStrictEqual(
            Object.fromEntries(
              found.map(({ name, victims, violations }) => [
                name,
                { victims: victims.map(({ uid }) => uid), violations }
              ])
            ),
            Object.fromEntries(expected)
          )
          if (found.length === 0) return
          const chosen = preemption.choose(found)
          const cost = ({ victims, violations }: Candidate) =>
            costs(
              victims.map((one) => one.pod),
              violations
            )
          for (const one of found) assert.isAtMost(compareCosts(cost(chosen), cost(one)), 0)
        }
      ),
      parameters(300) as fc.Parameters<[Array<NodeParts>, Array<PodParts>, Array<BudgetParts>, PodParts]>
    )
    assert.isAbove(searched, 20, "candidates were found at all")
  })
})
