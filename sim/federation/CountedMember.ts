// A member cluster as a federation sees it, for worlds of hundreds: objects that were brought there are real, its nodes and pods are counts.
// Owns an API of the few calls that a federation makes, Deployments that become ready as far as there is room, and being cut off;
// refuses schemas, admission and field managers, which real API servers judge elsewhere. Bound: as many objects as are brought.
import {
  ApiFailure,
  applyMergePatch,
  type Cancel,
  type Client,
  type Clockwork,
  type Collection,
  type Done,
  Failures,
  groupResource,
  isJsonObject,
  type Json,
  type JsonObject,
  type KubeObject,
  objectKey,
  rfc3339,
  sameJson,
  type Target,
  type WatchListener
} from "#kube"
import { fieldsOf, numberOf } from "#apiserver"
import type { MemberConnection, ServedType } from "#federation"

export interface CountedMemberOptions {
  readonly clockwork: Clockwork
  readonly types: ReadonlyArray<ServedType>
  readonly nodes: number
  /** Pods that are there already, of no concern to the federation. */
  readonly pods: number
  /** What each node has, in thousandths of a core. */
  readonly nodeMilliCpu?: number
  readonly podsPerNode?: number
  /** From a pod's making to its being ready, in milliseconds. */
  readonly startMs?: number
  /** Of one way, in milliseconds. */
  readonly latencyMs?: number
  /** Hears of each request that changes something, when it arrives. */
  readonly onWrite?: (verb: string, object: KubeObject) => void
}

interface Kept {
  readonly objects: Map<string, KubeObject>
  readonly watchers: Set<WatchListener>
  /** What was deleted, the newest last, for watches that begin in the past. */
  readonly gone: Array<KubeObject>
}

/** Deletions that are remembered; a watch that begins before them is told to list again. */
const GONE_MAX = 4096

const NODE_MILLI_CPU = 16_000
const PODS_PER_NODE = 110
const START_MS = 2000
const NAMESPACE_OF_ALL = "namespaces"

const merged = (before: KubeObject, after: JsonObject): KubeObject => {
  const metadata = fieldsOf(after["metadata"])
  return {
    ...before,
    ...after,
    metadata: {
      ...before.metadata,
      ...metadata,
      labels: fieldsOf(metadata["labels"]) as Record<string, string>,
      annotations: fieldsOf(metadata["annotations"]) as Record<string, string>
    },
    ...(before.status === undefined ? {} : { status: before.status })
  }
}

export class CountedMember {
  /** Whether it answers. */
  up = true
  readonly #options: CountedMemberOptions
  readonly #kept = new Map<string, Kept>()
  #version = 1
  #running = 0
  #uid = 0

  constructor(options: CountedMemberOptions) {
    this.#options = options
  }

  /** Pods of the objects that were brought here. */
  get running(): number {
    return this.#running
  }

