// The types that a host federates from the start: KubeAdmiral's sample FederatedTypeConfigs and the kinds that they leave out.
// Owns this list; a host that has any FederatedTypeConfig already is left as it is.
import type { JsonObject, KubeObject } from "#kube"
import { FEDERATION_API_VERSION, federationAnnotations, federationControllers } from "../api/FederationNames.ts"

const { federatedHpa, namespaceAutoPropagation, overridePolicy, scheduler } = federationControllers

interface TypeRow {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly cluster?: true
  readonly fields?: ReadonlyArray<string>
  readonly controllers?: ReadonlyArray<ReadonlyArray<string>>
  readonly paths?: JsonObject
  readonly migrates?: true
  readonly aggregates?: false
  readonly annotations?: Readonly<Record<string, string>>
}

const USUAL = [[scheduler], [overridePolicy]]

const replicas: JsonObject = {
  labelSelector: "spec.selector",
  replicasSpec: "spec.replicas",
  replicasStatus: "status.replicas",
  availableReplicasStatus: "status.availableReplicas",
  readyReplicasStatus: "status.readyReplicas"
}

const STARTED = ["metadata.creationTimestamp", "metadata.generation"]

const apps = (kind: string, plural: string, more: Partial<TypeRow> = {}): TypeRow => ({
  group: "apps",
  version: "v1",
  kind,
  plural,
  fields: [...STARTED, "spec.replicas", "status"],
  ...more
})

const core = (kind: string, plural: string, more: Partial<TypeRow> = {}): TypeRow => ({
  group: "",
  version: "v1",
  kind,
  plural,
  ...more
})

const rbac = (kind: string, plural: string, more: Partial<TypeRow> = {}): TypeRow => ({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind,
  plural,
  ...more
})

const rows: ReadonlyArray<TypeRow> = [
  core("Namespace", "namespaces", {
    cluster: true,
    aggregates: false,
    controllers: [[namespaceAutoPropagation], [overridePolicy]]
  }),
  core("ConfigMap", "configmaps"),
  core("Secret", "secrets"),
  core("ServiceAccount", "serviceaccounts"),
  core("Service", "services", { fields: [...STARTED, "spec.clusterIP", "spec.type", "spec.ports", "status"] }),
  core("PersistentVolume", "persistentvolumes", { cluster: true, fields: [...STARTED, "status"] }),
  core("PersistentVolumeClaim", "persistentvolumeclaims", { fields: [...STARTED, "spec.volumeName", "status"] }),
  core("LimitRange", "limitranges"),
  core("ResourceQuota", "resourcequotas", { fields: [...STARTED, "status"] }),
  apps("Deployment", "deployments", { paths: replicas, migrates: true }),
  apps("StatefulSet", "statefulsets", { paths: replicas }),
  apps("DaemonSet", "daemonsets", { fields: [...STARTED, "status"] }),
  { group: "batch", version: "v1", kind: "Job", plural: "jobs", fields: [...STARTED, "status"] },
  { group: "batch", version: "v1", kind: "CronJob", plural: "cronjobs", fields: [...STARTED, "status"] },
  {
    group: "networking.k8s.io",
    version: "v1",
    kind: "Ingress",
    plural: "ingresses",
    fields: [...STARTED, "status"]
  },
  { group: "storage.k8s.io", version: "v1", kind: "StorageClass", plural: "storageclasses", cluster: true },
  rbac("ClusterRole", "clusterroles", { cluster: true }),
  rbac("ClusterRoleBinding", "clusterrolebindings", { cluster: true }),
  rbac("Role", "roles"),
  rbac("RoleBinding", "rolebindings"),
  {
    group: "policy",
    version: "v1",
    kind: "PodDisruptionBudget",
    plural: "poddisruptionbudgets",
    fields: [...STARTED, "status"]
  },
  {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    fields: [...STARTED, "status"],
    controllers: [[federatedHpa], [scheduler], [overridePolicy]],
    annotations: { [federationAnnotations.scaleTargetRefPath]: "spec.scaleTargetRef" }
  },
  { group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", plural: "endpointslices", controllers: [] },
  {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    cluster: true,
    aggregates: false
  }
]

const configOf = ({
  aggregates,
  annotations,
  cluster,
  controllers,
  fields,
  group,
  kind,
  migrates,
  paths,
  plural,
  version
}: TypeRow): KubeObject => ({
  apiVersion: FEDERATION_API_VERSION,
  kind: "FederatedTypeConfig",
  metadata: { name: group === "" ? plural : `${plural}.${group}`, ...(annotations && { annotations }) },
  spec: {
    sourceType: { group, version, kind, pluralName: plural, scope: cluster === true ? "Cluster" : "Namespaced" },
    controllers: (controllers ?? USUAL).map((names) => [...names]),
    ...(fields && { statusCollection: { enabled: true, fields: [...fields] } }),
    ...(aggregates === false ? { statusAggregation: { enabled: false } } : {}),
    ...(migrates && { autoMigration: { enabled: true } }),
    ...(paths && { pathDefinition: paths })
  }
})

/** The FederatedTypeConfigs of a new host. */
export const defaultTypeConfigs: ReadonlyArray<KubeObject> = rows.map(configOf)
