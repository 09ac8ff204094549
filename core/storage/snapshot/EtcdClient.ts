// A running etcd (or one of ours) as imports and exports see it: connecting, logging in, pages at one revision, leases,
// writes, and the snapshot stream. Owns those calls and their errors; refuses to know what is done with the answers.
import { Effect, type Scope } from "effect"
import {
  callUnary,
  connect,
  type CallOptions,
  type ClientTls,
  type ConnectFailed,
  type GrpcClient,
  type GrpcStatus,
  type Int64,
  type Message
} from "#net"
import { AuthenticateRequest, AuthenticateResponse, Empty, SnapshotResponse } from "../rpc/AdminMessages.ts"
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  type KeyValue
} from "../rpc/KvMessages.ts"
import { safeInteger, TransferError, type SourceLease } from "./Transfer.ts"

export interface EndpointOptions {
  /** http://host:port or https://host:port. */
  readonly url: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly tls: ClientTls
}

/** Whether a text names a running server rather than a path. */
export const isEndpoint = (text: string): boolean => /^https?:\/\//.test(text)

const PORT_DEFAULT = 2379
const ALL = Buffer.from([0])
/** A page is asked for so many keys as should come to this many bytes. */
const PAGE_BYTES = 4 * 2 ** 20
const PAGE_KEYS_FIRST = 100
const PAGE_KEYS_MAX = 10_000
const LEASE_CALLS = 32

/** The interval of all keys with a prefix; all keys for an empty one. */
export const prefixRange = (prefix: Uint8Array): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } => {
  if (prefix.length === 0) return { key: ALL, rangeEnd: ALL }
  const end = Buffer.from(prefix)
  for (let at = end.length - 1; at >= 0; at--) {
    if (end[at] === 0xff) continue
    end[at]++
    return { key: prefix, rangeEnd: end.subarray(0, at + 1) }
  }
  return { key: prefix, rangeEnd: ALL }
}

/** Connects and, with a user, logs in; the connection closes with the scope. */
export const openEndpoint = Effect.fn("storage.openEndpoint")(function* (options: EndpointOptions) {
  const { password, tls, url, user } = options
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || parsed.hostname === "") {
    return yield* new TransferError({ subject: `endpoint ${JSON.stringify(url)}`, rule: "must be http://host:port" })
  }
  const client = yield* connect({
    host: parsed.hostname,
    port: parsed.port === "" ? PORT_DEFAULT : Number(parsed.port),
    ...(parsed.protocol === "https:" ? { tls } : {})
  })
  const endpoint = new EtcdClient(client, url)
  if (user !== undefined) yield* endpoint.login(user, password ?? "")
  return endpoint
}) satisfies (options: EndpointOptions) => Effect.Effect<EtcdClient, TransferError | ConnectFailed, Scope.Scope>

export class EtcdClient {
  readonly url: string
  private readonly client: GrpcClient
  private options: CallOptions = {}

  constructor(client: GrpcClient, url: string) {
    this.client = client
    this.url = url
  }

  private readonly failure = (status: GrpcStatus): TransferError =>
    new TransferError({ subject: this.url, rule: `answered: ${status.message}` })

  private call<A extends object, B extends object>(
    path: string,
    request: Message<A>,
    response: Message<B>,
    fields: Partial<A>
  ): Effect.Effect<B, TransferError> {
    return callUnary(this.client, `/etcdserverpb.${path}`, request.encode(fields), this.options).pipe(
      Effect.mapError(this.failure),
      Effect.flatMap((bytes) =>
        Effect.try({
          try: () => response.decode(bytes),
          catch: (error) =>
            new TransferError({ subject: this.url, rule: "must speak etcd's API", detail: String(error) })
        })
      )
    )
  }

  /** Calls carry the user's token from now on. */
  login(name: string, password: string): Effect.Effect<void, TransferError> {
    return this.call("Auth/Authenticate", AuthenticateRequest, AuthenticateResponse, { name, password }).pipe(
      Effect.map(({ token }) => {
        this.options = { metadata: [["token", token]] }
      })
    )
  }

