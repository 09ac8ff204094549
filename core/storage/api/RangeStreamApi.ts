// RangeStream, new in etcd 3.7: a range as a stream of chunks at one pinned revision.
// Owns the chunking and waits for slow readers between chunks; refuses orders and filters, as etcd does.
// Only the last chunk carries header, more and count.
import { GrpcCode, ProtoWriter, type GrpcMethod, type StreamCall } from "#net"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import { RangeRequest } from "../rpc/KvMessages.ts"
import { chunkNeeds, rangeNeeds } from "../mvcc/Needs.ts"
import { hasRevisionFilters, isDefaultOrder, isKeyOrder, writeRange, writeRecords } from "../mvcc/RangeReply.ts"
import { keyRange, type Snapshot } from "../mvcc/Snapshot.ts"
import { validateRange } from "../mvcc/TxnRules.ts"
import { decode, failCall, type ApiContext } from "./ApiContext.ts"

/** Records in the first chunk; later ones grow or shrink towards the size of a request. */
const FIRST_CHUNK_RECORDS = 10
const RANGE_RESPONSE = 0x0a
const MORE = 0x18
const COUNT = 0x20

export const rangeStreamMethod = (context: ApiContext): GrpcMethod => ({
  path: "/etcdserverpb.KV/RangeStream",
  stream: (call) => ({
    message: (bytes) => {
      const request = decode(RangeRequest, Buffer.from(bytes))
      const failure = request instanceof EtcdFailure ? request : refusal(context, call, request)
      if (failure !== undefined) return failCall(call, failure)
      new RangeStream(context, call, request as RangeRequest).next()
    },
    end: () => undefined
  })
})

const unsupported = (what: string) => new EtcdFailure(GrpcCode.Unimplemented, `RangeStream does not support ${what}`)

const refusal = (context: ApiContext, call: StreamCall, request: RangeRequest): EtcdFailure | undefined => {
  const failure = validateRange(request)
  if (failure !== undefined) return failure
  if (!isDefaultOrder(request)) return unsupported("custom sort orders")
  if (hasRevisionFilters(request)) return unsupported("revision filters")
  return context.auth.range(call, request.key, request.rangeEnd)
}

class RangeStream {
  private readonly context: ApiContext
  private readonly call: StreamCall
  private readonly request: RangeRequest
  private readonly limit: number
  private chunkRecords = FIRST_CHUNK_RECORDS
  private emitted = 0
  private revision = 0

  constructor(context: ApiContext, call: StreamCall, request: RangeRequest) {
    this.context = context
    this.call = call
    this.request = request
    this.limit = typeof request.limit === "number" && request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY
  }

  /** Whether the records come in several chunks: a count, or an order that needs all records at once, takes one. */
  private get isChunked(): boolean {
    return !this.request.countOnly && isKeyOrder(this.request)
  }

  /** Sends chunks until the stream is done or takes no more; then waits for it to drain. */
  next(): void {
    const { store } = this.context
    store.read(
      (scale) =>
        this.isChunked ? chunkNeeds(this.request, this.chunkRecords, scale) : rangeNeeds(this.request, scale),
      (view) => {
        for (;;) {
          if (this.call.cancelled) return
          const snapshot = store.at(view, this.request.revision)
          if (snapshot instanceof EtcdFailure) return failCall(this.call, snapshot)
          const writer = new ProtoWriter(64 * 1024)
          const done = this.isChunked ? this.writeChunk(writer, snapshot) : this.writeWhole(writer, snapshot)
          const room = this.call.sendOwned(writer.view())
          if (done) return this.call.end()
          if (!room) break
          // What a remote engine has fetched is one chunk.
          if (store.engine.shared === true) return this.next()
        }
        this.call.onDrain = () => {
          this.call.onDrain = undefined
          this.next()
        }
      }
    )
  }

  /** Writes after the first chunk are not seen: all chunks read the revision of the first. */
  private pin(revision: number): void {
    this.revision = revision
    if (this.request.revision <= 0) this.request.revision = revision
  }

  private writeWhole(writer: ProtoWriter, snapshot: Snapshot): boolean {
    const start = writer.open(RANGE_RESPONSE)
    this.context.header.write(writer, snapshot.committed)
    writeRange(writer, snapshot, this.request)
    writer.close(start)
    return true
  }

  /** Writes a chunk. Nothing of the stream moves on before all of it is written: a View may turn out to lack rows. */
  private writeChunk(writer: ProtoWriter, snapshot: Snapshot): boolean {
    const records = Math.min(this.chunkRecords, this.limit - this.emitted)
    const revision = this.revision === 0 ? snapshot.committed : this.revision
    const start = writer.open(RANGE_RESPONSE)
    const { emitted, lastKey, more } = writeRecords(writer, snapshot, this.request, records)
    const total = this.emitted + emitted
    const done = !more || total === this.limit
    const key = more && lastKey !== undefined ? Buffer.concat([lastKey, Buffer.alloc(1)]) : this.request.key
    const sizeBytes = writer.position
    if (done)
      this.writeLast(writer, more, total, more ? snapshot.count(keyRange(key, this.request.rangeEnd)) : 0, revision)
    writer.close(start)
    this.emitted = total
    this.request.key = key
    this.adjust(sizeBytes)
    this.pin(revision)
    return done
  }

  private writeLast(writer: ProtoWriter, more: boolean, emitted: number, remaining: number, revision: number): void {
    if (more) writer.int64Field(MORE, 1)
    if (emitted + remaining > 0) writer.int64Field(COUNT, emitted + remaining)
    this.context.header.write(writer, revision)
  }

  private adjust(sizeBytes: number): void {
    const target = this.context.limits.requestBytesMax
    if (sizeBytes < target / 2) this.chunkRecords *= 2
    else if (sizeBytes > target * 2) this.chunkRecords = Math.max(1, this.chunkRecords >> 1)
  }
}
