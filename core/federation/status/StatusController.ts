// The loop that brings members' statuses home: collected into CollectedStatus, aggregated into the source's own status.
// Owns when to look, how often to write and what was written last; the decisions are Collection.ts's and Aggregation.ts's. An object
// is written at most once each `minIntervalMs`, with what is true then; whatever happens between two writes is in the second.
import { Effect } from "effect"
import { fieldsOf, textOf } from "#apiserver"
import {
  type ApiFailure,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  effectClient,
  type GroupVersionResource,
  type Informer,
  type Json,
  type JsonObject,
  type KubeObject,
  makeController,
  objectKey,
  parseApiVersion,
  type Reconciled,
  rfc3339,
  sameJson,
  splitKey
} from "#kube"
import { type CollectedFields, type CollectedStatus, collectedStatusOf } from "../api/CollectedStatus.ts"
import { federatedSpecOf, federatedStatusOf, placedClusters } from "../api/FederatedObject.ts"
import { FEDERATION_API_VERSION, federationResources } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { isTemplateOf, templateGeneration } from "../federate/Template.ts"
import { fieldPath } from "../semantics/FieldPaths.ts"
import type { SemanticsTable } from "../semantics/SemanticsTable.ts"
import type { TypeSemantics } from "../semantics/TypeSemantics.ts"
import { aggregatedStatus } from "./Aggregation.ts"
import {
  collectAll,
  collectedPaths,
  type Copy,
  memberStates,
  missingFields,
  sameCollection,
  type SameGenerations
} from "./Collection.ts"
import type { MemberReads } from "./MemberReads.ts"

export interface StatusOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly runtime?: ClockworkRuntime
  /** Whether this process handles an object, by its federated object's key. Default: all. */
  readonly owns?: (federatedKey: string) => boolean
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  /** Of CollectedStatuses and ClusterCollectedStatuses. */
  readonly collected: ReadonlyArray<Informer>
  readonly types: (group: string, kind: string) => TypeConfig | undefined
  /** The informer of a source type on the host. */
  readonly sources: (type: GroupVersionResource) => Informer
  readonly members: MemberReads
  readonly semantics: SemanticsTable
  readonly workers?: number
  /** Between two writes for one object. Default 500. */
  readonly minIntervalMs?: number
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

export interface StatusController extends Controller {
  /** A member's copy changed. */
  readonly memberChanged: (federatedKey: string) => void
  /** A member was lost or is heard of again: all objects in it are looked at. */
  readonly clusterChanged: (cluster: string) => void
}

const INTERVAL_MS = 500
/** How long the first statuses of new copies are waited for, so that what they say is one write and not one after the other. */
const FIRST_STATUS_MS = 3000

/** What was last written for an object, and what the server made of it. */
interface Written {
  readonly atMs: number
  readonly wanted?: JsonObject
  readonly got?: Json | undefined
}

/** Name of the index of federated objects by the clusters that they are or were placed in. */
export const PLACED_INDEX = "federation/placed"

/** The clusters that should have an object or may still have it. */
export const concernedClusters = (federated: KubeObject): ReadonlyArray<string> => {
  const inStatus = (federatedStatusOf(federated).clusters ?? []).map(({ cluster }) => cluster)
  return [...new Set([...placedClusters(federatedSpecOf(federated)), ...inStatus])].sort()
}

class StatusLoop {
  readonly #options: StatusOptions
  readonly #interval: number
  readonly #host: ReturnType<typeof effectClient>
  /** By federated key. Bound: one entry for each federated object that exists; removed with it. */
  readonly #written = new Map<string, Written>()
  /** Records of types whose collection is switched off: aggregation needs them while a member is lost. The same bound. */
  readonly #memory = new Map<string, ReadonlyArray<CollectedFields>>()

  /** Since when first statuses are waited for, on the monotonic clock. The same bound. */
  readonly #awaited = new Map<string, number>()

  constructor(options: StatusOptions) {
    this.#options = options
    this.#interval = options.minIntervalMs ?? INTERVAL_MS
    this.#host = effectClient(options.client)
    for (const informer of options.objects) informer.store.addIndex(PLACED_INDEX, concernedClusters)
  }

  keysIn(cluster: string): ReadonlyArray<string> {
    return this.#options.objects.flatMap(({ store }) => store.byIndex(PLACED_INDEX, cluster).map(objectKey))
  }

  reconcile = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      if (this.#options.owns?.(key) === false) return Effect.void
      const federated = stored(this.#options.objects, key)
      return federated === undefined ? this.#forget(key) : this.#look(key, federated)
    })

