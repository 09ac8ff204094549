// Where each call of a client is answered: here, if any node may, else by whoever leads.
// Owns the waiting for a leader and the way there; refuses ever to send a request twice that may have done something: a call whose
// connection broke is answered as unknown, and only what certainly did nothing, or may happen twice, is sent again.
import type { Cancel, Clockwork } from "#kube"
import {
  GrpcCode,
  type GrpcClient,
  type GrpcMethod,
  type StreamCall,
  type StreamMethod,
  type UnaryCall,
  type UnaryMethod
} from "#net"
import { decode, failCall } from "../api/ApiContext.ts"
import { vouchFor } from "../auth/Vouched.ts"
import { isReadOnly } from "../mvcc/Txn.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { TxnRequest } from "../rpc/KvMessages.ts"
import { forwardedMetadata, forwardStream, knownCode } from "../server/Forwarding.ts"
import { callOfMessage, isNotLeader, RoutedCall } from "./RoutedCall.ts"

/** How long a request waits for a leader, in milliseconds; etcd's own limit for a request. */
const WAIT_MAX_MS = 7000
/** Requests that wait for a leader; beyond, they are answered `too many requests`. */
const WAITING_MAX = 20_000
/** Renewals of one stream that wait for their turn. */
const RENEWALS_MAX = 10_000
/** Before a request is sent again that a member refused which no longer leads, in milliseconds. */
const AGAIN_MS = 5

/** Where this node stands. */
export interface Place {
  /** Whether calls are answered here. */
  readonly leads: () => boolean
  /** The way to the leader, if there is one. */
  readonly leader: () => GrpcClient | undefined
  /** Whether even what any node may answer is asked of the leader. */
  readonly asksLeader: () => boolean
}

interface Routed {
  readonly method: UnaryMethod
  readonly call: UnaryCall
  readonly bytes: Buffer
  /** Whether it may be carried out twice. */
  readonly idempotent: boolean
  readonly givenUpMs: number
}

const STATUS_PATH = "/etcdserverpb.Maintenance/Status"
/** What any node may answer. */
const anywhere = new Set([
  "/etcdserverpb.KV/Range",
  "/etcdserverpb.KV/RangeStream",
  "/etcdserverpb.Watch/Watch",
  STATUS_PATH,
  "/etcdserverpb.Maintenance/Defragment"
])
const TXN_PATH = "/etcdserverpb.KV/Txn"
const idempotent = new Set(["/etcdserverpb.KV/Range", "/etcdserverpb.Cluster/MemberList"])

export class Router {
  readonly stats = { forwarded: 0, repeated: 0, unknown: 0 }
  private readonly clockwork: Clockwork
  private readonly place: Place
  private waiting: Array<Routed> = []
  private holding = false
  private readonly stopRounds: Cancel

  constructor(clockwork: Clockwork, place: Place) {
    this.clockwork = clockwork
    this.place = place
    this.stopRounds = clockwork.every(WAIT_MAX_MS / 10, () => this.dropLate())
  }

  stop(): void {
    this.stopRounds()
  }

  /** Keeps every request that needs a leader waiting, until `resume`. */
  hold(): void {
    this.holding = true
  }

  resume(): void {
    this.holding = false
    this.wake()
  }

  /** Something changed: what waits is tried again. */
  wake(): void {
    if (this.holding || this.waiting.length === 0) return
    const { waiting } = this
    this.waiting = []
    for (const routed of waiting) this.submit(routed)
  }

  /** A method as clients see it on any node. */
  forClients(method: GrpcMethod): GrpcMethod {
    const { handled, path } = method
    const counted = handled === undefined ? {} : { handled }
    if ("stream" in method) return { path, ...counted, stream: (call) => this.openStream(method, call) }
    return { path, ...counted, unary: (call, request) => this.route(method, call, request) }
  }

  /** A method as other nodes see it: answered here or not at all. */
  forPeers(method: GrpcMethod): GrpcMethod {
    if ("stream" in method || anywhere.has(method.path)) return method
    return {
      path: method.path,
      unary: (call, request) => {
        if (this.place.leads() && !this.holding) method.unary(call, request)
        else failCall(call, Failure.notLeader)
      }
    }
  }

  /** A stream whose messages are requests of their own, answered in order. */
  messagesThrough(method: UnaryMethod, path: string): GrpcMethod {
    return { path, stream: (call) => this.openMessages(method, call) }
  }

  private isHere(path: string, request: Uint8Array | undefined): boolean {
    if (this.place.asksLeader()) return false
    if (anywhere.has(path)) return true
    if (path !== TXN_PATH || request === undefined) return false
    const txn = decode(TxnRequest, request)
    return txn instanceof EtcdFailure || isReadOnly(txn)
  }

