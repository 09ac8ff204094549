// How tables lie in a TiKV cluster's one keyspace: a prefix of ours, a byte for the table, the row's key.
// Owns that layout in both directions; refuses to know what rows hold. Values end with a byte of ours, because TiKV's
// clients take an empty value for an absent one.
import { Schema } from "effect"
import { compareBytes, type Table, Table as Tables } from "../engine/Engine.ts"

/** Longer prefixes cost every row; TiKV's own bound on keys lies far beyond. */
const PREFIX_MAX_BYTES = 256
const FIRST_TABLE = 0x30
const MARK = Buffer.from([1])

/** A key prefix that TiKV cannot have, or that would not keep stores apart. */
export class BadKeyPrefix extends Schema.TaggedError<BadKeyPrefix>()("BadKeyPrefix", { rule: Schema.String }) {
  override get message(): string {
    return `the key prefix ${this.rule}`
  }
}

export class TikvRows {
  private readonly prefix: Buffer
  private readonly prefixText: string

  private constructor(prefix: Buffer) {
    this.prefix = prefix
    this.prefixText = prefix.toString("latin1")
  }

  /** The layout under a prefix; a store's prefix must not begin another store's. */
  static under(prefix: string): TikvRows | BadKeyPrefix {
    const bytes = Buffer.from(prefix)
    if (bytes.length === 0 || bytes.length > PREFIX_MAX_BYTES) {
      return new BadKeyPrefix({ rule: `must have 1 to ${PREFIX_MAX_BYTES} bytes` })
    }
    if (!prefix.endsWith("/")) return new BadKeyPrefix({ rule: 'must end with "/", so that none begins another' })
    return new TikvRows(bytes)
  }

  /** A row's key among all keys. */
  key(table: Table, key: Uint8Array): Buffer {
    const { prefix } = this
    const whole = Buffer.allocUnsafe(prefix.length + 1 + key.length)
    whole.set(prefix)
    whole[prefix.length] = FIRST_TABLE + table
    whole.set(key, prefix.length + 1)
    return whole
  }

  /** The same for a row's name as Views know it, which is what follows the prefix. */
  keyOfName(name: string): Buffer {
    return Buffer.from(this.prefixText + name, "latin1")
  }

  /** The name of a row by the latin1 text of its key among all. */
  nameOfKey(text: string): string {
    return text.slice(this.prefixText.length)
  }

  /** Where a range of a table ends among all keys. */
  end(table: Table, end: Uint8Array | undefined): Buffer {
    if (end !== undefined) return this.key(table, end)
    const next = this.key(table, NOTHING)
    next[this.prefix.length]++
    return next
  }

  /** The table's key in a key among all, as a view. */
  rowKey(whole: Uint8Array): Uint8Array {
    return whole.subarray(this.prefix.length + 1)
  }

  /** The table of a key among all; undefined when it is none of ours. */
  tableOf(whole: Uint8Array): Table | undefined {
    const { prefix } = this
    if (compareBytes(whole.subarray(0, prefix.length), prefix) !== 0) return undefined
    return Object.values(Tables).find((table) => FIRST_TABLE + table === whole[prefix.length])
  }

  /** A value as it is kept. */
  stored(value: Uint8Array): Buffer {
    return Buffer.concat([value, MARK])
  }

  /** A kept value as it was given, as a view. */
  value(stored: Uint8Array): Uint8Array {
    return stored.subarray(0, stored.length - 1)
  }

  /** Every key of this store lies in [start, end). */
  get all(): { readonly start: Buffer; readonly end: Buffer } {
    const end = Buffer.from(this.prefix)
    end[end.length - 1]++
    return { start: this.prefix, end }
  }
}

const NOTHING = Buffer.alloc(0)
