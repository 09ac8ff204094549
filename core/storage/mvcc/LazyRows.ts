// Rows of the store as an engine in memory holds them: fields instead of bytes, encoded only when somebody reads the bytes.
// Owns the three kinds (a version, a superseded version, a line of the log) and their encoding, which is that of Record.ts and
// Layout.ts; refuses to decide what is written. A value may be a text that is not even made yet.
import type { Int64 } from "#net"
import type { LazyValue, RowValue } from "../engine/Engine.ts"
import { EventKind, HISTORY_HEADER_BYTES, logValue, writeRevision } from "./Layout.ts"
import { valueBytes } from "../engine/Engine.ts"
import { encodeRecord, readRecord } from "./Record.ts"

/** A value that is known before its text is; the text is always the same. */
export interface StoredText {
  /** About what it takes. */
  readonly sizeBytes: number
  readonly text: () => string
}

/** A version of a key: what a record says. */
export class LazyRecord implements LazyValue {
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: Int64
  private readonly content: Uint8Array | StoredText

  constructor(
    createRevision: number,
    modRevision: number,
    version: number,
    lease: Int64,
    content: Uint8Array | StoredText
  ) {
    this.createRevision = createRevision
    this.modRevision = modRevision
    this.version = version
    this.lease = lease
    this.content = content
  }

  get sizeBytes(): number {
    const { content } = this
    return 16 + (content instanceof Uint8Array ? content.length : content.sizeBytes)
  }

  /** The value alone. */
  value(): Uint8Array {
    const { content } = this
    return content instanceof Uint8Array ? content : Buffer.from(content.text())
  }

  bytes(): Uint8Array {
    const { createRevision, lease, modRevision, version } = this
    return encodeRecord(createRevision, modRevision, version, this.value(), lease)
  }
}

/** A superseded version, with the revision that superseded it. */
export class LazyHistory implements LazyValue {
  private readonly record: RowValue
  private readonly end: number

  constructor(record: RowValue, end: number) {
    this.record = record
    this.end = end
  }

  get sizeBytes(): number {
    const { record } = this
    return HISTORY_HEADER_BYTES + (record instanceof Uint8Array ? record.length : record.sizeBytes)
  }

  bytes(): Uint8Array {
    const record = valueBytes(this.record)
    const row = Buffer.allocUnsafe(HISTORY_HEADER_BYTES + record.length)
    writeRevision(row, 0, this.end)
    row.set(record, HISTORY_HEADER_BYTES)
    return row
  }
}

/** A line of the log. */
export class LazyLog implements LazyValue {
  readonly kind: EventKind
  readonly previous: number
  /** The key's latin1 text. */
  readonly text: string

  constructor(kind: EventKind, previous: number, text: string) {
    this.kind = kind
    this.previous = previous
    this.text = text
  }

  get sizeBytes(): number {
    return 9 + this.text.length
  }

  bytes(): Uint8Array {
    return logValue(this.kind, this.previous, Buffer.from(this.text, "latin1"))
  }
}

/** What a transaction asks of the version that it supersedes. */
export interface RecordHead {
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

/** The head of a version; of bytes in an object that the next call overwrites. */
export const headOf = (record: RowValue): RecordHead =>
  record instanceof LazyRecord ? record : readRecord(valueBytes(record))

/** The value of a version. */
export const contentOf = (record: RowValue): Uint8Array => {
  if (record instanceof LazyRecord) return record.value()
  const bytes = valueBytes(record)
  const { valueEnd, valueStart } = readRecord(bytes)
  return bytes.subarray(valueStart, valueEnd)
}
