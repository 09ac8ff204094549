// The pods of all members as one collection: named by cluster, with versions of its own, kept only for namespaces that are asked for.
// Owns the merged copy and its watch. A member that is not heard of keeps its pods: an autoscaler that missed them would scale down
// for want of metrics. Bound: pods of these namespaces, and the last `EVENTS_MAX` events for watches that resume.
import {
  type Cancel,
  type Client,
  type Clockwork,
  everyLabel,
  Failures,
  gvr,
  INITIAL_EVENTS_END,
  Informer,
  type KubeList,
  type KubeObject,
  type LabelSelector,
  objectKey,
  ObjectStore,
  parseLabelSelector,
  SelectorInvalid,
  type WatchEvent,
  type WatchListener,
  type WatchOptions
} from "#kube"

const PODS = gvr("", "v1", "pods")
const EVENTS_MAX = 10_000

/** The annotation that tells where a pod of the fleet runs. */
export const CLUSTER_ANNOTATION = "kubeadmiral.io/cluster"

/** A member's object under the name that it has in the fleet. */
export const fleetName = (cluster: string, name: string): string => `${cluster}-${name}`

interface Change {
  readonly version: number
  readonly before: KubeObject | undefined
  readonly after: KubeObject | undefined
}

interface Watcher {
  readonly namespace: string
  readonly selector: LabelSelector
  readonly listener: WatchListener
  live: boolean
}

export interface FleetPodsOptions {
  readonly clockwork: Clockwork
  readonly client: (cluster: string) => Client | undefined
}

const selectorOf = (text: string | undefined): LabelSelector | SelectorInvalid =>
  text === undefined || text === "" ? everyLabel : parseLabelSelector(text)

export class FleetPods {
  readonly #options: FleetPodsOptions
  readonly #store = new ObjectStore()
  /** By "cluster/namespace". */
  readonly #informers = new Map<
    string,
    { readonly cancel: Cancel; readonly informer: Informer; readonly client: Client }
  >()
  readonly #watchers = new Set<Watcher>()
  /** What was asked for last, whether it could be reached or not. */
  #wanted: ReadonlySet<string> = new Set()
  #events: Array<Change> = []
  #version = 1

  constructor(options: FleetPodsOptions) {
    this.#options = options
  }

  /** Follows pods of these namespaces in these clusters, and no others. A cluster that cannot be reached yet is tried at the next call. */
  follow(clusters: ReadonlyArray<string>, namespaces: ReadonlyArray<string>): void {
    const wanted = new Set(clusters.flatMap((cluster) => namespaces.map((namespace) => `${cluster}/${namespace}`)))
    this.#wanted = wanted
    for (const [key, { cancel, informer }] of this.#informers) {
      if (wanted.has(key)) continue
      this.#informers.delete(key)
      cancel()
      const cluster = key.slice(0, key.indexOf("/"))
      for (const pod of informer.store.all()) this.#put(cluster, pod, undefined)
    }
    for (const cluster of clusters) for (const namespace of namespaces) this.#start(cluster, namespace)
  }

