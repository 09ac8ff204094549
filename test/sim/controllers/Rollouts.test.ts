// Properties of the workload controllers in simulated clusters: for random workloads, edits and orders of events the promises of
// rollouts hold after every single change, and what stands in the end is what was asked for.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { defaultNetwork, drawPlan, RandomStream } from "#sim"
import {
  type ControlledWorld,
  controlledWorld,
  imageOf,
  isLeaving,
  patchOf,
  podImage,
  serves,
  statusNumber,
  targetOf,
  templateImage,
  workload
} from "./ControlledWorld.ts"

const runs = Number(process.env["CONTROLLER_RUNS"] ?? 12)
const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const share = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("0%", "25%", "50%", "100%"))

/** Image edits: after how many milliseconds each, from the one before. */
const edits = fc.array(fc.integer({ min: 0, max: 6000 }), { minLength: 1, maxLength: 3 })

const SETTLE_MS = 120_000

const scaled = (value: number | string, total: number, up: boolean): number => {
  if (typeof value === "number") return value
  const exact = (Number.parseInt(value, 10) * total) / 100
  return up ? Math.ceil(exact) : Math.floor(exact)
}

const playEdits = (cluster: ControlledWorld, kind: string, gaps: ReadonlyArray<number>): string => {
  let atMs = 0
  gaps.forEach((gap, at) => {
    atMs += gap
    cluster.play(imageOf(kind, "it", `v${at + 1}`, atMs))
  })
  return `v${gaps.length}`
}