  get size(): number {
    let size = 0
    for (const { objects } of this.#kept.values()) size += objects.size
    return size
  }

  object(resource: string, key: string): KubeObject | undefined {
    return this.#kept.get(resource)?.objects.get(key)
  }

  objects(resource: string): ReadonlyArray<KubeObject> {
    return [...(this.#kept.get(resource)?.objects.values() ?? [])]
  }

  /** Cuts all watches, as the loss of its network does. */
  cut(): void {
    this.up = false
    for (const { watchers } of this.#kept.values()) {
      const all = [...watchers]
      watchers.clear()
      for (const listener of all) listener.ended(Failures.unavailable("the member is cut off"))
    }
  }

  /** The way to it. */
  connection(): MemberConnection {
    const answer = <A>(done: Done<A>, make: () => A | ApiFailure): void =>
      this.#after(() => done(this.up ? make() : lost))
    return {
      client: this.#client(),
      probe: (done) => answer(done, () => true as const),
      types: (done) => answer(done, () => this.#options.types),
      room: (done) => answer(done, () => this.#room()),
      close: () => undefined
    }
  }

  #after(run: () => void): void {
    const { clockwork, latencyMs = 0 } = this.#options
    if (latencyMs === 0) clockwork.defer(run)
    else clockwork.after(latencyMs, run)
  }

  #of({ resource }: Collection): Kept {
    const key = groupResource(resource)
    let kept = this.#kept.get(key)
    if (kept === undefined) this.#kept.set(key, (kept = { objects: new Map(), watchers: new Set(), gone: [] }))
    return kept
  }

  #client(): Client {
    const ask = <A>(done: Done<A>, act: () => A | ApiFailure): void =>
      this.#after(() => {
        if (!this.up) return done(lost)
        const value = act()
        this.#after(() => done(value))
      })
    return {
      get: (target, _options, done) => ask(done, () => this.#find(target) ?? absent(target)),
      list: (collection, _options, done) =>
        ask(done, () => ({
          apiVersion: "v1",
          kind: "List",
          items: [...this.#of(collection).objects.values()],
          metadata: { resourceVersion: String(this.#version) }
        })),
      watch: (collection, { resourceVersion = "" }, listener) =>
        this.#watch(collection, Number(resourceVersion), listener),
      create: (target, object, _options, done) => ask(done, () => this.#create(target, object)),
      update: (target, object, _options, done) =>
        ask(done, () => (this.#find(target) === undefined ? absent(target) : this.#put(target, object))),
      patch: (target, { body, type }, _options, done) => ask(done, () => this.#patch(target, type, body)),
      delete: (target, _options, done) => ask(done, () => this.#delete(target)),
      deleteCollection: (collection, _options, _selection, done) =>
        ask(done, () => {
          const { objects } = this.#of(collection)
          let last: KubeObject | undefined
          for (const object of Array.from(objects.values())) {
            last = object
            this.#remove(collection, object)
          }
          return last ?? { apiVersion: "v1", kind: "Status", metadata: {} }
        })
    }
  }

  #find(target: Target): KubeObject | undefined {
    return this.#of(target).objects.get(keyOf(target))
  }

  #tell(kept: Kept, type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject): void {
    for (const listener of kept.watchers) {
      this.#after(() => {
        if (kept.watchers.has(listener)) listener.event({ type, object })
      })
    }
  }

  /** What is there comes as added, whenever the watch begins; what was deleted since then comes as deleted. */
  #watch(collection: Collection, since: number, listener: WatchListener): Cancel {
    const kept = this.#of(collection)
    this.#after(() => {
      if (!this.up) return listener.ended(lost)
      const [oldest] = kept.gone
      if (since > 0 && kept.gone.length === GONE_MAX && oldest !== undefined && versionOf(oldest) > since)
        return listener.ended(Failures.expired("the history is shorter"))
      if (since > 0)
        for (const object of kept.gone) if (versionOf(object) > since) listener.event({ type: "DELETED", object })
      for (const object of kept.objects.values()) listener.event({ type: "ADDED", object })
      listener.event({
        type: "BOOKMARK",
        object: {
          apiVersion: "v1",
          kind: "Bookmark",
          metadata: { resourceVersion: String(this.#version), annotations: { "k8s.io/initial-events-end": "true" } }
        }
      })
      kept.watchers.add(listener)
    })
    return () => void kept.watchers.delete(listener)
  }

  #create(collection: Collection, object: KubeObject): KubeObject | ApiFailure {
    const key = objectKey(object)
    const { group, resource } = collection.resource
    const { name = "", namespace = "" } = object.metadata
    if (this.#of(collection).objects.has(key)) return Failures.alreadyExists({ group, resource, name })
    const hasPlace =
      namespace === "" || namespace === "default" || this.#kept.get(NAMESPACE_OF_ALL)?.objects.has(namespace) === true
    if (!hasPlace) return absent({ ...collection, name: namespace })
    this.#options.onWrite?.("create", object)
    const made: KubeObject = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: `${++this.#uid}`,
        generation: 1,
        creationTimestamp: rfc3339(this.#options.clockwork.now())
      }
    }
    return this.#keep(collection, made, "ADDED")
  }

  #keep(collection: Collection, object: KubeObject, type: "ADDED" | "MODIFIED"): KubeObject {
    const kept = this.#of(collection)
    const made = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
    const before = kept.objects.get(objectKey(made))
    kept.objects.set(objectKey(made), made)
    this.#tell(kept, type, made)
    if (made.kind === "Deployment" && before?.metadata.generation !== made.metadata.generation)
      this.#settle(collection, made)
    return made
  }

  #put(target: Target, object: KubeObject): KubeObject {
    const before = this.#find(target)
    const { generation = 1 } = before?.metadata ?? {}
    const same = sameJson(before?.spec, object.spec)
    this.#options.onWrite?.("update", object)
    return this.#keep(
      target,
      { ...object, metadata: { ...object.metadata, generation: same ? generation : generation + 1 } },
      "MODIFIED"
    )
  }

