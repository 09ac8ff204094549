// watch: from which state, for whom, and how long.
// Owns the rules of where a watch begins; refuses delivery, which the cache's watchers do.
import { ApiFailure, Failures } from "#kube"
import { CacheWatcher, type CacheWatcherOptions } from "../cache/CacheWatcher.ts"
import type { CacheEvent } from "../cache/EventRing.ts"
import type { Held } from "../cache/Held.ts"
import type { ApiRequest, ApiWatch, ApiWatchListener } from "../Request.ts"
import { invalidRevision, parseRevision, refuseWatch } from "./ListRules.ts"
import type { Registry } from "./Registry.ts"
import { select, type Selected } from "./Selection.ts"
import type { ServedResource } from "./StoredResource.ts"

/** A watch without a time-out of its own lasts so long, and up to twice as long, so that they do not all end together. */
const TIMEOUT_MS = 1_800_000

/** Starts a watch; the listener hears of it after this returned. */
export const watchObjects = (
  registry: Registry,
  resource: ServedResource,
  request: ApiRequest,
  listener: ApiWatchListener
): ApiWatch => {
  const { clockwork } = registry
  let watcher: CacheWatcher | undefined
  let stopped = false
  const end = (failure: ApiFailure): void => {
    if (!stopped) listener.ended(failure)
  }
  const { options } = request
  const selected = select(resource.definition, request)
  const refused = selected instanceof ApiFailure ? selected : refuseWatch(options)
  const text = options.resourceVersion ?? ""
  const revision = parseRevision(text)
  clockwork.defer(() => {
    if (stopped) return
    if (refused !== undefined) return end(refused)
    if (revision === undefined) return end(invalidRevision(text))
    whenReady(registry, resource, request, revision, (failure) => {
      if (stopped) return
      if (failure !== undefined) return end(failure)
      const started = start(registry, resource, request, selected as Selected, revision, listener)
      if (started instanceof ApiFailure) return end(started)
      watcher = started
    })
  })
  return {
    resume: () => watcher?.resume(),
    stop: () => {
      stopped = true
      watcher?.stop()
    }
  }
}

/** The state that is told first must be as new as was asked for; a watch alone may begin before. */
const whenReady = (
  registry: Registry,
  { cache }: ServedResource,
  { options }: ApiRequest,
  revision: number,
  done: (failure: ApiFailure | undefined) => void
): void => {
  if (options.sendInitialEvents === undefined) return cache.whenReady(() => done(undefined))
  if ((options.resourceVersion ?? "") === "") return registry.whenNewest(cache, done)
  if (options.sendInitialEvents) return registry.whenAtLeast(cache, revision, done)
  cache.whenReady(() => done(undefined))
}

const start = (
  registry: Registry,
  resource: ServedResource,
  { options }: ApiRequest,
  selected: Selected,
  revision: number,
  listener: ApiWatchListener
): CacheWatcher | ApiFailure => {
  const { cache, definition } = resource
  const wantsState = options.sendInitialEvents ?? revision === 0
  const current = cache.revision
  const initial = wantsState ? stateOf(resource, selected) : undefined
  const from = wantsState || revision === 0 ? current : revision
  const backlog: ReadonlyArray<CacheEvent> | undefined = from >= current ? [] : cache.ring.after(from)
  if (backlog === undefined) {
    return Failures.expired(`too old resource version: ${from} (${cache.ring.floor})`)
  }
  const watcherOptions: CacheWatcherOptions = {
    scope: resource.isStoredVersion ? selected.scope : withoutField(selected),
    matches: matchOf(resource, selected),
    convert: resource.isStoredVersion ? undefined : (held) => resource.served(held),
    gvk: definition,
    bookmarks: options.allowWatchBookmarks === true,
    initialEventsEnd: options.sendInitialEvents === true && options.allowWatchBookmarks === true,
    timeoutMs:
      options.timeoutSeconds === undefined || options.timeoutSeconds === 0
        ? TIMEOUT_MS * (1 + registry.clockwork.random())
        : options.timeoutSeconds * 1000
  }
  const watcher = new CacheWatcher(cache, watcherOptions, listener, from, initial)
  cache.join(watcher)
  watcher.begin(backlog)
  return watcher
}

const withoutField = ({ scope: { name, namespace } }: Selected): Selected["scope"] => ({ name, namespace })

const matchOf = (resource: ServedResource, { matches }: Selected): CacheWatcherOptions["matches"] =>
  matches === undefined
    ? undefined
    : resource.isStoredVersion
      ? (held) => matches(held.object)
      : (held) => matches(resource.served(held).object)

/** The objects that a watch begins with. */
const stateOf = (resource: ServedResource, { matches, scope }: Selected): ReadonlyArray<Held> => {
  const { cache } = resource
  const found: Array<Held> = []
  const take = (held: Held): void => {
    if (matches === undefined || matches(resource.served(held).object)) found.push(held)
  }
  const { field, name, namespace } = scope
  if (name !== "") {
    const held = cache.get(namespace === "" ? name : `${namespace}/${name}`)
    if (held !== undefined) take(held)
    return found
  }
  const indexed = field && resource.isStoredVersion ? cache.byField(field.name, field.of, field.value) : undefined
  if (indexed !== undefined) {
    const keys = [...indexed.keys()].filter((key) => namespace === "" || key.startsWith(`${namespace}/`)).sort()
    for (const key of keys) {
      const held = indexed.get(key)
      if (held !== undefined) take(held)
    }
    return found
  }
  const [start, end] = namespace === "" ? ["", undefined] : [`${namespace}/`, `${namespace}0`]
  cache.scan()?.(start, end, (_key, held) => {
    take(held)
    return true
  })
  return found
}
