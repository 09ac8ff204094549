// Bodies in Protocol Buffers, as typed Go clients send built-in kinds: decoded into the JSON that the same client would have sent.
// Owns the envelope and the types that are no plain messages; refuses to write this form, because every such client reads JSON as well.
// Source: k8s.io/apimachinery, pkg/runtime/serializer/protobuf, and the generated.proto files.
import { type ApiFailure, Failures, type Json, rfc3339, rfc3339Micro } from "#kube"
import { ProtoError, ProtoReader } from "#net"
import { type ProtoField, type ProtoKind, protobufTable } from "./ProtobufTableAdapter.ts"

/** What a body of this form begins with. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00]

type Fields = { [name: string]: Json }

interface Envelope {
  apiVersion: string
  kind: string
  raw: Uint8Array
}

const openEnvelope = (bytes: Uint8Array): Envelope => {
  const envelope: Envelope = { apiVersion: "", kind: "", raw: new Uint8Array() }
  const reader = new ProtoReader(bytes, MAGIC.length)
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) openTypeMeta(new ProtoReader(reader.bytes()), envelope)
    else if (tag === 18) envelope.raw = reader.bytes()
    else reader.skip(tag)
  }
  return envelope
}

const openTypeMeta = (reader: ProtoReader, envelope: Envelope): void => {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) envelope.apiVersion = reader.string()
    else if (tag === 18) envelope.kind = reader.string()
    else reader.skip(tag)
  }
}

/** The JSON of a body; `expected` is the kind that the resource has. */
export const decodeProtobuf = (bytes: Uint8Array, expected: string): { readonly value: Json } | ApiFailure => {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) {
    return Failures.badRequest(
      `the object provided is unrecognized (must be of type ${expected}): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]`
    )
  }
  try {
    const { apiVersion, kind, raw } = openEnvelope(bytes)
    const message = protobufTable().messageOf(apiVersion, kind)
    if (message === undefined) {
      return Failures.badRequest(`no kind "${kind}" is registered for version "${apiVersion}" in protobuf`)
    }
    return { value: { kind, apiVersion, ...decodeMessage(message, new ProtoReader(raw)) } }
  } catch (error) {
    if (!(error instanceof ProtoError) && !(error instanceof SyntaxError)) throw error
    return Failures.badRequest(
      `the object provided is unrecognized (must be of type ${expected}): proto: ${error.message}`
    )
  }
}

const decodeMessage = (number: number, reader: ProtoReader, into: Fields = {}): Fields => {
  const fields = protobufTable().message(number)
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = fields[tag >>> 3]
    if (field === undefined) reader.skip(tag)
    else if (field.shape === "map") putEntry(field, reader, into)
    else if (field.shape === "list") putItem(field, reader, tag, into)
    else putOne(field, reader, into)
  }
  return into
}

const putOne = (field: ProtoField, reader: ProtoReader, into: Fields): void => {
  const { inline, kept, kind, name, pointer } = field
  if (inline && typeof kind === "number") {
    decodeMessage(kind, new ProtoReader(reader.bytes()), into)
    return
  }
  const value = decodeValue(kind, reader)
  // Go writes every field that is no pointer; JSON leaves out those that are zero, as the client's own encoder would.
  if (value !== undefined && (pointer || kept || !isZero(value))) into[name] = value
}

const isZero = (value: Json): boolean => value === "" || value === 0 || value === false

const putItem = ({ kind, name }: ProtoField, reader: ProtoReader, tag: number, into: Fields): void => {
  const list = (into[name] ??= []) as Array<Json>
  if ((tag & 7) === 2 && (kind === "i" || kind === "o")) {
    const packed = new ProtoReader(reader.bytes())
    while (packed.position < packed.end) list.push(decodeValue(kind, packed) ?? null)
  } else list.push(decodeValue(kind, reader) ?? null)
}

const putEntry = ({ kind, name }: ProtoField, reader: ProtoReader, into: Fields): void => {
  const map = (into[name] ??= {}) as Fields
  const entry = new ProtoReader(reader.bytes())
  let key = ""
  let value: Json | undefined
  for (let tag = entry.tag(); tag !== 0; tag = entry.tag()) {
    if (tag >>> 3 === 1) key = entry.string()
    else value = decodeValue(kind, entry)
  }
  map[key] = value ?? (kind === "s" ? "" : null)
}

/** The value of one field; undefined for what JSON says by leaving it out. */
const decodeValue = (kind: ProtoKind, reader: ProtoReader): Json | undefined => {
  if (typeof kind === "number") return decodeMessage(kind, new ProtoReader(reader.bytes()))
  switch (kind) {
    case "s":
      return reader.string()
    case "i":
      return Number(reader.int64())
    case "o":
      return reader.bool()
    case "d":
      return reader.double()
    case "b":
      return Buffer.from(reader.bytes()).toString("base64")
    default:
      return decodeSpecial(kind, new ProtoReader(reader.bytes()))
  }
}

/** A small message as its fields by number: numbers, or views of bytes. */
const looseFields = (
  reader: ProtoReader
): { readonly numbers: Map<number, number>; readonly bytes: Map<number, Array<Uint8Array>> } => {
  const numbers = new Map<number, number>()
  const bytes = new Map<number, Array<Uint8Array>>()
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const at = tag >>> 3
    if ((tag & 7) === 0) numbers.set(at, Number(reader.int64()))
    else if ((tag & 7) === 2) bytes.set(at, [...(bytes.get(at) ?? []), reader.bytes()])
    else reader.skip(tag)
  }
  return { numbers, bytes }
}

const textOf = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? "" : Buffer.from(bytes).toString("utf8")

const schemaOf = (bytes: Uint8Array): Json => decodeMessage(protobufTable().schemaProps, new ProtoReader(bytes))

/** Types whose JSON is no object of their fields. */
const decodeSpecial = (kind: string, reader: ProtoReader): Json | undefined => {
  const { bytes, numbers } = looseFields(reader)
  const [first] = bytes.get(1) ?? []
  switch (kind) {
    case "T":
      return timeOf(numbers, false)
    case "M":
      return timeOf(numbers, true)
    case "D":
      return `${(numbers.get(1) ?? 0) / 1e9}s`
    case "Q":
      return textOf(first)
    case "X":
      return numbers.get(1) === 1 ? textOf(bytes.get(3)?.[0]) : (numbers.get(2) ?? 0)
    case "J":
      return first === undefined || first.length === 0 ? undefined : (JSON.parse(textOf(first)) as Json)
    case "W":
      return (bytes.get(1) ?? []).map(textOf)
    case "A":
      return first === undefined ? (bytes.get(2) ?? []).map(schemaOf) : schemaOf(first)
    case "B":
      return bytes.has(2) ? schemaOf(bytes.get(2)?.[0] ?? new Uint8Array()) : numbers.get(1) === 1
    case "S":
      return first === undefined ? (bytes.get(2) ?? []).map(textOf) : schemaOf(first)
    default:
      throw new ProtoError(`no form for ${kind}`)
  }
}

/** Undefined for the zero time, which an empty message says. */
const timeOf = (numbers: ReadonlyMap<number, number>, micro: boolean): string | undefined => {
  if (numbers.size === 0) return undefined
  const ms = (numbers.get(1) ?? 0) * 1000 + (numbers.get(2) ?? 0) / 1e6
  return micro ? rfc3339Micro(ms) : rfc3339(ms)
}
