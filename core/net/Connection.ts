// One HTTP/2 connection, either side: takes frames apart, keeps streams, windows and settings, and ends the connection when
// the peer breaks the protocol or its bounds (RFC 9113). Owns everything that both roles share; refuses to own how streams
// begin, which the server's and the client's connection add.
import type { Duplex } from "node:stream"
import { putGoAway, putPing, putReset, putSettings, putSettingsAck, putWindowUpdate } from "./ControlFrames.ts"
import { FloodGuard, type FloodKind } from "./FloodGuard.ts"
import { flushAfterReads, flushLater } from "./FlushTurn.ts"
import { defaultWindow, Flag, FrameType, getUint32, H2Error, maxWindow, ProtocolViolation, Setting } from "./Frame.ts"
import { FrameReader, type FrameSink } from "./FrameReader.ts"
import { HeaderBlocks } from "./HeaderBlocks.ts"
import type { HeaderList } from "./HeaderList.ts"
import { HpackEncoder } from "./HpackEncoder.ts"
import { type KeepaliveOptions, type Pingable, PingKeeper, PingPolicy } from "./Keepalive.ts"
import { congestedBytes, OutBuffer } from "./OutBuffer.ts"
import { Sender } from "./Sender.ts"
import { PeerSettings } from "./Settings.ts"
import type { Stream } from "./Stream.ts"

/** Unsent bytes at which we stop reading from a peer that does not read. */
const pauseBytes = 2 * congestedBytes
/** Unsent bytes at which such a peer is dropped; only control frames and short answers get us from the first to this. */
const dropBytes = 8 * congestedBytes
/** How long a peer may take to read our GOAWAY before the socket is destroyed. */
const lingerMs = 1000
/** Streams that we reset most recently: what the peer still sends on them crossed our reset and is no mistake of its. */
const rememberedResets = 4096

/** What both roles can be told; see `ListenOptions` for the meaning and the defaults. */
export interface ConnectionLimits {
  readonly maxHeaderListBytes: number
  readonly maxConcurrentStreams: number
  readonly streamWindowBytes: number
  readonly connectionWindowBytes: number
  readonly keepalive: Required<KeepaliveOptions>
}

export abstract class Connection implements FrameSink, Pingable {
  readonly out: OutBuffer
  readonly sender: Sender
  readonly encoder = new HpackEncoder()
  readonly streams = new Map<number, Stream>()
  readonly pings: PingPolicy
  readonly guard = new FloodGuard()
  readonly peerSettings: PeerSettings
  readonly limits: ConnectionLimits
  /** Bytes that wait in stream queues. */
  queuedBytes = 0
  receivedBytes = 0
  /** The highest stream that the peer opened. */
  lastPeerId = 0
  /** Whether the connection is over: no frame is read any more. */
  ended = false
  /** Whether our side said goodbye. */
  draining = false
  /** Whether open streams were asked to end as well. */
  hurried = false
  protected readonly socket: Duplex
  private readonly reader = new FrameReader()
  private readonly blocks: HeaderBlocks
  private readonly keeper: PingKeeper
  private lastStream: Stream | undefined
  private receiveWindow: number
  private unacknowledged = 0
  private settingsSeen = false
  /** Whether a read is being handled. */
  protected reading = false
  private dirty = false
  private paused = false
  private readonly resets = new Set<number>()

  constructor(socket: Duplex, slow: boolean, limits: ConnectionLimits, ofServer: boolean) {
    this.socket = socket
    this.limits = limits
    this.out = new OutBuffer(socket, slow)
    this.sender = new Sender(this.out, defaultWindow)
    this.pings = new PingPolicy(limits.keepalive.minClientIntervalMs)
    this.peerSettings = new PeerSettings(!ofServer)
    this.blocks = new HeaderBlocks(limits.maxHeaderListBytes)
    this.receiveWindow = limits.connectionWindowBytes
    this.keeper = new PingKeeper(this, limits.keepalive.intervalMs, limits.keepalive.timeoutMs)
    socket.on("drain", () => this.drained())
    socket.on("error", (error) => this.lost(error.message))
    socket.on("close", () => this.lost("the connection was closed"))
  }

