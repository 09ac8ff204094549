// A small API server for tests: a store in memory, a clock that the test moves, a few kinds of its own, calls that answer in place.
import {
  ApiFailure,
  type Client,
  type Clockwork,
  type Collection,
  gvr,
  type KubeList,
  type KubeObject,
  type Schema,
  type Target
} from "#kube"
import {
  type ApiAnswer,
  type ApiRequest,
  type ApiServer,
  type ApiServerOptions,
  type Definition,
  inProcessClient,
  makeApiServer,
  makeDefinitions,
  type UserInfo
} from "#apiserver"
import { makeMemoryEngine } from "../../core/storage/engine/MemoryEngine.ts"
import { Compactor } from "../../core/storage/mvcc/Compactor.ts"
import { Store } from "../../core/storage/mvcc/Store.ts"
import { WatchHub } from "../../core/storage/watch/WatchHub.ts"
import { storageKeyValue } from "../../core/apiserver/store/StorageKeyValue.ts"
import type { KeyValue } from "../../core/apiserver/store/KeyValue.ts"

/** Time that stands still until it is moved, and deferred work that runs when asked. */
export class TestClockwork implements Clockwork {
  private timeMs = Date.UTC(2026, 10, 24, 4)
  private queue: Array<() => void> = []
  private timers: Array<{ at: number; every: number; run: () => void }> = []
  private seed: number

  constructor(seed = 1) {
    this.seed = seed
  }