  #forget(key: string): Effect.Effect<Reconciled, ApiFailure> {
    this.#written.delete(key)
    this.#memory.delete(key)
    this.#awaited.delete(key)
    const record = stored(this.#options.collected, key)
    return record === undefined ? Effect.void : Effect.asVoid(ignoringAbsence(this.#host.delete(recordTarget(key))))
  }

  #look(key: string, federated: KubeObject): Effect.Effect<Reconciled, ApiFailure> {
    const { semantics, types } = this.#options
    const template = federatedSpecOf(federated).template
    const kind = textOf(template["kind"])
    const { group } = parseApiVersion(textOf(template["apiVersion"]))
    const type = types(group, kind)
    if (type === undefined || federated.metadata.deletionTimestamp !== undefined) return Effect.void
    const rule = semantics.of(group, kind)
    const aggregates = type.aggregatesStatus && rule.aggregate !== undefined
    if (!aggregates && type.collectedFields === undefined) return Effect.void
    const written = this.#written.get(key)
    const wait = written === undefined ? 0 : written.atMs + this.#interval - this.#options.clockwork.monotonic()
    if (wait > 0) return Effect.succeed({ requeueAfterMs: wait })
    return this.#bringHome(key, federated, { type, rule, aggregates })
  }

  #bringHome(
    key: string,
    federated: KubeObject,
    {
      aggregates,
      rule,
      type
    }: { readonly type: TypeConfig; readonly rule: TypeSemantics; readonly aggregates: boolean }
  ): Effect.Effect<Reconciled, ApiFailure> {
    const clusters = concernedClusters(federated)
    const copies = clusters.map((cluster) => this.#copy(cluster, type.type, sourceKey(federated)))
    const asked = (type.collectedFields ?? []).map(fieldPath)
    const paths = collectedPaths(asked, aggregates ? rule.collected : [])
    const stored = this.#before(key, type)
    const awaited = aggregates && stored.length === 0 ? this.#firstMs(key, copies) : 0
    if (awaited > 0) return Effect.succeed({ requeueAfterMs: awaited })
    const records = collectAll(copies, paths, { clusters: stored })
    const told = records.map((record) => withMissing(record, type.collectedFields ?? []))
    const lost = new Set(copies.filter(({ current }) => !current).map(({ cluster }) => cluster))
    return Effect.gen({ self: this }, function* () {
      if (type.collectedFields === undefined) this.#memory.set(key, records)
      else if (!sameCollection(told, stored)) yield* this.#writeRecord(key, federated, told)
      if (!aggregates) return undefined
      const sources = this.#options.sources(type.type)
      if (!sources.hasSynced) return { requeueAfterMs: this.#interval }
      const source = sources.store.get(sourceKey(federated))
      if (source === undefined || source.metadata.deletionTimestamp !== undefined) return undefined
      const members = memberStates(clusters, records, sameGenerations(federated, source, { type, rules: rule }))
      const now = rfc3339(this.#options.clockwork.now())
      const status = aggregatedStatus(rule, { source, members, lost, now })
      if (status !== undefined) yield* this.#writeStatus(key, source, status, type.type)
      return undefined
    })
  }

  /** How much longer the first statuses are waited for: until each copy has one, and no longer than a moment. */
  #firstMs(key: string, copies: ReadonlyArray<Copy>): number {
    const isTold = copies.every(({ current, object }) => !current || !isEmpty(fieldsOf(object?.status)))
    if (isTold) return 0
    const now = this.#options.clockwork.monotonic()
    const since = this.#awaited.get(key) ?? now
    this.#awaited.set(key, since)
    return since + FIRST_STATUS_MS - now
  }

  #copy(cluster: string, type: GroupVersionResource, key: string): Copy {
    const { members } = this.#options
    const current = members.isCurrent(cluster, type)
    const object = current ? members.object(cluster, type, key) : undefined
    return { cluster, current, ...(object === undefined ? {} : { object }) }
  }

  #before(key: string, type: TypeConfig): ReadonlyArray<CollectedFields> {
    if (type.collectedFields === undefined) return this.#memory.get(key) ?? []
    const record = stored(this.#options.collected, key)
    return record === undefined ? [] : collectedStatusOf(record).clusters
  }

  /** One write, whether it exists or not: the record is ours alone. */
  #writeRecord(
    key: string,
    federated: KubeObject,
    clusters: ReadonlyArray<CollectedFields>
  ): Effect.Effect<void, ApiFailure> {
    const { clockwork } = this.#options
    const record = recordOf(federated, { clusters, lastUpdateTime: rfc3339(clockwork.now()) })
    const before = stored(this.#options.collected, key)
    const target = recordTarget(key)
    const { name: _name, ...collection } = target
    return Effect.asVoid(
      before === undefined
        ? this.#host.create(collection, record, MANAGER)
        : this.#host.update(target, withVersion(record, before), MANAGER)
    ).pipe(Effect.tap(() => Effect.sync(() => this.#note(key, {}))))
  }

  #writeStatus(
    key: string,
    source: KubeObject,
    status: JsonObject,
    type: GroupVersionResource
  ): Effect.Effect<void, ApiFailure> {
    if (sameJson(source.status, status)) return Effect.void
    const written = this.#written.get(key)
    // The server may keep a status differently than it was sent; sending it again would go on for ever.
    if (written?.wanted !== undefined && sameJson(written.wanted, status) && sameJson(written.got, source.status)) {
      return Effect.void
    }
    const { name = "", namespace = "" } = source.metadata
    return ignoringAbsence(
      this.#host.update({ resource: type, namespace, name, subresource: "status" }, { ...source, status }, MANAGER)
    ).pipe(
      Effect.tap((got) =>
        Effect.sync(() =>
          this.#note(key, { wanted: status, got: got === undefined ? undefined : (got.status as Json) })
        )
      ),
      Effect.asVoid
    )
  }

  #note(key: string, part: Partial<Written>): void {
    const before = this.#written.get(key)
    this.#written.set(key, { ...before, ...part, atMs: this.#options.clockwork.monotonic() })
  }
}

const isEmpty = (fields: object): boolean => {
  for (const _ in fields) return false
  return true
}

const MANAGER = { fieldManager: "kubeadmiral-status" }

/** The generations of a source since the template was made, where nothing of them concerns members. */
const sameGenerations = (
  federated: KubeObject,
  source: KubeObject,
  kind: Parameters<typeof isTemplateOf>[2]
): SameGenerations | undefined => {
  const { template } = federatedSpecOf(federated)
  const { generation = 0 } = source.metadata
  const from = templateGeneration(template)
  return from < generation && isTemplateOf(template, source, kind) ? { from, to: generation } : undefined
}

const stored = (informers: ReadonlyArray<Informer>, key: string): KubeObject | undefined => {
  for (const { store } of informers) {
    const found = store.get(key)
    if (found !== undefined) return found
  }
  return undefined
}

/** "namespace/name" of the source, which has the namespace of its federated object. */
const sourceKey = (federated: KubeObject): string => {
  const metadata = federatedSpecOf(federated).template["metadata"] as JsonObject | undefined
  const name = textOf(metadata?.["name"])
  const { namespace } = federated.metadata
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`
}

const recordTarget = (key: string) => {
  const { name, namespace } = splitKey(key)
  const resource =
    namespace === "" ? federationResources.clusterCollectedStatuses : federationResources.collectedStatuses
  return { resource, namespace, name }
}

const recordOf = (federated: KubeObject, { clusters, lastUpdateTime }: CollectedStatus): KubeObject => {
  const { labels, name, namespace, uid } = federated.metadata
  return {
    apiVersion: FEDERATION_API_VERSION,
    kind: namespace === undefined || namespace === "" ? "ClusterCollectedStatus" : "CollectedStatus",
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ownerReferences: [
        { apiVersion: federated.apiVersion, kind: federated.kind, name: name ?? "", uid: uid ?? "", controller: true }
      ]
    },
    clusters,
    ...(lastUpdateTime === undefined ? {} : { lastUpdateTime })
  }
}

const withVersion = (record: KubeObject, { metadata: { resourceVersion } }: KubeObject): KubeObject =>
  resourceVersion === undefined ? record : { ...record, metadata: { ...record.metadata, resourceVersion } }

const withMissing = (record: CollectedFields, asked: ReadonlyArray<string>): CollectedFields => {
  const { error: _before, ...rest } = record
  const error = missingFields(record.collectedFields ?? {}, asked)
  return error === "" ? rest : { ...rest, error }
}

const ignoringAbsence = (
  call: Effect.Effect<KubeObject, ApiFailure>
): Effect.Effect<KubeObject | undefined, ApiFailure> =>
  Effect.catch(call, (failure) => (failure.status.code === 404 ? Effect.succeed(undefined) : Effect.fail(failure)))

/** The controller, waiting to be started. */
export const makeStatusController = (options: StatusOptions): StatusController => {
  const loop = new StatusLoop(options)
  const controller = makeController({
    name: "status",
    clockwork: options.clockwork,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    watches: [
      ...options.objects.map((informer) => ({ informer, keys: objectKey })),
      ...options.collected.map((informer) => ({ informer, keys: objectKey, changed: () => false }))
    ],
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: loop.reconcile
  })
  return {
    ...controller,
    memberChanged: controller.enqueue,
    clusterChanged: (cluster) => {
      for (const key of loop.keysIn(cluster)) controller.enqueue(key)
    }
  }
}
