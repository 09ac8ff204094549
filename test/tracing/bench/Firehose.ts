// A generated audit firehose: batches of 400 writes as controllers make them, RequestResponse, with managed fields, about 3 KiB an event;
// every event is another request on one of 20,000 pods. Owns the shape of events; refuses to send them.
import { rfc3339, rfc3339Micro } from "#kube"

const PODS = 20_000

export interface FirehoseOptions {
  readonly batch: number
  readonly events: number
  /** Of the first event; each further one is spacingUs later. */
  readonly startUs: number
  readonly spacingUs: number
}

/** One EventList. */
export const firehoseBatch = ({ batch, events, spacingUs, startUs }: FirehoseOptions): Buffer => {
  const items: Array<string> = []
  for (let at = 0; at < events; at++) items.push(event(batch * events + at, startUs + at * spacingUs))
  return Buffer.from(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${items.join(",")}]}`)
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

const event = (number: number, atUs: number): string => {
  const pod = (number * 7919) % PODS
  const name = `web-${pod % 500}-7d9c6b5f4-${hex(pod, 5)}`
  const namespace = `team-${pod % 40}`
  const body = podBody(number, pod, name, namespace, atUs)
  return JSON.stringify({
    level: "RequestResponse",
    auditID: `${hex(number, 8)}-4b2a-4c1d-9e3f-${hex(number * 31, 12)}`,
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
    requestReceivedTimestamp: rfc3339Micro(atUs / 1000),
    stageTimestamp: rfc3339Micro((atUs + 5123) / 1000),
    annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" }
  })
}

const podBody = (number: number, pod: number, name: string, namespace: string, atUs: number) => ({
  kind: "Pod",
  apiVersion: "v1",
  metadata: {
    name,
    generateName: name.slice(0, -5),
    namespace,
    uid: `${hex(pod, 8)}-1111-4222-8333-444455556666`,
    resourceVersion: String(1_000_000 + number),
    generation: 1,
    creationTimestamp: "2026-11-28T08:00:00Z",
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
    managedFields: ["kube-controller-manager", "kubelet"].map((manager) => ({
      manager,
      operation: "Update",
      apiVersion: "v1",
      time: rfc3339(atUs / 1000),
      fieldsType: "FieldsV1",
      fieldsV1: managed
    }))
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
    podIP: `10.2.${pod % 250}.${number % 250}`,
    startTime: "2026-11-28T08:00:05Z",
    qosClass: "Burstable",
    conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
      type,
      status: "True",
      lastProbeTime: null,
      lastTransitionTime: rfc3339(atUs / 1000)
    }))
  }
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