  readonly now = (): number => this.timeMs
  readonly monotonic = (): number => this.timeMs
  readonly random = (): number => {
    // A 32-bit mixing generator: the same seed, the same names.
    this.seed = (this.seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  readonly defer = (run: () => void): void => void this.queue.push(run)
  readonly after = (delayMs: number, run: () => void): (() => void) => this.timer(delayMs, 0, run)
  readonly every = (intervalMs: number, run: () => void): (() => void) => this.timer(intervalMs, intervalMs, run)

  private timer(delayMs: number, every: number, run: () => void): () => void {
    const timer = { at: this.timeMs + delayMs, every, run }
    this.timers.push(timer)
    return () => {
      const at = this.timers.indexOf(timer)
      if (at >= 0) this.timers.splice(at, 1)
    }
  }

  /** Runs what is deferred until nothing is. */
  settle(): void {
    while (this.queue.length > 0) {
      const { queue } = this
      this.queue = []
      for (const run of queue) run()
    }
  }

  /** Runs one turn's deferred work. */
  turn(): void {
    const { queue } = this
    this.queue = []
    for (const run of queue) run()
  }

  /** Moves time, running timers in their order. */
  pass(ms: number): void {
    const end = this.timeMs + ms
    for (;;) {
      this.settle()
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.timeMs = Math.max(this.timeMs, next.at)
      if (next.every > 0) next.at += next.every
      else this.timers.splice(this.timers.indexOf(next), 1)
      next.run()
    }
    this.timeMs = end
    this.settle()
  }
}

const text: Schema = { type: "string" }
const texts: Schema = { type: "object", values: text }
const metadata: Schema = { type: "object", preserveUnknownFields: true }
const kind = (fields: Record<string, Schema>): Schema => ({
  type: "object",
  fields: new Map(Object.entries({ apiVersion: text, kind: text, metadata, ...fields }))
})
const anything: Schema = { type: "object", preserveUnknownFields: true }

const base = {
  group: "",
  version: "v1",
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
  strategy: {},
  columns: [],
  selectableFields: {},
  subresources: new Map()
} satisfies Partial<Definition>

export const configMaps: Definition = {
  ...base,
  kind: "ConfigMap",
  listKind: "ConfigMapList",
  resource: "configmaps",
  singular: "configmap",
  schema: kind({ data: texts, immutable: { type: "boolean" } }),
  storage: { prefix: "/registry/configmaps/", group: "", version: "v1" }
}

const specOf = (object: KubeObject): Record<string, unknown> => (object.spec ?? {}) as Record<string, unknown>

export const pods: Definition = {
  ...base,
  kind: "Pod",
  listKind: "PodList",
  resource: "pods",
  singular: "pod",
  schema: kind({ spec: anything, status: anything }),
  strategy: {
    graceSeconds: (object, asked) => (specOf(object)["nodeName"] === undefined ? 0 : (asked ?? 30)),
    returnsDeleted: true,
    prepareForCreate: (draft) => {
      draft.status = { phase: "Pending" }
      return undefined
    }
  },
  selectableFields: {
    "spec.nodeName": (object) => (specOf(object)["nodeName"] as string | undefined) ?? "",
    "status.phase": (object) => (object.status as { phase?: string } | undefined)?.phase ?? ""
  },
  subresources: new Map([["status", { type: "status" as const }]]),
  storage: { prefix: "/registry/pods/", group: "", version: "v1" }
}

export const leases: Definition = {
  ...base,
  group: "coordination.k8s.io",
  kind: "Lease",
  listKind: "LeaseList",
  resource: "leases",
  singular: "lease",
  schema: kind({
    spec: {
      type: "object",
      fields: new Map<string, Schema>([
        ["holderIdentity", text],
        ["leaseDurationSeconds", { type: "integer" }],
        ["renewTime", { type: "string", format: "date-time" }],
        ["acquireTime", { type: "string", format: "date-time" }],
        ["leaseTransitions", { type: "integer" }]
      ])
    }
  }),
  strategy: { createOnUpdate: true, unconditionalUpdate: false },
  storage: { prefix: "/registry/leases/", group: "coordination.k8s.io", version: "v1" }
}

export const nodes: Definition = {
  ...base,
  kind: "Node",
  listKind: "NodeList",
  resource: "nodes",
  singular: "node",
  namespaced: false,
  schema: kind({ spec: anything, status: anything }),
  subresources: new Map([["status", { type: "status" as const }]]),
  storage: { prefix: "/registry/minions/", group: "", version: "v1" }
}

const replicaSets: Definition = {
  ...base,
  group: "apps",
  kind: "ReplicaSet",
  listKind: "ReplicaSetList",
  resource: "replicasets",
  singular: "replicaset",
  schema: kind({ spec: anything, status: anything }),
  subresources: new Map<string, NonNullable<ReturnType<Definition["subresources"]["get"]>>>([
    ["status", { type: "status" }],
    [
      "scale",
      {
        type: "scale",
        specReplicasPath: ".spec.replicas",
        statusReplicasPath: ".status.replicas",
        labelSelectorPath: ".spec.selector"
      }
    ]
  ]),
  storage: { prefix: "/registry/replicasets/", group: "apps", version: "v1" }
}

/** The same objects in two versions, one of which is stored. */
const widgets = (version: string): Definition => ({
  ...base,
  group: "example.com",
  version,
  kind: "Widget",
  listKind: "WidgetList",
  resource: "widgets",
  singular: "widget",
  schema: kind({ spec: anything, size: { type: "integer" } }),
  custom: true,
  storage: {
    prefix: "/registry/example.com/widgets/",
    group: "example.com",
    version: "v1",
    ...(version === "v1"
      ? {}
      : {
          convert: {
            toStored: ({ size, ...object }) => ({ ...object, spec: { size } }) as KubeObject,
            fromStored: ({ spec, ...object }) => ({ ...object, size: (spec as { size?: number })?.size })
          }
        })
  }
})

/** Events as they are kept: gone after an hour, in two groups with the same storage. */
const events = (group: string): Definition => ({
  ...base,
  group,
  kind: "Event",
  listKind: "EventList",
  resource: "events",
  singular: "event",
  schema: kind({ note: text }),
  storage: { prefix: "/registry/events/", group: "", version: "v1", ttlSeconds: 3600 }
})

export const testDefinitions: ReadonlyArray<Definition> = [
  configMaps,
  pods,
  leases,
  nodes,
  replicaSets,
  widgets("v1"),
  widgets("v2"),
  events(""),
  events("events.k8s.io")
]

const admin: UserInfo = { name: "admin", groups: ["system:masters"] }

export class World {
  readonly clockwork: TestClockwork
  readonly store: Store
  readonly hub: WatchHub
  readonly compactor: Compactor
  readonly keyValue: KeyValue
  readonly server: ApiServer
  readonly client: Client

  constructor(options: Partial<ApiServerOptions> & { readonly seed?: number } = {}) {
    const clockwork = (this.clockwork = new TestClockwork(options.seed ?? 1))
    const engine = makeMemoryEngine({ defer: clockwork.defer, clock: clockwork.now })
    this.store = new Store(engine, { defer: clockwork.defer, minLeaseTtlSeconds: 1 })
    this.hub = new WatchHub(this.store, clockwork.defer)
    this.compactor = new Compactor(this.store, { now: clockwork.monotonic, after: clockwork.after })
    this.keyValue = options.keyValue ?? storageKeyValue(this, clockwork)
    this.server = makeApiServer({
      clockwork,
      definitions: makeDefinitions(testDefinitions),
      compaction: { intervalMs: 0 },
      ...options,
      keyValue: this.keyValue
    })
    this.client = inProcessClient(this.server, admin)
  }

  /** Calls and answers once everything that follows from the call has happened. */
  ask<A>(call: (done: (answer: A | ApiFailure) => void) => void): A | ApiFailure {
    const answers: Array<A | ApiFailure> = []
    call((answer) => answers.push(answer))
    this.clockwork.settle()
    if (answers.length !== 1) throw new Error(`answered ${answers.length} times`)
    return answers[0]
  }

  /** The same, for what must succeed. */
  must<A>(call: (done: (answer: A | ApiFailure) => void) => void): A {
    const answer = this.ask(call)
    if (answer instanceof ApiFailure) throw answer
    return answer
  }

  /** The same, for what must fail. */
  fails(call: (done: (answer: unknown) => void) => void): ApiFailure {
    const answer = this.ask<unknown>(call)
    if (!(answer instanceof ApiFailure)) throw new Error(`succeeded: ${JSON.stringify(answer)}`)
    return answer
  }

  execute(request: Partial<ApiRequest> & Pick<ApiRequest, "verb" | "resource">): ApiAnswer | ApiFailure {
    const whole = { subresource: "", namespace: "", name: "", user: admin, options: {}, ...request }
    return this.ask((done) => this.server.execute(whole, done))
  }

  create(target: Collection | Target, object: KubeObject): KubeObject {
    return this.must((done) => this.client.create(target, object, {}, done))
  }

  get(target: Target): KubeObject | ApiFailure {
    return this.ask((done) => this.client.get(target, {}, done))
  }

  update(target: Target, object: KubeObject): KubeObject {
    return this.must((done) => this.client.update(target, object, {}, done))
  }

  list(collection: Collection): KubeList {
    return this.must((done) => this.client.list(collection, {}, done))
  }
}

export const inNamespace = (resource: string, namespace: string, group = "", version = "v1"): Collection => ({
  resource: gvr(group, version, resource),
  namespace
})

export const named = (collection: Collection, name: string, subresource?: string): Target =>
  subresource === undefined ? { ...collection, name } : { ...collection, name, subresource }

export const configMap = (name: string, data: Record<string, string> = {}, more: object = {}): KubeObject => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name, ...more },
  data
})

/** Everything that a watch of a client heard. */
export class Heard {
  readonly events: Array<{ readonly type: string; readonly object: KubeObject }> = []
  ended: ApiFailure | "in good order" | undefined

  readonly event = (event: { readonly type: string; readonly object: KubeObject }): void => void this.events.push(event)
  readonly end = (failure: ApiFailure | undefined): void => {
    this.ended = failure ?? "in good order"
  }
  readonly listener = { event: this.event, ended: this.end }

  /** Like "ADDED a". */
  get told(): ReadonlyArray<string> {
    return this.events.map(({ object, type }) => `${type} ${object.metadata.name ?? ""}`.trim())
  }
}
