// Objects brought to a wanted state by calls that may be repeated at any time, in any order, by anybody.
// Owns "create, or update when it differs"; refuses to know what the objects are for.
import { Effect } from "effect"
import {
  ApiFailure,
  type EffectClient,
  type GroupVersionResource,
  type KubeObject,
  type Json,
  sameJson,
  type Target
} from "#kube"

/** Fields of an object that say what it is, other than its type, its metadata and its status. */
const contentOf = (object: KubeObject): Json => {
  const { apiVersion: _, kind: __, metadata: ___, status: ____, ...rest } = object
  return rest as unknown as Json
}

const hasAll = (
  known: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>> | undefined
): boolean => Object.entries(wanted ?? {}).every(([name, value]) => known?.[name] === value)

/** Whether an object has the wanted labels, annotations and, unless it is left to others, content. */
const isAsWanted = (known: KubeObject, wanted: KubeObject): boolean =>
  hasAll(known.metadata.labels, wanted.metadata.labels) &&
  hasAll(known.metadata.annotations, wanted.metadata.annotations) &&
  sameJson(contentOf(known), contentOf({ ...known, ...wanted }))

export const targetOf = (resource: GroupVersionResource, object: KubeObject): Target => ({
  resource,
  namespace: object.metadata.namespace ?? "",
  name: object.metadata.name ?? ""
})

/** The object, or undefined when there is none. */
export const find = (client: EffectClient, target: Target): Effect.Effect<KubeObject | undefined, ApiFailure> =>
  client.get(target).pipe(
    Effect.map((found): KubeObject | undefined => found),
    Effect.catch((failure) => (failure.code === 404 ? Effect.succeed(undefined) : Effect.fail(failure)))
  )

/** Creates an object, or gives it the wanted labels and content. */
export const ensure = Effect.fnUntraced(function* (
  client: EffectClient,
  resource: GroupVersionResource,
  wanted: KubeObject
) {
  const target = targetOf(resource, wanted)
  const known = yield* find(client, target)
  if (known === undefined) {
    return yield* client.create({ resource, namespace: target.namespace }, wanted)
  }
  if (isAsWanted(known, wanted)) return known
  const metadata = {
    ...known.metadata,
    labels: { ...known.metadata.labels, ...wanted.metadata.labels },
    annotations: { ...known.metadata.annotations, ...wanted.metadata.annotations }
  }
  return yield* client.update(target, { ...known, ...wanted, metadata })
})

/** Deletes an object; one that is gone is fine. True when there was one. */
export const remove = (client: EffectClient, target: Target): Effect.Effect<boolean, ApiFailure> =>
  client.delete(target).pipe(
    Effect.as(true),
    Effect.catch((failure) => (failure.code === 404 ? Effect.succeed(false) : Effect.fail(failure)))
  )
