// One of several equal nodes on a shared engine: a store that writes while it holds a term and follows the log while another does.
// Owns the change of roles: what is read before a term's first write, what ends with it, and the hand-over without a lost request.
// Refuses sockets, which ServeNode.ts and the simulator bring.
import type { Cancel, Clockwork } from "#kube"
import type { GrpcMethod, Int64, UnaryMethod } from "#net"
import { failCall } from "../api/ApiContext.ts"
import { KEEP_ALIVE_PATH, renewLease } from "../api/LeaseApi.ts"
import { type Engine, Table, type View } from "../engine/Engine.ts"
import { CHECKPOINT_MS } from "../lease/Lessor.ts"
import { MetaKey, readRevision } from "../mvcc/Layout.ts"
import { loadNeeds } from "../mvcc/Store.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { Storage, type StorageOptions } from "../server/Storage.ts"
import { Election, type Self } from "./Election.ts"
import { Followers } from "./Followers.ts"
import { type Dial, LeaderLink } from "./LeaderLink.ts"
import { LogFollower } from "./LogFollower.ts"
import { Router } from "./Router.ts"
import { SharedReads } from "./SharedReads.ts"
import { TermFence } from "./TermFence.ts"

export interface StorageNodeOptions extends Omit<StorageOptions, "node" | "others" | "identity"> {
  readonly identity: { readonly clusterId: Int64; readonly memberId: Int64 }
  /** How long the term's row must stand still before another node may take over, in milliseconds. */
  readonly termMs: number
  /** Opens connections to other nodes. */
  readonly dial: Dial
}

/** Looks at the log in one term while the leader says nothing, and while there is none. */
const LOOKS_PER_TERM = 5
const SEARCHES_PER_TERM = 20
/** Leases whose deadline is written down again in one round. */
const CHECKPOINTS_MAX = 10_000
/** How long a hand-over may take: for what is under way to end, and for the heir to begin; then requests go on as they can. */
const DRAIN_MAX_MS = 500
const HEIR_MAX_MS = 1000
const HAND_OVER_LOOK_MS = 5
/** A renewal as a call of its own: how keep-alive streams reach the leader. Not part of etcd's API. */
const RENEW_PATH = "/kubewharf.storage.Peer/Renew"

const nodeNeeds = [...loadNeeds, { table: Table.Auth, start: Buffer.alloc(0), end: undefined, limit: 0 }]

export class StorageNode {
  readonly storage: Storage
  /** etcd's API as clients see it. */
  readonly methods: ReadonlyArray<GrpcMethod>
  /** What only other nodes may ask. */
  readonly peerMethods: ReadonlyArray<GrpcMethod>
  readonly election: Election
  readonly router: Router
  readonly reads: SharedReads
  private readonly clockwork: Clockwork
  private readonly memberId: Int64
  private readonly identity: { readonly clusterId: Int64; readonly memberId: Int64; term: number }
  private readonly fence: TermFence
  private readonly followers: Followers
  private readonly link: LeaderLink
  private readonly log: LogFollower
  private readonly stops: ReadonlyArray<Cancel>
  private readonly self: Self
  private leading = false
  private leaving = false
  /** Counts changes of roles: what an earlier one began ends with it. */
  private turn = 0
  private authRevision = 0
  private heirAwaited: (() => void) | undefined

  /** Opens a node: it has read what the engine holds, follows the log and takes part in elections. */
  static open(
    engine: Engine,
    clockwork: Clockwork,
    options: StorageNodeOptions,
    opened: (node: StorageNode) => void
  ): void {
    const reads = new SharedReads(engine, clockwork.defer)
    reads.preload(nodeNeeds, () => {
      const node = new StorageNode(reads, clockwork, options)
      // After this, reads are no longer answered from what is at hand.
      clockwork.defer(() => {
        node.log.start()
        opened(node)
      })
    })
  }

