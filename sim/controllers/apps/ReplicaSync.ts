// One look at one ReplicaSet (or ReplicationController): pods are adopted, made and deleted until there are as many as it asks for,
// and its status tells how many there are.
// Owns these steps, by upstream's replica set controller; counts come from the tallies, so that a look costs what changed, not what is.
import { Effect } from "effect"
import {
  ApiFailure,
  type EffectClient,
  Failures,
  type GroupVersionResource,
  type JsonObject,
  type KubeObject,
  type LabelSelector,
  parseRfc3339,
  type Reconciled,
  rfc3339
} from "#kube"
import { podsToDelete } from "../ActivePods.ts"
import type { Expectations } from "../Expectations.ts"
import type { OwnerKind } from "../Owned.ts"
import { claim } from "../Ownership.ts"
import type { PodBatches } from "../PodBatches.ts"
import { podFromTemplate, podResource } from "../PodControl.ts"
import { type Condition, isActive, isTerminating } from "../PodFacts.ts"
import { findCondition, withCondition, withoutCondition } from "./Conditions.ts"
import { definedFields } from "./DeploymentStatus.ts"
import { writeStatus } from "./StatusWriter.ts"
import { emptyTally, nextReady, readySince, type ReplicaTallies, type Tally, tallyPod } from "./ReplicaTallies.ts"
import { counted, type ReplicaSet, type ReplicaSetStatus, replicasOf } from "./Workloads.ts"

/** What one of the two kinds has of its own. */
export interface ReplicaKind {
  readonly owner: OwnerKind
  readonly resource: GroupVersionResource
  /** Undefined when the selector cannot be read. */
  readonly selectorOf: (set: ReplicaSet) => LabelSelector | undefined
  /** Whether the status counts pods that were deleted and still run. */
  readonly tellsTerminating: boolean
}

export interface ReplicaSources {
  readonly kind: ReplicaKind
  readonly client: EffectClient
  readonly batches: PodBatches
  readonly expectations: Expectations
  readonly tallies: ReplicaTallies
  readonly now: () => number
  /** Hears of a status that was written. */
  readonly wrote: (set: ReplicaSet, after: KubeObject | undefined) => void
  readonly ownPods: (set: ReplicaSet) => ReadonlyArray<KubeObject>
  readonly orphans: (namespace: string) => ReadonlyArray<KubeObject>
  /** The pods of all sets with the same owner. */
  readonly related: (set: ReplicaSet) => Iterable<KubeObject>
}

/** Pods that one look makes or deletes at most. */
const BURST = 500

interface Seen {
  readonly tally: Tally
  /** Pods that have all labels of the template. */
  readonly labeled: number
  /** The active ones, where they were gone through: the informer may not show yet that some were adopted. */
  readonly pods?: ReadonlyArray<KubeObject>
}

const noConditions: ReadonlyArray<Condition> = []

/** Whether labels have all those of a template. */
export const hasLabelsOf = (set: ReplicaSet, pod: KubeObject): boolean => {
  const wanted = set.spec.template.metadata?.labels
  const labels = pod.metadata.labels
  for (const name in wanted) if (labels?.[name] !== wanted[name]) return false
  return true
}

export class ReplicaSync {
  readonly #from: ReplicaSources

  constructor(from: ReplicaSources) {
    this.#from = from
  }

