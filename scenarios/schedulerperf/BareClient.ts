// A Client on nothing but maps: what a scheduler costs without an API server, a store and their watches.
// Owns names, uids, resource versions and watch events; refuses everything else that a server does: no defaults, no rules, no access,
// no past. It serves what scheduler_perf's operations and a scheduler call; nobody else should use it.
import {
  ApiFailure,
  applyMergePatch,
  applyStrategicMergePatch,
  builtInResources,
  type Client,
  type Clockwork,
  type Collection,
  Failures,
  generatedName,
  INITIAL_EVENTS_END,
  isJsonObject,
  type JsonObject,
  type KubeObject,
  parseFieldSelector,
  parseLabelSelector,
  rfc3339,
  schemaOfKind,
  type Selection,
  type Target,
  type WatchListener
} from "#kube"

interface Watcher {
  readonly namespace: string
  readonly selects: (object: KubeObject) => boolean
  readonly listener: WatchListener
}

interface Shelf {
  readonly objects: Map<string, KubeObject>
  readonly watchers: Set<Watcher>
}

type Change = "ADDED" | "MODIFIED" | "DELETED"

const shelfName = ({ resource }: Collection): string => `${resource.group}/${resource.resource}`

const fieldOf = (object: KubeObject, path: string): string => {
  // SAFETY: read as JSON, whose fields are asked for one by one.
  let value: unknown = object
  for (const part of path.split(".")) value = (value as Readonly<Record<string, unknown>> | undefined)?.[part]
  return typeof value === "string" ? value : ""
}

const selectorOf = ({ fieldSelector = "", labelSelector = "" }: Selection): ((object: KubeObject) => boolean) => {
  const labels = labelSelector === "" ? undefined : parseLabelSelector(labelSelector)
  const fields = fieldSelector === "" ? undefined : parseFieldSelector(fieldSelector)
  return (object) =>
    (labels === undefined || !("matches" in labels) || labels.matches(object.metadata.labels)) &&
    (fields === undefined || !("matches" in fields) || fields.matches((path) => fieldOf(object, path)))
}

/** What a kind gets of a server's defaults because schedulers count on it. */
const completed = (object: KubeObject): KubeObject => {
  if (object.kind !== "Pod" || object.apiVersion !== "v1") return object
  const spec = isJsonObject(object.spec) ? object.spec : {}
  const status = isJsonObject(object.status) ? object.status : {}
  return {
    ...object,
    spec: { schedulerName: "default-scheduler", priority: 0, ...spec },
    status: { phase: "Pending", ...status }
  }
}

class BareServer {
  private readonly clockwork: Clockwork
  private readonly shelves = new Map<string, Shelf>()
  private version = 0
  private uids = 0
  private queue: Array<() => void> = []
  private head = 0

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  /** Runs later, in the order of calls. */
  later(run: () => void): void {
    if (this.queue.push(run) > 1) return
    this.clockwork.defer(() => {
      for (; this.head < this.queue.length; this.head++) this.queue[this.head]?.()
      this.queue = []
      this.head = 0
    })
  }

  shelf(collection: Collection): Shelf {
    const name = shelfName(collection)
    let shelf = this.shelves.get(name)
    if (shelf === undefined) this.shelves.set(name, (shelf = { objects: new Map(), watchers: new Set() }))
    return shelf
  }

  select(collection: Collection, selection: Selection): ReadonlyArray<KubeObject> {
    const selects = selectorOf(selection)
    return [...this.shelf(collection).objects.values()].filter(
      (object) => isIn(object, collection.namespace) && selects(object)
    )
  }

  find(target: Target): KubeObject | ApiFailure {
    return this.shelf(target).objects.get(keyOf(target.namespace, target.name)) ?? missing(target)
  }

  create(collection: Collection, object: KubeObject): KubeObject | ApiFailure {
    const { objects } = this.shelf(collection)
    const { generateName = "" } = object.metadata
    let name = object.metadata.name ?? generatedName(generateName, this.clockwork.random)
    while (object.metadata.name === undefined && objects.has(keyOf(collection.namespace, name)))
      name = generatedName(generateName, this.clockwork.random)
    const key = keyOf(collection.namespace, name)
    if (objects.has(key)) return Failures.alreadyExists(failureTarget({ ...collection, name }))
    const metadata = {
      ...object.metadata,
      name,
      ...(collection.namespace === "" ? {} : { namespace: collection.namespace }),
      uid: `bare-${++this.uids}`,
      creationTimestamp: rfc3339(this.clockwork.now())
    }
    return this.put(collection, key, completed({ ...object, metadata }), "ADDED")
  }

  /** What is there as ADDED events, then the bookmark that ends it. */
  sendState(collection: Collection, watcher: Watcher): void {
    const state = this.select({ ...collection, namespace: watcher.namespace }, {}).filter(watcher.selects)
    const metadata = { resourceVersion: this.resourceVersion, annotations: { [INITIAL_EVENTS_END]: "true" } }
    this.later(() => {
      if (!this.shelf(collection).watchers.has(watcher)) return
      for (const object of state) watcher.listener.event({ type: "ADDED", object })
      watcher.listener.event({ type: "BOOKMARK", object: { apiVersion: "v1", kind: "Bookmark", metadata } })
    })
  }

