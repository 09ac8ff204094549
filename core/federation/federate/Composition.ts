// A federated object as it should be, of its source, its policies and the clusters of now: federated, scheduled and overridden in one
// go, so that one write suffices.
// Owns what is written and what stays of others; refuses to write. A cluster that drops out of the placement is remembered in an annotation
// until its copy is known to be gone: whatever crashes in between, no copy is forgotten.
import { Effect } from "effect"
import { fieldsIn, numberIn, textOf, textsOf, fieldsOf } from "#apiserver"
import { type Json, type JsonObject, type KubeObject, sameJson } from "#kube"
import { federatedSpecOf, type FederatedObjectSpec, federatedStatusOf, placedClusters } from "../api/FederatedObject.ts"
import {
  FEDERATION_API_VERSION,
  federationAnnotations,
  federationControllers,
  federationFinalizers
} from "../api/FederationNames.ts"
import type { Amounts } from "../api/FederatedCluster.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { type Taken, takenBy } from "../clusters/Reservations.ts"
import { settleLeaving } from "../failover/Replacement.ts"
import type { Fleet } from "../scheduling/Fleet.ts"
import { nowhere, type Outcome, type Placement, type PolicyChoice } from "../scheduling/Outcome.ts"
import { type SchedulingUnit, schedulingUnitOf } from "../scheduling/SchedulingUnit.ts"
import { explanationText, storedPlacement, storedPlacementOf } from "../scheduling/StoredPlacement.ts"
import { isOfClusters, snapshotOf, triggered } from "../scheduling/Triggers.ts"
import type { Decisions } from "./Decisions.ts"
import { namespaceAnnotations, propagatesByItself } from "./NamespacePropagation.ts"
import { federatedName } from "./ObjectNames.ts"
import { pendingOf, pendingText, takeTurns, type Pending } from "./PendingControllers.ts"
import { placedBy, withOverrides, withSchedulerPlacement } from "./PlacementRecord.ts"
import type { Policies } from "./Policies.ts"
import { isSameTemplate, jsonAt, type Parts, partsOf } from "./Template.ts"
import type { TypeRules } from "./TypeRules.ts"

/** Clusters that had the object by an earlier placement and may still have it. */
export const FORMER_CLUSTERS = "internal.kubeadmiral.io/former-clusters"

export interface Sources {
  readonly type: TypeConfig
  readonly rules: TypeRules
  readonly source: KubeObject
  /** The federated object as it is; undefined: there is none yet. */
  readonly federated: KubeObject | undefined
}

export interface Surroundings {
  readonly decisions: Decisions
  readonly policies: Policies
  readonly fleet: Fleet
  readonly nowMs: number
  /** Ready replicas of an object by cluster, or 1 where it has none and is there and well; absent: not known. */
  readonly ready: (federated: KubeObject) => ReadonlyMap<string, number>
  /** Whether a namespace goes nowhere by itself from now on. */
  readonly excludesNamespace?: (name: string) => boolean
  /** Takes one of the moves away from lost clusters that all objects share; answers when there may be one, where there is none now. */
  readonly evict: () => number | undefined
}

/** A federated object to be, and what there is to say of it. */
export interface Composed {
  readonly federated: KubeObject
  readonly outcome: Outcome | undefined
  /** What its new placement takes of clusters' room, by what one replica asks for. */
  readonly takes: { readonly request: Amounts; readonly clusters: ReadonlyArray<Taken> } | undefined
  /** What keeps overrides from being applied; empty: nothing does. */
  readonly overrideProblem: string
  /** When an object that waits for its turn to leave a lost cluster may go, in milliseconds; Infinity: it does not wait. */
  readonly evictAtMs: number
}

const { namespaceAutoPropagation, overridePolicy, scheduler } = federationControllers
const OURS: ReadonlySet<string> = new Set([namespaceAutoPropagation, overridePolicy, scheduler])

