// The index of one segment of facts as columns of numbers: a search runs down a column of 65,536 numbers faster than any tree is walked.
// Owns which attributes have a column of their own (as hashes of their values), the signature that covers the others, and the form of a
// row on disk; refuses to decide a match: a hash only says where it is worth looking.
import { eachOwnAttribute, spanEndUs } from "../model/Describe.ts"
import type { Fact, RawSnapshot } from "../model/Fact.ts"
import { Attribute } from "../model/Span.ts"
import { kindNumbers } from "./FactRecord.ts"
import type { IndexedObject } from "./IndexedObjects.ts"

/** Attributes with a column; the numbers of columns are on disk, so the order never changes. */
const indexed = [
  "operation",
  Attribute.cluster,
  Attribute.group,
  Attribute.resource,
  Attribute.namespace,
  Attribute.name,
  Attribute.uid,
  Attribute.verb,
  Attribute.username,
  Attribute.responseCode,
  Attribute.auditId,
  Attribute.reason
] as const

/** Columns by their place: two of the fact's id, three of the object's, where its record is, and what is searched by. */
export const Column = {
  id0: 0,
  id1: 1,
  object0: 2,
  object1: 3,
  object2: 4,
  block: 5,
  offset: 6,
  durationUs: 7,
  kind: 8,
  signature: 9,
  indexed: 17
} as const

/** Columns of the signature. */
export const SIGNATURE_WORDS = Column.indexed - Column.signature

export const COLUMNS = Column.indexed + indexed.length
/** Bytes that a row takes on disk: its time, its columns, and its row among those of its object. */
export const ROW_BYTES = 8 + COLUMNS * 4 + 40

const DURATION_MAX = 0xffff_ffff
const places = new Map<string, number>(indexed.map((name, at) => [name, Column.indexed + at]))

/** The column of an attribute (or of "operation"); undefined when the signature covers it. */
export const columnOf = (name: string): number | undefined => places.get(name)

/** 32 bits of a text. */
export const hashText = (text: string, seed = 0x811c_9dc5): number => {
  let hash = seed
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b_3c6d) >>> 0
}

/** The eight hex digits at a place of a lower-case text, as a number. */
export const wordOf = (text: string, at: number): number => {
  let word = 0
  for (let digit = at; digit < at + 8; digit++) {
    const code = text.charCodeAt(digit)
    word = (word << 4) | (code < 0x3a ? code - 0x30 : code - 0x57)
  }
  return word >>> 0
}

/** Hashes of attributes' names, of which there are few. */
const seeds = new Map<string, number>()
const seedOf = (name: string): number => {
  let seed = seeds.get(name)
  if (seed === undefined) seeds.set(name, (seed = hashText(name)))
  return seed
}

/** The bits that stand for an attribute: so many of the signature's 256 that a row of ten others seldom has them all. */
const multipliers = [0x9e37_79b1, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f, 0x1656_67b1, 0xd3a2_646d, 0xfd70_46c5] as const
const bitsOf = (name: string, value: string, set: (word: number, bit: number) => void): void => {
  const hash = hashText(value, seedOf(name))
  for (const multiplier of multipliers) {
    const place = Math.imul(hash, multiplier) >>> 24
    set(place >>> 5, 1 << (place & 31))
  }
}

/** The signature's words of attributes with these values. */
export const signatureOf = (attributes: ReadonlyArray<readonly [string, string]>): ReadonlyArray<number> => {
  const words = new Uint32Array(SIGNATURE_WORDS)
  for (const [name, value] of attributes) bitsOf(name, value, (word, bit) => void (words[word] |= bit))
  return [...words]
}

/** Rows that grow, column by column. */
export class Columns {
  rows = 0
  atUs: Float64Array
  readonly columns: Array<Uint32Array>
  /** The row that is being described. */
  private row = 0

  constructor(capacity = 1024) {
    this.atUs = new Float64Array(capacity)
    this.columns = Array.from({ length: COLUMNS }, () => new Uint32Array(capacity))
  }

