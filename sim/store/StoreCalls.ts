// The etcd API as a simulated client uses it: typed calls and watches over whatever connection there is, made anew when it broke.
// Owns the port, the one implementation and its deadlines; refuses retries: what is not answered has an unknown outcome.
import { type GrpcClient, GrpcCode, GrpcStatus, type Message } from "#net"
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest,
  WatchResponse,
  type WatchCreateRequest
} from "#storage"
import type { Cancel } from "#kube"
import type { SimProcess } from "../time/SimProcess.ts"

/** One method: its path and both of its messages. */
export interface StoreMethod<Q extends object, A extends object> {
  readonly path: string
  readonly request: Message<Q>
  readonly response: Message<A>
  /** Whether each call is one message on a stream of its own. */
  readonly streamed?: boolean
}

const method = <Q extends object, A extends object>(
  path: string,
  request: Message<Q>,
  response: Message<A>
): StoreMethod<Q, A> => ({ path, request, response })

export const StoreMethods = {
  range: method("/etcdserverpb.KV/Range", RangeRequest, RangeResponse),
  put: method("/etcdserverpb.KV/Put", PutRequest, PutResponse),
  deleteRange: method("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest, DeleteRangeResponse),
  txn: method("/etcdserverpb.KV/Txn", TxnRequest, TxnResponse),
  compact: method("/etcdserverpb.KV/Compact", CompactionRequest, CompactionResponse),
  grant: method("/etcdserverpb.Lease/LeaseGrant", LeaseGrantRequest, LeaseGrantResponse),
  revoke: method("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeRequest, LeaseRevokeResponse),
  keepAlive: {
    ...method("/etcdserverpb.Lease/LeaseKeepAlive", LeaseKeepAliveRequest, LeaseKeepAliveResponse),
    streamed: true
  }
} as const

export interface StoreWatchListener {
  readonly response: (response: WatchResponse) => void
  /** The stream is over; not called after a cancel. */
  readonly ended: (status: GrpcStatus) => void
}

export interface StoreCalls {
  /** Answers once, never before the return. */
  readonly call: <Q extends object, A extends object>(
    method: StoreMethod<Q, A>,
    request: Partial<Q>,
    done: (answer: A | GrpcStatus) => void
  ) => void
  readonly watch: (request: Partial<WatchCreateRequest>, listener: StoreWatchListener) => Cancel
}

/** Whether a failed call certainly did nothing: the server itself refused it, or was never reached. */
export const didNothing = ({ code, message }: GrpcStatus): boolean =>
  message === REFUSED ||
  (code !== GrpcCode.Unavailable && code !== GrpcCode.DeadlineExceeded && code !== GrpcCode.Cancelled)

const REFUSED = "connection refused"
const DEADLINE_MS = 5000

/** The calls of one simulated client. `connect` opens a connection, or answers undefined when nobody is there. */
export const makeStoreCalls = (process: SimProcess, connect: () => GrpcClient | undefined): StoreCalls => {
  let current: GrpcClient | undefined
  const client = (): GrpcClient | undefined => {
    if (current?.ready !== true) current = connect()
    return current
  }
  const { after, defer } = process.clockwork
  const refused = GrpcStatus.of(GrpcCode.Unavailable, REFUSED)
  return {
    call: (method, request, done) => {
      const connection = client()
      if (connection === undefined) return defer(() => done(refused))
      let stop: Cancel = () => undefined
      let cancel: Cancel = () => undefined
      const finish = (answer: Parameters<typeof done>[0]): void => {
        stop()
        cancel()
        const once = done
        done = () => undefined
        once(answer)
      }
      stop = after(DEADLINE_MS, () => finish(GrpcStatus.of(GrpcCode.DeadlineExceeded, "no answer in time")))
      const bytes = method.request.encode(request)
      if (method.streamed === true) {
        const stream = connection.stream(method.path, {
          message: (message) => finish(method.response.decode(message)),
          end: (status) => finish(status)
        })
        stream.send(bytes)
        cancel = () => stream.cancel()
      } else connection.unary(method.path, bytes, (error, message) => finish(error ?? method.response.decode(message)))
    },
    watch: (request, listener) => {
      const connection = client()
      let over = false
      if (connection === undefined) {
        defer(() => (over ? undefined : listener.ended(refused)))
        return () => void (over = true)
      }
      const stream = connection.stream("/etcdserverpb.Watch/Watch", {
        message: (bytes) => (over ? undefined : listener.response(WatchResponse.decode(bytes))),
        end: (status) => {
          if (!over) listener.ended(status)
          over = true
        }
      })
      stream.send(WatchRequest.encode({ createRequest: { ...emptyWatch, ...request } }))
      return () => {
        over = true
        stream.cancel()
      }
    }
  }
}

const emptyWatch: WatchCreateRequest = {
  key: new Uint8Array(0),
  rangeEnd: new Uint8Array(0),
  startRevision: 0,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0,
  fragment: false
}