/** Where the replicas of a type stand; undefined: it has none. */
export const replicasPath = (type: TypeConfig, rules: TypeRules): ReadonlyArray<string> | undefined =>
  type.paths.replicasSpec === "" ? rules.replicas?.spec : type.paths.replicasSpec.split(".")

const unitOf = ({ federated, rules, type }: Sources, { annotations, template }: Parts): SchedulingUnit => {
  const path = replicasPath(type, rules)
  const learned = federated?.metadata.annotations ?? {}
  return schedulingUnitOf({
    template,
    resource: type.type,
    annotations: { ...learned, ...annotations },
    replicas: path === undefined ? undefined : (numberIn(jsonAt(template, path)) ?? 1),
    podSpec: rules.podTemplate === undefined ? undefined : fieldsIn(jsonAt(template, [...rules.podTemplate, "spec"]))
  })
}

/** Annotations that the parts of this composition and no one else writes. */
const isComposed = (key: string): boolean => COMPOSED.has(key) || key.startsWith("federate.controller.kubeadmiral.io/")

const COMPOSED: ReadonlySet<string> = new Set([
  FORMER_CLUSTERS,
  federationAnnotations.pendingControllers,
  federationAnnotations.schedulingTriggers,
  federationAnnotations.schedulingDeferredReasons,
  federationAnnotations.leavingClusters,
  federationAnnotations.schedulingExplanation,
  federationAnnotations.enableFollowerScheduling,
  federationAnnotations.podUnschedulableThreshold,
  federationAnnotations.rollout,
  federationAnnotations.internalConflictResolution,
  federationAnnotations.internalClustersToAdopt,
  federationAnnotations.internalOrphan
])

/** What others noted on the federated object: what they learned, not what users said on the source. */
const keptAnnotations = (
  federated: KubeObject | undefined,
  fromSource: ReadonlySet<string>
): Record<string, string> => {
  const kept: Record<string, string> = {}
  const { annotations = {} } = federated?.metadata ?? {}
  const before = new Set((annotations[federationAnnotations.observedAnnotations] ?? "").split("|")[0]?.split(","))
  for (const key in annotations) {
    if (isComposed(key) || fromSource.has(key) || before.has(key)) continue
    kept[key] = annotations[key]
  }
  return kept
}

const without = (texts: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).filter((entry): entry is [string, string] => entry[1] !== undefined))

/** Whether the source's part is another one than before. */
const isNew = (federated: KubeObject | undefined, parts: Parts): boolean => {
  if (federated === undefined) return true
  const { annotations = {}, labels = {} } = federated.metadata
  if (!sameJson(federatedSpecOf(federated).template, parts.template)) return true
  for (const key in parts.annotations) if (annotations[key] !== parts.annotations[key]) return true
  for (const key in parts.labels) if (labels[key] !== parts.labels[key]) return true
  return false
}

/** The annotations that the policy decides. */
const policyAnnotations = (policy: PolicyChoice): Record<string, string | undefined> =>
  typeof policy === "string"
    ? {}
    : {
        [federationAnnotations.enableFollowerScheduling]: String(policy.followers),
        [federationAnnotations.rollout]: policy.rollout === undefined ? undefined : JSON.stringify(policy.rollout),
        [federationAnnotations.podUnschedulableThreshold]:
          policy.autoMigration === undefined ? undefined : `${policy.autoMigration.podUnschedulableForMs}ms`
      }

class Composing {
  readonly sources: Sources
  readonly around: Surroundings
  readonly parts: Parts
  spec: FederatedObjectSpec
  outcome: Outcome | undefined
  takes: Composed["takes"]
  problem = ""
  evictAtMs = Infinity
  /** Annotations of the composition. */
  readonly annotations: Record<string, string | undefined> = {}

  constructor(sources: Sources, around: Surroundings) {
    this.sources = sources
    this.around = around
    const parts = partsOf(sources.source, sources.type, sources.rules)
    const before = sources.federated === undefined ? undefined : federatedSpecOf(sources.federated)
    const stays = before !== undefined && isSameTemplate(before.template, parts.template)
    this.parts = stays ? { ...parts, template: before.template } : parts
    this.spec = { ...before, template: this.parts.template }
  }

