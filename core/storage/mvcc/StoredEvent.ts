// One event of the store: a key put or deleted at a revision, with what was there before.
// Owns its encoding as mvccpb.Event, made once however many watchers take it; refuses to know who they are.
import { varintSize, writeVarint } from "#net"
import { keyText, type RowValue, valueBytes } from "../engine/Engine.ts"
import { EventKind } from "./Layout.ts"
import { headOf } from "./LazyRows.ts"

const TYPE = 0x08
const KV = 0x12
const PREVIOUS = 0x1a
const KEY = 0x0a
const MOD = 0x18

export class StoredEvent {
  readonly kind: EventKind
  readonly revision: number
  /** The key's latin1 text. */
  readonly text: string
  /** The version that was put, as it is in the store; undefined for a deletion. */
  readonly row: RowValue | undefined
  /** What the writer gave along; undefined in events that are read from the log. */
  readonly origin: unknown
  private readonly previousRow: RowValue | undefined
  private keyBytes: Uint8Array | undefined
  private plain: Buffer | undefined
  private full: Buffer | undefined

  constructor(
    kind: EventKind,
    revision: number,
    key: Uint8Array | string,
    row: RowValue | undefined,
    previous: RowValue | undefined,
    origin?: unknown
  ) {
    this.kind = kind
    this.revision = revision
    this.text = typeof key === "string" ? key : keyText(key)
    this.row = row
    this.origin = origin
    this.previousRow = previous
    this.keyBytes = typeof key === "string" ? undefined : key
    this.plain = undefined
    this.full = undefined
  }

  get key(): Uint8Array {
    return (this.keyBytes ??= Buffer.from(this.text, "latin1"))
  }

  /** The record that was put; undefined for a deletion. */
  get record(): Uint8Array | undefined {
    return this.row && valueBytes(this.row)
  }

  /** The record before the event; undefined when there was none or it has been compacted. */
  get previous(): Uint8Array | undefined {
    return this.previousRow && valueBytes(this.previousRow)
  }

  /** Whether the event created its key: etcd then sends no previous version. */
  get isCreate(): boolean {
    if (this.row === undefined) return false
    const { createRevision, modRevision } = headOf(this.row)
    return createRevision === modRevision
  }

  /** The encoded mvccpb.Event, with or without prev_kv. */
  encoded(withPrevious: boolean): Buffer {
    if (withPrevious && this.previousRow !== undefined && !this.isCreate) {
      return (this.full ??= this.encode(valueBytes(this.previousRow)))
    }
    return (this.plain ??= this.encode(undefined))
  }

  private encode(previous: Uint8Array | undefined): Buffer {
    const record = this.record ?? modOnly(this.revision)
    const kvSize = keyValueSize(this.key, record)
    const previousSize = previous === undefined ? 0 : keyValueSize(this.key, previous)
    const size =
      (this.kind === EventKind.Put ? 0 : 2) +
      1 +
      varintSize(kvSize) +
      kvSize +
      (previous === undefined ? 0 : 1 + varintSize(previousSize) + previousSize)
    const bytes = Buffer.allocUnsafe(size)
    let at = 0
    if (this.kind !== EventKind.Put) {
      bytes[at++] = TYPE
      bytes[at++] = this.kind
    }
    at = writeKeyValue(bytes, at, KV, this.key, record, kvSize)
    if (previous !== undefined) writeKeyValue(bytes, at, PREVIOUS, this.key, previous, previousSize)
    return bytes
  }
}

const modOnly = (revision: number): Buffer => {
  const record = Buffer.allocUnsafe(1 + varintSize(revision))
  record[0] = MOD
  writeVarint(record, 1, revision)
  return record
}

/** Bytes of a mvccpb.KeyValue message made of a key and a record. */
export const keyValueSize = (key: Uint8Array, record: Uint8Array): number =>
  1 + varintSize(key.length) + key.length + record.length

/** Writes a KeyValue field (tag, length, key, record) and returns the next position. */
export const writeKeyValue = (
  target: Uint8Array,
  at: number,
  tag: number,
  key: Uint8Array,
  record: Uint8Array,
  size: number
): number => {
  target[at++] = tag
  at = writeVarint(target, at, size)
  target[at++] = KEY
  at = writeVarint(target, at, key.length)
  target.set(key, at)
  target.set(record, at + key.length)
  return at + key.length + record.length
}

/** A mvccpb.KeyValue message by itself: the key, and all of the record if there is one. */
export const keyValueBytes = (key: Uint8Array, record: Uint8Array | undefined): Buffer => {
  const head = 1 + varintSize(key.length)
  const bytes = Buffer.allocUnsafe(head + key.length + (record?.length ?? 0))
  bytes[0] = KEY
  writeVarint(bytes, 1, key.length)
  bytes.set(key, head)
  if (record !== undefined) bytes.set(record, head + key.length)
  return bytes
}
