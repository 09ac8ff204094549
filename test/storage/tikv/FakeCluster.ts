// A TiKV cluster as a model behind the transport's port: a placement driver, three stores, regions that split, merge and move,
// and a fault for any call. Owns routing and faults; refuses transactions' rules, which FakeStore.ts has.
// Every answer takes virtual milliseconds that the seed picks, so calls overtake one another.
import type { Message } from "../../../core/net/ProtoMessage.ts"
import { encodeKey } from "../../../core/storage/tikv/Memcomparable.ts"
import { PdMethods, TSO_PATH, TsoRequest, TsoResponse, type Region } from "../../../core/storage/tikv/PdMessages.ts"
import { RegionError, StoreMethods } from "../../../core/storage/tikv/TikvMessages.ts"
import { RpcFailed } from "../../../core/storage/tikv/TikvError.ts"
import type { CallEnded, StreamHandler, Transport, TransportStream } from "../../../core/storage/tikv/Transport.ts"
import { FakeStore } from "./FakeStore.ts"
import type { VirtualWorld } from "./VirtualWorld.ts"

/** What befalls a call: refused by its region, lost on the way there or back, or carried out long after it was given up. */
export type Fault =
  | { readonly kind: "region"; readonly error: keyof typeof regionErrors }
  | { readonly kind: "lost-request" | "lost-answer" | "late" }

const regionErrors = {
  notLeader: {},
  regionNotFound: {},
  keyNotInRegion: {},
  epochNotMatch: { currentRegions: [] },
  serverIsBusy: { reason: "planted", backoffMs: 5 },
  staleCommand: {},
  storeNotMatch: {},
  maxTimestampNotSynced: {},
  readIndexNotReady: {},
  proposalInMergingMode: {},
  dataIsNotReady: {},
  regionNotInitialized: {},
  diskFull: {},
  recoveryInProgress: {},
  isWitness: {},
  mismatchPeerId: {}
} as const

/** Every region error that a store may answer. */
export const regionErrorKinds = Object.keys(regionErrors) as ReadonlyArray<keyof typeof regionErrors>

interface FakeRegion {
  readonly id: number
  start: string
  end: string
  version: number
  leader: number
}

type Fields = Readonly<Record<string, never>> & { readonly [name: string]: never }
type Handler = (request: Fields) => object

const STORES = 3
const PD_ADDRESS = "pd:2379"
const LATE_MS = 2500
const UNAVAILABLE = 14
const bytes = (key: string): Buffer => Buffer.from(key, "latin1")
const text = (key: Uint8Array): string => Buffer.from(key).toString("latin1")
const codecs = new Map(
  [...Object.values(PdMethods), ...Object.values(StoreMethods)].map(
    ({ path, request, response }) => [path, { request, response }] as unknown as readonly [string, Codec]
  )
)

interface Codec {
  readonly request: Message<Fields>
  readonly response: Message<object>
}

export class FakeCluster implements Transport {
  readonly store = new FakeStore()
  private readonly world: VirtualWorld
  private regions: Array<FakeRegion> = [{ id: 1, start: "", end: "", version: 1, leader: 1 }]
  private nextId = 2
  private lastTs = 0n
  /** Asked before each call to a store, by the method's name; what it answers befalls the call. */
  faultOf: (method: string, request: Fields) => Fault | undefined = () => undefined
  /** Calls by method. */
  readonly calls = new Map<string, number>()
  /** Requests for timestamps that are refused, as by a driver that lost its leadership. */
  refusedTimestamps = 0
  /** Requests for timestamps that nobody answers. */
  unansweredTimestamps = 0
  /** Below it versions may have been collected. */
  safePoint = 0n

  constructor(world: VirtualWorld) {
    this.world = world
  }

  split(key: string): void {
    const region = this.regionOf(key)
    if (region.start === key) return
    const version = ++region.version
    this.regions.push({ id: this.nextId++, start: key, end: region.end, version, leader: region.leader })
    region.end = key
  }

  merge(key: string): void {
    const region = this.regionOf(key)
    const right = this.regions.find(({ start }) => start === region.end && region.end !== "")
    if (right === undefined) return
    this.regions = this.regions.filter((other) => other !== right)
    region.end = right.end
    region.version = Math.max(region.version, right.version) + 1
  }

  moveLeader(key: string): void {
    const region = this.regionOf(key)
    region.leader = (region.leader % STORES) + 1
  }

  private regionOf(key: string): FakeRegion {
    const found = this.regions.find(({ end, start }) => start <= key && (end === "" || key < end))
    if (found === undefined) throw new Error("regions leave a gap")
    return found
  }

  timestamp(count = 1): bigint {
    const now = BigInt(Math.floor(this.world.now)) << 18n
    this.lastTs = (now > this.lastTs ? now : this.lastTs) + BigInt(count)
    return this.lastTs
  }

