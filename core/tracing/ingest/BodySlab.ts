// Memory into which bodies are copied without what is cut out of them, each behind the texts that its id is made from as well.
// Owns that memory, which is used again after `reset`; refuses to know what is cut, which it is told.
import type { Found } from "./AnswerBytes.ts"
import { idOfBytes } from "../model/Ids.ts"

const FIRST_BYTES = 1_048_576
/** Why a text takes at most so many bytes for each of its UTF-16 units. */
const BYTES_PER_UNIT = 3

export class BodySlab {
  private bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  private length = 0

  /** Copies a body; answers it, valid until the reset, and the id of both. */
  put(before: string, source: Buffer, { cuts, end, start }: Found): { readonly id: string; readonly raw: Buffer } {
    const room = before.length * BYTES_PER_UNIT + end - start
    // Who still holds a part of the old memory keeps it.
    if (this.length + room > this.bytes.length) this.renew(room)
    const from = this.length
    const bodyFrom = from + this.bytes.write(before, from, "utf8")
    let to = bodyFrom
    let at = start
    for (const [cutFrom, cutTo] of cuts) {
      to += source.copy(this.bytes, to, at, cutFrom)
      at = cutTo
    }
    to += source.copy(this.bytes, to, at, end)
    this.length = to
    return { id: idOfBytes(this.bytes.subarray(from, to)), raw: this.bytes.subarray(bodyFrom, to) }
  }

  /** Lets the next bodies take the place of all before them. */
  reset(): void {
    this.length = 0
  }

  private renew(room: number): void {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, room))
    this.length = 0
  }
}
