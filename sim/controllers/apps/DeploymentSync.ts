// One look at one Deployment: its ReplicaSets are found, made, scaled and cleaned up, and its status is written.
// Owns the order of these steps, by upstream's deployment controller; the arithmetic, the annotations and the sentences are those of
// the files beside it. Every step works with the newest answer of the server, so that its own writes are no conflicts.
import { Effect } from "effect"
import {
  type ApiFailure,
  type EffectClient,
  type JsonObject,
  type KubeObject,
  labelSelectorOf,
  type Reconciled,
  sameJson,
  SelectorInvalid
} from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import { claim } from "../Ownership.ts"
import { isTerminal } from "../PodFacts.ts"
import { findCondition, withCondition } from "./Conditions.ts"
import { annotationsOfRollback, lastRevision, revisionOf, rollbackTo, withoutRollback } from "./DeploymentRevisions.ts"
import {
  conditionsOfDeployment,
  countedStatus,
  deploymentCondition,
  hasDeadline,
  isComplete,
  recheckInMs,
  rolloutStatus,
  statusOfDeployment
} from "./DeploymentStatus.ts"
import { NewSet } from "./NewSet.ts"
import {
  annotatedCount,
  byAge,
  DESIRED_REPLICAS,
  isRolling,
  isSaturated,
  maxUnavailableOf,
  newSetReplicas,
  proportionalSizes,
  statusSum,
  wantedReplicas
} from "./RolloutMath.ts"
import { Scaling } from "./Scaling.ts"
import { isSameTemplate, TEMPLATE_HASH } from "./TemplateHash.ts"
import {
  type Deployment,
  deploymentKind,
  deploymentResource,
  type DeploymentStatus,
  type ReplicaSet,
  replicaSetResource,
  replicasOf
} from "./Workloads.ts"

/** A Deployment and its sets, as far as this look has come. */
export interface Rollout {
  deployment: Deployment
  /** The set of the template that is asked for. */
  fresh: ReplicaSet | undefined
  /** All others. */
  old: ReadonlyArray<ReplicaSet>
}

export interface DeploymentSources {
  readonly client: EffectClient
  readonly events: EventSink
  readonly now: () => number
  /** The sets that may belong to it: those it owns, and orphans of its namespace. */
  readonly candidates: (deployment: Deployment) => ReadonlyArray<ReplicaSet>
  readonly podsOf: (set: ReplicaSet) => ReadonlyArray<KubeObject>
}

type Step<A = void> = Effect.Effect<A, ApiFailure>

const isActiveSet = (set: ReplicaSet): boolean => replicasOf(set) > 0

export const setsOf = ({ fresh, old }: Rollout): ReadonlyArray<ReplicaSet> =>
  fresh === undefined ? old : [...old, fresh]

export class DeploymentSync {
  readonly #from: DeploymentSources
  readonly #newSet: NewSet
  readonly #scaling: Scaling

  constructor(from: DeploymentSources) {
    this.#from = from
    this.#newSet = new NewSet(from)
    this.#scaling = new Scaling(from)
  }

