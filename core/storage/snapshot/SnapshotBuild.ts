// Builds a snapshot file: turns of reading the store alternate with writes to the file, so that neither memory nor a
// waiting writer pays for a large store. Owns that alternation, the hold on compaction and the file until it is handed
// over; refuses to know who asked.
import type { Compactor } from "../mvcc/Compactor.ts"
import { runSlices, type Slices } from "../mvcc/Slices.ts"
import type { Store } from "../mvcc/Store.ts"
import { BoltWriter } from "./BoltWriter.ts"
import type { SnapshotFile } from "./SnapshotFile.ts"
import { writeStore, type SnapshotOrigin } from "./StoreSnapshot.ts"

/** Bytes of finished pages that wait in memory before they are written. */
const PENDING_BYTES = 2 ** 20

export interface SnapshotBuildOptions {
  readonly store: Store
  readonly compactor: Compactor
  readonly origin: SnapshotOrigin
  readonly defer: (run: () => void) => void
  readonly file: SnapshotFile
  /** Asked between turns: true stops the work, without `done`. */
  readonly cancelled: () => boolean
  /** The database's bytes in the file, or what went wrong. */
  readonly done: (error: unknown, sizeBytes: number) => void
}

/** Starts building; the file stays the caller's. */
export const buildSnapshot = (options: SnapshotBuildOptions): void => {
  const { cancelled, compactor, defer, done, file, origin, store } = options
  const writer = new BoltWriter()
  const release = compactor.hold()
  let head: Buffer = Buffer.alloc(0)
  const slices = function* (): Slices {
    head = yield* writeStore(store, writer, origin)
  }
  const finish = (error: unknown): void => {
    release()
    if (!cancelled()) done(error, writer.sizeBytes)
  }
  runSlices(store.engine, slices(), {
    between: (resume, abandon) => {
      if (cancelled()) {
        abandon()
        release()
      } else if (writer.pendingBytes < PENDING_BYTES) defer(resume)
      else
        file.append(writer.take(), (error) => {
          if (error === undefined) return resume()
          abandon()
          finish(error)
        })
    },
    done: (thrown) => {
      if (thrown !== undefined) return finish(thrown)
      release()
      file.append(writer.take(), (error) =>
        error === undefined ? file.patchHead(head, (failed) => finish(failed)) : finish(error)
      )
    }
  })
}
