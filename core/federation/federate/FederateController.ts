// The loop from sources to federated objects: each source has one, composed anew whenever the source, its policies or the clusters change,
// and written only when it differs.
// Owns writes to federated objects' specs and to the two marks on sources (finalizer and feedback); refuses to touch members. A
// federated object is deleted only when the host itself says that the source is gone.
import { Effect } from "effect"
import { numberOf } from "#apiserver"
import {
  type ApiFailure,
  type Cancel,
  type Clockwork,
  type ClockworkRuntime,
  type QueueController,
  controllerOf,
  type EffectClient,
  type Informer,
  type JsonObject,
  type KubeObject,
  makeController,
  objectKey,
  type Reconciled
} from "#kube"
import { federatedSpecOf, federatedStatusOf, placedClusters } from "../api/FederatedObject.ts"
import {
  federationAnnotations,
  federationFinalizers,
  federationLabels,
  SYSTEM_NAMESPACE
} from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { isSameFleet } from "../scheduling/Fleet.ts"
import { storedPlacementOf } from "../scheduling/StoredPlacement.ts"
import type { Members } from "../clusters/Members.ts"
import {
  defaultEvictionOptions,
  type EvictionBudget,
  type EvictionOptions,
  fullBudget,
  takeEviction
} from "../failover/EvictionBudget.ts"
import { type Happening, named } from "../events/HostEvents.ts"
import { find, finalizersWith, MANAGER, patchRead, unlessAbsent } from "../HostCalls.ts"
import { type Composed, composeFederated, isSameFederated, replicasPath } from "./Composition.ts"
import type { Decisions } from "./Decisions.ts"
import type { FederatedTypes } from "./FederatedTypes.ts"
import type { Notes } from "./Notes.ts"
import { isOwnNamespace } from "./NamespacePropagation.ts"
import { federatedKey, federatedTarget, sourceKey, splitSourceKey, templateKey } from "./ObjectNames.ts"
import { samePlacementText, schedulingText } from "./PlacementRecord.ts"
import { OwnWrites } from "../sync/OwnWrites.ts"
import type { Policies } from "./Policies.ts"
import { isUnseen, jsonAt, ofGeneration } from "./Template.ts"
import type { TypeTable } from "./TypeRules.ts"

export interface FederateOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly host: EffectClient
  readonly types: FederatedTypes
  readonly rules: TypeTable
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  readonly policies: Policies
  readonly members: Members
  readonly decisions: Decisions
  readonly notes: Notes
  /** Whether this process handles an object, by its federated object's key. Default: all. */
  readonly owns?: (federatedKey: string) => boolean
  /** Whether a namespace goes nowhere by itself from now on. */
  readonly excludesNamespace?: (name: string) => boolean
  /** How fast objects may be moved from lost clusters, all together. */
  readonly evictions?: EvictionOptions
  /** Sources worked on at the same time. Default 32. */
  readonly workers?: number
  /** Hears of what keeps a source from going where it should. */
  readonly tell?: (happening: Happening) => void
  /** A source has another generation that changes nothing for members: only its status has to say that it is seen. */
  readonly onCounted?: (federatedKey: string) => void
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

export interface FederateController extends QueueController {
  /** A source was seen; `initial`: before anybody looked. */
  readonly sourceSeen: (type: TypeConfig, source: KubeObject, initial: boolean) => void
}

const WORKERS = 32
/** News of clusters within this time are one: all objects are looked at once, behind what users wait for. */
const FLEET_SETTLES_MS = 250
/** How often it is looked whether an object finds room, or whether what replaces a cluster is ready, without news. */
const WAITING_AGAIN_MS = 30_000
const LEAVING_AGAIN_MS = 5000
const OBJECTS = "federated"
const POLICY_INDEX = "federation/policy"

