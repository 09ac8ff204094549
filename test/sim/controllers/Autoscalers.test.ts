// Autoscalers in virtual time, on a demand that changes in steps and is shared by whatever pods run: they stay within their bounds, go
// down only when five minutes have asked for it, and come to rest where the demand is met.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { builtInDefinitions, defaultResourcesContext, type Definitions, makeDefinitions } from "#apiserver"
import { type Client, gvr, type KubeList, type KubeObject } from "#kube"
import { allControllers, controllerManager, metricsDefinitions, usageAnnotations, World } from "#sim"
import { runSeed } from "../../Seed.ts"

const seed = runSeed()
const numRuns = Number(process.env["AUTOSCALER_RUNS"] ?? 10)

const EPOCH_MS = Date.UTC(2026, 0, 1)
const MINUTE_MS = 60_000
const WINDOW_MS = 300_000
/** What each pod requests, and half of which it shall use. */
const REQUEST_MILLI = 100
const TARGET_MILLI = 50

interface LoadCase {
  readonly seed: number
  readonly replicas: number
  readonly least: number
  readonly most: number
  /** Each lasts so many minutes; the demand is in thousandths of a core. */
  readonly steps: ReadonlyArray<{ readonly minutes: number; readonly demand: number }>
}

const cases: fc.Arbitrary<LoadCase> = fc
  .record({
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    replicas: fc.integer({ min: 1, max: 12 }),
    least: fc.integer({ min: 1, max: 3 }),
    more: fc.integer({ min: 0, max: 12 }),
    steps: fc.array(
      fc.record({ minutes: fc.integer({ min: 2, max: 12 }), demand: fc.integer({ min: 10, max: 900 }) }),
      {
        minLength: 1,
        maxLength: 5
      }
    )
  })
  .map(({ more, ...one }) => ({ ...one, most: one.least + more }))

const definitions = (one: LoadCase) => (): Definitions =>
  makeDefinitions([
    ...builtInDefinitions(defaultResourcesContext),
    ...metricsDefinitions({ seed: one.seed, epochMs: EPOCH_MS })
  ])

const names = new Set(["deployment-controller", "replicaset-controller", "horizontal-pod-autoscaler-controller"])
const controllers = allControllers.filter(({ name }) => names.has(name))

const objects = ({ least, most, replicas, steps }: LoadCase): ReadonlyArray<KubeObject> => {
  let at = 0
  const demand = steps
    .map(({ demand, minutes }) => {
      const step = `${at}m=${demand}m`
      at += minutes
      return step
    })
    .join(",")
  const labels = { app: "web" }
  const metadata = { name: "web", namespace: "default" }
  const container = { name: "c", image: "i", resources: { requests: { cpu: `${REQUEST_MILLI}m` } } }
  const template = {
    metadata: { labels, annotations: { [usageAnnotations.cpuDemand]: demand } },
    spec: { containers: [container] }
  }
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { replicas, selector: { matchLabels: labels }, template }
    },
    {
      apiVersion: "autoscaling/v1",
      kind: "HorizontalPodAutoscaler",
      metadata,
      spec: {
        minReplicas: least,
        maxReplicas: most,
        targetCPUUtilizationPercentage: (100 * TARGET_MILLI) / REQUEST_MILLI,
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" }
      }
    }
  ]
}

interface Change {
  readonly atMs: number
  readonly from: number
  readonly to: number
}

interface Outcome {
  readonly changes: ReadonlyArray<Change>
  readonly last: number
  readonly status: { readonly currentReplicas?: number; readonly desiredReplicas: number }
  readonly topPods: KubeList | undefined
}

const replicasOf = ({ spec }: KubeObject): number => (spec as { replicas: number }).replicas

const run = (one: LoadCase): Outcome => {
  const world = new World({
    seed: one.seed,
    epochMs: EPOCH_MS,
    definitions: definitions(one),
    nodeGroups: [{ name: "node", count: 4, zones: ["a"] }],
    controllers: [controllerManager({ controllers })]
  })
  world.start()
  const { kernel } = world
  const users = kernel.process("users")
  const client: Client = world.client("users")
  const changes: Array<Change> = []
  kernel.closureAt(1, users, () => {
    world.api.server!.view("apps", "deployments").onChange((before, after) => {
      if (before === undefined || after === undefined || replicasOf(before) === replicasOf(after)) return
      changes.push({ atMs: kernel.nowMs, from: replicasOf(before), to: replicasOf(after) })
    })
    for (const object of objects(one)) {
      const isDeployment = object.kind === "Deployment"
      const resource = isDeployment
        ? gvr("apps", "v1", "deployments")
        : gvr("autoscaling", "v1", "horizontalpodautoscalers")
      client.create({ resource, namespace: "default" }, object, {}, () => undefined)
    }
  })
  const minutes = one.steps.reduce((sum, step) => sum + step.minutes, 0)
  kernel.run({ untilMs: (minutes + 20) * MINUTE_MS })
  let topPods: KubeList | undefined
  client.list(
    { resource: gvr("metrics.k8s.io", "v1beta1", "pods"), namespace: "default" },
    { labelSelector: "app=web" },
    (answer) => {
      if ("items" in answer) topPods = answer
    }
  )
  kernel.run({ untilMs: kernel.nowMs + 1 })
  const server = world.api.server!
  const status = server.view("autoscaling", "horizontalpodautoscalers").get("default", "web")!.status
  const last = replicasOf(server.view("apps", "deployments").get("default", "web")!)
  world.stop()
  return { changes, last, status: status as unknown as Outcome["status"], topPods }
}

/** The replicas that a demand asks for at a time. */
const wantedAt = ({ least, most, steps }: LoadCase, atMs: number): number => {
  let from = 0
  let demand = 0
  for (const step of steps) {
    if (from <= atMs) demand = step.demand
    from += step.minutes * MINUTE_MS
  }
  return Math.min(most, Math.max(least, Math.ceil(demand / TARGET_MILLI)))
}

describe(`autoscalers (SEED=${seed})`, () => {
  it(`follow a demand within their bounds and without haste, ${numRuns} of them`, () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { changes, last, status, topPods } = run(one)
        for (const { atMs, from, to } of changes) {
          assert.isAtLeast(to, one.least)
          assert.isAtMost(to, one.most)
          if (to > from || from > one.most) continue
          // A minute before the window's end may still have been seen; what is within a tenth of the target asks for nothing.
          for (let past = atMs - WINDOW_MS + MINUTE_MS; past <= atMs - MINUTE_MS; past += MINUTE_MS)
            if (past > 2 * MINUTE_MS) assert.isAtLeast(to, Math.floor(0.89 * wantedAt(one, past)))
        }
        const demand = one.steps.at(-1)!.demand
        // Metrics tell what a pod uses in whole thousandths.
        const ratio = Math.round(demand / last) / TARGET_MILLI
        const atBound = (last === one.most && ratio > 1) || (last === one.least && ratio < 1)
        const canBeLess = Math.ceil((demand / TARGET_MILLI) * 1.001) < last
        assert.isTrue(atBound || (ratio <= 1.1 && (ratio >= 0.9 || !canBeLess)), `${demand}m on ${last} pods`)
        assert.deepInclude(status, { currentReplicas: last, desiredReplicas: last })
        assert.lengthOf(topPods?.items ?? [], last)
      }),
      { seed, numRuns }
    )
  })
})
