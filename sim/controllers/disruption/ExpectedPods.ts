// How many pods a disruption budget counts on: the replicas that the controllers of its pods are to have.
// Owns the look-up of these controllers, by informers where there are some and else by the scale subresource. Source: kubernetes
// pkg/controller/disruption/disruption.go.
import { Effect } from "effect"
import {
  type ApiFailure,
  controllerOf,
  type EffectClient,
  gvr,
  type Informer,
  type KubeObject,
  type OwnerReference
} from "#kube"
import { groupOf, type KindResources } from "../KindResources.ts"
import type { Manager } from "../Manager.ts"
import { fieldsOf, numberIn, numberOf } from "../Parts.ts"

/** Why nobody can say how many pods there should be. */
export class ExpectedUnknown {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

export interface ExpectedPods {
  readonly count: number
  /** Names of pods that nobody controls. */
  readonly unmanaged: ReadonlyArray<string>
}

interface Scale {
  readonly uid: string
  readonly replicas: number
}

const isOf = ({ apiVersion, kind }: OwnerReference, group: string, wanted: string): boolean =>
  kind === wanted && (groupOf(apiVersion) === group || (group === "apps" && groupOf(apiVersion) === "extensions"))

const replicasOf = ({ metadata, spec }: KubeObject): Scale => ({
  uid: metadata.uid ?? "",
  replicas: numberIn(fieldsOf(spec)["replicas"]) ?? 1
})

export class PodControllers {
  readonly informers: ReadonlyArray<Informer>
  readonly #client: EffectClient
  readonly #kinds: KindResources
  readonly #replicationControllers: Informer
  readonly #replicaSets: Informer
  readonly #deployments: Informer
  readonly #statefulSets: Informer

  constructor({ informers }: Manager, client: EffectClient, kinds: KindResources) {
    this.#client = client
    this.#kinds = kinds
    this.#replicationControllers = informers.informer(gvr("", "v1", "replicationcontrollers"))
    this.#replicaSets = informers.informer(gvr("apps", "v1", "replicasets"))
    this.#deployments = informers.informer(gvr("apps", "v1", "deployments"))
    this.#statefulSets = informers.informer(gvr("apps", "v1", "statefulsets"))
    this.informers = [
      this.#replicationControllers,
      this.#replicaSets,
      this.#deployments,
      this.#statefulSets,
      kinds.informer
    ]
  }

  /** The sum over all controllers of some pods. */
  expected = (pods: ReadonlyArray<KubeObject>): Effect.Effect<ExpectedPods, ApiFailure | ExpectedUnknown> =>
    this.#expected(this, pods)

  readonly #expected = Effect.fnUntraced(function* (self: PodControllers, pods: ReadonlyArray<KubeObject>) {
    const scales = new Map<string, number>()
    const asked = new Set<string>()
    const unmanaged: Array<string> = []
    for (const pod of pods) {
      const owner = controllerOf(pod)
      const { name = "", namespace = "" } = pod.metadata
      if (owner === undefined) unmanaged.push(name)
      else if (!asked.has(owner.uid)) {
        const scale = self.#known(owner, namespace) ?? (yield* self.#asked(self, owner, namespace))
        if (scale === undefined) {
          return yield* Effect.fail(new ExpectedUnknown(`found no controllers for pod ${JSON.stringify(name)}`))
        }
        asked.add(owner.uid)
        scales.set(scale.uid, scale.replicas)
      }
    }
    let count = 0
    for (const replicas of scales.values()) count += replicas
    return { count, unmanaged }
  })

  /** The scale of a controller that an informer shows: of the Deployment where there is one behind the ReplicaSet. */
  #known(owner: OwnerReference, namespace: string): Scale | undefined {
    if (isOf(owner, "", "ReplicationController")) return scaleIn(this.#replicationControllers, owner, namespace)
    if (isOf(owner, "apps", "StatefulSet")) return scaleIn(this.#statefulSets, owner, namespace)
    if (!isOf(owner, "apps", "ReplicaSet")) return undefined
    const set = named(this.#replicaSets, owner, namespace)
    if (set === undefined) return undefined
    const above = controllerOf(set)
    if (above?.kind !== "Deployment") return replicasOf(set)
    return isOf(above, "apps", "Deployment") ? scaleIn(this.#deployments, above, namespace) : undefined
  }

  readonly #asked = Effect.fnUntraced(function* (self: PodControllers, owner: OwnerReference, namespace: string) {
    const { apiVersion, kind, name, uid } = owner
    const resource = self.#kinds.find(groupOf(apiVersion), kind)
    if (resource === undefined) {
      return yield* Effect.fail(
        new ExpectedUnknown(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`)
      )
    }
    const end = yield* Effect.result(self.#client.get({ resource, namespace, name, subresource: "scale" }))
    if (end._tag === "Failure") {
      if (end.failure.code !== 404) return yield* Effect.fail(end.failure)
      const whole = yield* Effect.result(self.#client.get({ resource, namespace, name }))
      if (whole._tag === "Failure") return undefined
      const text = resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`
      return yield* Effect.fail(new ExpectedUnknown(`${text} does not implement the scale subresource`))
    }
    const { metadata, spec } = end.success
    return metadata.uid === uid ? { uid, replicas: numberOf(fieldsOf(spec)["replicas"]) } : undefined
  })
}

const named = (informer: Informer, { name, uid }: OwnerReference, namespace: string): KubeObject | undefined => {
  const object = informer.store.get(`${namespace}/${name}`)
  return object?.metadata.uid === uid ? object : undefined
}

const scaleIn = (informer: Informer, owner: OwnerReference, namespace: string): Scale | undefined => {
  const object = named(informer, owner, namespace)
  return object === undefined ? undefined : replicasOf(object)
}