  /** Headers arrived, for a new stream or for a known one. */
  protected abstract headers(id: number, headers: HeaderList, endStream: boolean): void
  /** Whether a stream with this id was never opened. */
  protected abstract isIdle(id: number): boolean
  /** The peer will answer nothing above `lastId`. */
  protected abstract onGoAway(lastId: number, code: number, reason: string): void
  protected abstract onPingAck(bytes: Buffer, start: number): void
  protected abstract onSettings(): void
  /** A stream left the table. */
  protected abstract onClosed(stream: Stream): void
  /** The socket is gone, or about to be. */
  protected abstract onLost(reason: string): void

  /** Sends our SETTINGS and opens the connection's window. */
  protected greet(ofServer: boolean): void {
    const { limits } = this
    const pairs: Array<readonly [number, number]> = [
      [Setting.MaxConcurrentStreams, limits.maxConcurrentStreams],
      [Setting.InitialWindowSize, limits.streamWindowBytes],
      [Setting.MaxHeaderListSize, limits.maxHeaderListBytes]
    ]
    putSettings(this.out, ofServer ? pairs : [[Setting.EnablePush, 0], ...pairs.slice(1)])
    const more = limits.connectionWindowBytes - defaultWindow
    if (more > 0) putWindowUpdate(this.out, 0, more)
    this.wrote()
  }

  /** Takes what was read, memory that may be overwritten afterwards; everything it causes at once goes out in one write. */
  receive(chunk: Buffer): void {
    if (this.ended) return
    this.receivedBytes += chunk.length
    this.reading = true
    try {
      this.reader.push(chunk, this)
    } catch (error) {
      this.failed(error)
    }
    this.reading = false
    this.onReadEnd()
    // Acknowledgements alone give way to what this read causes on other connections: a write may wake a process, which takes its time.
    if (!this.acknowledged || this.wroteInRead || this.sender.waiting) this.flush()
    else if (!this.dirty) flushAfterReads(this)
    this.acknowledged = this.wroteInRead = false
  }

  /** Called when a read was handled, before its answers are written; views of its bytes end here. */
  protected onReadEnd(): void {}

  /** Whether this read made a ping be acknowledged, and whether it made anything else be written. */
  private acknowledged = false
  private wroteInRead = false

  /** Whether writes wait until all sockets were read. */
  protected gathers = false

  /** To be called after writing to `out`: has it flushed at the end of the current read, or soon. */
  wrote(): void {
    this.wroteInRead = this.reading
    if (this.reading || this.dirty) return
    this.dirty = true
    if (this.gathers) flushAfterReads(this)
    else flushLater(this)
  }

  flush(): void {
    this.dirty = false
    const { out } = this
    if (this.socket.destroyed) return out.drop()
    out.flush()
    if (this.sender.waiting && !out.congested) {
      this.sender.pump()
      out.flush()
    }
    if (!out.congested) return
    const { backlog } = out
    if (backlog > dropBytes) this.socket.destroy(new Error("the peer does not read what it asked for"))
    else if (backlog > pauseBytes && !this.paused) {
      this.paused = true
      this.socket.pause()
    }
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): boolean {
    try {
      this.dispatch(type, flags, id, bytes, start, end)
    } catch (error) {
      this.failed(error)
    }
    return !this.ended
  }

