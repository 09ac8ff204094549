// One collection kept locally and shared by all who are interested in it: they read the store and hear of each change once.
// Owns the store and the telling; following the server is the reflector's. Handlers run one after another, within the event.
import type { Client, Collection, Selection } from "../Client.ts"
import type { Cancel, Clockwork } from "../Clockwork.ts"
import { type KubeObject, objectKey } from "../KubeObject.ts"
import type { ApiFailure } from "../Status.ts"
import type { WatchEvent } from "../WatchEvent.ts"
import { type Indexer, ObjectStore } from "./ObjectStore.ts"
import { Reflector } from "./Reflector.ts"

/** Hears of changes, after the store shows them. An object that was deleted and made anew in one step is both, in this order. */
export interface InformerHandler {
  /** `initial` is true for what was there before this handler, or before the informer's first list. */
  readonly added?: (object: KubeObject, initial: boolean) => void
  readonly updated?: (before: KubeObject, after: KubeObject) => void
  /** The last state that was seen, which is the final one unless the deletion fell into a pause of the watch. */
  readonly deleted?: (object: KubeObject) => void
}

export interface InformerOptions extends Selection {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly collection: Collection
  readonly streaming?: boolean
  readonly indexers?: Readonly<Record<string, Indexer>>
  /** Makes what is stored from what is received: drops what nobody needs. The object received stays as it is. */
  readonly transform?: (object: KubeObject) => KubeObject
  /** A call failed; the informer goes on by itself. */
  readonly onFailure?: (failure: ApiFailure) => void
}

interface Listener {
  readonly handler: InformerHandler
  live: boolean
}

const isSame = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.resourceVersion === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid

export class Informer {
  readonly store = new ObjectStore()
  readonly collection: Collection
  readonly #reflector: Reflector
  readonly #clockwork: Clockwork
  readonly #transform: ((object: KubeObject) => KubeObject) | undefined
  /** Replaced when it changes, so that a telling that is under way goes to those who were there at its start. */
  #listeners: ReadonlyArray<Listener> = []
  #waiting: Array<() => void> = []
  #synced = false

  constructor(options: InformerOptions) {
    const { clockwork, collection, indexers = {}, onFailure, transform } = options
    this.collection = collection
    this.#clockwork = clockwork
    this.#transform = transform
    for (const name in indexers) {
      const indexer = indexers[name]
      if (indexer !== undefined) this.store.addIndex(name, indexer)
    }
    this.#reflector = new Reflector(options, {
      replace: (objects) => this.#replace(objects),
      event: (event) => this.#event(event),
      ...(onFailure === undefined ? {} : { failed: onFailure })
    })
  }

  /** Whether the store has held the whole collection once. */
  get hasSynced(): boolean {
    return this.#synced
  }

  /** What the store shows all of. */
  get resourceVersion(): string {
    return this.#reflector.resourceVersion
  }

  start(): void {
    this.#reflector.start()
  }

  /** The store stays as it is; nothing more is heard until the next start. */
  stop(): void {
    this.#reflector.stop()
  }

  /** Calls back once, in a turn of its own, when the store has held the whole collection. */
  onSynced(run: () => void): void {
    if (this.#synced) this.#clockwork.defer(run)
    else this.#waiting.push(run)
  }

  /** Hears of what is there at once, and of every change from then on, until it is cancelled. */
  addHandler(handler: InformerHandler): Cancel {
    const listener: Listener = { handler, live: true }
    this.#listeners = [...this.#listeners, listener]
    if (handler.added !== undefined) {
      for (const object of this.store.all()) {
        if (!listener.live) break
        handler.added(object, true)
      }
    }
    return () => {
      listener.live = false
      this.#listeners = this.#listeners.filter((other) => other !== listener)
    }
  }

  #replace(objects: ReadonlyArray<KubeObject>): void {
    const gone = new Set(this.store.keys())
    for (const object of objects) {
      gone.delete(objectKey(object))
      this.#put(object)
    }
    for (const key of gone) {
      const before = this.store.delete(key)
      if (before !== undefined) this.#tellDeleted(before)
    }
    if (this.#synced) return
    this.#synced = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) this.#clockwork.defer(run)
  }

  #event({ object, type }: WatchEvent): void {
    if (type !== "DELETED") {
      this.#put(object)
      return
    }
    if (this.store.delete(objectKey(object)) !== undefined) this.#tellDeleted(this.#stored(object))
  }

  #stored(object: KubeObject): KubeObject {
    return this.#transform === undefined ? object : this.#transform(object)
  }

  #put(received: KubeObject): void {
    const key = objectKey(received)
    const known = this.store.get(key)
    if (known !== undefined && isSame(known, received)) return
    const object = this.#stored(received)
    if (known !== undefined && known.metadata.uid !== object.metadata.uid) {
      this.store.delete(key)
      this.#tellDeleted(known)
      this.store.set(object)
      this.#tellAdded(object)
      return
    }
    this.store.replace(key, known, object)
    if (known === undefined) this.#tellAdded(object)
    else for (const { handler, live } of this.#listeners) if (live) handler.updated?.(known, object)
  }

  #tellAdded(object: KubeObject): void {
    for (const { handler, live } of this.#listeners) if (live) handler.added?.(object, !this.#synced)
  }

  #tellDeleted(object: KubeObject): void {
    for (const { handler, live } of this.#listeners) if (live) handler.deleted?.(object)
  }
}
