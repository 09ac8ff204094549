// The tracing room inside a scenario's world: every write of every client becomes an audit event of the world's own time, and what the room
// makes of them says who was stuck, and what happened to whom.
// Owns the telling of writes and the record; refuses to judge. Bound: a million facts; beyond, what happens is not traced, and the record says so.
import {
  ApiFailure,
  type Client,
  type Collection,
  type JsonObject,
  type KubeObject,
  rfc3339Micro,
  type Target,
  type WatchEvent
} from "#kube"
import type { RecordedLife, RecordedTracing, SlowPod } from "#reports"
import type { SimProcess } from "#sim"
import {
  type AuditSetting,
  eventFactsOf,
  eventLineFacts,
  type Fact,
  ingestSetting,
  lifeOf,
  MemorySpanStore,
  momentsOf,
  objectText,
  stuck,
  type Stuck,
  watchFactsOf,
  WINDOW_SECONDS
} from "#tracing"

/** What the world is called among clusters. */
export const CLUSTER = "sim"
/** Objects whose lives the record tells: those behind the slow percentiles first, then who was stuck. */
const LIVES = 40
const MOMENTS_MAX = 60
/** Objects whose end is remembered, so that the second watcher's news of it is passed over. */
const ENDED_MAX = 100_000

type Verb = "create" | "update" | "patch" | "delete"

export class ObjectTraces {
  readonly store: MemorySpanStore
  private readonly setting: AuditSetting
  private written = 0
  private untraced = 0
  private readonly ended = new Set<string>()
  private beginMs: number | undefined

  constructor() {
    // Nothing in this store takes time: what is asked is answered at once, and the world's order stays the seed's.
    this.store = new MemorySpanStore({ clockwork: { defer: (run) => run() } })
    this.setting = ingestSetting({}, WINDOW_SECONDS)
  }

  /** The same client, its writes told. */
  wrap(client: Client, process: SimProcess): Client {
    this.beginMs ??= process.clockwork.now()
    const told = (
      verb: Verb,
      target: Collection | Target,
      name: string,
      done: (answer: KubeObject | ApiFailure) => void
    ) => {
      const sentMs = process.clockwork.now()
      return (answer: KubeObject | ApiFailure): void => {
        this.tell({ verb, target, name, client: process.name, sentMs, nowMs: process.clockwork.now(), answer })
        done(answer)
      }
    }
    return {
      ...client,
      watch: (collection, options, listener) => {
        // Who wants metadata alone hears too little of the object; to who selects, an object ends that is only selected no more.
        const { fieldSelector = "", labelSelector = "", metadataOnly = false } = options
        const isWhole = !metadataOnly && fieldSelector === "" && labelSelector === ""
        return client.watch(collection, options, {
          event: (event) => {
            if (isWhole) this.heard(collection, event)
            listener.event(event)
          },
          ended: (failure) => listener.ended(failure)
        })
      },
      create: (target, object, options, done) =>
        client.create(target, object, options, told("create", target, nameOf(target, object), done)),
      update: (target, object, options, done) =>
        client.update(target, object, options, told("update", target, target.name, done)),
      patch: (target, patch, options, done) =>
        client.patch(target, patch, options, told("patch", target, target.name, done)),
      delete: (target, options, done) => client.delete(target, options, told("delete", target, target.name, done))
    }
  }

  /** The end of an object, as any watch tells it; what came before stands in the answers to writes. */
  private heard({ resource: { group, resource, version } }: Collection, { object, type }: WatchEvent): void {
    if (type !== "DELETED" || resource === "events") return
    const { name = "", namespace = "", uid = "" } = object.metadata
    if (this.ended.has(uid)) return
    if (this.ended.size >= ENDED_MAX) this.ended.clear()
    this.ended.add(uid)
    const key = { cluster: CLUSTER, group, resource, namespace, name }
    this.keep(watchFactsOf(key, version, object, true, { links: this.setting.links, redacts: () => false }))
  }

