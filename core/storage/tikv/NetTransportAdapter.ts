// The transport over real sockets: core/net's gRPC client, one connection to each server for calls and one for streams, with or
// without TLS. Owns connections, made when they are needed and anew when they are lost; refuses messages, which it carries as bytes.
// While a server cannot be reached calls fail at once: callers know how long to wait. At most CHANNELS_MAX connections are kept, the
// longest unused one is closed for a new one.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import {
  type ClientStream,
  type ClientTls,
  connect,
  type ConnectOptions,
  type GrpcClient,
  GrpcCode,
  type GrpcStatus,
  tlsIdentityProblem
} from "#net"
import { RpcFailed } from "./TikvError.ts"
import type { CallEnded, StreamHandler, Transport, TransportStream } from "./Transport.ts"

const CHANNELS_MAX = 256
const MESSAGE_MAX_BYTES = 256 * 2 ** 20
const WINDOW_BYTES = 16 * 2 ** 20
const CONNECT_TIMEOUT_MS = 3000
/** After a failed attempt to connect, doubling. */
const RETRY_MS = 50
const RETRY_MAX_MS = 1000
/** A connection that answered nothing in time is left to its other calls for so long. */
const LEFT_MS = 10_000
/** Servers refuse pings on connections without a stream. */
const STREAM_KEEPALIVE = { intervalMs: 10_000, timeoutMs: 3000 }

/** Files in PEM form; all empty means no TLS. */
export interface TransportTls {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** A TLS file that cannot be read or is no PEM; names the flag and the file, never its content. */
export class BadTlsFile extends Schema.TaggedError<BadTlsFile>()("BadTlsFile", {
  file: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `TLS file ${this.file}: ${this.rule}`
  }
}

const readPem = (file: string) =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: () => new BadTlsFile({ file, rule: "must be a readable file in PEM form" })
  })

/** What is shown to servers; the files are read again with each connection, so that new ones count. */
const checkedTls = Effect.fnUntraced(function* ({ caFile, certFile, keyFile }: TransportTls) {
  if (caFile === "" && certFile === "" && keyFile === "") return undefined
  const ca = caFile === "" ? undefined : yield* readPem(caFile)
  if (certFile !== "") {
    const pair = { cert: yield* readPem(certFile), key: yield* readPem(keyFile) }
    const problem = tlsIdentityProblem(ca === undefined ? pair : { ...pair, ca })
    if (problem !== undefined) {
      return yield* new BadTlsFile({ file: certFile, rule: `must hold certificates that fit the key: ${problem}` })
    }
  }
  const tls: ClientTls = { ...(caFile === "" ? {} : { caFile }), ...(certFile === "" ? {} : { certFile, keyFile }) }
  return tls
})

/** Opens a connection that `lost` hears the end of; answers with what can be closed, or why there is none. */
type Open = (options: ConnectOptions, opened: (client: GrpcClient) => void, failed: (why: string) => void) => void

/** Hears whether there is a connection. */
type Wanted = (client: GrpcClient | undefined, why: string) => void

/** The way to one server. */
class Channel {
  private readonly open: Open
  private readonly options: ConnectOptions
  private client: GrpcClient | undefined
  private connecting = false
  private waiting: Array<Wanted> = []
  private retryMs = RETRY_MS
  private notBeforeMs = 0
  private why = ""
  private closed = false

  constructor(open: Open, options: ConnectOptions) {
    this.open = open
    this.options = options
  }

  /** Gives a connection, now or when it is made; or says why there is none. */
  use(wanted: Wanted): void {
    if (this.client?.ready === true) return wanted(this.client, "")
    if (!this.connecting && performance.now() < this.notBeforeMs) return wanted(undefined, this.why)
    this.waiting.push(wanted)
    if (!this.connecting) this.connect()
  }

  private connect(): void {
    this.connecting = true
    this.open(
      this.options,
      (client) => {
        if (this.closed) return client.close()
        this.retryMs = RETRY_MS
        this.client = client
        this.settle(client, "")
      },
      (why) => {
        this.notBeforeMs = performance.now() + this.retryMs
        this.retryMs = Math.min(RETRY_MAX_MS, 2 * this.retryMs)
        this.why = why
        this.settle(undefined, why)
      }
    )
  }

  private settle(client: GrpcClient | undefined, why: string): void {
    this.connecting = false
    const { waiting } = this
    this.waiting = []
    for (const wanted of waiting) wanted(client, why)
  }

  /** It answers nothing: whatever comes next is asked over another connection. */
  leave(client: GrpcClient): void {
    if (this.client !== client) return
    this.client = undefined
    setTimeout(() => client.close(), LEFT_MS).unref()
  }

  close(): void {
    this.closed = true
    this.client?.close()
    this.client = undefined
  }
}

/** A stream whose connection may still be on its way. */
class ChannelStream implements TransportStream {
  private stream: ClientStream | undefined
  private waiting: Array<Uint8Array> = []
  private over = false
  private readonly failed: (code: number, detail: string) => void

