// What one fact alone says about its span: service, name, times and attributes. A search judges facts by this, without their neighbours.
// Owns names and attributes; refuses what needs other facts (diffs, snapshots' logs, incarnations), which Assemble.ts adds.
import { STATUS_CODES } from "node:http"
import { rfc3339Micro } from "#kube"
import type { AuditFact, EventFact, Fact, LinkFact, RawSnapshot } from "./Fact.ts"
import type { ObjectKey } from "./ObjectKey.ts"
import { Attribute, type SpanService } from "./Span.ts"

type Attributes = Readonly<Record<string, string>>

/** An event span lasts one second, as the original's. */
const EVENT_US = 1_000_000

/** Sorted by key; empty values are left out, as nothing was said. */
export const attributesFrom = (pairs: ReadonlyArray<readonly [string, string]>): Attributes =>
  Object.fromEntries(pairs.filter(([, value]) => value !== "").sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

/** Told of one attribute; an empty value says nothing. */
export type Say = (name: string, value: string) => void

const sayObject = ({ cluster, group, name, namespace, resource }: ObjectKey, say: Say): void => {
  say(Attribute.cluster, cluster)
  say(Attribute.group, group)
  say(Attribute.resource, resource)
  say(Attribute.namespace, namespace)
  say(Attribute.name, name)
}

const said = (tell: (say: Say) => void): Attributes => {
  const pairs: Array<readonly [string, string]> = []
  tell((name, value) => void pairs.push([name, value]))
  return attributesFrom(pairs)
}

const time = (us: number): string => rfc3339Micro(us / 1000)

/** Of the object's own span, in a window. */
export const objectAttributes = (object: ObjectKey, windowUs: number, more: Readonly<Record<string, string>>) =>
  said((say) => {
    sayObject(object, say)
    say(Attribute.timeStamp, time(windowUs))
    say(Attribute.traceSource, "object")
    say(Attribute.pseudoType, "object")
    for (const name in more) say(name, more[name])
  })

export const objectName = ({ name, resource }: ObjectKey): string => `${resource}/${name}`

const sayAudit = (fact: AuditFact, say: Say): void => {
  const [source = "", ...proxies] = fact.sourceIps
  say(Attribute.version, fact.version)
  say(Attribute.uid, fact.uid)
  say(Attribute.notPseudo, Attribute.notPseudo)
  say(Attribute.traceSource, "audit")
  say(Attribute.auditId, fact.auditId)
  say(Attribute.verb, fact.verb)
  say(Attribute.subresource, fact.subresource)
  say(Attribute.stage, fact.stage)
  say(Attribute.level, fact.level)
  say(Attribute.username, fact.username)
  say(Attribute.impersonator, fact.impersonator)
  say(Attribute.userAgent, fact.userAgent)
  say(Attribute.fieldManager, fact.fieldManager)
  say(Attribute.sourceIp, source)
  say(Attribute.proxy, proxies.length === 0 ? "" : proxies.join(", "))
  say(Attribute.responseCode, fact.code === 0 ? "" : String(fact.code))
  say(Attribute.reason, fact.reason)
  say(Attribute.resourceVersion, fact.resourceVersion)
  say(Attribute.newResourceVersion, fact.newResourceVersion)
  say(Attribute.generation, fact.generation === 0 ? "" : String(fact.generation))
  say(Attribute.truncated, fact.truncated ? "true" : "")
  say(Attribute.dryRun, fact.dryRun ? "true" : "")
}

const sayEvent = (fact: EventFact, say: Say): void => {
  say(Attribute.uid, fact.uid)
  say(Attribute.notPseudo, Attribute.notPseudo)
  say(Attribute.traceSource, "event")
  say(Attribute.source, fact.controller)
  say(Attribute.instance, fact.instance)
  say(Attribute.action, fact.action)
  say(Attribute.type, fact.type)
  say(Attribute.reason, fact.reason)
  say(Attribute.count, String(fact.count))
  say(Attribute.firstSeen, time(fact.firstUs))
}

const sayLink = (fact: LinkFact, say: Say): void => {
  say(Attribute.uid, fact.uid)
  say(Attribute.timeStamp, time(fact.atUs))
  say(Attribute.traceSource, "object")
  say(Attribute.pseudoType, "link")
  say(Attribute.linkedCluster, fact.other.cluster)
  say(Attribute.linkedGroup, fact.other.group)
  say(Attribute.linkedResource, fact.other.resource)
  say(Attribute.linkedNamespace, fact.other.namespace)
  say(Attribute.linkedName, fact.other.name)
  say(Attribute.linkedUid, fact.otherUid)
  say(Attribute.linkRole, fact.role)
  say(Attribute.linkClass, fact.class)
}

/** Tells every attribute of the span that a fact is by itself, besides those of its object; none for a snapshot. */
export const eachOwnAttribute = (fact: Fact | RawSnapshot, say: Say): void => {
  if (fact.kind === "audit") sayAudit(fact, say)
  else if (fact.kind === "event") sayEvent(fact, say)
  else if (fact.kind === "link") sayLink(fact, say)
}

/** Tells every attribute; none for a snapshot. */
export const eachAttribute = (fact: Fact, say: Say): void => {
  if (fact.kind === "snapshot") return
  sayObject(fact.object, say)
  eachOwnAttribute(fact, say)
}

/** The same as a record, sorted. */
export const spanAttributes = (fact: Fact): Attributes => said((say) => eachAttribute(fact, say))

/** The span that a fact is by itself; undefined for a snapshot, which is only part of others'. */
export const serviceOf = ({ kind }: Pick<Fact, "kind">): SpanService | undefined =>
  kind === "snapshot" ? undefined : kind

/** Empty for a snapshot. */
export const spanName = (fact: Fact | RawSnapshot): string => {
  switch (fact.kind) {
    case "audit": {
      const action = fact.subresource === "" ? fact.verb : `${fact.verb} ${fact.subresource}`
      const failed = fact.code >= 300 ? ` (${STATUS_CODES[fact.code] ?? fact.code})` : ""
      return `${fact.username} ${action}${failed}`
    }
    case "event":
      return fact.reason
    case "link":
      return objectName(fact.object)
    case "snapshot":
      return ""
  }
}

/** Where the span ends; a link's is its window. */
export const spanEndUs = (fact: Fact | RawSnapshot, windowSeconds: number): number => {
  switch (fact.kind) {
    case "audit":
      return Math.max(fact.atUs, fact.endUs)
    case "event":
      return fact.atUs + EVENT_US
    case "link":
      return fact.atUs + windowSeconds * 1_000_000
    case "snapshot":
      return fact.atUs
  }
}
