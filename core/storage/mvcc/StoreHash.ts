// etcd's hash over revisions: equal to a real etcd's for the same history, so that members of both kinds can be compared.
// Owns which versions count and how they are fed to CRC-32C; refuses to walk them. Computed in turns, so nobody waits.
// Source: etcd 3.7 server/storage/mvcc/hash.go. One difference: at exactly the compacted revision etcd answers the hash that
// it took while it compacted, of rows that are gone here; ours is the one answered before, or else that of what is left.
import { Table } from "../engine/Engine.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import type { Compactor } from "./Compactor.ts"
import { crc32c } from "./Crc32c.ts"
import type { StoreHash } from "./HashMemory.ts"
import { HISTORY_HEADER_BYTES, historyRevision, readRevision } from "./Layout.ts"
import { modRevisionOf } from "./Record.ts"
import { encodeRevision } from "./RevisionBytes.ts"
import { ROWS_PER_SLICE, runSlices, type Slices } from "./Slices.ts"
import type { Store } from "./Store.ts"
import { keyValueBytes } from "./StoredEvent.ts"
import { walkVersions, type VersionRange } from "./VersionWalk.ts"

const START = crc32c(Buffer.from("key"))
const nothing: Buffer = Buffer.alloc(0)

/**
 * Hashes the store at a revision (0: now; below 0 there is nothing) and answers when done; fails when the revision is
 * compacted or yet to come.
 */
export const hashStore = (
  { compactor, store }: { readonly store: Store; readonly compactor: Compactor },
  revision: number | bigint,
  defer: (run: () => void) => void,
  answer: (result: StoreHash | EtcdFailure) => void
): void => {
  if (revision > store.revision) return answer(Failure.futureRevision)
  if (revision > 0 && revision < store.compacted) return answer(Failure.compacted)
  if (revision < 0) return answer({ hash: START, revision: Number(revision), compacted: store.compacted })
  const range = { revision: revision === 0 ? store.revision : Number(revision), compacted: store.compacted }
  const known = range.revision === store.compacted ? compactor.hashes.at(range.revision) : undefined
  if (known !== undefined) return answer(known)
  let hash = START
  const slices = function* (): Slices {
    hash = yield* hashVersions(range)
  }
  const release = compactor.hold()
  runSlices(store.engine, slices(), {
    between: (resume) => defer(resume),
    done: (thrown) => {
      release()
      if (thrown !== undefined) return answer(Failure.corrupt)
      const taken = { hash, ...range }
      compactor.hashes.remember(taken)
      answer(taken)
    }
  })
}

function* hashVersions(range: VersionRange): Slices<number> {
  const { compacted, revision } = range
  // As in etcd, what a compaction would remove at `revision` is left out; but nothing is, when nothing would remain.
  const livingOnly = compacted > 0 && (yield* anyLiving(revision))
  let hash = START
  yield* walkVersions(range, ({ end, key, record, revision: main, sub }) => {
    if (main <= compacted && livingOnly && (record === undefined || end <= revision)) return
    if (main === compacted && record === undefined) return
    hash = crc32c(encodeRevision(main, sub, record === undefined), hash)
    hash = crc32c(keyValueBytes(key, record), hash)
  })
  return hash
}

/** Whether any key was there at a revision. */
function* anyLiving(revision: number): Slices<boolean> {
  const found =
    (yield* search(Table.Key, (_row, value) => modRevisionOf(value) <= revision)) ||
    (yield* search(
      Table.History,
      (row, value) =>
        value.length > HISTORY_HEADER_BYTES && historyRevision(row) <= revision && readRevision(value, 0) > revision
    ))
  return found
}

/** Whether a table has such a row. */
function* search(table: Table, wanted: (row: Uint8Array, value: Uint8Array) => boolean): Slices<boolean> {
  for (let from = nothing; ;) {
    const start = from
    const view = yield () => [{ table, start, end: undefined, limit: ROWS_PER_SLICE }]
    let found = false
    let next: Buffer | undefined
    let rows = 0
    view.scan(table, start, undefined, (row, value) => {
      found = wanted(row, value)
      if (!found && ++rows === ROWS_PER_SLICE) next = Buffer.concat([row, Buffer.alloc(1)])
      return !found && next === undefined
    })
    if (found || next === undefined) return found
    from = next
  }
}
