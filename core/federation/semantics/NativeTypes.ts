// The table of type semantics: one entry for every kind that Kubernetes has itself.
// Owns which rule goes with which kind; the rules stand beside it. A test goes through all kinds that an API server serves, so
// that none is without an entry by oversight.
import {
  apiServiceDependencies,
  bindingDependencies,
  claimDependencies,
  deviceClaimDependencies,
  flowDependencies,
  ingressDependencies,
  noDependencies,
  podDependencies,
  policyBindingDependencies,
  serviceAccountDependencies,
  statefulSetDependencies,
  volumeDependencies,
  webhookDependencies
} from "./Dependencies.ts"
import { fieldPath } from "./FieldPaths.ts"
import {
  addressHealth,
  conditionHealth,
  conventionalHealth,
  daemonSetHealth,
  deploymentHealth,
  existing,
  jobHealth,
  phaseHealth,
  podHealth,
  replicaSetHealth,
  serviceHealth,
  statefulSetHealth
} from "./Health.ts"
import { aggregateCronJob, aggregateJob } from "./JobStatus.ts"
import { aggregatePod } from "./PodStatus.ts"
import {
  asItIs,
  prepareJob,
  prepareNamespace,
  preparePod,
  prepareRevisioned,
  prepareSecret,
  prepareService,
  prepareServiceAccount,
  prepareVolume
} from "./Preparation.ts"
import {
  always,
  nothing,
  retainDefinition,
  retainJob,
  retainPod,
  retainSecret,
  retainService,
  retainServiceAccount,
  retainWebhooks,
  unlessGiven
} from "./Retention.ts"
import {
  aggregateAddresses,
  aggregateAutoscaler,
  aggregateBudget,
  aggregateByAgreement,
  aggregateClaim,
  aggregateQuota,
  aggregateVolume
} from "./ServiceStatus.ts"
import type { LocalReason, ReplicaPaths, TypeSemantics } from "./TypeSemantics.ts"
import { aggregateDaemonSet, aggregateDeployment, aggregateReplicaSet, aggregateStatefulSet } from "./WorkloadStatus.ts"

const paths = (...texts: ReadonlyArray<string>): TypeSemantics["collected"] => texts.map(fieldPath)

/** A kind that needs no more than being copied; entries say what differs. */
const plain = (group: string, kind: string, differs: Partial<TypeSemantics> = {}): TypeSemantics => ({
  group,
  kind,
  health: existing,
  collected: [],
  dependencies: noDependencies,
  retain: nothing,
  prepare: asItIs,
  ...differs
})

/** A kind that stays in its cluster. */
const local = (group: string, reason: LocalReason, ...kinds: ReadonlyArray<string>): ReadonlyArray<TypeSemantics> =>
  kinds.map((kind) => plain(group, kind, { local: reason }))

const REPLICAS: ReplicaPaths = {
  spec: fieldPath("spec.replicas"),
  status: fieldPath("status.replicas"),
  ready: fieldPath("status.readyReplicas"),
  available: fieldPath("status.availableReplicas")
}

const POD_TEMPLATE = fieldPath("spec.template")

const WORKLOAD = paths("metadata.creationTimestamp", "metadata.generation", "spec.replicas", "status")