  /** The revision now, as a number that JavaScript holds exactly; asked of a prefix that the user may read. */
  readonly revision = Effect.fnUntraced(function* (this: EtcdClient, prefix: Uint8Array) {
    const fields = { ...prefixRange(prefix), countOnly: true }
    const { header } = yield* this.call("KV/Range", RangeRequest, RangeResponse, fields)
    const revision = safeInteger(header?.revision ?? 0, this.url)
    return revision instanceof TransferError ? yield* revision : revision
  })

  /** How many keys have a prefix. */
  count(prefix: Uint8Array): Effect.Effect<Int64, TransferError> {
    const fields = { ...prefixRange(prefix), countOnly: true }
    return this.call("KV/Range", RangeRequest, RangeResponse, fields).pipe(Effect.map(({ count }) => count))
  }

  /** Hands every key of a prefix at a revision to `take`, page by page, in key order. */
  readonly pages = Effect.fnUntraced(function* <E>(
    this: EtcdClient,
    prefix: Uint8Array,
    revision: number,
    take: (kvs: ReadonlyArray<KeyValue>) => Effect.Effect<void, E>
  ) {
    const { rangeEnd, ...start } = prefixRange(prefix)
    let { key } = start
    let limit = PAGE_KEYS_FIRST
    for (;;) {
      const { kvs, more } = yield* this.call("KV/Range", RangeRequest, RangeResponse, {
        key,
        rangeEnd,
        limit,
        revision
      })
      const last = kvs.at(-1)
      if (last !== undefined) yield* take(kvs)
      if (!more || last === undefined) return
      key = Buffer.concat([last.key, Buffer.alloc(1)])
      const bytes = kvs.reduce((sum, kv) => sum + kv.key.length + kv.value.length + 32, 0)
      limit = Math.max(1, Math.min(PAGE_KEYS_MAX, limit * 4, Math.floor((limit * PAGE_BYTES) / bytes)))
    }
  })

  /** Leases with the time that they have left, at least a second; those that end meanwhile are left out. */
  readonly leases = Effect.fnUntraced(function* (this: EtcdClient) {
    const { leases } = yield* this.call("Lease/LeaseLeases", LeaseLeasesRequest, LeaseLeasesResponse, {})
    const found = yield* Effect.forEach(
      leases,
      ({ id }) => this.call("Lease/LeaseTimeToLive", LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, { id }),
      { concurrency: LEASE_CALLS }
    )
    return found.flatMap(({ id, ttl }): ReadonlyArray<SourceLease> =>
      ttl < 0 ? [] : [{ id, ttlSeconds: Math.max(1, Number(ttl)) }]
    )
  })

  /** Grants a lease under its old id, or under a new one when that is taken; answers the id. */
  grant({ id, ttlSeconds }: SourceLease): Effect.Effect<Int64, TransferError> {
    const ask = (wanted: Int64) =>
      this.call("Lease/LeaseGrant", LeaseGrantRequest, LeaseGrantResponse, { id: wanted, ttl: ttlSeconds })
    return ask(id).pipe(
      Effect.catchIf(
        (error) => error.message.includes("lease already exists"),
        () => ask(0)
      ),
      Effect.map((granted) => granted.id)
    )
  }

  txn(fields: Partial<TxnRequest>): Effect.Effect<TxnResponse, TransferError> {
    return this.call("KV/Txn", TxnRequest, TxnResponse, fields)
  }

  /** Streams a snapshot; `take` gets each blob, the checksum last, and ends the stream by raising. */
  snapshot(take: (blob: Buffer) => void): Effect.Effect<void, TransferError> {
    return Effect.callback<void, TransferError>((resume) => {
      const stream = this.client.stream(
        "/etcdserverpb.Maintenance/Snapshot",
        {
          message: (bytes) => {
            try {
              take(Buffer.from(SnapshotResponse.decode(Buffer.from(bytes)).blob))
            } catch (error) {
              const rule = "sent a snapshot that could not be kept"
              resume(Effect.fail(new TransferError({ subject: this.url, rule, detail: String(error) })))
              stream.cancel()
            }
          },
          end: (status) => resume(status.code === 0 ? Effect.void : Effect.fail(this.failure(status)))
        },
        this.options
      )
      stream.send(Empty.encode({}))
      stream.halfClose()
      return Effect.sync(() => stream.cancel())
    })
  }
}
