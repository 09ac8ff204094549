// The server's end of a WebSocket that carries numbered channels, as kubectl exec and attach speak it (v5.channel.k8s.io).
// Owns the handshake, frames and the closing of single channels; refuses to know what the channels carry.
// Source: RFC 6455; k8s.io/apimachinery, pkg/util/remotecommand. A message of more than MESSAGE_BYTES_MAX ends the connection.
import { createHash } from "node:crypto"
import type { Duplex } from "node:stream"
import type { HttpExchange } from "#net"

/** Channels of a remote command. */
export const CHANNELS = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

const PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
const MESSAGE_BYTES_MAX = 1_048_576
const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const NORMAL_CLOSURE = 1000

export interface ChannelListener {
  readonly data: (channel: number, bytes: Uint8Array) => void
  /** The client closed a channel: there is no more standard input. */
  readonly closed: (channel: number) => void
  /** The connection is over; once. */
  readonly ended: () => void
}

/** Whether a request asks for what this speaks. */
export const asksForChannels = (exchange: HttpExchange): boolean =>
  (exchange.header("upgrade") ?? "").toLowerCase() === "websocket" && protocolOf(exchange) !== undefined

const protocolOf = (exchange: HttpExchange): string | undefined => {
  const asked = new Set((exchange.header("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim()))
  return PROTOCOLS.find((protocol) => asked.has(protocol))
}

export class ChannelSocket {
  private readonly socket: Duplex
  private readonly listener: ChannelListener
  private held: Buffer = Buffer.alloc(0)
  /** What came of a message in several frames. */
  private parts: Array<Buffer> = []
  private over = false

  private constructor(socket: Duplex, listener: ChannelListener) {
    this.socket = socket
    this.listener = listener
    socket.on("data", (bytes: Buffer) => this.received(bytes))
    socket.on("error", () => socket.destroy())
    socket.on("close", () => this.end())
  }

  /** Takes a connection over; undefined when it cannot be upgraded. */
  static open(exchange: HttpExchange, listener: ChannelListener): ChannelSocket | undefined {
    const key = exchange.header("sec-websocket-key") ?? ""
    const accept = createHash("sha1")
      .update(key + MAGIC)
      .digest("base64")
    const socket = exchange.upgrade([
      ["upgrade", "websocket"],
      ["connection", "Upgrade"],
      ["sec-websocket-accept", accept],
      ["sec-websocket-protocol", protocolOf(exchange) ?? ""]
    ])
    return socket === undefined ? undefined : new ChannelSocket(socket, listener)
  }

  send(channel: number, bytes: Uint8Array): void {
    if (!this.over) this.frame(OPCODES.binary, Buffer.concat([Buffer.from([channel]), bytes]))
  }

  /** Says goodbye in good order. */
  close(): void {
    if (this.over) return
    const code = Buffer.alloc(2)
    code.writeUInt16BE(NORMAL_CLOSURE)
    this.frame(OPCODES.close, code)
    this.socket.end()
  }

  private end(): void {
    if (this.over) return
    this.over = true
    this.listener.ended()
  }

  private frame(opcode: number, payload: Buffer): void {
    const { length } = payload
    const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10)
    head[0] = 0x80 | opcode
    if (length < 126) head[1] = length
    else if (length < 65_536) {
      head[1] = 126
      head.writeUInt16BE(length, 2)
    } else {
      head[1] = 127
      head.writeBigUInt64BE(BigInt(length), 2)
    }
    this.socket.write(Buffer.concat([head, payload]))
  }

  private received(bytes: Buffer): void {
    this.held = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes])
    while (!this.over && this.takeFrame());
  }

  /** Takes one whole frame off what has come; false when there is none yet. */
  private takeFrame(): boolean {
    const { held } = this
    if (held.length < 2) return false
    const short = held[1] & 0x7f
    const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10
    if (held.length < headBytes) return false
    const length = short < 126 ? short : short === 126 ? held.readUInt16BE(2) : Number(held.readBigUInt64BE(2))
    // Clients mask what they send; who does not, or sends too much, is no client of ours.
    if ((held[1] & 0x80) === 0 || length > MESSAGE_BYTES_MAX) {
      this.socket.destroy()
      return false
    }
    const end = headBytes + 4 + length
    if (held.length < end) return false
    const payload = Buffer.from(held.subarray(headBytes + 4, end))
    for (let at = 0; at < length; at++) payload[at] ^= held[headBytes + (at & 3)]
    this.held = held.subarray(end)
    this.taken(held[0] & 0x0f, (held[0] & 0x80) !== 0, payload)
    return true
  }

  private taken(opcode: number, isLast: boolean, payload: Buffer): void {
    if (opcode === OPCODES.ping) return this.frame(OPCODES.pong, payload)
    if (opcode === OPCODES.pong) return undefined
    if (opcode === OPCODES.close) return this.close()
    this.parts.push(payload)
    const bytes = this.parts.reduce((sum, part) => sum + part.length, 0)
    if (bytes > MESSAGE_BYTES_MAX) return void this.socket.destroy()
    if (!isLast) return undefined
    const message = Buffer.concat(this.parts)
    this.parts = []
    if (message.length === 0) return undefined
    if (message[0] === CHANNELS.close) this.listener.closed(message[1] ?? 0)
    else this.listener.data(message[0], message.subarray(1))
    return undefined
  }
}
