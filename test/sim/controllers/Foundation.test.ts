// What controllers stand on: events folded as client-go folds them, pods ranked, ownership claimed, expectations met, lists read.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Effect } from "effect"
import { ApiFailure, type Client, effectClient, gvr, type KubeObject, makeClockworkRuntime, rfc3339 } from "#kube"
import { allControllers, chooseControllers, ControllersInvalid, controllerManager } from "#sim"
import { podsToDelete } from "../../../sim/controllers/ActivePods.ts"
import { EventRecorder } from "../../../sim/controllers/EventRecorder.ts"
import { Expectations } from "../../../sim/controllers/Expectations.ts"
import { claim } from "../../../sim/controllers/Ownership.ts"
import { hashOf, isSameTemplate } from "../../../sim/controllers/apps/TemplateHash.ts"
import { proportionalSizes } from "../../../sim/controllers/apps/RolloutMath.ts"
import type { Deployment, ReplicaSet } from "../../../sim/controllers/apps/Workloads.ts"
import { controlledWorld, statusNumber, workload } from "./ControlledWorld.ts"

const owner: KubeObject = {
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: "web", namespace: "default", uid: "u1", resourceVersion: "7" }
}

describe("the recorder", () => {
  const tell = (messages: ReadonlyArray<readonly [atMs: number, message: string]>): ReadonlyArray<KubeObject> => {
    const { list, world } = controlledWorld({ controllers: [] })
    const { clockwork } = world.kernel.process("teller")
    const recorder = new EventRecorder({ client: world.client("teller"), clockwork })
    const sink = recorder.from("replicaset-controller")
    for (const [atMs, message] of messages) clockwork.after(atMs, () => sink.event(owner, "Normal", "Told", message))
    world.kernel.run({ untilMs: 1_800_000 })
    return list("", "events").filter(({ reason }) => reason === "Told")
  }

  it("counts the same event again", () => {
    const [event, ...others] = tell([0, 1000, 5000].map((atMs) => [atMs, "same"]))
    assert.lengthOf(others, 0)
    assert.deepInclude(event, {
      count: 3,
      message: "same",
      type: "Normal",
      reportingComponent: "replicaset-controller"
    })
    assert.deepInclude(event["involvedObject"], { kind: "ReplicaSet", name: "web", uid: "u1", namespace: "default" })
    assert.notStrictEqual(event["firstTimestamp"], event["lastTimestamp"])
  })

  it("combines events that differ in their message alone, from the tenth on", () => {
    const events = tell(Array.from({ length: 14 }, (_, at) => [at * 10, `pod ${at}`]))
    assert.lengthOf(events, 10)
    const combined = events.filter(({ message }) => String(message).startsWith("(combined from similar events): "))
    assert.deepStrictEqual(
      combined.map(({ count, message }) => [count, message]),
      [[5, "(combined from similar events): pod 13"]]
    )
  })

  it("hears an object that tells too much only so often", () => {
    const events = tell(Array.from({ length: 60 }, () => [0, "again"] as const))
    assert.deepStrictEqual(
      events.map(({ count }) => count),
      [25]
    )
    const later = tell([...Array.from({ length: 60 }, () => [0, "again"] as const), [600_000, "again"]])
    // What was not written was counted all the same.
    assert.deepStrictEqual(
      later.map(({ count }) => count),
      [61]
    )
  })
})

