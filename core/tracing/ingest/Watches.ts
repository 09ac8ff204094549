// Watches of a cluster's resources: each version that is told becomes facts. Nothing of an object is kept but its uid and version, by which
// an object that vanished while nobody watched is known.
// Owns which resources are followed and the telling; refuses caches, and choosing a version: what was configured is watched.
import {
  type ApiFailure,
  type Client,
  type Clockwork,
  type GroupVersionResource,
  type KubeObject,
  objectKey,
  Reflector,
  splitKey,
  type WatchEvent
} from "#kube"
import type { Fact } from "../model/Fact.ts"
import type { Kinds } from "../model/Kinds.ts"
import type { Links } from "../model/Links.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { eventFactsOf } from "./EventFacts.ts"
import type { FactQueue } from "./FactQueue.ts"
import type { Filter } from "./Filter.ts"
import { watchFactsOf } from "./WatchFacts.ts"

export interface WatchesOptions {
  readonly cluster: string
  readonly client: Client
  readonly clockwork: Clockwork
  readonly queue: FactQueue
  readonly links: Links
  readonly kinds: Kinds
  readonly filter: Filter
  readonly redacts: (key: ObjectKey, version: string) => boolean
  readonly onEvent: (resource: string) => void
  readonly onFailure: (resource: string, failure: ApiFailure) => void
}

const isEvents = ({ group, resource }: GroupVersionResource): boolean =>
  resource === "events" && (group === "" || group === "events.k8s.io")

const definitions: GroupVersionResource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions"
}

/** Follows resources until it is stopped. */
export class Watches {
  private readonly options: WatchesOptions
  private readonly reflectors: Array<Reflector> = []
  private readonly unsynced = new Set<string>()
  private running = false
  private paused = false

  constructor(options: WatchesOptions, resources: ReadonlyArray<GroupVersionResource>) {
    this.options = options
    for (const resource of resources) this.follow(resource)
  }

  get hasSynced(): boolean {
    return this.unsynced.size === 0
  }

  start(): void {
    this.running = true
    for (const reflector of this.reflectors) reflector.start()
  }

  stop(): void {
    this.running = false
    for (const reflector of this.reflectors) reflector.stop()
  }

  /** The store is behind: what was missed is listed when it has caught up. */
  private pause(): void {
    if (this.paused || !this.running) return
    this.paused = true
    this.options.clockwork.defer(() => {
      for (const reflector of this.reflectors) reflector.stop()
      this.options.queue.onRoom(() => {
        this.paused = false
        if (this.running) this.start()
      })
    })
  }

  private follow(resource: GroupVersionResource): void {
    const { client, clockwork, onEvent, onFailure } = this.options
    const name = resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`
    this.unsynced.add(name)
    const known = new Map<string, KubeObject>()
    const tell = (object: KubeObject, end: "deleted" | "vanished" | undefined): void => {
      onEvent(name)
      if (resource.resource === definitions.resource && resource.group === definitions.group) this.learn(object)
      if (!this.options.queue.add(this.factsOf(resource, object, end))) this.pause()
      if (isEvents(resource)) return
      if (end === undefined) known.set(objectKey(object), bare(object))
      else known.delete(objectKey(object))
    }
    const replace = (objects: ReadonlyArray<KubeObject>): void => {
      const there = new Set(objects.map(objectKey))
      for (const [key, object] of known) if (!there.has(key)) tell(object, "vanished")
      for (const object of objects) tell(object, undefined)
      this.unsynced.delete(name)
    }
    const event = ({ object, type }: WatchEvent): void => tell(object, type === "DELETED" ? "deleted" : undefined)
    const failed = (failure: ApiFailure): void => onFailure(name, failure)
    const collection = { resource, namespace: "" }
    this.reflectors.push(new Reflector({ client, clockwork, collection }, { replace, event, failed }))
  }

  private factsOf(
    resource: GroupVersionResource,
    object: KubeObject,
    end: "deleted" | "vanished" | undefined
  ): ReadonlyArray<Fact> {
    const { cluster, filter, links, redacts } = this.options
    // An Event that is forgotten by its cluster has still happened.
    if (isEvents(resource)) return end !== undefined ? [] : eventFactsOf(cluster, object, links)
    const { name, namespace } = splitKey(objectKey(object))
    const key = { cluster, group: resource.group, resource: resource.resource, namespace, name }
    if (filter.excludesObject(key, resource.version)) return []
    // Of an object that vanished while nobody watched only the names are remembered.
    const setting = { links, redacts: () => end === "vanished" || redacts(key, resource.version) }
    return watchFactsOf(key, resource.version, typed(object, resource, this.options.kinds), end !== undefined, setting)
  }

  private learn(definition: KubeObject): void {
    // SAFETY: a CustomResourceDefinition as its schema says.
    const spec = definition.spec as {
      readonly group: string
      readonly scope: string
      readonly names: { readonly kind: string; readonly plural: string }
    }
    const { kind, plural: resource } = spec.names
    this.options.kinds.learn({ group: spec.group, kind, resource, namespaced: spec.scope === "Namespaced" })
  }
}

/** Items of lists do not say what they are, and what is shown of them should. */
const typed = (object: KubeObject, { group, resource, version }: GroupVersionResource, kinds: Kinds): KubeObject => {
  if (typeof object.kind === "string" && object.kind !== "") return object
  const kind = kinds.kindOf(group, resource)
  if (kind === undefined) return object
  return { ...object, apiVersion: group === "" ? version : `${group}/${version}`, kind }
}

/** What is remembered of an object: enough to say that it is gone. */
const bare = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => {
  const { creationTimestamp, generation, managedFields, name, namespace, resourceVersion, uid } = metadata
  const times = managedFields?.map(({ time }) => (time === undefined ? {} : { time }))
  return {
    apiVersion,
    kind,
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(generation === undefined ? {} : { generation }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(times === undefined ? {} : { managedFields: times })
    }
  }
}
