// The federation's controllers on one host: joined, started and stopped together.
// Owns who hears of what; refuses the host, the clock and the ways to members, which it is handed: real ones in a process, simulated ones
// in a world.
import {
  type ApiFailure,
  type Cancel,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  effectClient,
  type GroupVersionResource,
  type Informer,
  type LabelSelector,
  InformerFactory,
  makeClockworkRuntime,
  onAllSynced,
  type Controller
} from "#kube"
import { federationResources as resources } from "./api/FederationNames.ts"
import { type ClusterTimes, makeClusterController } from "./clusters/ClusterController.ts"
import type { MemberBounds } from "./clusters/MemberClient.ts"
import type { ConnectMember } from "./clusters/MemberConnection.ts"
import { Members } from "./clusters/Members.ts"
import type { EvictionOptions } from "./failover/EvictionBudget.ts"
import { HostEvents, named } from "./events/HostEvents.ts"
import { MemberEvents, type MirroredEvents } from "./events/MemberEvents.ts"
import { type FederateController, makeFederateController } from "./federate/FederateController.ts"
import { FederatedTypes } from "./federate/FederatedTypes.ts"
import { Notes } from "./federate/Notes.ts"
import { templateKey } from "./federate/ObjectNames.ts"
import { pluginDecisions } from "./federate/PluginDecisions.ts"
import { Policies } from "./federate/Policies.ts"
import type { Plugins } from "./scheduling/PluginCalls.ts"
import { nativeSemantics, type SemanticsTable } from "./semantics/SemanticsTable.ts"
import { ownership, type Shard, wholeShard } from "./shards/HashRing.ts"
import { type Companions, startCompanions } from "./Companions.ts"
import { makeCascade } from "./sync/Cascade.ts"
import type { CopyProblem } from "./sync/MemberSync.ts"
import { SyncController } from "./sync/SyncController.ts"
import { Tombstones } from "./sync/Tombstones.ts"

export interface FederationOptions {
  readonly clockwork: Clockwork
  readonly host: Client
  readonly connect: ConnectMember
  /** How webhook plugins of scheduling are called. */
  readonly transport: Plugins["transport"]
  readonly semantics?: SemanticsTable
  readonly times?: ClusterTimes
  readonly bounds?: MemberBounds
  readonly shard?: Shard
  readonly deletionWaitMs?: number
  /** Namespaces that go nowhere by themselves from now on, by their names. */
  readonly excludedNamespaces?: RegExp
  /** Which events of members are told of sources on the host. Default: warnings. */
  readonly mirroredEvents?: MirroredEvents
  /** Labels of nodes that give no room. */
  readonly excludedNodes?: ReadonlyArray<LabelSelector>
  /** How fast objects may be moved from lost clusters, all together. */
  readonly evictions?: EvictionOptions
  /** Milliseconds between two writes of one object's status. */
  readonly statusIntervalMs?: number
  /** Starts an HPA controller over the fleet as one cluster; absent: HPAs that ask to be centralized are not acted on. */
  readonly autoscaler?: (view: Client) => Cancel
  readonly onFailure?: (controller: string, key: string, failure: ApiFailure) => void
  readonly onUnclaimed?: (cluster: string, type: string, key: string) => void
}

/** What a running federation shows of itself. */
export interface FederationStats {
  readonly controllers: ReadonlyArray<Pick<Controller, "name" | "stats">>
  readonly queued: ReadonlyMap<string, number>
  readonly openCircuits: number
  readonly objects: number
  readonly clusters: number
  readonly unclaimed: number
  /** Events about sources. */
  readonly events: { readonly written: number; readonly dropped: number; readonly failed: number }
}

export interface Federation {
  /** Work starts when the host is known. */
  readonly start: () => void
  readonly stop: () => void
  /** Whether the host's objects are all known. */
  readonly hasSynced: () => boolean
  readonly stats: () => FederationStats
  readonly members: Members
}

/** How long statuses wait at the start for members that are thought to be well, and how often that is looked at. */
const MEMBERS_WAIT_MS = 60_000
const MEMBERS_LOOK_MS = 200

/** Objects in members that nobody stands for: so many are remembered. */
const UNCLAIMED_MAX = 10_000

class Parts {
  readonly options: FederationOptions
  readonly runtime: ClockworkRuntime
  readonly informers: InformerFactory
  readonly objects: ReadonlyArray<Informer>
  readonly types: FederatedTypes
  readonly members: Members
  readonly policies: Policies
  readonly notes = new Notes()
  readonly events: HostEvents
  readonly memberEvents: MemberEvents | undefined
  readonly federate: FederateController
  readonly sync: SyncController
  readonly tombstones: Tombstones
  readonly controllers: ReadonlyArray<Controller>
  readonly unclaimed = new Set<string>()
  readonly #ready = new Set<string>()
  #companions: Companions | undefined
  readonly #cancels: Array<Cancel> = []
  #state: "new" | "started" | "stopped" = "new"

