// Request bytes assembled once and patched per request: a protobuf message is laid out from a description, and the
// places of its keys, revision and value stamp are remembered, so that the hot path only overwrites a few bytes.
// Owns the wire format of requests as far as templates need it; which requests exist is KubeRequests.ts's.

/** One field of a message description; `mark` names bytes that will be overwritten per request. */
export type Field =
  | { readonly varint: readonly [field: number, value: number]; readonly mark?: "revision" }
  | { readonly bytes: readonly [field: number, value: Uint8Array]; readonly mark?: "key" | "value" }
  | { readonly raw: readonly [field: number, varint: Uint8Array] }
  | { readonly message: readonly [field: number, fields: ReadonlyArray<Field>] }

/** A laid-out message. Offsets are of the first byte of each marked part; revisionAt is -1 when there is none. */
export interface Template {
  readonly bytes: Uint8Array
  readonly keysAt: ReadonlyArray<number>
  readonly valueAt: number
  readonly revisionAt: number
}

/** Bytes that a whole number from 0 to 2^53 takes as a varint. */
export const varintBytes = (value: number): number => {
  let size = 1
  for (let rest = value; rest >= 128; rest /= 128) size++
  return size
}

/** Writes a varint and returns the offset behind it; `value` is a whole number from 0 to 2^53. */
export const writeVarint = (into: Uint8Array, at: number, value: number): number => {
  let rest = value
  while (rest >= 0x80000000) {
    into[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 128) {
    into[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  into[at++] = rest
  return at
}

const fieldOf = (part: Field): number => {
  if ("varint" in part) return part.varint[0]
  if ("bytes" in part) return part.bytes[0]
  return "raw" in part ? part.raw[0] : part.message[0]
}

const sizeOf = (fields: ReadonlyArray<Field>): number => fields.reduce((sum, part) => sum + partSize(part), 0)

const bodySize = (part: Field): number => {
  if ("varint" in part) return varintBytes(part.varint[1])
  if ("raw" in part) return part.raw[1].length
  const inner = "bytes" in part ? part.bytes[1].length : sizeOf(part.message[1])
  return varintBytes(inner) + inner
}

const partSize = (part: Field): number => varintBytes(fieldOf(part) << 3) + bodySize(part)

interface Layout {
  readonly bytes: Uint8Array
  readonly keysAt: Array<number>
  valueAt: number
  revisionAt: number
}

const place = (layout: Layout, fields: ReadonlyArray<Field>, from: number): number => {
  const { bytes } = layout
  let at = from
  for (const part of fields) {
    const wireType = "varint" in part || "raw" in part ? 0 : 2
    at = writeVarint(bytes, at, (fieldOf(part) << 3) | wireType)
    if ("varint" in part) {
      if (part.mark === "revision") layout.revisionAt = at
      at = writeVarint(bytes, at, part.varint[1])
    } else if ("raw" in part) {
      bytes.set(part.raw[1], at)
      at += part.raw[1].length
    } else if ("bytes" in part) {
      at = writeVarint(bytes, at, part.bytes[1].length)
      if (part.mark === "key") layout.keysAt.push(at)
      if (part.mark === "value") layout.valueAt = at
      bytes.set(part.bytes[1], at)
      at += part.bytes[1].length
    } else {
      at = writeVarint(bytes, at, sizeOf(part.message[1]))
      at = place(layout, part.message[1], at)
    }
  }
  return at
}

/** Lays out a message. */
export const template = (fields: ReadonlyArray<Field>): Template => {
  const layout: Layout = { bytes: new Uint8Array(sizeOf(fields)), keysAt: [], valueAt: -1, revisionAt: -1 }
  place(layout, fields, 0)
  return layout
}
