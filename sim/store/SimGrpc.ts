// gRPC between simulated processes: a GrpcClient whose wire is the simulated network, so that whatever is written against a client of
// core/net runs in the world with latency, partitions and crashes.
// Owns calls, their order on the connection and what becomes of them when it breaks; refuses metadata and reconnecting.
import {
  type ClientCall,
  type ClientListener,
  type ClientStream,
  type GrpcClient,
  GrpcCode,
  type GrpcMethod,
  GrpcStatus,
  type StreamListener
} from "#net"
import type { SimConnection } from "../faults/SimConnection.ts"
import { ServerStream, ServerUnary } from "./SimGrpcCalls.ts"

/** The methods of the process at the other end, as it runs now. */
export type Service = ReadonlyMap<string, GrpcMethod>

const lost = (): GrpcStatus => GrpcStatus.of(GrpcCode.Unavailable, "the connection was lost")

const unknownMethod = (path: string): GrpcStatus => GrpcStatus.of(GrpcCode.Unimplemented, `unknown method ${path}`)

/** A client on an open connection: it is ready until the connection breaks, and never again. */
export class SimGrpcClient implements GrpcClient {
  private readonly connection: SimConnection
  private readonly service: () => Service
  private readonly open = new Set<(status: GrpcStatus) => void>()
  private readonly serverCalls = new Set<{ cancel: () => void }>()

  constructor(connection: SimConnection, service: () => Service) {
    this.connection = connection
    this.service = service
    connection.onBroken.client = () => this.failAll()
    connection.onBroken.server = () => {
      for (const call of this.serverCalls) call.cancel()
      this.serverCalls.clear()
    }
  }

  get ready(): boolean {
    return !this.connection.broken
  }

  unary(
    path: string,
    message: Uint8Array,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void
  ): ClientCall {
    const request = Buffer.from(message)
    let ended = false
    const finish = (error: GrpcStatus | undefined, answer: Uint8Array): void => {
      if (ended) return
      ended = true
      this.open.delete(fail)
      callback(error, answer)
    }
    const fail = (status: GrpcStatus): void => finish(status, new Uint8Array(0))
    this.open.add(fail)
    let call: ServerUnary | undefined
    this.connection.send("client", () => {
      const method = this.service().get(path)
      const created = new ServerUnary((error, answer) => {
        this.serverCalls.delete(created)
        this.connection.send("server", () => finish(error, answer))
      })
      call = created
      if (method === undefined || !("unary" in method)) return created.refuse(unknownMethod(path))
      this.serverCalls.add(created)
      method.unary(created, request)
    })
    if (this.connection.broken) fail(lost())
    return {
      cancel: () => {
        this.connection.send("client", () => call?.cancel())
        fail(GrpcStatus.of(GrpcCode.Cancelled, "the call was cancelled"))
      }
    }
  }

  stream(path: string, listener: ClientListener): ClientStream {
    let ended = false
    const end = (status: GrpcStatus): void => {
      if (ended) return
      ended = true
      this.open.delete(end)
      listener.end(status)
    }
    this.open.add(end)
    let call: ServerStream | undefined
    let inbox: StreamListener | undefined
    this.connection.send("client", () => {
      const method = this.service().get(path)
      const created = new ServerStream({
        message: (bytes) => this.connection.send("server", () => (ended ? undefined : listener.message(bytes))),
        end: (status) => {
          this.serverCalls.delete(created)
          this.connection.send("server", () => end(status))
        }
      })
      call = created
      if (method === undefined || !("stream" in method)) return created.refuse(unknownMethod(path))
      this.serverCalls.add(created)
      inbox = method.stream(created)
    })
    return {
      send: (message) => {
        const copy = Buffer.from(message)
        this.connection.send("client", () => inbox?.message(copy))
        return true
      },
      halfClose: () => this.connection.send("client", () => inbox?.end()),
      cancel: () => {
        this.connection.send("client", () => call?.cancel())
        end(GrpcStatus.of(GrpcCode.Cancelled, "the call was cancelled"))
      },
      bufferedBytes: 0,
      pause: () => undefined,
      resume: () => undefined
    }
  }

  close(): void {
    this.connection.break("client")
    this.failAll()
  }

  private failAll(): void {
    const open = [...this.open]
    this.open.clear()
    for (const fail of open) fail(lost())
  }
}
