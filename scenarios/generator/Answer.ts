// Reading etcd's answers without building objects: a cursor over protobuf bytes, and the few fields the load generator
// acts on. Owns field numbers of responses (etcdserverpb and mvccpb of etcd 3.7); refuses to keep views of the bytes.

/** A cursor over protobuf bytes. Numbers beyond 2^53 lose their low bits, which ids may and revisions never reach. */
export class Cursor {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  end = 0

  reset(bytes: Uint8Array, at = 0, end = bytes.length): this {
    this.bytes = bytes
    this.at = at
    this.end = end
    return this
  }

  /** Reads a varint as a number. */
  varint(): number {
    const { bytes } = this
    let byte = bytes[this.at++]
    if (byte < 128) return byte
    let value = byte & 0x7f
    let scale = 128
    do {
      byte = bytes[this.at++]
      value += (byte & 0x7f) * scale
      scale *= 128
    } while (byte >= 128 && this.at < this.end)
    return value
  }

  /** Passes over one field's value; `tag` is the tag just read. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        while (this.bytes[this.at++] >= 128 && this.at < this.end);
        return
      case 1:
        this.at += 8
        return
      case 2: {
        const length = this.varint()
        this.at += length
        return
      }
      default:
        this.at += 4
    }
  }
}

const cursor = new Cursor()
const inner = new Cursor()

/** What one answer said; reused between calls of `readAnswer`, so it must be read before the next. */
export interface Answer {
  /** Header revision; 0 when there was none. */
  revision: number
  /** Field 2 of a TxnResponse. */
  succeeded: boolean
  /** Key-value pairs in a RangeResponse. */
  keyValues: number
  /** Mod revision of the last pair seen, 0 when there was none. */
  modRevision: number
  /** Where the last pair's key stands in the bytes. */
  keyAt: number
  keyEnd: number
  more: boolean
  count: number
  /** Keys deleted, in a DeleteRangeResponse. */
  deleted: number
}

const answer: Answer = {
  revision: 0,
  succeeded: false,
  keyValues: 0,
  modRevision: 0,
  keyAt: 0,
  keyEnd: 0,
  more: false,
  count: 0,
  deleted: 0
}

const clear = (): void => {
  answer.revision = 0
  answer.succeeded = false
  answer.keyValues = 0
  answer.modRevision = 0
  answer.keyAt = 0
  answer.keyEnd = 0
  answer.more = false
  answer.count = 0
  answer.deleted = 0
}

const readHeader = (bytes: Uint8Array, at: number, end: number): void => {
  inner.reset(bytes, at, end)
  while (inner.at < end) {
    const tag = inner.varint()
    if (tag === 0x18) {
      answer.revision = inner.varint()
      return
    }
    inner.skip(tag)
  }
}

const readKeyValue = (bytes: Uint8Array, at: number, end: number): void => {
  inner.reset(bytes, at, end)
  while (inner.at < end) {
    const tag = inner.varint()
    if (tag === 0x0a) {
      const length = inner.varint()
      answer.keyAt = inner.at
      answer.keyEnd = inner.at + length
      inner.at += length
    } else if (tag === 0x18) {
      answer.modRevision = inner.varint()
      return
    } else inner.skip(tag)
  }
}

/** Reads a PutResponse, TxnResponse or CompactionResponse: header revision and, for Txn, whether it succeeded. */
export const readWrite = (bytes: Uint8Array): Answer => {
  clear()
  cursor.reset(bytes)
  while (cursor.at < cursor.end) {
    const tag = cursor.varint()
    if (tag === 0x0a) {
      const length = cursor.varint()
      readHeader(bytes, cursor.at, cursor.at + length)
      cursor.at += length
    } else if (tag === 0x10) answer.succeeded = cursor.varint() !== 0
    else return answer
  }
  return answer
}

/** Reads a RangeResponse of any length; of its pairs, the number and the last one's key and mod revision. */
export const readRange = (bytes: Uint8Array, from = 0, to = bytes.length): Answer => {
  clear()
  cursor.reset(bytes, from, to)
  while (cursor.at < to) {
    const tag = cursor.varint()
    if (tag === 0x18) answer.more = cursor.varint() !== 0
    else if (tag === 0x20) answer.count = cursor.varint()
    else if (tag === 0x0a || tag === 0x12) {
      const length = cursor.varint()
      if (tag === 0x0a) readHeader(bytes, cursor.at, cursor.at + length)
      else {
        answer.keyValues++
        readKeyValue(bytes, cursor.at, cursor.at + length)
      }
      cursor.at += length
    } else cursor.skip(tag)
  }
  return answer
}

/** Finds a length-delimited field of a message; the result is a view, empty when the field is absent. */
export const subMessage = (bytes: Uint8Array, field: number): Uint8Array => {
  const at = new Cursor().reset(bytes)
  while (at.at < at.end) {
    const tag = at.varint()
    if (tag === ((field << 3) | 2)) {
      const length = at.varint()
      return bytes.subarray(at.at, at.at + length)
    }
    at.skip(tag)
  }
  return bytes.subarray(0, 0)
}

/** A copy of a varint field's bytes, so that 64-bit ids keep all their bits; empty when the field is absent. */
export const rawVarint = (bytes: Uint8Array, field: number): Uint8Array => {
  const at = new Cursor().reset(bytes)
  while (at.at < at.end) {
    const tag = at.varint()
    const from = at.at
    at.skip(tag)
    if (tag === field << 3) return Uint8Array.from(bytes.subarray(from, at.at))
  }
  return new Uint8Array(0)
}

/** A varint field of a message as a number; 0 when absent. */
export const varintField = (bytes: Uint8Array, field: number): number => {
  const at = new Cursor().reset(bytes)
  while (at.at < at.end) {
    const tag = at.varint()
    if (tag === field << 3) return at.varint()
    at.skip(tag)
  }
  return 0
}
