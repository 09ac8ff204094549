// One look at one StatefulSet: revisions first, then its pods in their order, then the rolling update, then the status.
// Owns this order, by upstream's stateful set control: what is missing is made from the first on, what is too much goes from the last
// on, and in order nothing goes on before all that comes first is running and available.
import { Effect } from "effect"
import {
  type ApiFailure,
  type EffectClient,
  type JsonObject,
  type KubeObject,
  type LabelSelector,
  labelSelectorOf,
  type Reconciled,
  SelectorInvalid
} from "#kube"
import { claim } from "../Ownership.ts"
import { podResource } from "../PodControl.ts"
import { availableInMs, isAvailable, isTerminal, phaseOf } from "../PodFacts.ts"
import { definedFields } from "./DeploymentStatus.ts"
import {
  claimRevisions,
  holdsTemplate,
  makeRevision,
  renumberRevision,
  type RevisionOwner,
  templateOfRevision,
  truncateRevisions
} from "./Revisions.ts"
import { scaled } from "./RolloutMath.ts"
import { writeStatus } from "./StatusWriter.ts"
import type { StatefulCalls } from "./StatefulCalls.ts"
import {
  hasIdentity,
  hasStorage,
  isCreated,
  isInRange,
  isMember,
  isRunningAndReady,
  newStatefulPod,
  podOrdinal,
  revisionOfPod,
  startOf
} from "./StatefulPods.ts"
import {
  counted,
  replicasOf,
  type Revision,
  type StatefulSet,
  statefulSetKind,
  statefulSetResource,
  type StatefulSetStatus
} from "./Workloads.ts"

export interface StatefulSources {
  readonly client: EffectClient
  readonly calls: StatefulCalls
  readonly now: () => number
  /** Hears of a status that was written. */
  readonly wrote: (set: StatefulSet, after: KubeObject | undefined) => void
  readonly podCandidates: (set: StatefulSet) => ReadonlyArray<KubeObject>
  readonly revisionCandidates: (set: StatefulSet) => ReadonlyArray<KubeObject>
}

/** A set as this look found it. */
interface Look {
  readonly set: StatefulSet
  readonly now: number
  readonly current: Revision
  readonly update: Revision
  readonly collisions: number
  /** By their number from the first on; planned ones where there is none. */
  readonly replicas: Array<KubeObject>
  /** Beyond the range, the last first. */
  readonly condemned: ReadonlyArray<KubeObject>
  /** Pods of the current revision that this look deletes. */
  taken: number
}

type Step<A = void> = Effect.Effect<A, ApiFailure>

/** Whether the look ends here, in order. */
type Halt = boolean

const isLeaving = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

const isParallel = ({ spec }: StatefulSet): boolean => spec.podManagementPolicy === "Parallel"

export class StatefulSync {
  readonly #from: StatefulSources

  constructor(from: StatefulSources) {
    this.#from = from
  }

