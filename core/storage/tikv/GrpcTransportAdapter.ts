// The transport over real sockets: @grpc/grpc-js, one channel to each server, with or without TLS.
// Owns channels and credentials; refuses messages, which it carries as bytes. A channel reconnects by itself; at most
// CHANNELS_MAX are kept, the longest unused one is closed for a new one.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js"
import { RpcFailed } from "./TikvError.ts"
import type { Transport, TransportStream } from "./Transport.ts"

const CHANNELS_MAX = 256
const MESSAGE_MAX_BYTES = 256 * 2 ** 20

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

const channelOptions = {
  "grpc.max_receive_message_length": MESSAGE_MAX_BYTES,
  "grpc.max_send_message_length": MESSAGE_MAX_BYTES,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 3000,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1000,
  // One channel must not be shared behind our back: closing it would close another's.
  "grpc.use_local_subchannel_pool": 1
}

const readPem = (file: string) =>
  Effect.try({
    try: () => readFileSync(file),
    catch: () => new BadTlsFile({ file, rule: "must be a readable file in PEM form" })
  })

const makeCredentials = Effect.fnUntraced(function* ({ caFile, certFile, keyFile }: TransportTls) {
  if (caFile === "" && certFile === "" && keyFile === "") return credentials.createInsecure()
  const ca = caFile === "" ? null : yield* readPem(caFile)
  const cert = certFile === "" ? null : yield* readPem(certFile)
  const key = keyFile === "" ? null : yield* readPem(keyFile)
  return yield* Effect.try({
    try: () => credentials.createSsl(ca, key, cert),
    catch: () => new BadTlsFile({ file: certFile || caFile, rule: "must hold certificates that fit the key" })
  })
})

const identity = (bytes: Buffer): Buffer => bytes
const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

class GrpcTransport implements Transport {
  private readonly channels = new Map<string, Client>()
  private readonly credentials: ChannelCredentials

  constructor(channelCredentials: ChannelCredentials) {
    this.credentials = channelCredentials
  }

  unary(address: string, path: string, request: Uint8Array, timeoutMs: number) {
    return Effect.callback<Uint8Array, RpcFailed>((resume) => {
      const call = this.channel(address).makeUnaryRequest<Buffer, Buffer>(
        path,
        identity,
        identity,
        asBuffer(request),
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error !== null) resume(Effect.fail(failed(address, path, error)))
          else resume(Effect.succeed(answer ?? Buffer.alloc(0)))
        }
      )
      return Effect.sync(() => call.cancel())
    })
  }

  stream(address: string, path: string, handler: Parameters<Transport["stream"]>[2]): TransportStream {
    const call = this.channel(address).makeBidiStreamRequest<Buffer, Buffer>(path, identity, identity, new Metadata())
    let over = false
    const end = (reason: RpcFailed): void => {
      if (!over) handler.end(reason)
      over = true
    }
    call.on("data", (bytes: Buffer) => {
      if (!over) handler.message(bytes)
    })
    call.on("error", (error: ServiceError) => end(failed(address, path, error)))
    call.on("end", () =>
      end(new RpcFailed({ address, path, code: status.UNAVAILABLE, detail: "the server ended the stream" }))
    )
    return {
      send: (bytes) => {
        if (!over) call.write(asBuffer(bytes))
      },
      close: () => {
        over = true
        call.cancel()
      }
    }
  }

  private channel(address: string): Client {
    const known = this.channels.get(address)
    if (known !== undefined) {
      this.channels.delete(address)
      this.channels.set(address, known)
      return known
    }
    if (this.channels.size >= CHANNELS_MAX) {
      const [[oldest, client]] = this.channels
      this.channels.delete(oldest)
      client.close()
    }
    const made = new Client(address, this.credentials, channelOptions)
    this.channels.set(address, made)
    return made
  }

  close(): void {
    for (const client of this.channels.values()) client.close()
    this.channels.clear()
  }
}

const failed = (address: string, path: string, { code, details, message }: ServiceError): RpcFailed =>
  new RpcFailed({ address, path, code, detail: details || message })

/** Opens the transport for the life of the scope; fails on TLS files that cannot be used. */
export const openGrpcTransport = Effect.fn("tikv.openGrpcTransport")(function* (tls: TransportTls) {
  const channelCredentials = yield* makeCredentials(tls)
  return yield* Effect.acquireRelease(
    Effect.sync(() => new GrpcTransport(channelCredentials)),
    (transport) => Effect.sync(() => transport.close())
  )
})
