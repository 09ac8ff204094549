// The generator's memory of one key space: how key number i is spelt, which keys exist, at which revision, and which
// are in flight. Flat typed arrays, 13 bytes a key, grown by doubling; at most 50 million keys.
// Owns the choice of keys; sends nothing.
import { mix32, type Randomness } from "../Randomness.ts"

/** How the next key is chosen among those that exist. */
export type KeyOrder = "uniform" | "zipf" | "sequential"

export const keysMax = 50_000_000

const hexDigits = new TextEncoder().encode("0123456789abcdef")
const fill = 0x2d
const busyDraws = 8

const writeHex = (into: Uint8Array, at: number, value: number): void => {
  for (let shift = 28; shift >= 0; shift -= 4) into[at++] = hexDigits[(value >>> shift) & 15]
}

const grown = <A extends Float64Array | Uint32Array | Uint8Array>(array: A, into: A): A => {
  into.set(array)
  return into
}

/** What a key space is made of, as the scenario says it. */
export interface KeyPoolOptions {
  readonly prefix: string
  readonly keyBytes: number
  readonly suffix: "random" | "sequential"
  readonly preset: number
  readonly seed: number
}

/** One key space. A key is known by its number; numbers are given out in order of creation. */
export class KeyPool {
  readonly prefix: Uint8Array
  readonly keyBytes: number
  /** Acknowledged writes of this run, to know what watchers must have seen. */
  writes = 0
  #capacity = 1024
  #revisions = new Float64Array(this.#capacity)
  /** Position + 1 of the key in #live; 0 when it does not exist. */
  #places = new Uint32Array(this.#capacity)
  #live = new Uint32Array(this.#capacity)
  #busy = new Uint8Array(this.#capacity)
  #alive = 0
  #next = 0
  #turn = 0
  readonly #preset: number
  readonly #head: Uint8Array
  readonly #scatter: boolean
  readonly #seed: number

  constructor(options: KeyPoolOptions) {
    this.prefix = new TextEncoder().encode(options.prefix)
    this.keyBytes = options.keyBytes
    this.#head = new Uint8Array(options.keyBytes - 16).fill(fill)
    this.#head.set(this.prefix)
    this.#scatter = options.suffix === "random"
    this.#seed = options.seed
    this.#preset = options.preset
    this.#reserve(options.preset)
    this.#next = options.preset
  }

  /** Whether new keys fall anywhere in the space, so that neighbours in number are not neighbours in order. */
  get scatters(): boolean {
    return this.#scatter
  }

  /** Keys that exist. */
  get size(): number {
    return this.#alive
  }

  /** A fresh key's bytes with room for the number, to lay out templates. */
  blank(): Uint8Array {
    const key = new Uint8Array(this.keyBytes)
    this.write(key, 0, 0)
    return key
  }

  /** Writes key `index` in full at `at`. */
  write(into: Uint8Array, at: number, index: number): void {
    into.set(this.#head, at)
    this.writeSuffix(into, at + this.keyBytes - 16, index)
  }

  /** Writes the last 16 bytes of key `index`: eight digits that scatter or are zero, then its number. */
  writeSuffix(into: Uint8Array, at: number, index: number): void {
    writeHex(into, at, this.#scatter ? mix32(this.#seed, index) : 0)
    writeHex(into, at + 8, index)
  }

  /** The number of a new key, marked in flight; -1 when the pool is full. */
  create(): number {
    if (this.#next >= keysMax) return -1
    const index = this.#next++
    this.#reserve(index + 1)
    this.#busy[index] = 1
    return index
  }

  /** A key that exists and is not in flight for writing; -1 when a few draws found none. */
  pick(random: Randomness, order: KeyOrder): number {
    for (let draw = 0; draw < busyDraws && this.#alive > 0; draw++) {
      const index = this.#live[this.#place(random, order, this.#alive)]
      if (this.#busy[index] === 0) return index
    }
    return -1
  }

  /** A key of the preset, or one that exists when there is no preset; -1 when there is neither. */
  pickAny(random: Randomness, order: KeyOrder): number {
    if (this.#preset === 0) return this.pick(random, order)
    return this.#place(random, order, this.#preset)
  }

  #place(random: Randomness, order: KeyOrder, among: number): number {
    if (order === "uniform") return random.below(among)
    if (order === "sequential") return this.#turn++ % among
    // Zipf with exponent 1, by inverting the logarithm that its sum is close to.
    return Math.min(among - 1, Math.floor((among + 1) ** random.fraction()) - 1)
  }

  /** Marks a key as being written, so that no second write races it. */
  hold(index: number): void {
    this.#busy[index] = 1
  }

  /** Ends a write that failed or whose fate is unknown: the key keeps its last known state. */
  release(index: number): void {
    this.#busy[index] = 0
  }

  isBusy(index: number): boolean {
    return this.#busy[index] === 1
  }

  /** The last known revision of a key; 0 when it does not exist. */
  revision(index: number): number {
    return this.#revisions[index]
  }

  /** Records an acknowledged put. */
  wrote(index: number, revision: number): void {
    this.writes++
    this.adopt(index, revision)
  }

  /** Takes over what the server says: the key exists at this revision. */
  adopt(index: number, revision: number): void {
    this.#busy[index] = 0
    this.#revisions[index] = revision
    if (this.#places[index] === 0) {
      this.#live[this.#alive++] = index
      this.#places[index] = this.#alive
    }
  }

  /** Records an acknowledged delete. */
  deleted(index: number): void {
    this.writes++
    this.forget(index)
  }

  /** Takes over what the server says: the key does not exist. */
  forget(index: number): void {
    this.#busy[index] = 0
    this.#revisions[index] = 0
    const place = this.#places[index]
    if (place === 0) return
    const last = this.#live[--this.#alive]
    this.#live[place - 1] = last
    this.#places[last] = place
    this.#places[index] = 0
  }

  /** Takes over a range delete: keys `from` to `from + count` are gone, or, in a scattered space, all behind it. */
  forgetRange(from: number, count: number): void {
    if (!this.#scatter) {
      for (let index = from; index < Math.min(this.#next, from + count); index++) this.forget(index)
      return
    }
    const first = mix32(this.#seed, from)
    for (let index = 0; index < this.#next; index++) if (mix32(this.#seed, index) >= first) this.forget(index)
  }

  #reserve(size: number): void {
    if (size <= this.#capacity) return
    while (this.#capacity < size) this.#capacity *= 2
    this.#revisions = grown(this.#revisions, new Float64Array(this.#capacity))
    this.#places = grown(this.#places, new Uint32Array(this.#capacity))
    this.#live = grown(this.#live, new Uint32Array(this.#capacity))
    this.#busy = grown(this.#busy, new Uint8Array(this.#capacity))
  }
}
