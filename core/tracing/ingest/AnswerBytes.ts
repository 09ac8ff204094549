// An answer's body read in its bytes: walked once and checked, and of all that it holds only what facts need is made into values; its
// text is kept as it came, without bookkeeping. Owns that reading; whatever it does not know at once (a key with escapes, a Secret, a
// list) is Redaction's to parse whole. Refuses to decide what is secret.
import { type Json, type JsonObject, LAST_APPLIED } from "#kube"
import { PARENT_LINK, TRACEPARENT } from "../model/Links.ts"
import type { Pick } from "../model/Picks.ts"
import { ByteValues } from "./ByteTexts.ts"
import { eachItem, eachMember, isKey, skipSpace, skipValue } from "./JsonBytes.ts"
import { checkValue } from "./JsonCheck.ts"

type Range = readonly [from: number, to: number]

/** Where an object lies in bytes, and where in it what is never kept and what facts need. */
export interface Found {
  readonly start: number
  readonly end: number
  /** Members that are never kept, with a comma each; in the order of the bytes. */
  readonly cuts: ReadonlyArray<Range>
  /** Whether every key that matters was written plainly, once, and with the value that it should have. */
  readonly plain: boolean
  readonly kind: Range | undefined
  readonly apiVersion: Range | undefined
  readonly metadata: Readonly<Record<string, Range>>
  readonly annotations: Readonly<Record<string, Range>>
  /** Of every member but metadata: its key's begin and end, and its value's begin. */
  readonly members: ReadonlyArray<number>
}

/** Members of metadata that facts are made from. */
const wanted = ["name", "namespace", "uid", "resourceVersion", "generation", "ownerReferences", "labels"] as const
/** Annotations that name other objects. */
const telling = [PARENT_LINK, TRACEPARENT] as const

const BACKSLASH = 0x5c

class Finding {
  readonly cuts: Array<Range> = []
  readonly metadata: Record<string, Range> = {}
  readonly annotations: Record<string, Range> = {}
  readonly members: Array<number> = []
  plain = true
  kind: Range | undefined
  apiVersion: Range | undefined
  private hasMetadata = false
  private hasManaged = false
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  readonly member = (keyStart: number, keyEnd: number, valueStart: number): number => {
    const { bytes } = this
    this.look(keyStart, keyEnd)
    if (isKey(bytes, keyStart, keyEnd, "metadata")) {
      // Of a key that is there twice a parser takes the last, and so may whoever reads the text.
      this.plain &&= !this.hasMetadata && bytes[valueStart] === 0x7b
      this.hasMetadata = true
      return bytes[valueStart] === 0x7b ? eachMember(bytes, valueStart, this.inMetadata) : checkValue(bytes, valueStart)
    }
    this.members.push(keyStart, keyEnd, valueStart)
    const end = checkValue(bytes, valueStart)
    if (isKey(bytes, keyStart, keyEnd, "kind")) {
      this.plain &&= this.kind === undefined
      this.kind = [valueStart, end]
    } else if (isKey(bytes, keyStart, keyEnd, "apiVersion")) this.apiVersion = [valueStart, end]
    return end
  }

  private readonly inMetadata = (keyStart: number, keyEnd: number, valueStart: number): number => {
    const { bytes } = this
    this.look(keyStart, keyEnd)
    if (isKey(bytes, keyStart, keyEnd, "annotations") && bytes[valueStart] === 0x7b) {
      return eachMember(bytes, valueStart, this.inAnnotations)
    }
    if (isKey(bytes, keyStart, keyEnd, "managedFields")) {
      const end = skipValue(bytes, valueStart)
      this.plain &&= !this.hasManaged
      this.hasManaged = true
      this.cuts.push(memberRange(bytes, keyStart, end))
      return end
    }
    const end = checkValue(bytes, valueStart)
    for (const name of wanted) {
      if (!isKey(bytes, keyStart, keyEnd, name)) continue
      this.plain &&= this.metadata[name] === undefined
      this.metadata[name] = [valueStart, end]
    }
    return end
  }

