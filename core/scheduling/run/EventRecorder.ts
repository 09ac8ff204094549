// Events that the scheduler writes about pods (events.k8s.io/v1), repeated ones folded into a series.
// Owns their shape and folding; failures are dropped, as events are. Bound: EVENTS_PENDING calls under way, further events are dropped and
// counted; SERIES_MAX remembered events, the oldest forgotten first.
import { ApiFailure, type Client, type Clockwork, gvr, type KubeObject, rfc3339Micro } from "#kube"

export interface RecordedEvent {
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly action: string
  readonly note: string
  /** The other object that it is about. */
  readonly related?: KubeObject
}

const EVENTS_PENDING = 2048
const SERIES_MAX = 4096
const NOTE_LENGTH_MAX = 1024
const SERIES_LIVES_MS = 6 * 60_000
/** A series that goes on is told of at its first repetition, and then once in so long. */
const SERIES_TOLD_EVERY_MS = 60_000
const events = gvr("events.k8s.io", "v1", "events")

interface Series {
  readonly name: string
  readonly namespace: string
  count: number
  lastMs: number
  toldMs: number
}

const referenceTo = ({ apiVersion, kind, metadata }: KubeObject) => {
  const { name = "", namespace = "", resourceVersion = "", uid = "" } = metadata
  return { apiVersion, kind, name, namespace, resourceVersion, uid }
}

const shortened = (note: string): string =>
  note.length <= NOTE_LENGTH_MAX ? note : `${note.slice(0, NOTE_LENGTH_MAX - 4)} ...`

export class EventRecorder {
  readonly stats = { written: 0, dropped: 0, failed: 0 }
  private readonly client: Client
  private readonly clockwork: Clockwork
  private readonly instance: string
  private readonly series = new Map<string, Series>()
  private pending = 0
  private turn = 0

  constructor(client: Client, clockwork: Clockwork, instance: string) {
    this.client = client
    this.clockwork = clockwork
    this.instance = instance
  }

  record(about: KubeObject, controller: string, event: RecordedEvent): void {
    if (this.pending >= EVENTS_PENDING) {
      this.stats.dropped++
      return
    }
    const nowMs = this.clockwork.now()
    // Only failures repeat; a pod is assigned once.
    if (event.type === "Normal") return this.create(about, controller, event, undefined)
    const key = [about.metadata.uid, event.reason, event.action, event.note].join("\n")
    const known = this.series.get(key)
    if (known !== undefined && nowMs - known.lastMs < SERIES_LIVES_MS) {
      known.count++
      known.lastMs = nowMs
      if (known.count > 2 && nowMs - known.toldMs < SERIES_TOLD_EVERY_MS) return
      known.toldMs = nowMs
      const series = { count: known.count, lastObservedTime: rfc3339Micro(nowMs) }
      const target = { resource: events, namespace: known.namespace, name: known.name }
      this.call((done) => this.client.patch(target, { type: "merge", body: { series } }, {}, done))
      return
    }
    if (this.series.size >= SERIES_MAX)
      for (const oldest of this.series.keys()) {
        this.series.delete(oldest)
        break
      }
    this.series.delete(key)
    this.create(about, controller, event, key)
  }

  private create(
    about: KubeObject,
    controller: string,
    { action, note, reason, related, type }: RecordedEvent,
    key: string | undefined
  ): void {
    const nowMs = this.clockwork.now()
    const { name = "", namespace = "default" } = about.metadata
    const suffix = (BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(this.turn++ % 1_000_000)).toString(16)
    const event: KubeObject = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${name}.${suffix}`, namespace },
      eventTime: rfc3339Micro(nowMs),
      reportingController: controller,
      reportingInstance: this.instance,
      action,
      reason,
      regarding: referenceTo(about),
      ...(related === undefined ? {} : { related: referenceTo(related) }),
      note: shortened(note),
      type
    }
    if (key !== undefined)
      this.series.set(key, { name: `${name}.${suffix}`, namespace, count: 1, lastMs: nowMs, toldMs: nowMs })
    this.call((done) => this.client.create({ resource: events, namespace }, event, {}, done))
  }

  private call(send: (done: (answer: KubeObject | ApiFailure) => void) => void): void {
    this.pending++
    send((answer) => {
      this.pending--
      if (answer instanceof ApiFailure) this.stats.failed++
      else this.stats.written++
    })
  }
}
