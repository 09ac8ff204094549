// The door of the store: the engine port and its engines, the store with its services, and the command that serves it.
// Everything else in this room is reached through these.
export {
  type CommitOutcome,
  type Engine,
  type Need,
  type View,
  valueBytes,
  WriteBatch,
  Table
} from "./engine/Engine.ts"
export { FetchedView, type FetchedNeed, fetchNeeds, NotFetched } from "./engine/FetchedView.ts"
export { makeMemoryEngine } from "./engine/MemoryEngine.ts"
export { openLmdbEngine, EngineUnavailable } from "./engine/LmdbEngine.ts"
export type { StoredText } from "./mvcc/LazyRows.ts"
export { holdDirectory } from "./engine/DirectoryLockAdapter.ts"
export { SortedMap } from "./engine/SortedMap.ts"
export {
  DirectConflict,
  DirectEvent,
  type DirectPage,
  DirectStore,
  type DirectValue,
  type DirectWatchListener,
  type DirectWrite
} from "./api/DirectStore.ts"
export type { KeyPlace } from "./mvcc/RowWrites.ts"
export type { Dial } from "./nodes/LeaderLink.ts"
export { StorageNode, type StorageNodeOptions } from "./nodes/StorageNode.ts"
export { TermRecord } from "./nodes/TermRecord.ts"
export { readEvents } from "./watch/EventLog.ts"
export { MetaKey, readRevision } from "./mvcc/Layout.ts"
export { Storage, type StorageOptions } from "./server/Storage.ts"
export { EtcdFailure, Failure } from "./rpc/EtcdFailure.ts"
export * from "./rpc/KvMessages.ts"
export * from "./rpc/AdminMessages.ts"
export { runEtcd, serveStorageCommand } from "./server/EtcdCommand.ts"
export { stopAtSecondInterrupt } from "./server/SignalsAdapter.ts"
export { openTikvEngine, type TikvOptions } from "./tikv/OpenTikvEngine.ts"
export { storageCommand } from "./snapshot/StorageCommand.ts"
