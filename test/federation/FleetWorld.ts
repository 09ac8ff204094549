// A host and members in one process and one time: real API servers in memory, controllers over them, members that can be cut off.
// Owns servers, informers and the fake of what keeps contact with members; refuses controllers, which each test starts.
import {
  ApiFailure,
  type Client,
  type ClockworkRuntime,
  type Collection,
  Failures,
  type GroupVersionResource,
  groupResource,
  gvr,
  Informer,
  InformerFactory,
  type Json,
  type KubeList,
  type KubeObject,
  makeClockworkRuntime,
  objectKey,
  type Target
} from "#kube"
import {
  builtInDefinitions,
  defaultResourcesContext,
  type Definition,
  inProcessClient,
  makeApiServer,
  makeDefinitions
} from "#apiserver"
import {
  federationDefinitions,
  federationResources,
  type MemberReads,
  typeConfigOf,
  type TypeConfig
} from "#federation"
import { makeMemoryEngine } from "../../core/storage/engine/MemoryEngine.ts"
import { Store } from "../../core/storage/mvcc/Store.ts"
import { WatchHub } from "../../core/storage/watch/WatchHub.ts"
import { Compactor } from "../../core/storage/mvcc/Compactor.ts"
import { schemaManagers } from "../../core/apiserver/registry/SchemaManagers.ts"
import { storageKeyValue } from "../../core/apiserver/store/StorageKeyValue.ts"
import { TestClockwork } from "../apiserver/World.ts"

const admin = { name: "admin", groups: ["system:masters"] }

export const DEPLOYMENTS = gvr("apps", "v1", "deployments")
export const PODS = gvr("", "v1", "pods")

const serverClient = (clockwork: TestClockwork, more: ReadonlyArray<Definition>): Client => {
  const engine = makeMemoryEngine({ defer: clockwork.defer, clock: clockwork.now })
  const store = new Store(engine, { defer: clockwork.defer, minLeaseTtlSeconds: 1 })
  const hub = new WatchHub(store, clockwork.defer)
  const compactor = new Compactor(store, { now: clockwork.monotonic, after: clockwork.after })
  const keyValue = storageKeyValue({ store, hub, compactor }, clockwork)
  const definitions = makeDefinitions([...builtInDefinitions(defaultResourcesContext), ...more])
  return inProcessClient(
    makeApiServer({ clockwork, definitions, compaction: { intervalMs: 0 }, keyValue, managers: schemaManagers }),
    admin
  )
}

/** One cluster's API server, and short ways to its objects. */
export class Cluster {
  readonly client: Client
  readonly #clockwork: TestClockwork
  /** Writes that succeeded. */
  writes = 0

  constructor(clockwork: TestClockwork, more: ReadonlyArray<Definition> = []) {
    this.#clockwork = clockwork
    const client = serverClient(clockwork, more)
    const counted =
      (done: (answer: KubeObject | ApiFailure) => void) =>
      (answer: KubeObject | ApiFailure): void => {
        if (!(answer instanceof ApiFailure)) this.writes++
        done(answer)
      }
    this.client = {
      ...client,
      create: (target, object, options, done) => client.create(target, object, options, counted(done)),
      update: (target, object, options, done) => client.update(target, object, options, counted(done)),
      patch: (target, patch, options, done) => client.patch(target, patch, options, counted(done)),
      delete: (target, options, done) => client.delete(target, options, counted(done))
    }
  }

  ask<A>(call: (done: (answer: A | ApiFailure) => void) => void): A | ApiFailure {
    const answers: Array<A | ApiFailure> = []
    call((answer) => answers.push(answer))
    this.#clockwork.settle()
    const [answer] = answers
    if (answer === undefined) throw new Error("not answered")
    return answer
  }

  must<A>(call: (done: (answer: A | ApiFailure) => void) => void): A {
    const answer = this.ask(call)
    if (answer instanceof ApiFailure) throw answer
    return answer
  }

