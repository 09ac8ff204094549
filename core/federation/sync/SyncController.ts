// From federated objects to members and back: each change is handed to the loops of the members that it concerns, and what they report
// becomes one write of the object's status.
// Owns this distribution, the status and the finalizer; refuses to write to members, whose loops do. What waits for a member that is lost
// waits in that member's queue alone.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Cancel,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  type EffectClient,
  type GroupVersionResource,
  type Informer,
  type Json,
  type KubeObject,
  makeController,
  objectKey,
  parseApiVersion,
  parseRfc3339,
  type QueueController,
  type Reconciled,
  sameJson
} from "#kube"
import { textOf } from "#apiserver"
import { federatedSpecOf, federatedStatusOf } from "../api/FederatedObject.ts"
import { federationAnnotations, federationControllers, federationFinalizers } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import type { Member, MemberListener } from "../clusters/Member.ts"
import type { Members } from "../clusters/Members.ts"
import type { FederatedTypes } from "../federate/FederatedTypes.ts"
import type { Notes } from "../federate/Notes.ts"
import { federatedKey, federatedTarget } from "../federate/ObjectNames.ts"
import { pendingOf } from "../federate/PendingControllers.ts"
import type { TypeTable } from "../federate/TypeRules.ts"
import { finalizersWith, MANAGER, patchRead, unlessAbsent } from "../HostCalls.ts"
import { type CopyProblem, makeMemberSync } from "./MemberSync.ts"
import { OwnWrites } from "./OwnWrites.ts"
import { Reports, sameStatus, visitedClusters } from "./Reports.ts"
import type { Tombstones } from "./Tombstones.ts"

export interface SyncOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly host: EffectClient
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  /** Of FederatedClusters. */
  readonly clusters: Informer
  readonly members: () => Members
  readonly types: () => FederatedTypes
  readonly rules: TypeTable
  readonly notes: Notes
  readonly tombstones: Tombstones
  readonly owns?: (federatedKey: string) => boolean
  /** How long a deletion waits for a member that is not heard of, in milliseconds. Default 120,000. */
  readonly deletionWaitMs?: number
  /** How long reports are gathered while some clusters are still missing, in milliseconds. Default 1,000. */
  readonly gatherMs?: number
  readonly onFailure?: (controller: string, key: string, failure: ApiFailure) => void
  /** Hears of what keeps a copy from being as it should be. */
  readonly tell?: (problem: CopyProblem) => void
  /** A managed object in a member that no federated object of the host stands for: it is left alone. */
  readonly onUnclaimed?: (cluster: string, type: string, key: string) => void
}

const DELETION_WAIT_MS = 120_000
const GATHER_MS = 1000
const WORKERS = 64
/** Federated objects by the clusters that they may be in. */
const VISITED_INDEX = "federation/visited"

interface MemberQueue {
  readonly member: Member
  readonly controller: QueueController
  readonly writes: OwnWrites
}

export class SyncController {
  readonly reports = new Reports()
  readonly listener: MemberListener
  readonly #options: SyncOptions
  readonly #queues = new Map<string, MemberQueue>()
  readonly #status: Controller
  readonly #copyListeners = new Set<(federatedKey: string) => void>()
  readonly #cancels: Array<Cancel> = []
  #started = false

