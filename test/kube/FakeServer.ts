// An API server of a few lines for tests of clients: one store with revisions, behind calls that take time and fail as they are told.
import {
  ApiFailure,
  type Client,
  type Collection,
  type Done,
  Failures,
  INITIAL_EVENTS_END,
  type KubeList,
  type KubeObject,
  type ListOptions,
  type Target,
  type WatchEvent,
  type WatchListener,
  type WatchOptions
} from "#kube"
import type { VirtualClock } from "./VirtualClock.ts"

interface Logged {
  readonly revision: number
  readonly resource: string
  readonly event: WatchEvent
}

interface Watcher {
  readonly collection: Collection
  readonly listener: WatchListener
  /** Answers come in order, however long each takes. */
  readyMs: number
  live: boolean
}

export interface Faults {
  /** Of 1: how many calls fail. */
  failing: number
  /** Milliseconds that an answer takes at most. */
  latencyMs: number
  /** Whether sendInitialEvents is understood. */
  streaming: boolean
  /** Versions above this one have not been reached: a server that was restored from a backup. */
  newest: number
}

const keyOf = (resource: string, namespace: string, name: string): string => `${resource} ${namespace}/${name}`

export class FakeServer {
  readonly clock: VirtualClock
  readonly faults: Faults = { failing: 0, latencyMs: 5, streaming: true, newest: Infinity }
  readonly log: Array<Logged> = []
  readonly #objects = new Map<string, KubeObject>()
  readonly #watchers = new Set<Watcher>()
  #revision = 1
  #compacted = 0
  #uid = 0
  calls = 0

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  get revision(): number {
    return this.#revision
  }

  get watchers(): number {
    return this.#watchers.size
  }

  objects(resource: string): ReadonlyArray<KubeObject> {
    return [...this.#objects].filter(([key]) => key.startsWith(`${resource} `)).map(([, object]) => object)
  }

  /** Forgets the history up to now: watches from before it fail. */
  compact(): void {
    this.#compacted = this.#revision
  }

  /** Ends some watches: in good order, or with a failure. */
  dropWatches(share: number, failure: () => ApiFailure | undefined): void {
    for (const watcher of this.#watchers) {
      if (this.clock.random() >= share) continue
      this.#end(watcher, failure())
    }
  }

  put(resource: string, object: KubeObject): KubeObject {
    const { name = "", namespace = "" } = object.metadata
    const key = keyOf(resource, namespace, name)
    const before = this.#objects.get(key)
    const stored: KubeObject = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: before?.metadata.uid ?? `uid-${++this.#uid}`,
        resourceVersion: String(++this.#revision)
      }
    }
    this.#objects.set(key, stored)
    this.#publish(resource, { type: before === undefined ? "ADDED" : "MODIFIED", object: stored })
    return stored
  }

  remove(resource: string, namespace: string, name: string): KubeObject | undefined {
    const key = keyOf(resource, namespace, name)
    const before = this.#objects.get(key)
    if (before === undefined) return undefined
    this.#objects.delete(key)
    const last = { ...before, metadata: { ...before.metadata, resourceVersion: String(++this.#revision) } }
    this.#publish(resource, { type: "DELETED", object: last })
    return last
  }

  #publish(resource: string, event: WatchEvent): void {
    this.log.push({ revision: this.#revision, resource, event })
    for (const watcher of this.#watchers) {
      if (selects(watcher.collection, resource, event.object)) this.#send(watcher, event)
    }
  }

  #delay(): number {
    return this.clock.random() * this.faults.latencyMs
  }

  #inOrder(watcher: Watcher, run: () => void): void {
    watcher.readyMs = Math.max(watcher.readyMs, this.clock.monotonic() + this.#delay())
    this.clock.after(watcher.readyMs - this.clock.monotonic(), () => {
      if (watcher.live) run()
    })
  }

  #send(watcher: Watcher, event: WatchEvent): void {
    this.#inOrder(watcher, () => watcher.listener.event(event))
  }

  #end(watcher: Watcher, failure: ApiFailure | undefined): void {
    this.#watchers.delete(watcher)
    // What was still on its way is lost with the connection.
    watcher.live = false
    this.clock.after(this.#delay(), () => {
      if (watcher.readyMs !== Infinity) watcher.listener.ended(failure)
    })
  }

