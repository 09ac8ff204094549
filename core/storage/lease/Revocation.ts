// The end of a lease, asked for or by expiry: its keys are deleted in one revision, in key order, and the lease forgotten.
// Owns that transaction; refuses to decide when.
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import type { Store } from "../mvcc/Store.ts"
import { keyNeed } from "../mvcc/Needs.ts"

const NO_END = new Uint8Array(0)

/** Revokes a lease and answers when that is durable; fails when there is no such lease. */
export const revokeLease = (
  store: Store,
  id: LeaseId,
  answer: (failure: EtcdFailure | undefined, revision: number) => void
): void => {
  const texts = store.lessor.lookup(id)?.keys ?? new Set()
  const known = new Set(texts)
  let grown = false
  store.write<undefined>(
    () => [...known].map((text) => keyNeed(Buffer.from(text, "latin1"))),
    (txn) => {
      const lease = store.lessor.lookup(id)
      if (lease === undefined) return Failure.leaseNotFound
      // What was attached while a remote engine fetched is not at hand: it is fetched as well, before anything is deleted.
      grown = [...lease.keys].some((text) => !known.has(text))
      if (grown) return undefined
      for (const text of [...lease.keys].sort())
        txn.deleteRange({ start: Buffer.from(text, "latin1"), end: NO_END, single: true })
      store.lessor.remove(id, store.committer.batch.writes)
      return undefined
    },
    (failure, revision) => (grown && failure === undefined ? revokeLease(store, id, answer) : answer(failure, revision))
  )
}
