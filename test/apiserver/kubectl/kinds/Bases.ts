// One good object of each kind that has rules: what random changes begin with.
// Owns these examples; refuses to change them.
import { REQUEST } from "../Request.ts"

export interface Base {
  readonly apiVersion: string
  readonly kind: string
  readonly resource: string
  readonly namespaced: boolean
  /** All but its type and name. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Where the name has a form of its own. */
  readonly name?: string
}

const container = { name: "c", image: "registry.example/i:1" }
const template = { metadata: { labels: { a: "b" } }, spec: { containers: [container] } }
const selector = { matchLabels: { a: "b" } }
const backend = { service: { name: "s", port: { number: 80 } } }

const of = (
  apiVersion: string,
  kind: string,
  resource: string,
  namespaced: boolean,
  fields: Base["fields"] = {},
  name?: string
): Base => ({ apiVersion, kind, resource, namespaced, fields, ...(name === undefined ? {} : { name }) })

const core: ReadonlyArray<Base> = [
  of("v1", "ConfigMap", "configmaps", true, { data: { a: "1" }, binaryData: { b: "eA==" } }),
  of("v1", "Secret", "secrets", true, { type: "Opaque", data: { a: "eA==" } }),
  of("v1", "ServiceAccount", "serviceaccounts", true, { automountServiceAccountToken: true }),
  of("v1", "Namespace", "namespaces", false, { spec: { finalizers: ["kubernetes"] } }),
  of("v1", "Pod", "pods", true, {
    spec: {
      containers: [
        {
          ...container,
          ports: [{ containerPort: 80, name: "http" }],
          env: [{ name: "A", value: "b" }],
          resources: { requests: { cpu: "100m" }, limits: { cpu: "1" } },
          livenessProbe: { httpGet: { port: 80, path: "/" } },
          volumeMounts: [{ name: "v", mountPath: "/v" }]
        }
      ],
      initContainers: [{ name: "i", image: "i" }],
      volumes: [{ name: "v", emptyDir: {} }],
      tolerations: [{ key: "k", operator: "Exists", effect: "NoExecute" }],
      nodeSelector: { a: "b" },
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: selector }
      ],
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, podAffinityTerm: { topologyKey: "zone", labelSelector: selector } }
          ]
        }
      }
    }
  }),
  of("v1", "ReplicationController", "replicationcontrollers", true, {
    spec: { replicas: 1, selector: { a: "b" }, template }
  }),
  of("v1", "Service", "services", true, {
    spec: { type: "ClusterIP", selector: { a: "b" }, ports: [{ port: 80, name: "http", targetPort: "http" }] }
  }),
  of("v1", "Endpoints", "endpoints", true, {
    subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ name: "http", port: 80, protocol: "TCP" }] }]
  }),
  of("v1", "LimitRange", "limitranges", true, {
    spec: { limits: [{ type: "Container", max: { cpu: "1" }, min: { cpu: "100m" }, default: { cpu: "500m" } }] }
  }),
  of("v1", "ResourceQuota", "resourcequotas", true, { spec: { hard: { pods: "1" }, scopes: ["NotTerminating"] } }),
  of("v1", "PersistentVolume", "persistentvolumes", false, {
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: "/x" },
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "fast"
    }
  }),
  of("v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, {
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, storageClassName: "fast" }
  }),
  of("v1", "PodTemplate", "podtemplates", true, { template }),
  of("v1", "Node", "nodes", false, {
    spec: { podCIDR: "10.2.0.0/24", podCIDRs: ["10.2.0.0/24"], taints: [{ key: "k", effect: "NoSchedule" }] }
  })
]

const apps: ReadonlyArray<Base> = [
  of("apps/v1", "Deployment", "deployments", true, {
    spec: {
      replicas: 2,
      selector,
      template,
      minReadySeconds: 1,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: "25%" } }
    }
  }),
  of("apps/v1", "ReplicaSet", "replicasets", true, { spec: { replicas: 1, selector, template } }),
  of("apps/v1", "StatefulSet", "statefulsets", true, {
    spec: {
      serviceName: "s",
      replicas: 1,
      selector,
      template,
      ordinals: { start: 1 },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Delete" },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } }
    }
  }),
  of("apps/v1", "DaemonSet", "daemonsets", true, {
    spec: { selector, template, updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } } }
  }),
  of("apps/v1", "ControllerRevision", "controllerrevisions", true, { revision: 1, data: { a: "b" } }),
  of("batch/v1", "Job", "jobs", true, {
    spec: {
      parallelism: 1,
      completions: 2,
      backoffLimit: 3,
      template: { spec: { restartPolicy: "Never", containers: [container] } },
      podFailurePolicy: {
        rules: [{ action: "Ignore", onExitCodes: { operator: "In", values: [1, 2] } }]
      }
    }
  }),
  of("batch/v1", "CronJob", "cronjobs", true, {
    spec: {
      schedule: "*/5 * * * *",
      timeZone: "Etc/UTC",
      startingDeadlineSeconds: 10,
      jobTemplate: { spec: { template: { spec: { restartPolicy: "OnFailure", containers: [container] } } } }
    }
  }),
  of("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, {
    spec: {
      minReplicas: 1,
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" },
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }
      ],
      behavior: {
        scaleDown: { stabilizationWindowSeconds: 10, policies: [{ type: "Pods", value: 1, periodSeconds: 10 }] }
      }
    }
  }),
  of("autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, {
    spec: {
      minReplicas: 1,
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" },
      targetCPUUtilizationPercentage: 80
    }
  }),
  of("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true, {
    spec: { minAvailable: 1, selector, unhealthyPodEvictionPolicy: "AlwaysAllow" }
  })
]