describe("a Deployment", () => {
  const spec = fc
    .record({
      replicas: fc.integer({ min: 0, max: 9 }),
      maxSurge: share,
      maxUnavailable: share,
      minReadySeconds: fc.constantFrom(0, 0, 3)
    })
    .filter(
      ({ maxSurge, maxUnavailable }) =>
        Number.parseInt(String(maxSurge), 10) + Number.parseInt(String(maxUnavailable), 10) > 0
    )

  it("rolls within its surge and never below what must be available", () => {
    fc.assert(
      fc.property(seed, spec, edits, (seed, { maxSurge, maxUnavailable, minReadySeconds, replicas }, gaps) => {
        const cluster = controlledWorld({ seed })
        cluster.play(
          workload("Deployment", "it", {
            replicas,
            minReadySeconds,
            revisionHistoryLimit: 1,
            strategy: { rollingUpdate: { maxSurge, maxUnavailable } }
          })
        )
        cluster.run(SETTLE_MS)
        const surge = scaled(maxSurge, replicas, true)
        const missing = scaled(maxUnavailable, replicas, false)
        const floor = replicas - Math.min(replicas, surge + missing === 0 ? 1 : missing)
        const image = playEdits(cluster, "Deployment", gaps)
        cluster.run(SETTLE_MS, () => {
          const pods = cluster.pods("it").filter((pod) => !isLeaving(pod))
          assert.isAtMost(pods.length, replicas + surge, "pods at once")
          assert.isAtLeast(pods.filter(serves).length, floor, "pods that serve")
        })
        assert.deepStrictEqual(
          cluster.pods("it").map((pod) => [podImage(pod), serves(pod)]),
          Array.from({ length: replicas }, () => [image, true])
        )
        const [deployment] = cluster.list("apps", "deployments")
        assert.strictEqual(
          deployment.metadata.annotations?.["deployment.kubernetes.io/revision"],
          String(gaps.length + 1)
        )
        assert.strictEqual(statusNumber(deployment, "availableReplicas"), replicas)
        assert.strictEqual(statusNumber(deployment, "updatedReplicas"), replicas)
        assert.isAtMost(cluster.list("apps", "replicasets").length, 2, "old sets beyond the history are gone")
        cluster.world.stop()
      }),
      { numRuns: runs }
    )
  })

  it("follows every edit in the end, paused and scaled and recreated as it may be", () => {
    const edit = fc.oneof(
      fc.record({ replicas: fc.integer({ min: 0, max: 8 }) }),
      fc.record({ paused: fc.boolean() }),
      fc.constantFrom({ strategy: { type: "Recreate", rollingUpdate: null } }, { strategy: { type: "RollingUpdate" } }),
      fc
        .constantFrom("v1", "v2", "v3")
        .map((image) => ({ template: { spec: { containers: [{ name: "main", image }] } } }))
    )
    fc.assert(
      fc.property(
        seed,
        fc.array(fc.tuple(fc.integer({ min: 0, max: 8000 }), edit), { maxLength: 8 }),
        (seed, steps) => {
          const cluster = controlledWorld({ seed })
          cluster.play(workload("Deployment", "it", { replicas: 3 }))
          let atMs = 1000
          for (const [gap, spec] of steps) cluster.play(patchOf("Deployment", "it", spec, (atMs += gap)))
          cluster.play(patchOf("Deployment", "it", { paused: false }, atMs + 1000))
          cluster.run(atMs + SETTLE_MS)
          const [deployment] = cluster.list("apps", "deployments")
          const { replicas } = deployment.spec as unknown as { readonly replicas: number }
          const wanted = Array.from({ length: replicas }, () => [templateImage(deployment), true])
          assert.deepStrictEqual(
            cluster.pods("it").map((pod) => [podImage(pod), serves(pod)]),
            wanted
          )
          assert.strictEqual(statusNumber(deployment, "observedGeneration"), deployment.metadata.generation)
          for (const set of cluster.list("apps", "replicasets"))
            assert.strictEqual(statusNumber(set, "observedGeneration"), set.metadata.generation)
          cluster.world.stop()
        }
      ),
      { numRuns: runs }
    )
  })

  it("stands as asked for after servers, links and disks have failed", () => {
    fc.assert(
      fc.property(seed, (seed) => {
        const random = new RandomStream(seed).split("faults")
        const kinds = ["crash", "pause", "partition", "bad-link", "disk-stall", "compact"] as const
        const faults = drawPlan(random, {
          fromMs: 0,
          toMs: 40_000,
          steps: 5,
          servers: ["apiserver"],
          clients: ["kube-controller-manager", "kubelets"],
          kinds,
          zones: ["a"]
        })
        const cluster = controlledWorld({ seed, network: defaultNetwork, faults })
        cluster.play(
          workload("Deployment", "it", { replicas: 6 }),
          workload("StatefulSet", "set", { replicas: 3, serviceName: "set" })
        )
        cluster.play(
          { ...imageOf("Deployment", "it", "v1"), atMs: 20_000 },
          { ...imageOf("StatefulSet", "set", "v1"), atMs: 22_000 }
        )
        cluster.run(600_000)
        for (const [resource, app, replicas] of [
          ["deployments", "it", 6],
          ["statefulsets", "set", 3]
        ] as const) {
          // The user's own call may have failed: what the object says is what counts.
          const image = templateImage(cluster.list("apps", resource)[0])
          const found = cluster.pods(app).map((pod) => [podImage(pod), serves(pod)])
          assert.deepStrictEqual(
            found,
            Array.from({ length: replicas }, () => [image, true])
          )
        }
        cluster.world.stop()
      }),
      { numRuns: Math.ceil(runs / 2) }
    )
  })
})

