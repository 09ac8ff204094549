// What disruption budgets go through when two controllers are compared: pods of every kind of owner, evictions, budgets that fail.
// Owns the stories and the answers to evictions, which are part of what is compared.
import { Effect } from "effect"
import { type ApiFailure, type Json, type KubeObject, rfc3339 } from "#kube"
import { Kinds, type Stage } from "./Stage.ts"

type Scene = (stage: Stage) => Effect.Effect<void, ApiFailure>

const labels = (name: string) => ({ app: name })

const spec = (name: string, replicas: number): Json => ({
  replicas,
  serviceName: name,
  selector: { matchLabels: labels(name) },
  template: { metadata: { labels: labels(name) }, spec: { containers: [{ name: "c", image: "i" }] } }
})

const ownerOf = (object: KubeObject): Json => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name ?? "",
  uid: object.metadata.uid ?? "",
  controller: true
})

/** Pods of an owner, on a node and ready unless named otherwise. */
const pods = (
  stage: Stage,
  name: string,
  owner: Json | undefined,
  count: number,
  ready: (at: number) => boolean = () => true
): Effect.Effect<void, ApiFailure> =>
  Effect.forEach(
    Array.from({ length: count }, (_, at) => at),
    (at) =>
      Effect.gen(function* () {
        const pod = `${name}-${at}`
        yield* stage.create(Kinds.pods, {
          apiVersion: "v1",
          kind: "Pod",
          metadata: {
            name: pod,
            labels: labels(name),
            annotations: { life: ready(at) ? "ready" : "run" },
            ...(owner === undefined ? {} : { ownerReferences: [owner] as never })
          },
          spec: { nodeName: "n", containers: [{ name: "c", image: "i" }] }
        })
      }),
    { discard: true, concurrency: 4 }
  )

const budget = (name: string, more: { [field: string]: Json }): KubeObject => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name },
  spec: { selector: { matchLabels: labels(name) }, ...more }
})

const numbers = ({ status }: KubeObject): ReadonlyArray<number> => {
  const { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods } = (status ?? {}) as Record<string, number>
  return [currentHealthy ?? -1, desiredHealthy ?? -1, expectedPods ?? -1, disruptionsAllowed ?? -1]
}

const settles = (stage: Stage, name: string, wanted: ReadonlyArray<number>): Effect.Effect<void, ApiFailure> =>
  stage.untilObject(Kinds.budgets, name, `says ${wanted.join(", ")}`, (one) => numbers(one).join() === wanted.join())

/** Evicts a pod and puts the answer down where the comparison finds it: in the budget's annotations. */
const evict = (stage: Stage, name: string, pod: string, turn: string): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const target = stage.at(Kinds.pods, pod, "eviction")
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod, namespace: stage.namespace } }
    const end = yield* Effect.result(stage.client.create(target, body))
    const { causes } = end._tag === "Failure" ? (end.failure.status.details ?? {}) : {}
    const answer =
      end._tag === "Success" ? "evicted" : `${end.failure.code} ${end.failure.message} ${JSON.stringify(causes ?? [])}`
    yield* stage.merge(Kinds.budgets, name, { metadata: { annotations: { [turn]: answer } } })
  })

const owned =
  (
    name: string,
    resource: (typeof Kinds)[keyof typeof Kinds],
    apiVersion: string,
    kind: string,
    more: { [field: string]: Json },
    wanted: ReadonlyArray<number>
  ): Scene =>
  (stage) =>
    Effect.gen(function* () {
      const given = spec(name, 5) as { [field: string]: Json }
      const whole = kind === "ReplicationController" ? { ...given, selector: labels(name) } : given
      const owner = yield* stage.create(resource, { apiVersion, kind, metadata: { name }, spec: whole })
      yield* pods(stage, name, ownerOf(owner), 4, (at) => at > 0)
      yield* stage.create(Kinds.budgets, budget(name, more))
      yield* settles(stage, name, wanted)
    })

