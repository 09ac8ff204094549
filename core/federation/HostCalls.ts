// Calls on the host and on members that all controllers of this room make the same way.
// Owns the answers that are no failures to us: gone already, there already, changed meanwhile; refuses to retry, which queues do.
import { Effect } from "effect"
import type { ApiFailure, EffectClient, Json, JsonObject, KubeObject, Target } from "#kube"

/** Who writes on the host and on members, in managed fields. */
export const MANAGER = { fieldManager: "kubeadmiral" } as const

/** 404. */
export const isNotFound = ({ code }: ApiFailure): boolean => code === 404
/** 409 because the object has changed since it was read. */
export const isConflict = ({ code, reason }: ApiFailure): boolean => code === 409 && reason === "Conflict"
/** 409 because there is one. */
export const isThere = ({ code, reason }: ApiFailure): boolean => code === 409 && reason === "AlreadyExists"

/** The answer, or undefined where it is 404. */
export const unlessAbsent = <A>(call: Effect.Effect<A, ApiFailure>): Effect.Effect<A | undefined, ApiFailure> =>
  Effect.catch(call, (failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure)))

/** The object, or undefined. */
export const find = (client: EffectClient, target: Target): Effect.Effect<KubeObject | undefined, ApiFailure> =>
  unlessAbsent(client.get(target))

/** Creates an object; one that is there already is answered as it is. */
export const ensure = (
  client: EffectClient,
  { name, ...collection }: Target,
  object: KubeObject
): Effect.Effect<KubeObject, ApiFailure> =>
  Effect.catch(client.create(collection, object, MANAGER), (failure) =>
    isThere(failure) ? client.get({ ...collection, name }) : Effect.fail(failure)
  )

/** A JSON merge patch on what was read: of another version it is refused as a conflict. */
export const patchRead = (
  client: EffectClient,
  target: Target,
  read: KubeObject,
  change: { readonly metadata?: JsonObject; readonly [field: string]: Json | undefined }
): Effect.Effect<KubeObject, ApiFailure> => {
  const { resourceVersion, uid } = read.metadata
  const body = { ...change, metadata: { ...change.metadata, resourceVersion, uid } }
  return client.patch(target, { type: "merge", body }, MANAGER)
}

/** Puts a finalizer into a list or takes it out; undefined when nothing changes. */
export const finalizersWith = (
  { metadata: { finalizers = [] } }: KubeObject,
  add: ReadonlyArray<string>,
  remove: ReadonlyArray<string> = []
): ReadonlyArray<string> | undefined => {
  const missing = add.filter((one) => !finalizers.includes(one))
  const kept = finalizers.filter((one) => !remove.includes(one))
  return missing.length === 0 && kept.length === finalizers.length ? undefined : [...kept, ...missing]
}
