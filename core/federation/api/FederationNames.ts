// Every name that users' manifests and our own objects carry: group, resources, labels, annotations, finalizers, controllers.
// Owns the spelling, KubeAdmiral's where it has one, so that its manifests apply unchanged; refuses to know what any of them means.
import { gvr, type GroupVersionResource } from "#kube"

/** The API group of the federation's own kinds. */
export const FEDERATION_GROUP = "core.kubeadmiral.io"
export const FEDERATION_VERSION = "v1alpha1"
export const FEDERATION_API_VERSION = `${FEDERATION_GROUP}/${FEDERATION_VERSION}`

/** The API group of services across clusters (sig-multicluster). */
export const SERVICES_GROUP = "multicluster.x-k8s.io"

/** Where Secrets of members stand, on the host and on members. */
export const SYSTEM_NAMESPACE = "kube-admiral-system"

const PREFIX = "kubeadmiral.io/"
const INTERNAL = "internal.kubeadmiral.io/"
const FEDERATE = "federate.controller.kubeadmiral.io/"

const ours = (plural: string): GroupVersionResource => gvr(FEDERATION_GROUP, FEDERATION_VERSION, plural)

/** The resources of the federation. */
export const federationResources = {
  clusters: ours("federatedclusters"),
  typeConfigs: ours("federatedtypeconfigs"),
  propagationPolicies: ours("propagationpolicies"),
  clusterPropagationPolicies: ours("clusterpropagationpolicies"),
  overridePolicies: ours("overridepolicies"),
  clusterOverridePolicies: ours("clusteroverridepolicies"),
  objects: ours("federatedobjects"),
  clusterObjects: ours("clusterfederatedobjects"),
  collectedStatuses: ours("collectedstatuses"),
  clusterCollectedStatuses: ours("clustercollectedstatuses"),
  schedulingProfiles: ours("schedulingprofiles"),
  pluginWebhooks: ours("schedulerpluginwebhookconfigurations"),
  serviceExports: gvr(SERVICES_GROUP, FEDERATION_VERSION, "serviceexports"),
  serviceImports: gvr(SERVICES_GROUP, FEDERATION_VERSION, "serviceimports")
} as const

/** Labels, on source objects unless said otherwise. */
export const federationLabels = {
  propagationPolicy: `${PREFIX}propagation-policy-name`,
  clusterPropagationPolicy: `${PREFIX}cluster-propagation-policy-name`,
  overridePolicy: `${PREFIX}override-policy-name`,
  clusterOverridePolicy: `${PREFIX}cluster-override-policy-name`,
  /** On members' objects: "true" while we manage them. */
  managed: `${PREFIX}managed`,
  hpaMode: `${PREFIX}hpa-mode`,
  centralizedHpaEnabled: `${PREFIX}centralized-hpa-enabled`
} as const

/** Annotations that steer scheduling; on source objects, and copied to the federated object. */
export const schedulingAnnotations = {
  schedulingMode: `${PREFIX}scheduling-mode`,
  stickyCluster: `${PREFIX}sticky-cluster`,
  clusterSelector: `${PREFIX}clusterSelector`,
  affinity: `${PREFIX}affinity`,
  tolerations: `${PREFIX}tolerations`,
  placements: `${PREFIX}placements`,
  maxClusters: `${PREFIX}maxClusters`,
  followsObject: `${PREFIX}follows-object`
} as const

/** Annotations that go from the source to the federated object, beside those of scheduling. */
export const controlAnnotations = {
  retainReplicas: `${PREFIX}retain-replicas`,
  noAutoPropagation: `${PREFIX}no-auto-propagation`,
  orphan: `${PREFIX}orphan`,
  conflictResolution: `${PREFIX}conflict-resolution`,
  clustersToAdopt: `${PREFIX}clusters-to-adopt`,
  noScheduling: `${PREFIX}no-scheduling`,
  followers: `${PREFIX}followers`,
  disableFollowing: `${PREFIX}disable-following`,
  migrationConfiguration: `${PREFIX}migration-configuration`,
  dryRun: `${PREFIX}dry-run`
} as const

