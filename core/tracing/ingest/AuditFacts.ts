// One audit event as facts: the request, the version that it answered, and the links that this version names. Each event is read by
// itself, so that neither order nor repetition nor another event can change what it says.
// Owns what is taken and why the rest is not; refuses to keep bodies of secrets, which redaction has taken out before.
import { isJsonObject, type Json, type JsonObject } from "#kube"
import type { AuditFact, RawSnapshot, SnapshotFact, Take } from "../model/Fact.ts"
import { idOf, idOfBody, joined } from "../model/Ids.ts"
import type { Kinds } from "../model/Kinds.ts"
import type { Links } from "../model/Links.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import type { AuditHead, ObjectRef } from "./AuditEvent.ts"
import type { Dump } from "./AuditDump.ts"
import { BodySlab } from "./BodySlab.ts"
import type { Filter } from "./Filter.ts"
import { isSensitive, type Kept } from "./Redaction.ts"

/** Why an event became no fact. */
export type DropReason =
  | "stage"
  | "verb"
  | "no-object"
  | "nameless"
  | "filter-type"
  | "filter-user-agent"
  | "filter-regex"

export interface AuditSetting {
  readonly kinds: Kinds
  readonly links: Links
  readonly filter: Filter
  /** The verbs that are traced; all of them change something. */
  readonly verbs: ReadonlySet<string>
  /** Objects that are kept by name and version alone, besides those that always are. */
  readonly redacts: (key: ObjectKey, version: string) => boolean
  /** Where every event goes as a line, traced or not. */
  readonly dump?: Dump
}

export const tracedVerbs: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"])

/** Why an event is not taken, judged by its head; undefined when it is. */
export const dropReason = (head: AuditHead, { filter, verbs }: AuditSetting): DropReason | undefined => {
  if (head.stage !== "ResponseComplete" && head.stage !== "Panic") return "stage"
  if (!verbs.has(head.verb)) return "verb"
  const { objectRef } = head
  if (objectRef === undefined || objectRef.resource === "") return "no-object"
  if (filter.excludesType(objectRef.group, objectRef.resource)) return "filter-type"
  return filter.excludesAgent(head.userAgent) ? "filter-user-agent" : undefined
}

/** What an event that is taken says: its head, what it is about, and its answer, redacted. */
export interface TakenEvent {
  readonly cluster: string
  readonly head: AuditHead
  readonly reference: ObjectRef
  readonly answer: Kept | undefined
  /** The bytes that the answer's body may lie in. */
  readonly bytes: Buffer
}

/** Hands over the facts of an event; answers why it became none. */
export const auditFacts = (event: TakenEvent, setting: AuditSetting, take: Take): DropReason | undefined => {
  const { answer, cluster, head, reference } = event
  if (head.verb === "deletecollection") return collectionFacts(event, setting, take)
  const name = reference.name === "" ? text(metadataOf(answer?.object)?.["name"]) : reference.name
  if (name === "") return "nameless"
  const { group, namespace, resource } = reference
  const key = { cluster, group, resource, namespace, name }
  if (setting.filter.excludesObject(key, reference.version)) return "filter-regex"
  objectFacts(key, event, setting, take)
  return undefined
}

const objectFacts = (key: ObjectKey, event: TakenEvent, { kinds, links }: AuditSetting, take: Take): void => {
  const { answer, head, reference } = event
  const own = isOwn(answer?.object, key, reference, kinds)
  const metadata = own === "other" ? undefined : metadataOf(answer?.object)
  const uid = reference.uid === "" ? text(metadata?.["uid"]) || deletedUid(head, answer) : reference.uid
  const audit = auditFact(key, uid, head, reference, metadata)
  take(audit)
  if (own !== "object" || answer === undefined || head.code >= 300 || audit.dryRun) return
  take(snapshotFact(audit, answer, event))
  for (const link of links.of(answer.object, key, uid, head.receivedUs)) take(link)
}

/** Where bodies are put for as long as their facts are handed over. */
const slab = new BodySlab()

