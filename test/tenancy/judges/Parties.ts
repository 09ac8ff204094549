// The three who share a cluster in the adversarial suite: an attacking tenant, a tenant that is attacked, and the platform. Each id is a
// part of the other's names, and everything that belongs to the last two carries a mark of theirs in name, label and content.
// Owns ids, marks and objects; refuses to attack.
import type { RealApiServer } from "../../kube/RealApiServer.ts"

/** The ids: "ab-red-ab-…" holds both, and each tenant names objects after the other. */
export const ATTACKER = "red-ab"
export const VICTIM = "ab-red"
/** What everything of theirs carries; nobody else ever writes it. */
export const VICTIM_MARK = "bmark7q"
export const PLATFORM_MARK = "pmark9z"

/** Where the victim keeps its things, as it says itself and as upstream does. */
export const VAULT = `${ATTACKER}-${VICTIM_MARK}`
export const VAULT_UPSTREAM = `${VICTIM}-${VAULT}`
export const PLATFORM_NAMESPACE = `${PLATFORM_MARK}-${ATTACKER}-ns`
/** The attacker's own namespace. */
export const LAIR = `${VICTIM}-lair`

export interface Thing {
  /** Like "/api/v1" or "/apis/apps/v1". */
  readonly base: string
  readonly resource: string
  readonly namespaced: boolean
  readonly body: Readonly<Record<string, unknown>>
}

const pod = { containers: [{ name: "c", image: "registry.example/c:1" }] }

/** Objects of every kind that matters, named by an owner's mark. */
export const thingsOf = (mark: string): ReadonlyArray<Thing> => {
  const name = `${mark}-thing`
  const labels = { of: mark }
  const meta = { name, labels, annotations: { note: `belongs to ${mark}` } }
  // Other labels than the pod's own: what has a selector must not take it for one of its replicas.
  const chosen = { chosen: mark }
  const template = { metadata: { labels: chosen }, spec: pod }
  const thing = (base: string, resource: string, kind: string, rest: object, namespaced = true): Thing => {
    const apiVersion = base.replace(/^\/apis?\//, "")
    return { base, resource, namespaced, body: { apiVersion, kind, metadata: meta, ...rest } }
  }
  const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }]
  const roleRef = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name })
  const subjects = [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: `user-of-${mark}` }]
  const rbac = "/apis/rbac.authorization.k8s.io/v1"
  return [
    thing("/api/v1", "configmaps", "ConfigMap", { data: { mark } }),
    thing("/api/v1", "secrets", "Secret", { stringData: { mark } }),
    thing("/api/v1", "serviceaccounts", "ServiceAccount", {}),
    thing("/api/v1", "services", "Service", { spec: { ports: [{ port: 80 }], selector: labels } }),
    thing("/api/v1", "pods", "Pod", { spec: { ...pod, containers: [{ ...pod.containers[0], name: `c-${mark}` }] } }),
    thing("/api/v1", "podtemplates", "PodTemplate", { template }),
    thing("/api/v1", "replicationcontrollers", "ReplicationController", {
      spec: { replicas: 0, selector: chosen, template }
    }),
    thing("/api/v1", "limitranges", "LimitRange", {
      spec: { limits: [{ type: "PersistentVolumeClaim", max: { storage: "9Gi" } }] }
    }),
    thing("/api/v1", "resourcequotas", "ResourceQuota", { spec: { hard: { pods: "50" } } }),
    thing("/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim", {
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "", resources: { requests: { storage: "1Gi" } } }
    }),
    thing("/apis/apps/v1", "deployments", "Deployment", {
      spec: { replicas: 0, selector: { matchLabels: chosen }, template }
    }),
    thing("/apis/apps/v1", "statefulsets", "StatefulSet", {
      spec: { replicas: 0, serviceName: name, selector: { matchLabels: chosen }, template }
    }),
    thing("/apis/apps/v1", "daemonsets", "DaemonSet", {
      spec: {
        selector: { matchLabels: chosen },
        template: { ...template, spec: { ...pod, nodeSelector: { no: "where" } } }
      }
    }),
    thing("/apis/batch/v1", "cronjobs", "CronJob", {
      spec: {
        schedule: "0 0 1 1 *",
        jobTemplate: { spec: { template: { spec: { ...pod, restartPolicy: "Never" } } } }
      }
    }),
    thing("/apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {
      spec: { minAvailable: 1, selector: { matchLabels: labels } }
    }),
    thing("/apis/networking.k8s.io/v1", "ingresses", "Ingress", {
      spec: { defaultBackend: { service: { name, port: { number: 80 } } } }
    }),
    thing("/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", { spec: { podSelector: {} } }),
    thing("/apis/coordination.k8s.io/v1", "leases", "Lease", { spec: { holderIdentity: mark } }),
    thing("/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", {
      spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name } }
    }),
    thing("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice", { addressType: "IPv4", endpoints: [] }),
    thing(rbac, "roles", "Role", { rules }),
    thing(rbac, "rolebindings", "RoleBinding", { roleRef: roleRef("Role"), subjects }),
    thing(rbac, "clusterroles", "ClusterRole", { rules }, false),
    thing(rbac, "clusterrolebindings", "ClusterRoleBinding", { roleRef: roleRef("ClusterRole"), subjects }, false),
    thing(
      "/apis/networking.k8s.io/v1",
      "ingressclasses",
      "IngressClass",
      { spec: { controller: `x.io/${mark}` } },
      false
    ),
    thing("/apis/node.k8s.io/v1", "runtimeclasses", "RuntimeClass", { handler: `h-${mark}` }, false)
  ]
}

