// A checksum of what is visible at one revision, computed a stretch at a time so that nobody waits for it.
// Owns the order (keys ascending, key then record) and the algorithm (CRC-32); refuses to equal etcd's own number, which
// depends on the layout of its backend. Two stores with the same data at the same revision have the same hash.
import { crc32 } from "node:zlib"
import { Table } from "../engine/Engine.ts"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import { keyRange } from "./Snapshot.ts"
import type { Store } from "./Store.ts"

const KEYS_PER_STRETCH = 2000
const FROM = new Uint8Array(1)

/** Hashes the store at a revision (0: now) and answers when done, or fails when the revision is compacted meanwhile. */
export const hashStore = (
  store: Store,
  revision: number | bigint,
  defer: (run: () => void) => void,
  answer: (result: { readonly hash: number; readonly revision: number } | EtcdFailure) => void
): void => {
  const pinned = revision <= 0 ? store.revision : revision
  let hash = 0
  const stretch = (start: Uint8Array): void =>
    store.engine.read(
      () => [{ table: Table.Key, start, end: undefined, limit: KEYS_PER_STRETCH }],
      (view) => {
        const snapshot = store.at(view, pinned)
        if (snapshot instanceof EtcdFailure) return answer(snapshot)
        let keys = 0
        let next: Buffer | undefined
        snapshot.scan(keyRange(start, FROM), (key, record) => {
          if (keys++ === KEYS_PER_STRETCH) {
            next = Buffer.from(key)
            return false
          }
          hash = crc32(record, crc32(key, hash))
          return true
        })
        if (next === undefined) return answer({ hash, revision: Number(pinned) })
        const from = next
        defer(() => stretch(from))
      }
    )
  stretch(FROM)
}
