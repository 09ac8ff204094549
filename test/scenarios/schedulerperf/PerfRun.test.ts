// scheduler_perf's files: read with their mistakes told, run on a real API server, results in upstream's form.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Result } from "effect"
import { dataItemsOf, type DataItem } from "../../../scenarios/schedulerperf/DataItems.ts"
import { loadPerfConfig, parsePerfConfig, selectWorkloads } from "../../../scenarios/schedulerperf/PerfConfig.ts"
import { PerfParams, podsPlan } from "../../../scenarios/schedulerperf/PerfParams.ts"
import { runPerfWorkload } from "../../../scenarios/schedulerperf/PerfRun.ts"
import { ThroughputSamples } from "../../../scenarios/schedulerperf/ThroughputCollector.ts"
import { configuration, exampleConfig, inOrder } from "./Example.ts"

const metric = (items: ReadonlyArray<DataItem>, name: string): DataItem | undefined =>
  items.find(({ labels }) => labels["Metric"] === name)

describe("a configuration", () => {
  it("tells each mistake with its place", () => {
    const text = configuration.replace("countParam: $nodes", "countParam: nodes").replace("count: 2", "coumt: 2")
    const parsed = parsePerfConfig("performance-config.yaml", text)
    assert.isTrue(Result.isFailure(parsed))
    if (!Result.isFailure(parsed)) return
    const { message } = parsed.failure
    assert.match(message, /performance-config\.yaml:6:\d+ {2}\[0\]\.workloadTemplate\[0\]/)
    assert.match(message, /performance-config\.yaml:9:\d+/)
  })

  it.effect("gives workloads by name, with stars", () =>
    Effect.gen(function* () {
      const config = yield* exampleConfig
      const names = (pattern?: string) =>
        selectWorkloads(config, pattern).map(({ perfCase, workload }) => `${perfCase.name}/${workload.name}`)
      assert.deepStrictEqual(names(), ["Basic/small", "Steady/short"])
      assert.deepStrictEqual(names("B*"), ["Basic/small"])
      assert.deepStrictEqual(names("*/short"), ["Steady/short"])
      assert.deepStrictEqual(names("Basic/none"), [])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it("fills parameters in, with defaults, multipliers and durations, and refuses unknown ones", () => {
    const params = new PerfParams("w", { groups: 3, size: 4, wait: "1m30s", steady: true })
    const plan = podsPlan(
      {
        opcode: "createPods",
        countParam: "$groups",
        countMultiplierParam: "$size",
        durationParam: "$wait",
        steadyStateParam: "$steady",
        templateParams: { cpu: "$cpu|[1, 2]", groups: "$groups", plain: "x" }
      },
      params
    )
    assert.deepStrictEqual(plan, {
      count: 12,
      signatureBatchSize: 1,
      steadyState: true,
      durationMs: 90_000,
      template: { cpu: [1, 2], groups: 3, plain: "x" }
    })
    assert.throws(() => params.count({ countParam: "$missing" }), /workload w: countParam names \$missing/)
    assert.throws(() => params.count({}), /workload w: count is missing/)
  })
})

describe("throughput", () => {
  it("drops the first sample and spreads a second without pods over the next", () => {
    const samples = new ThroughputSamples()
    for (const [count, atMs] of [
      [0, 1000],
      [50, 2000],
      [150, 3000],
      [150, 4000],
      [350, 5000]
    ] as const)
      samples.take(count, atMs)
    assert.deepStrictEqual(samples.rates, [100, 100, 100])
  })
})

describe("a run", () => {
  it.live("goes through operations, waits at barriers, and counts what was placed while it was told to", () =>
    Effect.gen(function* () {
      const config = yield* exampleConfig
      const [chosen] = selectWorkloads(config, "Basic")
      assert.isDefined(chosen)
      if (chosen === undefined) return
      const options = { config, ...chosen, seed: 1, store: "memory", timeoutMs: 30_000 } as const
      const items = yield* runPerfWorkload(options, inOrder)
      const overall = metric(items, "OverallThroughput")
      assert.strictEqual(overall?.data["Pods"], 30)
      assert.strictEqual(overall?.labels["Name"], "Basic/small/namespace-3")
      assert.isAbove(metric(items, "SchedulingDuration")?.data["Duration"] ?? 0, 0)
      const { dataItems, version } = dataItemsOf(items)
      assert.strictEqual(version, "v1")
      for (const { labels } of dataItems) assert.sameMembers(Object.keys(labels), ["Name", "Metric"])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("keeps a steady state for its duration", () =>
    Effect.gen(function* () {
      const config = yield* exampleConfig
      const [chosen] = selectWorkloads(config, "Steady")
      assert.isDefined(chosen)
      if (chosen === undefined) return
      const options = { config, ...chosen, seed: 1, store: "memory", timeoutMs: 30_000 } as const
      const items = yield* runPerfWorkload(options, inOrder)
      assert.isAbove(metric(items, "OverallThroughput")?.data["Pods"] ?? 0, 5)
      assert.isAtLeast(metric(items, "SchedulingDuration")?.data["Duration"] ?? 0, 1.5)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("refuses what cannot be run, by name", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      const file = `${directory}/config.yaml`
      yield* files.writeFileString(
        file,
        "- name: Gang\n  workloadTemplate:\n  - {opcode: createPodGroups, namespace: n, templatePath: t, count: 1}\n" +
          "  workloads: [{name: one}]\n"
      )
      const config = yield* loadPerfConfig(file)
      const [chosen] = selectWorkloads(config, undefined)
      if (chosen === undefined) return assert.fail("no workload")
      const run = runPerfWorkload({ config, ...chosen, seed: 1, store: "memory", timeoutMs: 1000 }, inOrder)
      const failure = yield* Effect.flip(run)
      assert.match(failure.message, /^workload Gang\/one: createPodGroups needs the Workload API/)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
