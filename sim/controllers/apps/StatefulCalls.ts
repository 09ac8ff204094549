// What a StatefulSet's controller does to pods and claims, with the events that upstream tells of it.
// Owns the calls; refuses to decide which come when.
import { Effect } from "effect"
import { ApiFailure, type EffectClient, Failures, gvr, type Informer, type KubeObject, objectKey } from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import type { Freshness } from "../Freshness.ts"
import { podResource } from "../PodControl.ts"
import { hasOtherController, isClaimRight, isStaleClaim, retainedOwners } from "./ClaimRetention.ts"
import { claimsOf, hasIdentity, hasStorage, identified, podOrdinal } from "./StatefulPods.ts"
import type { StatefulSet } from "./Workloads.ts"

export const claimResource = gvr("", "v1", "persistentvolumeclaims")

export interface StatefulCallsOptions {
  readonly client: EffectClient
  readonly events: EventSink
  readonly freshness: Freshness
  readonly pods: Informer
  readonly claims: Informer
}

type Call<A = void> = Effect.Effect<A, ApiFailure>

export class StatefulCalls {
  readonly #from: StatefulCallsOptions

  constructor(from: StatefulCallsOptions) {
    this.#from = from
  }

  /** Makes a pod's claims, then the pod. */
  create = Effect.fnUntraced(
    { self: this },
    function* (this: StatefulCalls, set: StatefulSet, pod: KubeObject): Effect.fn.Return<KubeObject, ApiFailure> {
      const { client, pods } = this.#from
      const namespace = set.metadata.namespace ?? ""
      yield* this.#told("Create", set, pod, this.#makeClaims(set, pod))
      const made = yield* client.create({ resource: podResource, namespace }, pod).pipe(
        Effect.tapError((failure) =>
          Effect.sync(() => {
            if (failure.reason !== "AlreadyExists") this.#tell("Create", set, pod, failure)
          })
        )
      )
      this.#from.freshness.wrote(set.metadata.uid ?? "", pods, made.metadata.resourceVersion)
      yield* this.#told("Update", set, made, this.fixClaims(set, made))
      this.#tell("Create", set, pod, undefined)
      return made
    }
  )

