// One version of an object that a watch told, as facts: the version, redacted, and the links that it names. Its time is the object's own
// (when a manager last changed it), never that of its arrival, so that a list after a restart says the same again.
// Owns the reading; refuses to say who wrote a version, which the audit does.
import { type JsonObject, type KubeObject, parseRfc3339 } from "#kube"
import type { Fact } from "../model/Fact.ts"
import { idOfBody, joined } from "../model/Ids.ts"
import type { Links } from "../model/Links.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { type Redacts, redactObject } from "./Redaction.ts"

const microseconds = (time: string | undefined): number => {
  const ms = time === undefined ? undefined : parseRfc3339(time)
  return ms === undefined ? 0 : Math.round(ms * 1000)
}

/** When an object last changed, as far as it says; 0 when it says nothing. */
export const objectTimeUs = ({ metadata }: KubeObject): number => {
  let latest = microseconds(metadata.creationTimestamp)
  for (const { time } of metadata.managedFields ?? []) latest = Math.max(latest, microseconds(time))
  const grace = (metadata.deletionGracePeriodSeconds ?? 0) * 1_000_000
  return Math.max(latest, microseconds(metadata.deletionTimestamp) - grace)
}

export interface WatchedSetting {
  readonly links: Links
  readonly redacts: Redacts
}

/** Facts of a version. `deleted` says that it was the object's last. */
export const watchFactsOf = (
  key: ObjectKey,
  version: string,
  object: KubeObject,
  deleted: boolean,
  { links, redacts }: WatchedSetting
): ReadonlyArray<Fact> => {
  const atUs = objectTimeUs(object)
  if (atUs === 0) return []
  const uid = object.metadata.uid ?? ""
  // SAFETY: a parsed object is JSON.
  const kept = redactObject(object as unknown as JsonObject, redacts)
  const generation = object.metadata.generation ?? 0
  const resourceVersion = object.metadata.resourceVersion ?? ""
  const begun = atUs === microseconds(object.metadata.creationTimestamp) && generation <= 1
  const state = deleted ? "deleted" : begun ? "created" : "seen"
  return [
    {
      kind: "snapshot",
      id: idOfBody(joined("snapshot", objectText(key), uid, resourceVersion, state), kept.body),
      object: key,
      uid,
      atUs,
      source: "watch",
      version,
      resourceVersion,
      generation,
      state,
      redacted: kept.redacted,
      body: kept.body
    },
    ...links.of(kept.object, key, uid, atUs)
  ]
}
