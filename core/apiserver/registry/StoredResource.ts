// A stored resource and the versions in which it is served: one cache for all of them, keys, and the way between versions.
// Owns which cache belongs to which definition; refuses verbs. Versions that differ only in apiVersion share bytes with the store.
import { apiVersionOf, type FailureTarget, fillDefaults, hasOwnDefaults, type JsonObject, type KubeObject } from "#kube"
import { Held, Place } from "../cache/Held.ts"
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
  /** Whether stored objects may lack defaults that their schema has now. */
  private readonly defaulted: boolean
  private readonly layout: TextLayout
  private readonly converted = new WeakMap<Held, Held>()

  constructor(definition: Definition, storage: NonNullable<Definition["storage"]>, cache: ResourceCache) {
    this.definition = definition
    this.storage = storage
    this.cache = cache
    this.apiVersion = apiVersionOf(definition)
    this.defaulted = definition.custom === true && hasOwnDefaults(definition.schema)
    this.isStoredVersion =
      storage.convert === undefined &&
      storage.group === definition.group &&
      storage.version === definition.version &&
      !this.defaulted
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

  /** Where an object is: where the version before it was, if that is known. */
  placeOf({ metadata: { name = "", namespace = "" } }: KubeObject, before: Held | undefined): Place {
    if (before?.place !== undefined) return before.place
    const key = this.key(namespace, name)
    return new Place(key, this.storage.prefix + key)
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
    const made = this.inThisVersion(held)
    this.converted.set(held, made)
    return made
  }

  private inThisVersion(held: Held): Held {
    const { convert } = this.storage
    const { kind, schema } = this.definition
    const converted = convert === undefined ? held.object : convert.fromStored(held.object)
    // SAFETY: objects are JSON, and filling in defaults keeps kind and metadata.
    const object = this.defaulted
      ? (fillDefaults(schema, converted as unknown as JsonObject) as unknown as KubeObject)
      : converted
    return object === held.object
      ? held.in(this.layout, ordered(kind, this.apiVersion, object))
      : new Held(ordered(kind, this.apiVersion, object), held.revision, undefined, undefined)
  }

  /** An object of this version as it is stored; fresh at the top and in metadata. */
  stored(object: KubeObject): KubeObject {
    if (this.isStoredVersion) return object
    const { convert } = this.storage
    const converted = convert === undefined ? object : convert.toStored(object)
    return ordered(this.definition.kind, apiVersionOf(this.storage), converted)
  }
}