describe("pods that go first", () => {
  const now = 1_800_000_000_000
  const pod = fc
    .record({
      placed: fc.boolean(),
      phase: fc.constantFrom("Pending", "Running", "Unknown"),
      ready: fc.boolean(),
      cost: fc.constantFrom(undefined, "-5", "0", "9", "nine", "+1"),
      age: fc.integer({ min: 0, max: 100_000 }),
      node: fc.integer({ min: 0, max: 3 }),
      restarts: fc.integer({ min: 0, max: 2 })
    })
    .map(({ age, cost, node, phase, placed, ready, restarts }, at = 0): KubeObject => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `p${at}`,
        creationTimestamp: rfc3339(now - age * 1000),
        ...(cost && { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } })
      },
      spec: placed ? { nodeName: `n${node}` } : {},
      status: {
        phase,
        conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: rfc3339(now - age * 500) }],
        containerStatuses: [{ name: "c", restartCount: restarts }]
      }
    }))
  const pods = fc
    .array(pod, { minLength: 1, maxLength: 60 })
    .map((all) => all.map((one, at) => ({ ...one, metadata: { ...one.metadata, uid: `u${at}` } })))

  it("are the first of a whole sort, however few are asked for", () => {
    fc.assert(
      fc.property(pods, fc.nat(60), (all, count) => {
        const some = podsToDelete(all, count, all, now).slice(0, count)
        const whole = podsToDelete(
          [...all, { ...all[0], metadata: { ...all[0].metadata, uid: "zz", creationTimestamp: rfc3339(now - 9e9) } }],
          all.length,
          all,
          now
        )
        assert.lengthOf(some, Math.min(count, all.length))
        const ranks = new Map(whole.map(({ metadata }, at) => [metadata.uid, at]))
        const unasked = all
          .filter((one) => !some.includes(one))
          .map(({ metadata }) => ranks.get(metadata.uid) ?? all.length)
        if (count < all.length)
          for (const { metadata } of some)
            assert.isBelow(ranks.get(metadata.uid) ?? all.length, Math.min(...unasked) + 1)
      })
    )
  })

  it("have no node, then wait, then are not ready, then cost less", () => {
    const make = (name: string, nodeName: string, phase: string, ready: string, cost?: string): KubeObject => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        uid: name,
        creationTimestamp: rfc3339(now - 1000),
        ...(cost && { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } })
      },
      spec: { nodeName },
      status: { phase, conditions: [{ type: "Ready", status: ready, lastTransitionTime: rfc3339(now - 500) }] }
    })
    const all = [
      make("dear", "a", "Running", "True", "5"),
      make("ready", "b", "Running", "True"),
      make("cheap", "c", "Running", "True", "-5"),
      make("unready", "d", "Running", "False"),
      make("pending", "e", "Pending", "False"),
      make("nowhere", "", "Pending", "False")
    ]
    const order = [1, 2, 3, 4, 5].map(
      (count) => podsToDelete(all, count, all, now).slice(0, count).at(-1)?.metadata.name
    )
    assert.deepStrictEqual(order, ["nowhere", "pending", "unready", "cheap", "ready"])
  })
})

describe("ownership", () => {
  const pods = gvr("", "v1", "pods")
  const sets = gvr("apps", "v1", "replicasets")
  const ownedPod = (name: string, labels: Record<string, string>, uid?: string): KubeObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      uid: `uid-${name}`,
      labels,
      ...(uid && { ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "x", uid, controller: true }] })
    }
  })
  const candidates = [
    ownedPod("mine", { app: "a" }, "u1"),
    ownedPod("lost", { app: "b" }, "u1"),
    ownedPod("orphan", { app: "a" }),
    ownedPod("theirs", { app: "a" }, "u2"),
    ownedPod("other", { app: "b" })
  ]

  const claimed = (living: KubeObject): { names: ReadonlyArray<string> | string; patches: ReadonlyArray<string> } => {
    const patches: Array<string> = []
    const { world } = controlledWorld({ controllers: [] })
    const { clockwork } = world.kernel.process("claimer")
    const client = {
      get: (_target, _options, done) => clockwork.defer(() => done(living)),
      patch: (target, { body }, _options, done) => {
        patches.push(`${target.name} ${JSON.stringify(body)}`)
        clockwork.defer(() => done(living))
      }
    } as Partial<Client> as Client
    let names: ReadonlyArray<string> | string = []
    const work = claim(
      {
        client: effectClient(client),
        owner,
        ownerKind: { apiVersion: "apps/v1", kind: "ReplicaSet" },
        ownerResource: sets,
        resource: pods,
        matches: ({ app }) => app === "a"
      },
      candidates
    )
    makeClockworkRuntime(clockwork).run(work, (exit) => {
      names = exit._tag === "Success" ? exit.value.map(({ metadata }) => metadata.name ?? "") : String(exit.cause)
    })
    world.kernel.run({ untilMs: 10 })
    return { names, patches }
  }

  it("takes orphans that match, lets go what no longer does, and binds both to the uid that was seen", () => {
    const { names, patches } = claimed(owner)
    assert.deepStrictEqual(names, ["mine", "orphan"])
    assert.lengthOf(patches, 2)
    assert.strictEqual(
      patches[0],
      `lost {"metadata":{"uid":"uid-lost","ownerReferences":[{"$patch":"delete","uid":"u1"}]}}`
    )
    assert.include(
      patches[1],
      `orphan {"metadata":{"uid":"uid-orphan","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"u1"`
    )
  })

  it("is not taken by an owner that was replaced or deleted meanwhile", () => {
    for (const metadata of [
      { ...owner.metadata, uid: "u9" },
      { ...owner.metadata, deletionTimestamp: rfc3339(0) }
    ]) {
      const { names, patches } = claimed({ ...owner, metadata })
      assert.isString(names)
      assert.lengthOf(
        patches.filter((patch) => patch.startsWith("orphan")),
        0
      )
    }
  })
})

