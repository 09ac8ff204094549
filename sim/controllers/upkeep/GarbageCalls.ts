// What the garbage collector asks of the server about one node: its latest state, its deletion, its references and finalizers.
// Owns the calls and their preconditions; refuses to decide which are due.
import { Effect } from "effect"
import {
  ApiFailure,
  type DeleteOptions,
  type Json,
  type KubeObject,
  type OwnerReference,
  sameJson,
  type Target
} from "#kube"
import { clientOf, isConflict, isNotFound } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import type { Identity } from "./GraphNode.ts"
import { type ServedResources, servedResources } from "./ServedResources.ts"

/** A kind that nobody serves, now at least. */
export class KindUnknown extends Error {
  readonly _tag = "KindUnknown"
  override readonly name = "KindUnknown"
}

/** An object in no namespace names an owner that is in one: asking again will not change that. */
export class NamespacedOwner extends Error {
  readonly _tag = "NamespacedOwner"
  override readonly name = "NamespacedOwner"
}

export type GarbageProblem = ApiFailure | KindUnknown | NamespacedOwner

type Policy = NonNullable<DeleteOptions["propagationPolicy"]>

const CONFLICT_TRIES = 4
const CONFLICT_WAIT_MS = 10

export class GarbageCalls {
  readonly #client
  readonly #served: ServedResources

  constructor(manager: Manager) {
    this.#client = clientOf(manager)
    this.#served = servedResources(manager)
  }

  /** Where an identity lies; an owner's namespace is its dependent's. */
  target({ apiVersion, kind, name, namespace }: Identity): Effect.Effect<Target, GarbageProblem> {
    const served = this.#served.ofKind(apiVersion, kind)
    if (served === undefined) {
      return Effect.fail(new KindUnknown(`no resource serves kind ${kind} in ${apiVersion}`))
    }
    if (!served.namespaced) return Effect.succeed({ resource: served, namespace: "", name })
    if (namespace === "") {
      return Effect.fail(new NamespacedOwner("cluster-scoped objects cannot refer to namespaced owners"))
    }
    return Effect.succeed({ resource: served, namespace, name })
  }

  isNamespaced({ apiVersion, kind }: Pick<Identity, "apiVersion" | "kind">): boolean {
    return this.#served.ofKind(apiVersion, kind)?.namespaced !== false
  }

  /** The latest state of what is there under this name; undefined when nothing is. */
  latest(identity: Identity): Effect.Effect<KubeObject | undefined, GarbageProblem> {
    return Effect.flatMap(this.target(identity), (target) => this.#get(target))
  }

  #get(target: Target): Effect.Effect<KubeObject | undefined, ApiFailure> {
    return this.#client
      .get(target, { metadataOnly: true })
      .pipe(Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure))))
  }

  /** Deletes an object as it was seen, or with the same owners; answers whether it was there. */
  readonly remove = Effect.fnUntraced(
    function* (this: GarbageCalls, identity: Identity, seen: KubeObject, propagationPolicy: Policy) {
      const target = yield* this.target(identity)
      const { ownerReferences, resourceVersion } = seen.metadata
      const { uid } = identity
      const preconditions = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
      const first = yield* this.#delete(target, { preconditions, propagationPolicy })
      if (first !== "overtaken") return first === "gone"
      const live = yield* this.#get(target)
      if (live === undefined) return false
      const isStillOwned =
        live.metadata.uid === uid &&
        sameJson((live.metadata.ownerReferences ?? []) as unknown as Json, (ownerReferences ?? []) as unknown as Json)
      if (!isStillOwned) return yield* Effect.fail(conflictOf(identity))
      const second = yield* this.#delete(target, { preconditions: { uid }, propagationPolicy })
      if (second === "overtaken") return yield* Effect.fail(conflictOf(identity))
      return second === "gone"
    }.bind(this)
  )

  #delete(target: Target, options: DeleteOptions): Effect.Effect<"gone" | "absent" | "overtaken", ApiFailure> {
    return this.#client.delete(target, options).pipe(
      Effect.as("gone" as const),
      Effect.catch((failure) => {
        if (isNotFound(failure)) return Effect.succeed("absent" as const)
        return isConflict(failure) ? Effect.succeed("overtaken" as const) : Effect.fail(failure)
      })
    )
  }

  /** Takes references to these owners off an object. */
  dropOwners(identity: Identity, uids: ReadonlyArray<string>): Effect.Effect<void, GarbageProblem> {
    const ownerReferences = uids.map((uid) => ({ $patch: "delete", uid }))
    const body = { metadata: { uid: identity.uid, ownerReferences } }
    return this.#patchReferences(identity, body, (references) => references.filter(({ uid }) => !uids.includes(uid)))
  }

  /** Makes all references of an object such that they block no owner's deletion. */
  unblockOwners(identity: Identity, owners: ReadonlyArray<OwnerReference>): Effect.Effect<void, GarbageProblem> {
    const free = (one: OwnerReference): OwnerReference => ({ ...one, blockOwnerDeletion: false })
    const blocking = owners.filter(({ blockOwnerDeletion }) => blockOwnerDeletion === true).map(free)
    const body = { metadata: { uid: identity.uid, ownerReferences: blocking as unknown as Json } }
    return this.#patchReferences(identity, body, (references) => references.map(free))
  }

  /** A strategic merge patch where the server knows the kind's strategies, else a merge patch of the whole list. */
  readonly #patchReferences = Effect.fnUntraced(
    function* (
      this: GarbageCalls,
      identity: Identity,
      strategic: Json,
      change: (references: ReadonlyArray<OwnerReference>) => ReadonlyArray<OwnerReference>
    ) {
      const target = yield* this.target(identity)
      const first = yield* this.#client
        .patch(target, { type: "strategic", body: strategic })
        .pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
      if (first === undefined) return
      if (first.code !== 415) return yield* Effect.fail(first)
      const { metadata } = yield* this.#client.get(target, { metadataOnly: true })
      const ownerReferences = change(metadata.ownerReferences ?? []) as unknown as Json
      const body = { metadata: { resourceVersion: metadata.resourceVersion, ownerReferences } }
      yield* this.#client.patch(target, { type: "merge", body })
    }.bind(this)
  )

  /** Takes a finalizer off an object, whoever else writes to it meanwhile. */
  readonly dropFinalizer = Effect.fnUntraced(
    function* (this: GarbageCalls, identity: Identity, finalizer: string) {
      for (let tries = 1; ; tries++) {
        const object = yield* this.latest(identity)
        const finalizers = object?.metadata.finalizers
        if (object === undefined || finalizers?.includes(finalizer) !== true) return
        const rest = finalizers.filter((one) => one !== finalizer)
        const body = { metadata: { resourceVersion: object.metadata.resourceVersion, finalizers: rest } }
        const target = yield* this.target(identity)
        const failure = yield* this.#client
          .patch(target, { type: "merge", body })
          .pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
        if (failure === undefined || isNotFound(failure)) return
        if (!isConflict(failure) || tries === CONFLICT_TRIES) return yield* Effect.fail(failure)
        yield* Effect.sleep(CONFLICT_WAIT_MS)
      }
    }.bind(this)
  )
}

const conflictOf = ({ kind, name }: Identity): ApiFailure =>
  new ApiFailure({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "Conflict",
    message: `${kind} ${name} changed while it was to be deleted`,
    code: 409
  })
