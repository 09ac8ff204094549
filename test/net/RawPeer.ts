// A peer that says exactly what a test wants: raw frames out, parsed frames in. Knows no rules, so it can break them all.
import { connect, type Socket } from "node:net"
import { Flag, FrameType, getUint32, preface, putFrameHeader } from "../../core/net/Frame.ts"
import { HpackDecoder } from "../../core/net/HpackDecoder.ts"

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** A frame's bytes. */
export const frame = (type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer => {
  const bytes = Buffer.alloc(9 + payload.length)
  putFrameHeader(bytes, 0, payload.length, type, flags, id)
  bytes.set(payload, 9)
  return bytes
}

/** A header block of literals without indexing. */
export const literals = (fields: ReadonlyArray<readonly [string, string]>): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, "latin1")
  const length = [bytes.length]
  if (bytes.length >= 127) {
    length[0] = 127
    let rest = bytes.length - 127
    for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}

/** The fields of a gRPC request. */
export const grpcRequest = (path: string): Array<readonly [string, string]> => [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", path],
  [":authority", "test"],
  ["content-type", "application/grpc"],
  ["te", "trailers"]
]

/** HEADERS of a gRPC request. */
export const grpcHeaders = (id: number, path: string, flags: number = Flag.EndHeaders): Buffer =>
  frame(FrameType.Headers, flags, id, literals(grpcRequest(path)))

/** DATA with one gRPC message. */
export const grpcData = (id: number, message: Uint8Array, flags: number = Flag.EndStream): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return frame(FrameType.Data, flags, id, Buffer.concat([prefix, message]))
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

export class RawPeer {
  readonly socket: Socket
  readonly frames: Array<RawFrame> = []
  closed = false
  private readonly decoder = new HpackDecoder(1 << 20)
  private rest: Buffer = Buffer.alloc(0)
  private waiters: Array<() => void> = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (chunk: Buffer) => this.read(chunk))
    socket.on("error", () => {})
    socket.on("close", () => {
      this.closed = true
      this.wake()
    })
  }

  /** Connects, and shakes hands with the given SETTINGS payload unless it is null. */
  static async open(port: number, settings: Uint8Array | null = Buffer.alloc(0)): Promise<RawPeer> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true })
    await new Promise((resolve) => socket.once("connect", resolve))
    const peer = new RawPeer(socket)
    if (settings !== null) {
      peer.send(preface, frame(FrameType.Settings, 0, 0, settings))
      await peer.until((seen) => seen.type === FrameType.Settings && (seen.flags & Flag.Ack) !== 0)
    }
    return peer
  }

  send(...pieces: ReadonlyArray<Uint8Array>): void {
    if (!this.closed) this.socket.write(Buffer.concat(pieces))
  }

  /** The first frame, seen already or still to come, that fits; raises when the connection ends without it. */
  async until(fits: (frame: RawFrame) => boolean): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find(fits)
      if (found !== undefined) return found
      if (this.closed) throw new Error(`closed; frames seen: ${JSON.stringify(this.frames.map(({ type }) => type))}`)
      await new Promise<void>((resolve) => this.waiters.push(resolve))
    }
  }

  /** The error code and text of the GOAWAY that ends the connection. */
  async goAway(): Promise<{ readonly code: number; readonly reason: string; readonly lastId: number }> {
    const { payload } = await this.until(({ type }) => type === FrameType.GoAway)
    return { code: getUint32(payload, 4), reason: payload.toString("utf8", 8), lastId: getUint32(payload, 0) }
  }

  /** The error code of the RST_STREAM of a stream. */
  async reset(id: number): Promise<number> {
    const { payload } = await this.until((seen) => seen.type === FrameType.RstStream && seen.id === id)
    return getUint32(payload, 0)
  }

  /** A PING's round trip: everything sent before has been handled. */
  async roundTrip(): Promise<void> {
    const mark = Buffer.from(String(performance.now()).padEnd(8).slice(-8))
    this.send(frame(FrameType.Ping, 0, 0, mark))
    await this.until(
      ({ type, flags, payload }) => type === FrameType.Ping && flags === Flag.Ack && payload.equals(mark)
    )
  }

  /** Header blocks in the order in which they came. */
  headers(id: number): Array<ReadonlyArray<string>> {
    return this.decoded.filter((block) => block.id === id).map((block) => block.fields)
  }

  private readonly decoded: Array<{ readonly id: number; readonly fields: ReadonlyArray<string> }> = []

  private read(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk])
    while (this.rest.length >= 9) {
      const size = this.rest.readUIntBE(0, 3)
      if (this.rest.length < 9 + size) break
      const payload = Buffer.from(this.rest.subarray(9, 9 + size))
      const seen = { type: this.rest[3], flags: this.rest[4], id: this.rest.readUInt32BE(5), payload }
      this.rest = this.rest.subarray(9 + size)
      this.frames.push(seen)
      if (seen.type === FrameType.Headers) {
        this.decoded.push({ id: seen.id, fields: this.decoder.decode(payload, 0, payload.length) })
      }
    }
    this.wake()
  }

  private wake(): void {
    const waiters = this.waiters
    this.waiters = []
    for (const wake of waiters) wake()
  }

  close(): void {
    this.socket.destroy()
  }
}
