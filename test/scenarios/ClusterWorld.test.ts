// Scenario clusters as worlds: one seed, one run; what is measured adds up; a planted fault is found, shrunk, and found again.
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import type { Client } from "#kube"
import { explore, type SimProcess } from "#sim"
import type { Cluster } from "../../scenarios/cluster/Cluster.ts"
import { checkClusterSlos } from "../../scenarios/cluster/ClusterSloCheck.ts"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"
import { replayScenario, runScenarioCase } from "../../scenarios/world/CaseRun.ts"
import { type ScenarioCase, scenarioCase } from "../../scenarios/world/ScenarioCase.ts"
import { shrinkScenario } from "../../scenarios/world/Shrinking.ts"
import { Slowest } from "../../scenarios/world/Slowest.ts"
import { simulatedWorld, WorldRun } from "../../scenarios/world/WorldRun.ts"

const text = `apiVersion: wharf/v1
kind: Scenario
name: small
description: A small cluster
cluster:
  duration: 90s
  zones: [zone-a, zone-b, zone-c]
  nodeGroups: [{ name: node, count: 9 }]
  registerOver: 1s
  controllers: none
  workloads:
    - { name: web, kind: Pod, replicas: 40, perSecond: 20 }
  requests:
    - { name: lists, verb: list, resource: pods, scope: cluster, perSecond: 2 }
    - { name: gets, verb: get, resource: nodes, perSecond: 5, at: 5s }
  watchers:
    - { name: informer, resource: pods, count: 3 }
  actions:
    - { kind: upgrade-nodes, at: 60s, parallel: 3 }
  faults:
    - { kind: apiserver-crash, at: 30s, for: 2s }
    - { kind: zone-dies, at: 35s, for: 10s, zone: zone-c }
slo:
  - { metric: pod.start.p99, atMost: 5s }
  - { metric: nodes.ready, atLeast: 100 }
  - { of: nothing, metric: api.list.p99, atMost: 1s }
`

const scenario = Result.getOrThrow(parseScenario("small.yaml", text)).scenario
const clusterOf = (changes: Partial<Cluster> = {}): Cluster => {
  if (scenario.cluster === undefined) throw new Error("no cluster")
  return { ...scenario.cluster, ...changes }
}

const live = (seed: number, cluster = clusterOf()) =>
  new WorldRun({ type: "run", seed, cluster, folder: ".", shrinkMs: 0 }, () => undefined, simulatedWorld).run()

