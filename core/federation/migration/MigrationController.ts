// The loop of both migrations: it keeps two annotations of a federated object up to what users ask and what members' pods show.
// Owns when pods are listed and when an entry ends; the decisions are ManualMigration.ts's and AutoMigration.ts's, and moving is the
// scheduler's. A cluster that is not heard of keeps its last estimate. At most `LISTS_MAX` lists of pods are under way at once.
import { Effect, Semaphore } from "effect"
import { fieldsOf, numberOf, textOf } from "#apiserver"
import {
  ApiFailure,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  effectClient,
  type Informer,
  type KubeObject,
  makeController,
  objectKey,
  parseApiVersion,
  parseDurationMs,
  type Reconciled,
  splitKey
} from "#kube"
import { federatedSpecOf, placedClusters } from "../api/FederatedObject.ts"
import { federationAnnotations, federationResources } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { fieldPath, valueAt } from "../semantics/FieldPaths.ts"
import type { MemberReads } from "../status/MemberReads.ts"
import { concernedClusters, PLACED_INDEX } from "../status/StatusController.ts"
import {
  autoMigrationText,
  type CapacityEstimate,
  type ClusterWorkload,
  estimateCapacity,
  needsPods,
  parseAutoMigrationInfo,
  replicasOf
} from "./AutoMigration.ts"
import { type CapacityMemory, capacityNow, capacityWakeMs, notedCapacity, rememberCapacity } from "./CapacityMemory.ts"
import { appliedMigrationText, manualMigration, MigrationInvalid } from "./ManualMigration.ts"
import { podsOfWorkload } from "./MemberPods.ts"

export interface MigrationOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly runtime?: ClockworkRuntime
  /** Whether this process handles an object, by its federated object's key. Default: all. */
  readonly owns?: (federatedKey: string) => boolean
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  readonly types: (group: string, kind: string) => TypeConfig | undefined
  readonly members: MemberReads
  readonly workers?: number
  /** Between a change of a member's copy and the look at its pods. Default 10 seconds. */
  readonly lookAfterMs?: number
  /** Hears of a configuration that cannot be read; what was applied last stays. */
  readonly onInvalid?: (federated: KubeObject, problem: MigrationInvalid) => void
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

export interface MigrationController extends Controller {
  /** A member's copy changed. */
  readonly memberChanged: (federatedKey: string) => void
  /** A member was lost or is heard of again: all objects in it are looked at. */
  readonly clusterChanged: (cluster: string) => void
}

const LOOK_AFTER_MS = 10_000
const LISTS_MAX = 3

const MANAGER = { fieldManager: "kubeadmiral-migration" }

interface Decided {
  /** The annotation's text; undefined: no annotation; "as it is": it stays. */
  readonly text: string | undefined
  readonly againInMs: number
}

class MigrationLoop {
  readonly #options: MigrationOptions
  readonly #host: ReturnType<typeof effectClient>
  readonly #lists = Semaphore.makeUnsafe(LISTS_MAX)
  /** Estimates by federated key and cluster. Bound: the placements of objects that migrate by themselves. */
  readonly #remembered = new Map<string, CapacityMemory>()

  constructor(options: MigrationOptions) {
    this.#options = options
    this.#host = effectClient(options.client)
  }

