// One member that can be reached: its bounded client, and what is followed of it: managed objects of the types that are used there.
// Owns informers and the question whether what they show is the truth now; refuses to change anything in the member.
import {
  type ApiFailure,
  type Cancel,
  type Clockwork,
  effectClient,
  type EffectClient,
  type GroupVersionResource,
  groupResource,
  Informer,
  type KubeObject
} from "#kube"
import { federationLabels } from "../api/FederationNames.ts"
import { MemberClient, type MemberBounds, usualBounds } from "./MemberClient.ts"
import type { MemberConnection } from "./MemberConnection.ts"

/** Hears of a member's managed objects. */
export interface MemberListener {
  /** An object is there or was changed, or is gone. */
  readonly changed: (cluster: string, type: GroupVersionResource, object: KubeObject, isThere: boolean) => void
  readonly synced: (cluster: string, type: GroupVersionResource) => void
}

export interface MemberOptions {
  readonly name: string
  readonly uid: string
  readonly clockwork: Clockwork
  readonly connection: MemberConnection
  readonly listener: MemberListener
  readonly bounds?: MemberBounds
  readonly onFailure?: (failure: ApiFailure) => void
}

/** Of managed fields only who and how is kept: which fields they are is the member's server's business. */
const pruned = (object: KubeObject): KubeObject => {
  const { managedFields } = object.metadata
  if (managedFields === undefined) return object
  const who = managedFields.map(({ manager, operation, subresource }) => ({
    ...(manager === undefined ? {} : { manager }),
    ...(operation === undefined ? {} : { operation }),
    ...(subresource === undefined ? {} : { subresource })
  }))
  return { ...object, metadata: { ...object.metadata, managedFields: who } }
}

interface Followed {
  readonly informer: Informer
  readonly stop: Cancel
  /** A call of its reflector failed since it was last heard of. */
  broken: boolean
}

export class Member {
  readonly name: string
  readonly uid: string
  readonly client: MemberClient
  readonly effects: EffectClient
  readonly connection: MemberConnection
  readonly #options: MemberOptions
  /** By type. Bound: the types that are federated. */
  readonly #followed = new Map<string, Followed>()
  #stopped = false

  constructor(options: MemberOptions) {
    this.#options = options
    this.name = options.name
    this.uid = options.uid
    this.connection = options.connection
    this.client = new MemberClient(options.connection.client, options.clockwork, options.bounds ?? usualBounds)
    this.effects = effectClient(this.client)
  }

  /** Whether everything managed of a type is known. */
  hasSynced(type: GroupVersionResource): boolean {
    return this.#followed.get(keyOf(type))?.informer.hasSynced === true
  }

  /** Whether everything that is followed is known. */
  get hasSyncedAll(): boolean {
    for (const { informer } of this.#followed.values()) if (!informer.hasSynced) return false
    return true
  }

  /** Whether what is known of a type is the truth as far as anybody can tell. */
  isCurrent(type: GroupVersionResource): boolean {
    const followed = this.#followed.get(keyOf(type))
    return followed !== undefined && followed.informer.hasSynced && !followed.broken && !this.client.circuit.isOpen
  }

  /** A managed object as last seen, by "namespace/name". */
  object(type: GroupVersionResource, key: string): KubeObject | undefined {
    return this.#followed.get(keyOf(type))?.informer.store.get(key)
  }

  /** All managed objects of a type as last seen. */
  objects(type: GroupVersionResource): ReadonlyArray<KubeObject> {
    return [...(this.#followed.get(keyOf(type))?.informer.store.all() ?? [])]
  }

  /** Follows a type from now on; following it again does nothing. */
  follow(type: GroupVersionResource): void {
    const key = keyOf(type)
    if (this.#stopped || this.#followed.has(key)) return
    const { clockwork, listener, name, onFailure } = this.#options
    const informer = new Informer({
      clockwork,
      client: this.client,
      collection: { resource: type, namespace: "" },
      labelSelector: `${federationLabels.managed}=true`,
      transform: pruned,
      onFailure: (failure) => {
        // A watch that is resumed from where it ended has missed nothing.
        if (failure.code !== 410) followed.broken = true
        onFailure?.(failure)
      }
    })
    const tell = (object: KubeObject, isThere: boolean): void => {
      followed.broken = false
      listener.changed(name, type, object, isThere)
    }
    const stop = informer.addHandler({
      added: (object) => tell(object, true),
      updated: (_before, after) => tell(after, true),
      deleted: (object) => tell(object, false)
    })
    const followed: Followed = { informer, stop, broken: false }
    this.#followed.set(key, followed)
    informer.onSynced(() => {
      if (!this.#stopped) listener.synced(name, type)
    })
    informer.start()
  }

  /** The member is heard of again: what its watches had lost is being made up for. */
  heard(): void {
    for (const followed of this.#followed.values()) followed.broken = false
  }

  /** Nothing of it is followed any more, and its connection closes. */
  stop(): void {
    this.#stopped = true
    for (const { informer, stop } of this.#followed.values()) {
      stop()
      informer.stop()
    }
    this.#followed.clear()
    this.connection.close()
  }
}

const keyOf = (type: GroupVersionResource): string => `${type.version}/${groupResource(type)}`
