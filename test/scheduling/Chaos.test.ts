// The scheduler against an unkind API server: calls fail, nodes come and go, pods are deleted midway, the scheduler restarts.
// Whatever happens, no node is overcommitted, required anti-affinity holds, and in the end every pod that can be somewhere is. The same seed
// gives the same run.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Client, Failures, type KubeObject } from "#kube"
import { parameters } from "./Generators.ts"
import { node, pod } from "./Objects.ts"
import { amount } from "./ReferenceRules.ts"
import { SchedulerWorld } from "./SchedulerWorld.ts"

const HOST = "kubernetes.io/hostname"

/** Fails some writes, before or after they have been made. */
const unkind =
  (random: () => number, isOver: () => boolean) =>
  (client: Client): Client => ({
    ...client,
    create: (target, object, options, done) => {
      const draw = isOver() ? 1 : random()
      const lost = Failures.generic(500, "InternalError", "lost")
      if (draw < 0.15) client.get({ resource: target.resource, namespace: "", name: "nothing" }, {}, () => done(lost))
      else client.create(target, object, options, draw < 0.25 ? () => done(lost) : done)
    },
    patch: (target, patch, options, done) => {
      const lost = Failures.generic(500, "InternalError", "lost")
      client.patch(target, patch, options, !isOver() && random() < 0.2 ? () => done(lost) : done)
    }
  })

const specOf = (object: KubeObject) => object.spec as { nodeName?: string; priority?: number }

const cpuOf = (one: KubeObject): number => {
  const { containers } = one.spec as unknown as {
    containers: ReadonlyArray<{ resources: { requests?: { cpu?: string } } }>
  }
  return amount("cpu", containers[0].resources.requests?.cpu ?? "0")
}

/** No node has given away more than it has, and no two pods that hate each other share a host. */
const assertSound = (world: SchedulerWorld): void => {
  const taken = new Map<string, number>()
  const hosts = new Set<string>()
  for (const one of world.list("Pod")) {
    const on = specOf(one).nodeName
    if (on === undefined) continue
    taken.set(on, (taken.get(on) ?? 0) + cpuOf(one))
    if (one.metadata.labels?.["app"] !== "alone") continue
    assert.isFalse(hosts.has(on), `two pods that keep apart are on ${on}`)
    hosts.add(on)
  }
  for (const [name, sum] of taken) assert.isAtMost(sum, 2000, `node ${name} is overcommitted`)
}

const alone = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: HOST, labelSelector: { matchLabels: { app: "alone" } } }
    ]
  }
}

type Step =
  | { readonly kind: "pod"; readonly cpu: string; readonly alone: boolean; readonly priority: number }
  | { readonly kind: "node" }
  | { readonly kind: "delete"; readonly which: number }
  | { readonly kind: "restart" }
  | { readonly kind: "wait"; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("pod" as const),
      cpu: fc.constantFrom("200m", "700m", "1500m"),
      alone: fc.nat({ max: 3 }).map((draw) => draw === 0),
      priority: fc.constantFrom(0, 0, 5)
    })
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "node" }) },
  { weight: 2, arbitrary: fc.nat().map((which): Step => ({ kind: "delete", which })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "restart" }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4000 }).map((ms): Step => ({ kind: "wait", ms })) }
)

const play = (seed: number, steps: ReadonlyArray<Step>): SchedulerWorld => {
  let draw = seed
  const random = (): number => {
    draw = (Math.imul(draw, 1_664_525) + 1_013_904_223) | 0
    return (draw >>> 0) / 4_294_967_296
  }
  let isOver = false
  const world = new SchedulerWorld(
    seed,
    {},
    unkind(random, () => isOver)
  )
  let nodes = 0
  const addNode = (): void => void world.create(node(`n${nodes++}`, { allocatable: { cpu: "2" } }))
  addNode()
  addNode()
  for (const [at, one] of steps.entries()) {
    if (one.kind === "pod")
      world.create(
        pod(`p${at}`, {
          requests: { cpu: one.cpu },
          ...(one.alone ? { labels: { app: "alone" } } : {}),
          spec: { priority: one.priority, ...(one.alone ? { affinity: alone } : {}) }
        })
      )
    else if (one.kind === "node") addNode()
    else if (one.kind === "restart") world.restart()
    else if (one.kind === "wait") world.run(one.ms)
    else {
      const all = world.list("Pod")
      if (all.length > 0) world.delete("Pod", all[one.which % all.length].metadata.name!)
    }
    // What preemption has condemned goes at once: there is no kubelet.
    for (const { metadata } of world.list("Pod"))
      if (metadata.deletionTimestamp !== undefined) world.delete("Pod", metadata.name!)
    assertSound(world)
  }
  isOver = true
  for (let more = 0; more < steps.length; more++) addNode()
  for (let round = 0; round < 8; round++) {
    world.run(10_000)
    for (const { metadata } of world.list("Pod"))
      if (metadata.deletionTimestamp !== undefined) world.delete("Pod", metadata.name!)
  }
  world.run(6 * 60_000)
  return world
}

describe("an unkind world", () => {
  it("overcommits no node, breaks no rule, and leaves no pod behind", () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { minLength: 5, maxLength: 25 }), (seed, steps) => {
        const world = play(seed, steps)
        assertSound(world)
        const left = world.list("Pod").filter((one) => specOf(one).nodeName === undefined)
        assert.deepStrictEqual(
          left.map(({ metadata }) => metadata.name),
          [],
          "there was room for all"
        )
        world.scheduler.stop()
      }),
      parameters(15) as fc.Parameters<[number, Array<Step>]>
    )
  })

  it("is the same for the same seed", () => {
    const steps = fc.sample(fc.array(step, { minLength: 20, maxLength: 20 }), { seed: 5, numRuns: 1 })[0]
    const first = play(77, steps)
    const second = play(77, steps)
    assert.isNotEmpty(first.bound)
    assert.deepStrictEqual(second.bound, first.bound)
  })
})
