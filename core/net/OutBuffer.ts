// Gathers what one connection wants to send and hands it to the socket in as few writes as possible. Owns the memory of
// outgoing frames and knows how much the socket still holds; refuses to own what is written and when to stop writing it.
// Small frames are copied into a slab that all connections share through a pool; large pieces go to the socket as they are.
import type { Duplex } from "node:stream"

/** Bytes of a slab: what one gathered write can hold. */
const slabBytes = 65_536
/** Free slabs kept for reuse by all connections; more are left to the garbage collector. */
const poolMax = 64
const pool: Array<Buffer> = []
const none = Buffer.alloc(0)

/** What a slow socket is given as a copy. */
const copyBelowBytes = 16_384

/** The bytes a socket may hold unsent before streams stop giving it more. */
export const congestedBytes = 1_048_576

/** The outgoing side of a socket. */
export class OutBuffer {
  /** The open slab; write at `end`, after `room` made sure of the space. */
  bytes: Buffer = none
  end = 0
  /** Where what has not been handed over begins: before it the slab belongs to the socket. */
  private start = 0
  /** Bytes handed to the socket so far. */
  total = 0
  /** Whether the socket holds more than it should; data waits, control frames do not. */
  congested = false
  private corked = false
  private readonly socket: Duplex
  private readonly slow: boolean

  /** `slow` sockets (TLS) keep a written slab until they say so; others have sent it when nothing is left unsent. */
  constructor(socket: Duplex, slow: boolean) {
    this.socket = socket
    this.slow = slow
  }

  /** Bytes given to the socket and not yet taken by the kernel, plus those gathered here. */
  get backlog(): number {
    return this.socket.writableLength + this.end - this.start
  }

  /** Makes sure that `size` bytes (at most a slab) fit behind `end`. */
  room(size: number): void {
    if (this.end + size <= this.bytes.length) return
    if (this.end > this.start) this.handOver()
    if (this.end + size <= this.bytes.length) return
    this.bytes = pool.pop() ?? Buffer.allocUnsafeSlow(slabBytes)
    this.start = this.end = 0
  }

  /** Sends a piece without copying; its memory belongs to the socket until `taken` is called. */
  append(piece: Uint8Array, taken?: () => void): void {
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
    }
    if (this.end > this.start) this.handOver()
    this.total += piece.length
    this.socket.write(piece, taken)
    this.congested = this.socket.writableLength > congestedBytes
  }

  /** Hands everything gathered to the socket. */
  flush(): void {
    if (this.end > this.start) this.handOver()
    if (this.corked) {
      this.corked = false
      this.socket.uncork()
    }
    if (this.congested) this.congested = this.socket.writableLength > congestedBytes
  }

  /** Gives the memory back when the socket is gone. */
  drop(): void {
    if (this.bytes.length > 0 && this.start === 0) release(this.bytes)
    this.leave()
  }

  private handOver(): void {
    const slab = this.bytes
    const written = slab.subarray(this.start, this.end)
    this.total += written.length
    if (this.slow && written.length <= copyBelowBytes) {
      // A copy of its size costs less than a slab that stays away until the socket has encrypted and sent it.
      this.leave()
      this.socket.write(Buffer.from(written))
      release(slab)
    } else if (this.slow) {
      this.leave()
      this.socket.write(written, () => release(slab))
    } else {
      this.start = this.end
      this.socket.write(written)
      // With nothing left unsent the kernel has its copy; else what is behind goes on filling, and the slab is not reused.
      if (this.socket.writableLength === 0) {
        release(slab)
        this.leave()
      }
    }
    if (this.socket.writableLength > congestedBytes) this.congested = true
  }

  private leave(): void {
    this.bytes = none
    this.start = this.end = 0
  }
}

const release = (slab: Buffer): void => {
  if (pool.length < poolMax) pool.push(slab)
}
