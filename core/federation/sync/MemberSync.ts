// The loop of one member: it brings the copies there to what their federated objects say, each key by itself, and reports what it found.
// Owns creates, applies, adoptions and removals in this one member; refuses to know of others, so that a slow member holds up nobody.
// Nothing is written where the record says that all is well; nothing that is not ours is touched without being told to.
import { Effect } from "effect"
import {
  ApiFailure,
  type Clockwork,
  type ClockworkRuntime,
  type QueueController,
  type Informer,
  type JsonObject,
  type KubeObject,
  makeController,
  parseApiVersion,
  type Reconciled,
  splitKey
} from "#kube"
import { textOf } from "#apiserver"
import {
  type ClusterPropagation,
  federatedSpecOf,
  federatedStatusOf,
  placedClusters,
  type PropagationStatus
} from "../api/FederatedObject.ts"
import { federationAnnotations, federationLabels } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { isCentralized } from "../autoscaling/AutoscalerController.ts"
import { cascades } from "../clusters/ClusterController.ts"
import type { Member } from "../clusters/Member.ts"
import { templateKey } from "../federate/ObjectNames.ts"
import { pendingOf } from "../federate/PendingControllers.ts"
import type { TypeTable, TypeRules } from "../federate/TypeRules.ts"
import { isConflict, isNotFound, isThere, MANAGER, unlessAbsent } from "../HostCalls.ts"
import { digestOf, isStepwise, rolloutStep, withDigest, withOldTemplate } from "../rollout/ObjectRollout.ts"
import type { MemberReads } from "../status/MemberReads.ts"
import { textDigest } from "../planner/StableHash.ts"
import { desiredFor, hasMarks, retained, versionOf } from "./DesiredObject.ts"
import { isOrphaned, mayAdopt, possessionOf } from "./Possession.ts"
import type { Reports } from "./Reports.ts"
import type { OwnWrites } from "./OwnWrites.ts"

export interface MemberSyncOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly member: Member
  readonly writes: OwnWrites
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  /** Of FederatedClusters. */
  readonly clusters: Informer
  readonly types: (group: string, kind: string) => TypeConfig | undefined
  readonly rules: TypeTable
  readonly reports: Reports
  /** Copies in other members, for objects whose templates go from cluster to cluster. */
  readonly reads: Pick<MemberReads, "isCurrent" | "object">
  /** There is news of an object here. */
  readonly reported: (federatedKey: string) => void
  /** Hears of what keeps a copy from being as it should be. */
  readonly tell?: (problem: CopyProblem) => void
  /** Objects worked on at the same time. Default 32. */
  readonly workers?: number
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

/** Why a copy is not as it should be, where somebody should look. */
export interface CopyProblem {
  readonly federated: KubeObject
  readonly type: TypeConfig
  readonly cluster: string
  readonly status: PropagationStatus
  readonly message: string
}

/** What does not pass by itself. */
const TOLD: ReadonlySet<PropagationStatus> = new Set([
  "AlreadyExists",
  "ApplyOverridesFailed",
  "CreationFailed",
  "DeletionFailed",
  "LabelRemovalFailed",
  "ManagedLabelFalse",
  "UpdateFailed"
])

const WORKERS = 32
const NOT_READY_AGAIN_MS = 1000

/** What a look at one key works with. */
interface Work {
  readonly key: string
  readonly federated: KubeObject
  readonly type: TypeConfig
  readonly rules: TypeRules
  /** "namespace/name" of the copy. */
  readonly object: string
  /** Why the copy keeps its old pod template for now; absent: it does not. */
  readonly waits?: string
}

type Step = Effect.Effect<Reconciled, ApiFailure>

class MemberLoop {
  readonly #options: MemberSyncOptions

  constructor(options: MemberSyncOptions) {
    this.#options = options
  }

