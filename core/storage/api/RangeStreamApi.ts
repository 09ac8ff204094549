// RangeStream, new in etcd 3.7: a range as a stream of chunks at one pinned revision.
// Owns the chunking and waits for slow readers between chunks; refuses orders and filters, as etcd does.
// Only the last chunk carries header, more and count.
import { GrpcCode, ProtoWriter, type GrpcMethod, type StreamCall } from "#net"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import { RangeRequest } from "../rpc/KvMessages.ts"
import { Table } from "../engine/Engine.ts"
import { hasRevisionFilters, isDefaultOrder, isKeyOrder, writeRange, writeRecords } from "../mvcc/RangeReply.ts"
import { keyRange } from "../mvcc/Snapshot.ts"
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

  /** Sends chunks until the stream is done or takes no more; then waits for it to drain. */
  next(): void {
    const { store } = this.context
    const { key, rangeEnd } = this.request
    store.engine.read(
      () => [{ table: Table.Key, start: key, end: rangeEnd, limit: this.chunkRecords }],
      (view) => {
        for (;;) {
          if (this.call.cancelled) return
          const snapshot = store.at(view, this.request.revision)
          if (snapshot instanceof EtcdFailure) return failCall(this.call, snapshot)
          if (this.revision === 0) this.pin(store.revision)
          const writer = new ProtoWriter(64 * 1024)
          const inOneChunk = this.request.countOnly || !isKeyOrder(this.request)
          const done = inOneChunk ? this.writeWhole(writer, snapshot) : this.writeChunk(writer, snapshot)
          const room = this.call.sendOwned(writer.view())
          if (done) return this.call.end()
          if (!room) break
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

  /** A count, or an order that needs all records at once, takes one chunk. */
  private writeWhole(writer: ProtoWriter, snapshot: Parameters<typeof writeRecords>[1]): boolean {
    const start = writer.open(RANGE_RESPONSE)
    this.context.header.write(writer, this.revision)
    writeRange(writer, snapshot, this.request)
    writer.close(start)
    return true
  }

  private writeChunk(writer: ProtoWriter, snapshot: Parameters<typeof writeRecords>[1]): boolean {
    const records = Math.min(this.chunkRecords, this.limit - this.emitted)
    const start = writer.open(RANGE_RESPONSE)
    const { emitted, lastKey, more } = writeRecords(writer, snapshot, this.request, records)
    this.emitted += emitted
    const done = !more || this.emitted === this.limit
    if (more && lastKey !== undefined) this.request.key = Buffer.concat([lastKey, Buffer.alloc(1)])
    this.adjust(writer.position)
    if (done) this.writeLast(writer, more, snapshot)
    writer.close(start)
    return done
  }

  private writeLast(writer: ProtoWriter, more: boolean, snapshot: Parameters<typeof writeRecords>[1]): void {
    const remaining = more ? snapshot.count(keyRange(this.request.key, this.request.rangeEnd)) : 0
    if (more) writer.int64Field(MORE, 1)
    if (this.emitted + remaining > 0) writer.int64Field(COUNT, this.emitted + remaining)
    this.context.header.write(writer, this.revision)
  }

  private adjust(sizeBytes: number): void {
    const target = this.context.limits.requestBytesMax
    if (sizeBytes < target / 2) this.chunkRecords *= 2
    else if (sizeBytes > target * 2) this.chunkRecords = Math.max(1, this.chunkRecords >> 1)
  }
}
