// One look at one DaemonSet: its revisions, its pods on every node, the rolling update, and its status.
// Owns the order of these steps and the calls; which pods come and go is DaemonPlan.ts's to say.
import { Effect } from "effect"
import {
  ApiFailure,
  type EffectClient,
  type JsonObject,
  type KubeObject,
  type LabelSelector,
  labelSelectorOf,
  type Reconciled,
  SelectorInvalid
} from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import type { Expectations } from "../Expectations.ts"
import { claim } from "../Ownership.ts"
import type { PodBatches } from "../PodBatches.ts"
import { podFromTemplate, podResource } from "../PodControl.ts"
import { availableInMs, isAvailable, isReady, isTerminal } from "../PodFacts.ts"
import { boundTo, daemonTemplate, hashOfPod, isUpdated, placementOf, targetNode } from "./DaemonPlacement.ts"
import { byPlaceAndAge, type DaemonPlan, type DaemonView, planNodes, planRollout } from "./DaemonPlan.ts"
import { definedFields } from "./DeploymentStatus.ts"
import type { FailureBackoff } from "./FailureBackoff.ts"
import { writeStatus } from "./StatusWriter.ts"
import {
  claimRevisions,
  holdsTemplate,
  makeRevision,
  renumberRevision,
  type RevisionOwner,
  truncateRevisions
} from "./Revisions.ts"
import {
  counted,
  type DaemonSet,
  daemonSetKind,
  daemonSetResource,
  type DaemonSetStatus,
  type Revision,
  revisionResource
} from "./Workloads.ts"

export interface DaemonSources {
  readonly client: EffectClient
  readonly events: EventSink
  readonly batches: PodBatches
  readonly expectations: Expectations
  readonly backoff: FailureBackoff
  readonly now: () => number
  readonly nodes: () => ReadonlyArray<KubeObject>
  /** Hears of a status that was written. */
  readonly wrote: (set: DaemonSet, after: KubeObject | undefined) => void
  readonly podCandidates: (set: DaemonSet) => ReadonlyArray<KubeObject>
  readonly revisionCandidates: (set: DaemonSet) => ReadonlyArray<KubeObject>
  /** Wakes a set later. */
  readonly wakeIn: (set: DaemonSet, delayMs: number) => void
}

/** Pods that one look makes, or deletes, at most. */
const BURST = 250
const HASH = "controller-revision-hash"

type Step<A = void> = Effect.Effect<A, ApiFailure>

interface History {
  readonly current: Revision
  readonly old: ReadonlyArray<Revision>
  readonly collisions: number | undefined
}

export class DaemonSync {
  readonly #from: DaemonSources

  constructor(from: DaemonSources) {
    this.#from = from
  }

  sync = Effect.fnUntraced({ self: this }, function* (this: DaemonSync, set: DaemonSet): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    const { events, expectations } = this.#from
    if (Object.keys(set.spec.selector).length === 0) {
      const message = "This daemon set is selecting all pods. A non-empty selector is required."
      return events.event(set, "Warning", "SelectingAll", message)
    }
    const selector = labelSelectorOf(set.spec.selector)
    if (selector instanceof SelectorInvalid || set.metadata.deletionTimestamp !== undefined) return
    const { uid = "" } = set.metadata
    const pods = yield* this.#claimPods(set, selector)
    const history = yield* this.#history(set, selector, pods)
    const view = this.#view(set, pods, history.current.metadata.labels?.[HASH] ?? "")
    if (!expectations.satisfied(uid)) return yield* this.#writeStatus(view, history, false)
    const end = yield* Effect.result(this.#proceed(view, history, pods))
    const recheck = yield* this.#writeStatus(view, history, true)
    return end._tag === "Failure" ? yield* Effect.fail(end.failure) : recheck
  })