  reconcile = (key: string): Step =>
    Effect.suspend(() => {
      const federated = this.#federated(key)
      if (federated === undefined) return Effect.void
      const { template } = federatedSpecOf(federated)
      const { group } = parseApiVersion(textOf(template["apiVersion"]))
      const kind = textOf(template["kind"])
      const type = this.#options.types(group, kind)
      if (type === undefined) return Effect.void
      const { member } = this.#options
      const wait = member.client.circuit.waitMs()
      const work = { key, federated, type, rules: this.#options.rules.of(group, kind), object: templateKey(federated) }
      if (wait > 0) {
        this.#say(work, "ClusterNotReady", "the member does not answer")
        return Effect.succeed({ requeueAfterMs: wait + this.#options.clockwork.random() * NOT_READY_AGAIN_MS })
      }
      // The member tells when all that it has of the type is known, and this key comes again then.
      if (!member.hasSynced(type.type)) {
        member.follow(type.type)
        return Effect.void
      }
      return this.#bring(work)
    })

  #federated(key: string): KubeObject | undefined {
    for (const { store } of this.#options.objects) {
      const found = store.get(key)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** The copy as it was last seen, or as our own last write left it where that is newer. */
  #current({ object, type }: Work): KubeObject | undefined {
    const { member, writes } = this.#options
    return writes.newest(type.name, object, member.object(type.type, object))
  }

  #bring(work: Work): Step {
    const { clusters, member } = this.#options
    const { federated } = work
    if (federated.metadata.deletionTimestamp !== undefined) return this.#remove(work, true)
    const pending = pendingOf(federated.metadata.annotations)
    if (pending === undefined || pending.length > 0) return Effect.void
    const placed = placedClusters(federatedSpecOf(federated)).includes(member.name)
    if (!placed || isCentralized(federated)) return this.#remove(work, false)
    const cluster = clusters.store.get(member.name)
    if (cluster === undefined || cluster.metadata.uid !== member.uid) return Effect.void
    if (cluster.metadata.deletionTimestamp !== undefined) {
      // What is being left is brought nothing any more; the cascade empties it where it is told to.
      this.#say(
        work,
        cascades(cluster) ? "WaitingForCascadingDeletion" : "ClusterTerminating",
        "the cluster is leaving"
      )
      return Effect.void
    }
    if (federated.metadata.annotations?.[federationAnnotations.dryRun] === "true" && this.#current(work) === undefined)
      return Effect.void
    return this.#keep(work)
  }

  /** The copy is there and as it should be, after this. */
  #keep(work: Work): Step {
    const { member } = this.#options
    const desired = desiredFor(work.federated, work.type, member.name)
    if ("problem" in desired) {
      this.#say(work, "ApplyOverridesFailed", desired.problem)
      return Effect.void
    }
    const current = this.#current(work)
    const object = this.#digested(work, desired.object)
    if (current === undefined) return this.#create(work, object, desired.hash)
    // It is on its way out by somebody's hand; once gone, it is made anew.
    if (current.metadata.deletionTimestamp !== undefined) {
      this.#say(work, "WaitingForRemoval", "the copy is being deleted")
      return Effect.void
    }
    const held = this.#held(work, object, current)
    if (held === undefined) return this.#match(work, object, current, desired.hash)
    const hash = textDigest(`${desired.hash} with ${digestOf(current) ?? ""}`)
    return this.#match({ ...work, waits: held.why }, held.object, current, hash)
  }

  /** The copy is this after it, and is left alone where it is already. */
  #match(work: Work, desired: KubeObject, current: KubeObject, hash: string): Step {
    if (!this.#isUpToDate(work, hash, current) || !hasMarks(desired, current))
      return this.#apply(work, desired, current, hash)
    this.#done(work, current, hash)
    return Effect.void
  }

  /** A desired copy that tells which pod template it has, where templates go step by step. */
  #digested({ federated, rules }: Work, desired: KubeObject): KubeObject {
    const { podTemplate } = rules
    return podTemplate !== undefined && isStepwise(federated, rules) ? withDigest(desired, podTemplate) : desired
  }

