// What exists in every cluster from its first second on: namespaces, roles and bindings, priority classes, the `kubernetes` service.
// Owns the list; refuses to write it, which Reconcile.ts does, and what controllers make (service accounts, kube-root-ca.crt).
import { type GroupVersionResource, gvr, type Json, type KubeObject, rfc3339 } from "#kube"
import { RBAC_GROUP } from "../rbac/RbacIndex.ts"
import { type BootstrapEntry, bootstrapTable } from "./BootstrapTableAdapter.ts"

export interface BootstrapOptions {
  /** The virtual address of the service `kubernetes`. */
  readonly serviceIp: string
  /** Blocks of cluster IPs; absent: the resource that tells them is not made. */
  readonly serviceCidrs?: ReadonlyArray<string>
  /** Where this server listens for clients in the cluster. */
  readonly address: string
  readonly port: number
  /** PEM of the authority of client certificates; absent: none are taken. */
  readonly clientCa?: string
  readonly requestHeader?: {
    readonly ca: string
    readonly allowedNames: ReadonlyArray<string>
    readonly usernameHeaders: ReadonlyArray<string>
    readonly groupHeaders: ReadonlyArray<string>
    readonly extraHeaderPrefixes: ReadonlyArray<string>
    readonly uidHeaders: ReadonlyArray<string>
  }
}

export interface BootstrapObject {
  readonly resource: GroupVersionResource
  readonly object: KubeObject
}

/** The namespaces that cannot be deleted, and the one of node leases. */
export const SYSTEM_NAMESPACES: ReadonlyArray<string> = ["kube-system", "kube-public", "default", "kube-node-lease"]

const KINDS = {
  clusterroles: "ClusterRole",
  clusterrolebindings: "ClusterRoleBinding",
  roles: "Role",
  rolebindings: "RoleBinding"
} as const

const ofEntry = (group: string, resource: string, kind: string, entry: BootstrapEntry): BootstrapObject => {
  const { annotations, labels, name, namespace, ...fields } = entry
  return {
    resource: gvr(group, "v1", resource),
    object: {
      apiVersion: `${group}/v1`,
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations })
      },
      ...fields
    }
  }
}

/** The namespaces, which must be there before what is in them. */
export const bootstrapNamespaces = (): ReadonlyArray<BootstrapObject> =>
  SYSTEM_NAMESPACES.map((name) => ({
    resource: gvr("", "v1", "namespaces"),
    object: { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { "kubernetes.io/metadata.name": name } } }
  }))

const rbacObjects = (): ReadonlyArray<BootstrapObject> => {
  const table = bootstrapTable()
  // Roles come before what refers to them.
  return (["clusterroles", "roles", "clusterrolebindings", "rolebindings"] as const).flatMap((resource) =>
    table[resource].map((entry) => ofEntry(RBAC_GROUP, resource, KINDS[resource], entry))
  )
}

const LOOPBACK_ADDRESS = /^127\.|^::1$|^localhost$/

const kubernetesService = (options: BootstrapOptions): ReadonlyArray<BootstrapObject> => {
  const { address, port, serviceIp } = options
  const metadata = { name: "kubernetes", namespace: "default" }
  const service = [
    {
      resource: gvr("", "v1", "services"),
      object: {
        apiVersion: "v1",
        kind: "Service",
        metadata: { ...metadata, labels: { component: "apiserver", provider: "kubernetes" } },
        spec: {
          type: "ClusterIP",
          clusterIP: serviceIp,
          clusterIPs: [serviceIp],
          sessionAffinity: "None",
          ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: port }]
        }
      }
    }
  ]
  // A loopback address may not be an endpoint: nobody else could reach it.
  return LOOPBACK_ADDRESS.test(address) ? service : [...service, ...kubernetesEndpoints(options)]
}

const kubernetesEndpoints = ({ address, port }: BootstrapOptions): ReadonlyArray<BootstrapObject> => {
  const metadata = { name: "kubernetes", namespace: "default" }
  const protocol = "TCP"
  return [
    {
      resource: gvr("discovery.k8s.io", "v1", "endpointslices"),
      object: {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kubernetes" } },
        addressType: address.includes(":") ? "IPv6" : "IPv4",
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
        ports: [{ name: "https", port, protocol }]
      }
    },
    {
      resource: gvr("", "v1", "endpoints"),
      object: {
        apiVersion: "v1",
        kind: "Endpoints",
        metadata: { ...metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
        subsets: [{ addresses: [{ ip: address }], ports: [{ name: "https", port, protocol }] }]
      }
    }
  ]
}

const configMap = (name: string, data: Readonly<Record<string, string>>): BootstrapObject => ({
  resource: gvr("", "v1", "configmaps"),
  object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "kube-system" }, data }
})

/** What extension servers must know to trust the same clients. */
const authenticationConfig = ({ clientCa, requestHeader }: BootstrapOptions): ReadonlyArray<BootstrapObject> => {
  const list = (values: ReadonlyArray<string>): string => JSON.stringify(values)
  const data = {
    ...(clientCa === undefined ? {} : { "client-ca-file": clientCa }),
    ...(requestHeader === undefined
      ? {}
      : {
          "requestheader-allowed-names": list(requestHeader.allowedNames),
          "requestheader-client-ca-file": requestHeader.ca,
          "requestheader-extra-headers-prefix": list(requestHeader.extraHeaderPrefixes),
          "requestheader-group-headers": list(requestHeader.groupHeaders),
          "requestheader-uid-headers": list(requestHeader.uidHeaders),
          "requestheader-username-headers": list(requestHeader.usernameHeaders)
        })
  }
  return Object.keys(data).length === 0 ? [] : [configMap("extension-apiserver-authentication", data)]
}

/** The blocks that services' addresses come from, as others read them. */
const serviceBlocks = ({ serviceCidrs }: BootstrapOptions): ReadonlyArray<BootstrapObject> =>
  serviceCidrs === undefined
    ? []
    : [
        {
          resource: gvr("networking.k8s.io", "v1", "servicecidrs"),
          object: {
            apiVersion: "networking.k8s.io/v1",
            kind: "ServiceCIDR",
            metadata: { name: "kubernetes" },
            spec: { cidrs: serviceCidrs }
          }
        }
      ]

/** Everything but the namespaces; `now` in milliseconds since the epoch. */
export const bootstrapObjects = (options: BootstrapOptions, now: number): ReadonlyArray<BootstrapObject> => [
  ...rbacObjects(),
  ...bootstrapTable().priorityclasses.map((entry) =>
    ofEntry("scheduling.k8s.io", "priorityclasses", "PriorityClass", entry)
  ),
  ...serviceBlocks(options),
  ...kubernetesService(options),
  configMap("kube-apiserver-legacy-service-account-token-tracking", { since: rfc3339(now).slice(0, 10) }),
  ...authenticationConfig(options)
]

/** Lists of the two, by what they say: those of the first, and what only the second has. */
export const joinedLists = (held: ReadonlyArray<Json>, wanted: ReadonlyArray<Json>): ReadonlyArray<Json> => {
  const seen = new Set(held.map((item) => JSON.stringify(item)))
  return [...held, ...wanted.filter((item) => !seen.has(JSON.stringify(item)))]
}
