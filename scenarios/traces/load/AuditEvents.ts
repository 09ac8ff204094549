// Generated audit events: status patches of 20,000 pods as kubelets send them, RequestResponse, as kube-apiserver writes them, with managed
// fields (about 7 KB an event) or under a policy with omitManagedFields (about 2.7 KB). What tells one event from the next has a fixed
// width, so that a batch is made once and stamped anew each time that it is sent. Owns the shape; refuses to send.

/** Pods that are written to. */
export const PODS = 20_000

/** What stands where an event's number, version and times will be; each as wide as what replaces it. */
export const marks = {
  number: "NUMBER@@",
  version: "VERSION@@",
  received: "RECEIVED@@@@@@@@@@@@@@@@@@@",
  staged: "STAGED@@@@@@@@@@@@@@@@@@@@@"
} as const

const HEAD = '{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['

/** An EventList of some events' texts. */
export const eventList = (events: ReadonlyArray<string>): Buffer => Buffer.from(`${HEAD}${events.join(",")}]}`)

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

/** The JSON of one event with its marks; `number` decides the pod. */
export const markedEvent = (number: number, hasManagedFields: boolean): string => {
  const pod = (number * 7919) % PODS
  const name = `web-${pod % 500}-7d9c6b5f4-${hex(pod, 5)}`
  const namespace = `team-${pod % 40}`
  const body = podBody(pod, name, namespace, hasManagedFields)
  return JSON.stringify({
    level: "RequestResponse",
    auditID: `${marks.number}-4b2a-4c1d-9e3f-${hex(pod * 31, 12)}`,
    stage: "ResponseComplete",
    requestURI: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
    verb: "patch",
    user: {
      username: `system:node:node-${pod % 1000}`,
      groups: ["system:nodes", "system:authenticated"],
      extra: { "authentication.kubernetes.io/credential-id": ["X509SHA256=0f1e2d3c4b5a"] }
    },
    sourceIPs: [`10.1.${pod % 250}.7`],
    userAgent: "kubelet/v1.37.2 (linux/amd64) kubernetes/a1b2c3d",
    objectRef: { resource: "pods", namespace, name, apiVersion: "v1", subresource: "status" },
    responseStatus: { metadata: {}, code: 200 },
    requestObject: { metadata: { uid: body.metadata.uid }, status: { conditions: body.status.conditions } },
    responseObject: body,
    requestReceivedTimestamp: marks.received,
    stageTimestamp: marks.staged,
    annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" }
  })
}

const CREATED = "2026-11-28T08:00:00Z"

const podBody = (pod: number, name: string, namespace: string, hasManagedFields: boolean) => ({
  kind: "Pod",
  apiVersion: "v1",
  metadata: {
    name,
    generateName: name.slice(0, -5),
    namespace,
    uid: `${hex(pod, 8)}-1111-4222-8333-444455556666`,
    resourceVersion: marks.version,
    generation: 1,
    creationTimestamp: CREATED,
    labels: { app: `web-${pod % 500}`, "pod-template-hash": "7d9c6b5f4", team: namespace },
    ownerReferences: [
      {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: `web-${pod % 500}-7d9c6b5f4`,
        uid: `${hex(pod % 500, 8)}-aaaa-4bbb-8ccc-dddddddddddd`,
        controller: true,
        blockOwnerDeletion: true
      }
    ],
    ...(hasManagedFields ? { managedFields: ["kube-controller-manager", "kubelet"].map(managedBy) } : {})
  },
  spec: {
    nodeName: `node-${pod % 1000}`,
    serviceAccountName: "default",
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: "app",
        image: `registry.example/web:${pod % 50}`,
        resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
        terminationMessagePath: "/dev/termination-log",
        imagePullPolicy: "IfNotPresent"
      }
    ],
    tolerations: [
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }
    ]
  },
  status: {
    phase: "Running",
    podIP: `10.2.${pod % 250}.${(pod * 7) % 250}`,
    startTime: "2026-11-28T08:00:05Z",
    qosClass: "Burstable",
    conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
      type,
      status: "True",
      lastProbeTime: null,
      lastTransitionTime: CREATED
    }))
  }
})

const managedBy = (manager: string) => ({
  manager,
  operation: "Update",
  apiVersion: "v1",
  time: CREATED,
  fieldsType: "FieldsV1",
  fieldsV1: managed
})

const managed = Object.fromEntries(
  ["f:status", "f:metadata"].map((part) => [
    part,
    Object.fromEntries(
      [
        "f:conditions",
        "f:containerStatuses",
        "f:hostIP",
        "f:phase",
        "f:podIP",
        "f:podIPs",
        "f:startTime",
        "f:labels"
      ].map((field) => [
        field,
        {
          ".": {},
          'k:{"type":"Ready"}': { ".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {} }
        }
      ])
    )
  ])
)
