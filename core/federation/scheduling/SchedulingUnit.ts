// An object as the scheduler sees it: what it is, how many replicas, what each asks for, and what was learned or asked about clusters.
// Owns the shape and the reading of annotations that carry it; refuses to know any type: replicas and pod come from its semantics.
import { type GroupVersionResource, isJsonObject, type Json, type JsonObject, type Labels, parseRfc3339 } from "#kube"
import { fieldsOf, itemsOf, mapOf, numberIn, podAmounts, textOf } from "#apiserver"
import type { Amounts } from "../api/FederatedCluster.ts"
import { feedbackAnnotations, federationAnnotations } from "../api/FederationNames.ts"

/** An object that is placed. */
export interface SchedulingUnit {
  readonly apiVersion: string
  readonly kind: string
  readonly resource: GroupVersionResource
  /** Empty for what is in no namespace. */
  readonly namespace: string
  readonly name: string
  readonly labels: Labels
  /** Of the federated object: those that steer scheduling are read here. */
  readonly annotations: Readonly<Record<string, string>>
  /** undefined: the type has none, and every cluster gets the whole object. */
  readonly replicas: number | undefined
  /** What one pod asks for. */
  readonly request: Amounts
  /** Replicas at most, by cluster: manual migration. */
  readonly limited: ReadonlyMap<string, number>
  /** Clusters that the object is to leave, and until when in milliseconds: manual migration. */
  readonly evicted: ReadonlyMap<string, number>
  /** Replicas that a cluster was seen to have room for: automatic migration. */
  readonly capacity: ReadonlyMap<string, number>
}

/** What the type's semantics say of an object. */
export interface UnitParts {
  readonly template: JsonObject
  readonly resource: GroupVersionResource
  /** Of the federated object. */
  readonly annotations: Readonly<Record<string, string>>
  readonly replicas: number | undefined
  /** The spec of its pods, if it has any. */
  readonly podSpec: JsonObject | undefined
}

const NONE: ReadonlyMap<string, number> = new Map()

/** The JSON of an annotation; undefined when there is none, or it is not JSON. */
export const annotationJson = (
  annotations: Readonly<Record<string, string>>,
  name: string
): JsonObject | ReadonlyArray<Json> | undefined => {
  const text = annotations[name]
  if (text === undefined || text === "") return undefined
  try {
    const parsed: Json = JSON.parse(text)
    return isJsonObject(parsed) || Array.isArray(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

const countsOf = (value: unknown): ReadonlyMap<string, number> => {
  const fields = fieldsOf(value)
  const found = new Map<string, number>()
  for (const name in fields) {
    const count = numberIn(fields[name])
    if (count !== undefined) found.set(name, Math.max(0, Math.floor(count)))
  }
  return found.size === 0 ? NONE : found
}

/** Of each resource what all containers request, or else their limits. */
export const podRequest = (spec: JsonObject | undefined): Amounts => {
  const amounts = new Map<string, number>()
  if (spec === undefined) return amounts
  const lists = [podAmounts(spec, "limits", false), podAmounts(spec, "requests", true)]
  for (const list of lists)
    for (const [name, quantity] of list)
      amounts.set(name, Number(name === "cpu" ? quantity.milliValue() : quantity.value()))
  return amounts
}

const evictedOf = (applied: JsonObject | ReadonlyArray<Json> | undefined): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const item of itemsOf(fieldsOf(applied)["unavailableClusters"])) {
    const until = parseRfc3339(textOf(item["validUntil"]))
    if (until !== undefined) found.set(textOf(item["cluster"]), until)
  }
  return found.size === 0 ? NONE : found
}

/** The unit of an object. */
export const schedulingUnitOf = ({ annotations, podSpec, replicas, resource, template }: UnitParts): SchedulingUnit => {
  const metadata = fieldsOf(template["metadata"])
  const applied = annotationJson(annotations, feedbackAnnotations.appliedMigrationConfiguration)
  const learned = annotationJson(annotations, federationAnnotations.autoMigrationInfo)
  return {
    apiVersion: textOf(template["apiVersion"]),
    kind: textOf(template["kind"]),
    resource,
    namespace: textOf(metadata["namespace"]),
    name: textOf(metadata["name"]),
    labels: mapOf(metadata["labels"]),
    annotations,
    replicas,
    request: podRequest(podSpec),
    limited: countsOf(fieldsOf(applied)["limitedCapacity"]),
    evicted: evictedOf(applied),
    capacity: countsOf(fieldsOf(learned)["estimatedCapacity"])
  }
}

/** "team-a/web", or the name alone: what ties are broken by, so that no two objects round in the same clusters' favour. */
export const unitKey = ({ name, namespace }: Pick<SchedulingUnit, "name" | "namespace">): string =>
  namespace === "" ? name : `${namespace}/${name}`
