// Protocol Buffers on bytes: a reader and a writer without intermediate objects, for the hot paths.
// Owns wire types, varints and 64-bit integers; refuses to own message shapes (ProtoMessage.ts, and each room's tables).
// Hand-written because the store reads and answers a request in less time than a reflection-based library allocates for it.
// Source: the Protocol Buffers encoding guide (wire types 0, 1, 2, 5).

/** A 64-bit integer off the wire: a number while |n| ≤ 2^53−1, a bigint beyond, never the other way round, so `===` holds. */
export type Int64 = number | bigint

/** Malformed wire bytes: says what was expected; carries no payload. */
export class ProtoError extends Error {
  override readonly name = "ProtoError"
}

const TWO_32 = 4_294_967_296
const utf8 = new TextDecoder("utf-8")

/** The canonical form of a 64-bit integer: a number where that is exact. */
export const int64 = (value: bigint): Int64 =>
  value >= -9_007_199_254_740_991n && value <= 9_007_199_254_740_991n ? Number(value) : value

/** Reads fields in place; `bytes()` gives views, so copy what must outlive the buffer. */
export class ProtoReader {
  buffer: Uint8Array
  position: number
  end: number

  constructor(buffer: Uint8Array, position = 0, end = buffer.length) {
    this.buffer = buffer
    this.position = position
    this.end = end
  }

  /** The next field's tag (number << 3 | wire type), or 0 at the end. */
  tag(): number {
    return this.position >= this.end ? 0 : this.uint32()
  }

  /** A varint cut to its low 32 bits, unsigned. */
  uint32(): number {
    const { buffer } = this
    let position = this.position
    let byte = buffer[position++]
    let value = byte & 0x7f
    let shift = 7
    while (byte >= 0x80) {
      byte = buffer[position++]
      if (shift < 28) value |= (byte & 0x7f) << shift
      else if (shift === 28) value |= (byte & 0x0f) << 28
      else if (shift > 63) throw new ProtoError("varint longer than 10 bytes")
      shift += 7
    }
    if (position > this.end) throw new ProtoError("message ends inside a varint")
    this.position = position
    return value >>> 0
  }

  /** A signed 64-bit varint (int64, and int32 that is sign-extended on the wire). */
  int64(): Int64 {
    return this.varint64(true)
  }

  /** An unsigned 64-bit varint. */
  uint64(): Int64 {
    return this.varint64(false)
  }

  private varint64(signed: boolean): Int64 {
    const { buffer } = this
    let position = this.position
    let low = 0
    let high = 0
    let shift = 0
    let byte: number
    do {
      byte = buffer[position++]
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= (bits & 0x0f) << 28
        high |= bits >> 4
      } else if (shift <= 63) high |= bits << (shift - 32)
      else throw new ProtoError("varint longer than 10 bytes")
      shift += 7
    } while (byte >= 0x80)
    if (position > this.end) throw new ProtoError("message ends inside a varint")
    this.position = position
    const top = signed ? high | 0 : high >>> 0
    if (top < 0x20_0000 && top >= -0x1f_ffff) return top * TWO_32 + (low >>> 0)
    return int64(BigInt(top) * 4_294_967_296n + BigInt(low >>> 0))
  }

  bool(): boolean {
    return this.uint32() !== 0
  }

  /** A length-delimited field as a view into the buffer. */
  bytes(): Uint8Array {
    const length = this.uint32()
    const start = this.position
    if (start + length > this.end) throw new ProtoError("length-delimited field runs past the message")
    this.position = start + length
    return this.buffer.subarray(start, start + length)
  }

  string(): string {
    return utf8.decode(this.bytes())
  }

  /** Moves over a length-delimited field and returns its start; the end is `position`. */
  span(): number {
    const length = this.uint32()
    const start = this.position
    if (start + length > this.end) throw new ProtoError("length-delimited field runs past the message")
    this.position = start + length
    return start
  }

  double(): number {
    const view = new DataView(this.buffer.buffer, this.buffer.byteOffset + this.position, 8)
    this.advance(8)
    return view.getFloat64(0, true)
  }

  fixed32(): number {
    const view = new DataView(this.buffer.buffer, this.buffer.byteOffset + this.position, 4)
    this.advance(4)
    return view.getUint32(0, true)
  }

  fixed64(): Int64 {
    const view = new DataView(this.buffer.buffer, this.buffer.byteOffset + this.position, 8)
    this.advance(8)
    return int64(view.getBigUint64(0, true))
  }

  /** Passes over a field that the reader does not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint64(false)
        return
      case 1:
        return this.advance(8)
      case 2:
        this.span()
        return
      case 5:
        return this.advance(4)
      default:
        throw new ProtoError(`wire type ${tag & 7} is not supported`)
    }
  }

  private advance(count: number): void {
    if (this.position + count > this.end) throw new ProtoError("message ends inside a field")
    this.position += count
  }
}

/** Bytes that a varint of this non-negative integer takes. */
export const varintSize = (value: number): number => {
  let size = 1
  while (value >= 0x80) {
    value = value < TWO_32 ? value >>> 7 : Math.floor(value / 128)
    size++
  }
  return size
}