const ofDeployment: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "of-deployment"
    const made = { apiVersion: "apps/v1", metadata: { name } }
    const deployment = yield* stage.create(Kinds.deployments, { ...made, kind: "Deployment", spec: spec(name, 7) })
    const metadata = { name, ownerReferences: [ownerOf(deployment)] as never, labels: labels(name) }
    const set = yield* stage.create(Kinds.replicaSets, {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata,
      spec: spec(name, 2)
    })
    yield* pods(stage, name, ownerOf(set), 4)
    yield* stage.create(Kinds.budgets, budget(name, { maxUnavailable: "50%" }))
    yield* settles(stage, name, [4, 3, 7, 1])
  })

const evictions: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "evictions"
    yield* pods(stage, name, undefined, 3)
    yield* stage.create(Kinds.budgets, budget(name, { minAvailable: 2 }))
    yield* settles(stage, name, [3, 2, 3, 1])
    yield* evict(stage, name, `${name}-0`, "first")
    yield* settles(stage, name, [2, 2, 2, 0])
    yield* evict(stage, name, `${name}-1`, "second")
    yield* stage.merge(Kinds.budgets, name, { spec: { minAvailable: 1 } })
    yield* settles(stage, name, [2, 1, 2, 1])
    yield* evict(stage, name, `${name}-1`, "third")
    yield* settles(stage, name, [1, 1, 1, 0])
  })

const unhealthy: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "unhealthy"
    yield* pods(stage, name, undefined, 2, () => false)
    yield* stage.create(Kinds.budgets, budget(name, { minAvailable: 1, unhealthyPodEvictionPolicy: "IfHealthyBudget" }))
    yield* settles(stage, name, [0, 1, 2, 0])
    yield* evict(stage, name, `${name}-0`, "guarded")
    yield* stage.merge(Kinds.budgets, name, { spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } })
    const generation = ({ metadata, status }: KubeObject): boolean =>
      (status as { observedGeneration?: number } | undefined)?.observedGeneration === metadata.generation
    yield* stage.untilObject(Kinds.budgets, name, "is observed", generation)
    yield* evict(stage, name, `${name}-0`, "always")
    yield* settles(stage, name, [0, 1, 1, 0])
  })

const unmanaged: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "unmanaged"
    yield* pods(stage, name, undefined, 2)
    yield* stage.create(Kinds.budgets, budget(name, { minAvailable: "50%" }))
    yield* settles(stage, name, [2, 0, 0, 0])
  })

/** A budget whose controller already knows its pods: one that is counted before them has a status of no pods at all. */
const budgetOfKnownPods = (stage: Stage, object: KubeObject): Effect.Effect<void, ApiFailure> =>
  Effect.sleep("2 seconds").pipe(Effect.andThen(stage.create(Kinds.budgets, object)), Effect.asVoid)

const reason = (wanted: string) => (one: KubeObject) =>
  ((one.status as { conditions?: ReadonlyArray<{ reason: string }> } | undefined)?.conditions ?? []).some(
    (condition) => condition.reason === wanted
  )

const strangers =
  (name: string, owner: { readonly apiVersion: string; readonly kind: string }): Scene =>
  (stage) =>
    Effect.gen(function* () {
      const reference = { ...owner, name: "stranger", uid: "11111111-2222-3333-4444-555555555555", controller: true }
      yield* pods(stage, name, reference, 1)
      yield* budgetOfKnownPods(stage, budget(name, { maxUnavailable: 1 }))
      yield* stage.untilObject(Kinds.budgets, name, "has failed", reason("SyncFailed"))
    })

const GROUP = "disruption.example.org"

const customKinds = [
  {
    plural: "robots",
    kind: "Robot",
    subresources: { scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } }
  },
  { plural: "stones", kind: "Stone", subresources: {} }
]

