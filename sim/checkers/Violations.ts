// What was found broken: one list for all checkers of a world.
// Owns the names of the guarantees and the bound on how many breaches are kept; refuses to check anything.

/** Every guarantee that a checker of this room watches over. */
export type Guarantee =
  | "linearizable keys"
  | "no stale read"
  | "revisions never go back"
  | "revisions have no gap"
  | "no lost acknowledged write"
  | "applied at most once"
  | "transactions are atomic"
  | "reads show one revision"
  | "leases live as long as they are kept"
  | "leases end"
  // The nine guarantees of a watch, by the names of etcd's own robustness suite.
  | "watch is filtered"
  | "watch is ordered"
  | "watch is unique"
  | "watch is atomic"
  | "watch is bookmarkable"
  | "watch is resumable"
  | "watch is reliable"
  | "watch marks creations"
  | "watch tells previous values"
  // Of the API server, beyond the nine.
  | "initial list is complete"
  | "replicas sum"
  | "quota is never exceeded"

export interface Violation {
  readonly guarantee: Guarantee
  /** What was seen and what should have been. */
  readonly message: string
  /** Milliseconds since the world began. */
  readonly atMs: number
}

/** Breaches kept in full; the rest are counted. */
const KEPT_MAX = 50

export class Violations {
  readonly list: Array<Violation> = []
  count = 0
  /** Called at each breach. */
  onViolation: ((violation: Violation) => void) | undefined
  private readonly nowMs: () => number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  report(guarantee: Guarantee, message: string): void {
    this.count++
    const violation = { guarantee, message, atMs: this.nowMs() }
    if (this.list.length < KEPT_MAX) this.list.push(violation)
    this.onViolation?.(violation)
  }
}