  call(address: string, path: string, request: Uint8Array, timeoutMs: number, ended: CallEnded): () => void {
    const method = path.slice(path.lastIndexOf("/") + 1)
    const codec = codecs.get(path)
    if (codec === undefined) throw new Error(`no such method: ${path}`)
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1)
    const fields = codec.request.decode(Uint8Array.from(request))
    const fault = address === PD_ADDRESS ? undefined : this.faultOf(method, fields)
    let over = false
    const end = (failure: RpcFailed | undefined, answer: Uint8Array): void => {
      if (!over) ended(failure, answer)
      over = true
    }
    const fail = (afterMs: number) =>
      this.world.after(afterMs, () =>
        end(new RpcFailed({ address, path, code: UNAVAILABLE, detail: "planted" }), new Uint8Array(0))
      )
    const cancel = (): void => void (over = true)
    const latency = 0.1 + this.world.below(20) / 10
    const serve = (): Uint8Array => codec.response.encode(this.serve(address, method, fields))
    if (fault?.kind === "lost-request" || fault?.kind === "late") {
      if (fault.kind === "late") this.world.after(LATE_MS, serve)
      fail(Math.min(timeoutMs, 5))
      return cancel
    }
    this.world.after(latency, () => {
      const answer =
        fault?.kind === "region"
          ? codec.response.encode({
              regionError: RegionError.make({ message: "planted", [fault.error]: regionErrors[fault.error] })
            })
          : serve()
      if (fault?.kind === "lost-answer") fail(1)
      else this.world.after(latency, () => end(undefined, answer))
    })
    return cancel
  }

  stream(_address: string, path: string, handler: StreamHandler): TransportStream {
    if (path !== TSO_PATH) throw new Error(`no such stream: ${path}`)
    let open = true
    return {
      send: (request) => {
        const { count } = TsoRequest.decode(request)
        this.world.after(0.2 + this.world.below(10) / 10, () => {
          if (!open) return
          if (this.unansweredTimestamps > 0) return void this.unansweredTimestamps--
          if (this.refusedTimestamps > 0) {
            this.refusedTimestamps--
            open = false
            return handler.end(new RpcFailed({ address: PD_ADDRESS, path, code: UNAVAILABLE, detail: "no leader" }))
          }
          const last = this.timestamp(count)
          const timestamp = { physical: last >> 18n, logical: last & 0x3ffffn }
          handler.message(TsoResponse.encode({ count, timestamp }))
        })
      },
      close: () => void (open = false)
    }
  }

  private serve(address: string, method: string, request: Fields): object {
    if (address === PD_ADDRESS) return this.drivers[method](request)
    const { context } = request as unknown as { context: StoreContext }
    const storeId = Number(address.replace("store", ""))
    const region = this.regions.find(({ id }) => id === context.regionId)
    const refuse = (error: object) => ({ regionError: RegionError.make({ message: "real", ...error }) })
    if (region === undefined) return refuse({ regionNotFound: {} })
    if (region.leader !== storeId) return refuse({ notLeader: { regionId: region.id, leader: this.peerOf(region) } })
    if (context.regionEpoch.version !== region.version) {
      return refuse({ epochNotMatch: { currentRegions: [this.wire(region)] } })
    }
    return this.handlers(region, context)[method](request)
  }

  private peerOf({ id, leader }: FakeRegion) {
    return { id: id * 10 + leader, storeId: leader, role: 0 }
  }

  private wire(region: FakeRegion): Region {
    const border = (key: string) => (key === "" ? new Uint8Array(0) : encodeKey(bytes(key)))
    const peers = [1, 2, 3].map((storeId) => ({ id: region.id * 10 + storeId, storeId, role: 0 }))
    const epoch = { confVer: 1, version: region.version }
    return { id: region.id, startKey: border(region.start), endKey: border(region.end), epoch, peers }
  }

  private readonly drivers: Readonly<Record<string, Handler>> = {
    GetMembers: () => ({ header: { clusterId: 7 }, leader: { clientUrls: [`http://${PD_ADDRESS}`] } }),
    GetRegion: ({ regionKey }) => this.led(this.regionOf(decode(regionKey))),
    GetPrevRegion: ({ regionKey }) => {
      const { start } = this.regionOf(decode(regionKey))
      return this.led(this.regions.find(({ end }) => end === start) ?? this.regionOf(""))
    },
    ScanRegions: ({ endKey, startKey }) => {
      const [start, end] = [decode(startKey), decode(endKey)]
      const met = this.regions
        .filter((region) => (end === "" || region.start < end) && (region.end === "" || region.end > start))
        .sort((a, b) => (a.start < b.start ? -1 : 1))
      return { regions: met.map((region) => this.led(region)) }
    },
    GetStore: ({ storeId }) => ({ store: { id: storeId, address: `store${storeId as number}` } }),
    GetGCSafePoint: () => ({ safePoint: this.safePoint }),
    UpdateServiceGCSafePoint: ({ safePoint }) => ({ minSafePoint: safePoint })
  }

  private led(region: FakeRegion) {
    return { region: this.wire(region), leader: this.peerOf(region) }
  }

  private handlers(region: FakeRegion, context: StoreContext): Readonly<Record<string, Handler>> {
    const { store } = this
    const [resolved, committed] = [context.resolvedLocks.map(BigInt), context.committedLocks.map(BigInt)]
    const pair = (key: Uint8Array, version: bigint) => {
      const found = store.read(key, version, resolved, committed)
      if ("locked" in found) return { key, error: { locked: found.locked } }
      return found.value === undefined ? undefined : { key, value: found.value }
    }
    return {
      ...transactionHandlers(store),
      KvBatchGet: ({ keys, version }: Any) => ({
        pairs: (keys as ReadonlyArray<Uint8Array>)
          .map((key) => pair(key, BigInt(version)))
          .filter((one) => one !== undefined)
      }),
      KvScan: ({ endKey, limit, reverse, startKey, version }: Any) => {
        const [low, high] = reverse ? [text(endKey), text(startKey)] : [text(startKey), text(endKey)]
        const to = region.end !== "" && (high === "" || region.end < high) ? region.end : high
        const keys = [...store.keys(low > region.start ? low : region.start, to)]
        const pairs: Array<object> = []
        for (const key of reverse ? keys.reverse() : keys) {
          const found = pair(bytes(key), BigInt(version))
          if (found !== undefined) pairs.push(found)
          if (pairs.length === limit) break
        }
        return { pairs }
      }
    }
  }
}

