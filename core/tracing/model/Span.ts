// A span as everything outward gets it, and the words of its attributes.
// Owns the shape and the names that users' links and queries already know; refuses wire forms, which the outward side writes.
import type { ObjectKey } from "./ObjectKey.ts"

/** The original's service names. */
export const services = ["audit", "event", "link", "object"] as const
export type SpanService = (typeof services)[number]

export type LogType =
  | "realError"
  | "realVerbose"
  | "kelemetryError"
  | "audit/objectSnapshot"
  | "audit/objectDiff"
  | "event/message"

/** One changed field; a side that is undefined had no such field. Values are JSON. */
export interface DiffLine {
  /** Like `spec.containers[name="app"].image`. */
  readonly path: string
  readonly old: string | undefined
  readonly new: string | undefined
}

/** What happened within a span. */
export interface SpanEvent {
  readonly atUs: number
  readonly type: LogType
  /** Text to show; for a diff a line for each change, "path old -> new". */
  readonly message: string
  /** The changes of an `audit/objectDiff`; empty otherwise. */
  readonly diff: ReadonlyArray<DiffLine>
}

/** An OpenTelemetry link. Attributes sorted by key. */
export interface SpanLink {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Never changed in place; equal facts give equal spans, field by field and in the same order. */
export interface Span {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
  /** Empty for the root, which is the object's own span. */
  readonly parentSpanId: string
  readonly service: SpanService
  readonly name: string
  readonly startUs: number
  readonly endUs: number
  readonly failed: boolean
  readonly object: ObjectKey
  /** Of the incarnation; empty when unknown. */
  readonly uid: string
  /** Sorted by key; all values are texts, as the original's are. */
  readonly attributes: Readonly<Record<string, string>>
  readonly events: ReadonlyArray<SpanEvent>
  readonly links: ReadonlyArray<SpanLink>
}

/** The original's prefix of attributes that its pages hide. */
export const HIDDEN_PREFIX = "zzz-"

/** Names of attributes. */
export const Attribute = {
  cluster: "cluster",
  group: "group",
  version: "version",
  resource: "resource",
  namespace: "namespace",
  name: "name",
  uid: "uid",
  timeStamp: "timeStamp",
  windowSeconds: "windowSeconds",
  /** Of a Pod: the node that it is on. */
  nodes: "nodes",
  traceSource: "zzz-traceSource",
  pseudoType: "zzz-pseudoType",
  notPseudo: "zzz-notPseudo",
  logType: "zzz-logType",
  linkedCluster: "linkedCluster",
  linkedGroup: "linkedGroup",
  linkedResource: "linkedResource",
  linkedNamespace: "linkedNamespace",
  linkedName: "linkedName",
  linkedUid: "linkedUid",
  linkRole: "linkRole",
  linkClass: "linkClass",
  auditId: "auditId",
  verb: "tag",
  subresource: "subresource",
  stage: "stage",
  level: "level",
  username: "username",
  impersonator: "impersonator",
  userAgent: "userAgent",
  fieldManager: "fieldManager",
  sourceIp: "sourceIP",
  proxy: "proxy",
  responseCode: "responseCode",
  reason: "reason",
  resourceVersion: "resourceVersion",
  newResourceVersion: "newResourceVersion",
  generation: "generation",
  truncated: "truncated",
  dryRun: "dryRun",
  source: "source",
  instance: "instance",
  action: "action",
  type: "type",
  count: "count",
  firstSeen: "firstSeen",
  cause: "cause",
  confidence: "confidence"
} as const