const workloads: ReadonlyArray<TypeSemantics> = [
  plain("apps", "Deployment", {
    replicas: REPLICAS,
    podTemplate: POD_TEMPLATE,
    health: deploymentHealth,
    collected: WORKLOAD,
    aggregate: aggregateDeployment,
    dependencies: podDependencies(POD_TEMPLATE),
    prepare: prepareRevisioned
  }),
  plain("apps", "StatefulSet", {
    replicas: REPLICAS,
    podTemplate: POD_TEMPLATE,
    health: statefulSetHealth,
    collected: WORKLOAD,
    aggregate: aggregateStatefulSet,
    dependencies: statefulSetDependencies
  }),
  plain("apps", "ReplicaSet", {
    replicas: REPLICAS,
    podTemplate: POD_TEMPLATE,
    health: replicaSetHealth,
    collected: WORKLOAD,
    aggregate: aggregateReplicaSet,
    dependencies: podDependencies(POD_TEMPLATE),
    prepare: prepareRevisioned
  }),
  plain("", "ReplicationController", {
    replicas: REPLICAS,
    podTemplate: POD_TEMPLATE,
    health: replicaSetHealth,
    collected: WORKLOAD,
    aggregate: aggregateReplicaSet,
    dependencies: podDependencies(POD_TEMPLATE)
  }),
  plain("apps", "DaemonSet", {
    podTemplate: POD_TEMPLATE,
    health: daemonSetHealth,
    collected: paths("metadata.creationTimestamp", "metadata.generation", "status"),
    aggregate: aggregateDaemonSet,
    dependencies: podDependencies(POD_TEMPLATE)
  }),
  plain("batch", "Job", {
    replicas: {
      spec: fieldPath("spec.parallelism"),
      status: fieldPath("status.active"),
      ready: fieldPath("status.ready"),
      companions: [fieldPath("spec.completions")]
    },
    podTemplate: POD_TEMPLATE,
    health: jobHealth,
    collected: paths("metadata.creationTimestamp", "metadata.generation", "spec.parallelism", "status"),
    aggregate: aggregateJob,
    dependencies: podDependencies(POD_TEMPLATE),
    retain: retainJob,
    prepare: prepareJob
  }),
  plain("batch", "CronJob", {
    podTemplate: fieldPath("spec.jobTemplate.spec.template"),
    collected: paths("metadata.creationTimestamp", "metadata.generation", "spec.suspend", "status"),
    aggregate: aggregateCronJob,
    dependencies: podDependencies(fieldPath("spec.jobTemplate.spec.template"))
  }),
  plain("", "Pod", {
    podTemplate: [],
    health: podHealth,
    collected: paths("metadata.creationTimestamp", "metadata.generation", "spec.nodeName", "status"),
    aggregate: aggregatePod,
    dependencies: podDependencies([]),
    retain: retainPod,
    prepare: preparePod
  }),
  plain("", "PodTemplate", {
    podTemplate: fieldPath("template"),
    dependencies: podDependencies(fieldPath("template"))
  })
]

const configuration: ReadonlyArray<TypeSemantics> = [
  plain("", "ConfigMap"),
  plain("", "Secret", { retain: retainSecret, prepare: prepareSecret }),
  plain("", "ServiceAccount", {
    dependencies: serviceAccountDependencies,
    retain: retainServiceAccount,
    prepare: prepareServiceAccount
  }),
  plain("", "Namespace", {
    health: phaseHealth(["Active"], []),
    collected: paths("status"),
    retain: always(fieldPath("spec.finalizers")),
    prepare: prepareNamespace
  }),
  plain("", "LimitRange"),
  plain("", "ResourceQuota", { collected: paths("spec.hard", "status"), aggregate: aggregateQuota }),
  plain("policy", "PodDisruptionBudget", {
    health: conditionHealth("DisruptionAllowed"),
    collected: paths("metadata.generation", "status"),
    aggregate: aggregateBudget
  }),
  plain("autoscaling", "HorizontalPodAutoscaler", {
    health: conditionHealth("AbleToScale"),
    collected: paths("metadata.generation", "spec.minReplicas", "spec.maxReplicas", "status"),
    aggregate: aggregateAutoscaler
  }),
  plain("scheduling.k8s.io", "PriorityClass"),
  plain("node.k8s.io", "RuntimeClass"),
  plain("certificates.k8s.io", "ClusterTrustBundle"),
  plain("flowcontrol.apiserver.k8s.io", "FlowSchema", { collected: paths("status"), dependencies: flowDependencies }),
  plain("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", { collected: paths("status") })
]

const network: ReadonlyArray<TypeSemantics> = [
  plain("", "Service", {
    health: serviceHealth,
    collected: paths("spec.clusterIP", "spec.type", "spec.ports", "status"),
    aggregate: aggregateAddresses,
    retain: retainService,
    prepare: prepareService
  }),
  plain("", "Endpoints"),
  plain("discovery.k8s.io", "EndpointSlice"),
  plain("networking.k8s.io", "Ingress", {
    health: addressHealth,
    collected: paths("spec.ingressClassName", "status"),
    aggregate: aggregateAddresses,
    dependencies: ingressDependencies
  }),
  plain("networking.k8s.io", "IngressClass"),
  plain("networking.k8s.io", "NetworkPolicy"),
  plain("networking.k8s.io", "ServiceCIDR", { health: conditionHealth("Ready"), collected: paths("status") })
]

