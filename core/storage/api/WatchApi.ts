// etcd's Watch service: many watches on one stream, created, told, cancelled.
// Owns watch ids, the WatchResponse bytes, fragments and progress notices; refuses to know who is behind, which the hub does.
// One sender per stream, in the order of calls: control messages and events never overtake one another.
import { grpcCodeName, ProtoWriter, type GrpcMethod, type Int64, type MessageType, type StreamCall } from "#net"
import { compareBytes } from "../engine/Engine.ts"
import { keyRange, type KeyRange } from "../mvcc/Snapshot.ts"
import type { StoredEvent } from "../mvcc/StoredEvent.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { FilterType, WatchRequest, type WatchCreateRequest } from "../rpc/KvMessages.ts"
import type { Watcher, WatchSink } from "../watch/Watcher.ts"
import { decode, failCall, type ApiContext } from "./ApiContext.ts"

const WATCH_ID = 0x10
const CREATED = 0x18
const CANCELED = 0x20
const COMPACT_REVISION = 0x28
const CANCEL_REASON = 0x32
const FRAGMENT = 0x38
const EVENTS = 0x5a

/** The id of messages that belong to no single watch. */
const NO_WATCH = -1
/** What etcd allows on top of the largest request before it fragments. */
const REQUEST_OVERHEAD_BYTES = 512 * 1024
/** Watches of one stream: beyond, creation is refused, so that one client cannot take all memory. */
const WATCHES_MAX = 100_000

export const watchMethods = (context: ApiContext): ReadonlyArray<GrpcMethod> => [
  {
    path: "/etcdserverpb.Watch/Watch",
    stream: (call) => {
      const stream = new WatchStream(context, call)
      return {
        message: (bytes) => stream.receive(bytes),
        // A client that has sent its last request goes on listening, as with etcd.
        end: () => undefined
      }
    }
  }
]

interface ControlMessage {
  readonly id: Int64
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compactRevision?: number
  readonly reason?: string
  readonly revision?: number
}

const WRITER_BYTES = 64 * 1024
/** A larger buffer is given up after use. */
const WRITER_KEPT_BYTES = 4 * 2 ** 20
const writer = new ProtoWriter(WRITER_BYTES)

/** A watch from now on begins behind all that was acknowledged before it, and progress says what has been told of all that. */
const isOfThePresent = ({ createRequest, progressRequest }: MessageType<typeof WatchRequest>): boolean =>
  progressRequest !== undefined || createRequest?.startRevision === 0

class WatchStream implements WatchSink {
  private readonly context: ApiContext
  private readonly call: StreamCall
  private readonly watchers = new Map<Int64, Watcher>()
  private readonly stopProgress: () => void
  private nextId = 0
  private blocked = false
  private closed = false
  /** Requests about the present, and what came after them, until this member knows it. */
  private readonly queue: Array<MessageType<typeof WatchRequest>> = []

  constructor(context: ApiContext, call: StreamCall) {
    this.context = context
    this.call = call
    const { progressIntervalMs } = context.limits
    const jitterMs = (progressIntervalMs / 10) * context.random()
    this.stopProgress = context.every(progressIntervalMs + jitterMs, () => this.noticeProgress())
    context.hub.stats.streams++
    call.onCancel = () => this.close()
    call.onDrain = () => {
      this.blocked = false
      context.hub.resume()
    }
  }

  receive(bytes: Uint8Array): void {
    const request = decode(WatchRequest, Buffer.from(bytes))
    if (request instanceof EtcdFailure) return this.refuse(request)
    if (this.queue.length === 0 && !isOfThePresent(request)) return this.handle(request)
    if (this.queue.length >= WATCHES_MAX) return this.refuse(Failure.tooManyRequests)
    this.queue.push(request)
    if (this.queue.length === 1) this.serveQueue()
  }

  /** What is about the present is done once this member knows it; one look serves all that were there before it began. */
  private serveQueue(): void {
    const due = this.queue.length
    this.context.leadership.level(() => {
      if (this.closed) return
      for (const request of this.queue.splice(0, due)) this.handle(request)
      if (this.queue.length > 0) this.serveQueue()
    })
  }

  private handle({ cancelRequest, createRequest, progressRequest }: MessageType<typeof WatchRequest>): void {
    if (createRequest !== undefined) this.create(createRequest)
    else if (cancelRequest !== undefined) this.cancel(cancelRequest.watchId)
    else if (progressRequest !== undefined) this.announceProgress()
  }

  private refuse(failure: EtcdFailure): void {
    this.close()
    failCall(this.call, failure)
  }

  private close(): void {
    if (this.closed) return
    this.closed = true
    this.stopProgress()
    this.context.hub.stats.streams--
    for (const watcher of this.watchers.values()) this.context.hub.cancel(watcher)
    this.watchers.clear()
  }