  /** What the room says at the world's end; times count from the world's beginning. */
  recorded(slowest: ReadonlyArray<SlowPod>, nowMs: number): RecordedTracing {
    const beginMs = this.beginMs ?? 0
    const nowUs = (beginMs + nowMs) * 1000
    const clockwork = { defer: (run: () => void) => run() }
    const found: Array<Stuck> = []
    stuck(this.store, { clockwork, nowUs }, (answer) => found.push(answer))
    const answers = found.flatMap((one) => one.answers)
    const keys = [
      ...slowest.map(({ name, namespace }) => ({ cluster: CLUSTER, group: "", resource: "pods", namespace, name })),
      ...answers.map(({ object }) => object)
    ]
    const wanted = new Map(keys.map((key) => [objectText(key), key]))
    const lives: Array<RecordedLife> = []
    for (const key of wanted.values()) {
      const life = lives.length < LIVES ? lifeOf(this.store, key, nowUs) : undefined
      if (life === undefined) continue
      const moments = momentsOf(life)
        .slice(0, MOMENTS_MAX)
        .map(({ atUs, says, what, who }) => ({ atMs: Math.max(atUs / 1000 - beginMs, 0), who, what, says }))
      lives.push({ resource: key.resource, namespace: key.namespace, name: key.name, moments })
    }
    return {
      facts: this.store.stats().facts,
      writes: this.written,
      untraced: this.untraced,
      stuck: answers.map(({ ageMs, kind, object, sentence }) => ({
        kind,
        resource: object.resource,
        namespace: object.namespace,
        name: object.name,
        ageMs,
        sentence
      })),
      lives
    }
  }

  private tell(write: Write): void {
    const { answer, target } = write
    this.written++
    const isEvent = target.resource.resource === "events"
    const facts: ReadonlyArray<Fact> = isEvent
      ? answer instanceof ApiFailure
        ? []
        : eventFactsOf(CLUSTER, answer, this.setting.links)
      : eventLineFacts(CLUSTER, Buffer.from(JSON.stringify(auditEvent(write, this.written))), this.setting, () => {})
    this.keep(facts)
  }

  private keep(facts: ReadonlyArray<Fact>): void {
    if (facts.length === 0) return
    this.store.append(facts, (outcome) => {
      if (outcome.kind !== "durable") this.untraced++
    })
  }
}

interface Write {
  readonly verb: Verb
  readonly target: Collection | Target
  readonly name: string
  readonly client: string
  readonly sentMs: number
  readonly nowMs: number
  readonly answer: KubeObject | ApiFailure
}

const nameOf = (target: Collection | Target, { metadata }: KubeObject): string =>
  "name" in target ? target.name : (metadata.name ?? "")

/** A write as an API server's audit at level RequestResponse would say it. */
const auditEvent = ({ answer, client, name, nowMs, sentMs, target, verb }: Write, count: number): JsonObject => {
  const { namespace, resource } = target
  const subresource = "subresource" in target ? target.subresource : undefined
  const failed = answer instanceof ApiFailure
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: `sim-${count}`,
    stage: "ResponseComplete",
    requestURI: "/",
    verb,
    user: { username: client },
    userAgent: client,
    sourceIPs: [],
    objectRef: {
      apiGroup: resource.group,
      apiVersion: resource.version,
      resource: resource.resource,
      namespace,
      name: name === "" && !failed ? (answer.metadata.name ?? "") : name,
      ...(subresource === undefined ? {} : { subresource })
    },
    responseStatus: failed
      ? { code: answer.code, reason: answer.reason, message: answer.message }
      : { code: verb === "create" ? 201 : 200 },
    // SAFETY: an object of the API is JSON.
    ...(failed ? {} : { responseObject: answer as unknown as JsonObject }),
    requestReceivedTimestamp: rfc3339Micro(sentMs),
    stageTimestamp: rfc3339Micro(nowMs)
  }
}