  #answer<A>(done: Done<A>, make: () => A | ApiFailure): void {
    this.calls++
    const failing = this.clock.random() < this.faults.failing
    this.clock.after(this.#delay(), () => {
      const answer = failing ? Failures.unavailable("the server is on holiday") : make()
      this.clock.after(this.#delay(), () => done(answer))
    })
  }

  #list = ({ namespace, resource }: Collection, options: ListOptions): KubeList | ApiFailure => {
    const all = this.objects(resource.resource).filter((object) =>
      selects({ namespace, resource }, resource.resource, object)
    )
    const [from = "0", at = String(this.#revision)] = (options.continue ?? "").split("@")
    const start = options.continue === undefined ? 0 : Number(from)
    if (options.continue !== undefined && Number(at) < this.#revision)
      return Failures.expired("the continue token is old")
    if (Number(options.resourceVersion ?? 0) > Math.min(this.faults.newest, this.#revision)) {
      return Failures.tooLargeResourceVersion(options.resourceVersion ?? "", String(this.#revision))
    }
    const limit = options.limit ?? 0
    const items = limit === 0 ? all : all.slice(start, start + limit)
    const end = start + items.length
    return {
      apiVersion: "v1",
      kind: "List",
      items,
      metadata: {
        resourceVersion: String(this.#revision),
        ...(end < all.length ? { continue: `${end}@${this.#revision}` } : {})
      }
    }
  }

  #watch = (collection: Collection, options: WatchOptions, listener: WatchListener): (() => void) => {
    this.calls++
    const watcher: Watcher = { collection, listener, readyMs: this.clock.monotonic(), live: true }
    const cancel = (): void => {
      watcher.live = false
      watcher.readyMs = Infinity
      this.#watchers.delete(watcher)
    }
    const failing = this.clock.random() < this.faults.failing
    this.clock.after(this.#delay(), () => {
      if (!watcher.live) return
      if (failing) this.#end(watcher, Failures.unavailable("no watches today"))
      else this.#open(watcher, options)
    })
    return cancel
  }

  #open(watcher: Watcher, options: WatchOptions): void {
    const from = Number(options.resourceVersion ?? "")
    if (options.sendInitialEvents === true) {
      if (!this.faults.streaming) {
        this.#end(watcher, Failures.badRequest("sendInitialEvents is forbidden for watch"))
        return
      }
      for (const object of this.objects(watcher.collection.resource.resource)) {
        if (selects(watcher.collection, watcher.collection.resource.resource, object)) {
          this.#send(watcher, { type: "ADDED", object })
        }
      }
      this.#send(watcher, bookmark(this.#revision, { [INITIAL_EVENTS_END]: "true" }))
    } else {
      if (from < this.#compacted) {
        this.#end(watcher, Failures.expired(`too old resource version: ${from} (${this.#compacted})`))
        return
      }
      for (const { event, resource, revision } of this.log) {
        if (revision > from && selects(watcher.collection, resource, event.object)) this.#send(watcher, event)
      }
    }
    this.#watchers.add(watcher)
    if (options.timeoutSeconds !== undefined) {
      this.clock.after(options.timeoutSeconds * 1000, () => {
        if (this.#watchers.has(watcher)) this.#end(watcher, undefined)
      })
    }
  }

  /** Tells all watchers how far they are. */
  sendBookmarks(): void {
    for (const watcher of this.#watchers) this.#send(watcher, bookmark(this.#revision, {}))
  }

  #find({ name, namespace, resource }: Target): KubeObject | ApiFailure {
    return (
      this.#objects.get(keyOf(resource.resource, namespace, name)) ??
      Failures.notFound({ group: resource.group, resource: resource.resource, name })
    )
  }

  readonly client: Client = {
    get: (target, _options, done) => this.#answer(done, () => this.#find(target)),
    list: (collection, options, done) => this.#answer(done, () => this.#list(collection, options)),
    watch: (collection, options, listener) => this.#watch(collection, options, listener),
    create: (target, object, _options, done) =>
      this.#answer(done, () => {
        const { group, resource } = target.resource
        const name = object.metadata.name ?? ""
        const found = this.#find({ ...target, name })
        if (!(found instanceof ApiFailure)) return Failures.alreadyExists({ group, resource, name })
        return this.put(resource, { ...object, metadata: { ...object.metadata, namespace: target.namespace } })
      }),
    update: (target, object, _options, done) =>
      this.#answer(done, () => {
        const found = this.#find(target)
        if (found instanceof ApiFailure) return found
        const version = object.metadata.resourceVersion
        if (version !== undefined && version !== found.metadata.resourceVersion) {
          return Failures.conflict({ group: "", resource: target.resource.resource, name: target.name }, "changed")
        }
        return this.put(target.resource.resource, object)
      }),
    patch: (target, _patch, _options, done) => this.#answer(done, () => this.#find(target)),
    delete: (target, _options, done) =>
      this.#answer(
        done,
        () => this.remove(target.resource.resource, target.namespace, target.name) ?? this.#find(target)
      ),
    deleteCollection: (_collection, _options, _selection, done) =>
      this.#answer(done, () => Failures.methodNotSupported({ group: "", resource: "any" }, "deletecollection"))
  }
}

const selects = (collection: Collection, resource: string, object: KubeObject): boolean =>
  collection.resource.resource === resource &&
  (collection.namespace === "" || collection.namespace === object.metadata.namespace)

const bookmark = (revision: number, annotations: Record<string, string>): WatchEvent => ({
  type: "BOOKMARK",
  object: { apiVersion: "v1", kind: "Any", metadata: { resourceVersion: String(revision), annotations } }
})