  constructor(channel: Channel, path: string, handler: StreamHandler, failure: (status: GrpcStatusLike) => RpcFailed) {
    this.failed = (code, message) => {
      if (!this.over) handler.end(failure({ code, message }))
      this.over = true
    }
    channel.use((client, why) => {
      if (this.over) return
      if (client === undefined) return this.failed(GrpcCode.Unavailable, why)
      const stream = client.stream(path, {
        message: (bytes) => {
          if (!this.over) handler.message(Buffer.from(bytes))
        },
        end: ({ code, message }) =>
          code === GrpcCode.Ok
            ? this.failed(GrpcCode.Unavailable, "the server ended the stream")
            : this.failed(code, message)
      })
      this.stream = stream
      for (const bytes of this.waiting) stream.send(bytes)
      this.waiting = []
    })
  }

  send(bytes: Uint8Array): void {
    if (this.over) return
    if (this.stream === undefined) this.waiting.push(bytes)
    else this.stream.send(bytes)
  }

  close(): void {
    this.over = true
    this.stream?.cancel()
  }
}

const NOTHING = new Uint8Array(0)

type GrpcStatusLike = Pick<GrpcStatus, "code" | "message">

class NetTransport implements Transport {
  private readonly open: Open
  private readonly tls: ClientTls | undefined
  private readonly channels = new Map<string, Channel>()

  constructor(open: Open, tls: ClientTls | undefined) {
    this.open = open
    this.tls = tls
  }

  call(address: string, path: string, request: Uint8Array, timeoutMs: number, ended: CallEnded): () => void {
    const channel = this.channel(address, false)
    let running: { cancel(): void } | undefined
    let over = false
    const fail = (status: GrpcStatusLike): void => ended(failed(address, path, status), NOTHING)
    channel.use((client, why) => {
      if (over) return
      if (client === undefined) return fail({ code: GrpcCode.Unavailable, message: why })
      const answered = (error: GrpcStatus | undefined, answer: Uint8Array): void => {
        if (over) return
        if (error === undefined) return ended(undefined, Buffer.from(answer))
        if (error.code === GrpcCode.DeadlineExceeded) channel.leave(client)
        fail(error)
      }
      running = client.unary(path, request, answered, { deadlineMs: timeoutMs })
    })
    return () => {
      over = true
      running?.cancel()
    }
  }

  stream(address: string, path: string, handler: StreamHandler): TransportStream {
    return new ChannelStream(this.channel(address, true), path, handler, (status) => failed(address, path, status))
  }

  private channel(address: string, streams: boolean): Channel {
    const name = streams ? `${address} streams` : address
    const known = this.channels.get(name)
    if (known !== undefined) {
      this.channels.delete(name)
      this.channels.set(name, known)
      return known
    }
    if (this.channels.size >= CHANNELS_MAX) {
      const [[oldest, channel]] = this.channels
      this.channels.delete(oldest)
      channel.close()
    }
    const made = new Channel(this.open, this.optionsOf(address, streams))
    this.channels.set(name, made)
    return made
  }

  private optionsOf(address: string, streams: boolean): ConnectOptions {
    const at = address.lastIndexOf(":")
    return {
      host: address.slice(0, at).replace(/^\[|\]$/g, ""),
      port: Number(address.slice(at + 1)),
      authority: address,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      maxReceiveMessageBytes: MESSAGE_MAX_BYTES,
      streamWindowBytes: WINDOW_BYTES,
      connectionWindowBytes: WINDOW_BYTES,
      ...(streams ? { keepalive: STREAM_KEEPALIVE } : {}),
      ...(this.tls === undefined ? {} : { tls: this.tls })
    }
  }

  close(): void {
    for (const channel of this.channels.values()) channel.close()
    this.channels.clear()
  }
}

const failed = (address: string, path: string, { code, message }: GrpcStatusLike): RpcFailed =>
  new RpcFailed({ address, path, code, detail: message })

/** Opens the transport for the life of the scope; fails on TLS files that cannot be used. */
export const openNetTransport = Effect.fn("tikv.openNetTransport")(function* (tls: TransportTls) {
  const shown = yield* checkedTls(tls)
  const scope = yield* Effect.scope
  const run = Effect.runForkWith(yield* Effect.context())
  const open: Open = (options, opened, refused) => {
    // A connection lives until it is lost or closed; the transport's end closes them all.
    const stay = Effect.gen(function* () {
      let over: () => void = () => undefined
      const client = yield* connect({ ...options, onClose: () => over() })
      opened(client)
      yield* Effect.callback<void>((resume) => {
        over = () => resume(Effect.void)
        if (!client.ready) over()
      })
    })
    const told = Effect.catch(Effect.scoped(stay), ({ message }) => Effect.sync(() => refused(message)))
    run(Effect.forkIn(told, scope))
  }
  return yield* Effect.acquireRelease(
    Effect.sync(() => new NetTransport(open, shown)),
    (transport) => Effect.sync(() => transport.close())
  )
})
