// etcd's Lease service: grant, revoke, keep alive, time to live, list.
// Owns ids and the shape of answers; refuses time, which the lessor keeps.
import { type CallInfo, int64, type GrpcMethod, type Message, type UnaryCall } from "#net"
import { LEASE_TTL_MAX_SECONDS } from "../lease/Lessor.ts"
import { revokeLease } from "../lease/Revocation.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
  type LeaseId
} from "../rpc/KvMessages.ts"
import { answer, decode, failCall, unary, type ApiContext } from "./ApiContext.ts"

export const leaseMethods = (context: ApiContext): ReadonlyArray<GrpcMethod> => [
  unary("/etcdserverpb.Lease/LeaseGrant", LeaseGrantRequest, ({ id, ttl }, call) => grant(context, call, id, ttl)),
  unary("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeRequest, ({ id }, call) => {
    const denied = context.auth.lease(call, id, "write")
    if (denied !== undefined) return failCall(call, denied)
    revokeLease(context.store, id, (failure, revision) =>
      answer(call, LeaseRevokeResponse, failure ?? { header: context.header.message(revision) })
    )
  }),
  keepAlive(context),
  unary("/etcdserverpb.Lease/LeaseTimeToLive", LeaseTimeToLiveRequest, ({ id, keys }, call) => {
    const denied = keys ? context.auth.lease(call, id, "read") : context.auth.requireUser(call)
    answerWhenDurable(context, call, LeaseTimeToLiveResponse, denied ?? timeToLive(context, id, keys))
  }),
  unary("/etcdserverpb.Lease/LeaseLeases", LeaseLeasesRequest, (_request, call) => {
    const denied = context.auth.leases(call)
    const leases = [...context.store.lessor.all()].sort((a, b) => a.expiresAtMs - b.expiresAtMs)
    const header = context.header.message(context.store.revision)
    answerWhenDurable(context, call, LeaseLeasesResponse, denied ?? { header, leases })
  })
]

/**
 * Leases are read as the last write left them, so nobody is told before that write is durable and its events are out; and
 * not by a member that another has followed as leader, which may know better.
 */
const answerWhenDurable = <T extends object>(
  context: ApiContext,
  call: UnaryCall,
  codec: Message<T>,
  result: Partial<T> | EtcdFailure
): void => whenCurrent(context, (failure) => answer(call, codec, failure ?? result))

const whenCurrent = ({ leadership, store }: ApiContext, then: (failure: EtcdFailure | undefined) => void): void =>
  store.committer.whenDurable((failure) => (failure === undefined ? leadership.confirm(then) : then(failure)))

const grant = (context: ApiContext, call: UnaryCall, asked: LeaseId, ttl: number | bigint): void => {
  const { lessor } = context.store
  const refused = context.alarms.refuseWrite() ?? context.auth.requireUser(call)
  if (refused !== undefined) return failCall(call, refused)
  context.store.writeRows(
    ({ batch }) => {
      if (ttl > LEASE_TTL_MAX_SECONDS) return Failure.leaseTtlTooLarge
      const id = asked === 0 ? freeId(context) : asked
      if (lessor.lookup(id) !== undefined) return Failure.leaseExists
      return lessor.grant(id, Number(ttl), batch.writes)
    },
    (lease, revision) => {
      if (lease instanceof EtcdFailure) return failCall(call, lease)
      answer(call, LeaseGrantResponse, {
        header: context.header.message(revision),
        id: lease.id,
        ttl: lease.ttlSeconds
      })
    }
  )
}

/** A random positive 63-bit id that is not in use. */
const freeId = ({ random, store }: ApiContext): LeaseId => {
  for (;;) {
    const high = BigInt(Math.floor(random() * 0x8000_0000))
    const low = BigInt(Math.floor(random() * 0x1_0000_0000))
    const id = int64((high << 32n) | low)
    if (id !== 0 && store.lessor.lookup(id) === undefined) return id
  }
}

const timeToLive = (context: ApiContext, id: LeaseId, withKeys: boolean) => {
  const header = context.header.message(context.store.revision)
  const { lessor } = context.store
  const lease = lessor.lookup(id)
  if (lease === undefined) return { header, id, ttl: -1 }
  return {
    header,
    id,
    ttl: Math.trunc(lessor.remainingMs(lease) / 1000),
    grantedTtl: lease.ttlSeconds,
    keys: withKeys ? [...lease.keys].sort().map((text) => Buffer.from(text, "latin1")) : []
  }
}

/** One answer for each request, in order; an unknown lease is answered with a time to live of 0. */
const keepAlive = (context: ApiContext): GrpcMethod => ({
  path: KEEP_ALIVE_PATH,
  stream: (call) => ({
    message: (bytes) =>
      renewLease(context, call, bytes, (renewed) => {
        if (renewed instanceof EtcdFailure) failCall(call, renewed)
        else if (!call.cancelled) call.send(renewed)
      }),
    end: () => context.store.committer.whenDurable(() => call.end())
  })
})

/** etcd's stream of renewals. */
export const KEEP_ALIVE_PATH = "/etcdserverpb.Lease/LeaseKeepAlive"

/** One renewal: from the bytes of the request to those of the answer. */
export const renewLease = (
  context: ApiContext,
  call: CallInfo,
  bytes: Uint8Array,
  answer: (renewed: Uint8Array | EtcdFailure) => void
): void => {
  const request = decode(LeaseKeepAliveRequest, bytes)
  if (request instanceof EtcdFailure) return answer(request)
  const denied = context.auth.lease(call, request.id, "write")
  if (denied !== undefined) return answer(denied)
  const { committer, lessor } = context.store
  const lease = lessor.renew(request.id, committer.batch.writes)
  const header = context.header.message(context.store.revision)
  const renewed = LeaseKeepAliveResponse.encode({ header, id: request.id, ttl: lease?.ttlSeconds ?? 0 })
  whenCurrent(context, (failure) => answer(failure ?? renewed))
}
