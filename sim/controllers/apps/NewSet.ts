// The ReplicaSet of the template that a Deployment asks for: found, kept in step with its Deployment, or made.
// Owns its name, its hash and what a collision of hashes leads to; refuses to scale it later.
import { Effect } from "effect"
import { ApiFailure, type EffectClient, type Json, type JsonObject, sameJson } from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import { isControlledBy, ownerReference } from "../Owned.ts"
import { isNamespaceTerminating } from "../PodControl.ts"
import { findCondition, withCondition } from "./Conditions.ts"
import { maxRevision, newSetAnnotations, replicaAnnotations, REVISION } from "./DeploymentRevisions.ts"
import { conditionsOfDeployment, deploymentCondition, hasDeadline, statusOfDeployment } from "./DeploymentStatus.ts"
import type { Rollout } from "./DeploymentSync.ts"
import { newSetReplicas } from "./RolloutMath.ts"
import { replaceSet } from "./Scaling.ts"
import { hashOf, isSameTemplate, TEMPLATE_HASH } from "./TemplateHash.ts"
import {
  type Deployment,
  deploymentKind,
  deploymentResource,
  type DeploymentStatus,
  type ReplicaSet,
  replicaSetResource
} from "./Workloads.ts"

export interface NewSetSources {
  readonly client: EffectClient
  readonly events: EventSink
  readonly now: () => number
}

const NAME_MAX = 253

type Step = Effect.Effect<void, ApiFailure>

export class NewSet {
  readonly #from: NewSetSources

  constructor(from: NewSetSources) {
    this.#from = from
  }

  /** Brings the set in step with the Deployment, and the Deployment's revision with the set; makes it if it is to be made. */
  sync(rollout: Rollout, make: boolean): Step {
    const revision = maxRevision(rollout.old) + 1n
    if (rollout.fresh !== undefined) return this.#keep(rollout, rollout.fresh, revision)
    return make ? this.#make(rollout, revision) : Effect.void
  }

