// Audit streams for tests and benchmarks, made up from a few objects' lives: who did what, with bodies as an API server writes them.
// Owns the making of events; refuses chance of its own: what happens is decided by whoever asks.
import { rfc3339, rfc3339Micro } from "#kube"

/** One step of an object's life. */
export interface Step {
  readonly verb: "create" | "update" | "patch" | "delete" | "status"
  readonly object: number
  /** Microseconds after the step before. */
  readonly afterUs: number
  readonly code: number
  readonly level: "Metadata" | "RequestResponse"
}

export interface AuditLine {
  readonly text: string
  readonly secret: string
}

interface Living {
  uid: string
  resourceVersion: number
  generation: number
  createdUs: number
}

const kinds = [
  { group: "apps", version: "v1", resource: "deployments", kind: "Deployment" },
  { group: "apps", version: "v1", resource: "replicasets", kind: "ReplicaSet" },
  { group: "", version: "v1", resource: "pods", kind: "Pod" },
  { group: "", version: "v1", resource: "secrets", kind: "Secret" },
  { group: "", version: "v1", resource: "nodes", kind: "Node" }
] as const

/** 26 Nov 2026, at the start of a window. */
export const START_US = 1_795_651_200_000_000

const uidOf = (object: number, life: number): string =>
  `0000000${object}-0000-4000-8000-${String(life).padStart(12, "0")}`

/** Secrets of a stream start with this. */
export const SECRET_MARK = "s3cr3t"

/** The events of some steps, as JSON texts in the order in which they happened. */
export const auditStream = (steps: ReadonlyArray<Step>): ReadonlyArray<string> => {
  const living = new Map<number, Living>()
  const lives = new Map<number, number>()
  let nowUs = START_US + 1_790_000_000
  let version = 1000
  return steps.map((step, at) => {
    nowUs += step.afterUs
    const kind = kinds[step.object % kinds.length]
    const name = `${kind.resource.slice(0, 3)}-${step.object}`
    const namespace = kind.kind === "Node" ? "" : "default"
    const fails = step.code >= 300
    let life = living.get(step.object)
    if (life === undefined || (step.verb === "create" && !fails)) {
      const number = (lives.get(step.object) ?? 0) + 1
      lives.set(step.object, number)
      life = { uid: uidOf(step.object, number), resourceVersion: ++version, generation: 1, createdUs: nowUs }
      living.set(step.object, life)
    } else if (!fails && step.verb !== "delete" && step.afterUs % 3 !== 0) {
      life.resourceVersion = ++version
      if (step.verb !== "status") life.generation++
    }
    const before = life.resourceVersion - 1
    const body = objectBody(kind, name, namespace, life, at, step)
    if (step.verb === "delete" && !fails) living.delete(step.object)
    return JSON.stringify({
      level: step.level,
      auditID: `${String(at).padStart(8, "0")}-1111-4111-8111-111111111111`,
      stage: "ResponseComplete",
      requestURI: `/api/v1/${kind.resource}/${name}?fieldManager=tester`,
      verb: step.verb === "status" ? "update" : step.verb,
      user: { username: "system:serviceaccount:kube-system:tester", groups: ["system:authenticated"] },
      sourceIPs: ["10.0.0.7"],
      userAgent: "tester/1.0",
      objectRef: {
        resource: kind.resource,
        ...(namespace === "" ? {} : { namespace }),
        name,
        ...(kind.group === "" ? {} : { apiGroup: kind.group }),
        apiVersion: kind.version,
        ...(step.verb === "update" ? { uid: life.uid, resourceVersion: String(before) } : {}),
        ...(step.verb === "status" ? { subresource: "status" } : {})
      },
      responseStatus: fails
        ? { code: step.code, reason: "Conflict", message: `${SECRET_MARK}-in-message-${at}` }
        : { code: step.code, metadata: {} },
      ...(step.level === "Metadata"
        ? {}
        : {
            requestObject: { ...body, note: `${SECRET_MARK}-in-request` },
            responseObject: fails ? failure(step) : body
          }),
      requestReceivedTimestamp: rfc3339Micro(nowUs / 1000),
      stageTimestamp: rfc3339Micro((nowUs + 4321) / 1000),
      annotations: { "authorization.k8s.io/decision": "allow" }
    })
  })
}

const failure = ({ code }: Step) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  reason: "Conflict",
  code
})

const objectBody = (
  kind: (typeof kinds)[number],
  name: string,
  namespace: string,
  life: Living,
  at: number,
  step: Step
) => ({
  kind: kind.kind,
  apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
  metadata: {
    name,
    ...(namespace === "" ? {} : { namespace }),
    uid: life.uid,
    resourceVersion: String(life.resourceVersion),
    generation: life.generation,
    creationTimestamp: rfc3339(life.createdUs / 1000),
    annotations: {
      "kubectl.kubernetes.io/last-applied-configuration": `{"data":"${SECRET_MARK}-applied-${at}"}`,
      ...(kind.kind === "Secret" ? { note: `${SECRET_MARK}-annotation` } : { team: "a" })
    },
    ...(kind.kind === "Pod"
      ? {
          ownerReferences: [
            owner("apps/v1", "ReplicaSet", "rep-1", uidOf(1, 1)),
            owner("v1", "Node", "nod-4", uidOf(4, 1), false)
          ]
        }
      : kind.kind === "ReplicaSet"
        ? { ownerReferences: [owner("apps/v1", "Deployment", "dep-0", uidOf(0, 1))] }
        : {}),
    managedFields: [{ manager: `${SECRET_MARK}-manager`, operation: "Update", time: rfc3339(life.createdUs / 1000) }]
  },
  ...(kind.kind === "Secret"
    ? {
        data: { password: `${SECRET_MARK}-data-${at}` },
        stringData: { token: `${SECRET_MARK}-string` },
        type: "Opaque"
      }
    : kind.kind === "Pod"
      ? {
          spec: { nodeName: "nod-4", containers: [{ name: "app", image: `image:${step.verb === "status" ? 0 : at}` }] }
        }
      : { spec: { replicas: life.generation } }),
  status: { observed: at, text: "grüß dich \u{1f600}" }
})

const owner = (apiVersion: string, kind: string, name: string, uid: string, controller = true) => ({
  apiVersion,
  kind,
  name,
  uid,
  ...(controller ? { controller: true, blockOwnerDeletion: true } : {})
})

/** An EventList as the webhook gets it. */
export const eventList = (events: ReadonlyArray<string>): Buffer =>
  Buffer.from(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${events.join(",")}]}`)
