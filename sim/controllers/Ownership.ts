// How a controller comes to own objects and lets them go: orphans that its selector matches are adopted, what it owns and no longer
// matches is released (upstream's ControllerRefManager).
// Owns the rule and the two patches, each bound to the uid that was seen; refuses to look for candidates, which callers hand in.
import { Effect } from "effect"
import {
  ApiFailure,
  controllerOf,
  type EffectClient,
  Failures,
  type GroupVersionResource,
  type JsonObject,
  type KubeObject,
  type Labels
} from "#kube"
import { type OwnerKind, ownerReference } from "./Owned.ts"

export interface ClaimOptions {
  readonly client: EffectClient
  readonly owner: KubeObject
  readonly ownerKind: OwnerKind
  /** The owner's own resource: it is read anew before the first adoption. */
  readonly ownerResource: GroupVersionResource
  /** Of the objects that are claimed. */
  readonly resource: GroupVersionResource
  readonly matches: (labels: Labels, object: KubeObject) => boolean
  /** Put on what is adopted, taken off what is released. */
  readonly finalizers?: ReadonlyArray<string>
}

type Claim = "own" | "adopt" | "release" | "leave"

const noLabels: Labels = {}

/** What the rule says of one candidate. */
const claimOf = ({ matches, owner }: ClaimOptions, object: KubeObject): Claim => {
  const { deletionTimestamp, namespace, uid } = owner.metadata
  const controller = controllerOf(object)
  const isMatch = matches(object.metadata.labels ?? noLabels, object)
  if (controller !== undefined) {
    if (controller.uid !== uid) return "leave"
    if (isMatch) return "own"
    return deletionTimestamp === undefined ? "release" : "leave"
  }
  if (!isMatch || deletionTimestamp !== undefined || object.metadata.deletionTimestamp !== undefined) return "leave"
  return namespace === object.metadata.namespace ? "adopt" : "leave"
}

/** Adoption is for owners that live: not for one that was deleted, or replaced by another of its name, since it was seen. */
const recheck = ({ client, owner, ownerResource }: ClaimOptions): Effect.Effect<void, ApiFailure> => {
  const { name = "", namespace = "", uid } = owner.metadata
  return Effect.flatMap(client.get({ resource: ownerResource, namespace, name }), ({ metadata }) => {
    if (metadata.uid !== uid) {
      return Effect.fail(
        Failures.internal(
          `original ${owner.kind} ${namespace}/${name} is gone: got uid ${metadata.uid ?? ""}, wanted ${uid ?? ""}`
        )
      )
    }
    return metadata.deletionTimestamp === undefined
      ? Effect.void
      : Effect.fail(
          Failures.internal(`${namespace}/${name} has just been deleted at ${metadata.deletionTimestamp ?? ""}`)
        )
  })
}

const patched = (options: ClaimOptions, object: KubeObject, metadata: JsonObject): Effect.Effect<void, ApiFailure> => {
  const { name = "", namespace = "", uid = "" } = object.metadata
  return options.client
    .patch(
      { resource: options.resource, namespace, name },
      { type: "strategic", body: { metadata: { uid, ...metadata } } }
    )
    .pipe(Effect.asVoid)
}

const adopt = (options: ClaimOptions, object: KubeObject): Effect.Effect<void, ApiFailure> => {
  const { finalizers, owner, ownerKind } = options
  return patched(options, object, {
    ownerReferences: [{ ...ownerReference(owner, ownerKind) }],
    ...(finalizers && { finalizers })
  })
}

const release = (options: ClaimOptions, object: KubeObject): Effect.Effect<void, ApiFailure> => {
  const { finalizers, owner } = options
  return patched(options, object, {
    ownerReferences: [{ $patch: "delete", uid: owner.metadata.uid ?? "" }],
    ...(finalizers && { "$deleteFromPrimitiveList/finalizers": finalizers })
  }).pipe(
    // Invalid: there is no such owner any more, or the object is another one of its name.
    Effect.catchIf(
      (failure) => failure.code === 404 || failure.code === 422,
      () => Effect.void
    )
  )
}

/**
 * The candidates that the owner owns, in their order. What can be adopted is, what must be released is; candidates that are gone
 * meanwhile are left out. The first failure is told after all candidates were tried.
 */
export const claim = (
  options: ClaimOptions,
  candidates: ReadonlyArray<KubeObject>
): Effect.Effect<ReadonlyArray<KubeObject>, ApiFailure> => {
  const claims = candidates.map((object) => claimOf(options, object))
  if (claims.every((one) => one === "own")) return Effect.succeed(candidates)
  if (!claims.includes("adopt") && !claims.includes("release"))
    return Effect.succeed(candidates.filter((_, at) => claims[at] === "own"))
  return claimWithCalls(options, candidates, claims)
}

const claimWithCalls = Effect.fnUntraced(function* (
  options: ClaimOptions,
  candidates: ReadonlyArray<KubeObject>,
  claims: ReadonlyArray<Claim>
) {
  const owned: Array<KubeObject> = []
  let failure: ApiFailure | undefined
  let checked: ApiFailure | "may adopt" | undefined
  for (const [at, object] of candidates.entries()) {
    const wanted = claims[at]
    if (wanted === "own") owned.push(object)
    else if (wanted === "release") {
      const end = yield* Effect.result(release(options, object))
      if (end._tag === "Failure") failure ??= end.failure
    } else if (wanted === "adopt") {
      if (checked === undefined) {
        const end = yield* Effect.result(recheck(options))
        checked = end._tag === "Failure" ? end.failure : "may adopt"
      }
      if (checked instanceof ApiFailure) {
        failure ??= checked
        continue
      }
      const end = yield* Effect.result(adopt(options, object))
      if (end._tag === "Success") owned.push(object)
      else if (end.failure.code !== 404) failure ??= end.failure
    }
  }
  return failure === undefined ? owned : yield* Effect.fail(failure)
})
