// Facts of small clusters for tests of what the room shows, written as the API server's audit, the events and the watches would say them.
// Owns the telling; every test tells its own story with it.
import {
  type AuditFact,
  type EventFact,
  type Fact,
  idOf,
  type LinkFact,
  MemorySpanStore,
  type ObjectKey,
  objectText,
  type SnapshotFact,
  windowStartUs
} from "#tracing"
import { type Clockwork, type Json, type JsonObject, machineClockwork, rfc3339 } from "#kube"

export const START_US = Date.UTC(2026, 10, 28, 12, 0, 7) * 1000
export const SECOND = 1_000_000
export const MINUTE = 60 * SECOND
const WINDOW = 1800

export const key = (resource: string, name: string, more: Partial<ObjectKey> = {}): ObjectKey => ({
  cluster: "main",
  group: ["deployments", "replicasets"].includes(resource) ? "apps" : "",
  resource,
  namespace: resource === "nodes" ? "" : "shop",
  name,
  ...more
})

export class Story {
  readonly facts: Array<Fact> = []

  audit(object: ObjectKey, atUs: number, verb: string, more: Partial<AuditFact> = {}): this {
    const auditId = idOf("audit", objectText(object), String(atUs), verb, JSON.stringify(more))
    this.facts.push({
      kind: "audit",
      id: auditId,
      object,
      uid: "",
      atUs,
      version: "v1",
      subresource: "",
      verb,
      level: "RequestResponse",
      stage: "ResponseComplete",
      auditId,
      endUs: atUs + 3000,
      username: "system:serviceaccount:kube-system:controller",
      impersonator: "",
      userAgent: "kube-controller-manager/v1.37.2",
      sourceIps: ["10.0.0.1"],
      fieldManager: "",
      code: verb === "create" ? 201 : 200,
      reason: "",
      message: "",
      causes: [],
      resourceVersion: "",
      newResourceVersion: "",
      generation: 0,
      truncated: false,
      dryRun: false,
      ...more
    })
    return this
  }

  event(object: ObjectKey, atUs: number, reason: string, message: string, more: Partial<EventFact> = {}): this {
    const count = more.count ?? 1
    this.facts.push({
      kind: "event",
      id: idOf("event", objectText(object), String(atUs), reason, message, String(count)),
      object,
      uid: "",
      atUs,
      eventUid: idOf(objectText(object), reason),
      eventName: `${object.name}.1`,
      reason,
      type: "Normal",
      message,
      action: "",
      controller: "default-scheduler",
      instance: "",
      count,
      firstUs: atUs,
      related: undefined,
      ...more
    })
    return this
  }

  snapshot(object: ObjectKey, atUs: number, version: number, body: JsonObject, more: Partial<SnapshotFact> = {}): this {
    this.facts.push({
      kind: "snapshot",
      id: idOf("snapshot", objectText(object), String(version), more.uid ?? "", more.state ?? "seen"),
      object,
      uid: "",
      atUs,
      source: "watch",
      version: "v1",
      resourceVersion: String(version),
      generation: 1,
      state: "seen",
      redacted: false,
      body: JSON.stringify(body),
      ...more
    })
    return this
  }

  /** Both ends of a link in the window of a time. */
  link(parent: ObjectKey, child: ObjectKey, atUs: number, name = "children"): this {
    const at = windowStartUs(atUs, WINDOW)
    const end = (object: ObjectKey, role: LinkFact["role"], other: ObjectKey): LinkFact => ({
      kind: "link",
      id: idOf("link", String(at), objectText(object), objectText(other), role, name),
      object,
      uid: "",
      atUs: at,
      class: name,
      role,
      other,
      otherUid: "",
      remote: undefined
    })
    this.facts.push(end(child, "parent", parent), end(parent, "child", child))
    return this
  }

  /** A Pod as the API server first keeps it. */
  pod(owner: ObjectKey, name: string, atUs: number, version: number, body: JsonObject = {}): ObjectKey {
    const pod = key("pods", name)
    this.audit(pod, atUs, "create", { newResourceVersion: String(version) })
    const spec: Json = { containers: [{ name: "app", image: "web:1" }] }
    const metadata: Json = { name, namespace: "shop", creationTimestamp: rfc3339(atUs / 1000) }
    const object = { apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase: "Pending" }, ...body }
    this.snapshot(pod, atUs, version, object, { state: "created" })
    this.link(owner, pod, atUs)
    return pod
  }

  bound(pod: ObjectKey, node: string, atUs: number): this {
    this.audit(pod, atUs, "create", {
      subresource: "binding",
      username: "system:kube-scheduler",
      userAgent: "kube-scheduler/v1.37.2"
    })
    return this.event(pod, atUs + 1000, "Scheduled", `Successfully assigned shop/${pod.name} to ${node}`)
  }

  store(options: { readonly order?: (facts: ReadonlyArray<Fact>) => ReadonlyArray<Fact> } = {}): MemorySpanStore {
    const { order = (facts) => facts } = options
    const store = new MemorySpanStore({ clockwork: machineClockwork, windowSeconds: WINDOW })
    store.append(order(this.facts), () => {})
    return store
  }
}

/** A Deployment of three Pods, two bound and one that no node fits. */
export const deploymentStory = (): {
  readonly story: Story
  readonly web: ObjectKey
  readonly pods: ReadonlyArray<ObjectKey>
} => {
  const story = new Story()
  const web = key("deployments", "web")
  const set = key("replicasets", "web-5d4f")
  story.audit(web, START_US, "create", { username: "ana", userAgent: "kubectl/v1.37.2" })
  story.audit(set, START_US + 50_000, "create").link(web, set, START_US + 50_000)
  const pods = ["a", "b", "c"].map((name, at) =>
    story.pod(set, `web-5d4f-${name}`, START_US + (at + 1) * 100_000, 100 + at)
  )
  story.bound(pods[0], "n1", START_US + SECOND).bound(pods[1], "n2", START_US + SECOND + 1)
  const message = "0/2 nodes are available: 2 Insufficient cpu."
  story.event(pods[2], START_US + SECOND, "FailedScheduling", message, { type: "Warning" })
  return { story, web, pods }
}

/** A clock that stands at a time until it is set. */
export class Standing implements Pick<Clockwork, "now" | "defer" | "after"> {
  nowMs: number

  constructor(nowUs: number) {
    this.nowMs = nowUs / 1000
  }

  readonly now = (): number => this.nowMs
  readonly defer = (run: () => void): void => machineClockwork.defer(run)
  readonly after = machineClockwork.after
}
