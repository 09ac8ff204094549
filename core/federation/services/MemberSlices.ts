// EndpointSlices of exporting clusters, kept only for clusters that export something.
// Owns these informers: one per cluster, started with its first export and stopped with its last. Refuses to judge what they hold.
import { type Cancel, type Client, type Clockwork, gvr, Informer, type KubeObject } from "#kube"
import { serviceLabels } from "./ImportedServices.ts"

export const ENDPOINT_SLICES = gvr("discovery.k8s.io", "v1", "endpointslices")

const SERVICE_INDEX = "service"

interface Followed {
  readonly informer: Informer
  readonly client: Client
  readonly cancel: Cancel
}

export interface MemberSlicesOptions {
  readonly clockwork: Clockwork
  readonly client: (cluster: string) => Client | undefined
  /** "namespace/name" of a Service whose slices changed in a cluster. */
  readonly changed: (service: string) => void
}

const serviceOf = ({ metadata }: KubeObject): string =>
  `${metadata.namespace ?? ""}/${metadata.labels?.[serviceLabels.serviceName] ?? ""}`

export class MemberSlices {
  readonly #options: MemberSlicesOptions
  readonly #followed = new Map<string, Followed>()

  constructor(options: MemberSlicesOptions) {
    this.#options = options
  }

  /** Follows exactly these clusters from now on; those that cannot be reached yet are tried at the next call. */
  follow(clusters: ReadonlySet<string>): void {
    for (const [cluster, followed] of this.#followed) {
      if (clusters.has(cluster)) continue
      this.#followed.delete(cluster)
      followed.cancel()
    }
    for (const cluster of clusters) this.#start(cluster)
  }

  /** A Service's slices in a cluster; undefined while the cluster has not been heard of. */
  slices(cluster: string, service: string): ReadonlyArray<KubeObject> | undefined {
    const informer = this.#followed.get(cluster)?.informer
    return informer?.hasSynced === true ? informer.store.byIndex(SERVICE_INDEX, service) : undefined
  }

  stop(): void {
    this.follow(new Set())
  }

  #start(cluster: string): void {
    const client = this.#options.client(cluster)
    const known = this.#followed.get(cluster)
    if (client === undefined || known?.client === client) return
    known?.cancel()
    const { changed, clockwork } = this.#options
    const informer = new Informer({
      clockwork,
      client,
      collection: { resource: ENDPOINT_SLICES, namespace: "" },
      labelSelector: serviceLabels.serviceName,
      indexers: { [SERVICE_INDEX]: (slice) => [serviceOf(slice)] }
    })
    const tell = (slice: KubeObject): void => changed(serviceOf(slice))
    const unhandle = informer.addHandler({
      added: tell,
      updated: (before, after) => {
        tell(before)
        tell(after)
      },
      deleted: tell
    })
    this.#followed.set(cluster, {
      informer,
      client,
      cancel: () => {
        unhandle()
        informer.stop()
      }
    })
    informer.start()
  }
}
