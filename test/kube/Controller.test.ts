// Controllers as their authors write them, against a server with faults: the wanted state comes about, the same way for each seed.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Effect } from "effect"
import {
  type Controller,
  type ControllerOptions,
  effectClient,
  Failures,
  gvr,
  InformerFactory,
  isJsonObject,
  type KubeObject,
  makeController,
  objectKey,
  splitKey
} from "#kube"
import { FakeServer } from "./FakeServer.ts"
import { VirtualClock } from "./VirtualClock.ts"

const sets = gvr("apps", "v1", "replicasets")
const pods = gvr("", "v1", "pods")

const set = (name: string, replicas: number): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { namespace: "a", name },
  spec: { replicas }
})

const ownerKey = ({ metadata }: KubeObject): string | undefined => {
  const owner = metadata.labels?.["owner"]
  return owner === undefined ? undefined : `${metadata.namespace}/${owner}`
}

interface World {
  readonly clock: VirtualClock
  readonly server: FakeServer
  readonly factory: InformerFactory
  readonly controller: Controller
  readonly log: Array<string>
}

/** Pods are named by number, so that a cache that is a moment behind makes no second one. */
const replicaSetWorld = (seed: number): World => {
  const clock = new VirtualClock(seed)
  const server = new FakeServer(clock)
  const client = effectClient(server.client)
  const factory = new InformerFactory({ clockwork: clock, client: server.client })
  const setInformer = factory.informer(sets)
  const podInformer = factory.informer(pods)
  podInformer.store.addIndex("owner", (pod) => [ownerKey(pod) ?? ""])
  const log: Array<string> = []
  const reconcile = Effect.fnUntraced(function* (key: string) {
    log.push(`${key}@${clock.monotonic()}`)
    const { name, namespace } = splitKey(key)
    const owner = setInformer.store.get(key)
    const wanted = isJsonObject(owner?.spec) ? Number(owner.spec["replicas"]) : 0
    const have = new Set(podInformer.store.byIndex("owner", key).map(({ metadata }) => metadata.name ?? ""))
    for (let at = 0; at < wanted; at++) {
      const pod = `${name}-${at}`
      if (have.delete(pod)) continue
      yield* client.create(
        { resource: pods, namespace },
        { apiVersion: "v1", kind: "Pod", metadata: { namespace, name: pod, labels: { owner: name } } }
      )
    }
    for (const pod of have) yield* client.delete({ resource: pods, namespace, name: pod })
  })
  const controller = makeController({
    name: "replicaset",
    clockwork: clock,
    workers: 3,
    watches: [
      { informer: setInformer, keys: objectKey },
      { informer: podInformer, keys: ownerKey }
    ],
    reconcile
  })
  factory.start()
  controller.start()
  return { clock, server, factory, controller, log }
}

const scale = ({ clock, server }: World): void => {
  const name = `rs-${clock.below(5)}`
  if (clock.random() < 0.2) server.remove("replicasets", "a", name)
  else server.put("replicasets", set(name, clock.below(6)))
}

const podNames = ({ server }: World): ReadonlyArray<string> =>
  server
    .objects("pods")
    .map(({ metadata }) => metadata.name ?? "")
    .sort()

const wantedPods = ({ server }: World): ReadonlyArray<string> =>
  server
    .objects("replicasets")
    .flatMap(({ metadata, spec }) =>
      Array.from({ length: (spec as { replicas: number }).replicas }, (_, at) => `${metadata.name}-${at}`)
    )
    .sort()

const settle = (world: World): void => {
  world.server.faults.failing = 0
  world.clock.run(3_000_000)
}

const plain = (options: Omit<Extract<ControllerOptions, { reconcile: unknown }>, "name" | "watches">): Controller =>
  makeController({ name: "plain", watches: [], ...options })

describe("Controller", () => {
  it("brings the wanted state about through failures, dropped watches and deleted pods", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = replicaSetWorld(seed)
        const { clock, server } = world
        server.faults.latencyMs = 100
        for (let turn = 0; turn < 60; turn++) {
          scale(world)
          if (clock.random() < 0.1) server.dropWatches(1, () => Failures.expired("gone"))
          if (clock.random() < 0.2) server.remove("pods", "a", `rs-${clock.below(5)}-${clock.below(6)}`)
          server.faults.failing = clock.random() < 0.3 ? 0.5 : 0
          clock.run(clock.random() * 2000)
        }
        settle(world)
        assert.deepStrictEqual(podNames(world), wantedPods(world))
        const stats = world.controller.stats()
        assert.deepStrictEqual([stats.queued, stats.delayed, stats.working], [0, 0, 0])
      }),
      { numRuns: 40 }
    )
  })

  it("does the same in every run of a seed", () => {
    const run = (seed: number): string => {
      const world = replicaSetWorld(seed)
      for (let turn = 0; turn < 20; turn++) {
        scale(world)
        world.clock.run(world.clock.random() * 100)
      }
      settle(world)
      return world.log.join("\n")
    }
    assert.strictEqual(run(5), run(5))
    assert.notStrictEqual(run(5), run(6))
  })

  it("never works on a key twice at a time, nor on more keys than it has workers", () => {
    const clock = new VirtualClock(1)
    const active = new Set<string>()
    let most = 0
    const controller = plain({
      clockwork: clock,
      workers: 4,
      reconcile: (key) =>
        Effect.gen(function* () {
          assert.isFalse(active.has(key))
          active.add(key)
          most = Math.max(most, active.size)
          yield* Effect.sleep(100)
          active.delete(key)
        })
    })
    controller.start()
    for (let turn = 0; turn < 200; turn++) {
      controller.enqueue(`k-${clock.below(10)}`)
      clock.run(20)
    }
    clock.run(10_000)
    assert.strictEqual(most, 4)
    assert.strictEqual(active.size, 0)
  })

  it("comes back when asked to, and after failures and defects", () => {
    const clock = new VirtualClock(1)
    const times: Array<number> = []
    const failures: Array<string> = []
    const controller = plain({
      clockwork: clock,
      onFailure: (_key, failure) => failures.push(failure.reason),
      reconcile: () =>
        Effect.suspend(() => {
          times.push(clock.monotonic())
          if (times.length === 1) return Effect.fail(Failures.unavailable("away"))
          if (times.length === 2) return Effect.die(new Error("a broken invariant"))
          return times.length < 5 ? Effect.succeed({ requeueAfterMs: 1000 }) : Effect.void
        })
    })
    controller.start()
    controller.enqueue("a")
    clock.run(100_000)
    assert.deepStrictEqual(times, [0, 5, 15, 1015, 2015])
    assert.deepStrictEqual(failures, ["ServiceUnavailable", "InternalError"])
    assert.strictEqual(controller.stats().failures, 2)
  })

  it("takes plain callbacks, and stops what is under way", () => {
    const clock = new VirtualClock(1)
    let cancelled = 0
    const done: Array<string> = []
    const controller = makeController({
      name: "plain",
      clockwork: clock,
      watches: [],
      workers: 2,
      reconcileWith: (key, end) => {
        if (key === "now") {
          done.push(key)
          end(undefined)
          return undefined
        }
        const cancel = clock.after(1000, () => {
          done.push(key)
          end(undefined)
        })
        return () => {
          cancelled++
          cancel()
        }
      }
    })
    controller.start()
    for (const key of ["now", "later", "last"]) controller.enqueue(key)
    clock.run(500)
    assert.deepStrictEqual(done, ["now"])
    controller.stop()
    clock.run(5000)
    assert.deepStrictEqual(done, ["now"])
    assert.strictEqual(cancelled, 2)
  })
})