  #proceed = Effect.fnUntraced(
    { self: this },
    function* (
      this: DaemonSync,
      view: DaemonView,
      { old }: History,
      pods: ReadonlyArray<KubeObject>
    ): Effect.fn.Return<void, ApiFailure> {
      const { client, expectations } = this.#from
      const { set } = view
      yield* this.#carryOut(view, planNodes(view, this.#notes(set)))
      const isSettled = expectations.satisfied(set.metadata.uid ?? "")
      if (isSettled && set.spec.updateStrategy?.type !== "OnDelete") yield* this.#carryOut(view, planRollout(view))
      const live = new Set(pods.map(hashOfPod))
      const limit = set.spec.revisionHistoryLimit ?? 10
      const excess = Math.max(0, old.length - limit)
      const unused = old.filter(({ metadata }) => !live.has(metadata.labels?.[HASH] ?? ""))
      yield* truncateRevisions(client, unused, () => false, Math.max(0, unused.length - excess))
    }
  )

  #claimPods(set: DaemonSet, selector: LabelSelector): Step<ReadonlyArray<KubeObject>> {
    const { client, podCandidates } = this.#from
    return claim(
      {
        client,
        owner: set,
        ownerKind: daemonSetKind,
        ownerResource: daemonSetResource,
        resource: podResource,
        matches: (labels) => selector.matches(labels)
      },
      podCandidates(set)
    )
  }

  #history = Effect.fnUntraced(
    { self: this },
    function* (
      this: DaemonSync,
      set: DaemonSet,
      selector: LabelSelector,
      pods: ReadonlyArray<KubeObject>
    ): Effect.fn.Return<History, ApiFailure> {
      const { client, revisionCandidates } = this.#from
      const owner: RevisionOwner = {
        object: set,
        kind: daemonSetKind,
        resource: daemonSetResource,
        selector,
        hashLabel: HASH
      }
      const all = yield* claimRevisions(client, owner, revisionCandidates(set))
      const equal = all.filter((revision) => holdsTemplate(revision, set.spec.template))
      const old = all.filter((revision) => !equal.includes(revision))
      const next = old.reduce((most, { revision }) => Math.max(most, revision), 0) + 1
      const collisions = set.status?.collisionCount
      const newest = equal.at(-1)
      if (newest === undefined) {
        const made = yield* makeRevision(client, owner, next, collisions ?? 0)
        return { current: made.revision, old, collisions: made.collisions === 0 ? collisions : made.collisions }
      }
      for (const double of equal.slice(0, -1)) yield* this.#merge(pods, double, newest)
      const current = newest.revision < next ? yield* renumberRevision(client, newest, next) : newest
      return { current, old, collisions }
    }
  )

  /** Two revisions hold one template: the pods of the older get the newer's label, and the older goes. */
  #merge = Effect.fnUntraced(
    { self: this },
    function* (
      this: DaemonSync,
      pods: ReadonlyArray<KubeObject>,
      double: Revision,
      kept: Revision
    ): Effect.fn.Return<void, ApiFailure> {
      const { client } = this.#from
      const labels = { [HASH]: kept.metadata.labels?.[HASH] ?? "" }
      for (const pod of pods) {
        if (hashOfPod(pod) === labels[HASH]) continue
        const { name = "", namespace = "" } = pod.metadata
        yield* client.patch(
          { resource: podResource, namespace, name },
          { type: "merge", body: { metadata: { labels } } }
        )
      }
      const { name = "", namespace = "" } = double.metadata
      yield* client.delete({ resource: revisionResource, namespace, name })
    }
  )

  #view(set: DaemonSet, pods: ReadonlyArray<KubeObject>, hash: string): DaemonView {
    const podsOn = new Map<string, Array<KubeObject>>()
    for (const pod of pods) {
      // What is over and deleted is as good as gone.
      if (isTerminal(pod) && pod.metadata.deletionTimestamp !== undefined) continue
      const node = targetNode(pod)
      if (node === undefined) continue
      const there = podsOn.get(node)
      if (there === undefined) podsOn.set(node, [pod])
      else there.push(pod)
    }
    const { nodes, now } = this.#from
    return { set, hash, nodes: nodes(), podsOn, placement: placementOf(set), nowMs: now() }
  }

  #notes(set: DaemonSet): Parameters<typeof planNodes>[1] {
    const { backoff, events, wakeIn } = this.#from
    const name = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ""}/${metadata.name ?? ""}`
    return {
      failed: (pod, node) => {
        const key = `${set.metadata.uid ?? ""}/${set.status?.observedGeneration ?? 0}/${node}`
        const left = backoff.left(key)
        if (left > 0) {
          wakeIn(set, left)
          return "wait"
        }
        backoff.next(key)
        const message = `Found failed daemon pod ${name(pod)} on node ${node}, will try to kill it`
        events.event(set, "Warning", "FailedDaemonPod", message)
        return "remove"
      },
      succeeded: (pod, node) => {
        const message = `Found succeeded daemon pod ${name(pod)} on node ${node}, will try to delete it`
        events.event(set, "Normal", "SucceededDaemonPod", message)
      }
    }
  }

  /** Makes and deletes; the first failure is told after all was tried. */
  #carryOut = Effect.fnUntraced(
    { self: this },
    function* (this: DaemonSync, { hash, set }: DaemonView, plan: DaemonPlan): Effect.fn.Return<void, ApiFailure> {
      const create = plan.create.slice(0, BURST)
      const remove = plan.remove.slice(0, BURST)
      if (create.length + remove.length === 0) return
      const pod = podFromTemplate(daemonTemplate(set, hash), set, daemonSetKind)
      const podAt = (at: number): KubeObject => boundTo(pod, create[at] ?? "")
      const { created, removed } = yield* this.#from.batches.carryOut(set, { create: create.length, podAt, remove })
      const failure = created ?? removed
      if (failure !== undefined) return yield* Effect.fail(failure)
    }
  )

  #writeStatus = Effect.fnUntraced(
    { self: this },
    function* (
      this: DaemonSync,
      view: DaemonView,
      { collisions }: History,
      isSynced: boolean
    ): Effect.fn.Return<Reconciled, ApiFailure> {
      const { client, expectations, wrote } = this.#from
      const { metadata, spec, status: before } = view.set
      const { minReadySeconds = 0 } = spec
      const { generation = 0, uid = "" } = metadata
      const observedGeneration = isSynced ? generation : (before?.observedGeneration ?? 0)
      const status = statusOf(view, observedGeneration, collisions)
      wrote(view.set, yield* writeStatus(client, daemonSetResource, view.set, status))
      // An event that never comes must not stop the set for ever.
      const expiry = expectations.satisfied(uid) ? undefined : { requeueAfterMs: expectations.expiresInMs(uid) }
      if (minReadySeconds === 0 || status.numberReady === (status.numberAvailable ?? 0)) return expiry
      const waits = Array.from(view.podsOn.values()).flatMap((pods) =>
        pods.flatMap((pod) => availableInMs(pod, minReadySeconds, view.nowMs) ?? [])
      )
      return { requeueAfterMs: waits.reduce((least, wait) => Math.min(least, wait), minReadySeconds * 1000) }
    }
  )
}

const statusOf = (
  { hash, nodes, nowMs, placement, podsOn, set }: DaemonView,
  observedGeneration: number,
  collisions: number | undefined
): DaemonSetStatus & JsonObject => {
  const count = { desired: 0, current: 0, misplaced: 0, ready: 0, updated: 0, available: 0 }
  for (const node of nodes) {
    const pods = podsOn.get(node.metadata.name ?? "")
    if (!placement(node).shouldRun) {
      if (pods !== undefined) count.misplaced++
      continue
    }
    count.desired++
    const first = pods?.length === 1 ? pods[0] : pods?.toSorted(byPlaceAndAge)[0]
    if (first === undefined) continue
    count.current++
    if (isReady(first)) {
      count.ready++
      if (isAvailable(first, set.spec.minReadySeconds ?? 0, nowMs)) count.available++
    }
    if (isUpdated(set, first, hash)) count.updated++
  }
  return definedFields({
    currentNumberScheduled: count.current,
    numberMisscheduled: count.misplaced,
    desiredNumberScheduled: count.desired,
    numberReady: count.ready,
    observedGeneration: counted(observedGeneration),
    updatedNumberScheduled: counted(count.updated),
    numberAvailable: counted(count.available),
    numberUnavailable: counted(count.desired - count.available),
    collisionCount: collisions,
    conditions: set.status?.conditions
  }) as DaemonSetStatus & JsonObject
}
