// What ties every batch to its writer's term, on an engine that several processes write.
// Owns the port that the committer asks; refuses to know how a term is won, which nodes/ does.
// One row is compared and put by every batch, so that no batch of an earlier term can commit once a later one has begun,
// and so that the row tells which of a term's batches are there.
import type { WriteBatch } from "../engine/Engine.ts"

/**
 * What an uncertain batch came to. `pending`: it is not there and may still come, until another batch of the term commits;
 * `unknown`: later terms have overwritten all that could tell.
 */
export type Fate = "committed" | "absent" | "pending" | "unknown"

export interface Fence<Stamp = unknown> {
  /** The row of Meta that is compared and put. */
  readonly key: Uint8Array
  /** Whether this process is the writer, as far as it knows. */
  readonly holds: () => boolean
  /** Makes a batch commit only as the next one of this term. */
  stamp(writes: WriteBatch): Stamp
  /** The stamped batch is there. */
  passed(stamp: Stamp): void
  /** What the row says of a stamped batch. */
  fateOf(row: Uint8Array | undefined, stamp: Stamp): Fate
}
