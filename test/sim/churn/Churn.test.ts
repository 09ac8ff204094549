// Churn as data: the load test's proportions, the trace's columns, and our own event log.
import { assert, describe, it } from "vitest"
import {
  churnLine,
  type ChurnStep,
  loadTest,
  loadTestGroups,
  parseChurnLog,
  parseOpenb,
  podChurn,
  RandomStream
} from "#sim"

describe("the load test", () => {
  it("makes thirty pods a node in groups of three sizes", () => {
    const groups = loadTestGroups({ nodes: 5000 })
    const pods = groups.reduce((sum, { size }) => sum + size, 0)
    assert.closeTo(pods, 150_000, 1500)
    assert.strictEqual(new Set(groups.map(({ namespace }) => namespace)).size, 50)
    const inGroupsOf = (size: number): number => groups.filter((group) => group.size === size).length * size
    assert.closeTo(inGroupsOf(250) / pods, 0.25, 0.01)
    assert.closeTo(inGroupsOf(30) / pods, 0.25, 0.01)
    assert.closeTo(inGroupsOf(5) / pods, 0.5, 0.01)
  })

  it("creates, scales, updates and deletes, in the order of time, the same for the same seed", () => {
    const steps = [...loadTest({ nodes: 100 }, new RandomStream(1))]
    assert.deepStrictEqual([...loadTest({ nodes: 100 }, new RandomStream(1))], steps)
    for (const [at, step] of steps.entries()) if (at > 0) assert.isAtLeast(step.atMs, steps[at - 1].atMs)
    const of = (verb: string, resource: string): number =>
      steps.filter((step) => step.verb === verb && step.of.resource === resource).length
    const deployments = loadTestGroups({ nodes: 100 }).length
    for (const verb of ["create", "scale", "patch", "delete"])
      assert.strictEqual(of(verb, "deployments"), deployments, verb)
    assert.strictEqual(of("create", "configmaps"), deployments)
    assert.strictEqual(of("create", "services"), of("delete", "services"))
  })
})

it("churns pods without controllers: each deletion brings another pod", () => {
  const steps = [...podChurn({ pods: 10, replacePerSecond: 100, untilMs: 2000, namespaces: 2 }, new RandomStream(1))]
  const living = new Set<string>()
  for (const { of, verb } of steps) {
    if (of.resource !== "pods") continue
    const key = `${of.namespace}/${of.name}`
    assert.strictEqual(living.has(key), verb === "delete", key)
    if (verb === "delete") living.delete(key)
    else living.add(key)
  }
  assert.strictEqual(living.size, 10)
})

describe("the trace of a GPU cluster", () => {
  const header =
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
  it("becomes creations and deletions", () => {
    const text = [
      header,
      "openb-pod-0001,12000,16384,1,1000,,LS,Running,100,,100",
      "openb-pod-0000,6000,12288,2,500,V100M16|V100M32,LS,Succeeded,40,160,50",
      ""
    ].join("\n")
    const steps = parseOpenb(text, { speed: 10, startMs: 5000 })
    assert.deepStrictEqual(
      steps.map(({ atMs, of, verb }) => [atMs, verb, of.name]),
      [
        [5000, "create", "openb-pod-0000"],
        [11_000, "create", "openb-pod-0001"],
        [17_000, "delete", "openb-pod-0000"]
      ]
    )
    const [first] = steps
    assert(first.verb === "create")
    const spec = first.object["spec"] as { containers: ReadonlyArray<{ resources: unknown }>; affinity: unknown }
    assert.deepStrictEqual(spec.containers[0].resources, {
      requests: { cpu: "6000m", memory: "12288Mi", "nvidia.com/gpu": "2" },
      limits: { "nvidia.com/gpu": "2" }
    })
    assert.include(JSON.stringify(spec.affinity), "V100M32")
  })
  it("is refused with line and column", () => {
    assert.throws(() => parseOpenb("name,cpu_milli\n"), /line 1 has no column memory_mib/)
    const bad = `${header}\na,lots,1,0,0,,LS,Running,1,,1`
    assert.throws(() => parseOpenb(bad), /line 2, column cpu_milli: must be a number, not "lots"/)
  })
})

describe("our event log", () => {
  const of = { apiVersion: "apps/v1", resource: "deployments", namespace: "n", name: "d" }
  const steps: ReadonlyArray<ChurnStep> = [
    { atMs: 1, verb: "create", of, object: { kind: "Deployment" } },
    { atMs: 2, verb: "scale", of, replicas: 3 },
    { atMs: 3, verb: "patch", of, patch: { spec: null } },
    { atMs: 4, verb: "delete", of }
  ]
  it("is read as it was written, whatever the order of its lines", () => {
    const lines = steps.map(churnLine)
    assert.deepStrictEqual(parseChurnLog(lines.join("\n")), steps)
    assert.deepStrictEqual(parseChurnLog(`${[...lines].reverse().join("\n")}\n\n`), steps)
  })
  it("is refused by its line", () => {
    assert.throws(() => parseChurnLog("{"), /line 1 is not JSON/)
    assert.throws(() => parseChurnLog(`${churnLine(steps[3])}\n{"atMs":1,"verb":"scale"}`), /line 2/)
  })
})
