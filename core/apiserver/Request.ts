// A request as the server's rooms pass it on: who wants what of which resource; and the answers.
// Owns these shapes; refuses HTTP (which http/ turns into them) and any decision.
import type {
  ApiFailure,
  DeleteOptions,
  GetOptions,
  GroupVersionResource,
  KubeObject,
  ListOptions,
  Patch,
  PatchOptions,
  TargetMemo,
  WatchOptions
} from "#kube"
import type { Definition } from "./Definition.ts"

/** Who a request comes from, after authentication and impersonation. */
export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: ReadonlyArray<string>
  readonly extra?: Readonly<Record<string, ReadonlyArray<string>>>
}

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection"

/** All that the verbs may say; each reads what is its own. */
export type RequestOptions = GetOptions & ListOptions & WatchOptions & PatchOptions & DeleteOptions

export interface ApiRequest {
  readonly verb: Verb
  readonly resource: GroupVersionResource
  /** Empty for the object itself. */
  readonly subresource: string
  /** Empty for all namespaces and for what is in none. */
  readonly namespace: string
  /** Empty for collections. */
  readonly name: string
  readonly user: UserInfo
  readonly options: RequestOptions
  /** Of create and update; the server owns it from here on and nobody changes it. */
  readonly body?: KubeObject | undefined
  readonly patch?: Patch | undefined
  /** Where the cache may note the place of the object, for who asks again and again. */
  readonly memo?: TargetMemo | undefined
  /** Writes a note into the request's audit event; absent where nobody records. */
  readonly annotate?: (key: string, value: string) => void
}

/**
 * An object as the server holds it: in the definition's version, with its resourceVersion. What encodes it for the wire keeps the
 * bytes here, so that an object is encoded once for all lists and watchers.
 */
export interface HeldObject {
  readonly object: KubeObject
  /** The revision of the store that wrote it. */
  readonly revision: number
  /** The JSON text in UTF-8; made on first use. */
  readonly encoded: () => Uint8Array
}

export type ApiAnswer =
  | {
      readonly kind: "object"
      /** 200, 201 or 202. */
      readonly code: number
      readonly held: HeldObject
      /** For the Warning header. */
      readonly warnings: ReadonlyArray<string>
    }
  | {
      readonly kind: "list"
      readonly definition: Definition
      readonly items: ReadonlyArray<HeldObject>
      readonly resourceVersion: string
      readonly continue?: string
      readonly remainingItemCount?: number
    }

export interface HeldEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"
  readonly held: HeldObject
}

export interface ApiWatchListener {
  /** False asks for a pause until `resume`: the event was taken, the next ones wait in the watch's bounded buffer. */
  readonly event: (event: HeldEvent) => boolean
  /** The watch is over: in good order or with a failure. Not called after `stop`. */
  readonly ended: (failure: ApiFailure | undefined) => void
}

export interface ApiWatch {
  readonly resume: () => void
  readonly stop: () => void
}
