// An informer's objects with our own writes among them before the informer hears of them: two claims that are looked at one after the
// other must not both find the same volume free.
// Owns what we wrote until it is heard of; refuses to write. Bound: one object for each write that is still on its way.
import { type Cancel, type Informer, type KubeObject, objectKey } from "#kube"

const versionOf = ({ metadata: { resourceVersion = "0" } }: KubeObject): number => Number(resourceVersion)

export class NewestObjects {
  readonly informer: Informer
  readonly #written = new Map<string, KubeObject>()

  constructor(informer: Informer) {
    this.informer = informer
  }

  /** Forgets what is heard of, until the answer is called. */
  follow(): Cancel {
    return this.informer.addHandler({
      added: (object) => this.#heard(object),
      updated: (_, object) => this.#heard(object),
      deleted: (object) => void this.#written.delete(objectKey(object))
    })
  }

  wrote(object: KubeObject): void {
    this.#written.set(objectKey(object), object)
    const known = this.informer.store.get(objectKey(object))
    if (known !== undefined) this.#heard(known)
  }

  get(key: string): KubeObject | undefined {
    return this.#written.get(key) ?? this.informer.store.get(key)
  }

  /** What an index has under a value, as it is now; also what was only just written, whatever its value. */
  byIndex(name: string, value: string): ReadonlyArray<KubeObject> {
    const found = new Set(
      this.informer.store.byIndex(name, value).map((object) => this.get(objectKey(object)) ?? object)
    )
    for (const object of this.#written.values()) found.add(object)
    return [...found]
  }

  #heard(object: KubeObject): void {
    const key = objectKey(object)
    const own = this.#written.get(key)
    if (own === undefined) return
    if (own.metadata.uid !== object.metadata.uid || versionOf(object) >= versionOf(own)) this.#written.delete(key)
  }
}