describe("expectations", () => {
  it("are met by what was seen, or by time", () => {
    const { world } = controlledWorld({ controllers: [] })
    const expectations = new Expectations(world.kernel.process("one").clockwork)
    expectations.expect("a", 2, ["x"])
    expectations.created("a")
    assert.isFalse(expectations.deleted("a", "y"))
    assert.isTrue(expectations.deleted("a", "x"))
    assert.isFalse(expectations.satisfied("a"))
    expectations.created("a")
    assert.isTrue(expectations.satisfied("a"))
    expectations.expect("a", 1)
    world.kernel.run({ untilMs: 300_002 })
    assert.isTrue(expectations.satisfied("a"))
  })
})

describe("templates", () => {
  it("are the same whatever the order of their fields, and have one hash", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const turned = Object.fromEntries(Object.entries(fields).reverse())
        assert.strictEqual(hashOf({ spec: fields }, 1), hashOf({ spec: turned }, 1))
        assert.isTrue(
          isSameTemplate({ spec: fields }, { spec: turned, metadata: { labels: { "pod-template-hash": "x" } } })
        )
      })
    )
    assert.notStrictEqual(hashOf({ image: "a" }, undefined), hashOf({ image: "b" }, undefined))
    assert.notStrictEqual(hashOf({ image: "a" }, undefined), hashOf({ image: "a" }, 1))
    assert.match(hashOf({ image: "a" }, 1), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/)
  })
})

describe("a scaled rollout", () => {
  it("spreads what is added or taken, to the last pod that the largest can give", () => {
    const size = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(
        fc.array(size, { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 0, max: 120 }),
        fc.integer({ min: 0, max: 9 }),
        (sizes, replicas, maxSurge) => {
          const total = sizes.reduce((sum, one) => sum + one, 0)
          const sets = sizes.map((one, at): ReplicaSet => ({
            apiVersion: "apps/v1",
            kind: "ReplicaSet",
            metadata: {
              name: `s${at}`,
              creationTimestamp: rfc3339(at * 1000),
              annotations: { "deployment.kubernetes.io/max-replicas": String(total) }
            },
            spec: { replicas: one, template: {} }
          }))
          const deployment = {
            spec: { replicas, strategy: { rollingUpdate: { maxSurge, maxUnavailable: 1 } } },
            status: {}
          } as unknown as Deployment
          const found = proportionalSizes(deployment, sets)
          const allowed = replicas === 0 ? 0 : replicas + maxSurge
          const sum = found.reduce((all, [, one]) => all + one, 0)
          // As upstream: what rounding leaves is taken from the largest alone, and not more than it has.
          if (found[0]?.[1] === 0) assert.isAtLeast(sum, allowed)
          else assert.strictEqual(sum, allowed)
          const grows = allowed >= total
          for (const [set, one] of found) if (grows) assert.isAtLeast(one, set.spec.replicas ?? 0)
          for (const [, one] of found) assert.isAtLeast(one, 0)
        }
      )
    )
  })
})