  private dispatch(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.blocks.streamId !== 0 && (type !== FrameType.Continuation || id !== this.blocks.streamId)) {
      violate(H2Error.Protocol, "a header block is open, only its CONTINUATION may follow")
    }
    if (!this.settingsSeen) {
      if (type !== FrameType.Settings) violate(H2Error.Protocol, "the first frame is not SETTINGS")
      this.settingsSeen = true
    }
    switch (type) {
      case FrameType.Data:
        return this.onData(flags, id, bytes, start, end)
      case FrameType.Headers:
        return this.onHeaders(flags, id, bytes, start, end)
      case FrameType.Priority:
        return this.onPriority(id, bytes, start, end)
      case FrameType.RstStream:
        return this.onRstStream(id, bytes, start, end)
      case FrameType.Settings:
        return this.onSettingsFrame(flags, id, bytes, start, end)
      case FrameType.PushPromise:
        return violate(H2Error.Protocol, "PUSH_PROMISE is not welcome")
      case FrameType.Ping:
        return this.onPing(flags, id, bytes, start, end)
      case FrameType.GoAway:
        if (id !== 0) violate(H2Error.Protocol, "GOAWAY on a stream")
        if (end - start < 8) violate(H2Error.FrameSize, "GOAWAY is too short")
        return this.onGoAway(
          getUint32(bytes, start) & maxWindow,
          getUint32(bytes, start + 4),
          bytes.toString("utf8", start + 8, end)
        )
      case FrameType.WindowUpdate:
        return this.onWindowUpdate(id, bytes, start, end)
      case FrameType.Continuation:
        return this.onContinuation(flags, bytes, start, end)
      default:
        return this.spend("idle")
    }
  }

  private onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const size = end - start
    if (id === 0) violate(H2Error.Protocol, "DATA without a stream")
    this.receiveWindow -= size
    if (this.receiveWindow < 0) violate(H2Error.FlowControl, "DATA exceeds the connection's window")
    this.unacknowledged += size
    if (this.unacknowledged > this.limits.connectionWindowBytes / 2) this.acknowledgeConnection()
    if ((flags & Flag.Padded) !== 0) {
      const padding = size === 0 ? 0 : bytes[start]
      if (padding >= size) violate(H2Error.Protocol, "padding exceeds its frame")
      start++
      end -= padding
    }
    const endStream = (flags & Flag.EndStream) !== 0
    if (start === end && !endStream) this.spend("empty")
    const stream = this.find(id)
    if (stream === undefined) return this.onStrayFrame(id, "DATA")
    if (stream.remoteEnded) violate(H2Error.StreamClosed, "DATA after END_STREAM", id)
    stream.receiveWindow -= size
    if (stream.receiveWindow < 0) violate(H2Error.FlowControl, "DATA exceeds the stream's window", id)
    if (endStream) stream.remoteEnded = true
    if (size > end - start) this.consumed(stream, size - (end - start))
    stream.onData(bytes, start, end, endStream)
    if (endStream && stream.localEnded) this.closeStream(stream)
  }

  private acknowledgeConnection(): void {
    putWindowUpdate(this.out, 0, this.unacknowledged)
    this.receiveWindow += this.unacknowledged
    this.unacknowledged = 0
    this.wrote()
  }

  /** Gives back the window of received bytes, in steps of half a window. */
  consumed(stream: Stream, size: number): void {
    stream.unacknowledged += size
    if (stream.unacknowledged < this.limits.streamWindowBytes / 2 || stream.remoteEnded || stream.closed) return
    putWindowUpdate(this.out, stream.id, stream.unacknowledged)
    stream.receiveWindow += stream.unacknowledged
    stream.unacknowledged = 0
    this.wrote()
  }

  private onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) violate(H2Error.Protocol, "HEADERS without a stream")
    if ((flags & Flag.Padded) !== 0) {
      const padding = start < end ? bytes[start] : 0
      start++
      end -= padding
    }
    let dependsOnItself = false
    if ((flags & Flag.Priority) !== 0) {
      dependsOnItself = start + 5 <= end && (getUint32(bytes, start) & maxWindow) === id
      start += 5
    }
    if (start > end) violate(H2Error.Protocol, "padding or priority exceed their frame")
    const endStream = (flags & Flag.EndStream) !== 0
    if ((flags & Flag.EndHeaders) === 0) {
      if (start === end) this.spend("empty")
      return this.blocks.begin(id, endStream, bytes, start, end)
    }
    // The block is decoded whatever comes next, because the table is shared by all streams.
    const headers = this.blocks.decode(bytes, start, end)
    if (dependsOnItself) violate(H2Error.Protocol, "a stream depends on itself", id)
    this.headers(id, headers, endStream)
  }

  private onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const { blocks } = this
    const id = blocks.streamId
    if (id === 0) violate(H2Error.Protocol, "CONTINUATION without an open header block")
    if (start === end && (flags & Flag.EndHeaders) === 0) this.spend("empty")
    blocks.add(bytes, start, end)
    if ((flags & Flag.EndHeaders) !== 0) this.headers(id, blocks.finish(), blocks.endStream)
  }

  private onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) violate(H2Error.Protocol, "PRIORITY without a stream")
    if (end - start !== 5) violate(H2Error.FrameSize, "PRIORITY is not 5 bytes", id)
    this.spend("idle")
    if ((getUint32(bytes, start) & maxWindow) === id) violate(H2Error.Protocol, "a stream depends on itself", id)
  }

  private onRstStream(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) violate(H2Error.Protocol, "RST_STREAM without a stream")
    if (end - start !== 4) violate(H2Error.FrameSize, "RST_STREAM is not 4 bytes")
    const stream = this.find(id)
    if (stream === undefined) {
      if (this.isIdle(id)) violate(H2Error.Protocol, "RST_STREAM on an idle stream")
      return this.spend("idle")
    }
    this.spend("reset")
    const code = getUint32(bytes, start)
    this.closeStream(stream)
    stream.onReset(code, "the peer reset the stream")
  }

  private onSettingsFrame(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) violate(H2Error.Protocol, "SETTINGS on a stream")
    if ((flags & Flag.Ack) !== 0) {
      if (end !== start) violate(H2Error.FrameSize, "a SETTINGS acknowledgement with a payload")
      return
    }
    if ((end - start) % 6 !== 0) violate(H2Error.FrameSize, "SETTINGS is no multiple of 6 bytes")
    this.spend("settings")
    const { peerSettings } = this
    const windowBefore = peerSettings.initialWindow
    const tableBefore = peerSettings.headerTableBytes
    peerSettings.apply(bytes, start, end)
    if (peerSettings.headerTableBytes !== tableBefore) this.encoder.resize(peerSettings.headerTableBytes)
    // The acknowledgement goes first: what follows may use the new values already.
    putSettingsAck(this.out)
    this.wrote()
    const change = peerSettings.initialWindow - windowBefore
    if (change !== 0) {
      for (const stream of this.streams.values()) {
        if (stream.sendWindow + change > maxWindow) violate(H2Error.FlowControl, "a stream's window overflows")
        stream.sendWindow += change
        this.sender.offer(stream)
      }
    }
    this.onSettings()
  }

  private onPing(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) violate(H2Error.Protocol, "PING on a stream")
    if (end - start !== 8) violate(H2Error.FrameSize, "PING is not 8 bytes")
    if ((flags & Flag.Ack) !== 0) return this.onPingAck(bytes, start)
    // A ping after our data measures the way there, as grpc-go does with every burst to size its window: it costs nothing.
    if (!this.pings.forgiven) this.spend("ping")
    if (!this.pings.allows(performance.now())) violate(H2Error.EnhanceYourCalm, "too_many_pings")
    putPing(this.out, Flag.Ack, bytes, start)
    this.acknowledged = true
  }

  private onWindowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) violate(H2Error.FrameSize, "WINDOW_UPDATE is not 4 bytes")
    this.spend("window")
    const increment = getUint32(bytes, start) & maxWindow
    if (id === 0) {
      if (increment === 0) violate(H2Error.Protocol, "WINDOW_UPDATE of 0")
      if (this.sender.window + increment > maxWindow) violate(H2Error.FlowControl, "the connection's window overflows")
      this.sender.window += increment
      this.sender.pump()
      return this.wrote()
    }
    const stream = this.find(id)
    if (stream === undefined) {
      if (this.isIdle(id)) violate(H2Error.Protocol, "WINDOW_UPDATE on an idle stream")
      return
    }
    if (increment === 0) violate(H2Error.Protocol, "WINDOW_UPDATE of 0", id)
    if (stream.sendWindow + increment > maxWindow) violate(H2Error.FlowControl, "the stream's window overflows", id)
    stream.sendWindow += increment
    this.sender.offer(stream)
    this.wrote()
  }

  /** A frame for a stream that is not open: idle is a mistake, reset by us a crossing, closed a mistake of the stream. */
  protected onStrayFrame(id: number, what: string): void {
    if (this.isIdle(id)) violate(H2Error.Protocol, `${what} on an idle stream`)
    if (!this.wasReset(id)) violate(H2Error.StreamClosed, `${what} on a closed stream`, id)
  }

  protected wasReset(id: number): boolean {
    return this.resets.has(id)
  }

  /** Takes a token of the peer's budget or ends the connection. */
  protected spend(kind: FloodKind): void {
    if (!this.guard.allows(kind)) violate(H2Error.EnhanceYourCalm, `too many frames of kind ${kind}`)
  }

  protected find(id: number): Stream | undefined {
    if (this.lastStream !== undefined && this.lastStream.id === id) return this.lastStream
    return this.streams.get(id)
  }

  protected add(stream: Stream): void {
    this.streams.set(stream.id, stream)
    this.lastStream = stream
  }

  /** Our END_STREAM went out. */
  endLocal(stream: Stream): void {
    stream.localEnded = true
    if (stream.remoteEnded) this.closeStream(stream)
  }

  /** Takes a stream out of the table. */
  closeStream(stream: Stream): void {
    if (stream.closed) return
    stream.closed = true
    stream.clearQueue()
    if (this.lastStream === stream) this.lastStream = undefined
    this.streams.delete(stream.id)
    this.onClosed(stream)
  }

  /** Resets a stream by our own decision; the stream's owner knows already. */
  reset(stream: Stream, code: H2Error): void {
    if (stream.closed) return
    this.refuse(stream.id, code)
    this.closeStream(stream)
  }

  /** Sends RST_STREAM for a stream that may not even exist here. */
  protected refuse(id: number, code: H2Error): void {
    this.resets.add(id)
    if (this.resets.size > rememberedResets) {
      for (const oldest of this.resets) {
        this.resets.delete(oldest)
        break
      }
    }
    putReset(this.out, id, code)
    this.wrote()
  }

  /** Handles what a frame raised: a stream's mistake resets it, all else ends the connection. */
  private failed(error: unknown): void {
    if (!(error instanceof ProtocolViolation)) return this.abort(H2Error.Internal, "internal error", error)
    if (error.streamId === 0) return this.abort(error.code, error.message)
    if (!this.guard.allows("mistake")) return this.abort(H2Error.EnhanceYourCalm, "too many broken streams")
    const stream = this.find(error.streamId)
    if (stream === undefined) return this.refuse(error.streamId, error.code)
    this.reset(stream, error.code)
    stream.onReset(error.code, error.message)
  }

  /** Ends the connection with GOAWAY; what was gathered still goes out. */
  abort(code: H2Error, reason: string, defect?: unknown): void {
    if (this.ended) return
    putGoAway(this.out, this.lastPeerId, code, reason)
    this.out.flush()
    this.socket.end()
    setTimeout(() => this.socket.destroy(), lingerMs).unref()
    this.lost(reason)
    if (defect !== undefined) this.onDefect(defect)
  }

  /** A broken invariant of ours surfaced while a frame was handled. */
  protected abstract onDefect(defect: unknown): void

  ping(): void {
    putPing(this.out, 0, keepalivePing, 0)
    this.wrote()
  }

  unresponsive(): void {
    this.socket.destroy(new Error("the peer did not answer a keepalive ping in time"))
  }

  private drained(): void {
    if (this.paused) {
      this.paused = false
      this.socket.resume()
    }
    this.out.congested = false
    this.sender.pump()
    this.flush()
  }

  private lost(reason: string): void {
    if (this.ended) return
    this.ended = true
    this.keeper.stop()
    const open = [...this.streams.values()]
    for (const stream of open) {
      this.closeStream(stream)
      stream.onReset(H2Error.Cancel, reason)
    }
    this.onLost(reason)
    if (this.socket.destroyed) this.out.drop()
  }
}

const keepalivePing = Buffer.from("wharf ka", "latin1")

const violate = (code: H2Error, reason: string, streamId = 0): never => {
  throw new ProtocolViolation(code, reason, streamId)
}
