// A pod that waits to be scheduled, and what is remembered of its attempts.
// Owns the record; refuses to move it, which the queue does.
import type { KubeObject } from "#kube"

export type Place = "active" | "backoff" | "errorBackoff" | "unschedulable" | "flight" | "none"

export interface QueuedPod {
  readonly uid: string
  pod: KubeObject
  readonly priority: number
  place: Place
  heapAt: number
  /** Breaks ties of time. */
  readonly turn: number
  /** When it was added or last attempted, milliseconds; orders pods of equal priority. */
  timestampMs: number
  /** When it first could be attempted. */
  firstAttemptMs: number | undefined
  attempts: number
  /** Attempts that ended without a node. */
  unschedulableCount: number
  /** Attempts in a row that ended in an error. */
  errorCount: number
  /** Until when it backs off; undefined until it is asked. */
  backoffUntilMs: number | undefined
  /** Plugins that turned it down at the last attempt. */
  rejectors: ReadonlySet<string>
  /** The plugin that does not let it wait in the queue; empty when none. */
  gate: string
  flushedAtMs: number
  /** Where the events begin that its attempt has not seen. */
  eventsFrom: number
}

export const noRejectors: ReadonlySet<string> = new Set()
