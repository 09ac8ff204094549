// Objects by key, with indexes: the local copy that informers keep.
// Owns lookups; refuses to learn of changes by itself. Bound: as many objects as the collection has.
import { type KubeObject, objectKey } from "../KubeObject.ts"

/** The values under which an object is found in an index. */
export type Indexer = (object: KubeObject) => ReadonlyArray<string>

interface Index {
  readonly indexer: Indexer
  readonly keys: Map<string, Set<string>>
}

const none: ReadonlyArray<KubeObject> = []

const NAMESPACE_INDEX = "namespace"

export class ObjectStore {
  readonly #objects = new Map<string, KubeObject>()
  readonly #indexes = new Map<string, Index>()

  get size(): number {
    return this.#objects.size
  }

  /** By "namespace/name", or the name alone of what is in no namespace. */
  get(key: string): KubeObject | undefined {
    return this.#objects.get(key)
  }

  /** All objects, in the order in which they came. */
  all(): IterableIterator<KubeObject> {
    return this.#objects.values()
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys()
  }

  /** The objects of one namespace; of all when it is empty. */
  inNamespace(namespace: string): ReadonlyArray<KubeObject> {
    if (namespace === "") return [...this.#objects.values()]
    if (!this.#indexes.has(NAMESPACE_INDEX)) {
      this.addIndex(NAMESPACE_INDEX, ({ metadata }) => (metadata.namespace === undefined ? [] : [metadata.namespace]))
    }
    return this.byIndex(NAMESPACE_INDEX, namespace)
  }

  /** Adds an index by its name; one of that name that exists stays. */
  addIndex(name: string, indexer: Indexer): void {
    if (this.#indexes.has(name)) return
    const index: Index = { indexer, keys: new Map() }
    for (const [key, object] of this.#objects) for (const value of indexer(object)) addKey(index, value, key)
    this.#indexes.set(name, index)
  }

  /** The objects that an index has under a value; none when there is no such index. */
  byIndex(name: string, value: string): ReadonlyArray<KubeObject> {
    const keys = this.#indexes.get(name)?.keys.get(value)
    if (keys === undefined) return none
    const found: Array<KubeObject> = []
    for (const key of keys) {
      const object = this.#objects.get(key)
      if (object !== undefined) found.push(object)
    }
    return found
  }

  /** The number of objects that an index has under a value, without collecting them. */
  countByIndex(name: string, value: string): number {
    return this.#indexes.get(name)?.keys.get(value)?.size ?? 0
  }

  /** Answers what was there before. */
  set(object: KubeObject): KubeObject | undefined {
    const key = objectKey(object)
    const before = this.#objects.get(key)
    this.#objects.set(key, object)
    for (const index of this.#indexes.values()) reindex(index, key, before, object)
    return before
  }

  /** Answers what was there before. */
  delete(key: string): KubeObject | undefined {
    const before = this.#objects.get(key)
    if (before === undefined) return undefined
    this.#objects.delete(key)
    for (const index of this.#indexes.values()) reindex(index, key, before, undefined)
    return before
  }
}

const addKey = ({ keys }: Index, value: string, key: string): void => {
  const found = keys.get(value)
  if (found === undefined) keys.set(value, new Set([key]))
  else found.add(key)
}

const removeKey = ({ keys }: Index, value: string, key: string): void => {
  const found = keys.get(value)
  if (found?.delete(key) === true && found.size === 0) keys.delete(value)
}

const noValues: ReadonlyArray<string> = []

const reindex = (index: Index, key: string, before: KubeObject | undefined, after: KubeObject | undefined): void => {
  const old = before === undefined ? noValues : index.indexer(before)
  const fresh = after === undefined ? noValues : index.indexer(after)
  // Most changes move an object in no index.
  if (old.length === fresh.length && old.every((value, at) => value === fresh[at])) return
  for (const value of old) if (!fresh.includes(value)) removeKey(index, value, key)
  for (const value of fresh) addKey(index, value, key)
}
