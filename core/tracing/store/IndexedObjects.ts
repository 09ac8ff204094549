// Objects as an index keeps them: their ids and the hashes of their names, which are the same for every fact of an object and so made once.
// Owns that memory and its bound; refuses to know any fact.
import { objectName } from "../model/Describe.ts"
import { objectId, traceIdIn } from "../model/Ids.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { hashText, wordOf } from "./Columns.ts"

export interface IndexedObject {
  /** 24 hex digits. */
  readonly id: string
  /** The id as three words. */
  readonly words: readonly [number, number, number]
  /** Of cluster, group, resource, namespace and name. */
  readonly hashes: readonly [number, number, number, number, number]
  readonly name: string
  readonly nameHash: number
  /** Whether lists show its cluster and name already. */
  isListed: boolean
  /** The same of its name among links'. */
  isLinkListed: boolean
  /** The window that was asked for last, and the object's trace in it. */
  startUs: number
  traceId: string
}

/** The object's trace in the window that starts then. */
export const traceIn = (object: IndexedObject, startUs: number): string => {
  if (object.startUs !== startUs) {
    object.startUs = startUs
    object.traceId = traceIdIn(object.id, startUs)
  }
  return object.traceId
}

const OBJECTS_MAX = 65_536

export class IndexedObjects {
  private readonly windowSeconds: number
  private readonly known = new Map<string, IndexedObject>()
  private last: { readonly key: ObjectKey; readonly object: IndexedObject } | undefined

  constructor(windowSeconds: number) {
    this.windowSeconds = windowSeconds
  }

  of(key: ObjectKey): IndexedObject {
    // Facts of one event share their object.
    if (this.last?.key === key) return this.last.object
    const text = objectText(key)
    let object = this.known.get(text)
    if (object === undefined) {
      object = this.make(key)
      if (this.known.size >= OBJECTS_MAX) this.known.clear()
      this.known.set(text, object)
    }
    this.last = { key, object }
    return object
  }

  forget(): void {
    this.known.clear()
    this.last = undefined
  }

  private make(key: ObjectKey): IndexedObject {
    const { cluster, group, name, namespace, resource } = key
    const id = objectId(key, this.windowSeconds)
    return {
      id,
      words: [wordOf(id, 0), wordOf(id, 8), wordOf(id, 16)],
      hashes: [hashText(cluster), hashText(group), hashText(resource), hashText(namespace), hashText(name)],
      name: objectName(key),
      nameHash: hashText(objectName(key)),
      isListed: false,
      isLinkListed: false,
      startUs: Number.NaN,
      traceId: ""
    }
  }
}
