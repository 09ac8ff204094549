// The one row that says who may write: its term, how many batches of the term are there, and how to reach the writer.
// Owns the row's encoding; refuses to decide who writes (Election.ts). Whoever changes the row compares its exact bytes.
// What it keeps of the term before is how that term's writer learns what became of its last batch.
import { field, list, message, type MessageType } from "#net"

/** The row of Meta as a message. */
export const TermRecord = message({
  term: field(1, "uint64"),
  /** Grows with every batch of the term. */
  sequence: field(2, "uint64"),
  /** The term before, and its last batch that is there. */
  previousTerm: field(3, "uint64"),
  previousSequence: field(4, "uint64"),
  leaderId: field(5, "uint64"),
  /** Tells two runs of one member apart. */
  nonce: field(6, "uint64"),
  /** How long the row must stand still before another may take over, in milliseconds. */
  termMs: field(7, "uint64"),
  /** The writer has gone; anybody may take over at once. */
  released: field(8, "bool"),
  /** Whom the writer wished to follow it; 0 for nobody. */
  heirId: field(9, "uint64"),
  name: field(10, "string"),
  peerUrls: list(11, "string"),
  clientUrls: list(12, "string")
})
export type TermRecord = MessageType<typeof TermRecord>

/** The record of a cluster that has had no writer yet. */
export const noTerm: TermRecord = TermRecord.make({})

/** What a leader tells those that follow it, after each commit and each sign of life. */
export const FollowUpdate = message({ record: field(1, "bytes"), revision: field(2, "int64") })

/** How a node introduces itself to the leader. */
export const FollowRequest = message({
  id: field(1, "uint64"),
  name: field(2, "string"),
  peerUrls: list(3, "string"),
  clientUrls: list(4, "string")
})
