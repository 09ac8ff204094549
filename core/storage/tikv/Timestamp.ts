// The timestamps of a TiKV cluster: milliseconds in the upper bits, a counter in the lower 18.
// Owns that split; refuses to give timestamps, which only PD does. They exceed 2^53, so they are bigints everywhere.

export type Timestamp = bigint

const LOGICAL_BITS = 18n

/** The timestamp of PD's two parts. */
export const composeTimestamp = (physicalMs: bigint, logical: bigint): Timestamp =>
  (physicalMs << LOGICAL_BITS) + logical

/** Milliseconds since the epoch by PD's clock. */
export const physicalMs = (timestamp: Timestamp): number => Number(timestamp >> LOGICAL_BITS)