  #keep = Effect.fnUntraced(
    { self: this },
    function* (this: NewSet, rollout: Rollout, set: ReplicaSet, revision: bigint): Effect.fn.Return<void, ApiFailure> {
      const { deployment } = rollout
      const { metadata } = set
      const annotations = newSetAnnotations(deployment, metadata.annotations, revision)
      const minReadySeconds = deployment.spec.minReadySeconds ?? 0
      if (annotations !== metadata.annotations || (set.spec.minReadySeconds ?? 0) !== minReadySeconds) {
        const { name = "", namespace = "" } = metadata
        const after = { ...set, metadata: { ...metadata, annotations }, spec: { ...set.spec, minReadySeconds } }
        const answer = yield* this.#from.client.update({ resource: replicaSetResource, namespace, name }, after)
        replaceSet(rollout, set, answer)
      }
      const conditions = conditionsOfDeployment(deployment)
      const isNews = hasDeadline(deployment) && findCondition(conditions, "Progressing") === undefined
      const message = `Found new replica set "${metadata.name ?? ""}"`
      yield* this.#tellRevision(
        rollout,
        annotations[REVISION] ?? "",
        isNews
          ? withCondition(
              conditions,
              deploymentCondition(this.#from.now(), "Progressing", "True", "FoundNewReplicaSet", message)
            )
          : conditions
      )
    }
  )

  #make = Effect.fnUntraced(
    { self: this },
    function* (this: NewSet, rollout: Rollout, revision: bigint): Effect.fn.Return<void, ApiFailure> {
      const { client, events, now } = this.#from
      const { deployment } = rollout
      const draft = newReplicaSet(rollout, revision)
      const { name = "", namespace = "" } = draft.metadata
      const made = yield* Effect.result(client.create({ resource: replicaSetResource, namespace }, draft))
      if (made._tag === "Failure") {
        if (made.failure.reason === "AlreadyExists") yield* this.#meet(rollout, name, made.failure)
        else if (isNamespaceTerminating(made.failure)) return yield* Effect.fail(made.failure)
        else return yield* this.#tellFailure(rollout, name, made.failure)
      } else {
        // SAFETY: the server answers the kind that it was sent.
        rollout.fresh = made.success as ReplicaSet
        const size = draft.spec.replicas ?? 0
        if (size > 0) {
          events.event(deployment, "Normal", "ScalingReplicaSet", `Scaled up replica set ${name} from 0 to ${size}`)
        }
      }
      const conditions = conditionsOfDeployment(deployment)
      const isNews = made._tag === "Success" && hasDeadline(deployment)
      const message = `Created new replica set "${name}"`
      yield* this.#tellRevision(
        rollout,
        String(revision),
        isNews
          ? withCondition(
              conditions,
              deploymentCondition(now(), "Progressing", "True", "NewReplicaSetCreated", message)
            )
          : conditions
      )
    }
  )

  /** A set of this name is there: either it is the one, only seen late, or two templates have one hash and the next try gets another. */
  #meet = Effect.fnUntraced(
    { self: this },
    function* (this: NewSet, rollout: Rollout, name: string, failure: ApiFailure): Effect.fn.Return<void, ApiFailure> {
      const { deployment } = rollout
      const namespace = deployment.metadata.namespace ?? ""
      const found = yield* this.#from.client.get({ resource: replicaSetResource, namespace, name })
      // SAFETY: the server answers the kind that it was asked for.
      const set = found as ReplicaSet
      if (isControlledBy(set, deployment) && isSameTemplate(set.spec.template, deployment.spec.template)) {
        rollout.fresh = set
        return
      }
      const status = statusOfDeployment(deployment)
      yield* this.writeStatus(rollout, { ...status, collisionCount: (status.collisionCount ?? 0) + 1 })
      return yield* Effect.fail(failure)
    }
  )

  #tellFailure = Effect.fnUntraced(
    { self: this },
    function* (this: NewSet, rollout: Rollout, name: string, failure: ApiFailure): Effect.fn.Return<void, ApiFailure> {
      const { deployment } = rollout
      const message = `Failed to create new replica set "${name}": ${failure.message}`
      if (hasDeadline(deployment)) {
        const condition = deploymentCondition(
          this.#from.now(),
          "Progressing",
          "False",
          "ReplicaSetCreateError",
          message
        )
        const conditions = withCondition(conditionsOfDeployment(deployment), condition)
        yield* Effect.ignore(this.writeStatus(rollout, { ...statusOfDeployment(deployment), conditions }))
      }
      this.#from.events.event(deployment, "Warning", "ReplicaSetCreateError", message)
      return yield* Effect.fail(failure)
    }
  )

  #tellRevision(rollout: Rollout, revision: string, conditions: DeploymentStatus["conditions"] & Json): Step {
    const { deployment } = rollout
    const { metadata } = deployment
    const isTold = metadata.annotations?.[REVISION] === revision
    if (isTold && sameJson(conditions, conditionsOfDeployment(deployment))) return Effect.void
    const annotations = isTold ? metadata.annotations : { ...metadata.annotations, [REVISION]: revision }
    rollout.deployment = { ...deployment, metadata: { ...metadata, annotations } }
    return this.writeStatus(rollout, { ...statusOfDeployment(deployment), conditions })
  }

  /** Writes the status, with the annotations that the rollout's Deployment has; the rollout goes on with the answer. */
  writeStatus(rollout: Rollout, status: DeploymentStatus & JsonObject): Step {
    const { deployment } = rollout
    const { name = "", namespace = "" } = deployment.metadata
    return Effect.map(
      this.#from.client.update(
        { resource: deploymentResource, namespace, name, subresource: "status" },
        { ...deployment, status }
      ),
      (answer) => {
        // SAFETY: the server answers the kind that it was sent.
        rollout.deployment = answer as Deployment
      }
    )
  }
}

const newReplicaSet = ({ deployment, old }: Rollout, revision: bigint): ReplicaSet => {
  const { minReadySeconds, selector, template } = deployment.spec
  const { name = "", namespace = "" } = deployment.metadata
  const hash = hashOf(template, deployment.status?.collisionCount)
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: hash }
  const set = (replicas: number): ReplicaSet => ({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${name.slice(0, NAME_MAX - 1 - hash.length)}-${hash}`,
      namespace,
      labels,
      annotations: { ...newSetAnnotations(deployment, undefined, revision), ...replicaAnnotations(deployment) },
      ownerReferences: [ownerReference(deployment, deploymentKind)]
    },
    spec: {
      replicas,
      ...(minReadySeconds !== undefined && minReadySeconds > 0 && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } }
    }
  })
  return set(newSetReplicas(deployment, [...old, set(0)], 0))
}
