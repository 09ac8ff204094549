// Which clusters are meant: labels, affinity terms and names, compiled once for each object that says so.
// Owns the semantics: labels and terms both hold, of the terms one, of a term everything, and an empty term means none; refuses to
// know where clusters come from.
import { type LabelOperator, LabelSelector, type LabelRequirement, type Labels, Names } from "#kube"
import { type Fields, fieldsOf, invalid, itemsOf, mapOf, type Problems, textOf, textsOf } from "#apiserver"

/** A cluster as selectors see it. */
export interface Labelled {
  readonly name: string
  readonly labels: Labels
}

/** One term: all requirements on labels and names hold. */
export interface ClusterTerm {
  readonly labels: LabelSelector
  readonly names: ReadonlyArray<{ readonly in: boolean; readonly values: ReadonlySet<string> }>
  readonly empty: boolean
}

/** Labels that a cluster has, and terms of which it matches one; no terms: any. */
export interface ClusterTerms {
  readonly selector: LabelSelector
  readonly terms: ReadonlyArray<ClusterTerm>
}

const OPERATORS: ReadonlyMap<string, LabelOperator> = new Map([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "exists"],
  ["DoesNotExist", "!"],
  ["Gt", ">"],
  ["Lt", "<"]
])

const countProblem = (operator: LabelOperator, values: ReadonlyArray<string>): string | undefined => {
  if (operator === "in" || operator === "notin") return values.length > 0 ? undefined : "must have at least one value"
  if (operator === "exists" || operator === "!") return values.length === 0 ? undefined : "must have no values"
  return values.length === 1 && /^[+-]?\d+$/.test(values[0]) ? undefined : "must have exactly one value, an integer"
}

const requirementOf = (fields: Fields, path: string, problems: Problems): LabelRequirement | undefined => {
  const operator = OPERATORS.get(textOf(fields["operator"]))
  const values = textsOf(fields["values"])
  const key = textOf(fields["key"])
  if (operator === undefined) {
    problems.push(invalid(`${path}.operator`, fields["operator"], "must be In, NotIn, Exists, DoesNotExist, Gt or Lt"))
    return undefined
  }
  const why = countProblem(operator, values)
  if (why !== undefined) problems.push(invalid(`${path}.values`, [...values], why))
  return { key, operator, values }
}

const onNames = (fields: Fields, path: string, problems: Problems): ClusterTerm["names"][number] | undefined => {
  const requirement = requirementOf(fields, path, problems)
  if (requirement === undefined) return undefined
  if (requirement.key !== "metadata.name") {
    problems.push(invalid(`${path}.key`, requirement.key, "must be metadata.name"))
  }
  if (requirement.operator !== "in" && requirement.operator !== "notin") {
    problems.push(invalid(`${path}.operator`, fields["operator"], "must be In or NotIn"))
  }
  return { in: requirement.operator === "in", values: new Set(requirement.values) }
}

/** One term as it stands in JSON. */
export const clusterTermOf = (fields: Fields, path: string, problems: Problems): ClusterTerm => {
  const expressions = itemsOf(fields["matchExpressions"])
  const onFields = itemsOf(fields["matchFields"])
  const labels = expressions.flatMap((item, at): ReadonlyArray<LabelRequirement> => {
    const where = `${path}.matchExpressions[${at}]`
    const requirement = requirementOf(item, where, problems)
    if (requirement === undefined) return []
    for (const why of Names.qualifiedName(requirement.key)) {
      problems.push(invalid(`${where}.key`, requirement.key, why))
    }
    return [requirement]
  })
  return {
    labels: new LabelSelector(labels),
    names: onFields.flatMap((item, at) => onNames(item, `${path}.matchFields[${at}]`, problems) ?? []),
    empty: expressions.length === 0 && onFields.length === 0
  }
}

/** The labels of a clusterSelector. */
export const clusterLabelsOf = (value: unknown): LabelSelector =>
  new LabelSelector(
    Object.entries(mapOf(value)).map(([key, label]): LabelRequirement => ({ key, operator: "=", values: [label] }))
  )

/** The `clusterSelector` and `clusterAffinity` of an object. */
export const clusterTermsOf = (fields: Fields, path: string, problems: Problems): ClusterTerms => ({
  selector: clusterLabelsOf(fields["clusterSelector"]),
  terms: itemsOf(fields["clusterAffinity"]).map((term, at) =>
    clusterTermOf(fieldsOf(term), `${path}.clusterAffinity[${at}]`, problems)
  )
})

/** Whether one term holds for a cluster. */
export const termMatches = ({ empty, labels, names }: ClusterTerm, cluster: Labelled): boolean =>
  !empty && labels.matches(cluster.labels) && names.every((one) => one.values.has(cluster.name) === one.in)

/** Whether a cluster is meant. */
export const clusterMatches = ({ selector, terms }: ClusterTerms, cluster: Labelled): boolean =>
  selector.matches(cluster.labels) && (terms.length === 0 || terms.some((term) => termMatches(term, cluster)))
