// The loop that lets objects follow those who need them: one placement of its own in each follower's federated object.
// Owns when the graph is read and written to; the arithmetic is FollowGraph.ts's. It writes nothing before it has seen every federated
// object once: a leader that it has not heard of yet would look like one that left.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  effectClient,
  type Informer,
  type Json,
  type KubeObject,
  makeController,
  objectKey,
  type Reconciled,
  sameJson,
  splitKey
} from "#kube"
import { federatedSpecOf, type FederatedObjectSpec, type LeaderReference, placementBy } from "../api/FederatedObject.ts"
import { federationControllers, federationResources } from "../api/FederationNames.ts"
import type { SemanticsTable } from "../semantics/SemanticsTable.ts"
import { FollowGraph, type ObjectName } from "./FollowGraph.ts"
import { followNodeOf, sourceNameOf } from "./Needs.ts"

export interface FollowerOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly runtime?: ClockworkRuntime
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  readonly semantics: SemanticsTable
  readonly workers?: number
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

/** Leaders that `follows` lists; more are followed all the same. */
const FOLLOWS_MAX = 64

const MANAGER = { fieldManager: "kubeadmiral-follower" }

const leaderReference = (name: ObjectName): LeaderReference => {
  const [group = "", kind = "", namespace = "", object = ""] = name.split("/")
  return {
    ...(group === "" ? {} : { group }),
    kind,
    ...(namespace === "" ? {} : { namespace }),
    name: object
  }
}

/** The spec with a controller's placement; without clusters the controller has none. */
export const withPlacement = (
  spec: FederatedObjectSpec,
  controller: string,
  clusters: ReadonlyArray<string>
): FederatedObjectSpec => {
  const others = (spec.placements ?? []).filter((one) => one.controller !== controller)
  const own = clusters.length === 0 ? [] : [{ controller, placement: clusters.map((cluster) => ({ cluster })) }]
  return { ...spec, placements: [...others, ...own] }
}

/** The federated object as following makes it; itself when it is so already. */
export const following = (
  federated: KubeObject,
  clusters: ReadonlyArray<string>,
  leaders: ReadonlyArray<ObjectName>
): KubeObject => {
  const spec = federatedSpecOf(federated)
  const follows = clusters.length === 0 ? [] : leaders.slice(0, FOLLOWS_MAX).map(leaderReference)
  const placed = [...placementBy(spec, federationControllers.follower)].sort()
  const isSame =
    sameJson(placed, [...clusters]) && sameJson((spec.follows ?? []) as unknown as Json, follows as unknown as Json)
  if (isSame) return federated
  const { follows: _before, ...rest } = withPlacement(spec, federationControllers.follower, clusters)
  return { ...federated, spec: { ...rest, ...(follows.length === 0 ? {} : { follows }) } as unknown as Json }
}

class FollowerLoop {
  readonly #options: FollowerOptions
  readonly #graph = new FollowGraph()
  readonly #host: ReturnType<typeof effectClient>
  /** Where an object's federated object stands. Bound: one entry for each of them. */
  readonly #keys = new Map<ObjectName, string>()
  readonly #names = new Map<string, ObjectName>()
  #primed = false
  enqueue: (key: string) => void = () => {}

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#host = effectClient(options.client)
  }

  reconcile = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      if (!this.#primed) this.#prime()
      const federated = this.#stored(key)
      if (federated === undefined) {
        this.#leave(key)
        return Effect.void
      }
      const name = this.#take(key, federated)
      return federated.metadata.deletionTimestamp === undefined ? this.#place(key, name, federated) : Effect.void
    })

  #prime(): void {
    this.#primed = true
    for (const { store } of this.#options.objects) {
      for (const object of store.all()) this.#learn(objectKey(object), object)
    }
  }

  #learn(
    key: string,
    federated: KubeObject
  ): { readonly name: ObjectName; readonly affected: ReadonlySet<ObjectName> } {
    const name = sourceNameOf(federated)
    this.#keys.set(name, key)
    this.#names.set(key, name)
    return { name, affected: this.#graph.set(name, followNodeOf(federated, this.#options.semantics)) }
  }

  #take(key: string, federated: KubeObject): ObjectName {
    const { affected, name } = this.#learn(key, federated)
    this.#wake(affected)
    return name
  }

  #leave(key: string): void {
    const name = this.#names.get(key)
    if (name === undefined) return
    this.#names.delete(key)
    this.#keys.delete(name)
    this.#wake(this.#graph.delete(name))
  }

  #wake(names: ReadonlySet<ObjectName>): void {
    for (const name of names) {
      const key = this.#keys.get(name)
      if (key !== undefined) this.enqueue(key)
    }
  }

  #place(key: string, name: ObjectName, federated: KubeObject): Effect.Effect<void, ApiFailure> {
    const after = following(federated, this.#graph.followed(name), this.#graph.leaders(name))
    if (after === federated) return Effect.void
    const { name: object, namespace } = splitKey(key)
    const resource = namespace === "" ? federationResources.clusterObjects : federationResources.objects
    return Effect.asVoid(this.#host.update({ resource, namespace, name: object }, after, MANAGER))
  }

  #stored(key: string): KubeObject | undefined {
    for (const { store } of this.#options.objects) {
      const found = store.get(key)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** The controller, waiting to be started. */
export const makeFollowerController = (options: FollowerOptions): Controller => {
  const loop = new FollowerLoop(options)
  const controller = makeController({
    name: "follower",
    clockwork: options.clockwork,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    watches: options.objects.map((informer) => ({ informer, keys: objectKey })),
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: loop.reconcile
  })
  loop.enqueue = controller.enqueue
  return controller
}
