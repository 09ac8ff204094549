// Those who follow this node while it leads: each is told of the newest revision and of the term's row, and may inherit.
// Owns the open streams; refuses to send data: followers read it where it is durable.
import type { GrpcMethod, Int64, MessageType, StreamCall } from "#net"
import type { Member } from "../rpc/AdminMessages.ts"
import { failCall } from "../api/ApiContext.ts"
import { Failure } from "../rpc/EtcdFailure.ts"
import { FOLLOW_PATH } from "./LeaderLink.ts"
import { FollowRequest, FollowUpdate } from "./TermRecord.ts"

/** Followers at once: beyond, streams are refused, and those nodes look at the log on their own. */
const FOLLOWERS_MAX = 1000

export interface FollowersOptions {
  readonly defer: (run: () => void) => void
  readonly leads: () => boolean
  readonly update: () => { readonly record: Uint8Array; readonly revision: number }
  /** A node has come. */
  readonly joined: (node: Member) => void
}

export class Followers {
  private readonly options: FollowersOptions
  private readonly streams = new Map<StreamCall, Int64>()
  private scheduled = false

  constructor(options: FollowersOptions) {
    this.options = options
  }

  /** The nodes that follow now. */
  get ids(): ReadonlyArray<Int64> {
    return [...new Set(this.streams.values())]
  }

  readonly method: GrpcMethod = {
    path: FOLLOW_PATH,
    stream: (call) => ({
      message: (bytes) => this.accept(call, FollowRequest.decode(Buffer.from(bytes))),
      end: () => undefined
    })
  }

  private accept(call: StreamCall, { clientUrls, id, name, peerUrls }: MessageType<typeof FollowRequest>): void {
    if (!this.options.leads()) return failCall(call, Failure.notLeader)
    if (this.streams.size >= FOLLOWERS_MAX) return failCall(call, Failure.tooManyRequests)
    this.streams.set(call, id)
    call.onCancel = () => void this.streams.delete(call)
    this.options.joined({ id, name, peerUrls, clientUrls, isLearner: false })
    call.send(FollowUpdate.encode(this.options.update()))
  }

  /** Something is new: told after what runs now, once for all that happens until then. */
  tell(): void {
    if (this.scheduled || this.streams.size === 0) return
    this.scheduled = true
    this.options.defer(() => {
      this.scheduled = false
      this.tellNow()
    })
  }

  private tellNow(): void {
    const update = FollowUpdate.encode(this.options.update())
    for (const call of this.streams.keys()) call.send(update)
  }

  /** This node no longer leads: each hears of it, and who may inherit, and then goes elsewhere. */
  dismiss(): void {
    this.tellNow()
    const { streams } = this
    const calls = [...streams.keys()]
    streams.clear()
    for (const call of calls) failCall(call, Failure.notLeader)
  }
}
