// An object's versions with what each changed, from whatever windows they fall into.
// Owns the selection of one incarnation, range and limit; refuses to say who wrote a version, which the traces do.
import type { SnapshotFact } from "../model/Fact.ts"
import { objectId } from "../model/Ids.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { type Version, versionsOf } from "../model/Revisions.ts"
import { type FactSource, inRange } from "./FactSource.ts"
import { changesOf } from "./ReadTrace.ts"
import type { Range, Revision } from "./SpanStore.ts"

/** Oldest first, at most the newest `limit`. */
export const readHistory = (
  source: FactSource,
  object: ObjectKey,
  { limit, uid, ...range }: Range & { readonly uid?: string; readonly limit: number }
): ReadonlyArray<Revision> => {
  const refs = source.ofObject(objectId(object, source.windowSeconds), ["snapshot"], {})
  const versions = versionsOf(refs.map((ref) => ref.load() as SnapshotFact))
  return versions
    .filter(({ fact }) => (uid === undefined || fact.uid === uid) && inRange(fact.atUs, range))
    .slice(-Math.max(limit, 1))
    .map(revisionOf)
}

const revisionOf = (version: Version): Revision => {
  const { before, fact, state } = version
  const { atUs, body, generation, redacted, resourceVersion, source, uid } = fact
  const since = before?.fact.resourceVersion ?? ""
  return { uid, resourceVersion, generation, atUs, state, source, redacted, body, since, diff: changesOf(version) }
}
