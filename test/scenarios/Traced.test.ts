// Traced clusters: a simulated Deployment leaves the same trace as a real one, and who is stuck at the end is named, and nobody else.
import { Result } from "effect"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { DisplayModes, type Member, parseTransformFile, shippedModes, TraceViews, why } from "#tracing"
import type { Cluster } from "../../scenarios/cluster/Cluster.ts"
import { checkClusterSlos } from "../../scenarios/cluster/ClusterSloCheck.ts"
import { clusterSteps } from "../../scenarios/cluster/ClusterSteps.ts"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"
import { CLUSTER, ObjectTraces } from "../../scenarios/world/ObjectTraces.ts"
import { runScenarioCase } from "../../scenarios/world/CaseRun.ts"
import { scenarioCase } from "../../scenarios/world/ScenarioCase.ts"
import { simulatedWorld, WorldRun } from "../../scenarios/world/WorldRun.ts"
import { CREATES, createsOf, type FamilyMember, shapeOf, STAGES } from "../tracing/judges/DeploymentShape.ts"

const shipped = (name: string, overrides: Readonly<Record<string, string>> = {}) => {
  let text = readFileSync(new URL(`../../scenarios/${name}.yaml`, import.meta.url), "utf8")
  for (const [from, to] of Object.entries(overrides)) text = text.replace(from, to)
  const { scenario } = Result.getOrThrow(parseScenario(`${name}.yaml`, text))
  if (scenario.cluster === undefined) throw new Error("no cluster")
  return { scenario, cluster: scenario.cluster }
}

const live = (cluster: Cluster) =>
  new WorldRun({ type: "run", seed: 1, cluster, folder: ".", shrinkMs: 0 }, () => undefined, simulatedWorld).run()

const memberOf = ({ children, life }: Member): FamilyMember => ({
  object: life.object,
  gone: life.gone,
  children: children.map(memberOf)
})

describe("a traced cluster", () => {
  it("tells a Deployment's life as a real cluster does", () => {
    const { cluster } = shipped("trace-deployment")
    const traces = new ObjectTraces()
    assert.isNotEmpty([...clusterSteps(cluster, 1, ".")])
    runScenarioCase(scenarioCase(cluster, 1, "."), {
      hooks: { wrapClient: (client, process) => traces.wrap(client, process) }
    })
    const { store } = traces
    let names: ReadonlyArray<string> = []
    store.objects({ cluster: CLUSTER, resource: "deployments", limit: 10 }, (found) => {
      names = found.map(({ name }) => name)
    })
    assert.strictEqual(names.length, 1)
    const web = { cluster: CLUSTER, group: "apps", resource: "deployments", namespace: "shop", name: names[0] }
    const [first] = store.tracesOf(web, {})
    const startUs = store.trace(first, 1).next()?.[0].startUs ?? 0
    const nowUs = startUs + 3600e6
    const found = why(store, web, nowUs)
    assert.strictEqual(JSON.stringify(shapeOf(found.member && memberOf(found.member))), STAGES.ended)
    assert.isTrue(found.member?.life.gone)
    assert.isEmpty(found.answers)
    const modes = new DisplayModes(parseTransformFile(shippedModes))
    const mode = modes.ofName("tree [owned objects]")
    assert.isDefined(mode)
    const view = new TraceViews(store, modes).view(mode, web, startUs, nowUs)
    assert.deepStrictEqual(createsOf(view?.spans.map(({ tags }) => tags) ?? []), CREATES)
  })

  it("names those that are stuck and nobody else, and tells what happened to the slowest", async () => {
    const { cluster, scenario } = shipped("stuck-pods", {
      "nodes: 100\n": "nodes: 12\n",
      "replicas: 100": "replicas: 10"
    })
    const { cluster: recorded, violations } = await live(cluster)
    assert.deepStrictEqual(violations, [])
    const kinds = Object.groupBy(recorded.tracing?.stuck ?? [], ({ kind }) => kind)
    assert.deepStrictEqual(Object.keys(kinds).sort(), ["quota", "unscheduled"])
    assert.strictEqual(kinds["unscheduled"]?.length, 20)
    for (const { ageMs, name, sentence } of kinds["unscheduled"] ?? []) {
      assert.match(name, /^giant/)
      assert.isAbove(ageMs, 31 * 60_000)
      assert.match(sentence, /12 Insufficient cpu/)
    }
    const [verdicts] = [checkClusterSlos(scenario, recorded)]
    assert.deepStrictEqual(
      verdicts.map(({ verdict }) => verdict),
      ["pass", "pass", "pass", "pass"]
    )
    const lives = recorded.tracing?.lives ?? []
    assert.isNotEmpty(lives)
    for (const { moments } of lives) assert.isNotEmpty(moments)
    assert.strictEqual(recorded.tracing?.untraced, 0)
  })
})
