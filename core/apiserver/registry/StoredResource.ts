// A stored resource and the versions in which it is served: one cache for all of them, keys, and the way between versions.
// Owns which cache belongs to which definition; refuses verbs. Versions that differ only in apiVersion share bytes with the store.
import { apiVersionOf, type FailureTarget, type KubeObject } from "#kube"
import { Held } from "../cache/Held.ts"
import { ResourceCache } from "../cache/ResourceCache.ts"
import type { Definition } from "../Definition.ts"
import { ordered, textLayout, type TextLayout } from "../store/StoredJson.ts"

/** A definition with where its objects are. */
export class ServedResource {
  readonly definition: Definition
  readonly storage: NonNullable<Definition["storage"]>
  readonly cache: ResourceCache
  readonly apiVersion: string
  /** Whether objects are served as they are stored. */
  readonly isStoredVersion: boolean
  private readonly layout: TextLayout
  private readonly converted = new WeakMap<Held, Held>()

  constructor(definition: Definition, storage: NonNullable<Definition["storage"]>, cache: ResourceCache) {
    this.definition = definition
    this.storage = storage
    this.cache = cache
    this.apiVersion = apiVersionOf(definition)
    this.isStoredVersion =
      storage.convert === undefined && storage.group === definition.group && storage.version === definition.version
    this.layout = textLayout(definition.kind, storage, definition)
  }

  /** The object's key in the cache. */
  key(namespace: string, name: string): string {
    return this.definition.namespaced ? `${namespace}/${name}` : name
  }

  /** The object's key in the store. */
  storeKey(namespace: string, name: string): string {
    return this.storage.prefix + this.key(namespace, name)
  }

  about(name: string): FailureTarget {
    const { group, resource } = this.definition
    return { group, resource, name }
  }

  /** An object of the cache in this version. */
  served(held: Held): Held {
    if (this.isStoredVersion) return held
    const known = this.converted.get(held)
    if (known !== undefined) return known
    const { convert } = this.storage
    const { kind } = this.definition
    const made =
      convert === undefined
        ? held.in(this.layout, ordered(kind, this.apiVersion, held.object))
        : new Held(ordered(kind, this.apiVersion, convert.fromStored(held.object)), held.revision, undefined, undefined)
    this.converted.set(held, made)
    return made
  }

  /** An object of this version as it is stored; fresh at the top and in metadata. */
  stored(object: KubeObject): KubeObject {
    if (this.isStoredVersion) return object
    const { convert } = this.storage
    const converted = convert === undefined ? object : convert.toStored(object)
    return ordered(this.definition.kind, apiVersionOf(this.storage), converted)
  }
}