  create(resource: GroupVersionResource, object: KubeObject): KubeObject {
    const collection: Collection = { resource, namespace: object.metadata.namespace ?? "" }
    return this.must((done) => this.client.create(collection, object, { fieldManager: "test" }, done))
  }

  get(resource: GroupVersionResource, key: string): KubeObject | undefined {
    const [name = "", namespace = ""] = key.split("/").reverse()
    const answer = this.ask<KubeObject>((done) => this.client.get({ resource, namespace, name }, {}, done))
    return answer instanceof ApiFailure ? undefined : answer
  }

  /** Writes what a change makes of the newest state; with a subresource that part of it. */
  change(
    resource: GroupVersionResource,
    key: string,
    how: (object: KubeObject) => KubeObject,
    subresource?: string
  ): KubeObject {
    const object = this.get(resource, key)
    if (object === undefined) throw new Error(`no ${groupResource(resource)} ${key}`)
    const [name = "", namespace = ""] = key.split("/").reverse()
    const target: Target = { resource, namespace, name, ...(subresource === undefined ? {} : { subresource }) }
    return this.must((done) => this.client.update(target, how(object), {}, done))
  }

  setStatus(resource: GroupVersionResource, key: string, status: Json): KubeObject {
    return this.change(resource, key, (object) => ({ ...object, status }), "status")
  }

  remove(resource: GroupVersionResource, key: string): void {
    const [name = "", namespace = ""] = key.split("/").reverse()
    this.must<KubeObject>((done) => this.client.delete({ resource, namespace, name }, {}, done))
  }

  names(resource: GroupVersionResource): ReadonlyArray<string> {
    return this.must<KubeList>((done) => this.client.list({ resource, namespace: "" }, {}, done))
      .items.map((item) => item.metadata.name ?? "")
      .sort()
  }
}

export class FleetWorld {
  readonly clockwork: TestClockwork
  readonly host: Cluster
  readonly members: ReadonlyMap<string, Cluster>
  readonly informers: InformerFactory
  /** Clusters that do not answer now. */
  readonly lost = new Set<string>()
  readonly types: (group: string, kind: string) => TypeConfig | undefined
  readonly runtime: ClockworkRuntime
  readonly #copies = new Map<string, Informer>()
  readonly #clients = new Map<string, Client>()
  /** Hears of members' objects of followed types. */
  onCopy: (type: GroupVersionResource, key: string) => void = () => {}

  constructor(clusters: ReadonlyArray<string>, configs: ReadonlyArray<KubeObject>) {
    this.clockwork = new TestClockwork()
    this.runtime = makeClockworkRuntime(this.clockwork)
    this.host = new Cluster(this.clockwork, federationDefinitions())
    this.members = new Map(clusters.map((name) => [name, new Cluster(this.clockwork)]))
    this.informers = new InformerFactory({ clockwork: this.clockwork, client: this.host.client })
    const read = configs.map(typeConfigOf)
    this.types = (group, kind) => read.find(({ type }) => type.group === group && type.kind === kind)
  }

  /** Informers of what every controller watches. */
  get objects(): ReadonlyArray<Informer> {
    return [this.informer(federationResources.objects), this.informer(federationResources.clusterObjects)]
  }

  informer = (resource: GroupVersionResource): Informer => this.informers.informer(resource)

  /** Members as controllers read them: informers of what is asked for, and whether contact is there. */
  get reads(): MemberReads {
    return {
      isCurrent: (cluster, type) => !this.lost.has(cluster) && this.#follow(cluster, type).hasSynced,
      object: (cluster, type, key) => this.#follow(cluster, type).store.get(key),
      client: (cluster) => this.client(cluster)
    }
  }

  /** A member's client; undefined while the member is lost. */
  client = (cluster: string): Client | undefined => (this.lost.has(cluster) ? undefined : this.reachable(cluster))