describe("a StatefulSet", () => {
  const spec = fc.record({
    replicas: fc.integer({ min: 0, max: 5 }),
    start: fc.constantFrom(0, 0, 7),
    parallel: fc.boolean(),
    partition: fc.constantFrom(0, 0, 2),
    maxUnavailable: fc.constantFrom(1, 2, "50%")
  })

  it("comes, rolls and goes by its ordinals", () => {
    fc.assert(
      fc.property(seed, spec, edits, fc.integer({ min: 0, max: 6 }), (seed, given, gaps, later) => {
        const { maxUnavailable, parallel, partition, replicas, start } = given
        const cluster = controlledWorld({ seed })
        const ordinal = (name: string): number => Number(name.slice("it-".length))
        const known = new Set<string>()
        const ordered = (): void => {
          const pods = cluster.pods("it")
          for (const pod of pods) {
            const at = ordinal(pod.metadata.name ?? "")
            const isNew = !known.has(pod.metadata.uid ?? "")
            known.add(pod.metadata.uid ?? "")
            if (!isNew || parallel) continue
            const before = pods.filter((other) => ordinal(other.metadata.name ?? "") < at && serves(other))
            assert.lengthOf(before, at - start, `it-${at} came before all that precede it served`)
          }
        }
        cluster.play(
          workload("StatefulSet", "it", {
            replicas,
            serviceName: "it",
            ordinals: { start },
            podManagementPolicy: parallel ? "Parallel" : "OrderedReady",
            updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition, maxUnavailable } }
          })
        )
        cluster.run(SETTLE_MS, ordered)
        const image = playEdits(cluster, "StatefulSet", gaps)
        const most = Math.max(1, scaled(maxUnavailable, replicas, false))
        cluster.run(SETTLE_MS * 2, () => {
          ordered()
          assert.isAtLeast(cluster.pods("it").filter(serves).length, replicas - most, "pods that serve")
        })
        cluster.play(patchOf("StatefulSet", "it", { replicas: later }))
        cluster.run(SETTLE_MS, ordered)
        // Without replicas every update is complete at once, and nothing is kept at the old revision.
        const found = cluster.pods("it").map((pod) => [pod.metadata.name, podImage(pod), serves(pod)] as const)
        const wanted = Array.from(
          { length: later },
          (_, at) => [`it-${start + at}`, at < partition && replicas > 0 ? "v0" : image, true] as const
        )
        assert.sameDeepMembers([...found], [...wanted])
        cluster.world.stop()
      }),
      { numRuns: runs }
    )
  })

  it("gives each pod its claims, and lets them go with those that are scaled away", () => {
    const cluster = controlledWorld({ seed: 5 })
    const claim = {
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } }
    }
    cluster.play(
      workload("StatefulSet", "it", {
        replicas: 3,
        serviceName: "it",
        volumeClaimTemplates: [claim],
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Delete" }
      })
    )
    cluster.run(SETTLE_MS)
    cluster.play(patchOf("StatefulSet", "it", { replicas: 1 }))
    cluster.run(SETTLE_MS)
    const owners = cluster
      .list("", "persistentvolumeclaims")
      .map(({ metadata }) => [
        metadata.name,
        metadata.ownerReferences?.map(({ kind, name }) => `${kind} ${name}`) ?? []
      ])
    assert.deepStrictEqual(owners, [
      ["data-it-0", []],
      ["data-it-1", ["Pod it-1"]],
      ["data-it-2", ["Pod it-2"]]
    ])
  })
})

