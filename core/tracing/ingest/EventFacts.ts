// A Kubernetes Event, core/v1 or events.k8s.io/v1, as facts: one for each count that was seen of it, so that an Event that repeats for an
// hour is shown repeating for an hour. Owns the reading of both shapes; refuses to drop what is old: a repetition is known by its id.
import { isJsonObject, type Json, type JsonObject, type KubeObject, parseRfc3339 } from "#kube"
import type { EventFact, Fact } from "../model/Fact.ts"
import { idOf } from "../model/Ids.ts"
import type { Links } from "../model/Links.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const count = (value: Json | undefined): number => (typeof value === "number" ? value : 0)

const microseconds = (value: Json | undefined): number | undefined => {
  const ms = typeof value === "string" ? parseRfc3339(value) : undefined
  return ms === undefined ? undefined : Math.round(ms * 1000)
}

const object = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})

/** Facts of an Event in the state that it is in; none when it names no object. */
export const eventFactsOf = (cluster: string, event: KubeObject, links: Links): ReadonlyArray<Fact> => {
  // SAFETY: a parsed object; its further fields are JSON.
  const fields = event as unknown as JsonObject
  const about = object(fields["involvedObject"] ?? fields["regarding"])
  const nowhere: ObjectKey = { cluster, group: "", resource: "", namespace: text(about["namespace"]), name: "" }
  const key = links.referred(about, nowhere)
  if (key === undefined) return []
  const series = object(fields["series"])
  const source = object(fields["source"] ?? fields["deprecatedSource"])
  const firstSeen = microseconds(fields["firstTimestamp"] ?? fields["deprecatedFirstTimestamp"])
  const lastSeen = microseconds(fields["lastTimestamp"] ?? fields["deprecatedLastTimestamp"])
  const eventTime = microseconds(fields["eventTime"])
  const created = microseconds(event.metadata.creationTimestamp)
  const atUs = microseconds(series["lastObservedTime"]) ?? lastSeen ?? eventTime ?? firstSeen ?? created
  if (atUs === undefined) return []
  // A series counts from its second event on.
  const times = Math.max(1, count(series["count"]), count(fields["count"] ?? fields["deprecatedCount"]))
  const uid = text(about["uid"])
  const eventUid = event.metadata.uid ?? `${event.metadata.namespace ?? ""}/${event.metadata.name ?? ""}`
  const related = links.referred(fields["related"], key)
  const fact: EventFact = {
    kind: "event",
    id: idOf("event", cluster, eventUid, String(times), String(atUs)),
    object: key,
    uid,
    atUs,
    eventUid,
    eventName: event.metadata.name ?? "",
    reason: text(fields["reason"]),
    type: text(fields["type"]),
    message: text(fields["message"] ?? fields["note"]),
    action: text(fields["action"]),
    controller: text(fields["reportingController"]) || text(fields["reportingComponent"]) || text(source["component"]),
    instance: text(fields["reportingInstance"]) || text(source["host"]),
    count: times,
    firstUs: Math.min(atUs, firstSeen ?? eventTime ?? created ?? atUs),
    related
  }
  if (related === undefined) return [fact]
  const named = {
    class: "related",
    role: "child",
    other: related,
    otherUid: text(object(fields["related"])["uid"])
  } as const
  return [fact, ...links.between(key, uid, named, atUs)]
}