  /** A member's client, which fails while the member is lost. */
  reachable(cluster: string): Client {
    const known = this.#clients.get(cluster)
    if (known !== undefined) return known
    const { client } = this.member(cluster)
    const made: Client = {
      ...client,
      list: (collection, options, done) => {
        if (!this.lost.has(cluster)) return client.list(collection, options, done)
        this.clockwork.defer(() => done(Failures.generic(503, "ServiceUnavailable", "the cluster does not answer")))
      }
    }
    this.#clients.set(cluster, made)
    return made
  }

  member(cluster: string): Cluster {
    const found = this.members.get(cluster)
    if (found === undefined) throw new Error(`no cluster ${cluster}`)
    return found
  }

  /** Follows a type in all members, before anything happens. */
  follow(...types: ReadonlyArray<GroupVersionResource>): void {
    for (const cluster of this.members.keys()) for (const type of types) this.#follow(cluster, type)
    this.clockwork.settle()
  }

  #follow(cluster: string, type: GroupVersionResource): Informer {
    const key = `${cluster}/${groupResource(type)}`
    const known = this.#copies.get(key)
    if (known !== undefined) return known
    const { client } = this.member(cluster)
    const informer = new Informer({ clockwork: this.clockwork, client, collection: { resource: type, namespace: "" } })
    const tell = (object: KubeObject): void => {
      if (!this.lost.has(cluster)) this.onCopy(type, objectKey(object))
    }
    informer.addHandler({ added: tell, updated: (_before, after) => tell(after), deleted: tell })
    this.#copies.set(key, informer)
    informer.start()
    return informer
  }
}

/** A FederatedTypeConfig. */
export const typeConfig = (
  name: string,
  source: { group: string; version: string; kind: string; pluralName: string; scope?: string },
  more: object = {}
): KubeObject => ({
  apiVersion: "core.kubeadmiral.io/v1alpha1",
  kind: "FederatedTypeConfig",
  metadata: { name },
  spec: { sourceType: { scope: "Namespaced", ...source }, ...more }
})

/** The Deployments' configuration, as KubeAdmiral's sample has it. */
export const deploymentConfig: KubeObject = typeConfig(
  "deployments.apps",
  { group: "apps", version: "v1", kind: "Deployment", pluralName: "deployments" },
  {
    statusCollection: {
      enabled: true,
      fields: ["metadata.creationTimestamp", "metadata.generation", "spec.replicas", "status"]
    },
    autoMigration: { enabled: true },
    pathDefinition: {
      labelSelector: "spec.selector",
      replicasSpec: "spec.replicas",
      replicasStatus: "status.replicas",
      availableReplicasStatus: "status.availableReplicas",
      readyReplicasStatus: "status.readyReplicas"
    }
  }
)

/** A federated object around a template. */
export const federated = (
  template: KubeObject,
  placements: Readonly<Record<string, ReadonlyArray<string>>>,
  more: {
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
    readonly overrides?: Json
  } = {}
): KubeObject => {
  const { namespace } = template.metadata
  return {
    apiVersion: "core.kubeadmiral.io/v1alpha1",
    kind: namespace === undefined ? "ClusterFederatedObject" : "FederatedObject",
    metadata: {
      name: `${template.metadata.name ?? ""}-${template.kind.toLowerCase()}`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(more.annotations === undefined ? {} : { annotations: more.annotations }),
      ...(more.labels === undefined ? {} : { labels: more.labels })
    },
    spec: {
      template: template as unknown as Json,
      placements: Object.entries(placements).map(([controller, clusters]) => ({
        controller,
        placement: clusters.map((cluster) => ({ cluster }))
      })),
      ...(more.overrides === undefined ? {} : { overrides: more.overrides })
    }
  }
}

/** A Deployment of one container. */
export const deployment = (
  replicas: number,
  more: { readonly annotations?: Readonly<Record<string, string>>; readonly pod?: Json } = {}
): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name: "web",
    namespace: "team",
    ...(more.annotations === undefined ? {} : { annotations: more.annotations })
  },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "web", image: "web:1" }], ...(more.pod as object | undefined) }
    }
  }
})