  /** What the copy is to be for now, where it is not this cluster's turn to get a new pod template; undefined: it is. */
  #held(
    work: Work,
    desired: KubeObject,
    current: KubeObject
  ): { readonly object: KubeObject; readonly why: string } | undefined {
    const { member, reads } = this.#options
    const { federated, rules, type } = work
    const { podTemplate } = rules
    const there = digestOf(current)
    if (podTemplate === undefined || there === undefined || !isStepwise(federated, rules)) return undefined
    if (there === digestOf(desired)) return undefined
    const wanted = (cluster: string): string | undefined => {
      const made = cluster === member.name ? { object: desired } : desiredFor(federated, type, cluster)
      return "problem" in made ? undefined : digestOf(this.#digested(work, made.object))
    }
    const { go, why } = rolloutStep({ federated, type, rules, reads, wanted })
    return go.has(member.name) ? undefined : { object: withOldTemplate(desired, current, podTemplate), why }
  }

  #isUpToDate({ federated, key }: Work, hash: string, current: KubeObject): boolean {
    const { member, reports } = this.#options
    const news = reports.get(key, member.name)?.entry
    const known =
      news === undefined || news === "gone" || news.hash === undefined
        ? federatedStatusOf(federated).clusters?.find(({ cluster }) => cluster === member.name)
        : news
    return known?.hash === hash && known.version === versionOf(current)
  }

  #target({ object, type }: Work) {
    const { name, namespace } = splitKey(object)
    return { resource: type.type, namespace, name }
  }

  #create(work: Work, desired: KubeObject, hash: string): Step {
    const { member } = this.#options
    const { name: _name, ...collection } = this.#target(work)
    return member.effects.create(collection, desired, MANAGER).pipe(
      Effect.map((made) => this.#wrote(work, made, hash)),
      Effect.catch((failure) =>
        isThere(failure) ? this.#meet(work, desired, hash) : this.#failed(work, "CreationFailed", failure)
      )
    )
  }

  /** There is one already: ours that was not seen yet, one to be adopted, or somebody else's. */
  #meet(work: Work, desired: KubeObject, hash: string): Step {
    const { member } = this.#options
    return Effect.gen({ self: this }, function* () {
      const there = yield* unlessAbsent(member.effects.get(this.#target(work)))
      if (there === undefined) return { requeueAfterMs: 0 }
      const possession = possessionOf(there)
      if (possession === "managed") return yield* this.#apply(work, desired, there, hash)
      if (possession === "refused") {
        this.#say(work, "ManagedLabelFalse", `the member's object is labelled ${federatedLabel}=false`)
        return undefined
      }
      if (!mayAdopt(work.federated, member.name)) {
        this.#say(work, "AlreadyExists", "the member has an object of this name that is not ours")
        return { requeueAfterMs: ADOPT_AGAIN_MS }
      }
      const annotations = { ...desired.metadata.annotations, [federationAnnotations.adopted]: "true" }
      return yield* this.#apply(work, { ...desired, metadata: { ...desired.metadata, annotations } }, there, hash)
    })
  }

  /** Server-side apply: what we no longer want goes, what others added stays. */
  #apply(work: Work, desired: KubeObject, current: KubeObject, hash: string): Step {
    const { member } = this.#options
    const { federated, rules, type } = work
    const kept = retained(desired, current, federated, { rules, type })
    const { uid } = current.metadata
    const adopted = current.metadata.annotations?.[federationAnnotations.adopted]
    const annotations = {
      ...kept.metadata.annotations,
      ...(adopted === undefined ? {} : { [federationAnnotations.adopted]: adopted })
    }
    const { status: _status, ...rest } = kept
    const { managedFields: _fields, resourceVersion: _version, ...metadata } = kept.metadata
    const body = { ...rest, metadata: { ...metadata, annotations, ...(uid === undefined ? {} : { uid }) } }
    // SAFETY: an object is JSON.
    const patch = { type: "apply", body: body as unknown as JsonObject } as const
    return this.#takeOver(work, current).pipe(
      Effect.andThen(member.effects.patch(this.#target(work), patch, { ...MANAGER, force: true })),
      Effect.map((made) => this.#wrote(work, made, hash)),
      Effect.catch((failure) => this.#failed(work, "UpdateFailed", failure))
    )
  }

  /** What we created by a plain write is made ours as if it had been applied, so that what we drop later is dropped there too. */
  #takeOver(work: Work, { metadata }: KubeObject): Effect.Effect<void, ApiFailure> {
    const managers = metadata.managedFields ?? []
    const at = managers.findIndex(
      ({ manager, operation, subresource = "" }) =>
        manager === MANAGER.fieldManager && operation === "Update" && subresource === ""
    )
    const applied = managers.some(({ manager, operation }) => manager === MANAGER.fieldManager && operation === "Apply")
    if (at < 0 || applied) return Effect.void
    const entry = `/metadata/managedFields/${at}`
    const body = [
      { op: "test", path: "/metadata/uid", value: metadata.uid ?? "" },
      { op: "test", path: `${entry}/manager`, value: MANAGER.fieldManager },
      { op: "test", path: `${entry}/operation`, value: "Update" },
      { op: "replace", path: `${entry}/operation`, value: "Apply" }
    ]
    return Effect.asVoid(this.#options.member.effects.patch(this.#target(work), { type: "json", body }, MANAGER)).pipe(
      // Somebody wrote meanwhile and the entry stands elsewhere; the next look finds it there.
      Effect.catch((failure) => (failure.code === 422 ? Effect.void : Effect.fail(failure)))
    )
  }

  #wrote(work: Work, made: KubeObject, hash: string): Reconciled {
    this.#options.writes.note(work.type.name, work.object, made)
    this.#done(work, made, hash)
    return undefined
  }

  /** The copy is not there, after this: deleted, or let go where it is to be orphaned. */
  #remove(work: Work, orphans: boolean): Step {
    const { member, writes } = this.#options
    const current = this.#current(work)
    if (current === undefined) {
      this.#gone(work)
      return Effect.void
    }
    if (possessionOf(current) !== "managed") {
      this.#gone(work)
      return Effect.void
    }
    if (orphans && isOrphaned(work.federated, current)) return this.#release(work, current)
    if (current.metadata.deletionTimestamp !== undefined) {
      this.#say(work, "WaitingForRemoval", "the copy is being deleted")
      return Effect.void
    }
    const { uid } = current.metadata
    const options = {
      propagationPolicy: "Background" as const,
      ...(uid === undefined ? {} : { preconditions: { uid } })
    }
    return unlessAbsent(member.effects.delete(this.#target(work), options)).pipe(
      Effect.map((answer) => {
        if (answer === undefined) {
          writes.deleted(work.type.name, work.object)
          if (member.object(work.type.type, work.object) === undefined) this.#gone(work)
          return undefined
        }
        this.#say(work, "WaitingForRemoval", "the copy is being deleted")
        return undefined
      }),
      Effect.catch((failure) => this.#failed(work, "DeletionFailed", failure))
    )
  }

  /** The copy stays and is nobody's of ours any more. */
  #release(work: Work, current: KubeObject): Step {
    const { member, writes } = this.#options
    const { uid } = current.metadata
    const body = {
      metadata: {
        ...(uid === undefined ? {} : { uid }),
        labels: { [federationLabels.managed]: null },
        annotations: { [federationAnnotations.adopted]: null, [federationAnnotations.sourceGeneration]: null }
      }
    }
    return unlessAbsent(member.effects.patch(this.#target(work), { type: "merge", body }, MANAGER)).pipe(
      Effect.map(() => {
        writes.deleted(work.type.name, work.object)
        this.#gone(work)
        return undefined
      }),
      Effect.catch((failure) => this.#failed(work, "LabelRemovalFailed", failure))
    )
  }

  #report(work: Work, entry: ClusterPropagation | "gone"): void {
    const { member, reported, reports } = this.#options
    reports.set(work.key, member.name, { entry, generation: work.federated.metadata.generation ?? 0 })
    reported(work.key)
  }

  #done(work: Work, object: KubeObject, hash: string): void {
    const { generation } = object.metadata
    this.#report(work, {
      cluster: this.#options.member.name,
      status: work.waits === undefined ? "OK" : "WaitingForRollout",
      ...(work.waits === undefined ? {} : { message: work.waits }),
      ...(generation === undefined ? {} : { lastObservedGeneration: generation }),
      version: versionOf(object),
      hash
    })
  }

  #gone(work: Work): void {
    this.#report(work, "gone")
  }

  /** What stands in the way; what was written last stays known. */
  #say(work: Work, status: PropagationStatus, message: string): void {
    const { member, reports, tell } = this.#options
    const { federated, type } = work
    if (TOLD.has(status)) tell?.({ federated, type, cluster: member.name, status, message })
    const news = reports.get(work.key, member.name)?.entry
    const before =
      news === undefined || news === "gone"
        ? federatedStatusOf(work.federated).clusters?.find(({ cluster }) => cluster === member.name)
        : news
    this.#report(work, { ...before, cluster: member.name, status, message })
  }

  #failed(work: Work, status: PropagationStatus, failure: ApiFailure): Step {
    if (failure.code === 503 || failure.code === 504) this.#say(work, "ClusterNotReady", failure.message)
    else if (!isConflict(failure) && !isNotFound(failure)) this.#say(work, status, failure.message)
    else if (isNotFound(failure)) this.#say(work, status, failure.message)
    return Effect.fail(failure)
  }
}

const federatedLabel = federationLabels.managed
/** How often it is looked again whether somebody else's object has made way. */
const ADOPT_AGAIN_MS = 30_000

/** The controller of a member, waiting to be started; whoever made it says which keys need work. */
export const makeMemberSync = (options: MemberSyncOptions): QueueController => {
  const loop = new MemberLoop(options)
  return makeController({
    name: `sync/${options.member.name}`,
    clockwork: options.clockwork,
    runtime: options.runtime,
    watches: [],
    workers: options.workers ?? WORKERS,
    limits: { baseMs: 50, maxMs: 60_000, perSecond: Infinity, burst: 0 },
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: loop.reconcile
  })
}
