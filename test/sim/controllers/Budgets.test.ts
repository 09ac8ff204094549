// Disruption budgets in virtual time: whoever evicts, and however often, never are fewer pods healthy than a budget says.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ApiFailure, gvr, type KubeObject } from "#kube"
import { allControllers, controllerManager, World } from "#sim"
import { clusterDefinitions } from "../Definitions.ts"
import { slowNetwork } from "./JobWorld.ts"
import { runSeed } from "../../Seed.ts"

const seed = runSeed()
const numRuns = Number(process.env["BUDGET_RUNS"] ?? 8)

interface BudgetCase {
  readonly seed: number
  readonly replicas: number
  readonly minAvailable: string | number | undefined
  readonly maxUnavailable: string | number | undefined
  readonly evictors: number
  /** Milliseconds between two tries of one evictor. */
  readonly everyMs: number
  readonly startDelayMs: number
  /** The longest that a message may take. */
  readonly lagMs: number
}

const amount = fc.oneof(
  fc.integer({ min: 0, max: 6 }),
  fc.integer({ min: 0, max: 100 }).map((percent) => `${percent}%`)
)

const cases: fc.Arbitrary<BudgetCase> = fc
  .record({
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    replicas: fc.integer({ min: 1, max: 9 }),
    amount,
    isMin: fc.boolean(),
    evictors: fc.integer({ min: 1, max: 5 }),
    everyMs: fc.constantFrom(5, 50, 700),
    startDelayMs: fc.constantFrom(100, 1500, 8000),
    lagMs: fc.constantFrom(0, 300, 3000)
  })
  .map(({ amount, isMin, ...one }) => ({
    ...one,
    minAvailable: isMin ? amount : undefined,
    maxUnavailable: isMin ? undefined : amount
  }))

const names = new Set(["deployment-controller", "replicaset-controller", "disruption-controller"])
const controllers = allControllers.filter(({ name }) => names.has(name))
const pods = gvr("", "v1", "pods")

/** The healthy pods that there must be, by the plainest reading of the spec. */
const leastHealthy = ({ maxUnavailable, minAvailable, replicas }: BudgetCase): number => {
  const of = (value: string | number | undefined): number =>
    typeof value === "number" ? value : Math.ceil((Number(String(value).slice(0, -1)) * replicas) / 100)
  return minAvailable === undefined ? Math.max(0, replicas - of(maxUnavailable)) : of(minAvailable)
}

const isHealthy = ({ metadata, status }: KubeObject): boolean =>
  metadata.deletionTimestamp === undefined &&
  ((status ?? {}) as { conditions?: ReadonlyArray<{ type: string; status: string }> }).conditions?.some(
    (one) => one.type === "Ready" && one.status === "True"
  ) === true

const objects = ({ maxUnavailable, minAvailable, replicas, startDelayMs }: BudgetCase): ReadonlyArray<KubeObject> => {
  const labels = { app: "web" }
  const metadata = { name: "web", namespace: "default" }
  const annotations = { "sim.kubewharf.io/start-delay": `${startDelayMs}ms` }
  const template = { metadata: { labels, annotations }, spec: { containers: [{ name: "c", image: "i" }] } }
  const allowed = minAvailable === undefined ? { maxUnavailable: maxUnavailable ?? null } : { minAvailable }
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { replicas, selector: { matchLabels: labels }, template }
    },
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata,
      spec: { selector: { matchLabels: labels }, ...allowed }
    }
  ]
}

interface Outcome {
  readonly evicted: number
  readonly refused: number
  /** The fewest healthy pods after one of them had to go. */
  readonly fewest: number
  /** Of each eviction that was granted, in ms. */
  readonly tookMs: ReadonlyArray<number>
  readonly status: Readonly<Record<string, number>>
}

const run = (one: BudgetCase): Outcome => {
  const world = new World({
    seed: one.seed,
    definitions: clusterDefinitions,
    nodeGroups: [{ name: "node", count: 3, zones: ["a"] }],
    controllers: [controllerManager({ controllers })],
    ...(one.lagMs === 0 ? {} : { network: slowNetwork(one.lagMs) })
  })
  world.start()
  const { kernel } = world
  const users = kernel.process("evictors")
  const client = world.client("evictors")
  let [evicted, refused, fewest] = [0, 0, Infinity]
  const tookMs: Array<number> = []
  const all = (): ReadonlyArray<KubeObject> => world.api.server!.view("", "pods").list("default")
  const evict = (): void => {
    const running = all().filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const pod = running[users.random.next32() % Math.max(1, running.length)]
    // Pods that are not healthy may always go when enough others are: only healthy ones are asked for here.
    if (pod === undefined || !isHealthy(pod)) return
    const name = pod.metadata.name ?? ""
    const sentMs = kernel.nowMs
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: "default" } }
    client.create({ resource: pods, namespace: "default", name, subresource: "eviction" }, body, {}, (answer) => {
      if (answer instanceof ApiFailure) {
        if (answer.code === 429) refused++
        return
      }
      evicted++
      tookMs.push(kernel.nowMs - sentMs)
    })
  }
  const watched = (before: KubeObject | undefined, after: KubeObject | undefined): void => {
    if (before === undefined || !isHealthy(before) || (after !== undefined && isHealthy(after))) return
    fewest = Math.min(fewest, all().filter(isHealthy).length)
  }
  kernel.closureAt(1, users, () => {
    world.api.server!.view("", "pods").onChange(watched)
    for (const object of objects(one)) {
      const resource =
        object.kind === "Deployment" ? gvr("apps", "v1", "deployments") : gvr("policy", "v1", "poddisruptionbudgets")
      client.create({ resource, namespace: "default" }, object, {}, () => undefined)
    }
    users.clockwork.after(60_000, () => {
      for (let at = 0; at < one.evictors; at++) users.clockwork.every(one.everyMs, evict)
    })
  })
  kernel.run({ untilMs: 75_000 })
  const budget = world.api.server!.view("policy", "poddisruptionbudgets").get("default", "web")
  world.stop()
  return { evicted, refused, fewest, tookMs, status: budget?.status as unknown as Record<string, number> }
}

describe(`disruption budgets (SEED=${seed})`, () => {
  it(`are never overdrawn, whoever evicts, ${numRuns} of them`, () => {
    let [evicted, refused] = [0, 0]
    fc.assert(
      fc.property(cases, (one) => {
        const outcome = run(one)
        const least = leastHealthy(one)
        assert.isAtLeast(outcome.fewest, least)
        assert.include(outcome.status, { desiredHealthy: least })
        // A number of pods is a number of whatever pods there are, those on their way out among them.
        if (typeof one.minAvailable !== "number") assert.include(outcome.status, { expectedPods: one.replicas })
        if (least >= one.replicas) assert.strictEqual(outcome.evicted, 0)
        else assert.isAbove(outcome.evicted, 0)
        evicted += outcome.evicted
        refused += outcome.refused
      }),
      { seed, numRuns }
    )
    assert.isAbove(evicted, 0)
    assert.isAbove(refused, 0)
  })

  it("let evictions of one moment go one after the other, half a second apart, as kube-apiserver does", () => {
    const { tookMs } = run({
      seed,
      replicas: 9,
      minAvailable: undefined,
      maxUnavailable: "100%",
      evictors: 5,
      everyMs: 700,
      startDelayMs: 100,
      lagMs: 0
    })
    const [prompt, late] = [tookMs.filter((ms) => ms < 100), tookMs.filter((ms) => ms >= 500)]
    assert.isNotEmpty(prompt)
    assert.isNotEmpty(late)
    assert.strictEqual(prompt.length + late.length, tookMs.length)
  })
})