/** The version that a request answered. */
const snapshotFact = (
  audit: AuditFact,
  answer: Kept,
  { bytes, head, reference }: TakenEvent
): SnapshotFact | RawSnapshot => {
  const { generation, newResourceVersion: resourceVersion, object, uid } = audit
  const state = head.verb === "create" && reference.subresource === "" ? "created" : "seen"
  const before = joined("snapshot", objectText(object), uid, resourceVersion, state)
  const { body, redacted } = answer
  const atUs = head.receivedUs
  const { version } = reference
  if (typeof body === "string") {
    const id = idOfBody(before, body)
    return {
      kind: "snapshot",
      id,
      object,
      uid,
      atUs,
      source: "audit",
      version,
      resourceVersion,
      generation,
      state,
      redacted,
      body
    }
  }
  slab.reset()
  const { id, raw } = slab.put(before, bytes, body)
  return {
    kind: "snapshot",
    id,
    object,
    uid,
    atUs,
    source: "audit",
    version,
    resourceVersion,
    generation,
    state,
    redacted,
    raw
  }
}

/** Only whole objects are versions; a Scale names its object's version, a Status or a Binding none. */
const isOwn = (
  object: JsonObject | undefined,
  { group, resource }: ObjectKey,
  { subresource }: ObjectRef,
  kinds: Kinds
): "object" | "scale" | "other" => {
  const kind = object?.["kind"]
  if (kind === undefined || kind === "Status") return "other"
  if (kind === "Scale" && subresource === "scale") return "scale"
  const expected = kinds.kindOf(group, resource)
  if (expected !== undefined) return kind === expected ? "object" : "other"
  return subresource === "" || subresource === "status" ? "object" : "other"
}

const deletedUid = (head: AuditHead, answer: Kept | undefined): string => {
  if (head.verb !== "delete") return ""
  const { details, kind } = answer?.object ?? {}
  return kind === "Status" && isJsonObject(details) ? text(details["uid"]) : head.detailsUid
}

const auditFact = (
  key: ObjectKey,
  uid: string,
  head: AuditHead,
  reference: ObjectRef,
  metadata: JsonObject | undefined
): AuditFact => {
  const generation = metadata?.["generation"]
  const secret = isSensitive(key.resource, reference.subresource)
  const received = String(head.receivedUs)
  return {
    kind: "audit",
    // A client may choose the audit id, and an aggregated server writes under the same one: neither may hide a request.
    id: idOf("audit", key.cluster, head.auditId, head.stage, received, objectText(key)),
    object: key,
    uid,
    atUs: head.receivedUs,
    version: reference.version,
    subresource: reference.subresource,
    verb: head.verb,
    level: head.level,
    stage: head.stage,
    auditId: head.auditId,
    endUs: head.stageUs,
    username: head.username,
    impersonator: head.impersonator,
    userAgent: head.userAgent,
    sourceIps: head.sourceIps,
    fieldManager: queryValue(head.requestUri, "fieldManager"),
    code: head.code,
    reason: head.reason,
    message: secret ? "" : head.message,
    causes: secret ? [] : head.causes,
    resourceVersion: reference.resourceVersion,
    newResourceVersion: text(metadata?.["resourceVersion"]),
    generation: typeof generation === "number" ? generation : 0,
    truncated: head.truncated,
    dryRun: queryValue(head.requestUri, "dryRun") === "All"
  }
}

/** Each object that a collection's deletion answers has the request in its own trace. */
const collectionFacts = (
  { answer, cluster, head, reference }: TakenEvent,
  setting: AuditSetting,
  take: Take
): DropReason | undefined => {
  const items = answer?.object["items"]
  if (!Array.isArray(items) || items.length === 0) return "nameless"
  for (const item of items as ReadonlyArray<Json>) {
    const metadata = isJsonObject(item) ? item["metadata"] : undefined
    if (!isJsonObject(metadata)) continue
    const name = text(metadata["name"])
    if (name === "") continue
    const namespace = text(metadata["namespace"])
    const key = { cluster, group: reference.group, resource: reference.resource, namespace, name }
    if (setting.filter.excludesObject(key, reference.version)) continue
    take(auditFact(key, text(metadata["uid"]), head, reference, metadata))
  }
  return undefined
}

const metadataOf = (object: JsonObject | undefined): JsonObject | undefined => {
  const metadata = object?.["metadata"]
  return isJsonObject(metadata) ? metadata : undefined
}

const text = (value: unknown): string => (typeof value === "string" ? value : "")

/** A parameter of a request's query; empty when it is not there. */
const queryValue = (uri: string, name: string): string => {
  const at = uri.indexOf(`${name}=`)
  if (at <= 0 || (uri[at - 1] !== "?" && uri[at - 1] !== "&")) return ""
  const end = uri.indexOf("&", at)
  const value = uri.slice(at + name.length + 1, end < 0 ? undefined : end).replaceAll("+", " ")
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
