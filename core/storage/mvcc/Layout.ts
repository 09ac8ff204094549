// How revisions and keys become rows: the on-disk format of the store, in one place.
// Owns the encodings of the History, Log and Meta tables; refuses to read or write them.
// Format version 1: Key[key] = record; History[escaped key, modRevision] = end revision + record, for versions that were
// superseded at `end`; Log[revision, sub] = kind + previous modRevision + key, one row an event.

import { textKey } from "../engine/Engine.ts"

export const FORMAT_VERSION = 1

/** Rows of the Meta table. */
export const MetaKey = {
  format: textKey("format"),
  revision: textKey("revision"),
  /** How many batches without a revision were committed: tells whether one whose commit was uncertain is there. */
  rowBatches: textKey("row-batches"),
  compacted: textKey("compacted"),
  /** Who may write, on an engine that several processes share. */
  term: Buffer.from("term"),
  compactionCursor: textKey("compaction-cursor"),
  identity: Buffer.from("identity"),
  alarms: Buffer.from("alarms"),
  members: Buffer.from("members"),
  auth: Buffer.from("auth")
} as const

const TWO_32 = 4_294_967_296

/** Writes a non-negative safe integer as 8 bytes, big-endian, so that bytes sort as numbers do. */
export const writeRevision = (target: Buffer, at: number, revision: number): void => {
  target.writeUInt32BE(Math.floor(revision / TWO_32), at)
  target.writeUInt32BE(revision % TWO_32, at + 4)
}

/** Reads what `writeRevision` wrote. */
export const readRevision = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) * TWO_32 +
  (((bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7]) >>> 0)

/** An integer as a row of its own. */
export const revisionRow = (revision: number): Buffer => {
  const row = Buffer.allocUnsafe(8)
  writeRevision(row, 0, revision)
  return row
}

/** Bytes that a key takes when escaped: zero bytes double, two zero bytes end it. */
const escapedSize = (key: Uint8Array): number => {
  let zeros = 0
  for (let at = 0; at < key.length; at++) if (key[at] === 0) zeros++
  return key.length + zeros + 2
}

/** Escapes a key so that no key is a prefix of another and order is kept: 00 becomes 00 ff, the end is 00 00. */
export const escapeKey = (key: Uint8Array, spareBytes = 0): Buffer => {
  const size = escapedSize(key)
  const escaped = Buffer.allocUnsafe(size + spareBytes)
  if (size === key.length + 2) escaped.set(key)
  else {
    let to = 0
    for (let at = 0; at < key.length; at++) {
      escaped[to++] = key[at]
      if (key[at] === 0) escaped[to++] = 0xff
    }
  }
  escaped[size - 2] = 0
  escaped[size - 1] = 0
  return escaped
}

/** The key that an escaped form stands for. */
export const unescapeKey = (row: Uint8Array): Buffer => {
  const body = row.subarray(0, row.length - 10)
  if (!body.includes(0)) return Buffer.from(body)
  const key = Buffer.allocUnsafe(body.length)
  let size = 0
  for (let at = 0; at < body.length; at++) {
    key[size++] = body[at]
    if (body[at] === 0) at++
  }
  return key.subarray(0, size)
}

/** The History row of the version of a key that was written at `modRevision`. */
export const historyKey = (key: Uint8Array, modRevision: number): Buffer => {
  const row = escapeKey(key, 8)
  writeRevision(row, row.length - 8, modRevision)
  return row
}

/** The text of `historyKey`, of a key's latin1 text. */
export const historyText = (key: string, modRevision: number): string =>
  `${key.includes("\0") ? key.replaceAll("\0", "\0\u00ff") : key}\0\0${revisionText(modRevision)}`

/** The text of `logKey`. */
export const logText = (revision: number, sub: number): string => revisionText(revision) + wordText(sub)

const wordText = (word: number): string =>
  String.fromCharCode(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff)

let lastHigh = 0
let lastHighText = "\0\0\0\0"

const revisionText = (revision: number): string => {
  const high = Math.floor(revision / TWO_32)
  if (high !== lastHigh) {
    lastHigh = high
    lastHighText = wordText(high)
  }
  return lastHighText + wordText(revision % TWO_32)
}

/** The modRevision of a History row. */
export const historyRevision = (row: Uint8Array): number => readRevision(row, row.length - 8)

/** Bytes before the record in a History row's value: the revision at which it was superseded. */
export const HISTORY_HEADER_BYTES = 8

/** The Log row of the `sub`-th event of a revision. */
export const logKey = (revision: number, sub: number): Buffer => {
  const row = Buffer.allocUnsafe(12)
  writeRevision(row, 0, revision)
  row.writeUInt32BE(sub, 8)
  return row
}

/** The place of a Log row's event in its revision. */
export const logSub = (row: Uint8Array): number => ((row[8] << 24) | (row[9] << 16) | (row[10] << 8) | row[11]) >>> 0

/** Kinds of events, as in mvccpb.Event. */
export const EventKind = { Put: 0, Delete: 1 } as const
export type EventKind = (typeof EventKind)[keyof typeof EventKind]

/** Bytes before the key in a Log row's value: kind and the previous modRevision (0: the key was created). */
export const LOG_HEADER_BYTES = 9

/** A Log row's value. */
export const logValue = (kind: EventKind, previous: number, key: Uint8Array): Buffer => {
  const row = Buffer.allocUnsafe(LOG_HEADER_BYTES + key.length)
  row[0] = kind
  writeRevision(row, 1, previous)
  row.set(key, LOG_HEADER_BYTES)
  return row
}
