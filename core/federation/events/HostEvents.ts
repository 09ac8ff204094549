// Events about sources on the host: what members' controllers say of the copies, and what keeps this federation from its work.
// Owns names, repetition and pace; refuses to choose what is worth telling. The same thing told again is the same Event with a higher
// count. Bounds: QUEUE_MAX wait, KNOWN_MAX are remembered, so many a second in all and of one source; what is beyond is dropped and counted.
import {
  ApiFailure,
  apiVersionOf,
  type Cancel,
  type Client,
  type Clockwork,
  gvr,
  type JsonObject,
  type KubeObject,
  Names,
  rfc3339,
  TokenBucket
} from "#kube"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { isNotFound, isThere, MANAGER } from "../HostCalls.ts"
import { textDigest } from "../planner/StableHash.ts"

/** Something that happened to a source. */
export interface Happening {
  readonly about: KubeObject
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly message: string
  /** Who says so; `cluster` where it was said in a member. */
  readonly component: string
  readonly cluster?: string
  /** What makes two of them the same; by default source, reason and message. */
  readonly identity?: string
  /** How often it has happened; by default as often as it was told here. */
  readonly count?: number
  /** RFC 3339; by default now. */
  readonly firstTimestamp?: string
  readonly lastTimestamp?: string
}

/** How fast events are written. */
export interface EventPace {
  readonly perSecond: number
  readonly burst: number
  /** Of one source. */
  readonly sourcePerSecond: number
  readonly sourceBurst: number
}

export const usualEventPace: EventPace = { perSecond: 20, burst: 200, sourcePerSecond: 0.1, sourceBurst: 10 }

const QUEUE_MAX = 1000
const KNOWN_MAX = 4096
const IN_FLIGHT_MAX = 8
const MESSAGE_MAX = 1024
/** What goes on in a member is told again no sooner; and what goes on here. */
const AGAIN_MS = 60_000
const AGAIN_HERE_MS = 600_000
const EVENTS = gvr("", "v1", "events")

interface Known {
  readonly count: number
  readonly atMs: number
}

/** Keeps the newest entries of a map. */
const bounded = <A>(map: Map<string, A>, key: string, value: A): void => {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= KNOWN_MAX) return
    map.delete(oldest)
  }
}

const timesOf = ({ firstTimestamp, lastTimestamp }: Happening, now: string) => ({
  firstTimestamp: firstTimestamp ?? lastTimestamp ?? now,
  lastTimestamp: lastTimestamp ?? now
})