  /** Whether every member that is asked for has been heard of once: before that the fleet looks smaller than it is. */
  get isKnown(): boolean {
    for (const key of this.#wanted) if (this.#informers.get(key)?.informer.hasSynced !== true) return false
    return true
  }

  list(namespace: string, labelSelector: string | undefined): KubeList | SelectorInvalid {
    const selector = selectorOf(labelSelector)
    if (selector instanceof SelectorInvalid) return selector
    return {
      apiVersion: "v1",
      kind: "PodList",
      metadata: { resourceVersion: String(this.#version) },
      items: this.#store.inNamespace(namespace).filter((pod) => selector.matches(pod.metadata.labels))
    }
  }

  get(key: string): KubeObject | undefined {
    return this.#store.get(key)
  }

  /** As an API server's: from a version on, or with the state first; expired when the version is older than the events kept. */
  watch(namespace: string, options: WatchOptions, listener: WatchListener): Cancel {
    const selector = selectorOf(options.labelSelector)
    const watcher: Watcher = { namespace, selector: everyLabel, listener, live: true }
    const { clockwork } = this.#options
    const end = (failure: ReturnType<typeof Failures.expired>): Cancel => {
      clockwork.defer(() => {
        if (watcher.live) listener.ended(failure)
      })
      return () => {
        watcher.live = false
      }
    }
    if (selector instanceof SelectorInvalid) return end(Failures.badRequest(selector.message))
    const since = Number(options.resourceVersion ?? "0")
    const oldest = this.#events[0]?.version ?? this.#version + 1
    if (since > 0 && options.sendInitialEvents !== true && since + 1 < oldest) {
      return end(Failures.expired("too old resource version"))
    }
    const made: Watcher = { ...watcher, selector }
    const missed =
      options.sendInitialEvents === true || since === 0 ? this.#state(made, options) : this.#since(made, since)
    this.#watchers.add(made)
    clockwork.defer(() => {
      for (const event of missed) if (made.live) listener.event(event)
    })
    return () => {
      made.live = false
      this.#watchers.delete(made)
    }
  }

  stop(): void {
    for (const { cancel } of this.#informers.values()) cancel()
    this.#informers.clear()
    this.#watchers.clear()
  }

  #state({ namespace, selector }: Watcher, options: WatchOptions): ReadonlyArray<WatchEvent> {
    const pods = this.#store.inNamespace(namespace).filter((pod) => selector.matches(pod.metadata.labels))
    const events: Array<WatchEvent> = pods.map((object) => ({ type: "ADDED", object }))
    if (options.sendInitialEvents === true) {
      const metadata = { resourceVersion: String(this.#version), annotations: { [INITIAL_EVENTS_END]: "true" } }
      events.push({ type: "BOOKMARK", object: { apiVersion: "v1", kind: "Pod", metadata } })
    }
    return events
  }

  #since(watcher: Watcher, version: number): ReadonlyArray<WatchEvent> {
    return this.#events
      .filter((change) => change.version > version)
      .flatMap((change) => {
        const event = eventOf(watcher, change)
        return event === undefined ? [] : [event]
      })
  }

  #start(cluster: string, namespace: string): void {
    const client = this.#options.client(cluster)
    const key = `${cluster}/${namespace}`
    const known = this.#informers.get(key)
    if (client === undefined || known?.client === client) return
    known?.cancel()
    const { clockwork } = this.#options
    const informer = new Informer({ clockwork, client, collection: { resource: PODS, namespace } })
    const unhandle = informer.addHandler({
      added: (pod) => this.#put(cluster, pod, pod),
      updated: (_before, pod) => this.#put(cluster, pod, pod),
      deleted: (pod) => this.#put(cluster, pod, undefined)
    })
    this.#informers.set(key, {
      informer,
      client,
      cancel: () => {
        unhandle()
        informer.stop()
      }
    })
    informer.onSynced(() => this.#dropUnknown(cluster, namespace, informer))
    informer.start()
  }

  /** After a member came back under another client: pods that it has no more. */
  #dropUnknown(cluster: string, namespace: string, informer: Informer): void {
    for (const pod of this.#store.inNamespace(namespace)) {
      if (pod.metadata.annotations?.[CLUSTER_ANNOTATION] !== cluster) continue
      const own = (pod.metadata.name ?? "").slice(cluster.length + 1)
      if (informer.store.get(`${namespace}/${own}`) === undefined) this.#change(pod, undefined)
    }
  }

  #put(cluster: string, pod: KubeObject, after: KubeObject | undefined): void {
    const name = fleetName(cluster, pod.metadata.name ?? "")
    const known = this.#store.get(`${pod.metadata.namespace ?? ""}/${name}`)
    if (after === undefined) {
      if (known !== undefined) this.#change(known, undefined)
      return
    }
    const { annotations } = after.metadata
    const metadata = { ...after.metadata, name, annotations: { ...annotations, [CLUSTER_ANNOTATION]: cluster } }
    this.#change(known, { ...after, metadata })
  }

  #change(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const version = ++this.#version
    const resourceVersion = String(version)
    const versioned = (object: KubeObject | undefined): KubeObject | undefined =>
      object === undefined ? undefined : { ...object, metadata: { ...object.metadata, resourceVersion } }
    const now = versioned(after)
    if (now !== undefined) this.#store.set(now)
    else if (before !== undefined) this.#store.delete(objectKey(before))
    const change: Change = { version, before: now === undefined ? versioned(before) : before, after: now }
    this.#events.push(change)
    if (this.#events.length > 2 * EVENTS_MAX) this.#events = this.#events.slice(-EVENTS_MAX)
    for (const watcher of this.#watchers) {
      const event = eventOf(watcher, change)
      if (event === undefined) continue
      this.#options.clockwork.defer(() => {
        if (watcher.live) watcher.listener.event(event)
      })
    }
  }
}

/** A change as one watcher sees it: what leaves its selection is deleted for it. */
const eventOf = ({ namespace, selector }: Watcher, { after, before, version }: Change): WatchEvent | undefined => {
  const shown = after ?? before
  if (shown === undefined || (namespace !== "" && shown.metadata.namespace !== namespace)) return undefined
  const was = before !== undefined && selector.matches(before.metadata.labels)
  const is = after !== undefined && selector.matches(after.metadata.labels)
  if (is) return { type: was ? "MODIFIED" : "ADDED", object: after }
  if (!was) return undefined
  const metadata = { ...shown.metadata, resourceVersion: String(version) }
  return { type: "DELETED", object: { ...shown, metadata } }
}
