// All built-in resources that a server serves: those with rules of their own, and the others with what every kind has.
// Owns the list; refuses any kind's behaviour. Reviews are declared by bootstrap/, for they answer instead of being stored.
import { builtInResources } from "#kube"
import { customResourceDefinitions } from "../crd/CustomResourceDefinitions.ts"
import type { Definition } from "../Definition.ts"
import { admissionPolicies } from "./admissionregistration/AdmissionPolicies.ts"
import {
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations
} from "./admissionregistration/WebhookConfigurations.ts"
import { apiServices, storageVersionMigrations } from "./apiregistration/ApiServices.ts"
import { deployments, replicaSets } from "./apps/Deployments.ts"
import { controllerRevisions, daemonSets, replicationControllers, statefulSets } from "./apps/Sets.ts"
import { horizontalPodAutoscalers, olderHorizontalPodAutoscalers } from "./autoscaling/HorizontalPodAutoscalers.ts"
import { cronJobs } from "./batch/CronJobs.ts"
import { jobs } from "./batch/Jobs.ts"
import { signingRequests } from "./certificates/SigningRequests.ts"
import { clusterTrustBundles, podCertificateRequests } from "./certificates/TrustBundles.ts"
import { devices } from "./claims/Devices.ts"
import type { ResourcesContext } from "./Context.ts"
import { leases } from "./coordination/Leases.ts"
import { componentStatuses, configMaps, podTemplates, secrets, serviceAccounts } from "./corev1/Configuration.ts"
import { coreEvents, newerEvents } from "./corev1/Events.ts"
import { namespaces } from "./corev1/Namespaces.ts"
import { nodes } from "./corev1/Nodes.ts"
import { bindings, pods } from "./corev1/Pods.ts"
import { limitRanges, resourceQuotas } from "./corev1/Quotas.ts"
import { services } from "./corev1/Services.ts"
import { persistentVolumeClaims, persistentVolumes } from "./corev1/Volumes.ts"
import { define } from "./Define.ts"
import { endpoints, endpointSlices } from "./discovery/Endpoints.ts"
import { flowSchemas, priorityLevels } from "./flowcontrol/Priorities.ts"
import { ingressClasses, ingresses } from "./networking/Ingresses.ts"
import { ipAddresses, networkPolicies, serviceCidrs } from "./networking/NetworkPolicies.ts"
import { runtimeClasses } from "./node/RuntimeClasses.ts"
import { podDisruptionBudgets } from "./policy/Budgets.ts"
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "./rbac/Roles.ts"
import { priorityClasses } from "./scheduling/PriorityClasses.ts"
import { csiDrivers, csiNodes, volumeAttachments } from "./storage/Drivers.ts"
import { csiStorageCapacities, storageClasses, volumeAttributesClasses } from "./storage/StorageClasses.ts"

const withRules = (context: ResourcesContext): ReadonlyArray<Definition> => [
  bindings(),
  componentStatuses(),
  configMaps(),
  endpoints(),
  coreEvents(context),
  limitRanges(),
  namespaces(),
  nodes(),
  persistentVolumeClaims(),
  persistentVolumes(),
  pods(),
  podTemplates(),
  replicationControllers(),
  resourceQuotas(),
  secrets(),
  serviceAccounts(),
  services(context),
  controllerRevisions(),
  daemonSets(),
  deployments(),
  replicaSets(),
  statefulSets(),
  olderHorizontalPodAutoscalers(),
  horizontalPodAutoscalers(),
  cronJobs(),
  jobs(),
  leases(),
  endpointSlices(),
  newerEvents(context),
  podDisruptionBudgets(),
  customResourceDefinitions(),
  clusterRoleBindings(),
  clusterRoles(),
  roleBindings(),
  roles(),
  ...admissionPolicies(),
  mutatingWebhookConfigurations(),
  validatingWebhookConfigurations(),
  apiServices(),
  storageVersionMigrations(),
  signingRequests(),
  clusterTrustBundles(),
  podCertificateRequests(),
  ...devices(),
  flowSchemas(),
  priorityLevels(),
  ingressClasses(),
  ingresses(),
  ipAddresses(),
  networkPolicies(),
  serviceCidrs(),
  runtimeClasses(),
  priorityClasses(),
  csiDrivers(),
  csiNodes(),
  csiStorageCapacities(),
  storageClasses(),
  volumeAttachments(),
  volumeAttributesClasses()
]

/** Groups whose kinds are answered, never stored. */
const REVIEWS: ReadonlySet<string> = new Set(["authentication.k8s.io", "authorization.k8s.io"])

/** Every stable built-in resource of Kubernetes 1.37 but the reviews. */
export const builtInDefinitions = (context: ResourcesContext): ReadonlyArray<Definition> => {
  const known = withRules(context)
  const nameOf = (one: { readonly group: string; readonly version: string; readonly resource: string }): string =>
    `${one.group}/${one.version}/${one.resource}`
  const seen = new Set(known.map(nameOf))
  const others = builtInResources().filter(
    (one) => /^v\d+$/.test(one.version) && !REVIEWS.has(one.group) && !seen.has(nameOf(one))
  )
  return [...known, ...others.map(({ group, kind, version }) => define(group, version, kind))]
}
