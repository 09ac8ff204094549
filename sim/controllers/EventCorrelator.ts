// Which events become one: the same event again is counted, many that differ in the message alone are combined, and an object that
// makes too many is heard less (client-go's EventCorrelator with its default numbers).
// Owns what is remembered of past events. Bound: REMEMBERED of each memory, the least recently used go first.
import type { Clockwork, KubeObject } from "#kube"

/** An event as it is written. */
export interface EventDraft extends KubeObject {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly involvedObject: {
    readonly apiVersion: string
    readonly kind: string
    readonly name: string
    readonly namespace?: string
    readonly resourceVersion?: string
    readonly uid: string
  }
  readonly reason: string
  readonly message: string
  readonly type: string
  readonly count: number
  readonly firstTimestamp: string
  readonly lastTimestamp: string
  readonly source: { readonly component: string }
}

/** What to write of an event. */
export interface Correlated {
  readonly event: EventDraft
  /** Whether an event of this name was written before: its count goes up. */
  readonly known: boolean
  /** Where the correlator remembers it. */
  readonly key: string
}

const REMEMBERED = 4096
const SIMILAR_MAX = 10
const SIMILAR_MS = 600_000
const BURST = 25
const REFILL_MS = 300_000

interface Seen {
  readonly name: string
  readonly count: number
  readonly firstTimestamp: string
}

interface Similar {
  readonly messages: Set<string>
  lastMs: number
}

interface Bucket {
  tokens: number
  filledMs: number
}

/** A map that forgets what was used least recently. */
class Recent<A> {
  readonly #entries = new Map<string, A>()

  get(key: string): A | undefined {
    const found = this.#entries.get(key)
    if (found !== undefined) {
      this.#entries.delete(key)
      this.#entries.set(key, found)
    }
    return found
  }

  set(key: string, value: A): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= REMEMBERED) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }
}

export class EventCorrelator {
  readonly #clockwork: Clockwork
  readonly #seen = new Recent<Seen>()
  readonly #similar = new Recent<Similar>()
  readonly #buckets = new Recent<Bucket>()

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork
  }

  /** What to write; undefined when the object has made too many events. */
  correlate(draft: EventDraft): Correlated | undefined {
    const { involvedObject, message, reason, source, type } = draft
    const { apiVersion, kind, name, namespace = "", uid } = involvedObject
    const about = `${source.component}\n${kind}\n${namespace}\n${name}\n${uid}\n${apiVersion}\n${type}`
    const group = `${about}\n${reason}`
    const combined = this.#combine(group, message)
    const key = combined ? group : `${group}\n${message}`
    const seen = this.#seen.get(key)
    const event: EventDraft = {
      ...draft,
      // Upstream's combined event names no reporting component, only the source.
      ...(combined ? { message: `(combined from similar events): ${message}`, reportingComponent: "" } : {}),
      ...(seen === undefined
        ? {}
        : {
            metadata: { ...draft.metadata, name: seen.name },
            count: seen.count + 1,
            firstTimestamp: seen.firstTimestamp
          })
    }
    this.#remember(key, event)
    return this.#accepts(about) ? { event, known: event.count > 1, key } : undefined
  }

  /** An event stands on the server. */
  written(key: string, event: EventDraft): void {
    this.#remember(key, event)
  }

  #remember(key: string, { count, firstTimestamp, metadata: { name } }: EventDraft): void {
    this.#seen.set(key, { name, count, firstTimestamp })
  }

  /** Whether so many messages of a group were heard lately that the next goes into one event for all. */
  #combine(group: string, message: string): boolean {
    const now = this.#clockwork.now()
    let similar = this.#similar.get(group)
    if (similar === undefined || now - similar.lastMs > SIMILAR_MS) {
      similar = { messages: new Set(), lastMs: now }
      this.#similar.set(group, similar)
    }
    similar.messages.add(message)
    similar.lastMs = now
    if (similar.messages.size < SIMILAR_MAX) return false
    for (const one of similar.messages) {
      similar.messages.delete(one)
      break
    }
    return true
  }

  #accepts(about: string): boolean {
    const now = this.#clockwork.monotonic()
    let bucket = this.#buckets.get(about)
    if (bucket === undefined) {
      bucket = { tokens: BURST, filledMs: now }
      this.#buckets.set(about, bucket)
    }
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.filledMs) / REFILL_MS)
    bucket.filledMs = now
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }
}
