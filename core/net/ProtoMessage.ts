// Message codecs from a table of fields: one line a field, types inferred, for everything that is not a hot path.
// Owns presence rules (proto3: scalars at their default are not written) and repeated and nested fields.
// Refuses to own groups, maps and extensions: the protocols that we speak do not use them.
import { type Int64, ProtoError, ProtoReader, ProtoWriter } from "./Protobuf.ts"

type Scalar = "bytes" | "string" | "bool" | "int32" | "uint32" | "int64" | "uint64" | "double" | "fixed32" | "fixed64"

/** A field: its number, its type, and whether it repeats. Nested types are given lazily, so that messages may recurse. */
export interface Field<T> {
  readonly number: number
  readonly scalar: Scalar | undefined
  readonly nested: (() => Message<object>) | undefined
  readonly repeated: boolean
  /** Always written, even at its default: proto3 `optional` and members of a oneof. */
  readonly explicit: boolean
  /** Only there to carry the TypeScript type. */
  readonly type?: T
}

interface ScalarTypes {
  bytes: Uint8Array
  string: string
  bool: boolean
  int32: number
  uint32: number
  int64: Int64
  uint64: Int64
  double: number
  fixed32: number
  fixed64: Int64
}

/** A singular scalar; absent on the wire it has its default. */
export const field = <S extends Scalar>(number: number, scalar: S): Field<ScalarTypes[S]> => ({
  number,
  scalar,
  nested: undefined,
  repeated: false,
  explicit: false
})

/** A scalar with presence (`optional`, or a member of a oneof): undefined when absent. */
export const optional = <S extends Scalar>(number: number, scalar: S): Field<ScalarTypes[S] | undefined> => ({
  number,
  scalar,
  nested: undefined,
  repeated: false,
  explicit: true
})

/** A repeated scalar; packed and unpacked forms are both read, numbers are written packed. */
export const list = <S extends Scalar>(number: number, scalar: S): Field<ReadonlyArray<ScalarTypes[S]>> => ({
  number,
  scalar,
  nested: undefined,
  repeated: true,
  explicit: false
})

/** A nested message: undefined when absent. */
export const one = <T extends object>(number: number, nested: () => Message<T>): Field<T | undefined> => ({
  number,
  scalar: undefined,
  nested: nested,
  repeated: false,
  explicit: true
})

/** A repeated nested message. */
export const many = <T extends object>(number: number, nested: () => Message<T>): Field<ReadonlyArray<T>> => ({
  number,
  scalar: undefined,
  nested: nested,
  repeated: true,
  explicit: false
})

type Fields = Readonly<Record<string, Field<unknown>>>
type Shape<F extends Fields> = { -readonly [K in keyof F]: Exclude<F[K]["type"], undefined> | OptionalPart<F[K]> }
type OptionalPart<F> = F extends Field<infer T> ? (undefined extends T ? undefined : never) : never

/** The decoded type of a message codec. */
export type MessageType<M> = M extends Message<infer T> ? T : never

/** Messages in messages: beyond, a request of a few kilobytes would take the whole stack. */
const DEPTH_MAX = 1000
const EMPTY = new Uint8Array(0)
const defaults: Record<Scalar, unknown> = {
  bytes: EMPTY,
  string: "",
  bool: false,
  int32: 0,
  uint32: 0,
  int64: 0,
  uint64: 0,
  double: 0,
  fixed32: 0,
  fixed64: 0
}
const wireType = (scalar: Scalar | undefined): number => {
  switch (scalar) {
    case undefined:
    case "bytes":
    case "string":
      return 2
    case "double":
    case "fixed64":
      return 1
    case "fixed32":
      return 5
    default:
      return 0
  }
}

const readScalar = (reader: ProtoReader, scalar: Scalar): unknown => {
  switch (scalar) {
    case "int32":
      return reader.uint32() | 0
    case "uint32":
      return reader.uint32()
    default:
      return reader[scalar]()
  }
}

const writeScalar = (writer: ProtoWriter, tag: number, scalar: Scalar, value: unknown): void => {
  switch (scalar) {
    case "bytes":
      return writer.bytesField(tag, value as Uint8Array)
    case "string":
      return writer.stringField(tag, value as string)
    case "double":
      return writer.doubleField(tag, value as number)
    case "fixed32":
      writer.varint(tag)
      return writer.fixed32(value as number)
    case "fixed64":
      writer.varint(tag)
      return writer.fixed64(value as Int64)
    default:
      return writer.int64Field(tag, typeof value === "boolean" ? Number(value) : (value as Int64))
  }
}

/** Encodes and decodes one message type. */
export class Message<T extends object> {
  private readonly byNumber: Array<readonly [string, Field<unknown>] | undefined> = []
  private readonly entries: ReadonlyArray<readonly [string, Field<unknown>]>
  private readonly empty: Record<string, unknown> = {}