  run = (): Effect.Effect<Composed> =>
    Effect.gen({ self: this }, function* () {
      const { federated, type } = this.sources
      const all: Pending = type.controllers
      const before = federated === undefined ? undefined : pendingOf(federated.metadata.annotations)
      const pending = isNew(federated, this.parts) ? all : (before ?? all)
      const turns = takeTurns(pending, OURS)
      // With nobody left to wait for, whoever the type names may act again.
      const acts = (name: string): boolean =>
        turns.acting.has(name) || (pending.length === 0 && all.some((group) => group.includes(name)))
      this.#keep()
      const policy = this.around.policies.propagation(this.parts.labels, this.parts.template)
      if (acts(namespaceAutoPropagation)) this.#everywhere()
      if (acts(scheduler)) yield* this.#schedule(policy)
      const held = acts(overridePolicy) && !this.#override()
      const behind = pending.length === 0 ? this.#behind(all) : turns.left
      const left = held ? [[overridePolicy], ...behind] : behind
      this.annotations[federationAnnotations.pendingControllers] = pendingText(left)
      const { evictAtMs, outcome, problem: overrideProblem, takes } = this
      return { federated: this.#made(), outcome, takes, overrideProblem, evictAtMs }
    })

  /** Who must act again because of us: everyone behind the first of our groups, if the object changed. */
  #behind(all: Pending): Pending {
    const { federated } = this.sources
    if (
      federated !== undefined &&
      sameJson(federatedSpecOf(federated) as unknown as Json, this.spec as unknown as Json)
    )
      return []
    const at = all.findIndex((group) => group.some((name) => OURS.has(name)))
    return at < 0 ? [] : takeTurns(all.slice(at + 1), OURS).left
  }

