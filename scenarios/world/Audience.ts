// The clients that a scenario puts beside the cluster's own: watchers that follow a resource as informers do, and readers at a rate.
// Owns when they start and what they ask for; refuses to keep what they hear, so that twenty thousand of them cost little.
import { ApiFailure, type Client, type GroupVersionResource, Reflector } from "#kube"
import { type Kernel, RandomStream, type SimProcess } from "#sim"
import type { ClusterRequest, ClusterWatcher } from "../cluster/ClusterLoad.ts"

/** Makes a client in a process of its own. */
export type ClientOf = (name: string) => { readonly client: Client; readonly process: SimProcess }

/** The resource that a name such as endpointslices.discovery.k8s.io means, in the version that the server prefers. */
export type ResourceOf = (name: string) => GroupVersionResource | undefined

export interface AudienceOptions {
  readonly kernel: Kernel
  readonly clientOf: ClientOf
  readonly resourceOf: ResourceOf
  readonly namespaces: ReadonlyArray<string>
  readonly endMs: number
}

const NAMES_KEPT = 1000
const NAMES_AGAIN_MS = 60_000
const ignore = (): void => undefined

/** Starts a scenario's watchers; the answer counts what they heard. */
export const startWatchers = (
  options: AudienceOptions,
  watchers: ReadonlyArray<ClusterWatcher>
): { readonly events: number; readonly relists: number } => {
  const heard = { events: 0, relists: 0 }
  const { clientOf, kernel, resourceOf } = options
  for (const { at, count, name, namespace = "", over, resource } of watchers) {
    const found = resourceOf(resource)
    if (found === undefined) continue
    for (let number = 0; number < count; number++) {
      const { client, process } = clientOf(count === 1 ? name : `${name}-${number}`)
      const reflector = new Reflector(
        { client, clockwork: process.clockwork, collection: { resource: found, namespace } },
        { replace: () => void heard.relists++, event: () => void heard.events++ }
      )
      kernel.closureAt(kernel.nowMs + at + (number * over) / count, process, () => reflector.start())
    }
  }
  return heard
}

class Reader {
  private readonly options: AudienceOptions
  private readonly request: ClusterRequest
  private readonly resource: GroupVersionResource
  private readonly client: Client
  private readonly process: SimProcess
  private readonly random: RandomStream
  private turn = 0
  private names: ReadonlyArray<{ readonly namespace: string; readonly name: string }> = []

  constructor(options: AudienceOptions, request: ClusterRequest, resource: GroupVersionResource) {
    const { client, process } = options.clientOf(request.name)
    this.options = options
    this.request = request
    this.resource = resource
    this.client = client
    this.process = process
    this.random = process.random.split(`reads of ${request.name}`)
  }

  start(): void {
    const { kernel } = this.options
    kernel.closureAt(kernel.nowMs + this.request.at, this.process, () => {
      if (this.request.verb === "get") this.learnNames()
      this.next()
    })
  }

  private next(): void {
    const { kernel, endMs } = this.options
    const gapMs = this.random.exponential(1000 / this.request.perSecond)
    if (kernel.nowMs + gapMs >= endMs) return
    this.process.clockwork.after(gapMs, () => {
      this.read()
      this.next()
    })
  }

  private read(): void {
    const { fresh, limit, scope, verb } = this.request
    const { resource } = this
    const version = fresh ? {} : { resourceVersion: "0" }
    if (verb === "get") {
      if (this.names.length === 0) return
      const { name, namespace } = this.random.pick(this.names)
      return this.client.get({ resource, namespace, name }, version, ignore)
    }
    const { namespaces } = this.options
    const namespace = scope === "cluster" ? "" : (namespaces[this.turn++ % namespaces.length] ?? "")
    this.client.list({ resource, namespace }, { ...version, ...(limit === undefined ? {} : { limit }) }, ignore)
  }

  /** Which objects there are to be read, looked up again now and then. */
  private learnNames(): void {
    const options = { resourceVersion: "0", limit: NAMES_KEPT }
    this.client.list({ resource: this.resource, namespace: "" }, options, (answer) => {
      if (!(answer instanceof ApiFailure)) {
        this.names = answer.items
          .slice(0, NAMES_KEPT)
          .map(({ metadata: { name = "", namespace = "" } }) => ({ namespace, name }))
      }
    })
    this.process.clockwork.after(NAMES_AGAIN_MS, () => this.learnNames())
  }
}

/** Starts a scenario's readers. */
export const startReaders = (options: AudienceOptions, requests: ReadonlyArray<ClusterRequest>): void => {
  for (const request of requests) {
    const resource = options.resourceOf(request.resource)
    if (resource !== undefined) new Reader(options, request, resource).start()
  }
}
