// Hashes that were answered, so that asking again after a compaction at that revision gives the same number.
// Owns the newest ten, as many as etcd keeps of those it takes while it compacts; refuses to compute any.

/** A hash, with the revisions between which it was taken. */
export interface StoreHash {
  readonly hash: number
  readonly revision: number
  /** −1 before the first compaction. */
  readonly compacted: number
}

const REMEMBERED_MAX = 10

export class HashMemory {
  private readonly hashes = new Map<number, StoreHash>()

  at(revision: number): StoreHash | undefined {
    return this.hashes.get(revision)
  }

  /** Remembers a hash; one of the same revision, taken with less of the history compacted, stays. */
  remember(taken: StoreHash): void {
    if (this.hashes.has(taken.revision)) return
    this.hashes.set(taken.revision, taken)
    const [oldest] = this.hashes.keys()
    if (this.hashes.size > REMEMBERED_MAX) this.hashes.delete(oldest)
  }
}