describe("the list of controllers", () => {
  const names = (list: ReadonlyArray<string>): ReadonlyArray<string> | string => {
    const found = chooseControllers(list)
    return found instanceof ControllersInvalid ? found.message : found.map(({ name }) => name)
  }
  it("is read as kube-controller-manager reads it", () => {
    const usual = allControllers.filter(({ offByDefault }) => offByDefault !== true).map(({ name }) => name)
    assert.deepStrictEqual(names(["*"]), usual)
    assert.deepStrictEqual(
      names(["*", "-daemonset-controller"]),
      usual.filter((name) => name !== "daemonset-controller")
    )
    assert.deepStrictEqual(names(["deployment-controller"]), ["deployment-controller"])
    assert.deepStrictEqual(names([]), [])
    assert.include(names(["none-such"]), '"none-such" is not in the list of known controllers')
  })
})

describe("two managers", () => {
  it("work one at a time, the second when the first is gone", () => {
    const leads: Array<string> = []
    const manager = (identity: string) =>
      controllerManager({
        controllers: allControllers.filter(({ name }) => name === "replicaset-controller"),
        leaderElection: { identity, changed: (is) => leads.push(`${identity} ${is ? "leads" : "rests"}`) }
      })
    const { list, play, run, world } = controlledWorld({ controllers: [] })
    const stops = ["one", "two"].map((identity) => {
      const process = world.kernel.process(identity)
      const start = (): ReturnType<ReturnType<typeof manager>["start"]> =>
        manager(identity).start({ name: identity, clockwork: process.clockwork, client: world.client(identity) })
      const stop: Array<ReturnType<typeof start>> = []
      process.clockwork.after(identity === "one" ? 100 : 200, () => stop.push(start()))
      return () => stop[0]?.()
    })
    run(5000)
    assert.deepStrictEqual(leads, ["one leads"])
    stops[0]?.()
    const spec = {
      replicas: 3,
      selector: { matchLabels: { app: "x" } },
      template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "i" }] } }
    }
    const of = { apiVersion: "apps/v1", resource: "replicasets", namespace: "default", name: "x" }
    play({
      atMs: 0,
      verb: "create",
      of,
      object: { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "x", namespace: "default" }, spec }
    })
    run(30_000)
    assert.deepStrictEqual(leads, ["one leads", "one rests", "two leads"])
    assert.lengthOf(list("", "pods"), 3)
    stops[1]?.()
  })
})

it("no failure of a call is lost: the failure is what the claim fails with", () => {
  const failure = new ApiFailure({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code: 500,
    message: "no"
  })
  const client = { get: (_t, _o, done) => done(failure) } as Partial<Client> as Client
  const orphan: KubeObject = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "default" } }
  const exit = Effect.runSyncExit(
    claim(
      {
        client: effectClient(client),
        owner,
        ownerKind: { apiVersion: "apps/v1", kind: "ReplicaSet" },
        ownerResource: gvr("apps", "v1", "replicasets"),
        resource: gvr("", "v1", "pods"),
        matches: () => true
      },
      [orphan]
    )
  )
  assert.isTrue(
    exit._tag === "Failure" && exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error === failure)
  )
})

describe("controllers with a rate", () => {
  it("ask no faster than it, each by itself, and bring about the same", () => {
    const rate = { qps: 5, burst: 10 }
    const chosen = allControllers.filter(({ name }) => name === "replicaset-controller")
    const { list, play, pods, run, world } = controlledWorld({
      controllers: [controllerManager({ controllers: chosen, rate })]
    })
    const replicas = 40
    play(...["a", "b"].map((name) => workload("ReplicaSet", name, { replicas: replicas / 2 })))
    const begunMs = world.kernel.nowMs
    const written = (): number =>
      list("", "pods").length + list("apps", "replicasets").reduce((sum, { metadata }) => sum + writesOf(metadata), 0)
    const writesOf = ({ managedFields = [] }: KubeObject["metadata"]): number =>
      managedFields.some(({ subresource }) => subresource === "status") ? 1 : 0
    let looked = 0
    run(3000, () => {
      looked++
      assert.isAtMost(written(), rate.burst + ((world.kernel.nowMs - begunMs) * rate.qps) / 1000 + 1)
    })
    assert.isAbove(looked, 10)
    assert.isBelow(list("", "pods").length, replicas)
    run(60_000)
    assert.strictEqual(pods("a").length + pods("b").length, replicas)
    assert.deepStrictEqual(
      list("apps", "replicasets").map((set) => statusNumber(set, "readyReplicas")),
      [replicas / 2, replicas / 2]
    )
  })
})
