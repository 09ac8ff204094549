// Rows of the store as an engine in memory holds them: fields instead of bytes, encoded only when somebody reads the bytes.
// Owns the three kinds (a version, a superseded version, a line of the log) and their encoding, which is that of Record.ts and
// Layout.ts; refuses to decide what is written. A value may be a text that is not even made yet.
import type { Int64 } from "#net"
import { type LazyValue, type RowValue, valueBytes } from "../engine/Engine.ts"
import type { Companion, CompanionedValue } from "../engine/MemoryTables.ts"
import { EventKind, HISTORY_HEADER_BYTES, historyText, logValue, revisionRow, writeRevision } from "./Layout.ts"
import { encodeRecord, readRecord } from "./Record.ts"

/** A value that is known before its text is; the text is always the same. */
export interface StoredText {
  /** About what it takes. */
  readonly sizeBytes: number
  readonly text: () => string
}

/** An integer as a row of its own. */
export class LazyRevision implements LazyValue {
  readonly sizeBytes = 8
  private readonly revision: number

  constructor(revision: number) {
    this.revision = revision
  }

  bytes(): Uint8Array {
    return revisionRow(this.revision)
  }
}

/** A version of a key: what a record says. */
export class LazyRecord implements LazyValue {
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: Int64
  readonly sizeBytes: number
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
    this.sizeBytes = 16 + (content instanceof Uint8Array ? content.length : content.sizeBytes)
  }

  /** What the writer gave as the value, where its text is made of that. */
  get source(): StoredText | undefined {
    const { content } = this
    return content instanceof Uint8Array ? undefined : content
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

/** A line of the log, with the version that its event superseded as its companion in the history. */
export class LazyLog implements CompanionedValue {
  readonly kind: EventKind
  readonly previous: number
  /** The key's latin1 text. */
  readonly text: string
  private readonly superseded: RowValue | undefined
  private readonly revision: number

  constructor(kind: EventKind, revision: number, previous: number, text: string, superseded: RowValue | undefined) {
    this.kind = kind
    this.revision = revision
    this.previous = previous
    this.text = text
    this.superseded = superseded
  }

  /** Whether the version that it superseded is still there. */
  get isCompanioned(): boolean {
    return this.superseded !== undefined
  }

  companion(): Companion | undefined {
    const { previous, revision, superseded, text } = this
    if (superseded === undefined) return undefined
    return { key: historyText(text, previous), value: new LazyHistory(superseded, revision) }
  }

  /** The line when the history has lost what it superseded. */
  alone(): LazyLog {
    return new LazyLog(this.kind, this.revision, this.previous, this.text, undefined)
  }

  get sizeBytes(): number {
    const { superseded } = this
    const more = superseded === undefined || superseded instanceof Uint8Array ? 0 : superseded.sizeBytes
    return 9 + this.text.length + more
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
  readonly lease: Int64
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