  constructor(fields: Fields) {
    this.entries = Object.entries(fields).sort((a, b) => a[1].number - b[1].number)
    for (const entry of this.entries) this.byNumber[entry[1].number] = entry
    for (const [name, { explicit, repeated, scalar }] of this.entries) {
      this.empty[name] = repeated ? EMPTY_LIST : explicit || scalar === undefined ? undefined : defaults[scalar]
    }
  }

  /** A message with every field at its default, but for those given. */
  make(fields: Partial<T> = {}): T {
    return { ...this.empty, ...fields } as T
  }

  /** Decodes; `bytes` fields are views into the buffer. Throws ProtoError on malformed bytes. */
  decode(buffer: Uint8Array, start = 0, end = buffer.length, depth = 0): T {
    if (depth > DEPTH_MAX) throw new ProtoError(`message is nested more than ${DEPTH_MAX} deep`)
    const reader = new ProtoReader(buffer, start, end)
    const result: Record<string, unknown> = { ...this.empty }
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const entry = this.byNumber[tag >>> 3]
      if (entry === undefined) reader.skip(tag)
      else this.readField(reader, tag, entry, result, depth)
    }
    return result as T
  }

  private readField(
    reader: ProtoReader,
    tag: number,
    [name, field]: readonly [string, Field<unknown>],
    result: Record<string, unknown>,
    depth: number
  ): void {
    const packed = field.repeated && (tag & 7) === 2 && field.scalar !== undefined && wireType(field.scalar) !== 2
    if (!packed && (tag & 7) !== wireType(field.scalar)) return reader.skip(tag)
    const target = field.repeated ? ownList(result, name) : undefined
    if (packed) {
      const inner = new ProtoReader(reader.buffer, reader.span(), reader.position)
      while (inner.position < inner.end) target?.push(readScalar(inner, field.scalar))
      return
    }
    let value: unknown
    if (field.nested === undefined) value = readScalar(reader, field.scalar as Scalar)
    else {
      const start = reader.span()
      value = field.nested().decode(reader.buffer, start, reader.position, depth + 1)
    }
    if (target === undefined) result[name] = value
    else target.push(value)
  }

  /** Appends the fields that are there and not at their default, in the order of their numbers. */
  write(writer: ProtoWriter, value: Partial<T>): void {
    const record = value as Record<string, unknown>
    for (const [name, field] of this.entries) {
      const content = record[name]
      if (content === undefined) continue
      if (field.repeated) writeList(writer, field, content as ReadonlyArray<unknown>)
      else if (field.nested !== undefined) writeNested(writer, field, content as object)
      else if (field.explicit || !isDefault(content)) writeOne(writer, field, content)
    }
  }

  /** The encoded message in a buffer of its own. */
  encode(value: Partial<T>): Buffer {
    const writer = new ProtoWriter(256)
    this.write(writer, value)
    return writer.take()
  }
}

const EMPTY_LIST: ReadonlyArray<never> = Object.freeze([])

const ownList = (result: Record<string, unknown>, name: string): Array<unknown> => {
  const present = result[name] as Array<unknown>
  if ((present as ReadonlyArray<unknown>) !== EMPTY_LIST) return present
  const made: Array<unknown> = []
  result[name] = made
  return made
}

const isDefault = (value: unknown): boolean =>
  value === 0 || value === false || value === "" || (value instanceof Uint8Array && value.length === 0)

const writeOne = (writer: ProtoWriter, field: Field<unknown>, value: unknown): void =>
  writeScalar(writer, (field.number << 3) | wireType(field.scalar), field.scalar as Scalar, value)

const writeNested = (writer: ProtoWriter, field: Field<unknown>, value: object): void => {
  const start = writer.open((field.number << 3) | 2)
  field.nested?.().write(writer, value)
  writer.close(start)
}

const writeList = (writer: ProtoWriter, field: Field<unknown>, values: ReadonlyArray<unknown>): void => {
  if (values.length === 0) return
  if (field.nested !== undefined) for (const value of values) writeNested(writer, field, value as object)
  else if (wireType(field.scalar) === 2) for (const value of values) writeOne(writer, field, value)
  else {
    const start = writer.open((field.number << 3) | 2)
    for (const value of values) {
      if (field.scalar === "double" || field.scalar === "fixed32" || field.scalar === "fixed64") {
        writeFixed(writer, field.scalar, value)
      } else writer.int64(typeof value === "boolean" ? Number(value) : (value as Int64))
    }
    writer.close(start)
  }
}

const writeFixed = (writer: ProtoWriter, scalar: "double" | "fixed32" | "fixed64", value: unknown): void => {
  if (scalar === "fixed32") writer.fixed32(value as number)
  else if (scalar === "fixed64") writer.fixed64(value as Int64)
  else {
    writer.ensure(8)
    writer.position = writer.buffer.writeDoubleLE(value as number, writer.position)
  }
}

/** A message codec from its table: `message({ key: field(1, "bytes"), kvs: many(2, () => KeyValue) })`. */
export const message = <F extends Fields>(fields: F): Message<Shape<F>> => new Message<Shape<F>>(fields)
