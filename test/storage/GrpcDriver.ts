// An etcd client for tests on @grpc/grpc-js, which shares no code with our wire: calls by name, answers as plain data.
// Owns the table of methods and the shape of outcomes; refuses to judge them.
import { Client, credentials, type ClientDuplexStream } from "@grpc/grpc-js"
import type { Message } from "../../core/net/index.ts"
import * as Admin from "../../core/storage/rpc/AdminMessages.ts"
import * as Kv from "../../core/storage/rpc/KvMessages.ts"

type Codec = Message<object>
interface Method {
  readonly path: string
  readonly request: Codec
  readonly response: Codec
}

const method = (path: string, request: unknown, response: unknown): Method => ({
  path: `/etcdserverpb.${path}`,
  request: request as Codec,
  response: response as Codec
})

export const methods = {
  range: method("KV/Range", Kv.RangeRequest, Kv.RangeResponse),
  rangeStream: method("KV/RangeStream", Kv.RangeRequest, Kv.RangeStreamResponse),
  put: method("KV/Put", Kv.PutRequest, Kv.PutResponse),
  deleteRange: method("KV/DeleteRange", Kv.DeleteRangeRequest, Kv.DeleteRangeResponse),
  txn: method("KV/Txn", Kv.TxnRequest, Kv.TxnResponse),
  compact: method("KV/Compact", Kv.CompactionRequest, Kv.CompactionResponse),
  watch: method("Watch/Watch", Kv.WatchRequest, Kv.WatchResponse),
  leaseGrant: method("Lease/LeaseGrant", Kv.LeaseGrantRequest, Kv.LeaseGrantResponse),
  leaseRevoke: method("Lease/LeaseRevoke", Kv.LeaseRevokeRequest, Kv.LeaseRevokeResponse),
  leaseKeepAlive: method("Lease/LeaseKeepAlive", Kv.LeaseKeepAliveRequest, Kv.LeaseKeepAliveResponse),
  leaseTimeToLive: method("Lease/LeaseTimeToLive", Kv.LeaseTimeToLiveRequest, Kv.LeaseTimeToLiveResponse),
  leaseLeases: method("Lease/LeaseLeases", Kv.LeaseLeasesRequest, Kv.LeaseLeasesResponse),
  memberList: method("Cluster/MemberList", Admin.MemberListRequest, Admin.MemberListResponse),
  status: method("Maintenance/Status", Admin.Empty, Admin.StatusResponse),
  alarm: method("Maintenance/Alarm", Admin.AlarmRequest, Admin.AlarmResponse),
  hash: method("Maintenance/Hash", Admin.Empty, Admin.HashResponse),
  hashKv: method("Maintenance/HashKV", Admin.HashKvRequest, Admin.HashKvResponse),
  defragment: method("Maintenance/Defragment", Admin.Empty, Admin.HeaderOnly),
  moveLeader: method("Maintenance/MoveLeader", Admin.MoveLeaderRequest, Admin.HeaderOnly)
} as const
export type MethodName = keyof typeof methods

export type Fields = Readonly<Record<string, unknown>>
/** How a call ended: an answer (for streams all of them), or a code with its words. */
export type Outcome =
  | { readonly answer: Fields }
  | { readonly answers: ReadonlyArray<Fields>; readonly code: number; readonly details: string }
  | { readonly code: number; readonly details: string }

/** Drops the copy that a view would keep alive, so that answers compare and print alone. */
const serialize =
  (codec: Codec) =>
  (value: object): Buffer =>
    codec.encode(value)
const deserialize =
  (codec: Codec) =>
  (bytes: Buffer): Fields =>
    codec.decode(bytes) as unknown as Fields

/** What a driver does, of one server or of several. */
export type Driver = Pick<GrpcDriver, "call" | "ask" | "gather" | "open" | "ready" | "close">

export class GrpcDriver {
  private readonly client: Client

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.use_local_subchannel_pool": 1
    })
  }

  /** Calls a unary method. */
  call(name: MethodName, request: object): Promise<Outcome> {
    const { path, request: requests, response } = methods[name]
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(path, serialize(requests), deserialize(response), request, (error, answer) =>
        resolve(error === null ? { answer: answer ?? {} } : { code: error.code, details: error.details })
      )
    })
  }

  /** Calls a unary method and throws unless it answers. */
  async ask(name: MethodName, request: object): Promise<Fields> {
    const outcome = await this.call(name, request)
    if ("answer" in outcome) return outcome.answer
    throw new Error(`${name}: ${outcome.code} ${outcome.details}`)
  }

  /** Sends requests on a stream, closes our half and gathers all answers. */
  gather(name: MethodName, requests: ReadonlyArray<object>): Promise<Outcome> {
    return new Promise((resolve) => {
      const answers: Array<Fields> = []
      const stream = this.open(name)
      stream.on("data", (answer: Fields) => answers.push(answer))
      stream.on("error", () => undefined)
      stream.on("status", ({ code, details }: { code: number; details: string }) => resolve({ answers, code, details }))
      for (const request of requests) stream.write(request)
      stream.end()
    })
  }

  /** Opens a stream both ways. */
  open(name: MethodName): ClientDuplexStream<object, Fields> {
    const { path, request, response } = methods[name]
    return this.client.makeBidiStreamRequest(path, serialize(request), deserialize(response))
  }

  /** Resolves when the connection stands, so that calls leave in the order in which they are made. */
  ready(timeoutMs = 30_000): Promise<void> {
    return new Promise((resolve, reject) => {
      this.client.waitForReady(performance.timeOrigin + performance.now() + timeoutMs, (error) =>
        error === undefined || error === null ? resolve() : reject(error)
      )
    })
  }

  close(): void {
    this.client.close()
  }
}
