// A federation in virtual time: host and members are API servers of ours on stores in memory, the ways between them lose, delay and
// repeat, and the federation's process may die at any moment.
// Owns the servers, the faults and the counting of writes; refuses to judge, which tests do.
import { ApiFailure, type Client, Failures, gvr, type GroupVersionResource, type KubeObject } from "#kube"
import { type ControlPlane, inProcessClient, makeControlPlane, storageKeyValue } from "#apiserver"
import {
  defaultTypeConfigs,
  FEDERATION_API_VERSION,
  type EvictionOptions,
  type Federation,
  type FederationOptions,
  federationDefinitions,
  federationResources,
  makeFederation,
  type MemberConnection,
  type ServedType,
  type Shard,
  SYSTEM_NAMESPACE,
  wholeShard
} from "#federation"
import { CountedMember } from "#sim"
import { makeMemoryStorage } from "./MemoryStorage.ts"
import { VirtualClock } from "../../kube/VirtualClock.ts"

export const deployments = gvr("apps", "v1", "deployments")
export const configMaps = gvr("", "v1", "configmaps")
export const namespaces = gvr("", "v1", "namespaces")

const ADMIN = { name: "admin", groups: ["system:masters"] }

/** What may happen on the way to a server. */
export interface Ways {
  up: boolean
  /** Shares of calls that are never answered in time, whose answer is lost, and that arrive twice. */
  lost: number
  answerLost: number
  twice: number
  /** The longest delay in milliseconds. */
  delayMs: number
}

export const smooth = (): Ways => ({ up: true, lost: 0, answerLost: 0, twice: 0, delayMs: 0 })

/** A write that came through. */
export interface Write {
  readonly verb: string
  readonly resource: string
  readonly name: string
  readonly subresource: string
  /** The process that wrote it, by its shard. */
  readonly shard: number
}

export class Server {
  readonly plane: ControlPlane
  readonly client: Client
  readonly ways = smooth()
  readonly writes: Array<Write> = []
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock, isHost: boolean) {
    this.#clock = clock
    this.plane = makeControlPlane({
      keyValue: storageKeyValue(makeMemoryStorage(clock), clock),
      clockwork: clock,
      disable: ["ServiceAccount"],
      ...(isHost ? { definitions: federationDefinitions() } : {})
    })
    this.client = inProcessClient(this.plane.api, ADMIN)
  }

  /** The way of a process to this server; cut for good when the process dies. */
  way(isAlive: () => boolean, shard = 0): Client {
    const { client } = this
    type Ask = (done: (answer: never) => void) => void
    const ask = (write: Write | undefined, call: Ask, done: (answer: never) => void): void => {
      const { answerLost, delayMs, lost, twice, up } = this.ways
      const clock = this.#clock
      const answer = (value: never): void => {
        if (isAlive()) done(value)
      }
      const fail = (): void => answer(Failures.unavailable("the connection was lost") as never)
      if (!up || clock.random() < lost) return void clock.after(1 + clock.below(50), fail)
      const losesAnswer = clock.random() < answerLost
      const again = clock.random() < twice
      const go = (): void =>
        call((value) => {
          if (write !== undefined && !((value as unknown) instanceof ApiFailure)) this.writes.push(write)
          const back = (): void => (losesAnswer ? fail() : answer(value))
          if (delayMs === 0) back()
          else clock.after(clock.below(delayMs), back)
          if (again) call(() => undefined)
        })
      if (delayMs === 0) clock.defer(go)
      else clock.after(clock.below(delayMs), go)
    }
    const written = (
      verb: string,
      target: { resource: GroupVersionResource; name?: string; subresource?: string },
      object?: KubeObject
    ): Write => ({
      verb,
      resource: target.resource.resource,
      name: target.name ?? object?.metadata.name ?? "",
      subresource: target.subresource ?? "",
      shard
    })
    return {
      get: (target, options, done) => ask(undefined, (end) => client.get(target, options, end as never), done),
      list: (collection, options, done) =>
        ask(undefined, (end) => client.list(collection, options, end as never), done),
      create: (target, object, options, done) =>
        ask(written("create", target, object), (end) => client.create(target, object, options, end as never), done),
      update: (target, object, options, done) =>
        ask(written("update", target), (end) => client.update(target, object, options, end as never), done),
      patch: (target, patch, options, done) =>
        ask(written("patch", target), (end) => client.patch(target, patch, options, end as never), done),
      delete: (target, options, done) =>
        ask(written("delete", target), (end) => client.delete(target, options, end as never), done),
      deleteCollection: (collection, options, selection, done) =>
        ask(
          written("delete", collection),
          (end) => client.deleteCollection(collection, options, selection, end as never),
          done
        ),
      watch: (collection, options, listener) => {
        if (!this.ways.up) {
          this.#clock.after(1, () => {
            if (isAlive()) listener.ended(Failures.unavailable("the connection was lost"))
          })
          return () => undefined
        }
        let over = false
        const stop = client.watch(collection, options, {
          event: (event) => {
            if (over || !isAlive()) return
            if (this.ways.up) return listener.event(event)
            over = true
            stop()
            listener.ended(Failures.unavailable("the connection was lost"))
          },
          ended: (failure) => {
            if (!over && isAlive()) listener.ended(failure)
          }
        })
        const cut = this.#clock.every(500, () => {
          if (this.ways.up || over || !isAlive()) return
          over = true
          stop()
          cut()
          listener.ended(Failures.unavailable("the connection was lost"))
        })
        return () => {
          over = true
          cut()
          stop()
        }
      }
    }
  }
}

