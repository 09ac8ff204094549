// Feeds the graph of dependents: follows every resource that can be deleted, by metadata alone, as resources come and go.
// Owns one reflector for each resource and no object; refuses events, which own nothing and are many.
import { type Cancel, groupResource, Reflector } from "#kube"
import type { Manager } from "../Manager.ts"
import type { DependencyGraph } from "./DependencyGraph.ts"
import { type ServedResource, servedResources } from "./ServedResources.ts"

/** After so long work begins with what is known, whatever is missing. */
const SYNC_MAX_MS = 30_000
const IGNORED: ReadonlySet<string> = new Set(["events", "events.events.k8s.io"])
const NEEDED = ["delete", "list", "watch"]

interface Monitor {
  readonly resource: ServedResource
  readonly reflector: Reflector
  synced: boolean
}

const keyOf = (resource: ServedResource): string => `${groupResource(resource)}/${resource.version}/${resource.kind}`

export class GraphMonitors {
  readonly #manager: Manager
  readonly #graph: DependencyGraph
  readonly #monitors = new Map<string, Monitor>()
  readonly #onFailure: (resource: ServedResource, why: Error) => void
  #cancels: Array<Cancel> = []
  #ready: (() => void) | undefined

  constructor(manager: Manager, graph: DependencyGraph, onFailure: (resource: ServedResource, why: Error) => void) {
    this.#manager = manager
    this.#graph = graph
    this.#onFailure = onFailure
  }

  /** Calls back once, when all resources have been listed or that took too long. */
  start(ready: () => void): void {
    const served = servedResources(this.#manager)
    this.#ready = ready
    this.#cancels.push(
      served.use(),
      served.onChange(() => this.#follow(served.list))
    )
    served.onSynced(() => {
      if (this.#cancels.length === 0) return
      this.#follow(served.list)
      this.#cancels.push(this.#manager.clockwork.after(SYNC_MAX_MS, () => this.#begin()))
      this.#checkSynced()
    })
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel()
    for (const { reflector } of this.#monitors.values()) reflector.stop()
    this.#cancels = []
    this.#monitors.clear()
    this.#ready = undefined
  }

  #follow(list: ReadonlyArray<ServedResource>): void {
    const wanted = new Map(
      list
        .filter((resource) => NEEDED.every((verb) => resource.verbs.includes(verb)))
        .filter((resource) => !IGNORED.has(groupResource(resource)))
        .map((resource) => [keyOf(resource), resource] as const)
    )
    for (const [key, { reflector }] of this.#monitors) {
      if (wanted.has(key)) continue
      reflector.stop()
      this.#monitors.delete(key)
    }
    for (const [key, resource] of wanted) if (!this.#monitors.has(key)) this.#add(key, resource)
    this.#checkSynced()
  }

  #add(key: string, resource: ServedResource): void {
    const { client, clockwork } = this.#manager
    const reflector = new Reflector(
      { client, clockwork, collection: { resource, namespace: "" }, metadataOnly: true },
      {
        replace: (objects) => {
          const uids = monitor.synced ? new Set<string>() : undefined
          for (const object of objects) {
            uids?.add(object.metadata.uid ?? "")
            this.#graph.seen(resource, object)
          }
          if (uids !== undefined) this.#graph.keepOnly(resource, uids)
          monitor.synced = true
          this.#checkSynced()
        },
        event: ({ object, type }) => {
          if (type === "DELETED") this.#graph.gone(object.metadata.uid ?? "")
          else this.#graph.seen(resource, object)
        },
        failed: (failure) => this.#onFailure(resource, failure)
      }
    )
    const monitor: Monitor = { resource, reflector, synced: false }
    this.#monitors.set(key, monitor)
    reflector.start()
  }

  #checkSynced(): void {
    if (this.#ready === undefined || this.#monitors.size === 0) return
    for (const { synced } of this.#monitors.values()) if (!synced) return
    this.#begin()
  }

  #begin(): void {
    const ready = this.#ready
    this.#ready = undefined
    ready?.()
  }
}
