// Which resources the API server serves, found out through the Client port alone: Kubernetes' own by asking for one object of
// each, custom ones from their CustomResourceDefinitions as they come and go.
// Owns that list and its changes; refuses aggregated API servers, whose resources only discovery names.
import {
  ApiFailure,
  apiVersionOf,
  type BuiltInResource,
  builtInResources,
  type Cancel,
  type Controller,
  type GroupVersionResource,
  groupResource,
  type InformerFactory,
  gvr,
  type KubeObject
} from "#kube"
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import type { Manager } from "../Manager.ts"
import { compareVersions } from "./VersionPriority.ts"

/** A resource in its preferred version. */
export interface ServedResource extends GroupVersionResource {
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: ReadonlyArray<string>
  /** Whether a CustomResourceDefinition declares it. */
  readonly custom: boolean
}

const definitions = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")
const ASK_AGAIN_MS = 2000
/** What was not served is asked for again so often: a server may have been upgraded meanwhile. */
const ASK_ABSENT_MS = 600_000
const CUSTOM_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

/** What a CustomResourceDefinition serves: one entry for each version, the preferred one first. */
const versionsOf = (definition: KubeObject): ReadonlyArray<ServedResource> => {
  const established = itemsOf(fieldsOf(definition.status)["conditions"]).some(
    ({ status, type }) => type === "Established" && status === "True"
  )
  if (!established) return []
  const spec = fieldsOf(definition.spec)
  const names = fieldsOf(spec["names"])
  return itemsOf(spec["versions"])
    .filter(({ served }) => served === true)
    .map(({ name }) => textOf(name))
    .sort(compareVersions)
    .map((version) => ({
      group: textOf(spec["group"]),
      version,
      resource: textOf(names["plural"]),
      kind: textOf(names["kind"]),
      namespaced: spec["scope"] === "Namespaced",
      verbs: CUSTOM_VERBS,
      custom: true
    }))
}

export class ServedResources {
  readonly #manager: Manager
  readonly #builtIn = new Map<string, ServedResource>()
  #kinds = new Map<string, ServedResource>()
  #list: ReadonlyArray<ServedResource> = []
  #users = 0
  #asking = 0
  #synced = false
  #cancels: Array<Cancel> = []
  #follows = false
  readonly #listeners = new Set<() => void>()
  #waiting: Array<() => void> = []

  constructor(manager: Manager) {
    this.#manager = manager
  }

  /** Every resource once, in its preferred version. */
  get list(): ReadonlyArray<ServedResource> {
    return this.#list
  }

  /** The resource of a kind in a version that is served; undefined when there is none. */
  ofKind(apiVersion: string, kind: string): ServedResource | undefined {
    return this.#kinds.get(`${apiVersion}/${kind}`)
  }

  /** Called at each change of the list, until the answer is called. */
  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Calls back once, when every built-in resource has been asked for. */
  onSynced(run: () => void): void {
    if (this.#synced) this.#manager.clockwork.defer(run)
    else this.#waiting.push(run)
  }

  /** Starts for its first user; the answer stops it with its last one. */
  use(): Cancel {
    if (this.#users++ === 0) this.#start()
    let using = true
    return () => {
      if (!using) return
      using = false
      if (--this.#users === 0) this.#stop()
    }
  }

  #start(): void {
    for (const resource of builtInResources()) if (resource.verbs.includes("list")) this.#ask(resource)
    const again = this.#manager.clockwork.every(ASK_ABSENT_MS, () => {
      for (const resource of builtInResources())
        if (resource.verbs.includes("list") && !this.#builtIn.has(keyOf(resource))) this.#ask(resource)
    })
    this.#cancels.push(again)
  }

  #stop(): void {
    for (const cancel of this.#cancels) cancel()
    this.#cancels = []
    this.#follows = false
  }

  #ask(resource: BuiltInResource): void {
    this.#asking++
    this.#askOnce(resource)
  }

