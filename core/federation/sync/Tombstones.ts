// Copies that are to be deleted in members that could not be reached when their federated objects went: written down on the host, carried
// out when the member is back.
// Owns these records (ConfigMaps of the system namespace, sixteen for each member) and the deletions; refuses to delete anything else.
// A copy whose federated object is back is left to its loop; one that is not labelled as ours any more is left alone.
import { Effect } from "effect"
import { mapOf, textOf, fieldsOf } from "#apiserver"
import {
  type ApiFailure,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  type EffectClient,
  Failures,
  gvr,
  type Informer,
  type Json,
  type KubeObject,
  makeController,
  type Reconciled,
  splitKey
} from "#kube"
import { federationAnnotations, federationLabels, SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import type { Members } from "../clusters/Members.ts"
import type { FederatedTypes } from "../federate/FederatedTypes.ts"
import { federatedKey, templateKey } from "../federate/ObjectNames.ts"
import { ensure, find, MANAGER, patchRead, unlessAbsent } from "../HostCalls.ts"
import { textDigest, textHash } from "../planner/StableHash.ts"
import { isOrphaned, possessionOf } from "./Possession.ts"

export interface TombstoneOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly host: EffectClient
  readonly objects: ReadonlyArray<Informer>
  readonly members: () => Members
  readonly types: () => FederatedTypes
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

const configMaps = gvr("", "v1", "configmaps")
const SHARDS = 16
const LABEL = "kubeadmiral.io/tombstones-of"

interface Tombstone {
  readonly type: string
  readonly object: string
  /** What the federated object said of copies that are to stay: "all", "adopted" or nothing. */
  readonly orphan: Readonly<Record<string, string>>
}

const shardName = (cluster: string, shard: number): string => `tombstones-${textDigest(cluster)}-${shard}`

const target = (name: string) => ({ resource: configMaps, namespace: SYSTEM_NAMESPACE, name })

const orphanAnnotations = ({ metadata: { annotations = {} } }: KubeObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [federationAnnotations.internalOrphan, federationAnnotations.orphan].flatMap((name) =>
      annotations[name] === undefined ? [] : [[name, annotations[name]]]
    )
  )

const tombstoneOf = (text: string): Tombstone | undefined => {
  try {
    const fields = fieldsOf(JSON.parse(text) as Json)
    return { type: textOf(fields["type"]), object: textOf(fields["object"]), orphan: mapOf(fields["orphan"]) }
  } catch {
    return undefined
  }
}

export class Tombstones {
  readonly controller: Controller
  readonly #options: TombstoneOptions

  constructor(options: TombstoneOptions) {
    this.#options = options
    this.controller = makeController({
      name: "tombstones",
      clockwork: options.clockwork,
      runtime: options.runtime,
      watches: [],
      workers: 4,
      limits: { baseMs: 1000, maxMs: 60_000, perSecond: Infinity, burst: 0 },
      ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
      reconcile: this.#carryOut
    })
  }

  /** A member is back: what is written down for it is carried out. */
  clusterBack(cluster: string): void {
    this.controller.enqueue(cluster)
  }

  /** Writes down that the copies of an object are to go in these clusters. */
  bury(federated: KubeObject, type: TypeConfig, clusters: ReadonlyArray<string>): Effect.Effect<void, ApiFailure> {
    const object = templateKey(federated)
    const id = textDigest(`${type.name}|${object}`)
    const text = JSON.stringify({ type: type.name, object, orphan: orphanAnnotations(federated) })
    const { host, members } = this.#options
    return Effect.forEach(
      clusters.filter((cluster) => members().cluster(cluster) !== undefined),
      (cluster) => {
        const name = shardName(cluster, (textHash(id) >>> 0) % SHARDS)
        const data = { [id]: text }
        return Effect.gen(function* () {
          const made = yield* ensure(host, target(name), {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name, namespace: SYSTEM_NAMESPACE, labels: { [LABEL]: textDigest(cluster) } },
            data
          })
          if (mapOf(made["data"])[id] !== text)
            yield* host.patch(target(name), { type: "merge", body: { data } }, MANAGER)
        })
      },
      { discard: true }
    )
  }

  #carryOut = (cluster: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.gen({ self: this }, function* () {
      const { host, members } = this.#options
      if (members().cluster(cluster)?.ready !== true) return undefined
      for (let shard = 0; shard < SHARDS; shard++) {
        const name = shardName(cluster, shard)
        const record = yield* find(host, target(name))
        if (record === undefined) continue
        const done: Record<string, null> = {}
        const data = mapOf(record["data"])
        for (const id in data) {
          const tombstone = tombstoneOf(data[id])
          if (tombstone !== undefined) yield* this.#delete(cluster, tombstone)
          done[id] = null
        }
        if (Object.keys(done).length === Object.keys(data).length) {
          const { uid, resourceVersion } = record.metadata
          const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) }
          yield* unlessAbsent(host.delete(target(name), { preconditions }))
        } else yield* patchRead(host, target(name), record, { data: done })
      }
      return undefined
    })

  #delete(cluster: string, { object, orphan, type }: Tombstone): Effect.Effect<void, ApiFailure> {
    const { members, objects, types } = this.#options
    return Effect.gen(function* () {
      const config = types().named(type)
      const member = members().member(cluster)
      if (config === undefined) return
      const key = federatedKey(config, object)
      if (objects.some(({ store }) => store.get(key) !== undefined)) return
      if (member === undefined) return yield* Effect.fail(Failures.unavailable(`no way to member ${cluster}`))
      const { name, namespace } = splitKey(object)
      const at = { resource: config.type, namespace, name }
      const copy = yield* unlessAbsent(member.effects.get(at))
      if (copy === undefined || possessionOf(copy) !== "managed") return
      const said: KubeObject = { apiVersion: "", kind: "", metadata: { annotations: orphan } }
      if (isOrphaned(said, copy)) {
        const body = { metadata: { labels: { [federationLabels.managed]: null } } }
        yield* unlessAbsent(member.effects.patch(at, { type: "merge", body }, MANAGER))
        return
      }
      const { uid } = copy.metadata
      yield* unlessAbsent(member.effects.delete(at, uid === undefined ? {} : { preconditions: { uid } }))
    })
  }
}