const storage: ReadonlyArray<TypeSemantics> = [
  plain("", "PersistentVolume", {
    health: phaseHealth(["Available", "Bound"], ["Failed"]),
    collected: paths("spec.claimRef", "status"),
    aggregate: aggregateVolume,
    dependencies: volumeDependencies,
    retain: always(fieldPath("spec.claimRef")),
    prepare: prepareVolume
  }),
  plain("", "PersistentVolumeClaim", {
    health: phaseHealth(["Bound"], ["Lost"]),
    collected: paths("spec.volumeName", "spec.storageClassName", "status"),
    aggregate: aggregateClaim,
    dependencies: claimDependencies,
    retain: unlessGiven(
      ["spec", "volumeName"],
      ["spec", "storageClassName"],
      ["spec", "volumeMode"],
      ["spec", "dataSource"],
      ["spec", "dataSourceRef"]
    )
  }),
  plain("storage.k8s.io", "StorageClass"),
  plain("storage.k8s.io", "CSIDriver"),
  plain("storage.k8s.io", "VolumeAttributesClass"),
  plain("resource.k8s.io", "DeviceClass"),
  plain("resource.k8s.io", "DeviceTaintRule", { collected: paths("status"), aggregate: aggregateByAgreement }),
  plain("resource.k8s.io", "ResourceClaim", {
    collected: paths("status"),
    dependencies: deviceClaimDependencies(["spec"])
  }),
  plain("resource.k8s.io", "ResourceClaimTemplate", { dependencies: deviceClaimDependencies(["spec", "spec"]) })
]

const RBAC = "rbac.authorization.k8s.io"
const ADMISSION = "admissionregistration.k8s.io"

const extension: ReadonlyArray<TypeSemantics> = [
  plain(RBAC, "ClusterRole"),
  plain(RBAC, "Role"),
  plain(RBAC, "ClusterRoleBinding", { dependencies: bindingDependencies }),
  plain(RBAC, "RoleBinding", { dependencies: bindingDependencies }),
  plain(ADMISSION, "MutatingWebhookConfiguration", { dependencies: webhookDependencies, retain: retainWebhooks }),
  plain(ADMISSION, "ValidatingWebhookConfiguration", { dependencies: webhookDependencies, retain: retainWebhooks }),
  plain(ADMISSION, "MutatingAdmissionPolicy"),
  plain(ADMISSION, "MutatingAdmissionPolicyBinding", {
    dependencies: policyBindingDependencies("MutatingAdmissionPolicy")
  }),
  plain(ADMISSION, "ValidatingAdmissionPolicy", { collected: paths("status") }),
  plain(ADMISSION, "ValidatingAdmissionPolicyBinding", {
    dependencies: policyBindingDependencies("ValidatingAdmissionPolicy")
  }),
  plain("apiextensions.k8s.io", "CustomResourceDefinition", {
    health: conditionHealth("Established"),
    collected: paths("status.conditions"),
    dependencies: webhookDependencies,
    retain: retainDefinition
  }),
  plain("apiregistration.k8s.io", "APIService", {
    health: conditionHealth("Available"),
    collected: paths("status"),
    dependencies: apiServiceDependencies,
    retain: unlessGiven(["spec", "caBundle"])
  })
]

const stayingHere: ReadonlyArray<TypeSemantics> = [
  ...local("", "made by each cluster", "ComponentStatus", "Event", "Node"),
  ...local("events.k8s.io", "made by each cluster", "Event"),
  ...local("apps", "made by each cluster", "ControllerRevision"),
  ...local("coordination.k8s.io", "made by each cluster", "Lease"),
  ...local("networking.k8s.io", "made by each cluster", "IPAddress"),
  ...local("resource.k8s.io", "made by each cluster", "ResourceSlice"),
  ...local("certificates.k8s.io", "a question, not an object", "CertificateSigningRequest", "PodCertificateRequest"),
  ...local("", "a question, not an object", "Binding"),
  ...local("authentication.k8s.io", "a question, not an object", "SelfSubjectReview", "TokenReview"),
  ...local(
    "authorization.k8s.io",
    "a question, not an object",
    "LocalSubjectAccessReview",
    "SelfSubjectAccessReview",
    "SelfSubjectRulesReview",
    "SubjectAccessReview"
  ),
  ...local("storagemigration.k8s.io", "a question, not an object", "StorageVersionMigration"),
  ...local("storage.k8s.io", "names what only one cluster has", "CSINode", "CSIStorageCapacity", "VolumeAttachment")
]

/** Every native kind's entry, in no particular order. */
export const nativeTypes: ReadonlyArray<TypeSemantics> = [
  ...workloads,
  ...configuration,
  ...network,
  ...storage,
  ...extension,
  ...stayingHere
]

/** The entry of a kind that nobody described: copied whole, healthy by convention, its status where all members agree. */
export const conventionalType = (group: string, kind: string): TypeSemantics =>
  plain(group, kind, {
    health: conventionalHealth,
    collected: paths("metadata.generation", "status"),
    aggregate: aggregateByAgreement
  })
