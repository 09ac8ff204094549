// The Service `kubernetes` that every cluster has in its namespace `default`, with its addresses: each tenant's leads to the same
// servers as the platform's own, as the environment of every pod does.
// Owns these copies; refuses to serve behind them. Where the platform has none, neither has a tenant.
import { Effect } from "effect"
import { type EffectClient, gvr, type KubeObject } from "#kube"
import { ensure, find } from "./Upkeep.ts"

/** The slices with the addresses of the platform's Service: when they change, those of every tenant do. */
export const platformSlices = { resource: gvr("discovery.k8s.io", "v1", "endpointslices"), namespace: "default" }
export const PLATFORM_SLICES_SELECTOR = "kubernetes.io/service-name=kubernetes"

const SERVICES = gvr("", "v1", "services")
const ENDPOINTS = gvr("", "v1", "endpoints")
const SLICES = platformSlices.resource
const KUBERNETES = { namespace: "default", name: "kubernetes" }

interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly protocol?: string
  readonly targetPort?: number | string
}

const portsOf = ({ spec }: KubeObject): ReadonlyArray<ServicePort> =>
  (spec as { readonly ports?: ReadonlyArray<ServicePort> } | undefined)?.ports ?? []

const metadataOf = (id: string, original: KubeObject): KubeObject["metadata"] => ({
  name: "kubernetes",
  namespace: `${id}-default`,
  ...(original.metadata.labels === undefined ? {} : { labels: original.metadata.labels })
})

/** Makes the tenant's Service once, and lets its addresses follow the platform's. */
export const copyKubernetesService = Effect.fnUntraced(function* (client: EffectClient, id: string) {
  const service = yield* find(client, { resource: SERVICES, ...KUBERNETES })
  if (service === undefined) return
  const metadata = metadataOf(id, service)
  const own = yield* find(client, { resource: SERVICES, namespace: `${id}-default`, name: "kubernetes" })
  if (own === undefined) {
    const spec = {
      ports: portsOf(service).map(({ name, port, protocol, targetPort }) => ({ name, port, protocol, targetPort }))
    }
    const made: KubeObject = JSON.parse(JSON.stringify({ apiVersion: "v1", kind: "Service", metadata, spec }))
    yield* client.create({ resource: SERVICES, namespace: `${id}-default` }, made)
  }
  const slice = yield* find(client, { resource: SLICES, ...KUBERNETES })
  if (slice !== undefined) {
    const { addressType, apiVersion, endpoints, kind, ports } = slice as KubeObject & Readonly<Record<string, unknown>>
    yield* ensure(client, SLICES, { apiVersion, kind, metadata: metadataOf(id, slice), addressType, endpoints, ports })
  }
  const addresses = yield* find(client, { resource: ENDPOINTS, ...KUBERNETES })
  if (addresses === undefined) return
  yield* ensure(client, ENDPOINTS, {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: metadataOf(id, addresses),
    subsets: addresses["subsets"]
  })
})