  constructor(options: FederationOptions) {
    this.options = options
    const { clockwork, host, onFailure } = options
    this.runtime = makeClockworkRuntime(clockwork)
    this.informers = new InformerFactory({
      clockwork,
      client: host,
      onFailure: (failure) => onFailure?.("informers", "", failure)
    })
    this.events = new HostEvents(host, clockwork)
    this.objects = [this.#informer(resources.objects), this.#informer(resources.clusterObjects)]
    this.policies = new Policies({
      propagation: this.#informer(resources.propagationPolicies),
      clusterPropagation: this.#informer(resources.clusterPropagationPolicies),
      overrides: this.#informer(resources.overridePolicies),
      clusterOverrides: this.#informer(resources.clusterOverridePolicies),
      profiles: this.#informer(resources.schedulingProfiles)
    })
    const shared = this.#shared()
    const late = { members: () => this.members, types: () => this.types }
    this.tombstones = new Tombstones({ ...shared, ...late, ...hearing("tombstones", options) })
    this.sync = new SyncController({
      ...shared,
      ...late,
      tombstones: this.tombstones,
      ...(options.deletionWaitMs === undefined ? {} : { deletionWaitMs: options.deletionWaitMs }),
      ...(onFailure === undefined ? {} : { onFailure }),
      tell: this.#tellOfCopy,
      onUnclaimed: (cluster, type, key) => this.#unclaimed(cluster, type, key)
    })
    this.memberEvents = this.#makeMemberEvents()
    this.members = new Members({
      clockwork,
      clusters: shared.clusters,
      connect: options.connect,
      listener: this.sync.listener,
      onMember: (name, member) => {
        this.sync.memberChanged(name, member)
        this.memberEvents?.memberChanged(name, member)
      },
      ...(options.bounds === undefined ? {} : { bounds: options.bounds }),
      onFailure: (cluster, failure) => onFailure?.(`members/${cluster}`, "", failure)
    })
    this.types = new FederatedTypes({
      clockwork,
      client: host,
      configs: this.#informer(resources.typeConfigs),
      onSource: (type, object, initial) => this.federate.sourceSeen(type, object, initial),
      onType: () => undefined,
      onFailure: (type, failure) => onFailure?.(`sources/${type}`, "", failure)
    })
    this.federate = makeFederateController({
      ...shared,
      types: this.types,
      policies: this.policies,
      members: this.members,
      decisions: pluginDecisions(this.#informer(resources.pluginWebhooks), options.transport),
      ...(options.evictions === undefined ? {} : { evictions: options.evictions }),
      ...(options.excludedNamespaces && {
        excludesNamespace: (name) => options.excludedNamespaces?.test(name) === true
      }),
      tell: (happening) => this.events.tell(happening),
      onCounted: (key) => this.#companions?.sourceCounted(key),
      ...hearing("federate", options)
    })
    this.controllers = this.#makeControllers()
    this.#cancels.push(this.members.onFleetChange(() => this.#fleetChanged()))
  }

  #informer(resource: GroupVersionResource): Informer {
    return this.informers.informer(resource)
  }

  /** What all controllers are handed. */
  #shared() {
    const { clockwork, host, semantics, shard } = this.options
    const owns = ownership(shard ?? wholeShard)
    return {
      clockwork,
      runtime: this.runtime,
      host: effectClient(host),
      objects: this.objects,
      clusters: this.#informer(resources.clusters),
      rules: semantics ?? nativeSemantics,
      notes: this.notes,
      ...(owns && { owns })
    }
  }