interface StoreContext {
  readonly regionId: number
  readonly regionEpoch: { readonly version: number }
  readonly resolvedLocks: ReadonlyArray<number>
  readonly committedLocks: ReadonlyArray<number>
}

// oxlint-disable-next-line typescript/no-explicit-any -- requests are read by the names that their codecs give them
type Any = any

const decode = (encoded: Uint8Array): string => {
  let key = ""
  for (let at = 0; at + 8 < encoded.length; at += 9)
    key += text(encoded.subarray(at, at + 8 - (0xff - encoded[at + 8])))
  return key
}

const transactionHandlers = (store: FakeStore): Readonly<Record<string, Handler>> => ({
  KvPrewrite: (request: Any) => prewrite(store, request),
  KvCommit: ({ commitVersion, keys, startVersion }: Any) => {
    const errors = keys.map((key: Uint8Array) => store.commit(key, BigInt(startVersion), BigInt(commitVersion)))
    return { error: errors.find((error: unknown) => error !== undefined), commitVersion }
  },
  KvBatchRollback: ({ keys, startVersion }: Any) => {
    for (const key of keys) store.rollback(key, BigInt(startVersion))
    return {}
  },
  KvTxnHeartBeat: ({ adviseLockTtl, primaryLock, startVersion }: Any) => {
    store.prolong(primaryLock, BigInt(startVersion), BigInt(adviseLockTtl))
    return {}
  },
  KvCheckTxnStatus: (request: Any) => {
    const { callerStartTs, currentTs, forceSyncCommit, lockTs, primaryKey, rollbackIfNotExist } = request
    const [start, caller, now] = [lockTs, callerStartTs, currentTs].map(BigInt)
    const found = store.status(primaryKey, start, caller, now, rollbackIfNotExist, forceSyncCommit)
    if (found.unknown) return { error: { txnNotFound: {} } }
    return { lockTtl: found.ttlMs, commitVersion: found.commitTs, action: found.pushed ? 3 : 0, lockInfo: found.lock }
  },
  KvCheckSecondaryLocks: ({ keys, startVersion }: Any) => {
    const found = keys.map((key: Uint8Array) => store.secondary(key, BigInt(startVersion)))
    return {
      locks: found.flatMap(({ lock }: Any) => (lock === undefined ? [] : [lock])),
      commitTs: found.find(({ commitTs }: Any) => commitTs > 0n)?.commitTs ?? 0
    }
  },
  KvResolveLock: ({ commitVersion, keys, startVersion }: Any) => {
    for (const key of keys) store.resolve(key, BigInt(startVersion), BigInt(commitVersion))
    return {}
  }
})

const prewrite = (store: FakeStore, request: Any): object => {
  const { lockTtl, minCommitTs, mutations, primaryLock, secondaries, startVersion, tryOnePc, useAsyncCommit } = request
  const startTs = BigInt(startVersion)
  const lock = {
    primary: text(primaryLock),
    startTs,
    ttlMs: BigInt(lockTtl),
    minCommitTs: BigInt(minCommitTs),
    isAsync: useAsyncCommit,
    secondaries: secondaries.map(text)
  }
  const errors = mutations.flatMap((mutation: Any) => store.prewrite(mutation, lock) ?? [])
  if (errors.length > 0) return { errors }
  const least = mutations
    .map(({ key }: Any) => store.minCommitTsOf(key))
    .reduce((a: bigint, b: bigint) => (a > b ? a : b), 0n)
  if (!tryOnePc) return { minCommitTs: useAsyncCommit ? least : 0 }
  for (const { key } of mutations) store.commit(key, startTs, least)
  return { onePcCommitTs: least }
}
