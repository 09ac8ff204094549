// Reads the server name (SNI) out of a TLS ClientHello before any TLS library sees it, so that each name can have a context of its
// own: certificate, authorities and session tickets. Owns the parsing (RFC 8446 section 4.1.2, RFC 6066 section 3) and its bound;
// refuses to judge the rest of the message, which the handshake does.
import type { Socket } from "node:net"

/** The most bytes of records that a ClientHello may take: post-quantum key shares and large tickets fit several times over. */
const helloBytesMax = 65_536
const handshakeRecord = 22
const clientHello = 1
const serverNameExtension = 0

/** What the bytes say so far: more are needed, it is no ClientHello, or the name that it asks for (undefined: none). */
export type HelloRead = "more" | "broken" | { readonly serverName: string | undefined }

/** Reads the first records of a connection. */
export const readClientHello = (bytes: Buffer): HelloRead => {
  const message: Array<Buffer> = []
  let length = 0
  let needed = 4
  for (let at = 0; length < needed;) {
    if (bytes.length > at && bytes[at] !== handshakeRecord) return "broken"
    if (bytes.length < at + 5) return at > helloBytesMax ? "broken" : "more"
    const size = bytes.readUInt16BE(at + 3)
    if (size === 0 || size > 16_640 || bytes[at + 1] !== 3) return "broken"
    const part = bytes.subarray(at + 5, at + 5 + size)
    message.push(part)
    length += part.length
    if (needed === 4 && length >= 4) {
      const head = Buffer.concat(message).subarray(0, 4)
      if (head[0] !== clientHello) return "broken"
      needed = 4 + head.readUIntBE(1, 3)
      if (needed > helloBytesMax) return "broken"
    }
    if (part.length < size && length < needed) return "more"
    at += 5 + size
  }
  return nameIn(Buffer.concat(message).subarray(4, needed))
}

const nameIn = (hello: Buffer): HelloRead => {
  try {
    let at = 34
    at += 1 + hello.readUInt8(at)
    at += 2 + hello.readUInt16BE(at)
    at += 1 + hello.readUInt8(at)
    if (at === hello.length) return { serverName: undefined }
    const end = at + 2 + hello.readUInt16BE(at)
    if (end > hello.length) return "broken"
    for (at += 2; at + 4 <= end;) {
      const type = hello.readUInt16BE(at)
      const size = hello.readUInt16BE(at + 2)
      if (at + 4 + size > end) return "broken"
      if (type === serverNameExtension) return nameOf(hello.subarray(at + 4, at + 4 + size))
      at += 4 + size
    }
    return { serverName: undefined }
  } catch {
    // Read past the end: the lengths inside do not fit the message.
    return "broken"
  }
}

const nameOf = (extension: Buffer): HelloRead => {
  if (extension.length < 5 || extension[2] !== 0) return "broken"
  const size = extension.readUInt16BE(3)
  if (size === 0 || 5 + size > extension.length) return "broken"
  return { serverName: extension.toString("latin1", 5, 5 + size) }
}

/** Alerts in plain text: unrecognized_name (RFC 6066 section 3) and decode_error. */
const unrecognizedName = Buffer.from([21, 3, 3, 0, 2, 2, 112])
const decodeError = Buffer.from([21, 3, 3, 0, 2, 2, 50])

/**
 * Waits for the ClientHello of an accepted socket and gives it to `accept`, whose false refuses the name; what was read stands in
 * the socket again. A client that takes longer than `limitMs` is dropped.
 */
export const withClientHello = (
  socket: Socket,
  limitMs: number,
  accept: (serverName: string | undefined) => boolean
): void => {
  let seen: Buffer = Buffer.alloc(0)
  const silent = (): void => void socket.destroy()
  const ignore = (): void => {}
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const read = readClientHello(seen)
    if (read === "more") return
    socket.off("data", onData)
    socket.off("error", ignore)
    socket.off("timeout", silent)
    socket.setTimeout(0)
    if (read === "broken") return refuse(socket, decodeError)
    socket.pause()
    socket.unshift(seen)
    if (!accept(read.serverName)) refuse(socket, unrecognizedName)
  }
  socket.setTimeout(limitMs)
  socket.on("timeout", silent)
  socket.on("error", ignore)
  socket.on("data", onData)
}

const refuse = (socket: Socket, alert: Buffer): void => {
  socket.on("error", () => {})
  socket.end(alert)
  socket.resume()
  socket.setTimeout(1000, () => void socket.destroy())
}
