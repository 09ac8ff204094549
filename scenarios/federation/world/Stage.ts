// A federation to put under load: an API server of ours in memory as host, members that answer from memory, and the controllers.
// Owns their making, the count of what the federation writes on the host, and the wait for rest; refuses to know what is measured.
import { inProcessClient, makeControlPlane, openStore } from "#apiserver"
import {
  defaultTypeConfigs,
  type Federation as RunningFederation,
  FEDERATION_API_VERSION,
  federationDefinitions,
  federationLabels,
  federationResources,
  makeFederation,
  type ServedType,
  SYSTEM_NAMESPACE,
  usualClusterTimes
} from "#federation"
import {
  type Client,
  type EffectClient,
  effectClient,
  type GroupVersionResource,
  gvr,
  type KubeObject,
  machineClockwork
} from "#kube"
import { CountedMember } from "#sim"
import { Effect, Scope } from "effect"
import type { Federation } from "../Federation.ts"

/** Where all objects of a run are, and the policy that places them. */
export const NAMESPACE = "default"
const POLICY = "placed"
export const DEPLOYMENTS = gvr("apps", "v1", "deployments")
const LOOK_MS = 50
/** The controller whose work never ends: it asks each member how it is. */
const LOOKS_AT_MEMBERS = "clusters"
const { clusters } = federationResources
const USER = { name: "federation", groups: ["system:masters"] }

/** Hears of each request that changes something on a member, when it arrives. */
export type MemberWrite = (member: string, verb: string, object: KubeObject) => void

/** Waits in real time. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until it holds; what was waited for and has not come is the error's text. */
export const until = async (holds: () => string | undefined, limitMs: number): Promise<void> => {
  const end = performance.now() + limitMs
  for (;;) {
    const missing = holds()
    if (missing === undefined) return
    if (performance.now() > end) throw new Error(`${missing}, after ${limitMs / 1000} s`)
    await pause(LOOK_MS)
  }
}

const types: ReadonlyArray<ServedType> = defaultTypeConfigs.map(
  ({ spec }) => (spec as unknown as { readonly sourceType: ServedType }).sourceType
)

const memberName = (at: number): string => `member-${String(at).padStart(4, "0")}`

/** A Deployment of the run's policy. */
export const placedDeployment = (name: string, replicas: number): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: NAMESPACE, labels: { [federationLabels.propagationPolicy]: POLICY } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image: "nginx:1" }] } }
  }
})

export class Stage {
  readonly federation: Federation
  readonly members = new Map<string, CountedMember>()
  /** The user's own way to the host. */
  readonly raw: Client
  readonly user: EffectClient
  /** Creates, updates, patches and deletes of the federation on the host, without what it says of the members themselves. */
  hostWrites = 0
  hear: MemberWrite = () => {}
  #running: RunningFederation | undefined

  /** Opens the host and makes what every federation begins with; the federation itself is started by `start`. */
  static async open(federation: Federation): Promise<Stage> {
    // The process ends with its run, and the store with it.
    const keyValue = await Effect.runPromise(
      openStore({ dataDir: undefined, sync: false }).pipe(Effect.provideService(Scope.Scope, Scope.makeUnsafe()))
    )
    const plane = makeControlPlane({
      keyValue,
      clockwork: machineClockwork,
      disable: ["ServiceAccount"],
      definitions: federationDefinitions()
    })
    const stage = new Stage(federation, inProcessClient(plane.api, USER))
    await stage.#prepare()
    return stage
  }

  private constructor(federation: Federation, raw: Client) {
    this.federation = federation
    this.raw = raw
    this.user = effectClient(raw)
  }

  /** Starts a federation over what is there, and waits until its members are ready. */
  async start(limitMs: number): Promise<void> {
    const { backAfter, lostAfter, probe } = this.federation.health
    const health = { ...usualClusterTimes.health, downAfterMs: lostAfter, upAfterMs: backAfter }
    const running = makeFederation({
      clockwork: machineClockwork,
      host: this.#counting(),
      connect: ({ metadata: { name = "" } }) => this.member(name).connection(),
      transport: () => (_url, _body, _ms, done) => done(new Error("no webhooks here")),
      times: { ...usualClusterTimes, probeMs: probe, health }
    })
    this.#running = running
    running.start()
    await this.allReady(limitMs)
  }

