// What was written but is not yet committed: the newest versions of keys, above what the engine shows.
// Owns their order and their release after a commit; refuses durability. Transactions are decided on it, readers never see it.
// Its size is bounded by what the committer accepts before it pushes back.
import { SortedMap } from "../engine/SortedMap.ts"
import { keyText, type RowValue } from "../engine/Engine.ts"

/** One uncommitted version of a key; an undefined record means that the key was deleted at `revision`. */
export interface PendingVersion {
  readonly revision: number
  /** The key's latin1 text. */
  readonly text: string
  readonly record: RowValue | undefined
  readonly older: PendingVersion | undefined
}

interface Retired {
  readonly events: ReadonlyArray<{ readonly text: string }>
  readonly committed: number
  /** The last reader that may not see the commit in its View. */
  readonly lastReader: number
}

export class Overlay {
  private readonly versions = new Map<string, PendingVersion>()
  /** Readers whose View was asked for and is not here yet, in the order of asking. */
  private readonly readers = new Set<number>()
  private retired: Array<Retired> = []
  private lastReader = 0
  private sorted: SortedMap<PendingVersion> | undefined

  get isEmpty(): boolean {
    return this.versions.size === 0
  }

  /** The newest pending version; undefined when the key has none. */
  newest(text: string): PendingVersion | undefined {
    return this.versions.size === 0 ? undefined : this.versions.get(text)
  }

  /** The newest pending version at or before a revision. */
  at(key: Uint8Array, revision: number): PendingVersion | undefined {
    return this.versions.size === 0 ? undefined : atOrBefore(this.versions.get(keyText(key)), revision)
  }

  /** Adds a version of the key with a text, by which it is released later. */
  add(text: string, revision: number, record: RowValue | undefined): void {
    const version: PendingVersion = { revision, text, record, older: this.versions.get(text) }
    this.versions.set(text, version)
    this.sorted?.set(text, version)
  }

  /** Pending keys in [start, end), each with its newest version at or before the revision, in key order. */
  range(start: Uint8Array, end: Uint8Array | undefined, revision: number): ReadonlyArray<PendingVersion> {
    const found: Array<PendingVersion> = []
    this.order().scan(keyText(start), end && keyText(end), (_text, newest) => {
      const version = atOrBefore(newest, revision)
      if (version !== undefined) found.push(version)
      return true
    })
    return found
  }

  /** How many readers wait for their View. */
  get readerCount(): number {
    return this.readers.size
  }

  /** A View is asked for that will be older than commits to come: what they wrote stays until the reader has finished. */
  beginRead(): number {
    this.readers.add(++this.lastReader)
    return this.lastReader
  }

  endRead(reader: number): void {
    this.readers.delete(reader)
    if (this.retired.length === 0) return
    const oldest = this.readers.values().next().value ?? Number.POSITIVE_INFINITY
    while (this.retired.length > 0 && this.retired[0].lastReader < oldest) {
      const { committed, events } = this.retired[0]
      this.retired.shift()
      this.forget(events, committed)
    }
  }

  /** A commit is visible: its versions are forgotten as soon as every reader's View shows them. */
  release(events: ReadonlyArray<{ readonly text: string }>, committed: number): void {
    if (this.readers.size === 0) this.forget(events, committed)
    else this.retired.push({ events, committed, lastReader: this.lastReader })
  }

  /** Forgets versions of the events' keys up to a committed revision: the engine shows them from now on. */
  private forget(events: ReadonlyArray<{ readonly text: string }>, committed: number): void {
    for (const { text } of events) {
      const newest = this.versions.get(text)
      if (newest === undefined) continue
      if (newest.revision <= committed) {
        this.versions.delete(text)
        this.sorted?.delete(text)
      } else {
        const kept = withoutCommitted(newest, committed)
        this.versions.set(text, kept)
        this.sorted?.set(text, kept)
      }
    }
    if (this.versions.size === 0) this.sorted = undefined
  }

  clear(): void {
    this.versions.clear()
    this.retired = []
    this.sorted = undefined
  }

  /** Order is made when a range first asks for it: most transactions name single keys. */
  private order(): SortedMap<PendingVersion> {
    if (this.sorted === undefined) {
      this.sorted = new SortedMap()
      for (const [text, version] of this.versions) this.sorted.set(text, version)
    }
    return this.sorted
  }
}

const atOrBefore = (version: PendingVersion | undefined, revision: number): PendingVersion | undefined => {
  let candidate = version
  while (candidate !== undefined && candidate.revision > revision) candidate = candidate.older
  return candidate
}

const withoutCommitted = (version: PendingVersion, committed: number): PendingVersion => {
  if (version.older === undefined) return version
  const older = version.older.revision <= committed ? undefined : withoutCommitted(version.older, committed)
  return { ...version, older }
}