/** Annotations that go back from the federated object to the source. */
export const feedbackAnnotations = {
  scheduling: `${PREFIX}scheduling`,
  appliedMigrationConfiguration: `${PREFIX}applied-migration-configuration`,
  latestReplicasetDigests: `${PREFIX}latest-replicaset-digests`
} as const

/** Annotations that our controllers keep for themselves, and those on other objects. */
export const federationAnnotations = {
  ...schedulingAnnotations,
  ...controlAnnotations,
  ...feedbackAnnotations,
  pendingControllers: `${PREFIX}pending-controllers`,
  schedulingTriggers: `${PREFIX}scheduling-triggers`,
  schedulingDeferredReasons: `${PREFIX}scheduling-deferred-reasons`,
  /** Ours: what the last attempt found, for `wharf explain placement`. */
  schedulingExplanation: `${PREFIX}scheduling-explanation`,
  /** Ours: clusters that are left once what replaces them is ready. */
  leavingClusters: `${PREFIX}leaving-clusters`,
  /** Ours: asks for a new plan, whatever changed; any new value does. */
  rescheduleRequested: `${PREFIX}reschedule-requested-at`,
  autoMigrationInfo: `${PREFIX}auto-migration-info`,
  enableFollowerScheduling: `${INTERNAL}enable-follower-scheduling`,
  podUnschedulableThreshold: `${INTERNAL}pod-unschedulable-threshold`,
  internalConflictResolution: `${INTERNAL}conflict-resolution`,
  internalClustersToAdopt: `${INTERNAL}clusters-to-adopt`,
  internalOrphan: `${INTERNAL}orphan`,
  /** Ours: how far the policy lets a new template go at a time. */
  rollout: `${INTERNAL}rollout`,
  noFederatedResource: `${PREFIX}no-federated-resource`,
  observedAnnotations: `${FEDERATE}observed-annotations`,
  observedLabels: `${FEDERATE}observed-labels`,
  templateGeneratorMergePatch: `${FEDERATE}template-generator-merge-patch`,
  /** On members' objects. */
  sourceGeneration: `${PREFIX}source-generation`,
  propagatedLabelKeys: `${PREFIX}propagated-label-keys`,
  propagatedAnnotationKeys: `${PREFIX}propagated-annotation-keys`,
  adopted: `${PREFIX}adopted`,
  /** Ours, of objects that roll out in steps: a digest of the pod template that the copy was brought to. */
  podTemplateDigest: `${INTERNAL}pod-template-digest`,
  fedHpaNotWorkReason: `${PREFIX}fed-hpa-not-work-reason`,
  /** On FederatedTypeConfigs of kinds that scale others. */
  scaleTargetRefPath: `${PREFIX}scale-target-ref-path`,
  /** On FederatedClusters. */
  cascadingDelete: `${PREFIX}cascading-delete`,
  clusterResourcePlugins: `${PREFIX}cluster-resource-plugins`,
  /** On the system namespace of a member: whose it is. */
  federatedClusterUid: `${PREFIX}federated-cluster-uid`
} as const

/** Finalizers. */
export const federationFinalizers = {
  federate: `${PREFIX}federate-controller`,
  sync: `${PREFIX}sync-controller`,
  cluster: `${PREFIX}federated-cluster-controller`,
  cascadingDelete: `${PREFIX}cascading-delete`,
  retainTerminatingObject: `${PREFIX}retain-terminating-object`
} as const

/** Controllers as placements, overrides and pending-controllers name them. */
export const federationControllers = {
  scheduler: `${PREFIX}global-scheduler`,
  overridePolicy: `${PREFIX}overridepolicy-controller`,
  follower: `${PREFIX}follower-controller`,
  namespaceAutoPropagation: `${PREFIX}nsautoprop-controller`,
  federatedHpa: `${PREFIX}federatedhpa-controller`,
  serviceImport: `${PREFIX}serviceimport-controller`
} as const

/** Taints that we set on clusters of which nothing good is heard. */
export const clusterTaints = {
  notReady: `${PREFIX}cluster-not-ready`,
  unreachable: `${PREFIX}cluster-unreachable`
} as const

/** Labels of clusters that spread constraints name by a word. */
export const topologyLabels = {
  zone: "topology.kubernetes.io/zone",
  region: "topology.kubernetes.io/region",
  provider: "topology.kubeadmiral.io/provider"
} as const
