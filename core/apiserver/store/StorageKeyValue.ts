// The key-value port on a store of this process: plain calls, no messages.
// Owns the translation of outcomes; refuses the store itself. A watch hears of a commit before anyone is answered, so caches
// are never behind what was acknowledged.
import type { Clockwork } from "#kube"
import { DirectConflict, DirectStore, EtcdFailure, type Storage } from "#storage"
import { type KeyValue, KeyValueFailure, prefixEnd, WriteConflict } from "./KeyValue.ts"
import { SharedLeases } from "./SharedLeases.ts"

/** What the port asks of a store: its public parts. */
export type DirectStorage = Pick<Storage, "store" | "hub" | "compactor">

/** The port on a store of this process. */
export const storageKeyValue = (storage: DirectStorage, clockwork: Clockwork): KeyValue => {
  const direct = new DirectStore(storage, clockwork.random)
  const leases = new SharedLeases()
  const leaseFor = (ttlSeconds: number) => {
    if (ttlSeconds === 0) return 0
    const now = clockwork.now()
    const shared = leases.take(ttlSeconds, now)
    if (shared !== undefined && direct.hasLease(shared)) return shared
    const id = direct.grant(leases.grantSeconds(ttlSeconds))
    leases.share(ttlSeconds, id, now)
    return id
  }
  return {
    coherent: true,
    get: (key, done) => done(direct.get(key)),
    page: (prefix, start, limit, revision, done) => {
      const page = direct.page(start, prefixEnd(prefix), limit, revision)
      if (page instanceof EtcdFailure) return done(failureOf(page))
      done({ entries: page.values, more: page.more, count: page.count, revision: page.revision })
    },
    write: (write, done) =>
      direct.write(write, leaseFor(write.ttlSeconds), (outcome) =>
        done(
          outcome instanceof DirectConflict
            ? new WriteConflict(outcome.current)
            : outcome instanceof EtcdFailure
              ? failureOf(outcome)
              : outcome
        )
      ),
    watch: (prefix, fromRevision, { ended, events }) => {
      const stop = direct.watch(prefix, prefixEnd(prefix), fromRevision, {
        events,
        compacted: () => ended(new KeyValueFailure("compacted", "mvcc: required revision has been compacted"))
      })
      return { revision: () => direct.revision, requestProgress: () => undefined, stop }
    },
    revision: (done) => done(direct.revision),
    compact: (revision, done) => direct.compact(revision, (failure) => done(failure && failureOf(failure)))
  }
}

const failureOf = ({ message }: EtcdFailure): KeyValueFailure =>
  new KeyValueFailure(
    message.endsWith("has been compacted")
      ? "compacted"
      : message.endsWith("is a future revision")
        ? "future"
        : message.endsWith("request is too large")
          ? "too-large"
          : "unavailable",
    message
  )