describe("a scenario's cluster", () => {
  it("is the same run for the same seed, and another for another", async () => {
    const [first, again, other] = [await live(1), await live(1), await live(2)]
    assert.strictEqual(again.cluster.eventLogHash, first.cluster.eventLogHash)
    assert.notStrictEqual(other.cluster.eventLogHash, first.cluster.eventLogHash)
    // Real time and memory are the machine's; everything else is the run's.
    const plain = ({ cluster, ...rest }: typeof first) => ({
      ...rest,
      cluster: {
        ...cluster,
        wallMs: 0,
        residentMaxBytes: 0,
        scheduling: { ...cluster.scheduling, busyWallMs: 0 },
        state: { ...cluster.state, wallMs: [], residentBytes: [] }
      }
    })
    assert.deepStrictEqual(plain(again), plain(first))
  })

  it("measures what adds up", async () => {
    const { cluster, counters, violations } = await live(1)
    const { podStarts, state } = cluster
    assert.deepStrictEqual(violations, [])
    assert.strictEqual(counters["nodes upgraded"], 9)
    assert.strictEqual(podStarts.whole.count, 40)
    assert.strictEqual(podStarts.scheduled.count, 40)
    for (const { createdMs, runningMs, scheduledMs, watchedMs } of podStarts.slowest) {
      assert.isTrue(
        createdMs <= (scheduledMs ?? 0) && (scheduledMs ?? 0) <= (runningMs ?? 0) && (runningMs ?? 0) <= watchedMs
      )
    }
    assert.strictEqual(state.atMs.at(-1), 90_000)
    const rows = state.atMs.length
    for (const column of [
      ...Object.values(state.pods),
      ...Object.values(state.objects),
      ...state.zones.map(({ ready }) => ready)
    ])
      assert.lengthOf(column, rows)
    const podsAt = (row: number) => Object.values(state.pods).reduce((sum, column) => sum + column[row], 0)
    for (let row = 0; row < rows; row++) assert.strictEqual(podsAt(row), state.objects["pods"][row], `row ${row}`)
    assert.strictEqual(cluster.podsMax, 40)
    const lists = cluster.calls.find(
      ({ resource, scope, verb }) => resource === "pods" && verb === "list" && scope === "cluster"
    )
    assert.isAbove(lists?.answered ?? 0, 100)
    for (const calls of cluster.calls) {
      assert.strictEqual(calls.answered, calls.latency.count)
      const times = calls.slowest.map(({ us }) => us)
      assert.deepStrictEqual(
        times,
        times.toSorted((left, right) => right - left)
      )
      assert.isTrue(Math.abs((calls.latency.max ?? 0) - (times[0] ?? 0)) <= 1 + (times[0] ?? 0) / 500)
    }
    const pods = cluster.informers.find(({ resource }) => resource === "pods")
    assert.isAbove(pods?.lag.count ?? 0, 40 * 4)
    const verdicts = checkClusterSlos(scenario, cluster).map(({ verdict }) => verdict)
    assert.deepStrictEqual(verdicts, ["pass", "pass", "missing"])
  })
})

/** Every so many pods' events, one is swallowed on its way to the kubelets. */
const deaf = (client: Client, process: SimProcess): Client => {
  if (process.name !== "informer-1") return client
  let heard = 0
  return {
    ...client,
    watch: (collection, options, listener) =>
      client.watch(collection, options, {
        ...listener,
        event: (event) => (event.type === "MODIFIED" && ++heard % 5 === 0 ? undefined : listener.event(event))
      })
  }
}

describe("a planted fault of a scenario's cluster", () => {
  const cluster = clusterOf({ checkers: ["history"], actions: [], duration: 40_000, settle: 5000, requests: [] })
  const run = (candidate: ScenarioCase) => runScenarioCase(candidate, { hooks: { wrapClient: deaf } })

  it("is found and shrunk to a few steps that show it again", () => {
    const drawn = scenarioCase(cluster, 1, ".")
    assert.deepStrictEqual(runScenarioCase(drawn).violations, [], "without the fault every guarantee is kept")
    const found = shrinkScenario(drawn, 60_000, run)
    assert.isDefined(found)
    assert.match(found.guarantee, /^watch is/)
    assert.strictEqual(found.fromSteps, 42)
    assert.isBelow(found.toSteps, 6)
    assert.isBelow(found.case.nodes, 9)
    const kept: ScenarioCase = JSON.parse(JSON.stringify(found.case))
    assert.isTrue(run(kept).violations.some(({ guarantee }) => guarantee === found.guarantee))
    assert.deepStrictEqual(replayScenario(kept, { onKernel: () => undefined }).violations, [])
  })

  it("is nothing that exploring the real thing finds", () => {
    const seeds = [3, 4, 5]
    assert.isUndefined(
      explore(
        seeds,
        (seed) => scenarioCase(cluster, seed, "."),
        (candidate) => runScenarioCase(candidate)
      )
    )
  })
})

describe("the slowest", () => {
  it("are the largest, in order, the earlier one of equals first", () => {
    const slowest = new Slowest<string>(3)
    for (const [us, name] of [
      [5, "a"],
      [9, "b"],
      [5, "c"],
      [1, "d"],
      [7, "e"],
      [5, "f"]
    ] as const)
      if (slowest.wants(us)) slowest.add(us, name)
    assert.deepStrictEqual(slowest.list(), ["b", "e", "a"])
  })
})
