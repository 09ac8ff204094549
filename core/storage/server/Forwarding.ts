// A member in front of the store: it carries every call to the member that holds the store, and the answers back.
// Owns the way there, found among the peer URLs and found again when it is lost; refuses to keep any data or to decide
// anything. The caller's token goes along, and the name in its certificate where members show certificates (PeerCall.ts).
import { Effect } from "effect"
import {
  callUnary,
  connect,
  GrpcCode,
  type CallInfo,
  type ClientStream,
  type GrpcClient,
  type GrpcMethod,
  type StreamCall
} from "#net"
import { JOIN_PATH } from "../api/ClusterApi.ts"
import { HeaderOnly, JoinRequest } from "../rpc/AdminMessages.ts"
import { failCall } from "../api/ApiContext.ts"
import { Failure } from "../rpc/EtcdFailure.ts"
import type { EtcdConfig } from "./EtcdConfig.ts"
import { carriedName } from "./PeerCall.ts"
import { peerTarget } from "./PeerTls.ts"

/** How long to wait before the peers are tried again, in milliseconds. */
const RETRY_MS = 200
const forwardedFields = ["token", "authorization", "hasleader"]

const unaryPaths: Readonly<Record<string, string>> = {
  KV: "Range Put DeleteRange Txn Compact",
  Lease: "LeaseGrant LeaseRevoke LeaseTimeToLive LeaseLeases",
  Cluster: "MemberList MemberAdd MemberRemove MemberUpdate MemberPromote",
  Maintenance: "Status Alarm Defragment Hash HashKV MoveLeader Downgrade",
  Auth: "AuthEnable AuthDisable AuthStatus Authenticate UserAdd UserGet UserList UserDelete UserChangePassword UserGrantRole UserRevokeRole RoleAdd RoleGet RoleList RoleDelete RoleGrantPermission RoleRevokePermission"
}
const streamPaths = [
  "/etcdserverpb.KV/RangeStream",
  "/etcdserverpb.Watch/Watch",
  "/etcdserverpb.Lease/LeaseKeepAlive",
  "/etcdserverpb.Maintenance/Snapshot"
]

/** The way to the store; undefined while there is none. */
export interface Upstream {
  client: GrpcClient | undefined
}

/** What goes along with a forwarded call: who asks. */
export const forwardedMetadata = (call: CallInfo): ReadonlyArray<readonly [string, string]> => [
  ...forwardedFields.flatMap((name) => {
    const value = call.header(name)
    return value === undefined ? [] : [[name, value] as const]
  }),
  ...carriedName(call)
]

/** etcd's whole API, each call carried to the store. */
export const forwardingMethods = (upstream: Upstream): ReadonlyArray<GrpcMethod> => [
  ...Object.entries(unaryPaths).flatMap(([service, names]) =>
    names.split(" ").map((name) => forwardUnary(upstream, `/etcdserverpb.${service}/${name}`))
  ),
  ...streamPaths.map((path): GrpcMethod => ({ path, stream: (call) => forwardStream(upstream, path, call) }))
]

const forwardUnary = (upstream: Upstream, path: string): GrpcMethod => ({
  path,
  unary: (call, request) => {
    const { client } = upstream
    if (client === undefined) return failCall(call, Failure.noLeader)
    const running = client.unary(
      path,
      request,
      (error, message) =>
        error === undefined ? call.respond(message) : call.fail(knownCode(error.code), error.message),
      { metadata: forwardedMetadata(call) }
    )
    call.onCancel = () => running.cancel()
  }
})

/** Carries a stream to the store and back. */
export const forwardStream = (upstream: Upstream, path: string, call: StreamCall) => {
  const { client } = upstream
  if (client === undefined) {
    failCall(call, Failure.noLeader)
    return { message: () => undefined, end: () => undefined }
  }
  const inner: ClientStream = client.stream(
    path,
    {
      message: (bytes) => {
        if (!call.send(bytes)) inner.pause()
      },
      end: ({ code, message }) => (code === GrpcCode.Ok ? call.end() : call.fail(knownCode(code), message)),
      drain: () => call.resume()
    },
    { metadata: forwardedMetadata(call) }
  )
  call.onCancel = () => inner.cancel()
  call.onDrain = () => inner.resume()
  return {
    message: (bytes: Uint8Array) => {
      if (!inner.send(bytes)) call.pause()
    },
    end: () => inner.halfClose()
  }
}

/** A status code that this side knows. */
export const knownCode = (code: number): GrpcCode =>
  Object.values(GrpcCode).find((known) => known === code) ?? GrpcCode.Unknown

/** Keeps `upstream` connected to the one peer that holds the store; `connected` runs each time it has been found. */
export const keepConnected = (
  config: EtcdConfig,
  upstream: Upstream,
  connected: (url: string) => Effect.Effect<void>
) => {
  const urls = config.initialCluster.filter(({ name }) => name !== config.name).flatMap(({ peerUrls }) => peerUrls)
  return Effect.gen(function* () {
    for (const url of urls) yield* Effect.ignore(serveThrough(config, upstream, url, connected))
    yield* Effect.sleep(RETRY_MS)
  }).pipe(Effect.forever)
}

/** Connects to one peer, joins, and stays until the connection is lost; fails when it is not the one with the store. */
const serveThrough = (
  config: EtcdConfig,
  upstream: Upstream,
  url: string,
  connected: (url: string) => Effect.Effect<void>
) =>
  Effect.gen(function* () {
    let lost: () => void = () => undefined
    const client = yield* connect({
      ...peerTarget(config, url),
      onClose: () => lost()
    })
    const { advertiseClient: clientUrls, advertisePeer: peerUrls, name } = config
    HeaderOnly.decode(yield* callUnary(client, JOIN_PATH, JoinRequest.encode({ name, peerUrls, clientUrls })))
    upstream.client = client
    yield* connected(url)
    yield* Effect.callback<void>((resume) => {
      lost = () => resume(Effect.void)
      if (!client.ready) lost()
    }).pipe(Effect.ensuring(Effect.sync(() => (upstream.client = undefined))))
  }).pipe(Effect.scoped)