  put(collection: Collection, key: string, object: KubeObject, type: Change): KubeObject {
    const made = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } }
    const { objects, watchers } = this.shelf(collection)
    const before = objects.get(key)
    if (type === "DELETED") objects.delete(key)
    else objects.set(key, made)
    for (const watcher of watchers) {
      if (!isIn(made, watcher.namespace)) continue
      const was = before !== undefined && watcher.selects(before)
      const is = type !== "DELETED" && watcher.selects(made)
      if (!was && !is) continue
      const seen: Change = !is ? "DELETED" : was ? "MODIFIED" : "ADDED"
      this.later(() => {
        if (watchers.has(watcher)) watcher.listener.event({ type: seen, object: made })
      })
    }
    return made
  }

  change(target: Target, change: (object: KubeObject) => KubeObject | ApiFailure): KubeObject | ApiFailure {
    const found = this.find(target)
    if (found instanceof ApiFailure) return found
    const changed = change(found)
    if (changed instanceof ApiFailure) return changed
    return this.put(target, keyOf(target.namespace, target.name), changed, "MODIFIED")
  }

  remove(target: Target): KubeObject | ApiFailure {
    const found = this.find(target)
    if (found instanceof ApiFailure) return found
    return this.put(target, keyOf(target.namespace, target.name), found, "DELETED")
  }

  get resourceVersion(): string {
    return String(this.version)
  }
}

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`
const isIn = ({ metadata }: KubeObject, namespace: string): boolean =>
  namespace === "" || metadata.namespace === namespace
const failureTarget = ({ name, resource }: Target) => ({ group: resource.group, resource: resource.resource, name })
const missing = (target: Target): ApiFailure => Failures.notFound(failureTarget(target))

const bound = (pod: KubeObject, binding: KubeObject): KubeObject => {
  const node = fieldOf(binding, "target.name")
  const status = isJsonObject(pod.status) ? pod.status : {}
  return {
    ...pod,
    spec: { ...(isJsonObject(pod.spec) ? pod.spec : {}), nodeName: node },
    status: { ...status, conditions: [{ type: "PodScheduled", status: "True" }] }
  }
}

const kindsOf = (): ReadonlyMap<string, string> =>
  new Map(builtInResources().map(({ group, kind, resource }) => [`${group}/${resource}`, kind]))

/** A client on a server of maps. */
export const bareClient = (clockwork: Clockwork): Client => {
  const server = new BareServer(clockwork)
  const kinds = kindsOf()
  return {
    get: (target, _options, done) => server.later(() => done(server.find(target))),
    list: (collection, options, done) =>
      server.later(() => {
        const { group, version } = collection.resource
        done({
          apiVersion: group === "" ? version : `${group}/${version}`,
          kind: `${kinds.get(shelfName(collection)) ?? ""}List`,
          metadata: { resourceVersion: server.resourceVersion },
          items: server.select(collection, options)
        })
      }),
    watch: (collection, options, listener) => {
      const { watchers } = server.shelf(collection)
      const watcher: Watcher = { namespace: collection.namespace, selects: selectorOf(options), listener }
      const { resourceVersion = "0", sendInitialEvents } = options
      // Nothing of the past is kept: a watch that does not begin now is told to list again.
      if (sendInitialEvents !== true && resourceVersion !== server.resourceVersion) {
        server.later(() => listener.ended(Failures.expired("a bare server keeps no past")))
        return () => undefined
      }
      watchers.add(watcher)
      if (sendInitialEvents === true) server.sendState(collection, watcher)
      return () => watchers.delete(watcher)
    },
    create: (target, object, _options, done) => {
      if ("name" in target && target.subresource === "binding") {
        const answer = server.change(target, (pod) => bound(pod, object))
        return server.later(() => done(answer))
      }
      const answer = server.create(target, object)
      server.later(() => done(answer))
    },
    update: (target, object, _options, done) => {
      const answer = server.change(target, ({ metadata }) => ({
        ...object,
        metadata: { ...object.metadata, ...pick(metadata) }
      }))
      server.later(() => done(answer))
    },
    patch: (target, { body, type }, _options, done) => {
      const answer = server.change(target, (object) => patched(object, type, body))
      server.later(() => done(answer))
    },
    delete: (target, _options, done) => {
      const answer = server.remove(target)
      server.later(() => done(answer))
    },
    deleteCollection: (collection, _options, selection, done) => {
      for (const { metadata } of server.select(collection, selection)) {
        server.remove({ ...collection, namespace: metadata.namespace ?? "", name: metadata.name ?? "" })
      }
      server.later(() => done({ apiVersion: "v1", kind: "Status", metadata: {} }))
    }
  }
}

const pick = ({ creationTimestamp, namespace, uid }: KubeObject["metadata"]) => ({
  ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  ...(namespace === undefined ? {} : { namespace }),
  ...(uid === undefined ? {} : { uid })
})

type PatchType = Parameters<Client["patch"]>[1]["type"]
type PatchBody = Parameters<Client["patch"]>[1]["body"]

const patched = (object: KubeObject, type: PatchType, body: PatchBody): KubeObject | ApiFailure => {
  const [version = "", group = ""] = object.apiVersion.split("/").reverse()
  const schema = schemaOfKind(group, version, object.kind)
  // SAFETY: a KubeObject is JSON; its index signature says unknown so that kinds may narrow it.
  const document = object as unknown as JsonObject
  const after =
    type === "strategic" && schema !== undefined
      ? applyStrategicMergePatch(schema, document, body)
      : applyMergePatch(document, body)
  return after instanceof ApiFailure ? after : (after as unknown as KubeObject)
}