const served: ReadonlyArray<ServedType> = defaultTypeConfigs.map(({ spec }) => {
  const { sourceType } = spec as unknown as { readonly sourceType: ServedType }
  return sourceType
})

/** Only what the tests use is federated, so that worlds are quick to make. */
const TYPES = ["deployments.apps", "configmaps", "namespaces"]

/** How a world differs from the usual one. */
export interface WorldOptions {
  readonly deletionWaitMs?: number
  readonly evictions?: EvictionOptions
  /** Names of types that are federated besides the usual three. */
  readonly types?: ReadonlyArray<string>
}

/** One process of the federation. */
interface Running {
  readonly federation: Federation
  alive: boolean
}

export class FederationWorld {
  readonly clock: VirtualClock
  readonly host: Server
  readonly members = new Map<string, Server>()
  /** Members whose nodes and pods are counts, and whose Deployments become ready. */
  readonly counted = new Map<string, CountedMember>()
  /** What failed in controllers, for those who look for a reason. */
  readonly failures: Array<string> = []
  readonly unclaimed: Array<string> = []
  readonly #processes = new Map<number, Running>()
  readonly #options: WorldOptions

  constructor(seed: number, options: WorldOptions = {}) {
    this.clock = new VirtualClock(seed)
    this.host = new Server(this.clock, true)
    this.#options = options
    for (const name of [SYSTEM_NAMESPACE, "default"])
      this.make(this.host, namespaces, "", { kind: "Namespace", apiVersion: "v1", metadata: { name } })
    const federated = new Set([...TYPES, ...(options.types ?? [])])
    for (const config of defaultTypeConfigs) {
      if (federated.has(config.metadata.name ?? "")) this.make(this.host, federationResources.typeConfigs, "", config)
    }
  }

  /** Lets time pass. */
  run(ms: number): void {
    this.clock.run(ms)
  }

  /** Lets time pass until something holds; false when it does not within so many milliseconds. */
  until(holds: () => boolean, withinMs = 120_000): boolean {
    for (let passed = 0; passed < withinMs; passed += 100) {
      if (holds()) return true
      this.run(100)
    }
    return holds()
  }

