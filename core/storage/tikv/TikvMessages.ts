// What is said to a TiKV store: the transactional requests, their answers, and the errors inside these, field by field.
// Owns the shapes alone, and of them only what this client sends or reads; refuses to know what an error calls for.
// Source: github.com/pingcap/kvproto, kvrpcpb.proto and errorpb.proto, as served by TiKV 5 to 8. Keys are raw here.
import { field, list, many, message, type Message, type MessageType, one } from "#net"
import { Peer, Region, RegionEpoch } from "./PdMessages.ts"

/** Where a request goes, and which locks a read may look through. */
export const RequestContext = message({
  regionId: field(1, "uint64"),
  regionEpoch: one(2, () => RegionEpoch),
  peer: one(3, () => Peer),
  /** Locks of transactions that are rolled back, or committed later than what is read. */
  resolvedLocks: list(13, "uint64"),
  /** Locks of transactions that are committed at or before what is read. */
  committedLocks: list(22, "uint64")
})
export type RequestContext = MessageType<typeof RequestContext>

const NotLeader = message({ regionId: field(1, "uint64"), leader: one(2, () => Peer) })
const EpochNotMatch = message({ currentRegions: many(1, () => Region) })
const ServerIsBusy = message({ reason: field(1, "string"), backoffMs: field(2, "uint64") })
const Nothing = message({})

/** Why a store did not take a request: which region, leader or copy it took itself to be asked for. */
export const RegionError = message({
  message: field(1, "string"),
  notLeader: one(2, () => NotLeader),
  regionNotFound: one(3, () => Nothing),
  keyNotInRegion: one(4, () => Nothing),
  epochNotMatch: one(5, () => EpochNotMatch),
  serverIsBusy: one(6, () => ServerIsBusy),
  staleCommand: one(7, () => Nothing),
  storeNotMatch: one(8, () => Nothing),
  raftEntryTooLarge: one(9, () => Nothing),
  maxTimestampNotSynced: one(10, () => Nothing),
  readIndexNotReady: one(11, () => Nothing),
  proposalInMergingMode: one(12, () => Nothing),
  dataIsNotReady: one(13, () => Nothing),
  regionNotInitialized: one(14, () => Nothing),
  diskFull: one(15, () => Nothing),
  recoveryInProgress: one(16, () => Nothing),
  flashbackInProgress: one(17, () => Nothing),
  isWitness: one(19, () => Nothing),
  mismatchPeerId: one(20, () => Nothing)
})
export type RegionError = MessageType<typeof RegionError>

/** A lock that stands in the way, and where its transaction's fate is written (`primary`). */
export const LockInfo = message({
  primary: field(1, "bytes"),
  version: field(2, "uint64"),
  key: field(3, "bytes"),
  ttlMs: field(4, "uint64"),
  txnSize: field(5, "uint64"),
  type: field(6, "int32"),
  forUpdateTs: field(7, "uint64"),
  useAsyncCommit: field(8, "bool"),
  minCommitTs: field(9, "uint64"),
  secondaries: list(10, "bytes")
})
export type LockInfo = MessageType<typeof LockInfo>

const WriteConflict = message({
  startTs: field(1, "uint64"),
  conflictTs: field(2, "uint64"),
  key: field(3, "bytes"),
  conflictCommitTs: field(5, "uint64"),
  reason: field(6, "int32")
})
/** The transaction itself was rolled back by somebody who met its lock. */
export const SELF_ROLLED_BACK = 3

const KeyOnly = message({ key: field(1, "bytes") })
const CommitTsExpired = message({ minCommitTs: field(4, "uint64") })

/** Why a key could not be read or written. */
export const KeyError = message({
  locked: one(1, () => LockInfo),
  retryable: field(2, "string"),
  abort: field(3, "string"),
  conflict: one(4, () => WriteConflict),
  alreadyExist: one(5, () => KeyOnly),
  commitTsExpired: one(7, () => CommitTsExpired),
  txnNotFound: one(8, () => Nothing),
  commitTsTooLarge: one(9, () => Nothing),
  primaryMismatch: one(11, () => Nothing)
})
export type KeyError = MessageType<typeof KeyError>

const context = { context: one(1, () => RequestContext) }
const regionError = { regionError: one(1, () => RegionError) }

const Pair = message({ error: one(1, () => KeyError), key: field(2, "bytes"), value: field(3, "bytes") })
const GetRequest = message({ ...context, key: field(2, "bytes"), version: field(3, "uint64") })
const GetResponse = message({
  ...regionError,
  error: one(2, () => KeyError),
  value: field(3, "bytes"),
  notFound: field(4, "bool")
})
const BatchGetRequest = message({ ...context, keys: list(2, "bytes"), version: field(3, "uint64") })
const BatchGetResponse = message({ ...regionError, pairs: many(2, () => Pair), error: one(5, () => KeyError) })
/** Forward from `startKey` up to `endKey`; in reverse from below `startKey` down to `endKey`. */
const ScanRequest = message({
  ...context,
  startKey: field(2, "bytes"),
  limit: field(3, "uint32"),
  version: field(4, "uint64"),
  keyOnly: field(5, "bool"),
  reverse: field(6, "bool"),
  endKey: field(7, "bytes")
})
const ScanResponse = message({ ...regionError, pairs: many(2, () => Pair), error: one(3, () => KeyError) })

