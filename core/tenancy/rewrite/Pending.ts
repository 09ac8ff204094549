// Bytes of a stream that have come and are not yet used.
// Owns their room, its bound, and when trying again is worth it: a value that was not whole is tried again once twice as much is
// there, so that pieces of any size cost the same; refuses to know what the bytes are.
import { BodyInvalid } from "./Contract.ts"

/** The largest item of a stream, in bytes: several times what a cluster stores as one object. */
export const ITEM_BYTES_MAX = 16 << 20

export class Pending {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  #tryAt = 0

  /** Bytes that wait. */
  get length(): number {
    return this.end - this.start
  }

  get worthTrying(): boolean {
    return this.length >= this.#tryAt
  }

  append(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.bytes.length) {
      const waiting = this.length
      const needed = waiting + chunk.length
      if (needed <= this.bytes.length) this.bytes.copyWithin(0, this.start, this.end)
      else {
        const room = new Uint8Array(Math.max(needed * 2, 4096))
        room.set(this.bytes.subarray(this.start, this.end))
        this.bytes = room
      }
      this.start = 0
      this.end = waiting
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** After a try: what is left waits for twice its length; too much is an error. */
  settle(): BodyInvalid | undefined {
    if (this.start === this.end) {
      this.start = 0
      this.end = 0
    }
    this.#tryAt = this.length * 2
    return this.length > ITEM_BYTES_MAX
      ? new BodyInvalid(`one item of the answer is longer than ${ITEM_BYTES_MAX} bytes`)
      : undefined
  }
}
