// Events of core/v1 about objects, told by controllers, as client-go's recorder writes them.
// Owns the queue, the calls and their retries; what is folded, counted or dropped is EventCorrelator.ts's to say.
// Bound: QUEUE_MAX events wait; more are dropped, for events are never worth stopping work.
import { ApiFailure, type Cancel, type Client, type Clockwork, gvr, type KubeObject, Names, rfc3339 } from "#kube"
import { EventCorrelator, type EventDraft } from "./EventCorrelator.ts"

export type EventType = "Normal" | "Warning"

/** Where one component tells what happened. */
export interface EventSink {
  readonly event: (about: KubeObject, type: EventType, reason: string, message: string) => void
}

export interface EventRecorderOptions {
  readonly client: Client
  readonly clockwork: Clockwork
}

const QUEUE_MAX = 1000
const TRIES_MAX = 12
const RETRY_MS = 10_000
const NANOS_PER_MS = 1_000_000n
const events = gvr("", "v1", "events")

export class EventRecorder {
  readonly stats = { written: 0, dropped: 0, failed: 0 }
  readonly #options: EventRecorderOptions
  readonly #correlator: EventCorrelator
  #queue: Array<EventDraft> = []
  #writing = false
  #stopped = false
  #cancelRetry: Cancel | undefined
  #lastNanos = 0n

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#correlator = new EventCorrelator(options.clockwork)
  }

  /** The recorder of one component, like "deployment-controller". */
  from(component: string): EventSink {
    return { event: (about, type, reason, message) => this.#tell(component, about, type, reason, message) }
  }

  /** What waits is given up. */
  stop(): void {
    this.#stopped = true
    this.#cancelRetry?.()
    this.#queue = []
  }

  /** A name of its own for every event: the time in nanoseconds, which never stands still here. */
  #name(of: string): string {
    const now = BigInt(Math.floor(this.#options.clockwork.now())) * NANOS_PER_MS
    this.#lastNanos = now > this.#lastNanos ? now : this.#lastNanos + 1n
    const suffix = this.#lastNanos.toString(16)
    const name = `${of}.${suffix}`
    return Names.dnsSubdomain(name).length === 0 ? name : `event.${suffix}`
  }

  #tell(component: string, about: KubeObject, type: EventType, reason: string, message: string): void {
    if (this.#stopped) return
    if (this.#queue.length >= QUEUE_MAX) {
      this.stats.dropped++
      return
    }
    const { apiVersion, kind, metadata } = about
    const { name = "", namespace = "", resourceVersion, uid = "" } = metadata
    const now = rfc3339(this.#options.clockwork.now())
    this.#queue.push({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: this.#name(name), namespace: namespace === "" ? "default" : namespace },
      involvedObject: {
        apiVersion,
        kind,
        name,
        ...(namespace === "" ? {} : { namespace }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        uid
      },
      reason,
      message,
      type,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component },
      reportingComponent: component,
      reportingInstance: ""
    })
    this.#next()
  }

  #next(): void {
    if (this.#writing || this.#stopped) return
    for (let draft = this.#queue.shift(); draft !== undefined; draft = this.#queue.shift()) {
      const found = this.#correlator.correlate(draft)
      if (found === undefined) {
        this.stats.dropped++
        continue
      }
      this.#writing = true
      this.#write(found.event, found.known, found.key, 1)
      return
    }
  }

  #write(event: EventDraft, known: boolean, key: string, tries: number): void {
    const { client, clockwork } = this.#options
    const { name, namespace } = event.metadata
    const done = (answer: KubeObject | ApiFailure): void => {
      if (this.#stopped) return
      if (!(answer instanceof ApiFailure)) {
        this.stats.written++
        this.#correlator.written(key, event)
      } else if (known && answer.code === 404) return this.#write(event, false, key, tries)
      else if (isOfTheWay(answer) && tries < TRIES_MAX) {
        const delayMs = tries === 1 ? RETRY_MS * clockwork.random() : RETRY_MS
        this.#cancelRetry = clockwork.after(delayMs, () => this.#write(event, known, key, tries + 1))
        return
      } else this.stats.failed++
      this.#writing = false
      this.#next()
    }
    if (known) {
      const { count, lastTimestamp, message } = event
      client.patch(
        { resource: events, namespace, name },
        { type: "strategic", body: { count, lastTimestamp, message } },
        {},
        done
      )
    } else client.create({ resource: events, namespace }, event, {}, done)
  }
}

/** Whether nobody has judged the event: the server was not reached, or it could not answer. */
const isOfTheWay = ({ code }: ApiFailure): boolean => code >= 500 || code === 429