  #ask<A>(call: (done: (answer: A | ApiFailure) => void) => void): A | ApiFailure {
    const answers: Array<A | ApiFailure> = []
    call((answer) => answers.push(answer))
    for (let turns = 0; answers.length === 0 && turns < 1000; turns++) this.run(1)
    const [answer] = answers
    if (answer === undefined) throw new Error("a server of the world does not answer")
    return answer
  }

  /** Creates an object, or throws. */
  make(server: Server, resource: GroupVersionResource, namespace: string, object: KubeObject): KubeObject {
    const made = this.#ask<KubeObject>((done) => server.client.create({ resource, namespace }, object, {}, done))
    if (made instanceof ApiFailure) throw made
    return made
  }

  read(server: Server, resource: GroupVersionResource, namespace: string, name: string): KubeObject | undefined {
    const found = this.#ask<KubeObject>((done) => server.client.get({ resource, namespace, name }, {}, done))
    return found instanceof ApiFailure ? undefined : found
  }

  list(server: Server, resource: GroupVersionResource): ReadonlyArray<KubeObject> {
    const found = this.#ask<{ readonly items: ReadonlyArray<KubeObject> }>((done) =>
      server.client.list({ resource, namespace: "" }, {}, done)
    )
    if (found instanceof ApiFailure) throw found
    return found.items
  }

  /** A JSON merge patch; undefined when the object is not there. */
  change(
    server: Server,
    resource: GroupVersionResource,
    namespace: string,
    name: string,
    body: object,
    subresource?: string
  ): KubeObject | undefined {
    const target = { resource, namespace, name, ...(subresource === undefined ? {} : { subresource }) }
    const made = this.#ask<KubeObject>((done) =>
      server.client.patch(target, { type: "merge", body: body as never }, {}, done)
    )
    return made instanceof ApiFailure ? undefined : made
  }

  remove(server: Server, resource: GroupVersionResource, namespace: string, name: string): void {
    this.#ask<KubeObject>((done) => server.client.delete({ resource, namespace, name }, {}, done))
  }

  /** A member and its FederatedCluster. */
  join(name: string, labels: Readonly<Record<string, string>> = {}): Server {
    const member = new Server(this.clock, false)
    this.members.set(name, member)
    this.make(member, namespaces, "", { kind: "Namespace", apiVersion: "v1", metadata: { name: "default" } })
    this.#register(name, labels)
    return member
  }

  /** A member that is counted only. */
  joinCounted(name: string, nodes: number): CountedMember {
    const member = new CountedMember({ clockwork: this.clock, types: served, nodes, pods: 0, latencyMs: 5 })
    this.counted.set(name, member)
    this.#register(name, {})
    return member
  }

  #register(name: string, labels: Readonly<Record<string, string>>): void {
    this.make(this.host, gvr("", "v1", "secrets"), SYSTEM_NAMESPACE, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: SYSTEM_NAMESPACE }
    })
    this.make(this.host, federationResources.clusters, "", {
      apiVersion: FEDERATION_API_VERSION,
      kind: "FederatedCluster",
      metadata: { name, labels },
      spec: { apiEndpoint: `https://${name}`, secretRef: { name } }
    })
  }

  /** The process that has the first share, or all. */
  get federation(): Federation | undefined {
    return this.#processes.get(0)?.federation
  }

  /** Starts the federation's process, or another one after the last has died; with a shard one of several. */
  start(shard: Shard = wholeShard, more: Partial<FederationOptions> = {}): void {
    const isAlive = (): boolean => running.alive
    const connect = (cluster: KubeObject): MemberConnection => this.#connection(cluster.metadata.name ?? "", isAlive)
    const federation = makeFederation({
      clockwork: this.clock,
      host: this.host.way(isAlive, shard.index),
      connect,
      transport: () => (_url, _body, _timeoutMs, done) => done(new Error("there are no webhooks here")),
      deletionWaitMs: this.#options.deletionWaitMs ?? 60_000,
      ...(this.#options.evictions === undefined ? {} : { evictions: this.#options.evictions }),
      ...more,
      shard,
      onFailure: (controller, key, failure) => {
        if (this.failures.length < 1000) this.failures.push(`${controller} ${key}: ${failure.message}`)
      },
      onUnclaimed: (cluster, type, key) => this.unclaimed.push(`${cluster} ${type} ${key}`)
    })
    const running: Running = { federation, alive: true }
    this.#processes.set(shard.index, running)
    federation.start()
  }

  /** A process dies, or all do: nothing that it asked is answered any more, and nothing of it goes on. */
  crash(shard?: number): void {
    for (const [index, running] of this.#processes) {
      if (shard !== undefined && index !== shard) continue
      running.alive = false
      running.federation.stop()
      this.#processes.delete(index)
    }
  }

  #connection(name: string, isAlive: () => boolean): MemberConnection {
    const counted = this.counted.get(name)
    if (counted !== undefined) return counted.connection()
    const server = this.members.get(name)
    if (server === undefined) throw new Error(`no member ${name}`)
    const client = server.way(isAlive)
    return {
      client,
      probe: (done) =>
        client.get({ resource: namespaces, namespace: "", name: "default" }, {}, (answer) =>
          done(answer instanceof ApiFailure ? answer : true)
        ),
      types: (done) =>
        client.get({ resource: namespaces, namespace: "", name: "default" }, {}, (answer) =>
          done(answer instanceof ApiFailure ? answer : served)
        ),
      close: () => undefined
    }
  }

  /** Whether a cluster has joined and is ready. */
  isReady(name: string): boolean {
    const cluster = this.federation?.members.cluster(name)
    return cluster?.joined === true && cluster.ready
  }
}
