// The one port through which controllers, schedulers and simulated nodes reach an API server: in process or over HTTP, in real or
// in virtual time.
// Owns the calls and their promises; refuses transport, encoding and retries, which the adapters and callers decide.
import type { Cancel } from "./Clockwork.ts"
import type { Json } from "./Json.ts"
import type { KubeList, KubeObject } from "./KubeObject.ts"
import type { GroupVersionResource } from "./Resource.ts"
import type { ApiFailure } from "./Status.ts"
import type { WatchEvent } from "./WatchEvent.ts"

/** A collection: all objects of a resource, or those of one namespace. */
export interface Collection {
  readonly resource: GroupVersionResource
  /** Empty: all namespaces, or a resource that is in none. */
  readonly namespace: string
}

/** One object, or one of its subresources. */
export interface Target extends Collection {
  readonly name: string
  /** Like "status"; absent for the object itself. */
  readonly subresource?: string
  /** Where a server of this process may note where the object is, for who names the same object again and again. */
  readonly memo?: TargetMemo
}

/** Begins empty, belongs to one target, and says nothing: without it the object is looked for by its name. */
export interface TargetMemo {
  place: unknown
}

/** Called exactly once, and never before the call that it answers has returned. */
export type Done<A> = (answer: A | ApiFailure) => void

export interface GetOptions extends Form {
  /** Absent: the newest; "0": whatever is at hand; else at least so new. */
  readonly resourceVersion?: string
}

/** In which form objects are wanted. */
export interface Form {
  /** Names, labels, owners and the like suffice: over HTTP nothing else is sent, in process whole objects are shared all the same. */
  readonly metadataOnly?: boolean
}

export interface Selection {
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export interface ListOptions extends Selection, Form {
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan"
  /** Objects of a page; 0 or absent: all. */
  readonly limit?: number
  readonly continue?: string
}

export interface WatchOptions extends Selection, Form {
  /** Events after this one; absent or "0" starts with the state as ADDED events. */
  readonly resourceVersion?: string
  readonly allowWatchBookmarks?: boolean
  /** WatchList: the state first, then a bookmark with INITIAL_EVENTS_END, then events. */
  readonly sendInitialEvents?: boolean
  /** Seconds after which the server ends the watch in good order. */
  readonly timeoutSeconds?: number
}

/** What every write may say. */
export interface WriteOptions {
  readonly fieldManager?: string
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict"
  readonly dryRun?: boolean
}

export interface Preconditions {
  readonly uid?: string
  readonly resourceVersion?: string
}

export interface DeleteOptions {
  /** Seconds; absent: the kind's own. */
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground"
  readonly preconditions?: Preconditions
  readonly dryRun?: boolean
}

/** A patch with its type; for "apply" the body is the applied configuration. */
export interface Patch {
  readonly type: "json" | "merge" | "strategic" | "apply"
  readonly body: Json
}

export interface PatchOptions extends WriteOptions {
  /** Server-side apply takes fields from other managers. */
  readonly force?: boolean
}

export interface WatchListener {
  readonly event: (event: WatchEvent) => void
  /** The watch is over: in good order, or with a failure (410 Expired: list again). Not called after a cancel. */
  readonly ended: (failure: ApiFailure | undefined) => void
}

/**
 * An API server as a caller sees it. Objects handed over and received are shared: neither side changes them.
 * Every failure, of the transport as well, is an ApiFailure.
 */
export interface Client {
  readonly get: (target: Target, options: GetOptions, done: Done<KubeObject>) => void
  readonly list: (collection: Collection, options: ListOptions, done: Done<KubeList>) => void
  readonly watch: (collection: Collection, options: WatchOptions, listener: WatchListener) => Cancel
  /** With a subresource ("binding", "eviction", "token") the target names the object and the body is the subresource's kind. */
  readonly create: (
    target: Collection | Target,
    object: KubeObject,
    options: WriteOptions,
    done: Done<KubeObject>
  ) => void
  /** With `metadata.resourceVersion` only if the object is still that one. */
  readonly update: (target: Target, object: KubeObject, options: WriteOptions, done: Done<KubeObject>) => void
  readonly patch: (target: Target, patch: Patch, options: PatchOptions, done: Done<KubeObject>) => void
  /** Answers the object while it still waits for finalizers or grace, else a Status. */
  readonly delete: (target: Target, options: DeleteOptions, done: Done<KubeObject>) => void
  readonly deleteCollection: (
    collection: Collection,
    options: DeleteOptions,
    selection: ListOptions,
    done: Done<KubeObject>
  ) => void
}
