// How long a Job waits before it makes the next pod: twice as long after each failure in a row, from the time of the last one.
// Owns the records of failures, one per Job, and the arithmetic; refuses timers. Source: kubernetes
// pkg/controller/job/backoff_utils.go.
import type { KubeObject } from "#kube"
import { finishedMs, indexAllFailures } from "./JobPods.ts"

const BASE_MS = 10_000
const MAX_MS = 600_000

export interface BackoffRecord {
  /** Since the last success. */
  readonly failures: number
  readonly lastFailureMs: number
}

const CLEAN: BackoffRecord = { failures: 0, lastFailureMs: 0 }

const remaining = ({ failures, lastFailureMs }: BackoffRecord, nowMs: number): number => {
  if (failures === 0) return 0
  const wait = Math.min(MAX_MS, BASE_MS * 2 ** Math.min(failures - 1, 30))
  return Math.max(0, lastFailureMs + wait - nowMs)
}

/** Milliseconds until the pod of an index may be replaced, given the last one of it that failed. */
export const indexBackoffMs = (lastFailed: KubeObject | undefined, nowMs: number): number =>
  lastFailed === undefined
    ? 0
    : remaining({ failures: indexAllFailures(lastFailed) + 1, lastFailureMs: finishedMs(lastFailed) }, nowMs)

export class JobBackoff {
  readonly #records = new Map<string, BackoffRecord>()

  /** The record after these pods have ended; it is remembered only when it is kept. */
  after(key: string, succeeded: ReadonlyArray<KubeObject>, failed: ReadonlyArray<KubeObject>): BackoffRecord {
    const known = this.#records.get(key) ?? CLEAN
    if (succeeded.length === 0 && failed.length === 0) return known
    const ends = failed.map(finishedMs)
    if (succeeded.length === 0) {
      return { failures: known.failures + failed.length, lastFailureMs: Math.max(...ends) }
    }
    const lastSuccess = Math.max(...succeeded.map(finishedMs))
    const later = ends.filter((end) => end > lastSuccess)
    return later.length === 0 ? CLEAN : { failures: later.length, lastFailureMs: Math.max(...later) }
  }

  keep(key: string, record: BackoffRecord): void {
    if (record.failures === 0) this.#records.delete(key)
    else this.#records.set(key, record)
  }

  forget(key: string): void {
    this.#records.delete(key)
  }

  /** Milliseconds until the next pod may be made. */
  remainingMs(record: BackoffRecord, nowMs: number): number {
    return remaining(record, nowMs)
  }
}
