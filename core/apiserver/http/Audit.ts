// The audit trail: an audit.k8s.io/v1 Event for each stage of each request that the policy asks for.
// Owns the events' content; where they go is a backend's business, what is recorded the policy's.
import { type Clockwork, isJsonObject, type Json, type JsonObject, rfc3339Micro } from "#kube"
import type { HttpExchange } from "#net"
import type { UserInfo } from "../Request.ts"
import type { AuditConfig, AuditPolicy, AuditStage, AuditSubject } from "./AuditPolicy.ts"
import type { CallRecord } from "./Call.ts"

export type AuditEvent = JsonObject

/** Takes events; must not wait. */
export interface AuditBackend {
  readonly write: (event: AuditEvent) => void
}

/** A request as it is recorded; the front's Call is one. */
export interface AuditedRequest extends AuditSubject {
  readonly exchange: Pick<HttpExchange, "path" | "peer" | "header">
  readonly auditId: string
  /** Milliseconds since the epoch. */
  readonly receivedMs: number
  /** The HTTP code, once answered. */
  readonly status: number
  readonly record: CallRecord
  readonly clockwork: Pick<Clockwork, "now">
}

export class Audit {
  private readonly policy: AuditPolicy
  private readonly backends: ReadonlyArray<AuditBackend>
  private readonly metrics: { auditEvents: number }

  constructor(policy: AuditPolicy, backends: ReadonlyArray<AuditBackend>, metrics: { auditEvents: number }) {
    this.policy = policy
    this.backends = backends
    this.metrics = metrics
  }

  /** Begins to record a call; answers what tells of its later stages, undefined when nothing is recorded. */
  begin(call: AuditedRequest): AuditTrail | undefined {
    const config = this.policy.configOf(call)
    if (config.level === "None") return undefined
    const trail = new AuditTrail(call, config, (event) => {
      this.metrics.auditEvents++
      for (const backend of this.backends) backend.write(event)
    })
    trail.stage("RequestReceived")
    return trail
  }
}

export class AuditTrail {
  readonly wantsBodies: boolean
  readonly wantsAnswers: boolean
  private readonly call: AuditedRequest
  private readonly config: AuditConfig
  private readonly emit: (event: AuditEvent) => void
  private readonly annotations: Record<string, string> = {}

  constructor(call: AuditedRequest, config: AuditConfig, emit: (event: AuditEvent) => void) {
    this.call = call
    this.config = config
    this.emit = emit
    this.wantsBodies = config.level === "Request" || config.level === "RequestResponse"
    this.wantsAnswers = config.level === "RequestResponse"
  }

  annotate(key: string, value: string): void {
    this.annotations[key] = value
  }

  stage(stage: AuditStage): void {
    if (this.config.omitStages.includes(stage)) return
    this.emit(this.eventAt(stage))
  }

  private eventAt(stage: AuditStage): AuditEvent {
    const { call, config } = this
    const { exchange, record } = call
    const userAgent = exchange.header("user-agent")
    const later = stage !== "RequestReceived"
    return {
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: config.level,
      auditID: call.auditId,
      stage,
      requestURI: exchange.path,
      verb: call.info.verb,
      user: userJson(call.impersonator ?? call.user),
      ...(call.impersonator === undefined ? {} : { impersonatedUser: userJson(call.user) }),
      sourceIPs: sourceIps(call),
      ...(userAgent === undefined ? {} : { userAgent }),
      ...objectRef(call),
      ...(later ? { responseStatus: responseStatus(call) } : {}),
      ...(later && this.wantsBodies ? this.body("requestObject", record.requestObject) : {}),
      ...(later && this.wantsAnswers ? this.body("responseObject", record.responseObject) : {}),
      requestReceivedTimestamp: rfc3339Micro(call.receivedMs),
      stageTimestamp: rfc3339Micro(call.clockwork.now()),
      ...(later && Object.keys(this.annotations).length > 0 ? { annotations: this.annotations } : {})
    }
  }

  private body(field: string, value: unknown): JsonObject {
    if (value === undefined) return {}
    const json = value as Json
    return { [field]: this.config.omitManagedFields ? withoutManagedFields(json) : json }
  }
}

const userJson = ({ extra, groups, name, uid }: UserInfo): JsonObject => ({
  username: name,
  ...(uid === undefined || uid === "" ? {} : { uid }),
  groups: [...groups],
  ...(extra === undefined ? {} : { extra })
})

const objectRef = ({ info, record }: AuditedRequest): JsonObject => {
  if (!info.isResourceRequest) return {}
  const { apiGroup, apiVersion, namespace, resource, subresource } = info
  const body = record.requestObject
  const metadata = isJsonObject(body as Json) ? (body as { readonly metadata?: Json }).metadata : undefined
  const given = isJsonObject(metadata) && typeof metadata["name"] === "string" ? metadata["name"] : ""
  const name = info.name === "" ? given : info.name
  return {
    objectRef: {
      resource,
      ...(namespace === "" ? {} : { namespace }),
      ...(name === "" ? {} : { name }),
      ...(apiGroup === "" ? {} : { apiGroup }),
      apiVersion,
      ...(subresource === "" ? {} : { subresource })
    }
  }
}

const responseStatus = ({ record: { failure }, status }: AuditedRequest): JsonObject => {
  if (failure === undefined) return { metadata: {}, code: status }
  const { details, message, reason } = failure.status
  return {
    metadata: {},
    status: "Failure",
    ...(message === undefined ? {} : { message }),
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details: details as JsonObject }),
    code: failure.code
  }
}

/** The client and the proxies between, as far as they tell. */
const sourceIps = ({ exchange }: AuditedRequest): ReadonlyArray<string> => {
  const forwarded = (exchange.header("x-forwarded-for") ?? "").split(",").map((text) => text.trim())
  const real = exchange.header("x-real-ip")?.trim() ?? ""
  const peer = exchange.peer.slice(0, exchange.peer.lastIndexOf(":")).replaceAll(/[[\]]/g, "")
  const all = [...forwarded, ...(forwarded.includes(real) ? [] : [real])].filter((ip) => ip !== "")
  return all.at(-1) === peer ? all : [...all, peer]
}

const withoutManagedFields = (value: Json): Json => {
  if (!isJsonObject(value)) return value
  const { items, metadata } = value
  const stripped = isJsonObject(metadata) && metadata["managedFields"] !== undefined
  if (!stripped && !Array.isArray(items)) return value
  const rest: JsonObject = stripped
    ? { ...value, metadata: Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== "managedFields")) }
    : value
  return Array.isArray(items) ? { ...rest, items: items.map(withoutManagedFields) } : rest
}
