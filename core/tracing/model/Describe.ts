// What one fact alone says about its span: service, name, times and attributes. A search judges facts by this, without their neighbours.
// Owns names and attributes; refuses what needs other facts (diffs, snapshots' logs, incarnations), which Assemble.ts adds.
import { STATUS_CODES } from "node:http"
import { rfc3339Micro } from "#kube"
import type { AuditFact, EventFact, Fact, LinkFact } from "./Fact.ts"
import type { ObjectKey } from "./ObjectKey.ts"
import { Attribute, type SpanService } from "./Span.ts"

type Attributes = Readonly<Record<string, string>>

/** An event span lasts one second, as the original's. */
const EVENT_US = 1_000_000

/** Sorted by key; empty values are left out, as nothing was said. */
export const attributesFrom = (pairs: ReadonlyArray<readonly [string, string]>): Attributes =>
  Object.fromEntries(pairs.filter(([, value]) => value !== "").sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

const objectPairs = ({ cluster, group, name, namespace, resource }: ObjectKey) =>
  [
    [Attribute.cluster, cluster],
    [Attribute.group, group],
    [Attribute.resource, resource],
    [Attribute.namespace, namespace],
    [Attribute.name, name]
  ] as const

const time = (us: number): string => rfc3339Micro(us / 1000)

/** Of the object's own span, in a window. */
export const objectAttributes = (object: ObjectKey, windowUs: number, more: ReadonlyArray<readonly [string, string]>) =>
  attributesFrom([
    ...objectPairs(object),
    [Attribute.timeStamp, time(windowUs)],
    [Attribute.traceSource, "object"],
    [Attribute.pseudoType, "object"],
    ...more
  ])

export const objectName = ({ name, resource }: ObjectKey): string => `${resource}/${name}`

const auditAttributes = (fact: AuditFact): Attributes => {
  const [source = "", ...proxies] = fact.sourceIps
  return attributesFrom([
    ...objectPairs(fact.object),
    [Attribute.version, fact.version],
    [Attribute.uid, fact.uid],
    [Attribute.notPseudo, "zzz-notPseudo"],
    [Attribute.traceSource, "audit"],
    [Attribute.auditId, fact.auditId],
    [Attribute.verb, fact.verb],
    [Attribute.subresource, fact.subresource],
    [Attribute.stage, fact.stage],
    [Attribute.level, fact.level],
    [Attribute.username, fact.username],
    [Attribute.impersonator, fact.impersonator],
    [Attribute.userAgent, fact.userAgent],
    [Attribute.fieldManager, fact.fieldManager],
    [Attribute.sourceIp, source],
    [Attribute.proxy, proxies.join(", ")],
    [Attribute.responseCode, fact.code === 0 ? "" : String(fact.code)],
    [Attribute.reason, fact.reason],
    [Attribute.resourceVersion, fact.resourceVersion],
    [Attribute.newResourceVersion, fact.newResourceVersion],
    [Attribute.generation, fact.generation === 0 ? "" : String(fact.generation)],
    [Attribute.truncated, fact.truncated ? "true" : ""],
    [Attribute.dryRun, fact.dryRun ? "true" : ""]
  ])
}

const eventAttributes = (fact: EventFact): Attributes =>
  attributesFrom([
    ...objectPairs(fact.object),
    [Attribute.uid, fact.uid],
    [Attribute.notPseudo, "zzz-notPseudo"],
    [Attribute.traceSource, "event"],
    [Attribute.source, fact.controller],
    [Attribute.instance, fact.instance],
    [Attribute.action, fact.action],
    [Attribute.type, fact.type],
    [Attribute.reason, fact.reason],
    [Attribute.count, String(fact.count)],
    [Attribute.firstSeen, time(fact.firstUs)]
  ])

const linkAttributes = (fact: LinkFact): Attributes =>
  attributesFrom([
    ...objectPairs(fact.object),
    [Attribute.uid, fact.uid],
    [Attribute.timeStamp, time(fact.atUs)],
    [Attribute.traceSource, "object"],
    [Attribute.pseudoType, "link"],
    [Attribute.linkedCluster, fact.other.cluster],
    [Attribute.linkedGroup, fact.other.group],
    [Attribute.linkedResource, fact.other.resource],
    [Attribute.linkedNamespace, fact.other.namespace],
    [Attribute.linkedName, fact.other.name],
    [Attribute.linkedUid, fact.otherUid],
    [Attribute.linkRole, fact.role],
    [Attribute.linkClass, fact.class]
  ])

/** The span that a fact is by itself; undefined for a snapshot, which is only part of others'. */
export const serviceOf = ({ kind }: Fact): SpanService | undefined => (kind === "snapshot" ? undefined : kind)

/** Empty for a snapshot. */
export const spanName = (fact: Fact): string => {
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

export const spanAttributes = (fact: Fact): Attributes => {
  switch (fact.kind) {
    case "audit":
      return auditAttributes(fact)
    case "event":
      return eventAttributes(fact)
    case "link":
      return linkAttributes(fact)
    case "snapshot":
      return {}
  }
}

/** Where the span ends; a link's is its window. */
export const spanEndUs = (fact: Fact, windowSeconds: number): number => {
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
