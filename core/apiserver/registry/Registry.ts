// What the verbs share: the definitions' caches, the store, the clockwork, admission, and the ways to be as fresh as was promised.
// Owns these few services; refuses any one verb.
import { Failures, type ApiFailure, type Clockwork } from "#kube"
import { ResourceCache } from "../cache/ResourceCache.ts"
import type { RingBounds } from "../cache/EventRing.ts"
import { WatchClock } from "../cache/WatchClock.ts"
import type { Api } from "../Api.ts"
import type { Definition } from "../Definition.ts"
import { type KeyValue, KeyValueFailure } from "../store/KeyValue.ts"
import { textLayout } from "../store/StoredJson.ts"
import type { AdmissionChain } from "./AdmissionChain.ts"
import type { FieldManagers } from "./FieldManagers.ts"
import { ServedResource } from "./StoredResource.ts"

export interface RegistryOptions {
  readonly api: Api
  readonly keyValue: KeyValue
  readonly clockwork: Clockwork
  readonly admission: AdmissionChain
  readonly managers: FieldManagers | undefined
  readonly ring: RingBounds
}

/** How long a read waits for the cache to be as new as was asked for. */
const FRESH_TIMEOUT_MS = 3000
/** How often the store is asked meanwhile how far it is. */
const NUDGE_MS = 100

export class Registry {
  readonly api: Api
  readonly keyValue: KeyValue
  readonly clockwork: Clockwork
  readonly admission: AdmissionChain
  readonly managers: FieldManagers | undefined
  /** The store has nothing from before this; what caches still know of that time is told to nobody. */
  compactedRevision = 0
  private readonly options: RegistryOptions
  private readonly clock: WatchClock
  private readonly caches = new Map<string, ResourceCache>()
  private served = new WeakMap<Definition, ServedResource>()

  constructor(options: RegistryOptions) {
    this.options = options
    this.api = options.api
    this.keyValue = options.keyValue
    this.clockwork = options.clockwork
    this.admission = options.admission
    this.managers = options.managers
    this.clock = new WatchClock(options.clockwork)
  }

  /** Where a definition's objects are; undefined when it has none. */
  resource(definition: Definition): ServedResource | undefined {
    const known = this.served.get(definition)
    if (known !== undefined) return known
    const { kind, storage } = definition
    if (storage === undefined) return undefined
    let cache = this.caches.get(storage.prefix)
    if (cache === undefined) {
      cache = new ResourceCache({
        keyValue: this.keyValue,
        clock: this.clock,
        after: this.clockwork.after,
        prefix: storage.prefix,
        layout: textLayout(kind, storage, storage),
        ring: this.options.ring
      })
      this.caches.set(storage.prefix, cache)
    }
    const made = new ServedResource(definition, storage, cache)
    this.served.set(definition, made)
    return made
  }

  /** All caches that were asked for. */
  all(): Iterable<ResourceCache> {
    return this.caches.values()
  }

  /** Ends the watches of a prefix that is served no longer, and forgets its objects. */
  drop(prefix: string): void {
    this.caches.get(prefix)?.stop()
    this.caches.delete(prefix)
    this.served = new WeakMap()
  }

  stop(): void {
    for (const cache of this.caches.values()) cache.stop()
  }

  /** Calls back when the cache has all that was acknowledged before the call, or with the failure to get there. */
  whenNewest(cache: ResourceCache, done: (failure: ApiFailure | undefined) => void): void {
    cache.whenReady(() => {
      if (this.keyValue.coherent) return done(undefined)
      this.keyValue.revision((revision) =>
        revision instanceof KeyValueFailure ? done(storeFailure(revision)) : this.whenAtLeast(cache, revision, done)
      )
    })
  }

  /** Calls back when the cache is at a revision or later, or with the failure to get there in time. */
  whenAtLeast(cache: ResourceCache, revision: number, done: (failure: ApiFailure | undefined) => void): void {
    cache.whenReady(() => {
      if (cache.revision >= revision) return done(undefined)
      const stopNudging = this.clockwork.every(NUDGE_MS, () => cache.nudge())
      const forget = cache.whenFresh(revision, () => {
        stopNudging()
        giveUp()
        done(undefined)
      })
      const giveUp = this.clockwork.after(FRESH_TIMEOUT_MS, () => {
        stopNudging()
        forget()
        done(Failures.tooLargeResourceVersion(String(revision), String(cache.revision)))
      })
    })
  }
}

/** What a client is told of a store that did not answer. */
export const storeFailure = ({ kind, message }: KeyValueFailure): ApiFailure =>
  kind === "unavailable"
    ? Failures.unavailable(message)
    : kind === "too-large"
      ? Failures.tooLarge(`etcdserver: ${message}`)
      : Failures.internal(message)
