// What a transaction does to one key, and how much of it fits a request.
// Owns the shape and the bounds that both ways to commit keep; refuses to send anything.
import type { Op } from "./TikvMessages.ts"

/** Requests of one transaction that are under way at once. */
export const REQUESTS_MAX = 16
/** Bytes of keys and values in one request: a store replicates a request as one entry. */
export const REQUEST_MAX_BYTES = 256 * 1024
/** How long a lock lives unless it is prolonged: half the shortest term, so that a killed leader's locks are over when the next begins. */
export const LOCK_TTL_MS = 500

export interface Mutation {
  readonly op: Op
  readonly key: Buffer
  /** Empty but for a put. */
  readonly value: Uint8Array
}

/** Bytes of a mutation in a request. */
export const sizeOf = ({ key, value }: Mutation): number => key.length + value.length
