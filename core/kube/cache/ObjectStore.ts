// Objects by key, with indexes: the local copy that informers keep.
// Owns lookups; refuses to learn of changes by itself. Bound: as many objects as the collection has.
import { type KubeObject, objectKey } from "../KubeObject.ts"
import type { LabelSelector } from "../LabelSelector.ts"

/** The values under which an object is found in an index. */
export type Indexer = (object: KubeObject) => ReadonlyArray<string>

interface Index {
  readonly indexer: Indexer
  /** By value, then by key: whoever asks gets the objects without looking each up. */
  readonly values: Map<string, Map<string, KubeObject>>
}

const none: ReadonlyArray<KubeObject> = []
const noValues: ReadonlyArray<string> = []

const NAMESPACE_INDEX = "namespace"
/** Labels that objects are found by; what asks for further ones looks at a whole namespace. */
const LABEL_INDEXES_MAX = 8

export class ObjectStore {
  readonly #objects = new Map<string, KubeObject>()
  readonly #indexes = new Map<string, Index>()
  readonly #labels = new Set<string>()

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

  /** The objects of a namespace whose labels a selector matches; where it asks for one value of a label, only those are looked at. */
  selected(namespace: string, selector: LabelSelector): ReadonlyArray<KubeObject> {
    const first = namespace === "" ? undefined : selector.requirements.find(({ key }) => this.#knows(key, selector))
    const value = first && selector.exactMatch(first.key)
    const found =
      first === undefined || value === undefined
        ? this.inNamespace(namespace)
        : this.byIndex(labelIndex(first.key), `${namespace}/${value}`)
    if (first !== undefined && selector.requirements.length === 1) return found
    return found.filter(({ metadata }) => selector.matches(metadata.labels))
  }

  /** Whether objects can be found by the value of a label that a selector names. */
  #knows(key: string, selector: LabelSelector): boolean {
    if (selector.nothing || selector.exactMatch(key) === undefined) return false
    if (this.#labels.has(key)) return true
    if (this.#labels.size >= LABEL_INDEXES_MAX) return false
    this.#labels.add(key)
    this.addIndex(labelIndex(key), ({ metadata: { labels, namespace } }) => {
      const value = labels?.[key]
      return typeof value === "string" && namespace !== undefined ? [`${namespace}/${value}`] : noValues
    })
    return true
  }

  /** Adds an index by its name; one of that name that exists stays. */
  addIndex(name: string, indexer: Indexer): void {
    if (this.#indexes.has(name)) return
    const index: Index = { indexer, values: new Map() }
    for (const [key, object] of this.#objects) for (const value of indexer(object)) put(index, value, key, object)
    this.#indexes.set(name, index)
  }

  /** The objects that an index has under a value; none when there is no such index. */
  byIndex(name: string, value: string): ReadonlyArray<KubeObject> {
    const found = this.#indexes.get(name)?.values.get(value)
    return found === undefined ? none : [...found.values()]
  }

  /** The number of objects that an index has under a value, without collecting them. */
  countByIndex(name: string, value: string): number {
    return this.#indexes.get(name)?.values.get(value)?.size ?? 0
  }

  /** Answers what was there before. */
  set(object: KubeObject): KubeObject | undefined {
    const key = objectKey(object)
    const before = this.#objects.get(key)
    this.replace(key, before, object)
    return before
  }

  /** The same for who has looked: `before` is what is there under the object's key. */
  replace(key: string, before: KubeObject | undefined, object: KubeObject): void {
    this.#objects.set(key, object)
    if (this.#indexes.size > 0) for (const index of this.#indexes.values()) reindex(index, key, before, object)
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

const labelIndex = (key: string): string => `label ${key}`

const put = ({ values }: Index, value: string, key: string, object: KubeObject): void => {
  const found = values.get(value)
  if (found === undefined) values.set(value, new Map([[key, object]]))
  else found.set(key, object)
}

const remove = ({ values }: Index, value: string, key: string): void => {
  const found = values.get(value)
  if (found?.delete(key) === true && found.size === 0) values.delete(value)
}

const reindex = (index: Index, key: string, before: KubeObject | undefined, after: KubeObject | undefined): void => {
  const old = before === undefined ? noValues : index.indexer(before)
  const fresh = after === undefined ? noValues : index.indexer(after)
  for (const value of old) if (!fresh.includes(value)) remove(index, value, key)
  if (after !== undefined) for (const value of fresh) put(index, value, key, after)
}