/** An event in the core's form, about the owner's pod. */
export const eventOf = (mark: string, namespace: string): object => ({
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: `${mark}-thing`, labels: { of: mark } },
  involvedObject: { apiVersion: "v1", kind: "Pod", name: `${mark}-thing`, namespace },
  reason: "Marked",
  message: `pod ${mark}-thing of ${namespace} was marked`,
  type: "Normal",
  source: { component: `by-${mark}` }
})

export const definitionOf = (mark: string): object => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `gems.${mark}.example`, labels: { of: mark } },
  spec: {
    group: `${mark}.example`,
    scope: "Namespaced",
    names: { plural: "gems", singular: "gem", kind: "Gem", shortNames: [`g${mark}`] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
      }
    ]
  }
})

export const JSON_BODY = { "content-type": "application/json" }

/** Where a thing's collection is. */
export const collectionOf = ({ base, namespaced, resource }: Thing, namespace: string): string =>
  namespaced ? `${base}/namespaces/${namespace}/${resource}` : `${base}/${resource}`

const post = async (call: RealApiServer["call"], path: string, body: object): Promise<void> => {
  const end = Date.now() + 20_000
  for (;;) {
    const answer = await call("POST", path, { body: JSON.stringify(body), headers: JSON_BODY })
    if (answer.code === 201) return
    // A namespace's service account and a new kind need a moment.
    const early = answer.code === 404 || (answer.code === 403 && /serviceaccount|not yet/.test(answer.body))
    if (!early || Date.now() > end) throw new Error(`POST ${path}: ${answer.code} ${answer.body}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Makes everything that an owner has, through the owner's own access. */
export const furnish = async (call: RealApiServer["call"], mark: string, namespace: string): Promise<void> => {
  await post(call, "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace, labels: { of: mark } }
  })
  for (const thing of thingsOf(mark)) await post(call, collectionOf(thing, namespace), thing.body)
  await post(call, `/api/v1/namespaces/${namespace}/events`, eventOf(mark, namespace))
  await post(call, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definitionOf(mark))
  await post(call, `/apis/${mark}.example/v1/namespaces/${namespace}/gems`, {
    apiVersion: `${mark}.example/v1`,
    kind: "Gem",
    metadata: { name: `${mark}-thing`, labels: { of: mark } },
    spec: { mark }
  })
}

/** What only the platform has: classes that it does not publish, priorities, webhooks of none. */
export const furnishPlatform = async (call: RealApiServer["call"]): Promise<void> => {
  const metadata = { name: `${PLATFORM_MARK}-thing`, labels: { of: PLATFORM_MARK } }
  await furnish(call, PLATFORM_MARK, PLATFORM_NAMESPACE)
  await post(call, "/apis/storage.k8s.io/v1/storageclasses", {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata,
    provisioner: `x.io/${PLATFORM_MARK}`
  })
  await post(call, "/apis/scheduling.k8s.io/v1/priorityclasses", {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata,
    value: 1000
  })
  await post(call, "/api/v1/persistentvolumes", {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata,
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: "/x" },
      storageClassName: "no"
    }
  })
}