  sync = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, deployment: Deployment): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    const { selector } = deployment.spec
    if (Object.keys(selector).length === 0) return yield* this.#selectsAll(deployment)
    const matching = labelSelectorOf(selector)
    if (matching instanceof SelectorInvalid) return
    const owned = yield* claim(
      {
        client: this.#from.client,
        owner: deployment,
        ownerKind: deploymentKind,
        ownerResource: deploymentResource,
        resource: replicaSetResource,
        matches: (labels) => matching.matches(labels)
      },
      this.#from.candidates(deployment)
    )
    // SAFETY: the candidates are ReplicaSets, and nothing else is claimed.
    const sets = (owned as ReadonlyArray<ReplicaSet>).toSorted(byAge)
    const fresh = sets.find((set) => isSameTemplate(set.spec.template, deployment.spec.template))
    const rollout: Rollout = { deployment, fresh, old: sets.filter((set) => set !== fresh) }
    if (deployment.metadata.deletionTimestamp !== undefined) {
      yield* this.#newSet.sync(rollout, false)
      return yield* this.#writeCounts(rollout)
    }
    yield* this.#tellPause(rollout)
    return yield* this.#proceed(rollout)
  })

  #proceed = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    if (rollout.deployment.spec.paused === true) return yield* this.#scaleOnly(rollout)
    if (rollbackTo(rollout.deployment) !== undefined) return yield* this.#rollBack(rollout)
    yield* this.#newSet.sync(rollout, false)
    const replicas = replicasOf(rollout.deployment)
    const wasScaled = setsOf(rollout).some((set) => {
      const desired = isActiveSet(set) ? annotatedCount(set, DESIRED_REPLICAS) : undefined
      return desired !== undefined && desired !== replicas
    })
    if (wasScaled) return yield* this.#scaleOnly(rollout)
    yield* isRolling(rollout.deployment) ? this.#roll(rollout) : this.#recreate(rollout)
    return yield* this.#writeRollout(rollout)
  })

  #selectsAll(deployment: Deployment): Step<Reconciled> {
    const { client, events } = this.#from
    events.event(
      deployment,
      "Warning",
      "SelectingAll",
      "This deployment is selecting all pods. A non-empty selector is required."
    )
    const { generation = 0, name = "", namespace = "" } = deployment.metadata
    const status = statusOfDeployment(deployment)
    if ((status.observedGeneration ?? 0) >= generation) return Effect.void
    return client
      .update(
        { resource: deploymentResource, namespace, name, subresource: "status" },
        { ...deployment, status: { ...status, observedGeneration: generation } }
      )
      .pipe(Effect.asVoid)
  }

  /** A rollout that is paused makes no progress and is not to blame for it. */
  #tellPause(rollout: Rollout): Step {
    const { deployment } = rollout
    const progressing = findCondition(conditionsOfDeployment(deployment), "Progressing")
    if (!hasDeadline(deployment) || progressing?.reason === "ProgressDeadlineExceeded") return Effect.void
    const isPaused = deployment.spec.paused === true
    if (isPaused === (progressing?.reason === "DeploymentPaused")) return Effect.void
    const condition = deploymentCondition(
      this.#from.now(),
      "Progressing",
      "Unknown",
      isPaused ? "DeploymentPaused" : "DeploymentResumed",
      isPaused ? "Deployment is paused" : "Deployment is resumed"
    )
    const conditions = withCondition(conditionsOfDeployment(deployment), condition)
    return this.#newSet.writeStatus(rollout, { ...statusOfDeployment(deployment), conditions })
  }

  /** No rollout goes on: it is paused, or it was scaled and must first have the right size. */
  #scaleOnly = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    yield* this.#newSet.sync(rollout, false)
    yield* this.#rescale(rollout)
    const { deployment } = rollout
    if (deployment.spec.paused === true && rollbackTo(deployment) === undefined) yield* this.#scaling.cleanUp(rollout)
    return yield* this.#writeCounts(rollout)
  })

  #rescale = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    void,
    ApiFailure
  > {
    const { deployment, fresh, old } = rollout
    const active = setsOf(rollout).filter(isActiveSet)
    const newest = fresh ?? old.toSorted(byAge).at(-1)
    const only = active.length === 0 ? newest : active.length === 1 ? active[0] : undefined
    if (only !== undefined) yield* this.#scaling.scale(rollout, only, replicasOf(deployment))
    else if (isSaturated(deployment, fresh)) {
      for (const set of old.filter(isActiveSet)) yield* this.#scaling.scale(rollout, set, 0)
    } else if (active.length > 0 && isRolling(deployment)) {
      for (const [set, size] of proportionalSizes(deployment, active)) {
        yield* this.#scaling.scale(rollout, set, size, true)
      }
    }
  })

  #roll = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    void,
    ApiFailure
  > {
    yield* this.#newSet.sync(rollout, true)
    if (yield* this.#growNew(rollout)) return
    if (yield* this.#shrinkOld(rollout)) return
    if (isComplete(rollout.deployment, statusOfDeployment(rollout.deployment))) yield* this.#scaling.cleanUp(rollout)
  })

  #growNew(rollout: Rollout): Step<boolean> {
    const { deployment, fresh } = rollout
    if (fresh === undefined) return Effect.succeed(false)
    const size = replicasOf(fresh)
    const wanted = replicasOf(deployment)
    const next = size > wanted ? wanted : newSetReplicas(deployment, setsOf(rollout), size)
    return size === wanted ? Effect.succeed(false) : this.#scaling.scale(rollout, fresh, next)
  }

  /** Takes from old sets what may be missing: first pods that are of no use, then others, the oldest sets first. */
  #shrinkOld = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    boolean,
    ApiFailure
  > {
    const { deployment, fresh } = rollout
    if (fresh === undefined || wantedReplicas(rollout.old) === 0) return false
    const minAvailable = replicasOf(deployment) - maxUnavailableOf(deployment)
    const freshUnavailable = replicasOf(fresh) - (fresh.status?.availableReplicas ?? 0)
    const most = wantedReplicas(setsOf(rollout)) - minAvailable - freshUnavailable
    if (most <= 0) return false
    let useless = 0
    for (const set of rollout.old.filter(isActiveSet)) {
      const unavailable = replicasOf(set) - (set.status?.availableReplicas ?? 0)
      const take = Math.min(most - useless, unavailable)
      if (take <= 0) continue
      yield* this.#scaling.scale(rollout, set, replicasOf(set) - take)
      useless += take
    }
    const active = rollout.old.filter(isActiveSet)
    const spare = statusSum([...active, fresh], "availableReplicas") - minAvailable
    let taken = 0
    for (const set of active) {
      const take = Math.min(replicasOf(set), spare - taken)
      if (take <= 0) break
      yield* this.#scaling.scale(rollout, set, replicasOf(set) - take)
      taken += take
    }
    return useless + taken > 0
  })

  #recreate = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    void,
    ApiFailure
  > {
    let hasShrunk = false
    for (const set of rollout.old.filter(isActiveSet)) {
      const isScaled = yield* this.#scaling.scale(rollout, set, 0)
      hasShrunk ||= isScaled
    }
    if (hasShrunk || this.#hasOldPods(rollout)) return
    yield* this.#newSet.sync(rollout, true)
    const { deployment, fresh } = rollout
    if (fresh !== undefined) yield* this.#scaling.scale(rollout, fresh, replicasOf(deployment))
    if (isComplete(deployment, statusOfDeployment(deployment))) yield* this.#scaling.cleanUp(rollout)
  })

  #hasOldPods({ old }: Rollout): boolean {
    return statusSum(old, "replicas") > 0 || old.some((set) => this.#from.podsOf(set).some((pod) => !isTerminal(pod)))
  }

  /** Goes back to an older template because the deprecated annotation says so. */
  #rollBack = Effect.fnUntraced({ self: this }, function* (this: DeploymentSync, rollout: Rollout): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    yield* this.#newSet.sync(rollout, true)
    const { events } = this.#from
    const { deployment } = rollout
    const asked = rollbackTo(deployment) ?? 0n
    const revision = asked === 0n ? lastRevision(setsOf(rollout)) : asked
    const set = revision === 0n ? undefined : setsOf(rollout).find((one) => revisionOf(one) === revision)
    const name = deployment.metadata.name ?? ""
    if (set === undefined) {
      const what = revision === 0n ? "Unable to find last revision." : "Unable to find the revision to rollback to."
      events.event(deployment, "Warning", "DeploymentRollbackRevisionNotFound", what)
      return yield* this.#writeSpec(rollout, deployment.spec, withoutRollback(deployment.metadata.annotations))
    }
    if (isSameTemplate(set.spec.template, deployment.spec.template)) {
      const what = `The rollback revision contains the same template as current deployment "${name}"`
      events.event(deployment, "Warning", "DeploymentRollbackTemplateUnchanged", what)
      return yield* this.#writeSpec(rollout, deployment.spec, withoutRollback(deployment.metadata.annotations))
    }
    const { metadata, spec } = set.spec.template
    const { [TEMPLATE_HASH]: _, ...labels } = metadata?.labels ?? {}
    const template = { metadata: { ...metadata, labels }, ...(spec && { spec }) }
    yield* this.#writeSpec(
      rollout,
      { ...deployment.spec, template } as Deployment["spec"],
      annotationsOfRollback(deployment, set)
    )
    const what = `Rolled back deployment "${name}" to revision ${revision}`
    return events.event(deployment, "Normal", "DeploymentRollback", what)
  })

  #writeSpec(
    { deployment }: Rollout,
    spec: Deployment["spec"],
    annotations: Readonly<Record<string, string>>
  ): Step<undefined> {
    const { metadata } = deployment
    const { name = "", namespace = "" } = metadata
    return this.#from.client
      .update(
        { resource: deploymentResource, namespace, name },
        { ...deployment, metadata: { ...metadata, annotations }, spec }
      )
      .pipe(Effect.as(undefined))
  }

  #writeCounts(rollout: Rollout): Step<Reconciled> {
    const status = countedStatus(rollout.deployment, setsOf(rollout), rollout.fresh, this.#from.now())
    return this.#isWritten(rollout, status) ? Effect.void : this.#newSet.writeStatus(rollout, status)
  }

  #writeRollout(rollout: Rollout): Step<Reconciled> {
    const now = this.#from.now()
    const status = rolloutStatus(rollout.deployment, setsOf(rollout), rollout.fresh, now)
    if (!this.#isWritten(rollout, status)) return this.#newSet.writeStatus(rollout, status)
    const requeueAfterMs = recheckInMs(rollout.deployment, status, now)
    return Effect.succeed(requeueAfterMs === undefined ? undefined : { requeueAfterMs })
  }

  #isWritten({ deployment }: Rollout, status: DeploymentStatus & JsonObject): boolean {
    return deployment.status !== undefined && sameJson(deployment.status, status)
  }
}
