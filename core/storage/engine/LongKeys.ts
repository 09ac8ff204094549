// Keys longer than LMDB can index: all that share their first 1,900 bytes live in one row, as a sorted list of their rests.
// Owns that folding; refuses to make it fast, for such keys are legal in etcd and rare everywhere.
// Order holds because the row's own key (prefix + one zero byte) sorts right after the prefix and before anything else.
import { compareBytes, keyText } from "./Engine.ts"

/** The longest key stored as itself; LMDB's limit is 1,978 bytes with 4 KiB pages. */
export const KEY_MAX_BYTES = 1900

type Rows = Array<readonly [rest: Uint8Array, value: Uint8Array]>

/** The row that holds a long key. */
export const foldedKey = (key: Uint8Array): Uint8Array => {
  const row = Buffer.alloc(KEY_MAX_BYTES + 1)
  row.set(key.subarray(0, KEY_MAX_BYTES))
  return row
}

/** Whether a row's key is one that holds long keys. */
export const isFolded = (key: Uint8Array): boolean => key.length > KEY_MAX_BYTES

const decode = (bucket: Uint8Array): Rows => {
  const view = new DataView(bucket.buffer, bucket.byteOffset, bucket.length)
  const rows: Rows = []
  for (let at = 0; at < bucket.length;) {
    const rest = bucket.subarray(at + 8, at + 8 + view.getUint32(at, true))
    const value = bucket.subarray(at + 8 + rest.length, at + 8 + rest.length + view.getUint32(at + 4, true))
    rows.push([rest, value])
    at += 8 + rest.length + value.length
  }
  return rows
}

const encode = (rows: Rows): Buffer =>
  Buffer.concat(
    rows.flatMap(([rest, value]) => {
      const lengths = Buffer.alloc(8)
      lengths.writeUInt32LE(rest.length, 0)
      lengths.writeUInt32LE(value.length, 4)
      return [lengths, rest, value]
    })
  )

/** The value of one long key in its row. */
export const folded = (bucket: Uint8Array, key: Uint8Array): Uint8Array | undefined => {
  const rest = key.subarray(KEY_MAX_BYTES)
  return decode(bucket).find(([candidate]) => compareBytes(candidate, rest) === 0)?.[1]
}

/** Every long key of a row with its value, in order. */
export const unfold = (rowKey: Uint8Array, bucket: Uint8Array): Rows => {
  const prefix = rowKey.subarray(0, KEY_MAX_BYTES)
  return decode(bucket).map(([rest, value]) => [Buffer.concat([prefix, rest]), value] as const)
}

/** The row of the Meta table that says that some table holds folded rows. */
export const LONG_KEYS_ROW = Buffer.from("long-keys")

/** The rows that these long-key writes of one table come to, each undefined when nothing is left in it. */
export const foldLongKeys = (
  writes: ReadonlyArray<readonly [key: Uint8Array, value: Uint8Array | undefined]>,
  bucketOf: (rowKey: Uint8Array) => Uint8Array | undefined
): ReadonlyArray<readonly [Uint8Array, Buffer | undefined]> => {
  const changed = new Map<string, { readonly rowKey: Uint8Array; rows: Rows }>()
  for (const [key, value] of writes) {
    const rowKey = foldedKey(key)
    const id = keyText(rowKey)
    const entry = changed.get(id) ?? { rowKey, rows: decode(Buffer.from(bucketOf(rowKey) ?? [])) }
    changed.set(id, entry)
    const rest = key.subarray(KEY_MAX_BYTES)
    entry.rows = entry.rows.filter(([candidate]) => compareBytes(candidate, rest) !== 0)
    if (value !== undefined) entry.rows.push([rest, value])
    entry.rows.sort((a, b) => compareBytes(a[0], b[0]))
  }
  return [...changed.values()].map(({ rowKey, rows }) => [rowKey, rows.length === 0 ? undefined : encode(rows)])
}
