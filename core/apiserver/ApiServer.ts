// The API server without its wire: finds the definition that a request is about and the verb that answers it.
// Owns the parts of one server and their end; refuses authentication, authorization and encodings, which come before and after it.
import { ApiFailure, type Clockwork, Failures, type KubeObject } from "#kube"
import type { AdmissionPlugin } from "./Access.ts"
import type { Api, ResourceView } from "./Api.ts"
import type { RingBounds } from "./cache/EventRing.ts"
import type { ResourceCache } from "./cache/ResourceCache.ts"
import type { Definition, Definitions, Subresource } from "./Definition.ts"
import type { ApiAnswer, ApiRequest, ApiWatch, ApiWatchListener, Verb } from "./Request.ts"
import { act } from "./registry/Acting.ts"
import { AdmissionChain } from "./registry/AdmissionChain.ts"
import { createObject } from "./registry/Creating.ts"
import { deleteCollection, deleteObject } from "./registry/Deleting.ts"
import type { FieldManagers } from "./registry/FieldManagers.ts"
import { patchObject } from "./registry/Patching.ts"
import { getObject, listObjects } from "./registry/Reading.ts"
import { refreshObject } from "./registry/Refreshing.ts"
import { Registry } from "./registry/Registry.ts"
import { changeScale, getScale } from "./registry/Scaling.ts"
import type { ServedResource } from "./registry/StoredResource.ts"
import { updateObject } from "./registry/Updating.ts"
import { watchObjects } from "./registry/Watching.ts"
import { beginWriting } from "./registry/Writing.ts"
import { type Compaction, startCompaction } from "./store/Compaction.ts"
import type { KeyValue } from "./store/KeyValue.ts"
import { TurnQueue } from "./TurnQueue.ts"

export interface ApiServerOptions {
  readonly keyValue: KeyValue
  readonly clockwork: Clockwork
  readonly definitions: Definitions
  /** In the order in which they are asked; a function is called once, when the server stands and its definitions are there. */
  readonly admission?: ReadonlyArray<AdmissionPlugin> | ((api: Api) => ReadonlyArray<AdmissionPlugin>)
  /** Who keeps managed fields; without one they stay as clients send them, and nothing can be applied. */
  readonly managers?: FieldManagers
  /** Changes of each resource that watches resume from; default 16,384 and 64 MiB. */
  readonly ring?: RingBounds
  /** When the store forgets the past; default: every five minutes what was there at the last time. */
  readonly compaction?: Compaction
}

export interface ApiServer extends Api {
  /** The caches that were started, for metrics. */
  readonly caches: () => Iterable<ResourceCache>
  /** Ends all watches in good order. The store is the caller's to close. */
  readonly stop: () => void
}

type Answer = (answer: ApiAnswer | ApiFailure) => void

/** Fresh for 75 s, as in kube-apiserver's watch cache: older watches begin anew, and lists of older states are read from the store. */
const RING: RingBounds = { events: 16_384, bytes: 64 * 2 ** 20, freshMs: 75_000, fewest: 1024 }

/** A server on a store. */
export const makeApiServer = (options: ApiServerOptions): ApiServer => {
  const { clockwork, definitions, keyValue } = options
  const turn = new TurnQueue(clockwork)
  const server: ApiServer = {
    clockwork,
    definitions,
    execute: (request, done) => {
      let returned = false
      const answer: Answer = (answered) => (returned ? done(answered) : turn.push(() => done(answered)))
      try {
        route(server, registry, request, answer)
      } catch (error) {
        // A strategy or plugin of ours that breaks fails its request alone.
        answer(Failures.internal(error instanceof Error ? error.message : "unknown"))
      }
      returned = true
    },
    watch: (request, listener) => {
      const resource = watchable(registry, definitions, request)
      return resource instanceof ApiFailure
        ? refusedWatch(turn, listener, resource)
        : watchObjects(registry, resource, request, listener)
    },
    view: (group, name) => viewOf(registry, definitions, group, name),
    caches: () => registry.all(),
    stop: () => {
      stopCompaction()
      registry.stop()
    }
  }
  const { admission = [] } = options
  const chain = new AdmissionChain(typeof admission === "function" ? [] : admission)
  const registry = new Registry({
    api: server,
    keyValue,
    clockwork,
    admission: chain,
    managers: options.managers,
    ring: options.ring ?? RING
  })
  const stopCompaction = startCompaction(keyValue, clockwork, options.compaction, (revision) => {
    registry.compactedRevision = revision
  })
  if (typeof admission === "function") chain.use(admission(server))
  definitions.onChange(() => dropUnserved(registry, definitions))
  return server
}

const unknown = (): ApiFailure => Failures.generic(404, "NotFound", "the server could not find the requested resource")

const findDefinition = (definitions: Definitions, { resource }: ApiRequest): Definition | undefined =>
  definitions.find(resource.group, resource.version, resource.resource)