  constructor(options: SyncOptions) {
    this.#options = options
    for (const { store } of options.objects) store.addIndex(VISITED_INDEX, visitedClusters)
    this.#status = makeController({
      name: "propagation",
      clockwork: options.clockwork,
      runtime: options.runtime,
      watches: [],
      workers: WORKERS,
      limits: { baseMs: 20, maxMs: 60_000, perSecond: Infinity, burst: 0 },
      onFailure: (key, failure) => options.onFailure?.("propagation", key, failure),
      reconcile: this.#writeStatus
    })
    this.listener = { changed: this.#copyChanged, synced: this.#typeSynced }
    options.notes.onChange((key) => this.#status.enqueueAfter(key, this.#gatherMs))
  }

  /** Called with a federated object's key each time that one of its copies changes. */
  onCopy(listener: (federatedKey: string) => void): void {
    this.#copyListeners.add(listener)
  }

  start(): void {
    if (this.#started) return
    this.#started = true
    this.#status.start()
    for (const informer of this.#options.objects) {
      this.#cancels.push(
        informer.addHandler({
          added: (object, initial) => this.#dispatch(object, initial),
          updated: (before, after) => this.#updated(before, after),
          deleted: (object) => {
            this.reports.forget(objectKey(object))
            this.#options.notes.forget(objectKey(object))
          }
        })
      )
    }
  }

  stop(): void {
    for (const cancel of this.#cancels.splice(0)) cancel()
    this.#status.stop()
    for (const { controller } of this.#queues.values()) controller.stop()
    this.#queues.clear()
  }

  /** There is a new way to a member, or none. */
  memberChanged = (name: string, member: Member | undefined): void => {
    this.#queues.get(name)?.controller.stop()
    this.#queues.delete(name)
    if (member === undefined) {
      this.clusterChanged(name)
      return
    }
    const { clockwork, clusters, objects, onFailure, rules, runtime, tell } = this.#options
    const writes = new OwnWrites(clockwork)
    const controller = makeMemberSync({
      clockwork,
      runtime,
      member,
      writes,
      objects,
      clusters,
      types: (group, kind) => this.#options.types().ofKind(group, kind),
      rules,
      reports: this.reports,
      reads: this.#options.members(),
      reported: this.#reported,
      ...(tell && { tell }),
      onFailure: (key, failure) => onFailure?.(`sync/${name}`, key, failure)
    })
    this.#queues.set(name, { member, controller, writes })
    controller.start()
    this.clusterChanged(name)
  }

  /** A member is lost, back, leaving or gone: everything that may be there is looked at again, behind what users wait for. */
  clusterChanged = (name: string): void => {
    for (const { store } of this.#options.objects) {
      for (const object of store.byIndex(VISITED_INDEX, name)) {
        this.#dispatchTo(object, name, true)
        this.#takeTurns(object, true)
      }
    }
  }

  /** Waiting keys of all members' queues, for metrics. */
  queued(): ReadonlyMap<string, number> {
    return new Map([...this.#queues].map(([name, { controller }]) => [name, controller.stats().queued]))
  }

  get #gatherMs(): number {
    return this.#options.gatherMs ?? GATHER_MS
  }

  #typeOf(federated: KubeObject): TypeConfig | undefined {
    const { template } = federatedSpecOf(federated)
    return this.#options.types().ofKind(parseApiVersion(textOf(template["apiVersion"])).group, textOf(template["kind"]))
  }

  #updated(before: KubeObject, after: KubeObject): void {
    this.reports.settle(objectKey(after), after)
    const same =
      before.metadata.generation === after.metadata.generation &&
      before.metadata.deletionTimestamp === after.metadata.deletionTimestamp &&
      sameJson(before.metadata.annotations, after.metadata.annotations)
    if (!same) this.#dispatch(after, false)
  }

  #dispatch(federated: KubeObject, initial: boolean): void {
    const key = objectKey(federated)
    if (this.#options.owns?.(key) === false) return
    const deleting = federated.metadata.deletionTimestamp !== undefined
    const pending = pendingOf(federated.metadata.annotations)
    if (!deleting && (pending === undefined || pending.length > 0)) return
    if (!deleting && this.#needsRecord(federated)) return this.#status.enqueue(key)
    const visited = visitedClusters(federated)
    for (const name of visited) this.#dispatchTo(federated, name, initial)
    if (visited.length === 0) this.#status.enqueue(key)
  }

  /**
   * Whether a placement could drop out unseen: those of our own scheduler are remembered by its own writes; those of others must stand in
   * the status before anything is created there.
   */
  #needsRecord(federated: KubeObject): boolean {
    const { placements = [] } = federatedSpecOf(federated)
    if (placements.every(({ controller }) => REMEMBERED.has(controller))) return false
    const inStatus = new Set(federatedStatusOf(federated).clusters?.map(({ cluster }) => cluster))
    return placements.some(
      ({ controller, placement }) =>
        !REMEMBERED.has(controller) && placement.some(({ cluster }) => !inStatus.has(cluster))
    )
  }

  #dispatchTo(federated: KubeObject, name: string, last: boolean): void {
    const key = objectKey(federated)
    if (this.#options.owns?.(key) === false) return
    const type = this.#typeOf(federated)
    const cluster = this.#options.members().cluster(name)
    const generation = federated.metadata.generation ?? 0
    // What the host has no longer as a member has nothing of ours: whoever left took care of that.
    if (cluster === undefined) return this.#saidOfLost(key, name, generation, "gone")
    const queue = this.#queues.get(name)
    if (type === undefined) return
    // One that is well is on its way to be connected, and comes again then.
    if (queue === undefined && cluster.ready && cluster.joined) return
    if (queue === undefined || !cluster.ready) {
      const before = federatedStatusOf(federated).clusters?.find((one) => one.cluster === name)
      const { message: _message, ...rest } = before ?? { cluster: name }
      this.#saidOfLost(key, name, generation, { ...rest, status: "ClusterNotReady" })
      if (queue === undefined) return
    }
    queue.member.follow(type.type)
    if (last) queue.controller.enqueueLast(key)
    else queue.controller.enqueue(key)
  }

  #saidOfLost(key: string, cluster: string, generation: number, entry: Parameters<Reports["set"]>[2]["entry"]): void {
    this.reports.set(key, cluster, { entry, generation })
    this.#reported(key)
  }

  /** News of an object: written at once when nothing more is missing, else when some more may have come. */
  #reported = (key: string): void => {
    const federated = this.#federated(key)
    if (federated === undefined) return
    const complete = visitedClusters(federated).every((cluster) => this.reports.isDone(key, cluster, federated))
    if (complete) this.#status.enqueue(key)
    else this.#status.enqueueAfter(key, this.#gatherMs)
  }

  #federated(key: string): KubeObject | undefined {
    for (const { store } of this.#options.objects) {
      const found = store.get(key)
      if (found !== undefined) return found
    }
    return undefined
  }

  #copyChanged = (cluster: string, type: GroupVersionResource, object: KubeObject, isThere: boolean): void => {
    const config = this.#options.types().ofResource(type)
    const queue = this.#queues.get(cluster)
    if (config === undefined || queue === undefined) return
    const copy = objectKey(object)
    queue.writes.seen(config.name, copy, object, isThere)
    const key = federatedKey(config, copy)
    const federated = this.#federated(key)
    if (federated === undefined) {
      if (isThere) this.#options.onUnclaimed?.(cluster, config.name, copy)
      return
    }
    if (this.#options.owns?.(key) !== false) {
      queue.controller.enqueue(key)
      this.#takeTurns(federated, false)
    }
    for (const listener of this.#copyListeners) listener(key)
  }

  /** Clusters that wait for others to get a new template first look whether it is their turn. */
  #takeTurns(federated: KubeObject, last: boolean): void {
    if (federated.metadata.annotations?.[federationAnnotations.rollout] === undefined) return
    const key = objectKey(federated)
    const known = new Map(federatedStatusOf(federated).clusters?.map((entry) => [entry.cluster, entry]))
    for (const name of visitedClusters(federated)) {
      const entry = this.reports.get(key, name)?.entry ?? known.get(name)
      if (entry !== "gone" && entry?.status === "WaitingForRollout") this.#dispatchTo(federated, name, last)
    }
  }

  #typeSynced = (cluster: string, type: GroupVersionResource): void => {
    const queue = this.#queues.get(cluster)
    if (queue === undefined) return
    for (const { store } of this.#options.objects) {
      for (const object of store.byIndex(VISITED_INDEX, cluster)) {
        if (this.#typeOf(object)?.type.resource !== type.resource) continue
        const key = objectKey(object)
        if (this.#options.owns?.(key) === false) continue
        queue.controller.enqueue(key)
        for (const listener of this.#copyListeners) listener(key)
      }
    }
  }

  #writeStatus = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const federated = this.#federated(key)
      if (federated === undefined) return Effect.void
      if (federated.metadata.deletionTimestamp !== undefined) return this.#finish(key, federated)
      const status = this.reports.status(key, federated, this.#options.notes, this.#options.clockwork)
      const recorded = this.#needsRecord(federated)
      if (sameStatus(federatedStatusOf(federated), status)) return Effect.void
      const target = { ...federatedTarget(key), subresource: "status" }
      const object = { ...federated, status: status as unknown as Json }
      return unlessAbsent(this.#options.host.update(target, object, MANAGER)).pipe(
        Effect.map((written) => {
          if (recorded && written !== undefined) this.#dispatch(written, false)
          return undefined
        })
      )
    })

  /** A federated object that is being deleted goes when no copy is left, as far as anybody can tell; what cannot be told is written down. */
  #finish(key: string, federated: KubeObject): Effect.Effect<Reconciled, ApiFailure> {
    const left = visitedClusters(federated).filter((cluster) => this.reports.get(key, cluster)?.entry !== "gone")
    const { clockwork, deletionWaitMs = DELETION_WAIT_MS, host, tombstones } = this.#options
    const since = parseRfc3339(federated.metadata.deletionTimestamp ?? "") ?? 0
    const waitMs = since + deletionWaitMs - clockwork.now()
    const lost = left.filter((cluster) => this.#isLost(cluster))
    if (lost.length < left.length || (left.length > 0 && waitMs > 0)) {
      return this.#tellOfDeletion(key, federated, waitMs)
    }
    return Effect.gen({ self: this }, function* () {
      const type = this.#typeOf(federated)
      if (lost.length > 0 && type !== undefined) yield* tombstones.bury(federated, type, lost)
      const finalizers = finalizersWith(federated, [], [federationFinalizers.sync])
      if (finalizers === undefined) return undefined
      yield* unlessAbsent(patchRead(host, federatedTarget(key), federated, { metadata: { finalizers } }))
      return undefined
    })
  }

  #isLost(name: string): boolean {
    const cluster = this.#options.members().cluster(name)
    const queue = this.#queues.get(name)
    return cluster === undefined || !cluster.ready || queue === undefined || queue.member.client.circuit.isOpen
  }

  #tellOfDeletion(key: string, federated: KubeObject, waitMs: number): Effect.Effect<Reconciled, ApiFailure> {
    const status = this.reports.status(key, federated, this.#options.notes, this.#options.clockwork)
    const again = { requeueAfterMs: Math.max(1000, Math.min(waitMs, 10_000)) }
    if (sameStatus(federatedStatusOf(federated), status)) return Effect.succeed(again)
    const target = { ...federatedTarget(key), subresource: "status" }
    const object = { ...federated, status: status as unknown as Json }
    return Effect.as(unlessAbsent(this.#options.host.update(target, object, MANAGER)), again)
  }
}

const REMEMBERED: ReadonlySet<string> = new Set([
  federationControllers.scheduler,
  federationControllers.namespaceAutoPropagation
])
