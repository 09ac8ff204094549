// What is collected of an object's copies, and what it becomes when a member is lost: the last known state, marked stale.
// Owns this decision without I/O; refuses to merge, which Aggregation.ts does.
import { type JsonObject, type KubeObject, sameJson } from "#kube"
import { type CollectedFields, type CollectedStatus } from "../api/CollectedStatus.ts"
import { federationAnnotations } from "../api/FederationNames.ts"
import { projected, valueAt } from "../semantics/FieldPaths.ts"
import type { FieldPath, MemberState } from "../semantics/TypeSemantics.ts"

/** A cluster's copy as it is known now. */
export interface Copy {
  readonly cluster: string
  /** The member is heard of: `object` is the truth, absent means that there is none. */
  readonly current: boolean
  readonly object?: KubeObject
}

const SOURCE_GENERATION: FieldPath = ["metadata", "annotations", federationAnnotations.sourceGeneration]

/** Paths that aggregation needs whatever users ask for. */
const ALWAYS: ReadonlyArray<FieldPath> = [["metadata", "generation"], SOURCE_GENERATION]

/** All paths, each once; one below another's is part of it. */
export const collectedPaths = (...lists: ReadonlyArray<ReadonlyArray<FieldPath>>): ReadonlyArray<FieldPath> => {
  const all = [...lists.flat(), ...ALWAYS].sort((a, b) => a.length - b.length)
  const kept: Array<FieldPath> = []
  for (const path of all) {
    if (!kept.some((other) => other.every((field, at) => field === path[at]))) kept.push(path)
  }
  return kept
}

/** One cluster's record: fresh where the member is heard of, else the one before, marked stale; undefined: nothing is known. */
export const collect = (
  { cluster, current, object }: Copy,
  paths: ReadonlyArray<FieldPath>,
  before: CollectedFields | undefined
): CollectedFields | undefined => {
  if (!current) return before === undefined ? undefined : { ...before, stale: true }
  if (object === undefined) return undefined
  return { cluster, collectedFields: projected(object, paths) }
}

/** Paths that users asked for and an object lacks, as the record tells them; empty: none. */
export const missingFields = (fields: JsonObject, asked: ReadonlyArray<string>): string => {
  const missing = asked.filter((path) => valueAt(fields, path.split(".")) === undefined)
  return missing.length === 0 ? "" : `fields not found: ${missing.join(", ")}`
}

/** All records, sorted by cluster; the record before when nothing differs. */
export const collectAll = (
  copies: ReadonlyArray<Copy>,
  paths: ReadonlyArray<FieldPath>,
  before: CollectedStatus
): ReadonlyArray<CollectedFields> => {
  const known = new Map(before.clusters.map((record) => [record.cluster, record]))
  return copies
    .flatMap((copy) => {
      const record = collect(copy, paths, known.get(copy.cluster))
      return record === undefined ? [] : [record]
    })
    .sort((a, b) => (a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0))
}

/** Whether two collections say the same. */
export const sameCollection = (a: ReadonlyArray<CollectedFields>, b: ReadonlyArray<CollectedFields>): boolean =>
  // SAFETY: records are plain JSON.
  sameJson(a as unknown as ReadonlyArray<JsonObject>, b as unknown as ReadonlyArray<JsonObject>)

const generationIn = (fields: JsonObject): number | undefined => {
  const text = valueAt(fields, SOURCE_GENERATION)
  const generation = typeof text === "string" ? Number.parseInt(text, 10) : Number.NaN
  return Number.isNaN(generation) ? undefined : generation
}

/** A generation of the source that says the same to members as a later one. */
export interface SameGenerations {
  readonly from: number
  readonly to: number
}

/** The members as aggregation takes them: one for each cluster, with or without a record. */
export const memberStates = (
  clusters: ReadonlyArray<string>,
  records: ReadonlyArray<CollectedFields>,
  same?: SameGenerations
): ReadonlyArray<MemberState> => {
  const known = new Map(records.map((record) => [record.cluster, record]))
  return clusters.map((cluster): MemberState => {
    const record = known.get(cluster)
    const object = record?.collectedFields
    if (record === undefined || object === undefined) return { cluster }
    const made = generationIn(object)
    const sourceGeneration = made !== undefined && same !== undefined && made >= same.from ? same.to : made
    return {
      cluster,
      object,
      ...(record.stale === true ? { stale: true } : {}),
      ...(sourceGeneration === undefined ? {} : { sourceGeneration })
    }
  })
}
