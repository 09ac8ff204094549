// The end of a lease, asked for or by expiry: its keys are deleted in one revision, in key order, and the lease forgotten.
// Owns that transaction; refuses to decide when.
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import type { Store } from "../mvcc/Store.ts"
import { Table } from "../engine/Engine.ts"

const NO_END = new Uint8Array(0)

/** Revokes a lease and answers when that is durable; fails when there is no such lease. */
export const revokeLease = (
  store: Store,
  id: LeaseId,
  answer: (failure: EtcdFailure | undefined, revision: number) => void
): void => {
  const keys = [...(store.lessor.lookup(id)?.keys ?? [])].sort().map((text) => Buffer.from(text, "latin1"))
  store.write<undefined>(
    () => keys.map((key) => ({ table: Table.Key, start: key, end: key, limit: 1 })),
    (txn) => {
      if (store.lessor.lookup(id) === undefined) return Failure.leaseNotFound
      for (const key of keys) txn.deleteRange({ start: key, end: NO_END, single: true })
      store.lessor.remove(id, store.committer.batch.writes)
      return undefined
    },
    answer
  )
}
