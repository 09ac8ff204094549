// The rows of one table of a memtable, found by key: an open-addressed hash table in typed arrays, whose keys stay where they are.
// Owns places, lookup and deltas; refuses order, and to hold a byte of a key or value itself.
// By hand because a Map of strings and row objects made garbage collection a quarter of a write's cost: here a row is no object.

const SLOTS_MIN = 1024
const ROWS_MIN = SLOTS_MIN / 2

/** A hash of a key's bytes, for `find` and `add`. */
export const hashBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = end - start
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

export class RowIndex {
  private readonly records: ReadonlyArray<Buffer>
  /** Row number + 1 by slot; 0 is free. */
  private slots = new Int32Array(SLOTS_MIN)
  private hashes = new Int32Array(ROWS_MIN)
  private recordOf = new Int32Array(ROWS_MIN)
  private keyAt = new Int32Array(ROWS_MIN)
  private keyEnd = new Int32Array(ROWS_MIN)
  private valueEnd = new Int32Array(ROWS_MIN)
  private deltas = new Int32Array(ROWS_MIN)
  size = 0

  /** `records` are the commits that rows point into; it may grow, never change. */
  constructor(records: ReadonlyArray<Buffer>) {
    this.records = records
  }

  /** The number of the row with these bytes as its key; −1 when there is none. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const row = slots[slot] - 1
      if (this.hashes[row] === hash && this.isKey(row, bytes, start, end)) return row
    }
    return -1
  }

  private isKey(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = this.keyAt[row] - start
    if (this.keyEnd[row] - at !== end) return false
    const record = this.records[this.recordOf[row]]
    // Keys differ at their ends, if they differ.
    for (let index = end - 1; index >= start; index--) if (record[at + index] !== bytes[index]) return false
    return true
  }

  /** Takes a row in, over an older one of the same key, whose delta it adds to its own; returns its number. */
  add(record: number, delta: number, keyAt: number, keyEnd: number, valueEnd: number): number {
    const bytes = this.records[record]
    const hash = hashBytes(bytes, keyAt, keyEnd)
    let row = this.find(bytes, keyAt, keyEnd, hash)
    if (row < 0) {
      row = this.size++
      if (row === this.hashes.length) this.grow()
      this.hashes[row] = hash
      this.deltas[row] = 0
      this.occupy(row)
    }
    this.recordOf[row] = record
    this.keyAt[row] = keyAt
    this.keyEnd[row] = keyEnd
    this.valueEnd[row] = valueEnd
    this.deltas[row] += delta
    return row
  }

  private occupy(row: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let slot = this.hashes[row] & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = row + 1
  }

  private grow(): void {
    const longer = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(array.length * 2)
      grown.set(array)
      return grown
    }
    this.hashes = longer(this.hashes)
    this.recordOf = longer(this.recordOf)
    this.keyAt = longer(this.keyAt)
    this.keyEnd = longer(this.keyEnd)
    this.valueEnd = longer(this.valueEnd)
    this.deltas = longer(this.deltas)
    this.slots = new Int32Array(this.slots.length * 2)
    for (let row = 0; row < this.size - 1; row++) this.occupy(row)
  }

  key(row: number): Uint8Array {
    return this.records[this.recordOf[row]].subarray(this.keyAt[row], this.keyEnd[row])
  }

  /** The key as a latin1 string, which sorts as its bytes do. */
  keyText(row: number): string {
    return this.records[this.recordOf[row]].toString("latin1", this.keyAt[row], this.keyEnd[row])
  }

  /** Undefined: the row was removed. */
  value(row: number): Uint8Array | undefined {
    const end = this.valueEnd[row]
    return end < 0 ? undefined : this.records[this.recordOf[row]].subarray(this.keyEnd[row], end)
  }

  /** How the row changes the number of rows below it: 1 created, −1 removed, 0 replaced. */
  delta(row: number): number {
    return this.deltas[row]
  }

  setDelta(row: number, delta: number): void {
    this.deltas[row] = delta
  }
}
