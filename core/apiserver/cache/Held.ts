// An object as caches, lists and watches hold it: decoded, with the bytes that the store has of it.
// Owns the way to the served text: the stored bytes with the resourceVersion spliced in, kept only while it is in demand.
// Refuses to hold a text twice: what is kept beside the store's own bytes is bounded for the whole process.
import type { KubeObject } from "#kube"
import type { HeldObject } from "../Request.ts"
import type { KeyPlace, StoredText } from "#storage"
import { hasLayout, served, storedText, type TextLayout } from "../store/StoredJson.ts"

/** Served texts that are kept: enough for the watchers of recent events and the readers of one page. */
const KEPT_MAX = 2048
/** A longer text is not kept. */
const KEPT_TEXT_BYTES_MAX = 64 * 1024

/** What an object takes of which no bytes are held: its parts that it shares with nobody. */
const UNSTORED_BYTES = 1024

/** Where an object is: its keys, the same texts for all of its versions, and the version that its cache has now. */
export class Place implements KeyPlace {
  /** In the cache: "namespace/name", or the name alone. */
  readonly key: string
  readonly storeKey: string
  /** Of its cache alone: the newest version that it knows. */
  held: Held | undefined
  /** The objects among which it stands; undefined while it is not, or no longer, one of a cache's. */
  among: object | undefined
  /** Of the store alone. */
  cell: KeyPlace["cell"]

  constructor(key: string, storeKey: string) {
    this.key = key
    this.storeKey = storeKey
    this.held = undefined
    this.among = undefined
    this.cell = undefined
  }
}

export class Held implements HeldObject, StoredText {
  readonly object: KubeObject
  /** Undefined where nobody looks for it any more; the cache sets it right when it takes the object in. */
  place: Place | undefined
  private readonly layout: TextLayout | undefined
  revision: number
  private stored: Uint8Array | undefined
  private kept: Uint8Array | undefined

  /** `stored` are bytes of the layout, or undefined when the object has to be encoded itself. */
  constructor(
    object: KubeObject,
    revision: number,
    layout: TextLayout | undefined,
    stored: Uint8Array | undefined,
    place?: Place
  ) {
    this.object = object
    this.place = place
    this.layout = layout
    this.revision = revision
    this.stored = stored
    this.kept = undefined
  }

  /** Bytes that this object keeps alive, roughly. */
  get sizeBytes(): number {
    return this.stored?.length ?? UNSTORED_BYTES
  }

  /** Tells the object the revision that wrote it, and the store's bytes; only before anyone else sees it. */
  settle(revision: number, stored: Uint8Array | undefined): void {
    if (this.revision !== 0) return
    this.revision = revision
    const { metadata } = this.object as { metadata: { resourceVersion?: string } }
    metadata.resourceVersion = String(revision)
    this.stored = stored
  }

  /** The same object under a later revision: what watchers are told of a deletion. */
  at(revision: number): Held {
    const { metadata } = this.object
    const object = { ...this.object, metadata: { ...metadata, resourceVersion: String(revision) } }
    return new Held(object, revision, this.layout, this.stored)
  }

  /** The same object in a version that differs only in its head. */
  in(layout: TextLayout, object: KubeObject): Held {
    return new Held(object, this.revision, layout, this.stored)
  }

  /** What the store keeps: the text without a resourceVersion. */
  text(): string {
    const { object } = this
    const { metadata } = object
    if (metadata.resourceVersion === undefined) return storedText(object)
    // SAFETY: a resourceVersion that is undefined is no part of the text.
    return storedText({ ...object, metadata: { ...metadata, resourceVersion: undefined } } as unknown as KubeObject)
  }

  encoded(): Uint8Array {
    const { layout, stored } = this
    if (this.kept !== undefined) return this.kept
    const text =
      layout !== undefined && stored !== undefined && hasLayout(layout, stored)
        ? served(layout, stored, this.revision)
        : Buffer.from(JSON.stringify(this.object))
    if (text.length <= KEPT_TEXT_BYTES_MAX) keep(this, text)
    return text
  }

  /** Gives the kept text up. */
  static release(held: Held): void {
    held.kept = undefined
  }

  static keep(held: Held, text: Uint8Array): void {
    held.kept = text
  }
}

const kept: Array<Held | undefined> = Array.from({ length: KEPT_MAX })
let next = 0

const keep = (held: Held, text: Uint8Array): void => {
  const oldest = kept[next]
  if (oldest !== undefined) Held.release(oldest)
  kept[next] = held
  next = (next + 1) % KEPT_MAX
  Held.keep(held, text)
}

/** An object that is no stored one: a Status, a Scale, a bookmark. */
export const looseHeld = (object: KubeObject, revision = 0): Held => new Held(object, revision, undefined, undefined)
