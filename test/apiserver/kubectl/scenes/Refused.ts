// What the server refuses, in the words it refuses with: invalid manifests, quotas, limits, immutable fields, unknown fields.
import type { Scene } from "../Tour.ts"

const pod = (spec: string, metadata = "name: p"): string =>
  `{apiVersion: v1, kind: Pod, metadata: {${metadata}}, spec: ${spec}}`

const container = "{name: c, image: i}"

const invalid: ReadonlyArray<readonly [what: string, manifest: string]> = [
  ["no containers", pod("{containers: []}")],
  ["two of a name", pod(`{containers: [${container}, ${container}]}`)],
  ["a bad image pull policy", pod("{containers: [{name: c, image: i, imagePullPolicy: Sometimes}]}")],
  ["a bad restart policy", pod(`{restartPolicy: Maybe, containers: [${container}]}`)],
  ["a bad port", pod("{containers: [{name: c, image: i, ports: [{containerPort: 99999}]}]}")],
  [
    "limits below requests",
    pod("{containers: [{name: c, image: i, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]}")
  ],
  ["a bad quantity", pod("{containers: [{name: c, image: i, resources: {requests: {cpu: lots}}}]}")],
  ["a mount of nothing", pod("{containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /x}]}]}")],
  ["a bad name", pod(`{containers: [${container}]}`, "name: Bad_Name")],
  ["a bad label", pod(`{containers: [${container}]}`, "name: p, labels: {'a b': c}")],
  ["a text for a number", pod("{containers: [{name: c, image: i, ports: [{containerPort: http}]}]}")],
  ["an unknown priority class", pod(`{priorityClassName: none, containers: [${container}]}`)],
  ["an unknown service account", pod(`{serviceAccountName: none, containers: [${container}]}`)],
  ["a service without ports", "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {a: b}}}"],
  ["a service of a bad name", "{apiVersion: v1, kind: Service, metadata: {name: '1s'}, spec: {ports: [{port: 0}]}}"],
  [
    "a selector that misses",
    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: [${container}]}}}}`
  ],
  ["a deployment of nothing", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {}}"],
  [
    "a job that restarts",
    `{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {containers: [${container}]}}}}`
  ],
  ["an ingress of nothing", "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {}}"],
  [
    "an ingress of bad paths",
    "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {rules: [{host: 1.2.3.4, http: {paths: [{path: x, pathType: Exact, backend: {service: {name: s, port: {number: 0}}}}, {path: /, backend: {}}]}}]}}"
  ],
  [
    "a policy of bad blocks",
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n}, spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0, except: [1.2.3.4/33]}}, {}], ports: [{port: 0, protocol: ICMP}]}]}}"
  ],
  [
    "a budget of both",
    "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b}, spec: {minAvailable: 1, maxUnavailable: 1}}"
  ],
  [
    "a secret of bad keys",
    "{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, data: {'a b': eA==}}"
  ],
  ["a claim of nothing", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {}}"],
  [
    "a role of nothing",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: [{verbs: []}]}"
  ],
  [
    "a binding to nothing",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: r}, roleRef: {kind: Group, name: x}, subjects: [{kind: Nobody, name: y}]}"
  ],
  [
    "a webhook of nothing",
    "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: w}, webhooks: [{name: short}]}"
  ],
  ["a class of nothing", "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: c}}"],
  [
    "an autoscaler of nothing",
    "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {maxReplicas: 0}}"
  ],
  ["a resource that is unknown", "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}}"],
  ["no kind", "{apiVersion: v1, metadata: {name: t}}"],
  ["another namespace", "{apiVersion: v1, kind: ConfigMap, metadata: {name: t, namespace: other-one}}"],
  ["data of a wrong type", "{apiVersion: v1, kind: ConfigMap, metadata: {name: t}, data: [a]}"],
  ["a number for a text", "{apiVersion: v1, kind: ConfigMap, metadata: {name: t}, data: {a: 5}}"]
]

export const refused: ReadonlyArray<Scene> = [
  {
    name: "invalid",
    steps: [
      ...invalid.map(([what, input]) => ({ run: `create -f - (${what})`, input })),
      {
        run: "create -f - --validate=false (unknown fields)",
        input: pod(`{contaners: [], containers: [${container}]}`)
      },
      {
        run: "create -f - --validate=warn (unknown fields)",
        input: pod(`{contaners: [], containers: [${container}]}`, "name: q")
      },
      {
        run: "create -f - --validate=strict (unknown fields)",
        input: pod(`{contaners: [], containers: [${container}]}`, "name: r")
      },
      {
        run: "create -f - --validate=strict (doubled fields)",
        input: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\ndata: {a: '1'}\ndata: {b: '2'}\n"
      },
      { run: "create -f - (broken YAML)", input: "apiVersion: v1\n  kind: [" },
      { run: "create -f - (nothing)", input: "" },
      {
        run: "replace -f - (a pod that may not change)",
        input: pod("{containers: [{name: other, image: i}]}", "name: q")
      },
      "get nothing",
      "get configmaps.v2",
      "get configmap",
      "describe configmap none",
      "delete namespace default",
      "create -f - --raw /api/v1/namespaces"
    ]
  },
  {
    name: "limited",
    steps: [
      "create quota q --hard=pods=1,count/configmaps=2,requests.cpu=1,services.nodeports=0",
      { run: "get quota q", until: /pods: 0\/1/ },
      "run one --image=i",
      {
        run: "create -f - (fits)",
        input: pod("{containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]}", "name: fits")
      },
      { run: "get quota q -o jsonpath={.status.used.pods}", until: /1/ },
      {
        run: "create -f - (too many)",
        input: pod("{containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]}", "name: more")
      },
      "create configmap a",
      "create configmap b",
      "create service nodeport np --tcp=80:80",
      "get events --field-selector=type=Warning -o custom-columns=R:.reason",
      "describe quota q",
      { run: "delete pod fits --force --grace-period=0" }
    ]
  }
]