  #patch(target: Target, type: string, body: Json): KubeObject | ApiFailure {
    const before = this.#find(target)
    if (before === undefined || !isJsonObject(body)) return absent(target)
    if (type === "apply") return this.#put(target, merged(before, body))
    if (type !== "merge")
      return Failures.unsupportedMediaType(["application/apply-patch+yaml", "application/merge-patch+json"])
    // SAFETY: an object and a merge patch of it.
    const after = applyMergePatch(before as unknown as Json, body)
    return after instanceof ApiFailure ? after : this.#put(target, after as unknown as KubeObject)
  }

  #delete(target: Target): KubeObject | ApiFailure {
    const object = this.#find(target)
    if (object === undefined) return absent(target)
    this.#options.onWrite?.("delete", object)
    this.#remove(target, object)
    return object
  }

  #remove(collection: Collection, object: KubeObject): void {
    const kept = this.#of(collection)
    kept.objects.delete(objectKey(object))
    this.#running -= readyOf(object)
    const gone = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
    if (kept.gone.length === GONE_MAX) kept.gone.shift()
    kept.gone.push(gone)
    this.#tell(kept, "DELETED", gone)
  }

  /** Its pods start, as many as there is room for. */
  #settle(collection: Collection, made: KubeObject): void {
    const { generation, uid } = made.metadata
    const { clockwork, nodes, pods, podsPerNode = PODS_PER_NODE, startMs = START_MS } = this.#options
    clockwork.after(startMs, () => {
      const now = this.#of(collection).objects.get(objectKey(made))
      if (now === undefined || now.metadata.uid !== uid || now.metadata.generation !== generation || !this.up) return
      const wanted = numberOf(fieldsOf(now.spec)["replicas"])
      const before = readyOf(now)
      const ready = Math.min(wanted, Math.max(0, nodes * podsPerNode - pods - this.#running + before))
      this.#running += ready - before
      this.#keep(
        collection,
        { ...now, status: statusOf(wanted, ready, generation ?? 1, rfc3339(clockwork.now())) },
        "MODIFIED"
      )
    })
  }

  #room(): JsonObject {
    const { nodeMilliCpu = NODE_MILLI_CPU, nodes, pods, podsPerNode = PODS_PER_NODE } = this.#options
    const used = pods + this.#running
    return {
      schedulableNodes: nodes,
      allocatable: { cpu: `${nodes * nodeMilliCpu}m`, pods: String(nodes * podsPerNode) },
      available: {
        cpu: `${Math.max(0, nodes * nodeMilliCpu - used * 100)}m`,
        pods: String(Math.max(0, nodes * podsPerNode - used))
      }
    }
  }
}

const versionOf = ({ metadata }: KubeObject): number => Number(metadata.resourceVersion)

const lost = Failures.unavailable("the member is cut off")

const keyOf = ({ name, namespace }: Target): string => (namespace === "" ? name : `${namespace}/${name}`)

const absent = ({ name, resource: { group, resource } }: Target): ApiFailure =>
  Failures.notFound({ group, resource, name })

const readyOf = ({ status }: KubeObject): number => numberOf(fieldsOf(status)["readyReplicas"])

const statusOf = (wanted: number, ready: number, generation: number, now: string): JsonObject => ({
  observedGeneration: generation,
  replicas: wanted,
  updatedReplicas: wanted,
  readyReplicas: ready,
  availableReplicas: ready,
  ...(wanted > ready ? { unavailableReplicas: wanted - ready } : {}),
  conditions: [
    {
      type: "Available",
      status: wanted === ready ? "True" : "False",
      reason: wanted === ready ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
      lastUpdateTime: now,
      lastTransitionTime: now
    }
  ]
})