/** Serves kinds of owners of its own. The real controllers ask for new kinds every half minute only: so before they start. */
export const serveCustomOwners = (stage: Stage): Effect.Effect<void, ApiFailure> =>
  Effect.forEach(
    customKinds,
    ({ kind, plural, subresources }) => {
      const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true }
      const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema }, subresources }
      return stage.serveKind({
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: `${plural}.${GROUP}` },
        spec: { group: GROUP, scope: "Namespaced", names: { plural, kind }, versions: [version] }
      })
    },
    { discard: true }
  )

const custom =
  (plural: string, kind: string, wanted: ReadonlyArray<number> | undefined): Scene =>
  (stage) =>
    Effect.gen(function* () {
      const resource = { group: GROUP, version: "v1", resource: plural }
      const made = { apiVersion: `${GROUP}/v1`, kind, metadata: { name: plural }, spec: { replicas: 3 } }
      const owner = yield* stage.create(resource, made)
      yield* pods(stage, plural, ownerOf(owner), 2)
      yield* budgetOfKnownPods(stage, budget(plural, { minAvailable: "34%" }))
      if (wanted !== undefined) yield* settles(stage, plural, wanted)
      else yield* stage.untilObject(Kinds.budgets, plural, "has failed", reason("SyncFailed"))
    })

const nothingThere: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "nothing"
    yield* stage.create(Kinds.budgets, budget(name, { maxUnavailable: 1 }))
    yield* settles(stage, name, [0, 0, 0, 0])
  })

/** A pod that was evicted long ago and stays; its budget and its own condition forget that. */
const staying =
  (nowMs: number): Scene =>
  (stage) =>
    Effect.gen(function* () {
      const name = "staying"
      yield* pods(stage, name, undefined, 2)
      yield* stage.create(Kinds.budgets, budget(name, { minAvailable: 1 }))
      yield* settles(stage, name, [2, 1, 2, 1])
      const old = rfc3339(nowMs - 300_000)
      const disruptedPods = { [`${name}-0`]: old }
      yield* stage.merge(Kinds.budgets, name, { status: { disruptedPods, disruptionsAllowed: 0 } }, "status")
      yield* settles(stage, name, [2, 1, 2, 1])
      const pod = yield* stage.get(Kinds.pods, `${name}-1`)
      const { conditions } = pod.status as { conditions: ReadonlyArray<Json> }
      const stale = { type: "DisruptionTarget", status: "True", reason: "Test", lastTransitionTime: old }
      yield* stage.merge(Kinds.pods, `${name}-1`, { status: { conditions: [...conditions, stale] } }, "status")
      const isTakenBack = ({ status }: KubeObject): boolean =>
        (status as { conditions: ReadonlyArray<{ type: string; status: string }> }).conditions.some(
          (one) => one.type === "DisruptionTarget" && one.status === "False"
        )
      yield* stage.untilObject(Kinds.pods, `${name}-1`, "is no longer to go", isTakenBack)
    })

/** All scenes, for a control plane whose clock shows this. */
export const disruptionScenes = (nowMs: number): ReadonlyArray<Scene> => [
  owned("of-set", Kinds.replicaSets, "apps/v1", "ReplicaSet", { minAvailable: "41%" }, [3, 3, 5, 0]),
  owned("of-stateful", Kinds.statefulSets, "apps/v1", "StatefulSet", { maxUnavailable: 3 }, [3, 2, 5, 1]),
  owned("of-rc", Kinds.replicationControllers, "v1", "ReplicationController", { maxUnavailable: "1%" }, [3, 4, 5, 0]),
  ofDeployment,
  evictions,
  unhealthy,
  unmanaged,
  strangers("unknown-kind", { apiVersion: "example.org/v1", kind: "Unknown" }),
  strangers("gone", { apiVersion: "apps/v1", kind: "ReplicaSet" }),
  custom("robots", "Robot", [2, 2, 3, 0]),
  custom("stones", "Stone", undefined),
  nothingThere,
  staying(nowMs)
]
