// Opens sockets to servers: TCP or unix, through a proxy (CONNECT) or not, with TLS or not, within a time limit. Owns the way to
// a socket that speaks an agreed protocol; refuses to own what is spoken on it.
import { Effect } from "effect"
import { request as httpRequest } from "node:http"
import { connect as connectSocket, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { ConnectFailed, describeSystemError } from "./NetError.ts"
import { type ClientTls, clientTlsOptions } from "./Tls.ts"

/** Where to connect. */
export interface DialOptions {
  /** A host name or address; with `unixPath` only the name that requests carry. */
  readonly host: string
  readonly port: number
  readonly unixPath?: string
  readonly tls?: ClientTls
  /** How long connecting, the TLS handshake and the protocol's greeting may take. Default 5,000. */
  readonly connectTimeoutMs?: number
  /** An HTTP proxy, like "http://user:password@host:port", that is asked to CONNECT. */
  readonly proxy?: string
}

/** Protocols to offer by ALPN, the best first; without TLS the first is spoken. */
export type Protocols = ReadonlyArray<"h2" | "http/1.1">

/** Takes what was read, memory that may be overwritten afterwards. */
export type Take = (chunk: Buffer) => void

/**
 * Called with the open socket and its agreed protocol; calls `succeed` then or later. What it answers takes what is read; with
 * undefined the socket is left alone.
 */
export type Speak<A> = (socket: Socket, protocol: Protocols[number], succeed: (value: A) => void) => Take | undefined

/** Bytes that one read takes at most. */
const readBytes = 65_536
/** What all plain connections of this thread read into: each read is handled before the next one begins. */
const sharedRead = Buffer.allocUnsafeSlow(readBytes)

/** The name of a target in messages. */
export const addressOf = ({ host, port, unixPath }: DialOptions): string => unixPath ?? `${host}:${port}`

/** Dials and speaks; fails when that takes too long, the socket is lost before success, or nothing is agreed on. */
export const dial = <A>(options: DialOptions, protocols: Protocols, speak: Speak<A>): Effect.Effect<A, ConnectFailed> =>
  Effect.callback<A, ConnectFailed>((resume) => {
    const address = addressOf(options)
    const attempt = new Attempt(options, protocols)
    const fail = (error: Error): void => {
      attempt.over()
      const { code, reason } = describeSystemError(error)
      resume(Effect.fail(new ConnectFailed({ address, code, message: `cannot connect to ${address}: ${reason}` })))
    }
    attempt.start(fail, (socket, protocol) =>
      speak(socket, protocol, (value) => {
        attempt.over()
        resume(Effect.succeed(value))
      })
    )
    return Effect.sync(() => {
      attempt.over()
      attempt.abandon(new Error("interrupted"))
    })
  })

/** One try: the sockets that it goes through, and the clock over all of them. */
class Attempt {
  private readonly options: DialOptions
  private readonly protocols: Protocols
  private timer: NodeJS.Timeout | undefined
  private current: { destroy(error: Error): unknown } | undefined
  private fail: ((error: Error) => void) | undefined
  private take: Take | undefined

  constructor(options: DialOptions, protocols: Protocols) {
    this.options = options
    this.protocols = protocols
  }

  start(fail: (error: Error) => void, opened: (socket: Socket, protocol: Protocols[number]) => Take | undefined): void {
    this.fail = fail
    const timeoutMs = this.options.connectTimeoutMs ?? 5000
    const late = (): void =>
      this.abandon(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: "ETIMEDOUT" }))
    this.timer = setTimeout(late, timeoutMs)
    try {
      if (this.options.proxy !== undefined) {
        this.tunnel(new URL(this.options.proxy), (socket) => this.secure(socket, opened))
      } else {
        this.secure(undefined, opened)
      }
    } catch (error) {
      fail(error as Error)
    }
  }

  /** The attempt succeeded or failed: what happens to the socket is its owner's business. */
  over(): void {
    clearTimeout(this.timer)
    this.fail = undefined
  }

  abandon(error: Error): void {
    this.current?.destroy(error)
  }

  private watch(socket: Socket): Socket {
    this.current = socket
    socket.once("error", (error) => this.fail?.(error))
    socket.once("close", () => this.fail?.(Object.assign(new Error("closed while connecting"), { code: "ECONNRESET" })))
    return socket
  }

  private secure(
    tunnel: Socket | undefined,
    opened: (socket: Socket, protocol: Protocols[number]) => Take | undefined
  ): void {
    const { options, protocols } = this
    const { host, port, tls, unixPath } = options
    const ready = (socket: Socket, protocol: Protocols[number]): void => {
      this.take = opened(socket, protocol)
      if (this.take !== undefined && !sharing) socket.on("data", this.take)
    }
    const where = unixPath === undefined ? { host, port } : { path: unixPath }
    const sharing = tls === undefined && tunnel === undefined && protocols[0] === "h2"
    if (tls === undefined) {
      if (tunnel !== undefined) return ready(this.watch(tunnel), protocols[0])
      const socket = this.watch(connectSocket({ ...where, noDelay: true, ...(sharing ? this.sharedReads() : {}) }))
      socket.once("connect", () => ready(socket, protocols[0]))
      return
    }
    const over = tunnel === undefined ? where : { socket: tunnel }
    const socket = connectTls({ ...over, ...clientTlsOptions(tls, host, protocols) })
    this.watch(socket)
    socket.setNoDelay(true)
    socket.once("secureConnect", () => {
      const protocol = agreed(socket, protocols)
      if (protocol !== undefined) return ready(socket, protocol)
      socket.destroy(Object.assign(new Error("the server did not agree to HTTP/2"), { code: "NO_H2" }))
    })
  }

  private sharedReads(): { readonly onread: { buffer: Buffer; callback: (count: number) => boolean } } {
    // On Windows a read is under way while others finish, so memory cannot be shared there.
    const buffer = process.platform === "win32" ? Buffer.allocUnsafeSlow(readBytes) : sharedRead
    const callback = (count: number): boolean => {
      this.take?.(buffer.subarray(0, count))
      return true
    }
    return { onread: { buffer, callback } }
  }

  /** Asks a proxy for a tunnel (RFC 9110 section 9.3.6). */
  private tunnel(proxy: URL, opened: (socket: Socket) => void): void {
    if (proxy.protocol !== "http:") {
      throw Object.assign(new Error(`a proxy of scheme "${proxy.protocol}" is not supported, only "http:"`), {
        code: "BAD_PROXY"
      })
    }
    const target = `${this.options.host.includes(":") ? `[${this.options.host}]` : this.options.host}:${this.options.port}`
    const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
    const identity =
      proxy.username === "" ? {} : { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` }
    const request = httpRequest({
      host: proxy.hostname.replaceAll(/[[\]]/g, ""),
      port: proxy.port === "" ? 80 : Number(proxy.port),
      method: "CONNECT",
      path: target,
      headers: { host: target, ...identity },
      agent: false
    })
    this.current = request
    request.once("error", (error) => this.fail?.(error))
    request.once("connect", (answer, socket, rest: Buffer) => {
      if (answer.statusCode !== 200) {
        socket.destroy()
        const error = new Error(`the proxy ${proxy.host} answered CONNECT with status ${answer.statusCode}`)
        return this.fail?.(Object.assign(error, { code: "PROXY_REFUSED" }))
      }
      if (rest.length > 0) socket.unshift(rest)
      opened(socket)
    })
    request.end()
  }
}

const agreed = (socket: TLSSocket, protocols: Protocols): Protocols[number] | undefined => {
  const { alpnProtocol } = socket
  const protocol = protocols.find((offered) => offered === alpnProtocol)
  // A server without ALPN speaks HTTP/1.1.
  return protocol ?? (alpnProtocol === "h2" ? undefined : protocols.find((offered) => offered === "http/1.1"))
}