  /** Waits until the federation has read its state and holds all members for ready. */
  async allReady(limitMs: number): Promise<void> {
    const running = this.#running
    if (running === undefined) throw new Error("the federation is stopped")
    await until(() => {
      const { fleet } = running.members
      const ready = fleet.clusters.filter((cluster) => cluster.ready).length
      const { count } = this.federation.members
      return running.hasSynced() && ready === count ? undefined : `${ready} of ${count} members are ready`
    }, limitMs)
  }

  stop(): void {
    this.#running?.stop()
    this.#running = undefined
  }

  member(name: string): CountedMember {
    const member = this.members.get(name)
    if (member === undefined) throw new Error(`there is no member ${name}`)
    return member
  }

  /** Waits until nothing is queued and nothing has been written for a while; answers when rest began, on the monotonic clock. */
  async rest(limitMs: number): Promise<number> {
    const { rest } = this.federation
    let [writes, since] = [-1, performance.now()]
    await until(() => {
      const left = this.#queued()
      if (this.hostWrites !== writes || left > 0) since = performance.now()
      writes = this.hostWrites
      return performance.now() - since > rest ? undefined : `${left} objects are still worked on`
    }, limitMs + rest)
    return since
  }

  /** Objects on members, each as often as it is there. */
  placements(): number {
    let sum = 0
    for (const member of this.members.values()) sum += member.objects("deployments.apps").length
    return sum
  }

  #queued(): number {
    const stats = this.#running?.stats()
    if (stats === undefined) return 0
    let left = 0
    for (const controller of stats.controllers) {
      // With many members some are looked at all the time.
      if (controller.name === LOOKS_AT_MEMBERS) continue
      left += controller.stats().queued + controller.stats().working
    }
    for (const keys of stats.queued.values()) left += keys
    return left
  }

  #counting(): Client {
    const { raw } = this
    const counted = <K extends "create" | "update" | "patch" | "delete">(verb: K): Client[K] =>
      ((...args: Parameters<Client[K]>) => {
        if (args[0].resource.resource !== clusters.resource) this.hostWrites++
        ;(raw[verb] as (...all: ReadonlyArray<unknown>) => void)(...args)
      }) as Client[K]
    return {
      ...raw,
      create: counted("create"),
      update: counted("update"),
      patch: counted("patch"),
      delete: counted("delete")
    }
  }

  #make(resource: GroupVersionResource, namespace: string, object: KubeObject): Promise<KubeObject> {
    return Effect.runPromise(this.user.create({ resource, namespace }, object))
  }

  async #prepare(): Promise<void> {
    const { members, placement } = this.federation
    for (const name of [SYSTEM_NAMESPACE, NAMESPACE])
      await this.#make(gvr("", "v1", "namespaces"), "", { apiVersion: "v1", kind: "Namespace", metadata: { name } })
    for (const config of defaultTypeConfigs) await this.#make(federationResources.typeConfigs, "", config)
    for (let at = 0; at < members.count; at++) await this.#addMember(memberName(at))
    await this.#make(federationResources.propagationPolicies, NAMESPACE, {
      apiVersion: FEDERATION_API_VERSION,
      kind: "PropagationPolicy",
      metadata: { name: POLICY, namespace: NAMESPACE },
      spec: {
        schedulingMode: placement.mode,
        maxClusters: placement.clusters,
        failover: {
          tolerationSeconds: placement.tolerated / 1000,
          gracePeriodSeconds: placement.grace / 1000
        }
      }
    })
  }

  async #addMember(name: string): Promise<void> {
    const { latency, nodes, pods, podStart } = this.federation.members
    this.members.set(
      name,
      new CountedMember({
        clockwork: machineClockwork,
        types,
        nodes,
        pods,
        startMs: podStart,
        latencyMs: latency,
        onWrite: (verb, object) => this.hear(name, verb, object)
      })
    )
    await this.#make(gvr("", "v1", "secrets"), SYSTEM_NAMESPACE, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: SYSTEM_NAMESPACE }
    })
    await this.#make(federationResources.clusters, "", {
      apiVersion: FEDERATION_API_VERSION,
      kind: "FederatedCluster",
      metadata: { name },
      spec: { apiEndpoint: `https://${name}`, secretRef: { name } }
    })
  }
}
