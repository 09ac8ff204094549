// The server without its wire: what HTTP, in-process clients, admission and strategies call.
// Owns the port between the parts of this room; refuses to implement it, which ApiServer.ts does.
import type { ApiFailure, Cancel, Clockwork, KubeObject } from "#kube"
import type { Definitions } from "./Definition.ts"
import type { ApiAnswer, ApiRequest, ApiWatch, ApiWatchListener } from "./Request.ts"

/** The objects of one resource as the watch cache has them now: perhaps a moment behind the store, never inconsistent. */
export interface ResourceView {
  readonly get: (namespace: string, name: string) => KubeObject | undefined
  /** Of one namespace, or of all when it is empty; ordered by key. */
  readonly list: (namespace: string) => ReadonlyArray<KubeObject>
  /** Called after each change, with what was and what is; the first argument is undefined for a new object. */
  readonly onChange: (listener: (before: KubeObject | undefined, after: KubeObject | undefined) => void) => Cancel
}

export interface Api {
  readonly clockwork: Clockwork
  readonly definitions: Definitions
  /** Authorization is the caller's; admission, validation and storage are done here. `done` is called once, never before the return. */
  readonly execute: (request: ApiRequest, done: (answer: ApiAnswer | ApiFailure) => void) => void
  /** For the verb watch. */
  readonly watch: (request: ApiRequest, listener: ApiWatchListener) => ApiWatch
  /** Follows a resource from now on: the first call starts its watch cache. */
  readonly view: (group: string, resource: string) => ResourceView
}
