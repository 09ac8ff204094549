// An Api in a few lines of memory, to test the front alone: no admission, no rules, one revision counter, watches from now on or
// with the state first. Its definitions are the built-in resources as a real server lists them, with the columns of CRDs.
import { ApiFailure, builtInResources, type Clockwork, Failures, type KubeObject, objectKey, schemaOfKind } from "#kube"
import type {
  Api,
  ApiAnswer,
  ApiRequest,
  ApiWatchListener,
  Definition,
  Definitions,
  HeldEvent,
  HeldObject
} from "#apiserver"

const heldOf = (object: KubeObject): HeldObject => {
  let bytes: Uint8Array | undefined
  return {
    object,
    revision: Number(object.metadata.resourceVersion),
    encoded: () => (bytes ??= Buffer.from(JSON.stringify(object)))
  }
}

export const fakeDefinition = (resource: string, kind: string, more: Partial<Definition> = {}): Definition => ({
  group: "",
  version: "v1",
  kind,
  listKind: `${kind}List`,
  resource,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
  schema: schemaOfKind("", "v1", kind) ?? { type: "object" },
  strategy: {},
  columns: [
    { name: "Name", type: "string", format: "name", priority: 0, value: ({ metadata }) => metadata.name },
    { name: "Age", type: "string", priority: 0, value: (_, nowMs) => `${nowMs}` }
  ],
  selectableFields: {},
  subresources: new Map(),
  storage: { prefix: `/registry/${resource}/`, group: "", version: "v1" },
  ...more
})

/** Every built-in resource of Kubernetes, without any rule of its own. */
export const builtInDefinitions = (): ReadonlyArray<Definition> =>
  builtInResources().map((built) =>
    fakeDefinition(built.resource, built.kind, {
      group: built.group,
      version: built.version,
      singular: built.singular,
      shortNames: built.shortNames,
      categories: built.categories,
      namespaced: built.namespaced,
      verbs: built.verbs as Definition["verbs"],
      schema: schemaOfKind(built.group, built.version, built.kind) ?? { type: "object" },
      storage: { prefix: `/registry/${built.group}/${built.resource}/`, group: built.group, version: built.version }
    })
  )

const registryOf = (definitions: ReadonlyArray<Definition>): Definitions => {
  const all = [...definitions]
  const listeners: Array<() => void> = []
  const same = (a: Definition, group: string, version: string) => a.group === group && a.version === version
  return {
    find: (group, version, resource) => all.find((each) => same(each, group, version) && each.resource === resource),
    byKind: (group, version, kind) => all.find((each) => same(each, group, version) && each.kind === kind),
    all: () => all,
    register: (definition) => {
      all.push(definition)
      for (const listener of listeners) listener()
    },
    unregister: (group, version, resource) => {
      const at = all.findIndex((each) => same(each, group, version) && each.resource === resource)
      if (at >= 0) all.splice(at, 1)
      for (const listener of listeners) listener()
    },
    onChange: (listener) => void listeners.push(listener)
  }
}

export class FakeApi implements Api {
  readonly clockwork: Clockwork
  readonly definitions: Definitions
  readonly requests: Array<ApiRequest> = []
  /** Answers instead of the memory, where it is set. */
  answer: ((request: ApiRequest) => ApiAnswer | ApiFailure | "never" | undefined) | undefined
  /** The listeners of open watches. */
  readonly watchers = new Map<ApiWatchListener, ApiRequest>()
  resumed = 0
  private readonly objects = new Map<string, HeldObject>()
  private revision = 100

  constructor(clockwork: Clockwork, definitions: ReadonlyArray<Definition>) {
    this.clockwork = clockwork
    this.definitions = registryOf(definitions)
  }

  view(): never {
    throw new Error("the front asks for no views")
  }

  /** Stores an object and tells the watchers. */
  put(resource: string, object: KubeObject): HeldObject {
    const revision = ++this.revision
    const key = `${resource}/${objectKey(object)}`
    const known = this.objects.has(key)
    const metadata = { uid: `uid-${revision}`, ...object.metadata, resourceVersion: String(revision) }
    const held = heldOf({ ...object, metadata })
    this.objects.set(key, held)
    this.tell(resource, { type: known ? "MODIFIED" : "ADDED", held })
    return held
  }

  tell(resource: string, event: HeldEvent): void {
    for (const [listener, request] of this.watchers) if (request.resource.resource === resource) listener.event(event)
  }

  execute(request: ApiRequest, done: (answer: ApiAnswer | ApiFailure) => void): void {
    this.requests.push(request)
    const answer = this.answer?.(request) ?? this.serve(request)
    if (answer !== "never") this.clockwork.defer(() => done(answer))
  }

  private serve(request: ApiRequest): ApiAnswer | ApiFailure {
    const { name, namespace, resource, verb } = request
    const target = { ...resource, name }
    const key = `${resource.resource}/${namespace === "" ? name : `${namespace}/${name}`}`
    const held = this.objects.get(key)
    const definition = this.definitions.find(resource.group, resource.version, resource.resource)
    if (definition === undefined) throw new Error("the front asked for an unknown resource")
    if (verb === "list") {
      const prefix = `${resource.resource}/${namespace === "" ? "" : `${namespace}/`}`
      const items = [...this.objects].filter(([each]) => each.startsWith(prefix)).map(([, each]) => each)
      return { kind: "list", definition, items, resourceVersion: String(this.revision) }
    }
    if (verb === "create") {
      const body = request.body!
      const metadata = { ...body.metadata, ...(namespace === "" ? {} : { namespace }) }
      const made = this.put(resource.resource, { ...body, metadata })
      return { kind: "object", code: 201, held: made, warnings: [] }
    }
    if (held === undefined) return Failures.notFound(target)
    if (verb === "get") return { kind: "object", code: 200, held, warnings: [] }
    if (verb === "delete") {
      this.objects.delete(key)
      this.tell(resource.resource, { type: "DELETED", held })
      const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" } as unknown as KubeObject
      return { kind: "object", code: 200, held: heldOf(status), warnings: [] }
    }
    const changed = verb === "update" ? request.body! : merged(held.object, request.patch?.body as object)
    return { kind: "object", code: 200, held: this.put(resource.resource, changed), warnings: [] }
  }

  watch(request: ApiRequest, listener: ApiWatchListener) {
    this.requests.push(request)
    const outcome = this.answer?.(request)
    if (outcome instanceof ApiFailure) {
      this.clockwork.defer(() => listener.ended(outcome))
      return { resume: () => undefined, stop: () => undefined }
    }
    this.watchers.set(listener, request)
    if (request.options.resourceVersion === undefined || request.options.resourceVersion === "0") {
      this.clockwork.defer(() => {
        for (const [key, held] of this.objects) {
          if (key.startsWith(`${request.resource.resource}/`)) listener.event({ type: "ADDED", held })
        }
      })
    }
    return { resume: () => void this.resumed++, stop: () => void this.watchers.delete(listener) }
  }
}

const merged = <A extends object>(into: A, patch: object): A => {
  const result = { ...into } as Record<string, unknown>
  for (const [name, value] of Object.entries(patch)) {
    const old = result[name]
    const both = typeof value === "object" && value !== null && typeof old === "object" && old !== null
    if (value === null) delete result[name]
    else result[name] = both && !Array.isArray(value) ? merged(old, value as object) : value
  }
  return result as A
}
