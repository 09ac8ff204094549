// get and list: from the cache, as fresh as was asked for; older revisions from the changes since, or from the store.
// Owns pages and their tokens; refuses watches. The order is that of keys, so a page goes on where the one before it ended.
import { ApiFailure, Failures } from "#kube"
import { Held } from "../cache/Held.ts"
import type { Scan } from "../cache/PastState.ts"
import type { ApiAnswer, ApiRequest, HeldObject } from "../Request.ts"
import { KeyValueFailure } from "../store/KeyValue.ts"
import { decodeStored } from "../store/StoredJson.ts"
import { continueAfter, encodeContinue } from "./ContinueToken.ts"
import { continueExpired, invalidRevision, listExpired, type ListPlan, parseRevision, planList } from "./ListRules.ts"
import { type Registry, storeFailure } from "./Registry.ts"
import { select, type Selected } from "./Selection.ts"
import type { ServedResource } from "./StoredResource.ts"

const NONE: ReadonlyArray<string> = []

type Answer = (answer: ApiAnswer | ApiFailure) => void

/** The answer that is an object. */
export const objectAnswer = (held: HeldObject, code = 200, warnings: ReadonlyArray<string> = NONE): ApiAnswer => ({
  kind: "object",
  code,
  held,
  warnings
})

/** Finds the newest version of an object: of the cache where that is never behind, else of the store. */
export const findNewest = (
  registry: Registry,
  resource: ServedResource,
  namespace: string,
  name: string,
  done: (found: Held | undefined | ApiFailure) => void
): void => {
  const { cache } = resource
  const key = resource.key(namespace, name)
  const { keyValue } = registry
  if (keyValue.coherent) return cache.whenReady(() => done(cache.get(key)))
  keyValue.get(resource.storeKey(namespace, name), (entry) => {
    if (entry === undefined) return done(undefined)
    if (entry instanceof KeyValueFailure) return done(storeFailure(entry))
    const cached = cache.get(key)
    if (cached?.revision === entry.revision) return done(cached)
    const object = decodeStored(entry.value, entry.revision)
    done(
      object === undefined
        ? Failures.internal(`unable to decode the value of ${entry.key}`)
        : new Held(object, entry.revision, cache.layout, entry.value)
    )
  })
}

/** Answers one object. */
export const getObject = (registry: Registry, resource: ServedResource, request: ApiRequest, done: Answer): void => {
  const { name, namespace, options } = request
  const answer = (found: Held | undefined | ApiFailure): void => {
    if (found instanceof ApiFailure) return done(found)
    if (found === undefined) return done(Failures.notFound(resource.about(name)))
    done(objectAnswer(resource.served(found)))
  }
  const text = options.resourceVersion ?? ""
  const revision = parseRevision(text)
  if (revision === undefined) return done(invalidRevision(text))
  if (text === "") return findNewest(registry, resource, namespace, name, answer)
  registry.whenAtLeast(resource.cache, revision, (failure) =>
    answer(failure ?? resource.cache.get(resource.key(namespace, name)))
  )
}

/** Answers a list, or a page of one. */
export const listObjects = (registry: Registry, resource: ServedResource, request: ApiRequest, done: Answer): void => {
  const { cache, definition } = resource
  const selected = select(definition, request)
  if (selected instanceof ApiFailure) return done(selected)
  const plan = planList(request.options)
  if (plan instanceof ApiFailure) return done(plan)
  const ready = (failure: ApiFailure | undefined): void => {
    if (failure !== undefined) return done(failure)
    const { revision } = cache
    if (plan.read !== "exact") return done(pageOf(resource, selected, plan, cache.scan(), revision))
    const scan = plan.revision < registry.compactedRevision ? undefined : cache.scan(plan.revision)
    if (scan !== undefined) return done(pageOf(resource, selected, plan, scan, plan.revision))
    pageOfStore(registry, resource, selected, plan, done)
  }
  switch (plan.read) {
    case "newest":
      return registry.whenNewest(cache, ready)
    case "any":
      return cache.whenReady(() => ready(undefined))
    default:
      return registry.whenAtLeast(cache, plan.revision, ready)
  }
}