describe("a DaemonSet", () => {
  interface NodeEdit {
    readonly node: number
    readonly gap: number
    readonly body: Record<string, unknown>
  }
  const taint = (effect: string) => ({ spec: { taints: [{ key: "mine", effect }] } })
  const nodeEdit = fc.record({
    node: fc.integer({ min: 0, max: 6 }),
    gap: fc.integer({ min: 0, max: 5000 }),
    body: fc.constantFrom<Record<string, unknown>>(
      { metadata: { labels: { pick: "yes" } } },
      { metadata: { labels: { pick: null } } },
      taint("NoSchedule"),
      taint("NoExecute"),
      { spec: { taints: null } }
    )
  })
  const strategy = fc.constantFrom(
    { maxUnavailable: 1 },
    { maxUnavailable: 3 },
    { maxUnavailable: "50%" },
    { maxSurge: 1, maxUnavailable: 0 },
    { maxSurge: "50%", maxUnavailable: 0 }
  )

  const eligible = (
    cluster: ControlledWorld
  ): ReadonlyArray<{ name: string; effect: string | undefined; picked: boolean }> =>
    cluster.list("", "nodes").map(({ metadata, spec }) => ({
      name: metadata.name ?? "",
      effect: (spec as { taints?: ReadonlyArray<{ key: string; effect: string }> } | undefined)?.taints?.find(
        ({ key }) => key === "mine"
      )?.effect,
      picked: metadata.labels?.["pick"] === "yes"
    }))

  it("has one pod on each node that fits, and none elsewhere", () => {
    fc.assert(
      fc.property(
        seed,
        strategy,
        fc.boolean(),
        fc.array(nodeEdit, { maxLength: 6 }),
        edits,
        (seed, rollingUpdate, picks, nodeEdits: ReadonlyArray<NodeEdit>, gaps) => {
          const cluster = controlledWorld({ seed, nodes: 7 })
          const label = (name: string, atMs: number, body: Record<string, unknown>): void =>
            cluster.play({
              atMs,
              verb: "patch",
              of: { apiVersion: "v1", resource: "nodes", namespace: "", name },
              patch: body
            })
          for (const at of [0, 2, 4, 6]) label(`node-${at}`, 500, { metadata: { labels: { pick: "yes" } } })
          cluster.run(1000)
          cluster.play(
            workload(
              "DaemonSet",
              "it",
              { updateStrategy: { type: "RollingUpdate", rollingUpdate } },
              picks ? { nodeSelector: { pick: "yes" } } : {}
            )
          )
          let atMs = 1000
          for (const { body, gap, node } of nodeEdits) label(`node-${node}`, (atMs += gap), body)
          const hasSurge = "maxSurge" in rollingUpdate
          const onNode = (): void => {
            const count = new Map<string, number>()
            for (const pod of cluster.pods("it").filter((pod) => !isLeaving(pod))) {
              const { nodeName = "" } = pod.spec as { readonly nodeName?: string }
              if (nodeName === "") continue
              count.set(nodeName, (count.get(nodeName) ?? 0) + 1)
              assert.isAtMost(count.get(nodeName) ?? 0, hasSurge ? 2 : 1, `pods on ${nodeName}`)
            }
          }
          cluster.run(atMs + SETTLE_MS, onNode)
          const image = playEdits(cluster, "DaemonSet", gaps)
          cluster.run(SETTLE_MS * 3, onNode)
          const fits = eligible(cluster).filter(({ effect, picked }) => (picked || !picks) && effect !== "NoExecute")
          const found = cluster
            .pods("it")
            .map((pod) => [(pod.spec as { readonly nodeName?: string }).nodeName, podImage(pod), serves(pod)])
          // A pod may stay where a taint forbids new ones, until its turn to be replaced comes.
          const mayStay = new Set(fits.map(({ name }) => name))
          const must = fits.filter(({ effect }) => effect === undefined).map(({ name }) => [name, image, true])
          for (const one of must) assert.deepInclude(found, one)
          for (const [name] of found) assert.isTrue(mayStay.has(String(name)), `a pod on ${String(name)}`)
          const [set] = cluster.list("apps", "daemonsets")
          assert.strictEqual(statusNumber(set, "desiredNumberScheduled"), must.length)
          assert.strictEqual(statusNumber(set, "numberAvailable"), must.length)
          cluster.world.stop()
        }
      ),
      { numRuns: runs }
    )
  })

  it("replaces a failed pod, later each time", () => {
    const cluster = controlledWorld({ seed: 4, nodes: 1 })
    cluster.play(workload("DaemonSet", "it", {}))
    cluster.run(20_000)
    const times: Array<number> = []
    for (let round = 0; round < 4; round++) {
      const [pod] = cluster.pods("it")
      const of = { apiVersion: "v1", resource: "pods/status", namespace: "default", name: pod.metadata.name ?? "" }
      const failedAt = cluster.world.kernel.nowMs
      const target = {
        resource: { group: "", version: "v1", resource: "pods" },
        namespace: of.namespace,
        name: of.name,
        subresource: "status"
      }
      cluster.world
        .client("kubelet")
        .patch(target, { type: "merge", body: { status: { phase: "Failed" } } }, {}, () => undefined)
      let replacedAt = 0
      cluster.run(20_000, () => {
        if (replacedAt === 0 && cluster.pods("it").some((other) => other.metadata.uid !== pod.metadata.uid))
          replacedAt = cluster.world.kernel.nowMs
      })
      times.push(replacedAt - failedAt)
    }
    assert.isTrue(
      times.every((time) => time > 0),
      times.join()
    )
    assert.lengthOf(
      cluster.list("", "events").filter(({ reason }) => reason === "FailedDaemonPod"),
      4
    )
  })
})

describe("chance", () => {
  const hashOf = (seed: number): string => {
    const cluster = controlledWorld({ seed })
    cluster.play(
      workload("Deployment", "it", { replicas: 5 }),
      workload("StatefulSet", "set", { replicas: 2, serviceName: "set" }),
      workload("DaemonSet", "all", {}),
      { ...imageOf("Deployment", "it", "v1"), atMs: 15_000 },
      { ...imageOf("DaemonSet", "all", "v1"), atMs: 15_500 },
      { atMs: 40_000, verb: "delete", of: targetOf("StatefulSet", "set") }
    )
    cluster.run(90_000)
    cluster.world.stop()
    return cluster.world.kernel.log.hash()
  }

  it("is the seed's alone", () => {
    assert.strictEqual(hashOf(11), hashOf(11))
    assert.notStrictEqual(hashOf(11), hashOf(12))
  })
})