/** Bytes that a 64-bit integer takes as a varint; negative ones take ten. */
export const int64Size = (value: Int64): number => {
  if (typeof value === "number") return value < 0 ? 10 : varintSize(value)
  if (value < 0n) return 10
  let size = 1
  for (let rest = value; rest >= 0x80n; rest >>= 7n) size++
  return size
}

/** Writes a non-negative safe integer as a varint and returns the next position. */
export const writeVarint = (target: Uint8Array, position: number, value: number): number => {
  while (value >= 0x80) {
    target[position++] = (value & 0x7f) | 0x80
    value = value < TWO_32 ? value >>> 7 : Math.floor(value / 128)
  }
  target[position++] = value
  return position
}

/** Writes a 64-bit integer as a varint and returns the next position. */
export const writeInt64 = (target: Uint8Array, position: number, value: Int64): number => {
  if (typeof value === "number" && value >= 0) return writeVarint(target, position, value)
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest >= 0x80n) {
    target[position++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  target[position++] = Number(rest)
  return position
}

/** Appends fields to a buffer that grows; `finish` hands out a view, `take` a buffer of its own. */
export class ProtoWriter {
  buffer: Buffer
  position = 0

  constructor(sizeBytes = 1024) {
    this.buffer = Buffer.allocUnsafeSlow(sizeBytes)
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    if (this.position + count <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(Math.ceil(this.buffer.length * 1.5), this.position + count))
    grown.set(this.buffer.subarray(0, this.position))
    this.buffer = grown
  }

  varint(value: number): void {
    this.ensure(10)
    this.position = writeVarint(this.buffer, this.position, value)
  }

  int64(value: Int64): void {
    this.ensure(10)
    this.position = writeInt64(this.buffer, this.position, value)
  }

  /** Raw bytes without a length. */
  raw(bytes: Uint8Array): void {
    this.ensure(bytes.length)
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
  }

  /** A length-delimited field with its tag. */
  bytesField(tag: number, bytes: Uint8Array): void {
    this.varint(tag)
    this.varint(bytes.length)
    this.raw(bytes)
  }

  stringField(tag: number, text: string): void {
    const size = Buffer.byteLength(text)
    this.varint(tag)
    this.varint(size)
    this.ensure(size)
    this.position += this.buffer.write(text, this.position, "utf8")
  }

  int64Field(tag: number, value: Int64): void {
    this.varint(tag)
    this.int64(value)
  }

  doubleField(tag: number, value: number): void {
    this.varint(tag)
    this.ensure(8)
    this.position = this.buffer.writeDoubleLE(value, this.position)
  }

  fixed32(value: number): void {
    this.ensure(4)
    this.position = this.buffer.writeUInt32LE(value, this.position)
  }

  fixed64(value: Int64): void {
    this.ensure(8)
    this.position = this.buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), this.position)
  }

  /** Starts a nested message: call `close` with the result when its fields are written. */
  open(tag: number): number {
    this.varint(tag)
    this.ensure(5)
    this.position += 1
    return this.position
  }

  /** Ends a nested message: writes its length before it, moving it when the length takes more than a byte. */
  close(start: number): void {
    const size = this.position - start
    const lengthSize = varintSize(size)
    if (lengthSize > 1) {
      this.ensure(lengthSize)
      this.buffer.copyWithin(start + lengthSize - 1, start, this.position)
      this.position += lengthSize - 1
    }
    writeVarint(this.buffer, start - 1, size)
  }

  /** What was written so far, as a view that the next use overwrites. */
  view(): Buffer {
    return this.buffer.subarray(0, this.position)
  }

  /** A copy of what was written; the writer starts anew. */
  take(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.position)
    copy.set(this.view())
    this.position = 0
    return copy
  }
}
