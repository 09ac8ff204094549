// One watch: which keys, from which revision, in which form, and how far it has been told.
// Owns its filters and its place in the history; refuses to send, which its stream does.
import { EventKind } from "../mvcc/Layout.ts"
import type { KeyRange } from "../mvcc/Snapshot.ts"
import type { StoredEvent } from "../mvcc/StoredEvent.ts"
import type { Int64 } from "#net"

export interface WatcherOptions {
  readonly id: Int64
  readonly range: KeyRange
  /** The first revision of interest; 0 means from now on. */
  readonly startRevision: number
  readonly withPutEvents: boolean
  readonly withDeleteEvents: boolean
  readonly withPrevious: boolean
  readonly fragment: boolean
  readonly progressNotify: boolean
}

/** Where a watcher's events go; a stream carries many watchers. */
export interface WatchSink {
  /** Sends events that belong together; `revision` is what the watcher has then been told up to. */
  readonly events: (watcher: Watcher, events: ReadonlyArray<StoredEvent>, revision: number) => void
  /** The watcher asked for revisions that are compacted: it ends here. */
  readonly compacted: (watcher: Watcher, compactRevision: number) => void
  /** True while the peer takes no more: its watchers read the log when it does again. */
  readonly isBlocked: () => boolean
}

export class Watcher {
  readonly options: WatcherOptions
  readonly sink: WatchSink
  /** The next revision to be told; everything before it has been handed to the sink. */
  nextRevision: number
  /** Whether events are handed over as they are committed; otherwise the log is read. */
  synced = false
  closed = false
  /** Whether events went out since the last periodic progress notice. */
  quiet = true
  /** Events of the commit being published, gathered until all of it is seen. */
  gathered: Array<StoredEvent> | undefined

  constructor(options: WatcherOptions, sink: WatchSink, nextRevision: number) {
    this.options = options
    this.sink = sink
    this.nextRevision = nextRevision
  }

  /** Whether the watcher is told of an event in its range. */
  wants(event: StoredEvent): boolean {
    if (event.revision < this.nextRevision) return false
    return event.kind === EventKind.Put ? this.options.withPutEvents : this.options.withDeleteEvents
  }
}
