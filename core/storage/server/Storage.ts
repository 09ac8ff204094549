// The store with all its services, on an engine and a clockwork: what a process serves and the simulator runs.
// Owns how the parts are joined and what runs by itself (lease expiry, quota, auto-compaction); refuses sockets and flags,
// which ServeStorage.ts brings.
import type { GrpcMethod, Int64 } from "#net"
import type { ApiContext, ApiLimits, Leadership } from "../api/ApiContext.ts"
import { authMethods } from "../api/AuthApi.ts"
import { clusterMethods, peerMethods, type MemberInfo } from "../api/ClusterApi.ts"
import { Header, type Identity } from "../api/Header.ts"
import { kvMethods } from "../api/KvApi.ts"
import { leaseMethods } from "../api/LeaseApi.ts"
import { maintenanceMethods } from "../api/MaintenanceApi.ts"
import { snapshotMethods } from "../api/SnapshotApi.ts"
import { watchMethods } from "../api/WatchApi.ts"
import { AuthStore, type AuthOptions } from "../auth/AuthStore.ts"
import type { Engine } from "../engine/Engine.ts"
import { revokeLease } from "../lease/Revocation.ts"
import { AutoCompaction, type AutoCompactionOptions } from "../mvcc/AutoCompaction.ts"
import { Compactor } from "../mvcc/Compactor.ts"
import type { Fence } from "../mvcc/Fence.ts"
import { Store } from "../mvcc/Store.ts"
import type { Member } from "../rpc/AdminMessages.ts"
import { Failure } from "../rpc/EtcdFailure.ts"
import type { SnapshotFiles } from "../snapshot/SnapshotFile.ts"
import { WatchHub } from "../watch/WatchHub.ts"
import { Alarms } from "./Alarms.ts"
import type { Clockwork } from "#kube"
import { Members } from "./Members.ts"

export interface StorageOptions {
  readonly limits: ApiLimits
  /** Bytes of data from which on puts are refused; 0 for no bound. */
  readonly quotaBytes: number
  readonly minLeaseTtlSeconds: number
  readonly autoCompaction: AutoCompactionOptions
  readonly auth: AuthOptions
  readonly identity: Identity
  readonly member: () => MemberInfo
  /** Where snapshots are built before they are streamed. */
  readonly snapshotFiles: SnapshotFiles
  /** The members in front of this one that the cluster begins with. */
  readonly others?: ReadonlyArray<Member>
  /** What a node brings that shares its engine with others; absent: this process alone writes. */
  readonly node?: NodeParts
}

/** How a store takes part in turns with others. */
export interface NodeParts {
  readonly fence: Fence
  readonly leadership: Leadership
  /** Whether it is this process's turn. */
  readonly leads: () => boolean
}

const always = (): boolean => true

/** The leadership of a member that never has to share it. */
const aloneLeads = (memberId: Int64): Leadership => ({
  leaderId: () => memberId,
  confirm: (answer) => answer(undefined),
  level: (then) => then(),
  move: (_target, answer) => answer(Failure.badLeaderTransferee)
})

/** Leases revoked in one round of half a second: etcd's rate of a thousand a second. */
const REVOCATIONS_PER_ROUND = 500
const EXPIRY_ROUND_MS = 500
const QUOTA_ROUND_MS = 1000

export class Storage {
  readonly store: Store
  readonly hub: WatchHub
  readonly compactor: Compactor
  readonly alarms: Alarms
  readonly auth: AuthStore
  readonly members: Members
  readonly context: ApiContext
  readonly methods: ReadonlyArray<GrpcMethod>
  /** What only the other members may ask. */
  readonly peerMethods: ReadonlyArray<GrpcMethod>
  readonly quotaBytes: number
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number
  /** Calls of each method. */
  readonly calls: ReadonlyArray<MethodCalls>
  /** How often `/health` was asked and how it answered. */
  readonly healthChecks = { passed: 0, failed: 0 }
  expiredLeases = 0
  private readonly stops: ReadonlyArray<() => void>

  constructor(engine: Engine, clockwork: Clockwork, options: StorageOptions) {
    const { defer } = clockwork
    const { node } = options
    const leads = node?.leads ?? always
    this.quotaBytes = options.quotaBytes
    this.startedAtMs = clockwork.now()
    this.store = new Store(engine, {
      defer,
      monotonic: clockwork.monotonic,
      minLeaseTtlSeconds: options.minLeaseTtlSeconds,
      fence: node?.fence,
      keepsDeadlines: node !== undefined
    })
    this.hub = new WatchHub(this.store, defer)
    this.compactor = new Compactor(this.store, { now: clockwork.monotonic, after: clockwork.after, leads })
    this.alarms = new Alarms(this.store, options.quotaBytes)
    this.auth = new AuthStore(this.store, clockwork, options.auth)
    const { memberId } = options.identity
    this.members = new Members(
      this.store,
      { id: memberId, isLearner: false, ...options.member() },
      options.others ?? []
    )
    const { alarms, auth, compactor, hub, members, store } = this
    const header = new Header(options.identity)
    const { every, random } = clockwork
    const leadership = node?.leadership ?? aloneLeads(memberId)
    const { limits } = options
    const context = { leadership, store, hub, compactor, alarms, auth, header, limits, every, random }
    this.context = context
    const counted = [
      ...kvMethods(context),
      ...watchMethods(context),
      ...leaseMethods(context),
      ...clusterMethods(context, members, clockwork.now),
      ...maintenanceMethods(context, { quotaBytes: options.quotaBytes, defer }),
      ...snapshotMethods(context, { defer, files: options.snapshotFiles, member: options.member }),
      ...authMethods(context, auth)
    ].map(countCalls)
    this.methods = counted.map(({ method }) => method)
    this.calls = counted.map(({ calls }) => calls)
    this.peerMethods = peerMethods(context, members)
    const autoCompaction = new AutoCompaction(store, compactor, clockwork.now, options.autoCompaction)
    this.stops = [
      every(EXPIRY_ROUND_MS, () => leads() && this.expireLeases()),
      every(QUOTA_ROUND_MS, () => leads() && alarms.checkQuota()),
      every(autoCompaction.intervalMs, () => leads() && autoCompaction.round())
    ]
  }

  /** Reads everything that is kept in memory as the engine has it: it is this process's turn. */
  reload(): void {
    this.store.reload()
    this.alarms.reload()
    this.auth.reload()
    this.members.reload()
    this.compactor.reload()
  }

  private expireLeases(): void {
    for (const { id } of this.store.lessor.takeExpired(REVOCATIONS_PER_ROUND)) {
      revokeLease(this.store, id, (failure) => {
        if (failure === undefined) this.expiredLeases++
      })
    }
  }

  /** Stops what runs by itself; the engine is the caller's to close. */
  stop(): void {
    for (const stop of this.stops) stop()
  }
}

/** What is counted of one method. */
export interface MethodCalls {
  readonly path: string
  started: number
  /** Calls ended, by gRPC code. */
  readonly handled: Float64Array
}

const GRPC_CODES = 17

const countCalls = (method: GrpcMethod): { readonly method: GrpcMethod; readonly calls: MethodCalls } => {
  const { path } = method
  const handled = new Float64Array(GRPC_CODES)
  const calls: MethodCalls = { path, started: 0, handled }
  const counted: GrpcMethod =
    "stream" in method
      ? { path, handled, stream: (call) => (calls.started++, method.stream(call)) }
      : { path, handled, unary: (call, request) => (calls.started++, method.unary(call, request)) }
  return { method: counted, calls }
}
