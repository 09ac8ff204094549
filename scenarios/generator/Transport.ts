// Temporary: the client of core/net as this room needs it, over node:http2, until that room is merged.
import { connect as connectHttp2 } from "node:http2"

export interface GrpcStatus {
  readonly code: number
  readonly message: string
}
export interface CallOptions {
  readonly deadlineMs?: number
  readonly metadata?: ReadonlyArray<readonly [string, string]>
}
export interface ClientCall {
  cancel(): void
}
export interface ClientListener {
  message(bytes: Uint8Array): void
  end(status: GrpcStatus): void
  drain?(): void
}
export interface ClientStream extends ClientCall {
  send(message: Uint8Array): boolean
  halfClose(): void
  readonly bufferedBytes: number
  pause(): void
  resume(): void
}
export interface GrpcClient {
  unary(
    path: string,
    message: Uint8Array,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void,
    options?: CallOptions
  ): ClientCall
  stream(path: string, listener: ClientListener, options?: CallOptions): ClientStream
  readonly ready: boolean
  close(): void
}

export const connectClient = (host: string, port: number): Promise<GrpcClient> =>
  new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${host}:${port}`, { settings: { initialWindowSize: 4 << 20 } })
    session.on("error", reject)
    session.on("connect", () => {
      session.setLocalWindowSize(64 << 20)
      resolve(client)
    })
    const stream = (path: string, listener: ClientListener, options?: CallOptions): ClientStream => {
      const s = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...Object.fromEntries(options?.metadata ?? [])
      })
      let buffer: Buffer = Buffer.alloc(0),
        status: GrpcStatus | undefined
      const trailers = (h: Record<string, unknown>) => {
        if (h["grpc-status"] !== undefined)
          status = { code: Number(h["grpc-status"]), message: decodeURIComponent(String(h["grpc-message"] ?? "")) }
      }
      s.on("response", trailers)
      s.on("trailers", trailers)
      s.on("data", (d: Buffer) => {
        buffer = buffer.length ? Buffer.concat([buffer, d]) : d
        while (buffer.length >= 5) {
          const n = buffer.readUInt32BE(1)
          if (buffer.length < 5 + n) break
          const m = buffer.subarray(5, 5 + n)
          buffer = buffer.subarray(5 + n)
          listener.message(m)
        }
      })
      s.on("error", () => {})
      s.on("close", () => listener.end(status ?? { code: 14, message: "closed" }))
      return {
        send: (m) => {
          const f = Buffer.alloc(5 + m.length)
          f.writeUInt32BE(m.length, 1)
          f.set(m, 5)
          return s.write(f)
        },
        halfClose: () => s.end(),
        cancel: () => s.close(8),
        pause: () => s.pause(),
        resume: () => s.resume(),
        bufferedBytes: 0
      }
    }
    const client: GrpcClient = {
      ready: true,
      close: () => session.destroy(),
      stream,
      unary: (path, message, callback) => {
        let got: Uint8Array | undefined
        const s = stream(path, {
          message: (m) => {
            got = m
          },
          end: (st) => callback(st.code === 0 && got ? undefined : st, got ?? new Uint8Array(0))
        })
        s.send(message)
        s.halfClose()
        return s
      }
    }
  })
