// Where each object's facts are within a closed segment: rows in 256 groups by the first byte of the object's id, so that a trace is read
// without running down columns. Owns the form of a group on disk; refuses to read facts.
import { Column, type Columns } from "./Columns.ts"

/** Groups of a segment. */
export const GROUPS = 256

/** Words of a row: its time, its object, its id, its place and its kind. */
const WORDS = 10
const ROW_BYTES = WORDS * 4
const parts = [
  Column.object0,
  Column.object1,
  Column.object2,
  Column.id0,
  Column.id1,
  Column.block,
  Column.offset,
  Column.kind
] as const

/** One fact's row. */
export interface ObjectRow {
  readonly atUs: number
  readonly id: readonly [number, number]
  readonly block: number
  readonly offset: number
  readonly kind: number
}

/** The group that an object with this first word is in. */
export const groupOf = (word: number): number => word >>> 24

/** The groups of some rows, by their numbers. */
export const groupsOf = ({ atUs, columns, rows }: Columns): ReadonlyArray<Buffer> => {
  const counts = new Uint32Array(GROUPS)
  const objects = columns[Column.object0]
  for (let row = 0; row < rows; row++) counts[groupOf(objects[row])]++
  const groups = Array.from(counts, (count) => Buffer.alloc(count * ROW_BYTES))
  const ends = new Uint32Array(GROUPS)
  for (let row = 0; row < rows; row++) {
    const number = groupOf(objects[row])
    const group = groups[number]
    let at = ends[number]
    group.writeDoubleLE(atUs[row], at)
    for (const [part, column] of parts.entries()) group.writeUInt32LE(columns[column][row], at + 8 + part * 4)
    at += ROW_BYTES
    ends[number] = at
  }
  return groups
}

/** Tells each row of an object in a group. */
export const eachRowOf = (
  group: Buffer,
  [first, second, third]: readonly [number, number, number],
  visit: (row: ObjectRow) => void
): void => {
  for (let at = 0; at < group.length; at += ROW_BYTES) {
    if (group.readUInt32LE(at + 8) !== first) continue
    if (group.readUInt32LE(at + 12) !== second || group.readUInt32LE(at + 16) !== third) continue
    visit({
      atUs: group.readDoubleLE(at),
      id: [group.readUInt32LE(at + 20), group.readUInt32LE(at + 24)],
      block: group.readUInt32LE(at + 28),
      offset: group.readUInt32LE(at + 32),
      kind: group.readUInt32LE(at + 36)
    })
  }
}