/** The keys among which a selection lies. */
const boundsOf = ({ scope }: Selected): readonly [string, string | undefined] => {
  const { name, namespace } = scope
  if (name !== "") {
    const key = namespace === "" ? name : `${namespace}/${name}`
    return [key, `${key}\0`]
  }
  return namespace === "" ? ["", undefined] : [`${namespace}/`, `${namespace}0`]
}

const pageOf = (
  resource: ServedResource,
  selected: Selected,
  plan: ListPlan,
  scan: Scan | undefined,
  revision: number
): ApiAnswer | ApiFailure => {
  if (scan === undefined) return listExpired()
  const page = new PageBuilder(resource, selected, plan.limit)
  const [from, end] = boundsOf(selected)
  const start = plan.start > from ? plan.start : from
  const indexed = plan.read === "exact" || plan.limit > 0 ? undefined : byIndex(resource, selected)
  if (indexed === undefined) scan(start, end, (key, held) => page.take(key, held))
  else for (const [key, held] of indexed) if (key >= start && (end === undefined || key < end)) page.take(key, held)
  return page.answer(revision)
}

/** The objects of the selection's field, in order. */
const byIndex = (resource: ServedResource, { scope }: Selected): ReadonlyArray<readonly [string, Held]> | undefined => {
  const { field } = scope
  if (field === undefined || !resource.isStoredVersion) return undefined
  const found = resource.cache.byField(field.name, field.of, field.value)
  return found && [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** A list being filled: it looks one further than its limit, and counts on where what remains is known. */
class PageBuilder {
  private readonly resource: ServedResource
  private readonly selected: Selected
  private readonly limit: number
  readonly items: Array<HeldObject> = []
  private last = ""
  private rest = 0

  constructor(resource: ServedResource, selected: Selected, limit: number) {
    this.resource = resource
    this.selected = selected
    this.limit = limit
  }

  /** Whether there is room for more, or counting to do. */
  take(key: string, held: Held): boolean {
    const isFull = this.limit > 0 && this.items.length >= this.limit
    if (isFull) {
      this.rest++
      return !this.selected.isSelective
    }
    const { matches } = this.selected
    const served = this.resource.served(held)
    if (matches !== undefined && !matches(served.object)) return true
    this.items.push(served)
    this.last = key
    return true
  }

  answer(revision: number, rest = this.rest): ApiAnswer {
    const { definition } = this.resource
    const list = { kind: "list", definition, items: this.items, resourceVersion: String(revision) } as const
    if (rest === 0) return list
    const token = continueAfter(this.last, revision)
    return this.selected.isSelective
      ? { ...list, continue: token }
      : { ...list, continue: token, remainingItemCount: rest }
  }
}

/** Keys that are read at once while a page is filled. */
const STORE_PAGE = 1000

const pageOfStore = (
  registry: Registry,
  resource: ServedResource,
  selected: Selected,
  plan: ListPlan,
  done: Answer
): void => {
  const { cache, storage } = resource
  const page = new PageBuilder(resource, selected, plan.limit)
  const [from, end] = boundsOf(selected)
  const first = plan.start > from ? plan.start : from
  const prefix = storage.prefix + (end === undefined ? "" : from.replace(/[^/]*$/, ""))
  const read = (start: string): void =>
    registry.keyValue.page(prefix, start, STORE_PAGE, plan.revision, (found) => {
      if (found instanceof KeyValueFailure) return done(readFailure(found, plan, first, cache.revision))
      for (const { key, revision, value } of found.entries) {
        const own = key.slice(storage.prefix.length)
        if (end !== undefined && own >= end) return done(page.answer(plan.revision))
        const object = decodeStored(value, revision)
        if (object !== undefined && !page.take(own, new Held(object, revision, cache.layout, value))) {
          return done(page.answer(plan.revision))
        }
      }
      const last = found.entries.at(-1)
      if (!found.more || last === undefined) return done(page.answer(plan.revision))
      read(`${last.key}\0`)
    })
  read(storage.prefix + first)
}

const readFailure = (failure: KeyValueFailure, plan: ListPlan, start: string, current: number): ApiFailure => {
  switch (failure.kind) {
    case "compacted":
      return plan.isContinued ? continueExpired(encodeContinue(start, -1)) : listExpired()
    case "future":
      return Failures.tooLargeResourceVersion(String(plan.revision), String(current))
    default:
      return storeFailure(failure)
  }
}
