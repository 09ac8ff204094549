// A member that leaves with all that we brought to it: every managed object of every federated type is deleted, or let go where it is to be
// orphaned, before the member's last finalizer of ours but one goes.
// Owns this emptying; refuses members that leave without it, whose objects stay as they are.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  type EffectClient,
  type Informer,
  type KubeObject,
  makeController,
  objectKey,
  type Reconciled,
  splitKey
} from "#kube"
import {
  federationAnnotations,
  federationFinalizers,
  federationLabels,
  federationResources
} from "../api/FederationNames.ts"
import { typeName } from "../api/FederatedCluster.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { cascades } from "../clusters/ClusterController.ts"
import type { Member } from "../clusters/Member.ts"
import type { Members } from "../clusters/Members.ts"
import type { FederatedTypes } from "../federate/FederatedTypes.ts"
import { federatedKey } from "../federate/ObjectNames.ts"
import { finalizersWith, MANAGER, patchRead, unlessAbsent } from "../HostCalls.ts"
import { isOrphaned } from "./Possession.ts"

export interface CascadeOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly host: EffectClient
  readonly clusters: Informer
  readonly objects: ReadonlyArray<Informer>
  readonly members: Members
  readonly types: FederatedTypes
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

const AGAIN_MS = 1000
/** Deletions under way in one member. */
const CONCURRENCY = 32

class CascadeLoop {
  readonly #options: CascadeOptions

  constructor(options: CascadeOptions) {
    this.#options = options
  }

  reconcile = (name: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const cluster = this.#options.clusters.store.get(name)
      if (cluster?.metadata.deletionTimestamp === undefined || !cascades(cluster)) return Effect.void
      if (cluster.metadata.finalizers?.includes(federationFinalizers.cascadingDelete) !== true) return Effect.void
      const member = this.#options.members.member(name)
      if (this.#options.members.cluster(name)?.joined !== true) return this.#finish(name, cluster)
      if (member === undefined) return Effect.succeed({ requeueAfterMs: AGAIN_MS })
      return this.#empty(name, cluster, member)
    })

  #empty(name: string, cluster: KubeObject, member: Member): Effect.Effect<Reconciled, ApiFailure> {
    const { members, types } = this.#options
    const served = members.cluster(name)?.types
    const concerned = types.all().filter(({ type }) => {
      const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`
      return served === undefined || served.has(typeName(apiVersion, type.kind))
    })
    for (const { type } of concerned) member.follow(type)
    if (!concerned.every(({ type }) => member.hasSynced(type))) return Effect.succeed({ requeueAfterMs: AGAIN_MS })
    const left = concerned.flatMap((type) => member.objects(type.type).map((copy) => [type, copy] as const))
    if (left.length === 0) return this.#finish(name, cluster)
    return Effect.as(
      Effect.forEach(left, ([type, copy]) => this.#remove(member, type, copy), {
        concurrency: CONCURRENCY,
        discard: true
      }),
      { requeueAfterMs: AGAIN_MS }
    )
  }

  #remove(member: Member, type: TypeConfig, copy: KubeObject): Effect.Effect<void, ApiFailure> {
    if (copy.metadata.deletionTimestamp !== undefined) return Effect.void
    const { name, namespace } = splitKey(objectKey(copy))
    const target = { resource: type.type, namespace, name }
    const federated = this.#federated(federatedKey(type, objectKey(copy)))
    if (federated !== undefined && isOrphaned(federated, copy)) {
      const body = {
        metadata: {
          labels: { [federationLabels.managed]: null },
          annotations: { [federationAnnotations.adopted]: null }
        }
      }
      return Effect.asVoid(unlessAbsent(member.effects.patch(target, { type: "merge", body }, MANAGER)))
    }
    const { uid } = copy.metadata
    return Effect.asVoid(
      unlessAbsent(member.effects.delete(target, uid === undefined ? {} : { preconditions: { uid } }))
    )
  }

  #federated(key: string): KubeObject | undefined {
    for (const { store } of this.#options.objects) {
      const found = store.get(key)
      if (found !== undefined) return found
    }
    return undefined
  }

  #finish(name: string, cluster: KubeObject): Effect.Effect<void, ApiFailure> {
    const finalizers = finalizersWith(cluster, [], [federationFinalizers.cascadingDelete])
    if (finalizers === undefined) return Effect.void
    const target = { resource: federationResources.clusters, namespace: "", name }
    return Effect.asVoid(unlessAbsent(patchRead(this.#options.host, target, cluster, { metadata: { finalizers } })))
  }
}

/** The controller, waiting to be started. */
export const makeCascade = (options: CascadeOptions): Controller =>
  makeController({
    name: "cascade",
    clockwork: options.clockwork,
    runtime: options.runtime,
    watches: [
      {
        informer: options.clusters,
        keys: (object) => (object.metadata.deletionTimestamp === undefined ? undefined : objectKey(object))
      }
    ],
    workers: 16,
    limits: { baseMs: 500, maxMs: 30_000, perSecond: Infinity, burst: 0 },
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: new CascadeLoop(options).reconcile
  })
