// The update that says nothing new but the time: a lease renewed, the most frequent write of any cluster, in a few steps.
// Owns which updates may go this way: those of an object that came from here and goes back with its metadata untouched, which the kind
// says need no rule, which no admission plugin asks for, and of which no manager is written down. Refuses all others, which go the
// whole way; so does one that others overtook. What is stored, answered and told to watchers is the same either way.
import type { KubeObject } from "#kube"
import { Held } from "../cache/Held.ts"
import type { ApiRequest, RequestOptions } from "../Request.ts"
import { KeyValueFailure, WriteConflict } from "../store/KeyValue.ts"
import { objectAnswer } from "./Reading.ts"
import { type Registry, storeFailure } from "./Registry.ts"
import type { ServedResource } from "./StoredResource.ts"
import type { Answer } from "./Writing.ts"

/** Writes a mere refresh at once; false leaves the update as it is, `whole` is called when somebody else was faster. */
export const refreshObject = (
  registry: Registry,
  resource: ServedResource,
  request: ApiRequest,
  done: Answer,
  whole: (registry: Registry, resource: ServedResource, request: ApiRequest, done: Answer) => void
): boolean => {
  const { body } = request
  const { refreshes } = resource.definition.strategy
  if (refreshes === undefined || body === undefined || !isPlain(request.options)) return false
  const found = newest(registry, resource, request)
  if (found === undefined) return false
  const old = found.object
  const { place } = found
  if (place === undefined || !isSame(body, old) || !refreshes(body, old)) return false
  const { definition } = resource
  const { admission, keyValue } = registry
  const isAsked =
    !admission.isEmpty && admission.asks({ operation: "UPDATE", request, definition, object: body, oldObject: old })
  if (isAsked) return false
  const metadata = { ...old.metadata, resourceVersion: undefined }
  const object = { ...old, metadata, spec: body.spec } as unknown as KubeObject
  const held = new Held(object, 0, resource.cache.layout, undefined, place)
  const ttlSeconds = resource.storage.ttlSeconds ?? 0
  const write = { key: place.storeKey, value: held, expected: found.revision, ttlSeconds, origin: held, place }
  keyValue.write(write, (outcome) => {
    if (outcome instanceof WriteConflict) return whole(registry, resource, request, done)
    if (outcome instanceof KeyValueFailure) return done(storeFailure(outcome))
    held.settle(outcome, undefined)
    done(objectAnswer(held))
  })
  return true
}

/** What the cache has, where it is never behind the store and objects are served as they are stored. */
const newest = (
  { keyValue }: Registry,
  resource: ServedResource,
  { memo, name, namespace }: ApiRequest
): Held | undefined =>
  keyValue.coherent && resource.isStoredVersion && resource.cache.isReady
    ? resource.cache.find(namespace, name, memo)
    : undefined

/** Whether the options say nothing: no dry run, no manager. What unknown fields would mean is no matter, for there are none. */
const isPlain = ({ dryRun, fieldManager = "", fieldValidation = "Ignore" }: RequestOptions): boolean =>
  dryRun !== true && fieldManager === "" && fieldValidation === "Ignore"

/** Whether a body is of a living object as it was answered: the very metadata, resourceVersion and all. */
const isSame = ({ apiVersion, kind, metadata }: KubeObject, old: KubeObject): boolean =>
  metadata === old.metadata &&
  kind === old.kind &&
  apiVersion === old.apiVersion &&
  metadata.deletionTimestamp === undefined