/** The policies that an object names, as index values. */
const policyNames = ({ metadata: { labels = {}, namespace = "" } }: KubeObject): ReadonlyArray<string> =>
  (
    [
      [federationLabels.propagationPolicy, "PropagationPolicy", namespace],
      [federationLabels.clusterPropagationPolicy, "ClusterPropagationPolicy", ""],
      [federationLabels.overridePolicy, "OverridePolicy", namespace],
      [federationLabels.clusterOverridePolicy, "ClusterOverridePolicy", ""]
    ] as const
  ).flatMap(([label, kind, scope]) => (labels[label] === undefined ? [] : [`${kind}/${scope}/${labels[label]}`]))

class FederateLoop {
  readonly #options: FederateOptions
  /** What was written and not seen yet: a source is often looked at again before its federated object has come back. */
  readonly #writes: OwnWrites
  #evictions: EvictionBudget

  constructor(options: FederateOptions) {
    this.#options = options
    this.#writes = new OwnWrites(options.clockwork)
    this.#evictions = fullBudget(options.clockwork.now(), options.evictions ?? defaultEvictionOptions)
    for (const { store } of options.objects) store.addIndex(POLICY_INDEX, policyNames)
  }

  /** The keys of sources of federated objects that a policy may concern: those that name it, or all that name none. */
  keysOf(policy: KubeObject): ReadonlyArray<string> {
    const { kind } = policy
    const named = `${kind}/${policy.metadata.namespace ?? ""}/${policy.metadata.name ?? ""}`
    const selects = kind === "SchedulingProfile" || kind.endsWith("PropagationPolicy")
    return this.#options.objects.flatMap(({ store }) => {
      const found = selects ? [...store.all()] : store.byIndex(POLICY_INDEX, named)
      return found
        .filter((object) => {
          const names = policyNames(object)
          return !selects || names.length === 0 || kind === "SchedulingProfile" || names.includes(named)
        })
        .flatMap((object) => this.keyOf(object) ?? [])
    })
  }

  /** The key of the source of a federated object. */
  keyOf = (federated: KubeObject): string | undefined => {
    const { apiVersion = "", kind = "" } = federatedSpecOf(federated).template as {
      readonly apiVersion?: string
      readonly kind?: string
    }
    const slash = apiVersion.indexOf("/")
    const type = this.#options.types.ofKind(slash < 0 ? "" : apiVersion.slice(0, slash), kind)
    return type === undefined ? undefined : sourceKey(type.name, templateKey(federated))
  }

  reconcile = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const { type: name, object } = splitSourceKey(key)
      const { types } = this.#options
      const type = types.named(name)
      const informer = types.informer(name)
      if (type === undefined || informer === undefined || !informer.hasSynced) return Effect.void
      const wanted = federatedKey(type, object)
      if (this.#options.owns?.(wanted) === false) return Effect.void
      const source = informer.store.get(object)
      const federated = this.#federated(wanted)
      if (source === undefined) return this.#orphaned(type, object, federated)
      if (source.metadata.deletionTimestamp !== undefined) return this.#leave(type, source, federated)
      if (!this.#carries(type, source)) return federated === undefined ? Effect.void : this.#remove(federated)
      return this.#compose(type, source, wanted, federated)
    })

  #federated(key: string): KubeObject | undefined {
    let seen: KubeObject | undefined
    for (const { store } of this.#options.objects) seen ??= store.get(key)
    const newest = this.#writes.newest(OBJECTS, key, seen)
    if (newest === seen) this.#writes.deleted(OBJECTS, key)
    return newest
  }

  /** Whether a source is one that goes anywhere at all. */
  #carries({ type }: TypeConfig, { metadata }: KubeObject): boolean {
    const { annotations, name = "", namespace } = metadata
    if (namespace === SYSTEM_NAMESPACE) return false
    if ((annotations?.[federationAnnotations.noFederatedResource] ?? "") !== "") return false
    if (type.group === "" && type.kind === "Namespace" && isOwnNamespace(name)) return false
    return this.#options.rules.of(type.group, type.kind).local === undefined && !isMadeByEach(type.kind, name)
  }

  /** The source is not in the cache: the host is asked, because what is deleted on doubt does not come back. */
  #orphaned(type: TypeConfig, object: string, federated: KubeObject | undefined): Effect.Effect<void, ApiFailure> {
    if (federated === undefined || federated.metadata.deletionTimestamp !== undefined) return Effect.void
    const { host } = this.#options
    const slash = object.indexOf("/")
    const target = {
      resource: type.type,
      namespace: slash < 0 ? "" : object.slice(0, slash),
      name: object.slice(slash + 1)
    }
    return Effect.flatMap(find(host, target), (found) => (found === undefined ? this.#remove(federated) : Effect.void))
  }

  #remove(federated: KubeObject): Effect.Effect<void, ApiFailure> {
    if (federated.metadata.deletionTimestamp !== undefined) return Effect.void
    const { uid } = federated.metadata
    this.#options.members.release(objectKey(federated))
    this.#writes.deleted(OBJECTS, objectKey(federated))
    return Effect.asVoid(
      unlessAbsent(
        this.#options.host.delete(
          federatedTarget(objectKey(federated)),
          uid === undefined ? {} : { preconditions: { uid } }
        )
      )
    )
  }

  /** The source is being deleted: it waits until its copies are gone, and their record with them. */
  #leave(type: TypeConfig, source: KubeObject, federated: KubeObject | undefined): Effect.Effect<void, ApiFailure> {
    const mine = federated !== undefined && controllerOf(federated)?.uid === source.metadata.uid
    if (mine) return this.#remove(federated)
    const finalizers = finalizersWith(source, [], [federationFinalizers.federate])
    if (finalizers === undefined) return Effect.void
    const { host } = this.#options
    // What the cache does not show may be there all the same, made a moment ago.
    return Effect.flatMap(find(host, federatedTarget(federatedKey(type, objectKey(source)))), (found) =>
      found !== undefined && controllerOf(found)?.uid === source.metadata.uid
        ? this.#remove(found)
        : Effect.asVoid(unlessAbsent(patchRead(host, targetOf(type, source), source, { metadata: { finalizers } })))
    )
  }

  #compose(
    type: TypeConfig,
    source: KubeObject,
    key: string,
    federated: KubeObject | undefined
  ): Effect.Effect<Reconciled, ApiFailure> {
    const { clockwork, decisions, excludesNamespace, members, notes, policies, rules } = this.#options
    return Effect.gen({ self: this }, function* () {
      if (federated !== undefined && controllerOf(federated)?.uid !== source.metadata.uid) {
        // Of a source of the same name that is gone, or of another one whose name comes to the same: it goes first.
        if (controllerOf(federated)?.name === source.metadata.name) yield* this.#remove(federated)
        return { requeueAfterMs: 1000 }
      }
      if (federated?.metadata.deletionTimestamp !== undefined) return { requeueAfterMs: 1000 }
      const sources = { type, rules: rules.of(type.type.group, type.type.kind), source, federated }
      const composed = yield* composeFederated(sources, {
        decisions,
        policies,
        fleet: members.fleet,
        nowMs: clockwork.now(),
        ready: (object) => this.#ready(type, object),
        evict: this.#evict,
        ...(excludesNamespace && { excludesNamespace })
      })
      // A mark may count as a generation of the source: what is made after it is made of that one.
      const marked = federated === undefined ? yield* this.#mark(type, source, composed.federated) : source
      if (marked === undefined) return undefined
      const made = federated === undefined ? ofGeneration(composed.federated, marked) : composed.federated
      const written = yield* this.#write(key, federated, made)
      this.#reserve(key, type, composed)
      this.#note(key, composed, named(source, type))
      if (federated !== undefined) yield* this.#mark(type, source, written)
      if (isUnseen(source, written)) this.#options.onCounted?.(key)
      const { wakeAtMs = Infinity, waiting = false } = composed.outcome ?? {}
      const leaves = composed.federated.metadata.annotations?.[federationAnnotations.leavingClusters] !== undefined
      const againMs = Math.min(
        Math.min(wakeAtMs, composed.evictAtMs) - clockwork.now(),
        waiting ? WAITING_AGAIN_MS : leaves ? LEAVING_AGAIN_MS : Infinity
      )
      return againMs === Infinity ? undefined : { requeueAfterMs: Math.max(1, againMs) }
    }).pipe(Effect.onError(() => Effect.sync(() => notes.forget(key))))
  }

  /** What was placed takes room from now on, long before its members show it. */
  #reserve(key: string, config: TypeConfig, { federated, takes }: Composed): void {
    if (takes === undefined || takes.clusters.length === 0) return
    const { members, rules } = this.#options
    const { paths, type } = config
    const copy = templateKey(federated)
    const path =
      paths.replicasStatus === "" ? rules.of(type.group, type.kind).replicas?.status : paths.replicasStatus.split(".")
    members.reserve(key, takes.request, takes.clusters, ({ cluster, total }) => {
      const object = members.object(cluster, type, copy)
      // SAFETY: objects are JSON values.
      return path !== undefined && numberOf(jsonAt(object as unknown as JsonObject, path)) >= total
    })
  }

  #evict = (): number | undefined => {
    const { clockwork, evictions = defaultEvictionOptions } = this.#options
    const taken = takeEviction(this.#evictions, clockwork.now(), evictions)
    this.#evictions = taken.budget
    return taken.allowed ? undefined : taken.retryAtMs
  }

  /** Ready replicas of copies that are known to be as they are to be; of clusters that are being left as they are. */
  #ready({ paths, type }: TypeConfig, federated: KubeObject): ReadonlyMap<string, number> {
    const { members, rules } = this.#options
    const { clusters, syncedGeneration } = federatedStatusOf(federated)
    const { health, replicas } = rules.of(type.group, type.kind)
    const path = paths.readyReplicasStatus === "" ? replicas?.ready : paths.readyReplicasStatus.split(".")
    const ready = new Map<string, number>()
    for (const { cluster, status } of clusters ?? []) {
      const copy = members.object(cluster, type, templateKey(federated))
      if (copy === undefined || !members.isCurrent(cluster, type)) continue
      const isDone = status === "OK" && syncedGeneration === federated.metadata.generation
      // SAFETY: objects are JSON values.
      const object = copy as unknown as JsonObject
      const { state } = health(object)
      const isWell = state === "Healthy" || state === "Unknown"
      const count = path === undefined ? (isWell ? 1 : 0) : numberOf(jsonAt(object, path))
      ready.set(cluster, isDone || isLeft(federated, cluster) ? count : 0)
    }
    return ready
  }

  #write(key: string, before: KubeObject | undefined, after: KubeObject): Effect.Effect<KubeObject, ApiFailure> {
    const { host } = this.#options
    const target = federatedTarget(key)
    if (before !== undefined && isSameFederated(before, after)) return Effect.succeed(before)
    return (before === undefined ? host.create(target, after, MANAGER) : host.update(target, after, MANAGER)).pipe(
      Effect.tap((written) => Effect.sync(() => this.#writes.note(OBJECTS, key, written))),
      // Whatever stands in the way, it is what the host says.
      Effect.tapError(() => Effect.sync(() => this.#writes.deleted(OBJECTS, key)))
    )
  }

  #note(key: string, { outcome, overrideProblem }: Composed, about: KubeObject): void {
    const { notes, tell } = this.#options
    const warn = (component: string, reason: string, message: string): void =>
      tell?.({ about, type: "Warning", reason, message, component })
    if (outcome !== undefined) {
      const { message, reason, scheduled } = outcome
      if (reason !== "NoPolicy" && reason !== "NotAsked") {
        notes.note(key, { type: "Scheduled", status: scheduled ? "True" : "False", reason, message })
        if (!scheduled) warn("kubeadmiral-scheduler", reason, message)
      }
    }
    if (overrideProblem !== "") {
      const reason = "OverrideFailed"
      notes.note(key, { type: "Overridden", status: "False", reason, message: overrideProblem })
      warn("kubeadmiral-overridepolicy", reason, overrideProblem)
    } else if (notes.has(key, "Overridden"))
      notes.note(key, { type: "Overridden", status: "True", reason: "Overridden", message: "" })
  }

  /** What users see of it on the source: where it went; and it stays until its copies are gone. Answers the source as it is then. */
  #mark(
    type: TypeConfig,
    source: KubeObject,
    federated: KubeObject
  ): Effect.Effect<KubeObject | undefined, ApiFailure> {
    const clusters = placedClusters(federatedSpecOf(federated))
    const path = replicasPath(type, this.#options.rules.of(type.type.group, type.type.kind))
    const text = schedulingText(
      source,
      federated.metadata.generation ?? 1,
      clusters,
      storedPlacementOf(federated, path?.join(".") ?? "")
    )
    const finalizers = clusters.length === 0 ? undefined : finalizersWith(source, [federationFinalizers.federate])
    const told = source.metadata.annotations?.[federationAnnotations.scheduling]
    const isNews = told === undefined ? clusters.length > 0 : !samePlacementText(told, text)
    if (finalizers === undefined && !isNews) return Effect.succeed(source)
    const metadata = {
      ...(isNews ? { annotations: { [federationAnnotations.scheduling]: text } } : {}),
      ...(finalizers === undefined ? {} : { finalizers })
    }
    return unlessAbsent(patchRead(this.#options.host, targetOf(type, source), source, { metadata }))
  }
}

const isLeft = (federated: KubeObject, cluster: string): boolean =>
  storedPlacementOf(federated, "").leaving.has(cluster)

const targetOf = ({ type }: TypeConfig, { metadata }: KubeObject) => ({
  resource: type,
  namespace: metadata.namespace ?? "",
  name: metadata.name ?? ""
})

/** Objects that every cluster makes for itself in each namespace. */
const isMadeByEach = (kind: string, name: string): boolean =>
  (kind === "ConfigMap" && name === "kube-root-ca.crt") || (kind === "ServiceAccount" && name === "default")

/** The controller, waiting to be started. */
export const makeFederateController = (options: FederateOptions): FederateController => {
  const loop = new FederateLoop(options)
  const { clockwork, members, objects, policies, types } = options
  const controller = makeController({
    name: "federate",
    clockwork,
    runtime: options.runtime,
    watches: objects.map((informer) => ({ informer, keys: loop.keyOf, changed: specChanged, initialLast: true })),
    workers: options.workers ?? WORKERS,
    limits: { baseMs: 20, maxMs: 60_000, perSecond: Infinity, burst: 0 },
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: loop.reconcile
  })
  const everything = (): void => {
    for (const type of types.all()) {
      for (const key of types.informer(type.name)?.store.keys() ?? []) controller.enqueueLast(sourceKey(type.name, key))
    }
  }
  const cancels: Array<Cancel> = []
  let settling = false
  let known = members.fleet
  return {
    ...controller,
    start: () => {
      cancels.push(
        policies.onChange((policy) => {
          for (const key of loop.keysOf(policy)) controller.enqueue(key)
        }),
        members.onFleetChange(() => {
          if (settling) return
          settling = true
          clockwork.after(FLEET_SETTLES_MS, () => {
            settling = false
            const before = known
            known = members.fleet
            if (!isSameFleet(before, known)) everything()
          })
        })
      )
      controller.start()
    },
    stop: () => {
      for (const cancel of cancels.splice(0)) cancel()
      controller.stop()
    },
    sourceSeen: (type, source, initial) => {
      const key = sourceKey(type.name, objectKey(source))
      if (initial) controller.enqueueLast(key)
      else controller.enqueue(key)
    }
  }
}

/** Whether a federated object's change is one that composing must look at: its status is not, except that it was synced or left. */
const specChanged = (before: KubeObject, after: KubeObject): boolean =>
  before.metadata.generation !== after.metadata.generation ||
  before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
  JSON.stringify(before.metadata.annotations) !== JSON.stringify(after.metadata.annotations)
