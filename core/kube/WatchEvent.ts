// What a watch delivers.
// Owns the event's shape; the order and completeness of events are the server's promise.
import type { KubeObject } from "./KubeObject.ts"

/** The annotation of the bookmark that ends the initial events of a WatchList. */
export const INITIAL_EVENTS_END = "k8s.io/initial-events-end"

/**
 * A change of an object; a BOOKMARK carries only a resourceVersion (and perhaps INITIAL_EVENTS_END). Failures are no events here:
 * a watch that fails ends with an ApiFailure.
 */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"
  readonly object: KubeObject
}