  private route(method: UnaryMethod, call: UnaryCall, request: Uint8Array): void {
    const { path } = method
    if (path === STATUS_PATH && this.place.asksLeader()) return this.answerVouched(method, call, Buffer.from(request))
    if (anywhere.has(path) && this.isHere(path, undefined)) return method.unary(call, request)
    // Where this node leads every transaction is its own.
    if (!this.place.leads() && this.isHere(path, request)) return method.unary(call, request)
    this.submit({
      method,
      call,
      bytes: Buffer.from(request),
      idempotent: idempotent.has(path),
      givenUpMs: this.clockwork.monotonic() + WAIT_MAX_MS
    })
  }

  /** What is asked of this very node: the leader says whether the sender may, by what it answers itself. */
  private answerVouched(method: UnaryMethod, call: UnaryCall, bytes: Buffer): void {
    const asked = callOfMessage(
      call,
      () => {
        vouchFor(call)
        method.unary(call, bytes)
      },
      (code, message) => call.fail(code, message)
    )
    const givenUpMs = this.clockwork.monotonic() + WAIT_MAX_MS
    this.submit({ method, call: asked, bytes, idempotent: true, givenUpMs })
  }

  private submit(routed: Routed): void {
    const { bytes, call, method } = routed
    if (call.cancelled) return
    if (this.holding) return this.wait(routed)
    if (this.place.leads()) return method.unary(new RoutedCall(call, () => this.again(routed)), bytes)
    const client = this.place.leader()
    if (client === undefined) this.wait(routed)
    else this.forward(client, routed)
  }

  private wait(routed: Routed): void {
    if (this.waiting.length >= WAITING_MAX) failCall(routed.call, Failure.tooManyRequests)
    else this.waiting.push(routed)
  }

  /** A request that certainly did nothing, or may be repeated, goes on. */
  private again(routed: Routed): void {
    this.stats.repeated++
    if (this.clockwork.monotonic() >= routed.givenUpMs) return failCall(routed.call, Failure.noLeader)
    this.clockwork.after(AGAIN_MS, () => this.submit(routed))
  }

  private forward(client: GrpcClient, routed: Routed): void {
    const { bytes, call, idempotent, method } = routed
    this.stats.forwarded++
    const running = client.unary(
      method.path,
      bytes,
      (error, message) => {
        if (error === undefined) return call.respond(message)
        if (isNotLeader(error.code, error.message)) return this.again(routed)
        if (!isOfTheWay(error.code, error.message)) return call.fail(knownCode(error.code), error.message)
        if (idempotent) return this.again(routed)
        this.stats.unknown++
        failCall(call, Failure.connectionLost)
      },
      { metadata: forwardedMetadata(call) }
    )
    call.onCancel = () => running.cancel()
  }

  private openStream(method: StreamMethod, call: StreamCall) {
    const isOwn = this.place.leads() || this.isHere(method.path, undefined)
    return isOwn ? method.stream(call) : forwardStream({ client: this.place.leader() }, method.path, call)
  }

  private openMessages(method: UnaryMethod, call: StreamCall) {
    const queue: Array<Buffer> = []
    let busy = false
    let ended = false
    const next = (): void => {
      const bytes = queue.shift()
      busy = bytes !== undefined
      if (bytes === undefined) {
        if (ended) call.end()
        return
      }
      const inner = callOfMessage(
        call,
        (message) => {
          if (!call.cancelled) call.send(message)
          next()
        },
        (code, message) => call.fail(code, message)
      )
      this.submit({ method, call: inner, bytes, idempotent: true, givenUpMs: this.clockwork.monotonic() + WAIT_MAX_MS })
    }
    return {
      message: (bytes: Uint8Array) => {
        if (queue.length >= RENEWALS_MAX) return failCall(call, Failure.tooManyRequests)
        queue.push(Buffer.from(bytes))
        if (!busy) next()
      },
      end: () => {
        ended = true
        if (!busy) call.end()
      }
    }
  }

  private dropLate(): void {
    const nowMs = this.clockwork.monotonic()
    const late = this.waiting.filter(({ givenUpMs }) => givenUpMs <= nowMs)
    if (late.length === 0) return
    this.waiting = this.waiting.filter(({ givenUpMs }) => givenUpMs > nowMs)
    for (const { call } of late) failCall(call, Failure.noLeader)
  }
}

/** Whether a call failed on its way, not by what was at its end: the store's own words all begin alike. */
const isOfTheWay = (code: number, message: string): boolean =>
  code === GrpcCode.Unavailable && !message.startsWith("etcdserver: ")