  /** Makes the claims that a pending pod lacks. */
  completeClaims = (set: StatefulSet, pod: KubeObject): Call =>
    Effect.andThen(this.#makeClaims(set, pod), this.#told("Update", set, pod, this.fixClaims(set, pod)))

  /** Deletes a pod, and no other of its name; one that is gone is deleted. */
  delete(set: StatefulSet, pod: KubeObject): Call {
    const { client, freshness, pods } = this.#from
    const { name = "", namespace = "", uid } = pod.metadata
    return client
      .delete({ resource: podResource, namespace, name }, uid === undefined ? {} : { preconditions: { uid } })
      .pipe(
        Effect.map((answer) => freshness.wrote(set.metadata.uid ?? "", pods, answer.metadata.resourceVersion)),
        Effect.catchIf(
          ({ code }) => code === 404 || code === 409,
          () => Effect.void
        ),
        Effect.tapError((failure) => Effect.sync(() => this.#tell("Delete", set, pod, failure))),
        Effect.map(() => this.#tell("Delete", set, pod, undefined))
      )
  }

  /** Gives a pod the identity, volumes and claims of its number, if it has others. */
  conform = Effect.fnUntraced(
    { self: this },
    function* (this: StatefulCalls, set: StatefulSet, pod: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const hasAll = hasIdentity(set, pod) && hasStorage(set, pod)
      if (hasAll && this.areClaimsRight(set, pod)) return
      if (!hasStorage(set, pod)) yield* this.#told("Update", set, pod, this.#makeClaims(set, pod))
      if (!this.areClaimsRight(set, pod)) yield* this.#told("Update", set, pod, this.fixClaims(set, pod))
      const { client, freshness, pods } = this.#from
      const { name = "", namespace = "" } = pod.metadata
      const update = client.update({ resource: podResource, namespace, name }, identified(set, pod))
      const after = yield* this.#told("Update", set, pod, update)
      freshness.wrote(set.metadata.uid ?? "", pods, after.metadata.resourceVersion)
      this.#tell("Update", set, pod, undefined)
    }
  )

  /** Whether a pod's claims belong to whom the policy says; those that are not there yet do no harm. */
  areClaimsRight(set: StatefulSet, pod: KubeObject): boolean {
    return this.#claims(set, pod).every((claim) => isClaimRight(claim, set, pod))
  }

  /** Whether a claim of an earlier pod of this name is in the way. */
  hasStaleClaim(set: StatefulSet, pod: KubeObject): boolean {
    return this.#claims(set, pod).some((claim) => isStaleClaim(claim, set, pod))
  }

  /** Gives a pod's claims to whom the policy says. */
  fixClaims = Effect.fnUntraced(
    { self: this },
    function* (this: StatefulCalls, set: StatefulSet, pod: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const { claims, client, events, freshness } = this.#from
      for (const claim of this.#claims(set, pod)) {
        const { name = "", namespace = "" } = claim.metadata
        if (hasOtherController(claim, set, pod)) {
          const message = `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`
          events.event(set, "Warning", "ConflictingController", message)
        }
        if (isClaimRight(claim, set, pod)) continue
        const metadata = { ...claim.metadata, ownerReferences: retainedOwners(claim, set, pod) }
        const after = yield* client.update({ resource: claimResource, namespace, name }, { ...claim, metadata })
        freshness.wrote(set.metadata.uid ?? "", claims, after.metadata.resourceVersion)
      }
    }
  )

  /** The claims of a pod that are there. */
  #claims(set: StatefulSet, pod: KubeObject): ReadonlyArray<KubeObject> {
    if (set.spec.volumeClaimTemplates === undefined) return []
    return Array.from(claimsOf(set, podOrdinal(pod)).values()).flatMap(
      (claim) => this.#from.claims.store.get(objectKey(claim)) ?? []
    )
  }

  #makeClaims = Effect.fnUntraced(
    { self: this },
    function* (this: StatefulCalls, set: StatefulSet, pod: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const { claims, client, freshness } = this.#from
      let problem: ApiFailure | undefined
      for (const claim of claimsOf(set, podOrdinal(pod)).values()) {
        const { name = "", namespace = "" } = claim.metadata
        const known = claims.store.get(objectKey(claim))
        if (known !== undefined) {
          if (known.metadata.deletionTimestamp !== undefined)
            problem ??= Failures.internal(`pvc ${name} is being deleted`)
          continue
        }
        const made = yield* Effect.result(client.create({ resource: claimResource, namespace }, claim))
        if (made._tag === "Success") {
          freshness.wrote(set.metadata.uid ?? "", claims, made.success.metadata.resourceVersion)
          this.#tellClaim(set, pod, claim, undefined)
          continue
        }
        const { failure } = made
        problem ??= Failures.generic(failure.code, failure.reason, `failed to create PVC ${name}: ${failure.message}`)
        if (failure.reason !== "AlreadyExists") this.#tellClaim(set, pod, claim, failure)
      }
      if (problem !== undefined) return yield* Effect.fail(problem)
    }
  )

  /** A call whose failure is told. */
  #told<A>(verb: "Create" | "Update", set: StatefulSet, pod: KubeObject, call: Call<A>): Call<A> {
    return Effect.tapError(call, (failure) => Effect.sync(() => this.#tell(verb, set, pod, failure)))
  }

  #tell(
    verb: "Create" | "Update" | "Delete",
    set: StatefulSet,
    { metadata }: KubeObject,
    failure: ApiFailure | undefined
  ): void {
    const what = `${verb} Pod ${metadata.name ?? ""} in StatefulSet ${set.metadata.name ?? ""}`
    if (failure === undefined) this.#from.events.event(set, "Normal", `Successful${verb}`, `${what} successful`)
    else this.#from.events.event(set, "Warning", `Failed${verb}`, `${what} failed error: ${failure.message}`)
  }

  #tellClaim(set: StatefulSet, pod: KubeObject, claim: KubeObject, failure: ApiFailure | undefined): void {
    const { events } = this.#from
    const where = `Pod ${pod.metadata.name ?? ""} in StatefulSet ${set.metadata.name ?? ""}`
    const name = claim.metadata.name ?? ""
    if (failure === undefined) events.event(set, "Normal", "SuccessfulCreate", `Create Claim ${name} ${where} success`)
    else
      events.event(set, "Warning", "FailedCreate", `Create Claim ${name} for ${where} failed error: ${failure.message}`)
  }
}
