// The store as the API server needs it: one key at a time with compare-and-write, pages at a revision, watches of a prefix.
// Owns the port; StorageKeyValue.ts fills it in this process, EtcdKeyValueAdapter.ts over gRPC with any etcd.
// Refuses to know objects: values are JSON texts, keys are paths like "/registry/pods/default/web-0".
import type { Cancel } from "#kube"
import type { KeyPlace, StoredText } from "#storage"

/** A version of a key. */
export interface Entry {
  readonly key: string
  /** UTF-8; never changed. */
  readonly value: Uint8Array
  /** The revision that wrote it. */
  readonly revision: number
  /** What a writer of this process gave as the value, as far as it is still known; bytes are then made when they are asked for. */
  readonly origin?: unknown
}

export interface Page {
  readonly entries: ReadonlyArray<Entry>
  readonly more: boolean
  /** Keys from the page's start to the prefix's end, this page's among them. */
  readonly count: number
  /** The revision that was read. */
  readonly revision: number
}

/** What a store could not do. "compacted" and "future" speak of the revision that was asked for; the others may pass. */
export class KeyValueFailure extends Error {
  readonly _tag = "KeyValueFailure"
  override readonly name = "KeyValueFailure"
  readonly kind: "compacted" | "future" | "unavailable" | "too-large"

  constructor(kind: KeyValueFailure["kind"], message: string) {
    super(message)
    this.kind = kind
  }
}

/** The key was not at the expected revision. */
export class WriteConflict {
  /** What is there instead; undefined when the key is absent. */
  readonly current: Entry | undefined

  constructor(current: Entry | undefined) {
    this.current = current
  }
}

export interface Write {
  readonly key: string
  /** JSON text, made when the store needs it; undefined removes the key. */
  readonly value: StoredText | undefined
  /** The revision that the key must be at; 0: it must be absent. */
  readonly expected: number
  /** Seconds after which the key goes by itself; 0: never. */
  readonly ttlSeconds: number
  /** Handed to watches of this process with the event, as far as it is still known then. */
  readonly origin: unknown
  /** Where a store of this process may note its place of the key. */
  readonly place: KeyPlace | undefined
}

/** The revision of the write once it is durable, or why nothing was written. */
export type WriteOutcome = number | WriteConflict | KeyValueFailure

/** A put or a deletion. */
export interface KeyEvent {
  readonly key: string
  readonly revision: number
  readonly isPut: boolean
  /** Whether the value is there as bytes; otherwise asking for it makes them, each time. */
  readonly hasBytes: boolean
  /** Empty for a deletion. */
  readonly value: Uint8Array
  readonly origin: unknown
}

export interface KeyWatchListener {
  /** In the order of revisions; events of one revision come together. */
  readonly events: (events: ReadonlyArray<KeyEvent>, revision: number) => void
  /** Everything up to this revision has been told. */
  readonly progress: (revision: number) => void
  /** The watch is over: start anew from a list. Not called after `stop`. */
  readonly ended: (failure: KeyValueFailure) => void
}

export interface KeyWatch {
  /** The revision up to which everything has been told. */
  readonly revision: () => number
  /** Asks that `progress` be called soon. */
  readonly requestProgress: () => void
  readonly stop: Cancel
}

/** Answers come once each, and may come before the call returns. */
export interface KeyValue {
  /** Whether watches have told of a write by the time that it is acknowledged to anyone: a cache is then never behind. */
  readonly coherent: boolean
  /** The newest version, of which no older one is seen by anyone afterwards. */
  readonly get: (key: string, done: (found: Entry | undefined | KeyValueFailure) => void) => void
  /** Keys with a prefix, from `start` on (itself with the prefix), in order; `limit` and `revision` 0: all, the newest. */
  readonly page: (
    prefix: string,
    start: string,
    limit: number,
    revision: number,
    done: (page: Page | KeyValueFailure) => void
  ) => void
  readonly write: (write: Write, done: (outcome: WriteOutcome) => void) => void
  /** Follows the keys with a prefix from a revision on. */
  readonly watch: (prefix: string, fromRevision: number, listener: KeyWatchListener) => KeyWatch
  /** The newest revision: whatever was acknowledged before the call is at or before it. */
  readonly revision: (done: (revision: number | KeyValueFailure) => void) => void
  /** Forgets what was before a revision. */
  readonly compact: (revision: number, done: (failure: KeyValueFailure | undefined) => void) => void
}

/** The first key after all that have the prefix, which must not be empty. */
export const prefixEnd = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
