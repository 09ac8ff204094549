// Ids of what display modes show: mode, object and range in 32 hex digits, so that any replica can make the same view from the id alone.
// "ff", the mode's 8 digits (which people edit to switch modes), the original's "e1e3e7", then 64 bits: the first window's number (26), the
// range's length as a power of two of windows (4) and a hash of the object (34). Owns that form; refuses to find the object of a hash.
import { objectId } from "../model/Ids.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"

const MARK = "e1e3e7"
const START_MAX = 2 ** 26
const LENGTH_MAX = 15
const HASH_BITS = 34n

/** Windows from `first` on, 2 ** `length` of them. */
export interface WindowRange {
  readonly first: number
  readonly length: number
}

export interface ViewId {
  readonly mode: string
  readonly range: WindowRange
  /** Of the object: see `viewHash`. */
  readonly hash: bigint
}

/** The 34 bits by which a view's id names its object. */
export const viewHash = (object: ObjectKey, windowSeconds: number): bigint =>
  BigInt(`0x${objectId(object, windowSeconds).slice(0, 16)}`) >> (64n - HASH_BITS)

/** The shortest range of whole windows, a power of two in number, that holds a half-open range of time. */
export const windowRange = (fromUs: number, toUs: number, windowSeconds: number): WindowRange => {
  const window = windowSeconds * 1_000_000
  const first = Math.max(Math.floor(fromUs / window), 0)
  const last = Math.max(Math.ceil(toUs / window) - 1, first)
  let length = 0
  while (length < LENGTH_MAX && first + 2 ** length - 1 < last) length++
  // A range beyond all windows that an id can tell keeps its newest part.
  return { first: Math.max(first, last - 2 ** length + 1) % START_MAX, length }
}

/** The same in time. */
export const rangeUs = ({ first, length }: WindowRange, windowSeconds: number) => ({
  fromUs: first * windowSeconds * 1_000_000,
  toUs: (first + 2 ** length) * windowSeconds * 1_000_000
})

export const writeViewId = ({ hash, mode, range }: ViewId): string => {
  const low = (BigInt(range.first) << 38n) | (BigInt(range.length) << HASH_BITS) | hash
  return `ff${mode}${MARK}${low.toString(16).padStart(16, "0")}`
}

/** Undefined for an id that is no view's, like a stored trace's. */
export const parseViewId = (id: string): ViewId | undefined => {
  if (!/^ff[0-9a-f]{8}e1e3e7[0-9a-f]{16}$/.test(id)) return undefined
  const low = BigInt(`0x${id.slice(16)}`)
  const range = { first: Number(low >> 38n), length: Number((low >> HASH_BITS) & 15n) }
  return { mode: id.slice(2, 10), range, hash: low & ((1n << HASH_BITS) - 1n) }
}
