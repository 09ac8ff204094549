// Writes the small frames: SETTINGS, PING, GOAWAY, RST_STREAM, WINDOW_UPDATE, and header blocks cut into HEADERS and
// CONTINUATION. Owns their layout (RFC 9113 section 6); refuses to own when they are sent.
import { Flag, FrameType, frameHeaderBytes, type H2Error, maxFrameBytes, putFrameHeader, putUint32 } from "./Frame.ts"
import type { OutBuffer } from "./OutBuffer.ts"

/** Debug text of a GOAWAY frame is cut to this many bytes. */
const debugBytesMax = 256

const open = (out: OutBuffer, length: number, type: number, flags: number, id: number): number => {
  out.room(frameHeaderBytes + length)
  const at = out.end
  putFrameHeader(out.bytes, at, length, type, flags, id)
  out.end = at + frameHeaderBytes + length
  return at + frameHeaderBytes
}

/** SETTINGS with [identifier, value] pairs. */
export const putSettings = (out: OutBuffer, pairs: ReadonlyArray<readonly [number, number]>): void => {
  let at = open(out, pairs.length * 6, FrameType.Settings, 0, 0)
  for (const [identifier, value] of pairs) {
    out.bytes[at] = identifier >>> 8
    out.bytes[at + 1] = identifier
    putUint32(out.bytes, at + 2, value)
    at += 6
  }
}

export const putSettingsAck = (out: OutBuffer): void => {
  open(out, 0, FrameType.Settings, Flag.Ack, 0)
}

/** PING whose eight bytes are taken from bytes[start, start + 8). */
export const putPing = (out: OutBuffer, flags: number, bytes: Uint8Array, start: number): void => {
  const at = open(out, 8, FrameType.Ping, flags, 0)
  for (let index = 0; index < 8; index++) out.bytes[at + index] = bytes[start + index]
}

export const putGoAway = (out: OutBuffer, lastId: number, code: H2Error, reason: string): void => {
  const debug = Buffer.from(reason, "utf8").subarray(0, debugBytesMax)
  const at = open(out, 8 + debug.length, FrameType.GoAway, 0, 0)
  putUint32(out.bytes, at, lastId)
  putUint32(out.bytes, at + 4, code)
  out.bytes.set(debug, at + 8)
}

export const putReset = (out: OutBuffer, id: number, code: H2Error): void => {
  const at = open(out, 4, FrameType.RstStream, 0, id)
  putUint32(out.bytes, at, code)
}

export const putWindowUpdate = (out: OutBuffer, id: number, increment: number): void => {
  const at = open(out, 4, FrameType.WindowUpdate, 0, id)
  putUint32(out.bytes, at, increment)
}

/** A header block as HEADERS and as many CONTINUATION frames as it takes. */
export const putHeaderBlock = (out: OutBuffer, id: number, block: Uint8Array, endStream: boolean): void => {
  let sent = 0
  do {
    const size = Math.min(block.length - sent, maxFrameBytes)
    const last = sent + size === block.length
    const flags = (last ? Flag.EndHeaders : 0) | (sent === 0 && endStream ? Flag.EndStream : 0)
    const at = open(out, size, sent === 0 ? FrameType.Headers : FrameType.Continuation, flags, id)
    out.bytes.set(sent === 0 && last ? block : block.subarray(sent, sent + size), at)
    sent += size
  } while (sent < block.length)
}
