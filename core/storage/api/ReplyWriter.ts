// The bytes of large answers, taken from a pool and given back when the system has them.
// Owns the pool and its bound; refuses to know what is written. A page of 500 objects is a third of a megabyte: made anew
// for each answer it costs more in memory management than in work.
import { ProtoWriter, type UnaryCall } from "#net"

/** Answers from this size on leave without another copy. */
const OWN_FROM_BYTES = 16 * 1024
const FIRST_BYTES = 64 * 1024
/** Larger buffers are not kept. */
const KEPT_MAX_BYTES = 4 * 2 ** 20
/** What the pool holds at most. */
const POOL_MAX_BYTES = 64 * 2 ** 20

const pool: Array<Buffer> = []
let pooledBytes = 0

const take = (): Buffer => {
  const buffer = pool.pop()
  if (buffer === undefined) return Buffer.allocUnsafeSlow(FIRST_BYTES)
  pooledBytes -= buffer.length
  return buffer
}

const giveBack = (buffer: Buffer): void => {
  if (buffer.length > KEPT_MAX_BYTES || pooledBytes + buffer.length > POOL_MAX_BYTES) return
  pooledBytes += buffer.length
  pool.push(buffer)
}

/** One writer for all answers: `start` before writing, `send` when done, both in one turn of the loop. */
export class ReplyWriter extends ProtoWriter {
  constructor() {
    super(FIRST_BYTES)
  }

  start(): this {
    this.position = 0
    return this
  }

  /** Answers the call with what was written. */
  send(call: UnaryCall): void {
    if (this.position < OWN_FROM_BYTES) return call.respond(this.view())
    const { buffer } = this
    call.respondOwned(this.view(), () => giveBack(buffer))
    this.buffer = take()
    this.position = 0
  }
}
