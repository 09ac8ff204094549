// The members of now, by name: those that can be reached, and what the host's objects say of all.
// Owns the connections' life and the fleet that scheduling sees; refuses to judge health, which the cluster controller writes.
import {
  ApiFailure,
  type Cancel,
  type Client,
  type Clockwork,
  type GroupVersionResource,
  type Informer,
  type Json,
  type KubeObject,
  sameJson
} from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import { type Amounts, type MemberCluster, memberClusterOf } from "../api/FederatedCluster.ts"
import { Fleet, isSameButForRoom } from "../scheduling/Fleet.ts"
import { Member, type MemberListener } from "./Member.ts"
import type { MemberBounds } from "./MemberClient.ts"
import type { ConnectMember } from "./MemberConnection.ts"
import { Reservations, type Taken } from "./Reservations.ts"

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

/** Parts of a cluster's room that are shown at once, and after a while; and how long a while is, at least and at most. */
const LARGE_PART = 0.1
const SMALL_PART = 0.01
const YOUNG_MS = 50
const OLD_MS = 5000

const listenTo = (informer: Informer, changed: (object: KubeObject, before?: KubeObject) => void): Cancel =>
  informer.addHandler({
    added: (object) => changed(object),
    updated: (before, after) => changed(after, before),
    deleted: (object) => changed(object)
  })

const roomOf = (cluster: KubeObject | undefined): Json | undefined => fieldsOf(cluster?.status)["resources"]

export class Members {
  readonly #options: MembersOptions
  readonly #connected = new Map<string, Connected>()
  readonly #read = new WeakMap<KubeObject, MemberCluster>()
  readonly #stopListening: Cancel
  readonly #fleetListeners = new Set<() => void>()
  readonly #reservations = new Reservations()
  #fleet: Fleet | undefined
  /** Clusters have told of other room since it was made, and of nothing else. */
  #roomTold = false
  /** The fleet less what is reserved, as it was when this was worth working out last. */
  #free: { readonly fleet: Fleet; readonly atMs: number } | undefined
  /** What part of each cluster's room was taken or given back since then, and the largest of these. */
  readonly #unseen = new Map<string, number>()
  #unseenMost = 0

  constructor(options: MembersOptions) {
    this.#options = options
    this.#stopListening = listenTo(options.clusters, (cluster, before) => {
      const { name = "" } = cluster.metadata
      if (this.#reservations.has(name) && !sameJson(roomOf(before), roomOf(cluster))) this.#reservations.settle(name)
      const sameRest = before !== undefined && isSameButForRoom(this.#clusterOf(before), this.#clusterOf(cluster))
      if (sameRest) this.#roomTold = true
      else this.#fleet = undefined
      this.#free = undefined
      for (const listener of this.#fleetListeners) listener()
    })
  }

  /** Called each time that a cluster changes in any way. */
  onFleetChange(listener: () => void): Cancel {
    this.#fleetListeners.add(listener)
    return () => void this.#fleetListeners.delete(listener)
  }

  /** The joined clusters as scheduling sees them, less the room that is reserved; the same object as long as little changes. */
  get fleet(): Fleet {
    if (this.#fleet === undefined)
      this.#fleet = Fleet.of([...this.#options.clusters.store.all()].map((object) => this.#clusterOf(object)))
    else if (this.#roomTold) this.#fleet = this.#fleet.renewed((cluster) => this.cluster(cluster.name) ?? cluster)
    this.#roomTold = false
    if (this.#reservations.size === 0 && this.#unseenMost === 0) return this.#fleet
    const now = this.#options.clockwork.monotonic()
    if (this.#free === undefined || this.#isWorthAnother(now - this.#free.atMs, now)) {
      this.#free = { fleet: this.#fleet.withRoom((cluster) => this.#roomLeft(cluster)), atMs: now }
      this.#unseen.clear()
      this.#unseenMost = 0
    }
    return this.#free.fleet
  }

  /** Reserves the room that an object's new placement takes, until members show it; gives back what it no longer takes. */
  reserve(key: string, request: Amounts, taken: ReadonlyArray<Taken>, isThere: (one: Taken) => boolean): void {
    for (const one of taken) {
      const cluster = this.cluster(one.cluster)
      if (cluster === undefined) continue
      if (one.more > 0) {
        const atMs = this.#options.clockwork.monotonic()
        this.#reservations.hold(key, one.cluster, { request, replicas: one.more, atMs, isThere: () => isThere(one) })
      } else this.#reservations.release(key, one.cluster)
      let part = this.#unseen.get(one.cluster) ?? 0
      for (const [name, amount] of request)
        part += (amount * Math.abs(one.more)) / Math.max(1, cluster.available.get(name) ?? 0)
      this.#unseen.set(one.cluster, part)
      this.#unseenMost = Math.max(this.#unseenMost, part)
    }
  }

  /** Gives all room back that is reserved for an object. */
  release(key: string): void {
    this.#reservations.forget(key)
  }

  /** Another fleet makes everything that was worked out for the last one anew. */
  #isWorthAnother(ageMs: number, nowMs: number): boolean {
    if (this.#unseenMost >= LARGE_PART) return true
    if (this.#unseenMost >= SMALL_PART && ageMs >= YOUNG_MS) return true
    return ageMs >= OLD_MS && (this.#reservations.expire(nowMs) || this.#unseenMost > 0)
  }

  #roomLeft({ available, name }: MemberCluster): Amounts {
    const taken = this.#reservations.taken(name)
    if (taken === undefined) return available
    return new Map(
      Array.from(available, ([resource, amount]) => [resource, Math.max(0, amount - (taken.get(resource) ?? 0))])
    )
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