/** What a prewrite does to a key. `Lock` writes nothing and still conflicts with who does. */
export const Op = { Put: 0, Delete: 1, Lock: 2 } as const
export type Op = (typeof Op)[keyof typeof Op]
export const Mutation = message({ op: field(1, "int32"), key: field(2, "bytes"), value: field(3, "bytes") })
const PrewriteRequest = message({
  ...context,
  mutations: many(2, () => Mutation),
  primaryLock: field(3, "bytes"),
  startVersion: field(4, "uint64"),
  lockTtl: field(5, "uint64"),
  txnSize: field(8, "uint64"),
  minCommitTs: field(10, "uint64"),
  useAsyncCommit: field(11, "bool"),
  secondaries: list(12, "bytes"),
  tryOnePc: field(13, "bool"),
  maxCommitTs: field(14, "uint64")
})
/** A `minCommitTs` of 0 says that asynchronous commit was refused, a `onePcCommitTs` above 0 that all is committed. */
const PrewriteResponse = message({
  ...regionError,
  errors: many(2, () => KeyError),
  minCommitTs: field(3, "uint64"),
  onePcCommitTs: field(4, "uint64")
})
const CommitRequest = message({
  ...context,
  startVersion: field(2, "uint64"),
  keys: list(3, "bytes"),
  commitVersion: field(4, "uint64")
})
const CommitResponse = message({
  ...regionError,
  error: one(2, () => KeyError),
  commitVersion: field(3, "uint64")
})
const BatchRollbackRequest = message({ ...context, startVersion: field(2, "uint64"), keys: list(3, "bytes") })
const Outcome = message({ ...regionError, error: one(2, () => KeyError) })
const TxnHeartBeatRequest = message({
  ...context,
  primaryLock: field(2, "bytes"),
  startVersion: field(3, "uint64"),
  adviseLockTtl: field(4, "uint64")
})
const TxnHeartBeatResponse = message({
  ...regionError,
  error: one(2, () => KeyError),
  lockTtl: field(3, "uint64")
})
const CheckTxnStatusRequest = message({
  ...context,
  primaryKey: field(2, "bytes"),
  lockTs: field(3, "uint64"),
  callerStartTs: field(4, "uint64"),
  currentTs: field(5, "uint64"),
  rollbackIfNotExist: field(6, "bool"),
  forceSyncCommit: field(7, "bool")
})
/** A `lockTtl` above 0: it lives. A `commitVersion` above 0: it is committed. Neither: it is rolled back. */
const CheckTxnStatusResponse = message({
  ...regionError,
  error: one(2, () => KeyError),
  lockTtl: field(3, "uint64"),
  commitVersion: field(4, "uint64"),
  action: field(5, "int32"),
  lockInfo: one(6, () => LockInfo)
})
/** The lock's least commit timestamp went beyond the reader's: the reader may look through the lock. */
export const MIN_COMMIT_TS_PUSHED = 3
const CheckSecondaryLocksRequest = message({ ...context, keys: list(2, "bytes"), startVersion: field(3, "uint64") })
const CheckSecondaryLocksResponse = message({
  ...regionError,
  error: one(2, () => KeyError),
  locks: many(3, () => LockInfo),
  commitTs: field(4, "uint64")
})
/** A `commitVersion` of 0 rolls back. */
const ResolveLockRequest = message({
  ...context,
  startVersion: field(2, "uint64"),
  commitVersion: field(3, "uint64"),
  keys: list(5, "bytes")
})

/** A request to a region and its answer, by the name of the method. */
export interface StoreMethod<Request extends object, Response extends object> {
  readonly path: string
  readonly request: Message<Request>
  readonly response: Message<Response>
}

const method = <Request extends object, Response extends object>(
  name: string,
  request: Message<Request>,
  response: Message<Response>
): StoreMethod<Request, Response> => ({ path: `/tikvpb.Tikv/${name}`, request, response })

export const StoreMethods = {
  get: method("KvGet", GetRequest, GetResponse),
  batchGet: method("KvBatchGet", BatchGetRequest, BatchGetResponse),
  scan: method("KvScan", ScanRequest, ScanResponse),
  prewrite: method("KvPrewrite", PrewriteRequest, PrewriteResponse),
  commit: method("KvCommit", CommitRequest, CommitResponse),
  batchRollback: method("KvBatchRollback", BatchRollbackRequest, Outcome),
  txnHeartBeat: method("KvTxnHeartBeat", TxnHeartBeatRequest, TxnHeartBeatResponse),
  checkTxnStatus: method("KvCheckTxnStatus", CheckTxnStatusRequest, CheckTxnStatusResponse),
  checkSecondaryLocks: method("KvCheckSecondaryLocks", CheckSecondaryLocksRequest, CheckSecondaryLocksResponse),
  resolveLock: method("KvResolveLock", ResolveLockRequest, Outcome)
} as const
