// What happened, as a number: every delivered event goes into one running 128-bit hash (the block step of MurmurHash3 x86_128),
// so that two runs can be compared without keeping either.
// Owns the hash and the tail of the last events; refuses to write files, which a tap does where one is set.
import { mix32 } from "./RandomStream.ts"

/** One event of the log. */
export interface LoggedEvent {
  /** Milliseconds since the world began. */
  readonly timeMs: number
  readonly component: number
  readonly kind: number
  readonly digest: number
}

/** Hears of every event, in order. */
export type EventTap = (timeMs: number, component: number, kind: number, digest: number) => void

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by))
const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0")

const timeDouble = new Float64Array(1)
const timeWords = new Uint32Array(timeDouble.buffer)

export class EventLog {
  private a = 0x239b961b
  private b = 0xab0e9789 | 0
  private c = 0x38b34ae5
  private d = 0xa1e38b93 | 0
  count = 0
  tap: EventTap | undefined
  private readonly tailSize: number
  private readonly tailTimes: Float64Array
  private readonly tailWords: Uint32Array

  /** Keeps the last `tailSize` events. */
  constructor(tailSize = 256) {
    this.tailSize = tailSize
    this.tailTimes = new Float64Array(tailSize)
    this.tailWords = new Uint32Array(tailSize * 3)
  }

  add(timeMs: number, component: number, kind: number, digest: number): void {
    timeDouble[0] = timeMs
    this.a ^= Math.imul(rotate(Math.imul(timeWords[0], 0x239b961b), 15), 0xab0e9789)
    this.a = (Math.imul((rotate(this.a, 19) + this.b) | 0, 5) + 0x561ccd1b) | 0
    this.b ^= Math.imul(rotate(Math.imul(timeWords[1], 0xab0e9789), 16), 0x38b34ae5)
    this.b = (Math.imul((rotate(this.b, 17) + this.c) | 0, 5) + 0x0bcaa747) | 0
    this.c ^= Math.imul(rotate(Math.imul((component << 12) ^ kind, 0x38b34ae5), 17), 0xa1e38b93)
    this.c = (Math.imul((rotate(this.c, 15) + this.d) | 0, 5) + 0x96cd1c35) | 0
    this.d ^= Math.imul(rotate(Math.imul(digest, 0xa1e38b93), 18), 0x239b961b)
    this.d = (Math.imul((rotate(this.d, 13) + this.a) | 0, 5) + 0x32ac3b17) | 0
    const at = this.count % this.tailSize
    this.tailTimes[at] = timeMs
    this.tailWords[at * 3] = component
    this.tailWords[at * 3 + 1] = kind
    this.tailWords[at * 3 + 2] = digest
    this.count++
    if (this.tap !== undefined) this.tap(timeMs, component, kind, digest)
  }

  /** The hash of all events so far: 32 hexadecimal digits. */
  hash(): string {
    let a = (this.a ^ this.count) | 0
    let b = (this.b ^ this.count) | 0
    let c = (this.c ^ this.count) | 0
    let d = (this.d ^ this.count) | 0
    a = (a + b + c + d) | 0
    b = (b + a) | 0
    c = (c + a) | 0
    d = (d + a) | 0
    ;[a, b, c, d] = [mix32(a), mix32(b), mix32(c), mix32(d)]
    a = (a + b + c + d) | 0
    return `${hex(a)}${hex(b + a)}${hex(c + a)}${hex(d + a)}`
  }

  /** The last events, oldest first. */
  tail(): ReadonlyArray<LoggedEvent> {
    const length = Math.min(this.count, this.tailSize)
    return Array.from({ length }, (_, index) => {
      const at = (this.count - length + index) % this.tailSize
      const [component, kind, digest] = this.tailWords.subarray(at * 3, at * 3 + 3)
      return { timeMs: this.tailTimes[at], component, kind, digest }
    })
  }
}