const rbac = "rbac.authorization.k8s.io"
const groups: ReadonlyArray<Base> = [
  of("networking.k8s.io/v1", "Ingress", "ingresses", true, {
    spec: {
      ingressClassName: "c",
      defaultBackend: backend,
      tls: [{ hosts: ["a.example"], secretName: "s" }],
      rules: [{ host: "a.example", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }]
    }
  }),
  of("networking.k8s.io/v1", "IngressClass", "ingressclasses", false, {
    spec: {
      controller: "example.com/c",
      parameters: { apiGroup: "example.com", kind: "P", name: "p", scope: "Cluster" }
    }
  }),
  of("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true, {
    spec: {
      podSelector: selector,
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { from: [{ ipBlock: { cidr: "192.0.2.0/24", except: ["192.0.2.0/28"] } }], ports: [{ port: 80, endPort: 90 }] }
      ],
      egress: [{ to: [{ namespaceSelector: selector }] }]
    }
  }),
  of(
    "networking.k8s.io/v1",
    "IPAddress",
    "ipaddresses",
    false,
    { spec: { parentRef: { resource: "services", namespace: "default", name: "s" } } },
    "10.0.9.9"
  ),
  of("networking.k8s.io/v1", "ServiceCIDR", "servicecidrs", false, { spec: { cidrs: ["10.9.0.0/24"] } }),
  of("storage.k8s.io/v1", "StorageClass", "storageclasses", false, {
    provisioner: "example.com/p",
    parameters: { a: "b" },
    allowedTopologies: [{ matchLabelExpressions: [{ key: "zone", values: ["a"] }] }]
  }),
  of("storage.k8s.io/v1", "VolumeAttributesClass", "volumeattributesclasses", false, {
    driverName: "d.example",
    parameters: { a: "b" }
  }),
  of("storage.k8s.io/v1", "CSIDriver", "csidrivers", false, {
    spec: {
      attachRequired: true,
      tokenRequests: [{ audience: "a", expirationSeconds: 3600 }],
      volumeLifecycleModes: ["Persistent"]
    }
  }),
  of("storage.k8s.io/v1", "CSINode", "csinodes", false, {
    spec: { drivers: [{ name: "d.example", nodeID: "n", topologyKeys: ["zone"], allocatable: { count: 5 } }] }
  }),
  of("storage.k8s.io/v1", "CSIStorageCapacity", "csistoragecapacities", true, {
    storageClassName: "fast",
    nodeTopology: selector,
    capacity: "1Gi"
  }),
  of("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments", false, {
    spec: { attacher: "d.example", nodeName: "n", source: { persistentVolumeName: "v" } }
  }),
  of("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", false, { value: 5, description: "d" }),
  of("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", false, {
    handler: "runc",
    overhead: { podFixed: { cpu: "10m" } },
    scheduling: { nodeSelector: { a: "b" }, tolerations: [{ key: "k", operator: "Exists" }] }
  }),
  of("certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests", false, {
    spec: { request: REQUEST, signerName: "example.com/s", usages: ["client auth"], expirationSeconds: 3600 }
  }),
  of("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false, {
    webhooks: [
      {
        name: "a.b.example",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        clientConfig: { service: { namespace: "n", name: "s", path: "/x" } },
        rules: [{ apiGroups: ["none.example"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["things"] }]
      }
    ]
  }),
  of("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false, {
    webhooks: [
      {
        name: "a.b.example",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        clientConfig: { url: "https://h.example/x" },
        rules: [{ apiGroups: ["none.example"], apiVersions: ["v1"], operations: ["*"], resources: ["*"] }]
      }
    ]
  }),
  of("coordination.k8s.io/v1", "Lease", "leases", true, { spec: { holderIdentity: "h", leaseDurationSeconds: 5 } }),
  of("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true, {
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true }, nodeName: "n" }],
    ports: [{ name: "http", port: 80, protocol: "TCP" }]
  }),
  of(`${rbac}/v1`, "Role", "roles", true, { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
  of(`${rbac}/v1`, "ClusterRole", "clusterroles", false, {
    rules: [{ nonResourceURLs: ["/x"], verbs: ["get"] }]
  }),
  of(`${rbac}/v1`, "RoleBinding", "rolebindings", true, {
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "view" },
    subjects: [
      { kind: "User", apiGroup: rbac, name: "u" },
      { kind: "ServiceAccount", name: "s", namespace: "n" }
    ]
  }),
  of(`${rbac}/v1`, "ClusterRoleBinding", "clusterrolebindings", false, {
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "view" },
    subjects: [{ kind: "Group", apiGroup: rbac, name: "g" }]
  }),
  of("events.k8s.io/v1", "Event", "events", true, {
    eventTime: "2026-01-01T00:00:00.000000Z",
    action: "a",
    reason: "r",
    type: "Normal",
    reportingController: "example.com/c",
    reportingInstance: "i",
    regarding: { kind: "Pod", namespace: "kinds", name: "p" }
  })
]

export const bases: ReadonlyArray<Base> = [...core, ...apps, ...groups]
