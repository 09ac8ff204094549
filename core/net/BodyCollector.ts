// Collects a message body up to a bound. Owns its memory, which grows with what came and not with what was promised; refuses to
// own where the bytes come from.

/** First allocation for a body that comes in parts. */
const firstPartBytes = 16_384
const none = Buffer.alloc(0)

/** Who takes a body as it comes. */
export interface BodyTaker {
  /** A view that is valid during the call; false asks to pause. */
  chunk(bytes: Uint8Array): boolean
  end(): void
  /** The body will not come to its end. */
  lost(): void
}

export class BodyCollector implements BodyTaker {
  private readonly maxBytes: number
  private readonly expectedBytes: number
  private done: ((body: Uint8Array | undefined) => void) | undefined
  private body: Buffer = none
  private length = 0

  /** `expectedBytes` is the announced length, -1 if none was; `done` is called once. */
  constructor(maxBytes: number, expectedBytes: number, done: (body: Uint8Array | undefined) => void) {
    this.maxBytes = maxBytes
    this.expectedBytes = expectedBytes
    this.done = done
    if (expectedBytes > maxBytes) this.finish(undefined)
  }

  chunk(bytes: Uint8Array): boolean {
    if (this.done === undefined) return true
    const needed = this.length + bytes.length
    if (needed > this.maxBytes) {
      this.finish(undefined)
      return true
    }
    if (needed > this.body.length) this.grow(needed)
    this.body.set(bytes, this.length)
    this.length = needed
    return true
  }

  end(): void {
    this.finish(this.length === this.body.length ? this.body : this.body.subarray(0, this.length))
  }

  lost(): void {
    this.finish(undefined)
  }

  private finish(body: Uint8Array | undefined): void {
    const { done } = this
    this.done = undefined
    this.body = none
    done?.(body)
  }

  private grow(needed: number): void {
    const most = this.expectedBytes < needed ? this.maxBytes : this.expectedBytes
    const larger = Buffer.allocUnsafe(Math.min(most, Math.max(needed, firstPartBytes, this.length * 2)))
    this.body.copy(larger, 0, 0, this.length)
    this.body = larger
  }
}