  #askOnce(resource: BuiltInResource): void {
    const { client, clockwork } = this.#manager
    client.list({ resource, namespace: "" }, { limit: 1 }, (answer) => {
      if (this.#users === 0) return
      if (answer instanceof ApiFailure && answer.code !== 404 && answer.code !== 403 && answer.code !== 405) {
        this.#cancels.push(clockwork.after(ASK_AGAIN_MS, () => this.#askOnce(resource)))
        return
      }
      if (!(answer instanceof ApiFailure)) this.#found(resource)
      this.#asking--
      if (this.#asking === 0) this.#complete()
    })
  }

  #found({ group, kind, namespaced, resource, verbs, version }: BuiltInResource): void {
    const served = { group, version, resource, kind, namespaced, verbs, custom: false }
    this.#builtIn.set(keyOf(served), served)
    if (this.#follows || resource !== definitions.resource || group !== definitions.group) return
    this.#follows = true
    const changed = (): void => {
      if (this.#synced) this.#refresh()
    }
    const informer = this.#manager.informers.informer(definitions)
    this.#cancels.push(informer.addHandler({ added: changed, updated: changed, deleted: changed }))
    // Custom resources belong to the first list as well.
    this.#asking++
    informer.onSynced(() => {
      this.#asking--
      if (this.#asking === 0) this.#complete()
    })
  }

  #complete(): void {
    this.#synced = true
    this.#refresh()
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) this.#manager.clockwork.defer(run)
  }

  #refresh(): void {
    const list = new Map<string, ServedResource>()
    const kinds = new Map<string, ServedResource>()
    const add = (served: ServedResource): void => {
      const key = groupResource(served)
      if (!list.has(key)) list.set(key, served)
      kinds.set(`${apiVersionOf(served)}/${served.kind}`, served)
    }
    for (const served of this.#inOrder()) add(served)
    if (this.#follows) {
      for (const definition of this.#manager.informers.informer(definitions).store.all())
        for (const served of versionsOf(definition)) add(served)
    }
    const fresh = [...list.values()]
    const isSame = sameResources(fresh, this.#list) && kinds.size === this.#kinds.size
    this.#kinds = kinds
    if (isSame) return
    this.#list = fresh
    for (const listener of this.#listeners) listener()
  }

  /** In the order of the tables, whichever answer came first: preferred versions come before others there. */
  #inOrder(): ReadonlyArray<ServedResource> {
    return builtInResources().flatMap((resource) => {
      const served = this.#builtIn.get(keyOf(resource))
      return served === undefined ? [] : [served]
    })
  }
}

const keyOf = (resource: GroupVersionResource): string => `${apiVersionOf(resource)}/${resource.resource}`

const sameResources = (a: ReadonlyArray<ServedResource>, b: ReadonlyArray<ServedResource>): boolean =>
  a.length === b.length &&
  a.every((one, at) => keyOf(one) === keyOf(b[at]) && one.kind === b[at].kind && one.namespaced === b[at].namespaced)

/** A controller that starts when the served resources are known. `begin` runs at its start; what it answers, at its stop. */
export const afterServed = (
  manager: Manager,
  controller: Controller,
  begin: () => ReadonlyArray<Cancel> = () => []
): Controller => {
  const served = servedResources(manager)
  let cancels: ReadonlyArray<Cancel> = []
  return {
    ...controller,
    start: () => {
      cancels = [served.use(), ...begin()]
      served.onSynced(() => {
        if (cancels.length > 0) controller.start()
      })
    },
    stop: () => {
      for (const cancel of cancels) cancel()
      cancels = []
      controller.stop()
    }
  }
}

const known = new WeakMap<InformerFactory, ServedResources>()

/** The one list of a process: managers that share informers share it. */
export const servedResources = (manager: Manager): ServedResources => {
  const { informers } = manager
  let served = known.get(informers)
  if (served === undefined) known.set(informers, (served = new ServedResources(manager)))
  return served
}