  private create(request: WatchCreateRequest): void {
    const key = request.key.length === 0 ? Buffer.alloc(1) : request.key
    const range = keyRange(key, request.rangeEnd)
    const refused = this.refusal(request, key, range)
    if (refused !== undefined) return this.control({ id: NO_WATCH, created: true, canceled: true, reason: refused })
    const id = request.watchId === 0 ? this.freeId() : request.watchId
    this.control({ id, created: true })
    const { filters } = request
    const options = {
      id,
      range,
      startRevision: Number(request.startRevision),
      withPutEvents: !filters.includes(FilterType.NoPut),
      withDeleteEvents: !filters.includes(FilterType.NoDelete),
      withPrevious: request.prevKv,
      fragment: request.fragment,
      progressNotify: request.progressNotify
    }
    this.watchers.set(id, this.context.hub.watch(options, this))
  }

  private refusal(request: WatchCreateRequest, key: Uint8Array, range: KeyRange): string | undefined {
    if (request.startRevision < 0) return Failure.compacted.message
    const denied = this.context.auth.watch(this.call, key, request.rangeEnd)
    // etcd puts the whole gRPC error into the reason here, and its message alone everywhere else.
    if (denied !== undefined) return `rpc error: code = ${grpcCodeName(denied.code)} desc = ${denied.message}`
    if (range.end !== undefined && compareBytes(range.start, range.end) >= 0) return "mvcc: watcher range is empty"
    if (request.watchId !== 0 && this.watchers.has(request.watchId)) {
      return "mvcc: duplicate watch ID provided on the WatchStream"
    }
    return this.watchers.size >= WATCHES_MAX ? Failure.tooManyRequests.message : undefined
  }

  private freeId(): number {
    while (this.watchers.has(this.nextId)) this.nextId++
    return this.nextId++
  }

  private cancel(id: Int64): void {
    const watcher = this.watchers.get(id)
    if (watcher === undefined) return
    this.context.hub.cancel(watcher)
    this.watchers.delete(id)
    this.control({ id, canceled: true })
  }

  /** A notice for all watches of the stream at once, if every one of them has been told everything. */
  private announceProgress(): void {
    if (this.watchers.size === 0) return
    for (const watcher of this.watchers.values()) if (!this.context.hub.isCurrent(watcher)) return
    this.control({ id: NO_WATCH })
  }

  private noticeProgress(): void {
    for (const watcher of this.watchers.values()) {
      if (!watcher.options.progressNotify) continue
      if (watcher.quiet && this.context.hub.isCurrent(watcher)) this.control({ id: watcher.options.id })
      watcher.quiet = true
    }
  }

  // --- WatchSink ---

  isBlocked(): boolean {
    return this.blocked
  }

  /** As in etcd the id stays taken until the client cancels the watch, too. */
  compacted(watcher: Watcher, compactRevision: number): void {
    this.control({ id: watcher.options.id, canceled: true, compactRevision, revision: 0 })
  }

  events(watcher: Watcher, events: ReadonlyArray<StoredEvent>, revision: number): void {
    const { fragment, withPrevious } = watcher.options
    const maxBytes = this.context.limits.requestBytesMax + REQUEST_OVERHEAD_BYTES
    this.begin(watcher.options.id, revision)
    const headBytes = writer.position
    let last = 0
    for (const event of events) {
      const encoded = event.encoded(withPrevious)
      const isFull = last > 0 && writer.position + encoded.length + 6 >= maxBytes
      // Between revisions any message may end; within one only for a client that asked for fragments.
      if (isFull && (fragment || event.revision !== last)) {
        if (event.revision === last) writer.int64Field(FRAGMENT, 1)
        this.send()
        this.begin(watcher.options.id, revision)
      }
      writer.bytesField(EVENTS, encoded)
      last = event.revision
    }
    if (writer.position > headBytes) this.send()
    if (writer.buffer.length > WRITER_KEPT_BYTES) writer.buffer = Buffer.allocUnsafeSlow(WRITER_BYTES)
  }

  private begin(id: Int64, revision: number): void {
    writer.position = 0
    this.context.header.write(writer, revision)
    if (id !== 0) writer.int64Field(WATCH_ID, id)
  }

  private control(message: ControlMessage): void {
    this.begin(message.id, message.revision ?? this.context.store.revision)
    if (message.created === true) writer.int64Field(CREATED, 1)
    if (message.canceled === true) writer.int64Field(CANCELED, 1)
    if (message.compactRevision !== undefined) writer.int64Field(COMPACT_REVISION, message.compactRevision)
    if (message.reason !== undefined) writer.stringField(CANCEL_REASON, message.reason)
    this.send()
  }

  private send(): void {
    if (this.call.cancelled) return
    if (!this.call.send(writer.view())) this.blocked = true
  }
}