const route = (api: Api, registry: Registry, request: ApiRequest, done: Answer): void => {
  const definition = findDefinition(api.definitions, request)
  if (definition === undefined) return done(unknown())
  if (request.subresource === "") {
    if (!definition.verbs.includes(request.verb)) return done(unsupported(definition, request.verb))
    const resource = registry.resource(definition)
    if (resource !== undefined) return onObject(registry, resource, request, done)
  }
  const { admission, clockwork } = registry
  const context = { api, clockwork }
  if (request.subresource === "") {
    const { action } = definition
    return action === undefined ? done(unknown()) : act({ definition, action, admission, context }, request, done)
  }
  const subresource = definition.subresources.get(request.subresource)
  if (subresource === undefined) return done(unknown())
  if (subresource.type === "action") {
    if (!subresource.verbs.includes(request.verb)) return done(unsupported(definition, request.verb))
    return act({ definition, action: subresource.run, admission, context }, request, done)
  }
  const resource = registry.resource(definition)
  if (resource === undefined) return done(unknown())
  onSubresource(registry, resource, subresource, request, done)
}

const unsupported = ({ group, resource }: Definition, verb: Verb): ApiFailure =>
  Failures.methodNotSupported({ group, resource }, verb)

const onObject = (registry: Registry, resource: ServedResource, request: ApiRequest, done: Answer): void => {
  switch (request.verb) {
    case "get":
      return getObject(registry, resource, request, done)
    case "list":
      return listObjects(registry, resource, request, done)
    case "create":
      return createObject(beginWriting(registry, resource, request), done)
    case "update":
      return update(registry, resource, request, done)
    case "patch":
      return patchObject(beginWriting(registry, resource, request), undefined, done)
    case "delete":
      return deleteObject(beginWriting(registry, resource, request), done)
    case "deletecollection":
      return deleteCollection(registry, resource, request, done)
    case "watch":
      return done(Failures.badRequest("a watch is no single answer"))
  }
}

const update = (registry: Registry, resource: ServedResource, request: ApiRequest, done: Answer): void => {
  if (!refreshObject(registry, resource, request, done, updateWhole)) updateWhole(registry, resource, request, done)
}

const updateWhole = (registry: Registry, resource: ServedResource, request: ApiRequest, done: Answer): void =>
  updateObject(beginWriting(registry, resource, request), undefined, done)

const PART_VERBS: ReadonlyArray<Verb> = ["get", "update", "patch"]

const onSubresource = (
  registry: Registry,
  resource: ServedResource,
  subresource: Exclude<Subresource, { type: "action" }>,
  request: ApiRequest,
  done: Answer
): void => {
  const verbs = subresource.type === "part" ? subresource.verbs : PART_VERBS
  if (!verbs.includes(request.verb)) return done(unsupported(resource.definition, request.verb))
  const writing = beginWriting(registry, resource, request, subresource)
  if (subresource.type === "scale") {
    return request.verb === "get" ? getScale(writing, subresource, done) : changeScale(writing, subresource, done)
  }
  switch (request.verb) {
    case "get":
      return getObject(registry, resource, request, done)
    case "patch":
      return patchObject(writing, subresource, done)
    default:
      return updateObject(writing, subresource, done)
  }
}

const watchable = (registry: Registry, definitions: Definitions, request: ApiRequest): ServedResource | ApiFailure => {
  const definition = findDefinition(definitions, request)
  const resource = definition && registry.resource(definition)
  if (definition === undefined || resource === undefined) return unknown()
  return definition.verbs.includes("watch") ? resource : unsupported(definition, "watch")
}

const refusedWatch = (turn: TurnQueue, listener: ApiWatchListener, failure: ApiFailure): ApiWatch => {
  let stopped = false
  turn.push(() => {
    if (!stopped) listener.ended(failure)
  })
  return { resume: () => undefined, stop: () => void (stopped = true) }
}

/** Caches of prefixes that no definition has any longer end their watches. */
const dropUnserved = (registry: Registry, definitions: Definitions): void => {
  const served = new Set(definitions.all().map(({ storage }) => storage?.prefix))
  for (const { prefix } of registry.all()) if (!served.has(prefix)) registry.drop(prefix)
}

const viewOf = (registry: Registry, definitions: Definitions, group: string, name: string): ResourceView => {
  const versions = definitions.all().filter((one) => one.group === group && one.resource === name && one.storage)
  const definition = versions.find(({ storage, version }) => storage?.version === version) ?? versions[0]
  const resource = definition && registry.resource(definition)
  if (resource === undefined) return EMPTY_VIEW
  const { cache } = resource
  cache.whenReady(() => undefined)
  return {
    get: (namespace, own) => cache.get(resource.key(namespace, own))?.object,
    list: (namespace) => {
      const found: Array<KubeObject> = []
      const [start, end] = namespace === "" ? ["", undefined] : [`${namespace}/`, `${namespace}0`]
      cache.scan()?.(start, end, (_key, held) => {
        found.push(held.object)
        return true
      })
      return found
    },
    onChange: (listener) => cache.follow(listener)
  }
}

const EMPTY_VIEW: ResourceView = { get: () => undefined, list: () => [], onChange: () => () => undefined }
