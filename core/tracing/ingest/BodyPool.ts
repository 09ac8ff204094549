// Memory for request bodies, used again from batch to batch: fresh memory costs a fault for each page of it, which is more than reading
// what lies in it. Owns what is kept and its bound; refuses to know how long a body may be.

const LEAST_BYTES = 65_536
/** Memory that is kept while nobody uses it. */
const KEPT_BYTES = 32 * 2 ** 20

export class BodyPool {
  /** The smallest first. */
  private readonly free: Array<Buffer> = []
  private freeBytes = 0

  /** Memory of at least so many bytes, with whatever was in it. */
  take(bytes: number): Buffer {
    const at = this.free.findIndex(({ length }) => length >= bytes)
    if (at < 0) return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(Math.max(bytes, LEAST_BYTES))))
    const [found] = this.free.splice(at, 1)
    this.freeBytes -= found.length
    return found
  }

  /** Takes memory back that nobody looks at any more. */
  give(memory: Buffer): void {
    if (this.freeBytes + memory.length > KEPT_BYTES) return
    const at = this.free.findIndex(({ length }) => length >= memory.length)
    this.free.splice(at < 0 ? this.free.length : at, 0, memory)
    this.freeBytes += memory.length
  }
}

/** A body that comes in parts. */
export class PooledBody {
  length = 0
  private readonly pool: BodyPool
  private readonly maxBytes: number
  private memory: Buffer | undefined

  /** `expectedBytes` is what was announced, or a guess. */
  constructor(pool: BodyPool, expectedBytes: number, maxBytes: number) {
    this.pool = pool
    this.maxBytes = maxBytes
    this.memory = pool.take(Math.min(expectedBytes, maxBytes))
  }

  /** Adds a part; false when the body is longer than it may be. */
  add(part: Uint8Array): boolean {
    const needed = this.length + part.length
    if (this.memory === undefined || needed > this.maxBytes) return false
    if (needed > this.memory.length) {
      const larger = this.pool.take(needed * 2)
      this.memory.copy(larger, 0, 0, this.length)
      this.pool.give(this.memory)
      this.memory = larger
    }
    this.memory.set(part, this.length)
    this.length = needed
    return true
  }

  /** All of it; valid until it is dropped. */
  view(): Buffer {
    return (this.memory ?? Buffer.alloc(0)).subarray(0, this.length)
  }

  /** Gives the memory back; it may be called again. */
  drop(): void {
    if (this.memory !== undefined) this.pool.give(this.memory)
    this.memory = undefined
  }
}