  #makeMemberEvents(): MemberEvents | undefined {
    const { clockwork, mirroredEvents = "warnings", onFailure, shard } = this.options
    if (mirroredEvents === "none") return undefined
    const owns = ownership(shard ?? wholeShard)
    return new MemberEvents({
      clockwork,
      members: () => this.members,
      types: () => this.types,
      events: this.events,
      mirrored: mirroredEvents,
      ...(owns && { owns }),
      onFailure: (cluster, failure) => onFailure?.(`events/${cluster}`, "", failure)
    })
  }

  #tellOfCopy = ({ cluster, federated, message, status, type }: CopyProblem): void => {
    const source = this.types.informer(type.name)?.store.get(templateKey(federated))
    if (source === undefined) return
    this.events.tell({
      about: named(source, type),
      type: "Warning",
      reason: status,
      message: `cluster ${cluster}: ${message}`,
      component: "kubeadmiral-sync",
      cluster
    })
  }

  #makeControllers(): ReadonlyArray<Controller> {
    const { options } = this
    const shared = { ...this.#shared(), members: this.members }
    const leads = (options.shard ?? wholeShard).index === 0
    const clusters = makeClusterController({
      ...shared,
      types: () => this.types.all(),
      writes: leads,
      ...(options.excludedNodes && { excludedNodes: options.excludedNodes }),
      ...(options.times === undefined ? {} : { times: options.times }),
      ...hearing("clusters", options)
    })
    const cascade = (): Controller => makeCascade({ ...shared, types: this.types, ...hearing("cascade", options) })
    return [clusters, this.federate, ...(leads ? [cascade(), this.tombstones.controller] : [])]
  }

  start(): void {
    if (this.#state !== "new") return
    this.#state = "started"
    this.informers.start()
    this.informers.onSynced(() => this.#whenTypesSynced(() => this.#begin()))
  }

  stop(): void {
    this.#state = "stopped"
    for (const cancel of this.#cancels.splice(0)) cancel()
    this.#companions?.stop()
    for (const controller of this.controllers) controller.stop()
    this.sync.stop()
    this.memberEvents?.stop()
    this.events.stop()
    this.types.stop()
    this.policies.stop()
    this.members.stop()
    this.informers.stop()
  }

  hasSynced = (): boolean => this.#state === "started" && this.informers.hasSynced && this.types.hasSynced

  stats(): FederationStats {
    return {
      controllers: [...this.controllers, ...(this.#companions?.controllers ?? [])],
      queued: this.sync.queued(),
      openCircuits: this.members.connected().filter(({ client }) => client.circuit.isOpen).length,
      objects: this.objects.reduce((sum, { store }) => sum + store.size, 0),
      clusters: this.members.fleet.size,
      unclaimed: this.unclaimed.size,
      events: this.events.stats
    }
  }

  /** Nothing is decided before all sources of all types are known: what is not known of looks like what is gone. */
  #whenTypesSynced(run: () => void): void {
    const informers = this.types.all().flatMap(({ name }) => this.types.informer(name) ?? [])
    onAllSynced(informers, this.options.clockwork, () => {
      if (this.#state === "started") run()
    })
  }

  #begin(): void {
    this.sync.start()
    for (const controller of this.controllers) controller.start()
    // A member that is not known yet would look like one that is lost: statuses wait until it is, but not for ever.
    const { clockwork } = this.options
    const since = clockwork.monotonic()
    const look = (): void => {
      if (this.#state !== "started") return
      if (this.members.haveSynced || clockwork.monotonic() - since > MEMBERS_WAIT_MS) this.#accompany()
      else clockwork.after(MEMBERS_LOOK_MS, look)
    }
    clockwork.after(MEMBERS_LOOK_MS, look)
  }

  #accompany(): void {
    const { autoscaler, clockwork, host, onFailure, semantics, shard, statusIntervalMs } = this.options
    const owns = ownership(shard ?? wholeShard)
    this.#companions = startCompanions({
      clockwork,
      runtime: this.runtime,
      client: host,
      informers: this.informers,
      objects: this.objects,
      types: this.types,
      policies: this.policies,
      members: this.members,
      semantics: semantics ?? nativeSemantics,
      leads: (shard ?? wholeShard).index === 0,
      ...(owns && { owns }),
      ...(autoscaler === undefined ? {} : { autoscaler }),
      ...(statusIntervalMs === undefined ? {} : { statusIntervalMs }),
      ...(onFailure === undefined ? {} : { onFailure })
    })
    const { copyChanged } = this.#companions
    this.sync.onCopy(copyChanged)
  }

  /** Members that are ready now and were not, or the other way round, or that began to leave. */
  #fleetChanged(): void {
    for (const name of Array.from(this.#ready)) {
      const cluster = this.members.cluster(name)
      if (cluster?.ready === true && !cluster.terminating) continue
      this.#ready.delete(name)
      this.sync.clusterChanged(name)
      this.#companions?.clusterChanged(name)
    }
    for (const name of this.members.names()) {
      const cluster = this.members.cluster(name)
      if (cluster?.ready !== true || cluster.terminating || this.#ready.has(name)) continue
      this.#ready.add(name)
      this.sync.clusterChanged(name)
      this.tombstones.clusterBack(name)
      this.#companions?.clusterChanged(name)
    }
  }

  #unclaimed(cluster: string, type: string, key: string): void {
    if (this.unclaimed.size < UNCLAIMED_MAX) this.unclaimed.add(`${cluster}|${type}|${key}`)
    this.options.onUnclaimed?.(cluster, type, key)
  }
}

const hearing = (controller: string, { onFailure }: FederationOptions) =>
  onFailure === undefined
    ? {}
    : { onFailure: (key: string, failure: ApiFailure) => onFailure(controller, key, failure) }

/** The federation on a host, waiting to be started. */
export const makeFederation = (options: FederationOptions): Federation => {
  const parts = new Parts(options)
  return {
    start: () => parts.start(),
    stop: () => parts.stop(),
    hasSynced: parts.hasSynced,
    stats: () => parts.stats(),
    members: parts.members
  }
}
