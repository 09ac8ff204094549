// The source's own status, of what its copies say: the kind's rule, and one more condition while a member is not heard of.
// Owns when nothing is written: without a copy, and while a cluster is lost of which nothing is remembered, because any sum would
// then be too low.
import { type Fields, fieldsOf, itemsOf, textOf } from "#apiserver"
import { type JsonObject, type KubeObject, parseApiVersion, schemaOfKind } from "#kube"
import type { MemberState, TypeSemantics } from "../semantics/TypeSemantics.ts"

/** The condition of a source part of whose status is old. */
export const STALE = "StatusStale"

const CLUSTERS_NAMED_MAX = 10

export interface SourceStatus {
  readonly source: KubeObject
  readonly members: ReadonlyArray<MemberState>
  /** Clusters that are not heard of now. */
  readonly lost: ReadonlySet<string>
  readonly now: string
}

const hasConditions = ({ apiVersion, kind }: KubeObject, status: JsonObject): boolean => {
  if (Array.isArray(status["conditions"])) return true
  const { group, version } = parseApiVersion(apiVersion)
  return schemaOfKind(group, version, kind)?.fields?.get("status")?.fields?.get("conditions") !== undefined
}

const staleCondition = ({ members, now, source }: SourceStatus): JsonObject | undefined => {
  const stale = members
    .filter((member) => member.stale === true)
    .map(({ cluster }) => cluster)
    .sort()
  if (stale.length === 0) return undefined
  const before = itemsOf(fieldsOf(source.status)["conditions"]).find((found) => found["type"] === STALE)
  const more = stale.length > CLUSTERS_NAMED_MAX ? ` and ${stale.length - CLUSTERS_NAMED_MAX} more` : ""
  return {
    type: STALE,
    status: "True",
    reason: "ClusterNotHeardOf",
    message: `last known status of ${stale.slice(0, CLUSTERS_NAMED_MAX).join(", ")}${more}`,
    lastTransitionTime: textOf(before?.["lastTransitionTime"]) || now
  }
}

/** The status that the source should have; undefined: the one that it has. */
export const aggregatedStatus = (semantics: TypeSemantics, input: SourceStatus): JsonObject | undefined => {
  const { lost, members, now, source } = input
  if (semantics.aggregate === undefined) return undefined
  if (members.some(({ cluster, object }) => object === undefined && lost.has(cluster))) return undefined
  const status = semantics.aggregate({ source: withoutStale(source), members, now })
  if (status === undefined) return undefined
  const condition = staleCondition(input)
  if (condition === undefined || !hasConditions(source, status)) return status
  return { ...status, conditions: [...itemsOf(status["conditions"]), condition] }
}

const withoutStale = (source: KubeObject): KubeObject => {
  const status: Fields = fieldsOf(source.status)
  const conditions = itemsOf(status["conditions"])
  const left = conditions.filter((found) => found["type"] !== STALE)
  return left.length === conditions.length ? source : { ...source, status: { ...status, conditions: left } }
}