  /** Until it is decided anew, what was decided stays. */
  #keep(): void {
    const { annotations = {} } = this.sources.federated?.metadata ?? {}
    for (const key of COMPOSED) this.annotations[key] = annotations[key]
  }

  #everywhere(): void {
    const { source, type } = this.sources
    const isNamespace = type.type.kind === "Namespace" && type.type.group === ""
    // How a process was started is no reason to take a namespace from anywhere: where one is, it stays.
    if (isNamespace && this.around.excludesNamespace?.(source.metadata.name ?? "") === true) return
    const everywhere = isNamespace && propagatesByItself(source)
    const clusters = everywhere ? this.around.fleet.clusters.filter(({ terminating }) => !terminating) : []
    this.spec = placedBy(
      this.spec,
      namespaceAutoPropagation,
      clusters.map(({ name }) => name)
    )
    for (const key in namespaceAnnotations) this.annotations[key] = everywhere ? namespaceAnnotations[key] : undefined
  }

  #schedule(policy: PolicyChoice): Effect.Effect<void> {
    const { federated } = this.sources
    const { decisions, fleet, nowMs, policies } = this.around
    const unit = unitOf(this.sources, this.parts)
    const previous = federated === undefined ? nowhere : this.#previous(federated)
    const last = snapshotOf(federated?.metadata.annotations ?? {})
    const { deferred, reasons, snapshot } = triggered({ unit, fleet, policy, last })
    Object.assign(this.annotations, policyAnnotations(policy))
    this.annotations[federationAnnotations.schedulingTriggers] = JSON.stringify(snapshot)
    this.annotations[federationAnnotations.schedulingDeferredReasons] =
      deferred.length === 0 ? undefined : deferred.join(",")
    if (reasons.length === 0 && !this.#isOpen(previous)) return Effect.void
    const profile = policies.profile(policy)
    return Effect.map(decisions.schedule({ unit, fleet, policy, profile, previous, nowMs }), (outcome) => {
      // What users change goes at once; what is driven out of lost clusters goes as fast as all objects together may.
      if (reasons.every(isOfClusters) && this.#evicts(previous, outcome)) {
        this.evictAtMs = this.around.evict() ?? Infinity
        if (this.evictAtMs !== Infinity) return this.#keep()
      }
      this.outcome = outcome
      // A cluster that comes or goes and moves nothing is not worth a write of each object: it is thought of again instead.
      if (!outcome.changed && reasons.length > 0 && reasons.every(isOfClusters)) this.#keepSnapshot()
      if (outcome.changed) this.takes = { request: unit.request, clusters: takenBy(unit, previous, outcome.placement) }
      const stored = storedPlacement(outcome.placement, this.#path())
      this.spec = withSchedulerPlacement(this.spec, stored)
      this.annotations[federationAnnotations.leavingClusters] = stored.leaving
      // Where all is well it can be explained anew at any time; what went wrong is kept.
      if (outcome.scheduled) this.annotations[federationAnnotations.schedulingExplanation] = undefined
      else if (this.#reason() !== outcome.reason)
        this.annotations[federationAnnotations.schedulingExplanation] = explanationText(outcome.explain())
    })
  }

  #keepSnapshot(): void {
    const { annotations = {} } = this.sources.federated?.metadata ?? {}
    for (const key of [federationAnnotations.schedulingTriggers, federationAnnotations.schedulingDeferredReasons])
      this.annotations[key] = annotations[key]
  }

  /** Whether an outcome takes the object from a cluster that is lost. */
  #evicts({ clusters, leaving }: Placement, { changed, placement }: Outcome): boolean {
    if (!changed) return false
    for (const name of clusters.keys()) {
      if (leaving.has(name) || this.around.fleet.cluster(name)?.ready !== false) continue
      if (placement.leaving.has(name) || !placement.clusters.has(name)) return true
    }
    return false
  }

  /** Where it is, without the clusters that may be left now because what replaces them is ready. */
  #previous(federated: KubeObject): Placement {
    const placement = storedPlacementOf(federated, this.#path())
    if (placement.leaving.size === 0) return placement
    const { nowMs, ready } = this.around
    return settleLeaving({ placement, ready: ready(federated), maxUnavailable: 0, nowMs }).placement
  }

  /** Where the replicas stand, with dots; empty: the type has none. */
  #path(): string {
    return replicasPath(this.sources.type, this.sources.rules)?.join(".") ?? ""
  }

  /** What the last attempt came to. */
  #reason(): string | undefined {
    const { federated } = this.sources
    if (federated === undefined) return undefined
    return federatedStatusOf(federated).conditions?.find(({ type }) => type === "Scheduled")?.reason
  }

  /** Whether the last attempt left something to be done, or time may change what it decided. */
  #isOpen(previous: Placement): boolean {
    const { federated } = this.sources
    if (
      federated === undefined ||
      previous.leaving.size > 0 ||
      storedPlacementOf(federated, this.#path()).leaving.size > 0
    )
      return true
    const scheduled = federatedStatusOf(federated).conditions?.find(({ type }) => type === "Scheduled")
    if (scheduled !== undefined && (scheduled.status !== "True" || scheduled.reason !== "Scheduled")) return true
    // What is driven out of a cluster or tolerates it for a time is looked at each time that anything brings it here.
    return [...previous.clusters.keys()].some((name) => {
      const cluster = this.around.fleet.cluster(name)
      return cluster === undefined || !cluster.ready || cluster.taints.length > 0
    })
  }

  /** Whether overrides could be made; else those of before stay, and nothing is synced until they can. */
  #override(): boolean {
    const { decisions, fleet, policies } = this.around
    const { labels, template } = this.parts
    const { missing, policies: chosen } = policies.overrides(
      labels,
      textOf(fieldsOf(template["metadata"])["namespace"])
    )
    if (missing.length > 0) {
      this.problem = `override policies ${missing.join(", ")} do not exist`
      return false
    }
    if (chosen.length === 0) {
      this.spec = withOverrides(this.spec, overridePolicy, [])
      return true
    }
    const clusters: Array<{ cluster: string; patches: ReturnType<Decisions["applyOverrides"]>["patches"] }> = []
    for (const name of placedClusters(this.spec)) {
      const cluster = fleet.cluster(name)
      if (cluster === undefined) continue
      const { errors, patches } = decisions.applyOverrides({ template, policies: chosen, cluster })
      if (errors.length > 0) {
        this.problem = errors.map(({ message }) => message).join("; ")
        return false
      }
      if (patches.length > 0) clusters.push({ cluster: name, patches })
    }
    this.spec = withOverrides(this.spec, overridePolicy, clusters)
    return true
  }

  /** Clusters that may still have the object though it is not to be there, until the status says so or says that all is done. */
  #former(): string | undefined {
    const { federated } = this.sources
    if (federated === undefined) return undefined
    const { clusters, syncedGeneration } = federatedStatusOf(federated)
    const now = new Set(placedClusters(this.spec))
    const inStatus = new Set(clusters?.map(({ cluster }) => cluster))
    const known = syncedGeneration === federated.metadata.generation ? [] : formerClusters(federated)
    const dropped = placedClusters(federatedSpecOf(federated))
    const former = [...new Set([...known, ...dropped])].filter((name) => !now.has(name) && !inStatus.has(name)).sort()
    return former.length === 0 ? undefined : JSON.stringify(former)
  }

  #made(): KubeObject {
    const { federated, source, type } = this.sources
    const { annotations, labels } = this.parts
    this.annotations[FORMER_CLUSTERS] = this.#former()
    const fromSource = new Set(Object.keys(annotations))
    const { apiVersion, kind } = this.parts.template
    const { name = "", namespace, uid = "" } = source.metadata
    const finalizers = federated?.metadata.finalizers ?? []
    return {
      apiVersion: FEDERATION_API_VERSION,
      kind: type.namespaced ? "FederatedObject" : "ClusterFederatedObject",
      metadata: {
        ...federated?.metadata,
        name: federatedName(name, type.name),
        ...(namespace === undefined || namespace === "" ? {} : { namespace }),
        labels,
        annotations: without({ ...keptAnnotations(federated, fromSource), ...annotations, ...this.annotations }),
        finalizers: finalizers.includes(federationFinalizers.sync)
          ? finalizers
          : [...finalizers, federationFinalizers.sync],
        ownerReferences: [
          { apiVersion: textOf(apiVersion), kind: textOf(kind), name, uid, controller: true, blockOwnerDeletion: true }
        ]
      },
      spec: this.spec as unknown as JsonObject,
      ...(federated?.status === undefined ? {} : { status: federated.status })
    }
  }
}

/** Clusters that dropped out of the placement and may still have a copy. */
export const formerClusters = ({ metadata }: KubeObject): ReadonlyArray<string> => {
  const text = metadata.annotations?.[FORMER_CLUSTERS]
  if (text === undefined) return []
  try {
    return textsOf(JSON.parse(text))
  } catch {
    return []
  }
}

/** Composes the federated object of a source. */
export const composeFederated = (sources: Sources, around: Surroundings): Effect.Effect<Composed> =>
  Effect.suspend(() => new Composing(sources, around).run())

/** Annotations without the memory of former clusters, which alone is never worth a write: what drops out changes the spec. */
const remembered = ({ metadata: { annotations } }: KubeObject): JsonObject => {
  const { [FORMER_CLUSTERS]: _former, ...rest } = annotations ?? {}
  return rest
}

/** Whether two federated objects differ in nothing that is worth a write. */
export const isSameFederated = (a: KubeObject, b: KubeObject): boolean =>
  sameJson(a.spec, b.spec) &&
  sameJson(a.metadata.labels, b.metadata.labels) &&
  sameJson(remembered(a), remembered(b)) &&
  sameJson(a.metadata.finalizers, b.metadata.finalizers)
