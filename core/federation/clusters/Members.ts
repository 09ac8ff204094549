// The members of now, by name: those that can be reached, and what the host's objects say of all.
// Owns the connections' life and the fleet that scheduling sees; refuses to judge health, which the cluster controller writes.
import {
  ApiFailure,
  type Cancel,
  type Client,
  type Clockwork,
  type GroupVersionResource,
  type Informer,
  type KubeObject
} from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import { type MemberCluster, memberClusterOf } from "../api/FederatedCluster.ts"
import { Fleet } from "../scheduling/Fleet.ts"
import { Member, type MemberListener } from "./Member.ts"
import type { MemberBounds } from "./MemberClient.ts"
import type { ConnectMember } from "./MemberConnection.ts"

export interface MembersOptions {
  readonly clockwork: Clockwork
  /** Of FederatedClusters. */
  readonly clusters: Informer
  readonly connect: ConnectMember
  readonly listener: MemberListener
  /** There is a new way to a member, or none any more. */
  readonly onMember: (name: string, member: Member | undefined) => void
  readonly bounds?: MemberBounds
  readonly onFailure?: (cluster: string, failure: ApiFailure) => void
}

interface Connected {
  readonly member: Member
  /** What the connection was made of: another one makes another connection. */
  readonly made: string
}

const listenTo = (informer: Informer, changed: (object: KubeObject) => void): Cancel =>
  informer.addHandler({ added: changed, updated: (_before, after) => changed(after), deleted: changed })

export class Members {
  readonly #options: MembersOptions
  readonly #connected = new Map<string, Connected>()
  readonly #read = new WeakMap<KubeObject, MemberCluster>()
  readonly #stopListening: Cancel
  readonly #fleetListeners = new Set<() => void>()
  #fleet: Fleet | undefined

  constructor(options: MembersOptions) {
    this.#options = options
    this.#stopListening = listenTo(options.clusters, () => {
      this.#fleet = undefined
      for (const listener of this.#fleetListeners) listener()
    })
  }

  /** Called each time that a cluster changes in any way. */
  onFleetChange(listener: () => void): Cancel {
    this.#fleetListeners.add(listener)
    return () => void this.#fleetListeners.delete(listener)
  }

  /** The joined clusters as scheduling sees them; the same object as long as no cluster changes. */
  get fleet(): Fleet {
    this.#fleet ??= Fleet.of([...this.#options.clusters.store.all()].map((object) => this.#clusterOf(object)))
    return this.#fleet
  }

  /** A cluster as the host has it, joined or not. */
  cluster(name: string): MemberCluster | undefined {
    const object = this.#options.clusters.store.get(name)
    return object === undefined ? undefined : this.#clusterOf(object)
  }

  /** The names of all clusters that the host knows. */
  names(): ReadonlyArray<string> {
    return [...this.#options.clusters.store.keys()]
  }

  /** The member, if there is a way to it. */
  member(name: string): Member | undefined {
    return this.#connected.get(name)?.member
  }

  /** Members to which there is a way. */
  connected(): ReadonlyArray<Member> {
    return [...this.#connected.values()].map(({ member }) => member)
  }

  /** Connects, or leaves a connection as it is that was made of the same; the failure says what is missing. */
  connect(cluster: KubeObject, secret: KubeObject): Member | ApiFailure {
    const { name = "", uid = "" } = cluster.metadata
    const made = `${uid}\n${JSON.stringify(connectionParts(cluster))}\n${secret.metadata.resourceVersion ?? ""}`
    const known = this.#connected.get(name)
    if (known?.made === made) return known.member
    const { bounds, clockwork, connect, listener, onFailure } = this.#options
    const connection = connect(cluster, secret)
    if (connection instanceof ApiFailure) return connection
    known?.member.stop()
    const member = new Member({
      name,
      uid,
      clockwork,
      connection,
      listener,
      ...(bounds === undefined ? {} : { bounds }),
      onFailure: (failure) => onFailure?.(name, failure)
    })
    this.#connected.set(name, { member, made })
    this.#options.onMember(name, member)
    return member
  }

  /** The way to a member is closed. */
  drop(name: string): void {
    const known = this.#connected.get(name)
    if (known === undefined) return
    this.#connected.delete(name)
    known.member.stop()
    this.#options.onMember(name, undefined)
  }

  /** Whether all that is followed is known of every member that is thought to be well. */
  get haveSynced(): boolean {
    return this.fleet.clusters.every(({ name, ready }) => !ready || this.member(name)?.hasSyncedAll === true)
  }

  /** Whether a member is heard of now and all that it has of a type is known. */
  isCurrent = (name: string, type: GroupVersionResource): boolean =>
    this.cluster(name)?.ready === true && this.member(name)?.isCurrent(type) === true

  /** A managed object as the member was last seen to have it. */
  object = (name: string, type: GroupVersionResource, key: string): KubeObject | undefined =>
    this.member(name)?.object(type, key)

  /** For what is not kept here; undefined while the member cannot be reached. */
  client = (name: string): Client | undefined => {
    const member = this.member(name)
    return member === undefined || member.client.circuit.isOpen ? undefined : member.client
  }

  stop(): void {
    this.#stopListening()
    for (const name of this.#connected.keys()) this.drop(name)
  }

  #clusterOf(object: KubeObject): MemberCluster {
    const known = this.#read.get(object)
    if (known !== undefined) return known
    const fresh = memberClusterOf(object)
    this.#read.set(object, fresh)
    return fresh
  }
}

const connectionParts = ({ spec }: KubeObject): ReadonlyArray<unknown> => {
  const fields = fieldsOf(spec)
  return [
    fields["apiEndpoint"],
    fields["insecure"] === true,
    fields["useServiceAccount"] === true,
    textOf(fieldsOf(fields["secretRef"])["name"])
  ]
}
