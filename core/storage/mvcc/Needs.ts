// What requests will read of the tables, told to an engine that must fetch it first.
// Owns the way from ranges, revisions and limits to needs; refuses to read. An engine on this machine never asks.
// A guess that proves too small is made again, larger: `scale` grows from 1 by fours until nothing is left to chance.
import { type Need, Table } from "../engine/Engine.ts"
import type { RangeRequest, TxnRequest } from "../rpc/KvMessages.ts"
import { escapeKey, MetaKey, revisionRow } from "./Layout.ts"
import { hasRevisionFilters, isKeyOrder } from "./RangeReply.ts"
import { isEmptyRange, keyRange, type KeyRange } from "./Snapshot.ts"

/** Makes needs; a larger scale fetches more. */
export type ScaledNeeds = (scale: number) => ReadonlyArray<Need>

/** From this scale on everything is fetched. */
export const SCALE_WHOLE = 256
/** Log rows that a count at an older revision begins with. */
const REWIND_ROWS = 500

/** One row. */
export const rowNeed = (table: Table, key: Uint8Array): Need => ({ table, start: key, end: key, limit: 1 })

/** What says which revision a View shows, from which on it may be read, and who writes. */
export const stateNeeds: ReadonlyArray<Need> = [MetaKey.revision, MetaKey.compacted, MetaKey.term].map((key) =>
  rowNeed(Table.Meta, key)
)

/** A key that is about to be written. */
export const keyNeed = (key: Uint8Array): Need => rowNeed(Table.Key, key)

const wholeKeys = ({ end, single, start }: KeyRange): Need =>
  single ? keyNeed(start) : { table: Table.Key, start, end, limit: 0 }

const wholeHistory = (range: KeyRange): Need => someHistory(range, 0)

const someHistory = ({ end, single, start }: KeyRange, limit: number): Need => ({
  table: Table.History,
  start: escapeKey(start),
  end: single ? escapeKey(Buffer.concat([start, Buffer.alloc(1)])) : end && escapeKey(end),
  limit
})

/** What a range request reads. */
export const rangeNeeds = (request: RangeRequest, scale: number): ReadonlyArray<Need> => {
  const range = keyRange(request.key, request.rangeEnd)
  if (isEmptyRange(range)) return []
  const older = request.revision > 0
  if (range.single) return older ? [wholeKeys(range), wholeHistory(range)] : [wholeKeys(range)]
  const limit = request.countOnly ? 1 : limitOf(request)
  if (limit === 0 || scale >= SCALE_WHOLE) return older ? [wholeKeys(range), wholeHistory(range)] : [wholeKeys(range)]
  const { end, start } = range
  const keys: Need = { table: Table.Key, start, end, limit: (limit + 1) * scale, counted: true }
  if (!older) return [keys]
  const log: Need = {
    table: Table.Log,
    start: revisionRow(Number(request.revision) + 1),
    end: undefined,
    limit: REWIND_ROWS * scale
  }
  return request.countOnly ? [keys, log] : [keys, log, someHistory(range, keys.limit * 4)]
}

/** What the next chunk of a stream reads: some records, and no count. */
export const chunkNeeds = (request: RangeRequest, records: number, scale: number): ReadonlyArray<Need> => {
  const range = keyRange(request.key, request.rangeEnd)
  if (isEmptyRange(range)) return []
  const keys = wholeKeys(range)
  const limit = range.single || scale >= SCALE_WHOLE ? 0 : (records + 1) * scale
  const some = limit === 0 ? keys : { ...keys, limit }
  return request.revision > 0 ? [some, someHistory(range, limit * 4)] : [some]
}

/** How many records a request looks at; 0: all. */
const limitOf = (request: RangeRequest): number =>
  isKeyOrder(request) && !hasRevisionFilters(request) && request.limit > 0 ? Number(request.limit) : 0

/** What a transaction reads: everything that its compares and the operations of either branch name. */
export const txnNeeds = (request: TxnRequest): ReadonlyArray<Need> => [
  ...request.compare.flatMap(({ key, rangeEnd }) => keysNeeds(key, rangeEnd)),
  ...[...request.success, ...request.failure].flatMap(
    ({ requestDeleteRange, requestPut, requestRange, requestTxn }) => {
      if (requestTxn !== undefined) return txnNeeds(requestTxn)
      if (requestPut !== undefined) return [keyNeed(requestPut.key)]
      if (requestRange !== undefined) return rangeNeeds(requestRange, SCALE_WHOLE)
      return requestDeleteRange === undefined ? [] : keysNeeds(requestDeleteRange.key, requestDeleteRange.rangeEnd)
    }
  )
]

/** All keys of a range as they are now. */
export const keysNeeds = (key: Uint8Array, rangeEnd: Uint8Array): ReadonlyArray<Need> => {
  const range = keyRange(key, rangeEnd)
  return isEmptyRange(range) ? [] : [wholeKeys(range)]
}
