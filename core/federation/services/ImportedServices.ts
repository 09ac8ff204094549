// Services across clusters as objects: endpoints of exporting clusters, and the Service through which importing ones reach them.
// Owns what is made of what, KubeAdmiral's names and sig-multicluster's labels; refuses to write anything.
import { type Fields, fieldsOf, itemsOf, numberOf, textOf } from "#apiserver"
import { type Json, type JsonObject, type KubeObject, sameJson } from "#kube"
import { textHash } from "../planner/StableHash.ts"

/** Labels of the objects that this module makes. */
export const serviceLabels = {
  /** EndpointSlices belong to the Service of this name (discovery.k8s.io). */
  serviceName: "kubernetes.io/service-name",
  managedBy: "endpointslice.kubernetes.io/managed-by",
  /** The exported Service. */
  exported: "multicluster.kubernetes.io/service-name",
  /** The cluster that the endpoints are in. */
  sourceCluster: "multicluster.kubernetes.io/source-cluster"
} as const

const MANAGED_BY = "service-export.kubeadmiral.io"

const NAME_MAX = 253
const SERVICE_NAME_MAX = 63

const fitting = (name: string, max: number): string =>
  name.length <= max
    ? name
    : `${name.slice(0, max - 9).replace(/[-.]+$/, "")}-${textHash(name).toString(16).padStart(8, "0")}`

/** The Service through which an imported one is reached. */
export const derivedName = (name: string): string => fitting(`derived-${name}`, SERVICE_NAME_MAX)

/** An exporting cluster's slice as the host has it. */
export const importedName = (cluster: string, slice: string): string =>
  fitting(`imported-${cluster}-${slice}`, NAME_MAX)

/**
 * What names things of one cluster only is left out: the pod and its node. A name of its own, which an endpoint of a headless Service
 * may have, is told apart by its cluster: two clusters have a web-0 each.
 */
const endpoint = (fields: Fields, cluster: string): JsonObject => {
  const { hostname, nodeName: _node, targetRef: _pod, ...rest } = fields
  return typeof hostname === "string"
    ? { ...rest, hostname: fitting(`${hostname}-${cluster}`, SERVICE_NAME_MAX) }
    : rest
}

/** A slice of an exporting cluster as an object of the host, whose Service there is the derived one. */
export const importedSlice = (service: string, cluster: string, slice: KubeObject): KubeObject => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: importedName(cluster, slice.metadata.name ?? ""),
    ...(slice.metadata.namespace === undefined ? {} : { namespace: slice.metadata.namespace }),
    labels: {
      [serviceLabels.serviceName]: derivedName(service),
      [serviceLabels.managedBy]: MANAGED_BY,
      [serviceLabels.exported]: service,
      [serviceLabels.sourceCluster]: cluster
    }
  },
  addressType: slice["addressType"],
  endpoints: itemsOf(slice["endpoints"]).map((one) => endpoint(one, cluster)),
  ports: slice["ports"] ?? []
})

/** Whether a slice on the host says what it should. */
export const isSliceSame = (host: KubeObject, wanted: KubeObject): boolean =>
  ["addressType", "endpoints", "ports"].every((field) => sameJson(host[field] as Json, wanted[field] as Json)) &&
  Object.entries(wanted.metadata.labels ?? {}).every(([key, value]) => host.metadata.labels?.[key] === value)

const port = (fields: Fields): JsonObject => {
  const { appProtocol, name, port: number, protocol } = fields
  return {
    ...(name === undefined ? {} : { name }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
    port: number
  }
}

/** The Service that an import stands for: without a selector, its endpoints are the imported slices. */
export const derivedService = (imported: KubeObject): KubeObject => {
  const spec = fieldsOf(imported.spec)
  const { name = "", namespace, uid = "" } = imported.metadata
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: derivedName(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [serviceLabels.exported]: name },
      ownerReferences: [
        { apiVersion: imported.apiVersion, kind: imported.kind, name, uid, controller: true, blockOwnerDeletion: true }
      ]
    },
    spec: {
      type: "ClusterIP",
      ...(spec["type"] === "Headless" ? { clusterIP: "None" } : {}),
      ...(spec["sessionAffinity"] === undefined ? {} : { sessionAffinity: spec["sessionAffinity"] }),
      ...(spec["sessionAffinityConfig"] === undefined ? {} : { sessionAffinityConfig: spec["sessionAffinityConfig"] }),
      ports: itemsOf(spec["ports"]).map(port)
    }
  }
}

/** Whether a Service has no address of its own. */
export const isHeadless = ({ spec }: KubeObject): boolean => fieldsOf(spec)["clusterIP"] === "None"

/** The derived Service on the host with an import's ports; itself when nothing differs. */
export const derivedUpdate = (host: KubeObject, wanted: KubeObject): KubeObject => {
  const [before, after] = [fieldsOf(host.spec), fieldsOf(wanted.spec)]
  const known = new Map(
    itemsOf(before["ports"]).map((one) => [`${textOf(one["protocol"])}/${numberOf(one["port"])}`, one])
  )
  const ports = itemsOf(after["ports"]).map((one) => {
    const there = known.get(`${textOf(one["protocol"]) || "TCP"}/${numberOf(one["port"])}`)
    return { ...there, ...one }
  })
  const spec = { ...before, ...after, clusterIP: before["clusterIP"], ports }
  return sameJson(before, spec) ? host : { ...host, spec }
}

/** The clusters of an import's status, of the slices that the host has. */
export const exportingClusters = (slices: ReadonlyArray<KubeObject>): ReadonlyArray<string> =>
  [...new Set(slices.map(({ metadata }) => metadata.labels?.[serviceLabels.sourceCluster] ?? ""))]
    .filter((cluster) => cluster !== "")
    .sort()

/** What must be done so that the host has these slices, and no others of the clusters that were looked at. */
export interface SliceChanges {
  readonly create: ReadonlyArray<KubeObject>
  readonly update: ReadonlyArray<KubeObject>
  readonly delete: ReadonlyArray<string>
}

/**
 * The difference between the host's slices of a Service and what its exporting clusters have. A cluster that exports and is not
 * heard of (`unheard`) keeps what it has: its endpoints may serve all the same.
 */
export const sliceChanges = (
  host: ReadonlyArray<KubeObject>,
  wanted: ReadonlyArray<KubeObject>,
  unheard: ReadonlySet<string>
): SliceChanges => {
  const known = new Map(host.map((slice) => [slice.metadata.name ?? "", slice]))
  const create: Array<KubeObject> = []
  const update: Array<KubeObject> = []
  for (const slice of wanted) {
    const there = known.get(slice.metadata.name ?? "")
    known.delete(slice.metadata.name ?? "")
    if (there === undefined) create.push(slice)
    else if (!isSliceSame(there, slice)) {
      const metadata = { ...there.metadata, labels: { ...there.metadata.labels, ...slice.metadata.labels } }
      update.push({ ...slice, metadata })
    }
  }
  const gone = [...known].filter(
    ([, slice]) => !unheard.has(slice.metadata.labels?.[serviceLabels.sourceCluster] ?? "")
  )
  return { create, update, delete: gone.map(([name]) => name) }
}
