// A pod as a kube-apiserver lists it after a Deployment made it and a kubelet ran it: about five kilobytes.
// Owns its shape; the numbers in it follow from its place, so that runs are alike.

const managed = (manager: string, time: string, fields: unknown, subresource?: string) => ({
  manager,
  operation: "Update",
  apiVersion: "v1",
  time,
  fieldsType: "FieldsV1",
  fieldsV1: fields,
  ...(subresource === undefined ? {} : { subresource })
})

const specFields = {
  "f:metadata": {
    "f:generateName": {},
    "f:labels": { ".": {}, "f:app": {}, "f:pod-template-hash": {} },
    "f:ownerReferences": { ".": {}, 'k:{"uid":"3d1c9aa1-2c5e-4f0e-9e0b-0c0b8f1f2a33"}': {} }
  },
  "f:spec": {
    "f:containers": {
      'k:{"name":"web"}': {
        ".": {},
        "f:env": { ".": {}, 'k:{"name":"LOG_LEVEL"}': { ".": {}, "f:name": {}, "f:value": {} } },
        "f:image": {},
        "f:imagePullPolicy": {},
        "f:livenessProbe": { ".": {}, "f:httpGet": { ".": {}, "f:path": {}, "f:port": {}, "f:scheme": {} } },
        "f:name": {},
        "f:ports": { ".": {}, 'k:{"containerPort":8080,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } },
        "f:resources": { ".": {}, "f:limits": { ".": {}, "f:cpu": {}, "f:memory": {} } }
      }
    },
    "f:dnsPolicy": {},
    "f:enableServiceLinks": {},
    "f:restartPolicy": {},
    "f:schedulerName": {},
    "f:securityContext": {},
    "f:terminationGracePeriodSeconds": {}
  }
}

const condition = (type: string) => ({
  type,
  status: "True",
  lastProbeTime: null,
  lastTransitionTime: "2026-03-01T10:00:05Z",
  observedGeneration: 1
})

const statusFields = {
  "f:status": {
    "f:conditions": Object.fromEntries(
      ["ContainersReady", "Initialized", "PodReadyToStartContainers", "Ready"].map((type) => [
        `k:{"type":"${type}"}`,
        { ".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {} }
      ])
    ),
    "f:containerStatuses": {},
    "f:hostIP": {},
    "f:phase": {},
    "f:podIP": {},
    "f:podIPs": { ".": {}, 'k:{"ip":"10.0.0.1"}': { ".": {}, "f:ip": {} } },
    "f:startTime": {}
  }
}

/** The pod at a place, as upstream spells it for tenant 111111. */
export const podOf = (at: number): unknown => ({
  metadata: {
    name: `web-7d4b9c6f5-${at}`,
    generateName: "web-7d4b9c6f5-",
    namespace: `111111-shop-${at % 10}`,
    uid: `0b0d7a1e-5d0e-4b52-9a61-${String(at).padStart(12, "0")}`,
    resourceVersion: String(1_000_000 + at),
    generation: 1,
    creationTimestamp: "2026-03-01T10:00:00Z",
    labels: { app: "web", "pod-template-hash": "7d4b9c6f5" },
    ownerReferences: [
      {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: "web-7d4b9c6f5",
        uid: "3d1c9aa1-2c5e-4f0e-9e0b-0c0b8f1f2a33",
        controller: true,
        blockOwnerDeletion: true
      }
    ],
    managedFields: [
      managed("kube-controller-manager", "2026-03-01T10:00:00Z", specFields),
      managed("kubelet", "2026-03-01T10:00:05Z", statusFields, "status")
    ]
  },
  spec: {
    volumes: [
      {
        name: "kube-api-access-x7k2p",
        projected: {
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            {
              downwardAPI: {
                items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }]
              }
            }
          ],
          defaultMode: 420
        }
      }
    ],
    containers: [
      {
        name: "web",
        image: "registry.example.com/shop/web:1.42.0",
        ports: [{ containerPort: 8080, protocol: "TCP" }],
        env: [{ name: "LOG_LEVEL", value: "info" }],
        resources: { limits: { cpu: "500m", memory: "256Mi" }, requests: { cpu: "100m", memory: "128Mi" } },
        volumeMounts: [
          { name: "kube-api-access-x7k2p", readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }
        ],
        livenessProbe: {
          httpGet: { path: "/healthz", port: 8080, scheme: "HTTP" },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3
        },
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        imagePullPolicy: "IfNotPresent"
      }
    ],
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    serviceAccountName: "default",
    serviceAccount: "default",
    nodeName: `node-${at % 100}`,
    securityContext: {},
    schedulerName: "default-scheduler",
    tolerations: [
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }
    ],
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: "PreemptLowerPriority"
  },
  status: {
    phase: "Running",
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
    hostIP: "192.0.2.10",
    hostIPs: [{ ip: "192.0.2.10" }],
    podIP: "10.0.0.1",
    podIPs: [{ ip: "10.0.0.1" }],
    startTime: "2026-03-01T10:00:00Z",
    containerStatuses: [
      {
        name: "web",
        state: { running: { startedAt: "2026-03-01T10:00:04Z" } },
        lastState: {},
        ready: true,
        restartCount: 0,
        image: "registry.example.com/shop/web:1.42.0",
        imageID:
          "registry.example.com/shop/web@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
        containerID: "containerd://9c1d5e3f7a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8d0e1f3a5b7c9d1e3f5a7b9c1d",
        started: true
      }
    ],
    qosClass: "Burstable"
  }
})