  sync = Effect.fnUntraced({ self: this }, function* (this: StatefulSync, set: StatefulSet): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    const { client, now, podCandidates, revisionCandidates, wrote } = this.#from
    const selector = labelSelectorOf(set.spec.selector)
    if (selector instanceof SelectorInvalid) return
    const owner: RevisionOwner = {
      object: set,
      kind: statefulSetKind,
      resource: statefulSetResource,
      selector,
      hashLabel: "controller.kubernetes.io/hash"
    }
    const revisions = yield* claimRevisions(client, owner, revisionCandidates(set))
    const pods = yield* this.#claimPods(set, selector, podCandidates(set))
    const { collisions, current, update } = yield* this.#revisions(owner, set, revisions)
    const look = this.#look(set, pods, { current, update, collisions }, now())
    const end = yield* Effect.result(set.metadata.deletionTimestamp === undefined ? this.#proceed(look) : Effect.void)
    const status = this.#status(look)
    wrote(set, yield* writeStatus(client, statefulSetResource, set, status))
    if (end._tag === "Failure") return yield* Effect.fail(end.failure)
    const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionOfPod)])
    const limit = set.spec.revisionHistoryLimit ?? 10
    yield* truncateRevisions(client, revisions, ({ metadata }) => live.has(metadata.name), limit)
    return this.#recheck(look, status)
  })

  #claimPods(
    set: StatefulSet,
    selector: LabelSelector,
    candidates: ReadonlyArray<KubeObject>
  ): Step<ReadonlyArray<KubeObject>> {
    return claim(
      {
        client: this.#from.client,
        owner: set,
        ownerKind: statefulSetKind,
        ownerResource: statefulSetResource,
        resource: podResource,
        matches: (labels, pod) => selector.matches(labels) && isMember(set, pod)
      },
      candidates
    )
  }

  /** The revision that pods have, and the one that they get. */
  #revisions = Effect.fnUntraced(
    { self: this },
    function* (
      this: StatefulSync,
      owner: RevisionOwner,
      set: StatefulSet,
      revisions: ReadonlyArray<Revision>
    ): Effect.fn.Return<{ current: Revision; update: Revision; collisions: number }, ApiFailure> {
      const { client } = this.#from
      const collisions = set.status?.collisionCount ?? 0
      const newest = revisions.at(-1)
      const next = (newest?.revision ?? 0) + 1
      const equal = revisions.findLast((revision) => holdsTemplate(revision, set.spec.template))
      const found =
        equal === undefined
          ? yield* makeRevision(client, owner, next, collisions)
          : { revision: equal === newest ? equal : yield* renumberRevision(client, equal, next), collisions }
      const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision)
      return { current: current ?? found.revision, update: found.revision, collisions: found.collisions }
    }
  )

  #look(
    set: StatefulSet,
    pods: ReadonlyArray<KubeObject>,
    revisions: Pick<Look, "current" | "update" | "collisions">,
    now: number
  ): Look {
    const start = startOf(set)
    const standing = new Map<number, KubeObject>()
    const condemned: Array<KubeObject> = []
    for (const pod of pods) {
      if (isInRange(set, pod)) standing.set(podOrdinal(pod) - start, pod)
      else if (podOrdinal(pod) >= 0) condemned.push(pod)
    }
    const replicas = Array.from(
      { length: replicasOf(set) },
      (_, at) => standing.get(at) ?? plannedPod(set, revisions, start + at)
    )
    condemned.sort((a, b) => podOrdinal(b) - podOrdinal(a))
    return { set, now, ...revisions, replicas, condemned, taken: 0 }
  }

  #proceed = Effect.fnUntraced({ self: this }, function* (this: StatefulSync, look: Look): Effect.fn.Return<
    void,
    ApiFailure
  > {
    const { condemned, replicas, set } = look
    const first = firstUnavailable(look)
    if (yield* this.#each(set, replicas.length, (at) => this.#replica(look, at))) return
    const { calls } = this.#from
    for (const pod of condemned) if (!calls.areClaimsRight(set, pod)) yield* calls.fixClaims(set, pod)
    if (yield* this.#each(set, condemned.length, (at) => this.#condemned(look, at, first))) return
    if (set.spec.updateStrategy?.type !== "OnDelete") yield* this.#roll(look)
  })

  /** One after another until one halts, or in growing batches. */
  #each(set: StatefulSet, count: number, step: (at: number) => Step<Halt>): Step<Halt> {
    return isParallel(set) ? inBatches(count, step) : inOrder(count, step)
  }

  #replica = Effect.fnUntraced(
    { self: this },
    function* (this: StatefulSync, { now, replicas, set }: Look, at: number): Effect.fn.Return<Halt, ApiFailure> {
      const { calls } = this.#from
      const pod = replicas[at]
      if (pod === undefined) return false
      const isOrdered = !isParallel(set)
      if (isTerminal(pod)) {
        if (!isLeaving(pod)) yield* calls.delete(set, pod)
        return true
      }
      if (!isCreated(pod)) {
        if (calls.hasStaleClaim(set, pod)) return true
        yield* calls.create(set, pod)
        return isOrdered
      }
      if (phaseOf(pod) === "Pending") yield* calls.completeClaims(set, pod)
      const isBlocked =
        isLeaving(pod) || !isRunningAndReady(pod) || !isAvailable(pod, set.spec.minReadySeconds ?? 0, now)
      if (isOrdered && isBlocked) return true
      if (!(hasIdentity(set, pod) && hasStorage(set, pod) && calls.areClaimsRight(set, pod))) {
        yield* calls.conform(set, pod)
      }
      return false
    }
  )

  #condemned({ condemned, now, set }: Look, at: number, first: KubeObject | undefined): Step<Halt> {
    const pod = condemned[at]
    if (pod === undefined) return Effect.succeed(false)
    const isOrdered = !isParallel(set)
    if (isLeaving(pod)) return Effect.succeed(isOrdered)
    const isHealthy = isRunningAndReady(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, now)
    if (isOrdered && !isHealthy && pod !== first) return Effect.succeed(true)
    return Effect.as(this.#from.calls.delete(set, pod), true)
  }

  /** Deletes pods of other revisions, the last first, as many as may be missing; they come back with the new one. */
  #roll = Effect.fnUntraced({ self: this }, function* (this: StatefulSync, look: Look): Effect.fn.Return<
    void,
    ApiFailure
  > {
    const { replicas, set } = look
    const { partition = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {}
    const most = Math.max(1, scaled(maxUnavailable, replicasOf(set), false))
    const name = look.update.metadata.name
    const isMissing = (pod: KubeObject): boolean => isUnavailable(look, pod)
    const isOld = (pod: KubeObject): boolean => revisionOfPod(pod) !== name && !isLeaving(pod)
    const missing = replicas.filter(isMissing).length
    const useless = isParallel(set) ? replicas.filter((pod) => isMissing(pod) && isOld(pod)).length : 0
    if (missing >= most && useless === 0) return
    const last = replicas.slice(partition).reverse()
    let budget = most - missing
    if (isParallel(set)) {
      // First those that are of no use anyway: they cost nothing of what may be missing.
      for (const pod of last) if (isOld(pod) && isMissing(pod)) yield* this.#take(look, pod)
      for (const pod of last) {
        if (budget <= 0) return
        if (!isOld(pod) || isMissing(pod)) continue
        yield* this.#take(look, pod)
        budget--
      }
      return
    }
    for (const pod of last) {
      if (budget <= 0) return
      if (!isOld(pod)) continue
      yield* this.#take(look, pod)
      budget--
    }
  })

  #take(look: Look, pod: KubeObject): Step {
    return Effect.map(this.#from.calls.delete(look.set, pod), () => {
      look.taken++
    })
  }

  #status({ collisions, condemned, current, now, replicas, set, taken, update }: Look): StatefulSetStatus & JsonObject {
    const count = { all: 0, ready: 0, available: 0, current: 0, updated: 0 }
    const { minReadySeconds = 0 } = set.spec
    for (const pod of [...replicas, ...condemned]) {
      if (!isCreated(pod)) continue
      count.all++
      if (isRunningAndReady(pod)) {
        count.ready++
        if (isAvailable(pod, minReadySeconds, now)) count.available++
      }
      if (isLeaving(pod)) continue
      const revision = revisionOfPod(pod)
      if (revision === current.metadata.name) count.current++
      if (revision === update.metadata.name) count.updated++
    }
    const wanted = replicasOf(set)
    const isComplete = count.updated === wanted && count.ready === wanted && count.all === wanted
    return definedFields({
      observedGeneration: counted(set.metadata.generation ?? 0),
      replicas: count.all,
      readyReplicas: counted(count.ready),
      availableReplicas: count.available,
      currentReplicas: counted(isComplete ? count.updated : count.current - taken),
      updatedReplicas: counted(count.updated),
      currentRevision: (isComplete ? update : current).metadata.name,
      updateRevision: update.metadata.name,
      collisionCount: collisions,
      conditions: set.status?.conditions
    }) as StatefulSetStatus & JsonObject
  }

  #recheck({ condemned, now, replicas, set }: Look, status: StatefulSetStatus): Reconciled {
    const { minReadySeconds = 0 } = set.spec
    if (minReadySeconds === 0 || (status.readyReplicas ?? 0) === status.availableReplicas) return undefined
    const waits = [...replicas, ...condemned].flatMap((pod) => availableInMs(pod, minReadySeconds, now) ?? [])
    return { requeueAfterMs: waits.length === 0 ? minReadySeconds * 1000 : Math.min(...waits) }
  }
}

