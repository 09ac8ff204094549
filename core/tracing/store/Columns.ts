// The index of one segment of facts as columns of numbers: a search runs down a column of 65,536 numbers faster than any tree is walked.
// Owns which attributes have a column of their own (as hashes of their values), the signature that covers the others, and the form of a
// row on disk; refuses to decide a match: a hash only says where it is worth looking.
import { eachAttribute, objectName, spanEndUs, spanName } from "../model/Describe.ts"
import type { Fact } from "../model/Fact.ts"
import { Attribute } from "../model/Span.ts"
import { kindNumbers } from "./FactRecord.ts"

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
  signature0: 9,
  signature1: 10,
  indexed: 11
} as const

export const COLUMNS = Column.indexed + indexed.length
/** Bytes of a row: its time and its columns. */
export const ROW_BYTES = 8 + COLUMNS * 4

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

/** Two of 64 bits that stand for an attribute with this value. */
export const signatureOf = (name: string, value: string): readonly [number, number] => {
  const hash = hashText(value, hashText(name))
  const first = hash & 63
  const second = (hash >>> 6) & 63
  const low = (first < 32 ? 1 << first : 0) | (second < 32 ? 1 << second : 0)
  const high = (first < 32 ? 0 : 1 << (first - 32)) | (second < 32 ? 0 : 1 << (second - 32))
  return [low >>> 0, high >>> 0]
}

/** Rows that grow, column by column. */
export class Columns {
  rows = 0
  atUs: Float64Array
  readonly columns: Array<Uint32Array>

  constructor(capacity = 1024) {
    this.atUs = new Float64Array(capacity)
    this.columns = Array.from({ length: COLUMNS }, () => new Uint32Array(capacity))
  }

  /** Adds a fact whose record is at a place. `object` is its object's id. */
  add(fact: Fact, object: string, windowSeconds: number, block: number, offset: number): void {
    const row = this.next()
    this.atUs[row] = fact.atUs
    this.set(Column.id0, row, Number.parseInt(fact.id.slice(0, 8), 16))
    this.set(Column.id1, row, Number.parseInt(fact.id.slice(8), 16))
    this.set(Column.object0, row, Number.parseInt(object.slice(0, 8), 16))
    this.set(Column.object1, row, Number.parseInt(object.slice(8, 16), 16))
    this.set(Column.object2, row, Number.parseInt(object.slice(16), 16))
    this.set(Column.block, row, block)
    this.set(Column.offset, row, offset)
    this.set(Column.durationUs, row, Math.min(spanEndUs(fact, windowSeconds) - fact.atUs, DURATION_MAX))
    this.set(Column.kind, row, kindNumbers[fact.kind])
    this.describe(fact, row)
  }

  /** Adds a row as it was written. */
  addRow(bytes: Buffer, at: number): void {
    const row = this.next()
    this.atUs[row] = bytes.readDoubleLE(at)
    for (let column = 0; column < COLUMNS; column++) this.set(column, row, bytes.readUInt32LE(at + 8 + column * 4))
  }

  /** A row's bytes. */
  writeRow(row: number, bytes: Buffer, at: number): void {
    bytes.writeDoubleLE(this.atUs[row], at)
    for (let column = 0; column < COLUMNS; column++) bytes.writeUInt32LE(this.columns[column][row], at + 8 + column * 4)
  }

  /** The same rows by time, as long as they are. */
  sorted(): Columns {
    const order = Uint32Array.from({ length: this.rows }, (_, row) => row).sort(
      (a, b) => this.atUs[a] - this.atUs[b] || a - b
    )
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

  private describe(fact: Fact, row: number): void {
    const { cluster, group, name, namespace, resource } = fact.object
    this.set(Column.indexed, row, hashText(fact.kind === "snapshot" ? objectName(fact.object) : spanName(fact)))
    this.set(Column.indexed + 1, row, hashText(cluster))
    this.set(Column.indexed + 2, row, hashText(group))
    this.set(Column.indexed + 3, row, hashText(resource))
    this.set(Column.indexed + 4, row, hashText(namespace))
    this.set(Column.indexed + 5, row, hashText(name))
    let low = 0
    let high = 0
    eachAttribute(fact, (attribute, value) => {
      if (value === "") return
      const place = places.get(attribute)
      if (place !== undefined) return this.set(place, row, hashText(value))
      const [a, b] = signatureOf(attribute, value)
      low |= a
      high |= b
    })
    this.set(Column.signature0, row, low >>> 0)
    this.set(Column.signature1, row, high >>> 0)
  }

  private set(column: number, row: number, value: number): void {
    this.columns[column][row] = value
  }

  private next(): number {
    if (this.rows === this.atUs.length) {
      const capacity = Math.max(1024, this.rows * 2)
      const times = new Float64Array(capacity)
      times.set(this.atUs)
      this.atUs = times
      for (let column = 0; column < COLUMNS; column++) {
        const grown = new Uint32Array(capacity)
        grown.set(this.columns[column])
        this.columns[column] = grown
      }
    }
    return this.rows++
  }
}
