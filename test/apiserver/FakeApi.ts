// An Api over plain maps, for tests of what stands on the port: gets, creates, updates with resourceVersions, deletes, views.
// No admission, no defaults, no validation.
import { ApiFailure, type Clockwork, Failures, type KubeObject, parseApiVersion } from "#kube"
import type { Api, ApiAnswer, ApiRequest, Definition, Definitions, ResourceView } from "#apiserver"

type Change = (before: KubeObject | undefined, after: KubeObject | undefined) => void

class FakeView implements ResourceView {
  readonly objects = new Map<string, KubeObject>()
  private readonly listeners = new Set<Change>()

  get = (namespace: string, name: string): KubeObject | undefined => this.objects.get(`${namespace}/${name}`)

  list = (namespace: string): ReadonlyArray<KubeObject> =>
    [...this.objects]
      .filter(([key]) => namespace === "" || key.startsWith(`${namespace}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object)

  onChange = (listener: Change): (() => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  set(namespace: string, name: string, after: KubeObject | undefined): void {
    const key = `${namespace}/${name}`
    const before = this.objects.get(key)
    if (after === undefined) this.objects.delete(key)
    else this.objects.set(key, after)
    for (const listener of this.listeners) listener(before, after)
  }
}

const definitions: Definitions = {
  find: () => undefined,
  byKind: () => undefined,
  all: () => [],
  register: () => undefined,
  unregister: () => undefined,
  onChange: () => undefined
}

const answer = (object: KubeObject, code = 200): ApiAnswer => ({
  kind: "object",
  code,
  held: { object, revision: 0, encoded: () => new TextEncoder().encode(JSON.stringify(object)) },
  warnings: []
})

export class FakeApi implements Api {
  readonly definitions = definitions
  readonly clockwork: Clockwork
  /** Milliseconds since the epoch; tests move it. */
  now = 1_795_000_000_000
  readonly requests: Array<ApiRequest> = []
  private revision = 0
  private seed = 7
  private readonly views = new Map<string, FakeView>()
  private readonly turn: Array<() => void> = []

  constructor() {
    this.clockwork = {
      now: () => this.now,
      monotonic: () => this.now,
      random: () => (this.seed = (this.seed * 48_271) % 2_147_483_647) / 2_147_483_647,
      defer: (run) => void this.turn.push(run),
      after: (_delay, run) => {
        const at = this.turn.push(run) - 1
        return () => void (this.turn[at] = () => undefined)
      },
      every: () => () => undefined
    }
  }

  /** Runs what was put off, until nothing is left. */
  settle(): void {
    for (let run = this.turn.shift(); run !== undefined; run = this.turn.shift()) run()
  }

  view(group: string, resource: string): FakeView {
    const key = `${group}/${resource}`
    const view = this.views.get(key) ?? new FakeView()
    this.views.set(key, view)
    return view
  }

  /** Puts an object as if it had been written. */
  put(resource: string, object: KubeObject): KubeObject {
    const { group } = parseApiVersion(object.apiVersion)
    const { name = "", namespace = "" } = object.metadata
    const uid = object.metadata.uid ?? `uid-${resource}-${namespace}-${name}`
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(++this.revision) } }
    this.view(group, resource).set(namespace, name, stored)
    return stored
  }

  remove(group: string, resource: string, namespace: string, name: string): void {
    this.view(group, resource).set(namespace, name, undefined)
  }

  execute(request: ApiRequest, done: (answer: ApiAnswer | ApiFailure) => void): void {
    this.requests.push(request)
    this.clockwork.defer(() => done(this.run(request)))
  }

  watch(): never {
    throw new Error("not in this fake")
  }

  private run(request: ApiRequest): ApiAnswer | ApiFailure {
    const { body, namespace, resource, verb } = request
    const view = this.view(resource.group, resource.resource)
    const name = request.name === "" ? (body?.metadata.name ?? "") : request.name
    const target = { group: resource.group, resource: resource.resource, name }
    const held = view.get(namespace, name)
    if (verb === "create" && body !== undefined)
      return held === undefined ? answer(this.put(resource.resource, body), 201) : Failures.alreadyExists(target)
    if (held === undefined) return Failures.notFound(target)
    if (verb === "update" && body !== undefined) {
      const asked = body.metadata.resourceVersion ?? ""
      if (asked !== "" && asked !== held.metadata.resourceVersion) return Failures.conflict(target, "changed")
      const status = request.subresource === "status"
      const next = status ? { ...held, status: body.status } : { ...body, status: body.status ?? held.status }
      return answer(this.put(resource.resource, next as KubeObject))
    }
    if (verb === "delete") {
      this.remove(resource.group, resource.resource, namespace, name)
      return answer(held)
    }
    return answer(held)
  }
}

/** A definition of which only the names matter. */
export const bareDefinition = (
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced = true
): Definition => ({
  group,
  version,
  kind,
  listKind: `${kind}List`,
  resource,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced,
  verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
  schema: { type: "object" },
  strategy: {},
  columns: [],
  selectableFields: {},
  subresources: new Map()
})