/** A pod that is not there yet, at the revision that its number has now. */
const plannedPod = (
  set: StatefulSet,
  { current, update }: Pick<Look, "current" | "update">,
  ordinal: number
): KubeObject => {
  const { rollingUpdate, type = "RollingUpdate" } = set.spec.updateStrategy ?? {}
  const kept = rollingUpdate === undefined ? (set.status?.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0)
  const revision = type === "RollingUpdate" && ordinal < startOf(set) + kept ? current : update
  const template = revision === update ? set.spec.template : templateOfRevision(revision)
  return newStatefulPod(set, template, revision.metadata.name ?? "", ordinal)
}

const isUnavailable = ({ now, set }: Look, pod: KubeObject): boolean =>
  isLeaving(pod) || !isAvailable(pod, set.spec.minReadySeconds ?? 0, now)

const firstUnavailable = (look: Look): KubeObject | undefined =>
  look.replicas.find((pod) => isUnavailable(look, pod)) ?? look.condemned.findLast((pod) => isUnavailable(look, pod))

const inOrder = Effect.fnUntraced(function* (
  count: number,
  step: (at: number) => Step<Halt>
): Effect.fn.Return<Halt, ApiFailure> {
  for (let at = 0; at < count; at++) if (yield* step(at)) return true
  return false
})

const BATCH_MAX = 500

/** Batches of 1, 2, 4 and so on; a failure ends them. What one step answers halts nobody else. */
const inBatches = Effect.fnUntraced(function* (
  count: number,
  step: (at: number) => Step<Halt>
): Effect.fn.Return<Halt, ApiFailure> {
  let from = 0
  for (let size = 1; from < count; size = Math.min(size * 2, BATCH_MAX)) {
    const batch = Array.from({ length: Math.min(size, count - from) }, (_, at) => from + at)
    const ends = yield* Effect.forEach(batch, (at) => Effect.result(step(at)), { concurrency: "unbounded" })
    for (const end of ends) if (end._tag === "Failure") return yield* Effect.fail(end.failure)
    from += batch.length
  }
  return false
})
