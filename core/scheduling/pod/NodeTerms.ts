// Node selectors, required and preferred (component-helpers' nodeaffinity): which nodes a pod may and would rather go to.
// Owns compiling and matching terms; a term that cannot be read matches nothing, as there.
import { type LabelRequirement, type Labels, LabelSelector } from "#kube"
import type {
  NodeSelectorFields,
  NodeSelectorRequirement,
  NodeSelectorTermFields,
  PodSpecFields,
  PreferredNodeTerm
} from "./PodFields.ts"

interface FieldRequirement {
  readonly key: string
  readonly value: string
  readonly wanted: boolean
}

interface NodeTerm {
  readonly labels: LabelSelector | undefined
  readonly fields: ReadonlyArray<FieldRequirement>
  readonly weight: number
}

const operators: Readonly<Record<string, LabelRequirement["operator"]>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
  Gt: ">",
  Lt: "<"
}

const integer = /^[+-]?\d+$/

const labelRequirement = ({ key, operator, values = [] }: NodeSelectorRequirement): LabelRequirement | undefined => {
  const known = operators[operator]
  if (known === undefined) return undefined
  if ((known === "in" || known === "notin") && values.length === 0) return undefined
  if ((known === "exists" || known === "!") && values.length > 0) return undefined
  if ((known === ">" || known === "<") && (values.length !== 1 || !integer.test(values[0]))) return undefined
  return { key, operator: known, values }
}

const compileTerm = (term: NodeSelectorTermFields, weight: number): NodeTerm | undefined => {
  const { matchExpressions = [], matchFields = [] } = term
  const labels: Array<LabelRequirement> = []
  for (const expression of matchExpressions) {
    const requirement = labelRequirement(expression)
    if (requirement === undefined) return undefined
    labels.push(requirement)
  }
  const fields: Array<FieldRequirement> = []
  for (const { key, operator, values = [] } of matchFields) {
    if (values.length !== 1 || (operator !== "In" && operator !== "NotIn")) return undefined
    fields.push({ key, value: values[0], wanted: operator === "In" })
  }
  return { labels: labels.length === 0 ? undefined : new LabelSelector(labels), fields, weight }
}

const isEmpty = ({ matchExpressions = [], matchFields = [] }: NodeSelectorTermFields): boolean =>
  matchExpressions.length === 0 && matchFields.length === 0

const matches = ({ fields, labels }: NodeTerm, name: string, nodeLabels: Labels): boolean => {
  if (labels !== undefined && !labels.matches(nodeLabels)) return false
  for (const { key, value, wanted } of fields) {
    const shown = key === "metadata.name" ? name : ""
    if ((shown === value) !== wanted) return false
  }
  return true
}

/** A node selector: any of its terms matches. One without a term that can be read matches nothing. */
export class NodeTerms {
  private readonly terms: ReadonlyArray<NodeTerm>

  constructor({ nodeSelectorTerms = [] }: NodeSelectorFields) {
    this.terms = nodeSelectorTerms.flatMap((term) => {
      const compiled = isEmpty(term) ? undefined : compileTerm(term, 0)
      return compiled === undefined ? [] : [compiled]
    })
  }

  matches(name: string, labels: Labels): boolean {
    for (const term of this.terms) if (matches(term, name, labels)) return true
    return false
  }
}

/** Where a pod must go: its nodeSelector and its required node affinity. */
export class RequiredNodes {
  private readonly pairs: ReadonlyArray<readonly [string, string]>
  private readonly terms: NodeTerms | undefined

  constructor(spec: PodSpecFields) {
    this.pairs = Object.entries(spec.nodeSelector ?? {})
    const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    this.terms = required === undefined ? undefined : new NodeTerms(required)
  }

  /** Whether every node will do. */
  get anywhere(): boolean {
    return this.pairs.length === 0 && this.terms === undefined
  }

  matches(name: string, labels: Labels): boolean {
    for (const [key, value] of this.pairs) if (labels[key] !== value) return false
    return this.terms === undefined || this.terms.matches(name, labels)
  }
}

/** Preferred terms with their weights: the sum over those that match. */
export class PreferredNodes {
  private readonly terms: ReadonlyArray<NodeTerm>

  constructor(terms: ReadonlyArray<PreferredNodeTerm>) {
    this.terms = terms.flatMap(({ preference, weight }) => {
      const compiled = weight === 0 || isEmpty(preference) ? undefined : compileTerm(preference, weight)
      return compiled === undefined ? [] : [compiled]
    })
  }

  score(name: string, labels: Labels): number {
    let sum = 0
    for (const term of this.terms) if (matches(term, name, labels)) sum += term.weight
    return sum
  }
}

/** The nodes that a pod's affinity names by metadata.name in every term; undefined when it does not. Empty: terms conflict. */
export const namedNodes = (spec: PodSpecFields): ReadonlySet<string> | undefined => {
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  if (terms.length === 0) return undefined
  const names = new Set<string>()
  for (const { matchFields = [] } of terms) {
    let named: Set<string> | undefined
    for (const { key, operator, values = [] } of matchFields) {
      if (key !== "metadata.name" || operator !== "In") continue
      named = named === undefined ? new Set(values) : named.intersection(new Set(values))
    }
    if (named === undefined) return undefined
    for (const name of named) names.add(name)
  }
  return names
}
