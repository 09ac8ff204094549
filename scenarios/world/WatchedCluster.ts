// A real cluster as measures see it: informers for its objects, revisions as anybody in this process first hears of them, and how many
// objects there are, asked for now and then by lists of one.
// Owns that filling of ClusterView; refuses to be the cluster's truth: what it shows came over the wire, a little later.
import { ApiFailure, type Client, type Clockwork, gvr, Informer, type KubeObject } from "#kube"
import { servedResource } from "../cluster/ServedResources.ts"
import type { ClusterView, FollowedView } from "./ClusterView.ts"

type Change = (before: KubeObject | undefined, after: KubeObject | undefined) => void

const COUNT_EVERY_MS = 5000
/** What is counted besides what is watched. */
const COUNTED = [
  "events.events.k8s.io",
  "endpointslices.discovery.k8s.io",
  "leases.coordination.k8s.io",
  "statefulsets.apps",
  "controllerrevisions.apps",
  "jobs.batch",
  "configmaps",
  "secrets",
  "serviceaccounts",
  "services"
]

/** By group and resource; watched all the time, since the sums at the end need them. */
const VERSIONS: Readonly<Record<string, string>> = { "": "v1", apps: "v1" }
const WATCHED = [
  ["", "nodes"],
  ["", "pods"],
  ["", "resourcequotas"],
  ["apps", "replicasets"],
  ["apps", "deployments"]
] as const

const followed = (informer: Informer): FollowedView => ({
  list: (namespace) =>
    namespace === ""
      ? [...informer.store.all()]
      : [...informer.store.all()].filter(({ metadata }) => metadata.namespace === namespace),
  onChange: (change: Change) =>
    informer.addHandler({
      added: (object) => change(undefined, object),
      updated: change,
      deleted: (object) => change(object, undefined)
    })
})

export class WatchedCluster implements ClusterView {
  private readonly clockwork: Clockwork
  private readonly informers = new Map<string, Informer>()
  private readonly revisions: Array<(revision: number) => void> = []
  private readonly counters: Array<(resource: string, by: number) => void> = []
  private readonly client: Client
  private readonly counts = new Map<string, number>()
  private newest = 0

  constructor(client: Client, clockwork: Clockwork) {
    this.client = client
    this.clockwork = clockwork
    for (const [group, resource] of WATCHED) {
      const collection = { resource: gvr(group, VERSIONS[group] ?? "v1", resource), namespace: "" }
      this.informers.set(`${resource}.${group}`, new Informer({ client, clockwork, collection }))
    }
  }

  /** Starts following; `ready` is called once everything was seen. */
  start(ready: () => void): void {
    let open = this.informers.size
    for (const informer of this.informers.values()) {
      informer.onSynced(() => {
        if (--open === 0) ready()
      })
      informer.start()
    }
    this.clockwork.every(COUNT_EVERY_MS, () => this.count())
  }

  stop(): void {
    for (const informer of this.informers.values()) informer.stop()
  }

  view(group: string, resource: string): FollowedView {
    const informer = this.informers.get(`${resource}.${group}`)
    if (informer === undefined) throw new Error(`${resource}.${group} is not watched`)
    return followed(informer)
  }

  onRevision(listener: (revision: number) => void): void {
    this.revisions.push(listener)
  }

  onObjects(listener: (resource: string, by: number) => void): void {
    this.counters.push(listener)
  }

  /** A client of this process heard of this revision. */
  heard(version: string | undefined): void {
    const revision = Number(version)
    if (!(revision > this.newest)) return
    this.newest = revision
    for (const listener of this.revisions) listener(revision)
  }

  private count(): void {
    for (const informer of this.informers.values())
      this.counted(informer.collection.resource.resource, informer.store.size)
    for (const name of COUNTED) {
      const resource = servedResource(name)
      if (resource === undefined) continue
      this.client.list({ resource, namespace: "" }, { limit: 1 }, (answer) => {
        if (answer instanceof ApiFailure) return
        this.counted(name.split(".")[0] ?? name, answer.items.length + (answer.metadata.remainingItemCount ?? 0))
      })
    }
  }

  private counted(resource: string, now: number): void {
    const by = now - (this.counts.get(resource) ?? 0)
    if (by === 0) return
    this.counts.set(resource, now)
    for (const counter of this.counters) counter(resource, by)
  }
}

/** The same client; what it hears of revisions is told. */
export const hearingClient = (client: Client, heard: (version: string | undefined) => void): Client => {
  const telling =
    <A>(done: (answer: A) => void) =>
    (answer: A): void => {
      if (typeof answer === "object" && answer !== null && "metadata" in answer) {
        const { metadata } = answer as unknown as KubeObject
        heard(metadata.resourceVersion)
      }
      done(answer)
    }
  return {
    get: (target, options, done) => client.get(target, options, done),
    list: (collection, options, done) => client.list(collection, options, done),
    watch: (collection, options, listener) =>
      client.watch(collection, options, {
        event: (event) => {
          heard(event.object.metadata.resourceVersion)
          listener.event(event)
        },
        ended: (failure) => listener.ended(failure)
      }),
    create: (target, object, options, done) => client.create(target, object, options, telling(done)),
    update: (target, object, options, done) => client.update(target, object, options, telling(done)),
    patch: (target, patch, options, done) => client.patch(target, patch, options, telling(done)),
    delete: (target, options, done) => client.delete(target, options, done),
    deleteCollection: (collection, options, selection, done) =>
      client.deleteCollection(collection, options, selection, done)
  }
}
