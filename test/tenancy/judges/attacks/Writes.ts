// Changing what belongs to others, reaching into it by subresources and nodes, and objects of one's own that point there.
// What must change nothing is proved possible by the platform with dryRun=All.
import type { Attack } from "../Attack.ts"
import {
  JSON_BODY,
  LAIR,
  PLATFORM_MARK,
  PLATFORM_NAMESPACE,
  VAULT,
  VAULT_UPSTREAM,
  VICTIM,
  VICTIM_MARK
} from "../Parties.ts"

const MERGE = { "content-type": "application/merge-patch+json" }
const APPLY = { "content-type": "application/apply-patch+yaml" }
const THING = `${VICTIM_MARK}-thing`
const at = (resource: string, base = "/api/v1"): string => `${base}/namespaces/${VAULT_UPSTREAM}/${resource}`

const dry = (path: string): string => `${path}${path.includes("?") ? "&" : "?"}dryRun=All`

/** A write there, and the platform's proof that it could be done. */
const write = (
  name: string,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = JSON_BODY
): Attack => {
  const demand = { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers }) }
  return { name, path, ...demand, codes: [400, 403, 404, 405], control: { by: "platform", path: dry(path), ...demand } }
}

const spare = (namespace?: string): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "spare", ...(namespace === undefined ? {} : { namespace }) },
  data: { a: "b" }
})

const stolen = { metadata: { labels: { stolen: "yes" } } }

/** Upstream lets the platform try, and then its budget says no. */
const evicting: Attack = {
  ...write("evict its pod", "POST", `${at("pods")}/${THING}/eviction`, {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: THING }
  }),
  control: {
    by: "platform",
    path: dry(`${at("pods")}/${THING}/eviction`),
    method: "POST",
    headers: JSON_BODY,
    body: JSON.stringify({ apiVersion: "policy/v1", kind: "Eviction", metadata: { name: THING } }),
    code: 429,
    shows: VICTIM_MARK
  }
}