  private constructor(reads: SharedReads, clockwork: Clockwork, options: StorageNodeOptions) {
    const { dial, termMs } = options
    const { engine } = reads
    this.reads = reads
    this.clockwork = clockwork
    this.memberId = options.identity.memberId
    this.identity = { ...options.identity, term: 0 }
    this.fence = new TermFence(clockwork)
    this.storage = new Storage(engine, clockwork, { ...options, identity: this.identity, node: this.parts() })
    const { committer } = this.storage.store
    const nonce = 1 + Math.floor(clockwork.random() * (Number.MAX_SAFE_INTEGER - 1))
    const { clientUrls, name, peerUrls } = options.member()
    this.self = { leaderId: this.memberId, nonce, name, peerUrls, clientUrls }
    this.log = new LogFollower(this.storage.store, this.storage.hub, (meta) => this.observed(meta))
    this.link = new LeaderLink({
      clockwork,
      dial,
      self: this.self,
      changed: () => this.reached(),
      told: (record, revision) => {
        this.election.observe(record)
        this.log.hint(revision)
      }
    })
    this.followers = new Followers({
      defer: clockwork.defer,
      leads: this.leads,
      update: () => ({
        record: this.election.recordBytes ?? Buffer.alloc(0),
        revision: this.storage.store.revision
      }),
      joined: (member) => this.storage.members.enroll(member, () => undefined)
    })
    this.router = new Router(clockwork, {
      leads: this.leads,
      leader: () => this.link.client,
      asksLeader: () => this.storage.auth.enabled && this.storage.auth.hasLocalTokens && !this.leading
    })
    this.election = new Election({
      engine,
      clockwork,
      fence: this.fence,
      self: this.self,
      termMs,
      beat: (done) => committer.beat(done),
      isFree: () => !committer.isCommitting,
      won: () => this.won(),
      lost: () => this.lost(),
      changed: () => this.changed()
    })
    this.storage.store.onFailure = () => this.lost()
    this.storage.store.listen({ committed: () => this.followers.tell() })
    const { methods, peerMethods } = this.makeMethods()
    this.methods = methods
    this.peerMethods = peerMethods
    this.stops = [
      clockwork.every(termMs / LOOKS_PER_TERM, () => this.log.look()),
      clockwork.every(termMs / SEARCHES_PER_TERM, () => this.search()),
      clockwork.every(CHECKPOINT_MS, () => this.checkpoint()),
      () => this.election.stop(),
      () => this.router.stop(),
      () => this.link.aim([]),
      () => this.log.stop(),
      () => this.storage.stop()
    ]
  }

  /** Whether this node writes now. */
  readonly leads = (): boolean => this.leading

  /** Whether some node leads, as far as this one knows. */
  get hasLeader(): boolean {
    return this.leading || this.election.hasLeader
  }

  private parts() {
    const { fence, leads } = this
    return {
      fence,
      leads,
      leadership: {
        leaderId: () => (this.election.hasLeader ? this.election.record.leaderId : 0),
        confirm: (answer: (failure: EtcdFailure | undefined) => void) => {
          if (!this.leading) return answer(Failure.notLeader)
          if (fence.isTrusted()) return answer(undefined)
          this.storage.store.committer.beat((failure) => answer(failure === undefined ? undefined : Failure.notLeader))
        },
        level: (then: () => void) => (this.leading ? then() : this.log.level(then)),
        move: (target: Int64, answer: (failure: EtcdFailure | undefined) => void) => this.move(target, answer)
      }
    }
  }

  private makeMethods(): { methods: ReadonlyArray<GrpcMethod>; peerMethods: ReadonlyArray<GrpcMethod> } {
    const { router, storage } = this
    const renew: UnaryMethod = {
      path: RENEW_PATH,
      unary: (call, request) =>
        renewLease(storage.context, call, Buffer.from(request), (renewed) =>
          renewed instanceof EtcdFailure ? failCall(call, renewed) : call.respond(renewed)
        )
    }
    const methods = storage.methods.map((method) =>
      method.path === KEEP_ALIVE_PATH ? router.messagesThrough(renew, method.path) : router.forClients(method)
    )
    const peerMethods = [
      ...storage.methods.map((method) => router.forPeers(method)),
      router.forPeers(renew),
      this.followers.method
    ]
    return { methods, peerMethods }
  }

  /** Stops everything at once; what is under way is left to whoever comes next. */
  stop(): void {
    for (const stop of this.stops) stop()
  }

  // --- what others do ---

  private observed(meta: View): void {
    const { alarms, auth, members } = this.storage
    alarms.load(meta)
    members.load(meta)
    const row = meta.get(Table.Meta, MetaKey.auth)
    const revision = row === undefined ? 0 : readRevision(row, 0) * 2 + (row[8] ?? 0)
    if (revision !== this.authRevision) auth.reload()
    this.authRevision = revision
    this.election.observe(meta.get(Table.Meta, MetaKey.term))
  }

