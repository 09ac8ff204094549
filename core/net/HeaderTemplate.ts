// A header block that is sent over and over on one connection: its fields go into the HPACK table once, after which the block
// is a few index bytes. Owns the remembered bytes and their staleness; refuses to own the encoder.
import { HpackEncoder } from "./HpackEncoder.ts"

type Fields = ReadonlyArray<readonly [string, string]>

/** The remembered bytes of one block on one connection. */
export class HeaderTemplate {
  private readonly fields: Fields
  private bytes: Uint8Array = new Uint8Array(0)
  private generation = -1

  constructor(fields: Fields) {
    this.fields = fields
  }

  /** The most bytes that `put` writes. */
  get bound(): number {
    let bound = 8
    for (const [name, value] of this.fields) bound += HpackEncoder.boundOf(name, value)
    return bound
  }

  /** Writes the block at `at`, where `bound` bytes are free; answers the position behind it. */
  put(encoder: HpackEncoder, into: Uint8Array, at: number): number {
    if (encoder.generation === this.generation) {
      const { bytes } = this
      for (let index = 0; index < bytes.length; index++) into[at + index] = bytes[index]
      return at + bytes.length
    }
    const start = encoder.begin(into, at)
    const before = encoder.generation
    let end = start
    for (const [name, value] of this.fields) end = encoder.field(into, end, name, value, "index")
    // Bytes that announced a change of the table must not be sent twice.
    if (encoder.generation === before && start === at) {
      this.bytes = Uint8Array.from(into.subarray(at, end))
      this.generation = before
    }
    return end
  }
}
