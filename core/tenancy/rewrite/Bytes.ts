// JSON at the level of bytes: where strings, values and gaps end, and a buffer that grows.
// Owns no meaning; refuses nothing but the end of what it was given, which it tells by the one Truncated it throws.
// It does not judge whether the JSON is sound: whoever reads the result does, and reads the same structure or none.

/** Thrown when the bytes end inside a value; one object, because it is thrown once per chunk of a stream. */
export const Truncated = new Error("the bytes end inside a value")

const QUOTE = 34
const BACKSLASH = 92

/** The place after a string, from its opening quote. */
export const afterString = (bytes: Uint8Array, from: number, end: number): number => {
  let at = from + 1
  while (at < end) {
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    at += byte === BACKSLASH ? 2 : 1
  }
  throw Truncated
}

/** The place after white space. */
export const afterGap = (bytes: Uint8Array, from: number, end: number): number => {
  let at = from
  while (at < end) {
    const byte = bytes[at]
    if (byte > 32 || (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9)) return at
    at++
  }
  throw Truncated
}

/** The place after an object or array, from its opening bracket. */
export const afterContainer = (bytes: Uint8Array, from: number, end: number): number => {
  let depth = 0
  let at = from
  while (at < end) {
    const byte = bytes[at++]
    if (byte === QUOTE) {
      for (;;) {
        if (at >= end) throw Truncated
        const inner = bytes[at++]
        if (inner === QUOTE) break
        if (inner === BACKSLASH) at++
      }
    } else if (byte === 123 || byte === 91) depth++
    else if ((byte === 125 || byte === 93) && --depth === 0) return at
  }
  throw Truncated
}

/** The place after any value. A number, true, false and null end where something else begins. */
export const afterValue = (bytes: Uint8Array, from: number, end: number): number => {
  const first = bytes[from]
  if (first === QUOTE) return afterString(bytes, from, end)
  if (first === 123 || first === 91) return afterContainer(bytes, from, end)
  let at = from
  while (at < end) {
    const byte = bytes[at]
    if (byte === 44 || byte === 125 || byte === 93 || byte <= 32) return at
    at++
  }
  throw Truncated
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The bytes of a text. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text)

/** The text of bytes. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

/** The text between a string's quotes; undefined when its escapes are none of JSON's. Short plain texts are most. */
export const stringAt = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  let plain = ""
  if (end - start <= 96) {
    let at = start
    for (; at < end; at++) {
      const byte = bytes[at]
      if (byte === BACKSLASH || byte > 126 || byte < 32) break
    }
    if (at === end) {
      for (at = start; at < end; at++) plain += String.fromCharCode(bytes[at])
      return plain
    }
  }
  const raw = decoder.decode(bytes.subarray(start, end))
  if (!raw.includes("\\")) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return undefined
  }
}

/** Bytes that come together piece by piece; the room doubles when it is full. */
export class Output {
  #room: Uint8Array
  length = 0

  constructor(room = 4096) {
    this.#room = new Uint8Array(room)
  }

  /** How many bytes it has room for. */
  get room(): number {
    return this.#room.length
  }

  #grow(more: number): void {
    const room = new Uint8Array(Math.max(this.#room.length * 2, this.length + more))
    room.set(this.#room.subarray(0, this.length))
    this.#room = room
  }

  /** Adds a range; short ones byte by byte, which costs less than a view. */
  copy(from: Uint8Array, start: number, end: number): void {
    const count = end - start
    if (count <= 0) return
    if (this.length + count > this.#room.length) this.#grow(count)
    if (count > 48) this.#room.set(from.subarray(start, end), this.length)
    else {
      const room = this.#room
      let to = this.length
      for (let at = start; at < end; at++) room[to++] = from[at]
    }
    this.length += count
  }

  add(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length)
  }

  text(text: string): void {
    this.add(encoder.encode(text))
  }

  /** What stands there, as a copy; the room is free again. */
  take(): Uint8Array {
    const taken = this.#room.slice(0, this.length)
    this.length = 0
    return taken
  }
}