const writes: ReadonlyArray<Attack> = [
  write("create there", "POST", at("configmaps"), spare()),
  write("apply there", "PATCH", `${at("configmaps")}/spare?fieldManager=x`, spare(), APPLY),
  ...["configmaps", "secrets", "services", "pods", "serviceaccounts"].map((resource) =>
    write(`patch its ${resource}`, "PATCH", `${at(resource)}/${THING}`, stolen, MERGE)
  ),
  ...["configmaps", "secrets", "pods", "persistentvolumeclaims"].map((resource) =>
    write(`delete its ${resource}`, "DELETE", `${at(resource)}/${THING}`)
  ),
  write("patch its deployment", "PATCH", `${at("deployments", "/apis/apps/v1")}/${THING}`, stolen, MERGE),
  write(
    "scale its deployment",
    "PATCH",
    `${at("deployments", "/apis/apps/v1")}/${THING}/scale`,
    { spec: { replicas: 3 } },
    MERGE
  ),
  write("its pod's status", "PATCH", `${at("pods")}/${THING}/status`, { status: { message: "x" } }, MERGE),
  evicting,
  write("a token of its service account", "POST", `${at("serviceaccounts")}/${THING}/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: 3600 }
  }),
  write("delete its namespace", "DELETE", `/api/v1/namespaces/${VAULT_UPSTREAM}`),
  write("label its namespace", "PATCH", `/api/v1/namespaces/${VAULT_UPSTREAM}`, stolen, MERGE),
  write("delete the platform's namespace", "DELETE", `/api/v1/namespaces/${PLATFORM_NAMESPACE}`),
  write("delete its cluster role", "DELETE", `/apis/rbac.authorization.k8s.io/v1/clusterroles/${VICTIM}-${THING}`),
  write(
    "delete its definition",
    "DELETE",
    `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gems.${VICTIM}-${VICTIM_MARK}.example`
  ),
  write(
    "delete the platform's definition",
    "DELETE",
    `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gems.${PLATFORM_MARK}.example`
  ),
  write("delete the platform's class", "DELETE", `/apis/storage.k8s.io/v1/storageclasses/${PLATFORM_MARK}-thing`),
  write(
    "delete the platform's priority",
    "DELETE",
    `/apis/scheduling.k8s.io/v1/priorityclasses/${PLATFORM_MARK}-thing`
  ),
  write("delete the platform's volume", "DELETE", `/api/v1/persistentvolumes/${PLATFORM_MARK}-thing`),
  write("cordon a node", "PATCH", "/api/v1/nodes/node-1", { spec: { unschedulable: true } }, MERGE),
  write("a node's status", "PATCH", "/api/v1/nodes/node-1/status", { status: { phase: "x" } }, MERGE),
  write("delete a node", "DELETE", "/api/v1/nodes/node-1"),
  write("a node of its own", "POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "evil" } })
]

/** Every resource in the victim's namespace at once; the same over its own empty namespace is what is proved possible. */
const collections: ReadonlyArray<Attack> = ["configmaps", "secrets", "pods"].map((resource) => ({
  name: `delete all ${resource} there`,
  method: "DELETE",
  path: at(resource),
  control: { by: "platform", method: "DELETE", path: dry(at(resource)), shows: VICTIM_MARK }
}))

const NODE_PATHS = [
  ...["healthz", "pods", "containerLogs/x/y/z", "metrics", "run/a/b/c"].map(
    (path) => `/api/v1/nodes/node-1/proxy/${path}`
  ),
  "/api/v1/nodes/node-1:10250/proxy/",
  "/api/v1/nodes/https:node-1:10250/proxy/pods"
]

const reached = (name: string, path: string, shows: string, prove = path): Attack => ({
  name,
  path,
  codes: [400, 403, 404, 405],
  control: { by: "platform", path: prove, shows }
})

const subresources: ReadonlyArray<Attack> = [
  reached("its pod's log", `${at("pods")}/${THING}/log`, "first line"),
  reached("its pod's log, followed", `${at("pods")}/${THING}/log?follow=false&tailLines=1`, "third line"),
  reached("its pod's exec", `${at("pods")}/${THING}/exec?command=id&stdout=1`, VICTIM_MARK, `${at("pods")}/${THING}`),
  reached("its pod's attach", `${at("pods")}/${THING}/attach?stdout=1`, VICTIM_MARK, `${at("pods")}/${THING}`),
  reached("its pod's ports", `${at("pods")}/${THING}/portforward?ports=80`, VICTIM_MARK, `${at("pods")}/${THING}`),
  reached("its pod's proxy", `${at("pods")}/${THING}/proxy/`, VICTIM_MARK, `${at("pods")}/${THING}`),
  reached("its service's proxy", `${at("services")}/${THING}/proxy/`, VICTIM_MARK, `${at("services")}/${THING}`),
  reached("its pod's containers", `${at("pods")}/${THING}/ephemeralcontainers`, VICTIM_MARK),
  reached("its deployment's scale", `${at("deployments", "/apis/apps/v1")}/${THING}/scale`, VICTIM_MARK),
  ...NODE_PATHS.map((path): Attack => ({
    name: `a node through ${path}`,
    path,
    codes: [400, 403, 404, 405],
    // Upstream lets the platform through and stops only at the address, which is this machine's own.
    control: { by: "platform", path: "/api/v1/nodes/node-1/proxy/healthz", code: 400, shows: "address not allowed" }
  })),
  reached("a pod by scheme and port", `${at("pods")}/http:${THING}:80/proxy/`, VICTIM_MARK, `${at("pods")}/${THING}`)
]

const home = (resource: string, base = "/api/v1"): string => `${base}/namespaces/${LAIR}/${resource}`

/** Something at home that must be refused; the same without the part that reaches out is taken. */
const refused = (name: string, path: string, body: object, good: object, codes = [400, 403, 404, 422]): Attack => ({
  name,
  method: "POST",
  path: dry(path),
  headers: JSON_BODY,
  body: JSON.stringify(body),
  codes,
  control: { by: "self", method: "POST", path: dry(path), headers: JSON_BODY, body: JSON.stringify(good) }
})

const pod = (spec: object, metadata: object = { name: "p" }): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata,
  spec: { containers: [{ name: "c", image: "i" }], ...spec }
})

const pods: ReadonlyArray<readonly [name: string, spec: object]> = [
  ["a host path", { volumes: [{ name: "v", hostPath: { path: "/" } }] }],
  ["the host's network", { hostNetwork: true }],
  ["the host's processes", { hostPID: true }],
  ["a privileged container", { containers: [{ name: "c", image: "i", securityContext: { privileged: true } }] }],
  ["a host port", { containers: [{ name: "c", image: "i", ports: [{ containerPort: 1, hostPort: 1 }] }] }],
  ["the system's priority", { priorityClassName: "system-cluster-critical" }],
  ["the platform's priority", { priorityClassName: `${PLATFORM_MARK}-thing` }],
  ["the platform's runtime", { runtimeClassName: `${PLATFORM_MARK}-thing` }],
  ["the victim's service account", { serviceAccountName: THING }],
  [
    "a probe of another host",
    { containers: [{ name: "c", image: "i", livenessProbe: { httpGet: { host: "10.0.0.1", port: 443 } } }] }
  ]
]

const pointing: ReadonlyArray<Attack> = [
  ...pods.map(([name, spec]) => refused(`a pod with ${name}`, home("pods"), pod(spec), pod({}))),
  refused(
    "a service with external addresses",
    home("services"),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s" },
      spec: { ports: [{ port: 80 }], externalIPs: ["10.0.0.1"] }
    },
    { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { ports: [{ port: 80 }] } }
  ),
  refused("an object of another namespace", home("configmaps"), spare(VAULT_UPSTREAM), spare(LAIR)),
  refused("an object of the victim's namespace", home("configmaps"), spare(VAULT), spare(LAIR)),
  refused(
    "an event about the victim's pod",
    home("events"),
    {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", namespace: VAULT_UPSTREAM, name: THING },
      reason: "x"
    },
    {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", namespace: LAIR, name: "p" },
      reason: "x"
    }
  ),
  refused(
    "a volume of the platform's disk",
    "/api/v1/persistentvolumes",
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "v" },
      spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/" } }
    },
    {},
    [403, 404, 405]
  ),
  refused(
    "a signing request",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    { apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name: "c" }, spec: {} },
    {},
    [403, 404, 405]
  ),
  refused(
    "an API service",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata: { name: "v1.x" }, spec: {} },
    {},
    [403, 404, 405]
  ),
  refused(
    "a priority class",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "p" }, value: 2_000_000 },
    {},
    [403, 404, 405]
  ),
  refused(
    "a namespace marked as the victim's",
    "/api/v1/namespaces",
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "n", labels: { "kubezoo.io/tenant": VICTIM } } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } },
    [201, 400, 403, 422]
  ),
  refused(
    "a webhook at an address",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "w" },
      webhooks: [
        {
          name: "a.b.example",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          clientConfig: { url: "https://evil.example/x" },
          rules: [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }]
        }
      ]
    },
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "w" },
      webhooks: []
    }
  )
].map((attack): Attack => (attack.control.body === "{}" ? platformProof(attack) : attack))

/** Where a tenant may do nothing of the kind, the platform proves that the API would answer. */
function platformProof(attack: Attack): Attack {
  const path = attack.path.replace(/\?.*$/, "")
  return { ...attack, control: { by: "platform", path, shows: "items" } }
}

/** Protobuf bodies: k8s\0 and an Unknown whose raw part names another namespace. */
const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
const text = (number: number, value: string): Buffer => field(number, Buffer.from(value))
const protobuf = (namespace: string): Buffer => {
  const meta = Buffer.concat([text(1, "in-protobuf"), text(3, namespace)])
  const type = Buffer.concat([text(1, "v1"), text(2, "ConfigMap")])
  return Buffer.concat([Buffer.from("k8s\0", "latin1"), field(1, type), field(2, field(1, meta))])
}
const PROTOBUF = { "content-type": "application/vnd.kubernetes.protobuf" }

const binary: ReadonlyArray<Attack> = [VAULT_UPSTREAM, VAULT, PLATFORM_NAMESPACE].map((namespace) => ({
  name: `protobuf that names ${namespace}`,
  method: "POST",
  path: dry(home("configmaps")),
  headers: PROTOBUF,
  body: protobuf(namespace),
  codes: [400, 403, 404, 422],
  control: { by: "self", method: "POST", path: dry(home("configmaps")), headers: PROTOBUF, body: protobuf(LAIR) }
}))

export const changes: ReadonlyArray<Attack> = [...writes, ...collections, ...subresources, ...pointing, ...binary]
