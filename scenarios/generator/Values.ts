// Value sizes and bytes: sizes drawn from the operation's distribution, bytes from a seeded block that compresses as
// badly as random data does. Owns both; which request a value goes into is the caller's.
import type { Operation } from "../Operation.ts"
import { type Randomness, randomness } from "../Randomness.ts"

const defaultBytes = 512

/** Sizes and bytes of an operation's values. */
export interface Values {
  /** Draws the size of the next value in bytes. */
  readonly size: () => number
  /** Bytes of that size; a view of a shared block. */
  readonly bytes: (size: number) => Uint8Array
}

const sizes = (value: Operation["value"], random: Randomness): (() => number) => {
  if (value === undefined) return () => defaultBytes
  if (typeof value === "number") return () => value
  const { distribution, max, min } = value
  if (distribution === "uniform") return () => min + random.below(max - min + 1)
  const low = Math.log(min + 1)
  const spread = Math.log(max + 1) - low
  return () => Math.min(max, Math.max(min, Math.round(Math.exp(low + spread * random.fraction())) - 1))
}

const largest = (value: Operation["value"]): number => {
  if (value === undefined) return defaultBytes
  return typeof value === "number" ? value : value.max
}

/** The values of an operation. */
export const values = (value: Operation["value"], seed: number, name: string): Values => {
  const random = randomness(seed, `values/${name}`)
  const block = new Uint8Array(largest(value))
  for (let at = 0; at < block.length; at++) block[at] = random.next() & 0xff
  return { size: sizes(value, random), bytes: (size) => block.subarray(0, size) }
}

let stamps = 0

/** Makes a value differ from every other of this process, by a count in its first bytes. */
export const stamp = (into: Uint8Array, at: number, size: number): void => {
  stamps = (stamps + 1) >>> 0
  let rest = stamps
  const last = Math.min(size, 4)
  for (let index = 0; index < last; index++) {
    into[at + index] = rest & 0xff
    rest >>>= 8
  }
}