  sync = Effect.fnUntraced({ self: this }, function* (this: ReplicaSync, set: ReplicaSet): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    const selector = this.#from.kind.selectorOf(set)
    if (selector === undefined) return
    const { deletionTimestamp, uid = "" } = set.metadata
    const isReady = this.#from.expectations.satisfied(uid)
    const tally = this.#from.tallies.of(uid)
    const seen = tally === undefined ? yield* this.#count(set, selector) : { tally, labeled: tally.active }
    // The tally goes on counting; this look works with what it saw.
    const now = this.#from.now()
    const { active, ready } = seen.tally
    const available = this.#available(set, seen.tally, now)
    const counts = { ...seen, active, ready, terminating: seen.tally.terminating, available: available.count }
    const failure = isReady && deletionTimestamp === undefined ? yield* this.#manage(set, active, seen.pods) : undefined
    const { client, expectations, kind, wrote } = this.#from
    const status = statusOf(set, counts, kind.tellsTerminating, failure, now)
    wrote(set, yield* writeStatus(client, kind.resource, set, status))
    if (failure !== undefined) return yield* Effect.fail(failure)
    // An event that never comes must not stop the set for ever.
    const waits = [available.nextInMs, expectations.satisfied(uid) ? undefined : expectations.expiresInMs(uid)]
    const next = waits.filter((wait) => wait !== undefined)
    return next.length === 0 ? undefined : { requeueAfterMs: Math.min(...next) }
  })

  /** Pod by pod, with adoption and release; afterwards the set is regular if nothing odd was found. */
  #count = Effect.fnUntraced(
    { self: this },
    function* (this: ReplicaSync, set: ReplicaSet, selector: LabelSelector): Effect.fn.Return<Seen, ApiFailure> {
      const { client, kind, orphans, ownPods, tallies } = this.#from
      const { namespace = "", uid = "" } = set.metadata
      const own = ownPods(set)
      const candidates = [...own, ...orphans(namespace)]
      const claimed = yield* claim(
        {
          client,
          owner: set,
          ownerKind: kind.owner,
          ownerResource: kind.resource,
          resource: podResource,
          matches: (labels) => selector.matches(labels)
        },
        candidates.filter(isActive)
      )
      const tally = emptyTally()
      let labeled = 0
      for (const pod of claimed) {
        tallyPod(tally, pod)
        if (hasLabelsOf(set, pod)) labeled++
      }
      const leaving = own.filter((pod) => isTerminating(pod) && selector.matches(pod.metadata.labels ?? {}))
      tally.terminating = leaving.length
      const isRegular = own.every((pod) => selector.matches(pod.metadata.labels ?? {}) && hasLabelsOf(set, pod))
      tallies.setOdd(uid, !isRegular)
      return { tally, labeled, pods: claimed }
    }
  )

  #available(set: ReplicaSet, tally: Tally, now: number): { readonly count: number; readonly nextInMs?: number } {
    const { minReadySeconds = 0 } = set.spec
    if (minReadySeconds === 0) return { count: tally.ready }
    const latest = rfc3339(now - minReadySeconds * 1000)
    const count = readySince(tally, latest)
    if (count === tally.ready) return { count }
    const next = parseRfc3339(nextReady(tally, latest) ?? "")
    const nextInMs = next === undefined ? minReadySeconds * 1000 : next + minReadySeconds * 1000 - now
    return { count, nextInMs: Math.max(1, nextInMs) }
  }

  /** Answers what went wrong, as the status will tell it. */
  #manage(
    set: ReplicaSet,
    active: number,
    pods: ReadonlyArray<KubeObject> | undefined
  ): Effect.Effect<ApiFailure | undefined> {
    const missing = replicasOf(set) - active
    if (missing > 0) return this.#create(set, Math.min(missing, BURST))
    if (missing === 0) return Effect.undefined
    return this.#delete(set, pods ?? this.#from.ownPods(set).filter(isActive), Math.min(-missing, BURST))
  }

  #create(set: ReplicaSet, count: number): Effect.Effect<ApiFailure | undefined> {
    const pod = podFromTemplate(set.spec.template, set, this.#from.kind.owner)
    const batch = { create: count, podAt: () => pod, remove: [] }
    return Effect.map(this.#from.batches.carryOut(set, batch), ({ created }) => created)
  }

  #delete(set: ReplicaSet, active: ReadonlyArray<KubeObject>, count: number): Effect.Effect<ApiFailure | undefined> {
    const { batches, now, related } = this.#from
    const remove = podsToDelete(active, count, related(set), now()).slice(0, count)
    return Effect.map(batches.carryOut(set, { create: 0, podAt: () => set, remove }), ({ removed }) =>
      removed === undefined
        ? undefined
        : Failures.generic(removed.code, removed.reason, `unable to delete pods: ${removed.message}`)
    )
  }
}

const statusOf = (
  set: ReplicaSet,
  counts: {
    readonly active: number
    readonly labeled: number
    readonly ready: number
    readonly available: number
    readonly terminating: number
  },
  tellsTerminating: boolean,
  failure: ApiFailure | undefined,
  nowMs: number
): ReplicaSetStatus & JsonObject => {
  const { active, available, labeled, ready, terminating } = counts
  const before = set.status?.conditions ?? noConditions
  let conditions = before
  if (failure === undefined) conditions = withoutCondition(before, "ReplicaFailure")
  else if (findCondition(before, "ReplicaFailure") === undefined) {
    conditions = withCondition(before, {
      type: "ReplicaFailure",
      status: "True",
      lastTransitionTime: rfc3339(nowMs),
      reason: active < replicasOf(set) ? "FailedCreate" : "FailedDelete",
      message: failure.message
    })
  }
  return definedFields({
    replicas: active,
    fullyLabeledReplicas: counted(labeled),
    readyReplicas: counted(ready),
    availableReplicas: counted(available),
    terminatingReplicas: tellsTerminating ? terminating : undefined,
    observedGeneration: counted(set.metadata.generation ?? 0),
    conditions: conditions.length === 0 ? undefined : conditions
  })
}