  /** Adds a fact whose record is at a place; `nameHash` is that of its span's name. */
  add(
    fact: Fact | RawSnapshot,
    { hashes, words }: IndexedObject,
    nameHash: number,
    windowSeconds: number,
    block: number,
    offset: number
  ): void {
    const row = this.next()
    this.row = row
    this.atUs[row] = fact.atUs
    this.set(Column.id0, row, wordOf(fact.id, 0))
    this.set(Column.id1, row, wordOf(fact.id, 8))
    this.set(Column.object0, row, words[0])
    this.set(Column.object1, row, words[1])
    this.set(Column.object2, row, words[2])
    this.set(Column.block, row, block)
    this.set(Column.offset, row, offset)
    this.set(Column.durationUs, row, Math.min(spanEndUs(fact, windowSeconds) - fact.atUs, DURATION_MAX))
    this.set(Column.kind, row, kindNumbers[fact.kind])
    this.set(Column.indexed, row, nameHash)
    for (let part = 0; part < 5; part++) this.set(Column.indexed + 1 + part, row, hashes[part])
    for (let column = Column.indexed + 6; column < COLUMNS; column++) this.set(column, row, 0)
    for (let word = 0; word < SIGNATURE_WORDS; word++) this.set(Column.signature + word, row, 0)
    eachOwnAttribute(fact, this.say)
  }

  private readonly say = (attribute: string, value: string): void => {
    if (value === "") return
    const place = places.get(attribute)
    if (place !== undefined) return this.set(place, this.row, hashText(value))
    bitsOf(attribute, value, this.sign)
  }

  private readonly sign = (word: number, bit: number): void => {
    this.columns[Column.signature + word][this.row] |= bit
  }

  /** Adds all rows of others. */
  append(others: Columns): void {
    const rows = this.rows + others.rows
    if (rows > this.atUs.length) this.grow(Math.max(rows, this.atUs.length * 2))
    this.atUs.set(others.atUs.subarray(0, others.rows), this.rows)
    for (let column = 0; column < COLUMNS; column++) {
      this.columns[column].set(others.columns[column].subarray(0, others.rows), this.rows)
    }
    this.rows = rows
  }

  /** The same rows by time, as long as they are. */
  sorted(): Columns {
    const order = this.order()
    const sorted = new Columns(this.rows)
    sorted.rows = this.rows
    for (let row = 0; row < this.rows; row++) sorted.atUs[row] = this.atUs[order[row]]
    for (let column = 0; column < COLUMNS; column++) {
      const from = this.columns[column]
      const to = sorted.columns[column]
      for (let row = 0; row < this.rows; row++) to[row] = from[order[row]]
    }
    return sorted
  }

  /** Rows by time, then by place. */
  private order(): Uint32Array {
    const { atUs, rows } = this
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let row = 0; row < rows; row++) {
      least = Math.min(least, atUs[row])
      most = Math.max(most, atUs[row])
    }
    const order = Uint32Array.from({ length: rows }, (_, row) => row)
    // A number that holds time and place both is sorted without a comparison in JavaScript, many times faster.
    if (!((most - least) * rows < Number.MAX_SAFE_INTEGER / 2) || !Number.isInteger(least)) {
      return order.sort((a, b) => atUs[a] - atUs[b] || a - b)
    }
    const keys = new Float64Array(rows)
    for (let row = 0; row < rows; row++) keys[row] = (atUs[row] - least) * rows + row
    keys.sort()
    for (let at = 0; at < rows; at++) order[at] = keys[at] % rows
    return order
  }

  private set(column: number, row: number, value: number): void {
    this.columns[column][row] = value
  }

  private next(): number {
    if (this.rows === this.atUs.length) this.grow(Math.max(1024, this.rows * 2))
    return this.rows++
  }

  private grow(capacity: number): void {
    const times = new Float64Array(capacity)
    times.set(this.atUs.subarray(0, this.rows))
    this.atUs = times
    for (let column = 0; column < COLUMNS; column++) {
      const grown = new Uint32Array(capacity)
      grown.set(this.columns[column].subarray(0, this.rows))
      this.columns[column] = grown
    }
  }
}