  reconcile = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      if (this.#options.owns?.(key) === false) return Effect.void
      const federated = this.#stored(key)
      if (federated === undefined || federated.metadata.deletionTimestamp !== undefined) {
        this.#remembered.delete(key)
        return Effect.void
      }
      return this.#decide(key, federated)
    })

  #decide(key: string, federated: KubeObject): Effect.Effect<Reconciled, ApiFailure> {
    const annotations = federated.metadata.annotations ?? {}
    return Effect.gen({ self: this }, function* () {
      const manual = this.#manual(federated)
      const auto = yield* this.#auto(key, federated)
      const changed: Record<string, string | null> = {}
      const note = (name: string, { text }: Decided): void => {
        if (annotations[name] !== text) changed[name] = text ?? null
      }
      note(federationAnnotations.appliedMigrationConfiguration, manual)
      note(federationAnnotations.autoMigrationInfo, auto)
      if (Object.keys(changed).length > 0) yield* this.#annotate(key, changed)
      const againInMs = Math.min(manual.againInMs, auto.againInMs)
      return againInMs === Infinity ? undefined : { requeueAfterMs: againInMs }
    })
  }

  #manual(federated: KubeObject): Decided {
    const annotations = federated.metadata.annotations ?? {}
    const configuration = annotations[federationAnnotations.migrationConfiguration]
    if (configuration === undefined) return { text: undefined, againInMs: Infinity }
    const now = this.#options.clockwork.now()
    try {
      const { applied, changesAtMs = Infinity } = manualMigration(configuration, now)
      return { text: appliedMigrationText(applied), againInMs: changesAtMs - now }
    } catch (problem) {
      if (!(problem instanceof MigrationInvalid)) throw problem
      this.#options.onInvalid?.(federated, problem)
      return { text: annotations[federationAnnotations.appliedMigrationConfiguration], againInMs: Infinity }
    }
  }

  #auto(key: string, federated: KubeObject): Effect.Effect<Decided> {
    const threshold = parseDurationMs(
      federated.metadata.annotations?.[federationAnnotations.podUnschedulableThreshold] ?? ""
    )
    const { template } = federatedSpecOf(federated)
    const { group } = parseApiVersion(textOf(template["apiVersion"]))
    const type = this.#options.types(group, textOf(template["kind"]))
    if (threshold === undefined || type === undefined || !type.migratesReplicas) {
      this.#remembered.delete(key)
      return Effect.succeed({ text: undefined, againInMs: Infinity })
    }
    return Effect.gen({ self: this }, function* () {
      const clusters = placedClusters(federatedSpecOf(federated))
      const estimates = yield* Effect.forEach(
        clusters,
        (cluster) =>
          Effect.map(this.#estimate(cluster, federated, { type, threshold }), (found) => [cluster, found] as const),
        { concurrency: LISTS_MAX }
      )
      return this.#merged(key, federated, estimates)
    })
  }

  /** One cluster's estimate; undefined when nothing new can be said of it. */
  #estimate(
    cluster: string,
    federated: KubeObject,
    { threshold, type }: { readonly type: TypeConfig; readonly threshold: number }
  ): Effect.Effect<CapacityEstimate | undefined> {
    const { clockwork, members } = this.#options
    if (!members.isCurrent(cluster, type.type)) return Effect.succeed(undefined)
    const copy = members.object(cluster, type.type, sourceKeyOf(federated))
    const client = members.client(cluster)
    if (copy === undefined || client === undefined) return Effect.succeed(undefined)
    const seen = workloadOf(copy, type)
    const at = (): { readonly nowMs: number; readonly thresholdMs: number } => ({
      nowMs: clockwork.now(),
      thresholdMs: threshold
    })
    if (!needsPods(seen)) return Effect.sync(() => estimateCapacity(seen, at()))
    return this.#lists
      .withPermits(1)(podsOfWorkload(effectClient(client), copy))
      .pipe(
        Effect.map((pods) => estimateCapacity({ ...seen, pods }, at())),
        // A member that does not answer says nothing about its room.
        Effect.catch(() => Effect.succeed(undefined))
      )
  }

  #merged(
    key: string,
    federated: KubeObject,
    estimates: ReadonlyArray<readonly [cluster: string, found: CapacityEstimate | undefined]>
  ): Decided {
    const nowMs = this.#options.clockwork.now()
    const before = parseAutoMigrationInfo(federated.metadata.annotations?.[federationAnnotations.autoMigrationInfo])
    const waiting = new Map<string, number>()
    const unheard = new Set<string>()
    const scheduledReplicas = new Map<string, number>()
    let againInMs = Infinity
    for (const [cluster, found] of estimates) {
      if (found === undefined) unheard.add(cluster)
      if (found?.estimatedCapacity !== undefined) waiting.set(cluster, found.estimatedCapacity)
      const scheduled = found?.scheduledReplicas ?? before.scheduledReplicas?.[cluster]
      if (scheduled !== undefined) scheduledReplicas.set(cluster, scheduled)
      againInMs = Math.min(againInMs, found?.changesInMs ?? Infinity)
    }
    const known = this.#remembered.get(key) ?? notedCapacity(before.estimatedCapacity ?? {}, nowMs)
    const memory = rememberCapacity(known, waiting, nowMs, unheard)
    this.#remembered.set(key, memory)
    // A cluster that is left keeps its room in mind, and does not stand in the annotation.
    const placed = new Set(estimates.map(([cluster]) => cluster))
    const estimatedCapacity = new Map([...capacityNow(memory, nowMs)].filter(([cluster]) => placed.has(cluster)))
    againInMs = Math.min(againInMs, capacityWakeMs(memory, nowMs) - nowMs)
    return { text: autoMigrationText({ estimatedCapacity, scheduledReplicas }), againInMs }
  }

  #annotate(key: string, annotations: Readonly<Record<string, string | null>>): Effect.Effect<void, ApiFailure> {
    const { name, namespace } = splitKey(key)
    const resource = namespace === "" ? federationResources.clusterObjects : federationResources.objects
    const body = { metadata: { annotations } }
    return Effect.asVoid(this.#host.patch({ resource, namespace, name }, { type: "merge", body }, MANAGER))
  }

  #stored(key: string): KubeObject | undefined {
    for (const { store } of this.#options.objects) {
      const found = store.get(key)
      if (found !== undefined) return found
    }
    return undefined
  }
}

const workloadOf = (copy: KubeObject, { paths }: TypeConfig): ClusterWorkload => ({
  desired: replicasOf(valueAt(copy, fieldPath(paths.replicasSpec)), 1),
  replicas: numberOf(valueAt(copy, fieldPath(paths.replicasStatus))),
  ready: numberOf(valueAt(copy, fieldPath(paths.readyReplicasStatus)))
})

const sourceKeyOf = (federated: KubeObject): string => {
  const metadata = fieldsOf(federatedSpecOf(federated).template["metadata"])
  const { namespace } = federated.metadata
  return namespace === undefined || namespace === ""
    ? textOf(metadata["name"])
    : `${namespace}/${textOf(metadata["name"])}`
}

/** The controller, waiting to be started. */
export const makeMigrationController = (options: MigrationOptions): MigrationController => {
  const loop = new MigrationLoop(options)
  const controller = makeController({
    name: "migration",
    clockwork: options.clockwork,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    watches: options.objects.map((informer) => ({ informer, keys: objectKey })),
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: loop.reconcile
  })
  const lookAfterMs = options.lookAfterMs ?? LOOK_AFTER_MS
  for (const { store } of options.objects) store.addIndex(PLACED_INDEX, concernedClusters)
  return {
    ...controller,
    memberChanged: (key) => controller.enqueueAfter(key, lookAfterMs),
    clusterChanged: (cluster) => {
      for (const { store } of options.objects) {
        for (const federated of store.byIndex(PLACED_INDEX, cluster)) controller.enqueue(objectKey(federated))
      }
    }
  }
}