const eventOf = (name: string, happening: Happening, count: number, now: string): KubeObject => {
  const { about, cluster, component, message, reason, type } = happening
  const { namespace = "", resourceVersion, uid = "" } = about.metadata
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: namespace === "" ? "default" : namespace },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name: about.metadata.name ?? "",
      ...(namespace === "" ? {} : { namespace }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      uid
    },
    type,
    reason,
    message: message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX - 4)} ...` : message,
    count,
    ...timesOf(happening, now),
    source: { component, ...(cluster === undefined ? {} : { host: cluster }) },
    reportingComponent: component,
    reportingInstance: cluster ?? ""
  }
}

const nameOf = ({ about, identity, message, reason }: Happening): string => {
  const { name = "", uid = "" } = about.metadata
  const digest = textDigest(`${uid}\n${identity ?? `${reason}\n${message}`}`)
  const whole = `${name}.${digest}`
  return Names.dnsSubdomain(whole).length === 0 ? whole : `event.${digest}`
}

/** An object with its kind, which items of lists may lack. */
export const named = (object: KubeObject, { type }: TypeConfig): KubeObject => ({
  ...object,
  apiVersion: apiVersionOf(type),
  kind: type.kind
})

export class HostEvents {
  readonly stats = { written: 0, dropped: 0, failed: 0 }
  readonly #client: Client
  readonly #clockwork: Clockwork
  readonly #pace: EventPace
  readonly #all: TokenBucket
  /** By the source's uid. */
  readonly #sources = new Map<string, TokenBucket>()
  /** By the Event's name. */
  readonly #known = new Map<string, Known>()
  /** What waits, by the Event's name: of two that are the same the later one stands for both. */
  readonly #queue = new Map<string, Happening>()
  #inFlight = 0
  #again: Cancel | undefined
  #stopped = false

  constructor(client: Client, clockwork: Clockwork, pace: EventPace = usualEventPace) {
    this.#client = client
    this.#clockwork = clockwork
    this.#pace = pace
    this.#all = new TokenBucket(pace.perSecond, pace.burst, clockwork.monotonic())
  }

  /** Tells of something; it may be dropped, and never fails. */
  tell(happening: Happening): void {
    if (this.#stopped) return
    const name = nameOf(happening)
    if (this.#queue.has(name)) {
      this.#queue.set(name, happening)
      return
    }
    const known = this.#known.get(name)
    const now = this.#clockwork.monotonic()
    const { count = Infinity } = happening
    const againMs = count === Infinity ? AGAIN_HERE_MS : AGAIN_MS
    if (known !== undefined && (now - known.atMs < againMs || count <= known.count)) return
    if (this.#queue.size >= QUEUE_MAX || !this.#source(happening).take(now)) {
      this.stats.dropped++
      return
    }
    this.#queue.set(name, happening)
    this.#clockwork.defer(() => this.#pump())
  }

  /** What waits is given up. */
  stop(): void {
    this.#stopped = true
    this.#again?.()
    this.#queue.clear()
  }

  #source({ about: { metadata } }: Happening): TokenBucket {
    const { uid = "" } = metadata
    const { sourceBurst, sourcePerSecond } = this.#pace
    const bucket = this.#sources.get(uid) ?? new TokenBucket(sourcePerSecond, sourceBurst, this.#clockwork.monotonic())
    bounded(this.#sources, uid, bucket)
    return bucket
  }

  #pump(): void {
    if (this.#stopped || this.#again !== undefined) return
    for (const [name, happening] of this.#queue) {
      if (this.#inFlight >= IN_FLIGHT_MAX) return
      const nowMs = this.#clockwork.monotonic()
      if (!this.#all.take(nowMs)) {
        this.#again = this.#clockwork.after(Math.ceil(this.#all.waitMs(nowMs, 0)), () => {
          this.#again = undefined
          this.#pump()
        })
        return
      }
      this.#queue.delete(name)
      this.#write(name, happening)
    }
  }

  #write(name: string, happening: Happening): void {
    const known = this.#known.get(name)
    const count = happening.count ?? (known?.count ?? 0) + 1
    const event = eventOf(name, happening, count, rfc3339(this.#clockwork.now()))
    this.#inFlight++
    const end = (answer: KubeObject | ApiFailure): void => {
      this.#inFlight--
      if (answer instanceof ApiFailure) this.stats.failed++
      else {
        this.stats.written++
        bounded(this.#known, name, { count, atMs: this.#clockwork.monotonic() })
      }
      this.#pump()
    }
    if (known === undefined) this.#create(event, end, true)
    else this.#repeat(event, end, true)
  }

  #create(event: KubeObject, end: (answer: KubeObject | ApiFailure) => void, mayRepeat: boolean): void {
    const { namespace = "" } = event.metadata
    this.#client.create({ resource: EVENTS, namespace }, event, MANAGER, (answer) => {
      // A process before this one told of it.
      if (mayRepeat && answer instanceof ApiFailure && isThere(answer)) this.#repeat(event, end, false)
      else end(answer)
    })
  }

  #repeat(event: KubeObject, end: (answer: KubeObject | ApiFailure) => void, mayCreate: boolean): void {
    const { name = "", namespace = "" } = event.metadata
    const { count, lastTimestamp, message } = event
    // SAFETY: an event is JSON.
    const body = { count, lastTimestamp, message } as JsonObject
    this.#client.patch({ resource: EVENTS, namespace, name }, { type: "merge", body }, MANAGER, (answer) => {
      if (mayCreate && answer instanceof ApiFailure && isNotFound(answer)) this.#create(event, end, false)
      else end(answer)
    })
  }
}