  /** The term's row is another than before. */
  private changed(): void {
    const { nonce, leaderId, peerUrls, released, term } = this.election.record
    this.identity.term = Number(term)
    const isOwn = nonce === this.self.nonce || leaderId === this.memberId
    this.link.aim(isOwn || released ? [] : peerUrls)
    if (this.leading) this.followers.tell()
  }

  /** Whoever leads next is found soon: requests wait for it. */
  private search(): void {
    if (!this.leading && this.link.client === undefined) this.log.look()
  }

  /** The leader is in reach, or no longer. */
  private reached(): void {
    if (this.link.client !== undefined) {
      this.heirAwaited?.()
      this.router.wake()
    }
    this.log.look()
  }

  // --- this node's turns ---

  private won(): void {
    const turn = ++this.turn
    this.log.stop()
    // First watchers are told everything that earlier terms wrote; nothing can be added to it now.
    this.log.catchUp(() => {
      if (turn !== this.turn) return
      this.reads.preload(nodeNeeds, () => {
        if (turn !== this.turn || !this.fence.holds()) return
        this.storage.reload()
        this.clockwork.defer(() => {
          if (turn === this.turn) this.lead()
        })
      })
    })
  }

  private lead(): void {
    const { clientUrls, leaderId: id, name, peerUrls } = this.self
    this.leading = true
    this.storage.compactor.reload()
    this.storage.members.enroll({ id, name, peerUrls, clientUrls, isLearner: false }, () => undefined)
    this.heirAwaited?.()
    this.router.wake()
  }

  private lost(): void {
    this.turn++
    const led = this.leading
    this.leading = false
    this.fence.end()
    this.storage.store.stopWriting()
    this.storage.compactor.stop()
    if (this.leaving) this.election.stop()
    else this.election.retreat()
    if (led) this.followers.dismiss()
    this.log.stop()
    this.log.start()
    this.changed()
  }

  private checkpoint(): void {
    const { store } = this.storage
    if (!this.leading) return
    store.writeRows<undefined>(
      ({ batch }) => {
        store.lessor.checkpoint(batch.writes, CHECKPOINTS_MAX)
        return undefined
      },
      () => undefined
    )
  }

  // --- hand-over ---

  private move(target: Int64, answer: (failure: EtcdFailure | undefined) => void): void {
    if (!this.leading) return answer(Failure.notLeader)
    if (target === this.memberId) return answer(undefined)
    if (!this.followers.ids.includes(target)) return answer(Failure.badLeaderTransferee)
    this.give(target, answer)
  }

  /** Gives leadership up, to another node if there is one, and answers when requests go there; then this node may end. */
  leave(done: () => void): void {
    this.leaving = true
    if (!this.leading) {
      this.election.stop()
      return done()
    }
    this.handOver(done)
  }

  /** Gives leadership up to any node that follows, or to nobody when there is none. */
  handOver(done: () => void = () => undefined): void {
    const [heir] = this.followers.ids
    if (this.leading) this.give(heir ?? 0, done)
    else done()
  }

  private give(heirId: Int64, answer: (failure: EtcdFailure | undefined) => void): void {
    const { clockwork, router } = this
    const { committer } = this.storage.store
    const startedMs = clockwork.monotonic()
    router.hold()
    const release = (): void => {
      if (!this.leading) return this.awaitHeir(heirId, answer)
      this.fence.release(heirId)
      committer.beat(() => this.awaitHeir(heirId, answer))
    }
    const drain = (): void => {
      const isQuiet = this.storage.store.undecided === 0 && committer.isIdle && !committer.isCommitting
      if (isQuiet || !this.leading || clockwork.monotonic() - startedMs > DRAIN_MAX_MS) release()
      else clockwork.after(1, drain)
    }
    drain()
  }

  /** Waits until another leads and is in reach, looking at the log meanwhile. */
  private awaitHeir(heirId: Int64, answer: (failure: EtcdFailure | undefined) => void): void {
    const { clockwork } = this
    const stopLooking = clockwork.every(HAND_OVER_LOOK_MS, () => this.log.look())
    let over = false
    const finish = (failure: EtcdFailure | undefined): void => {
      if (over) return
      over = true
      stopLooking()
      stopWaiting()
      this.heirAwaited = undefined
      this.router.resume()
      answer(failure)
    }
    const stopWaiting = clockwork.after(heirId === 0 ? 0 : HEIR_MAX_MS, () => finish(Failure.timeout))
    this.heirAwaited = () => finish(undefined)
    if (this.link.client !== undefined) finish(undefined)
  }
}