  private readonly inAnnotations = (keyStart: number, keyEnd: number, valueStart: number): number => {
    const { bytes } = this
    this.look(keyStart, keyEnd)
    const end = checkValue(bytes, valueStart)
    if (isKey(bytes, keyStart, keyEnd, LAST_APPLIED)) this.cuts.push(memberRange(bytes, keyStart, end))
    for (const name of telling) if (isKey(bytes, keyStart, keyEnd, name)) this.annotations[name] = [valueStart, end]
    return end
  }

  /** A key may be written with escapes, which a comparison of bytes does not see. */
  private look(keyStart: number, keyEnd: number): void {
    for (let at = keyStart; at < keyEnd; at++) if (this.bytes[at] === BACKSLASH) this.plain = false
  }
}

/** Walks the object that starts at `start`, once; throws JsonBroken where it is no JSON. */
export const findAnswer = (bytes: Buffer, start: number): Found => {
  const finding = new Finding(bytes)
  const end = eachMember(bytes, start, finding.member)
  const { annotations, apiVersion, cuts, kind, members, metadata, plain } = finding
  return { start, end, cuts, plain, kind, apiVersion, metadata, annotations, members }
}

const values = new ByteValues()

const parsedAll = (bytes: Buffer, ranges: Readonly<Record<string, Range>>): JsonObject => {
  const all: Record<string, Json> = {}
  for (const name in ranges) all[name] = values.read(bytes, ...ranges[name])
  return all
}

/** Of an object whose keys are plain: kind, what facts need of metadata, and what links are found in. */
export const prunedAnswer = (bytes: Buffer, found: Found, picks: ReadonlyArray<Pick>): JsonObject => {
  const { annotations, apiVersion, kind, members, metadata } = found
  const object: Record<string, Json> = {
    metadata: { ...parsedAll(bytes, metadata), annotations: parsedAll(bytes, annotations) }
  }
  if (kind !== undefined) object["kind"] = values.read(bytes, ...kind)
  if (apiVersion !== undefined) object["apiVersion"] = values.read(bytes, ...apiVersion)
  for (let at = 0; at < members.length; at += 3)
    pickMember(bytes, members[at], members[at + 1], members[at + 2], picks, object)
  return object
}

/** Reads a member that a pick names into `into`; answers the byte after its value where it is one. */
const pickMember = (
  bytes: Buffer,
  keyStart: number,
  keyEnd: number,
  valueStart: number,
  picks: ReadonlyArray<Pick>,
  into: Record<string, Json>
): number | undefined => {
  for (const { field, within } of picks) {
    if (!isKey(bytes, keyStart, keyEnd, field)) continue
    const [value, end] = pickValue(bytes, valueStart, within)
    into[field] = value
    return end
  }
  return undefined
}

/** Reads the fields that picks name into `into`; what is no object or list has none. */
const pickFields = (bytes: Buffer, start: number, picks: ReadonlyArray<Pick>, into: Record<string, Json>): number =>
  eachMember(
    bytes,
    start,
    (keyStart, keyEnd, valueStart) =>
      pickMember(bytes, keyStart, keyEnd, valueStart, picks, into) ?? skipValue(bytes, valueStart)
  )

const pickValue = (bytes: Buffer, at: number, within: ReadonlyArray<Pick>): readonly [Json, number] => {
  if (within.length > 0 && bytes[at] === 0x7b) {
    const object: Record<string, Json> = {}
    const end = pickFields(bytes, at, within, object)
    return [object, end]
  }
  if (within.length > 0 && bytes[at] === 0x5b) {
    const items: Array<Json> = []
    const end = eachItem(bytes, at, (start) => {
      const [item, next] = pickValue(bytes, start, within)
      items.push(item)
      return next
    })
    return [items, end]
  }
  const end = skipValue(bytes, at)
  return [values.read(bytes, at, end), end]
}

/** A member with one comma beside it. */
const memberRange = (bytes: Uint8Array, keyStart: number, valueEnd: number): Range => {
  const next = skipSpace(bytes, valueEnd)
  if (bytes[next] === 0x2c) return [keyStart - 1, next + 1]
  let before = keyStart - 2
  while (bytes[before] <= 0x20) before--
  return bytes[before] === 0x2c ? [before, valueEnd] : [keyStart - 1, valueEnd]
}
