// Rules of what a workload asks of the scheduler: classes that must exist, labels that some node must have, terms that contradict
// themselves, gates that nothing opens. Owns these rules and their sentences; whether pods fit is ClusterRules.ts's.
import type { FieldPath } from "../Diagnostic.ts"
import { unknownName } from "../NameRules.ts"
import type { Problem } from "../Problems.ts"
import { labelKeysOf } from "./Capacity.ts"
import type { Cluster } from "./Cluster.ts"
import type { NodeTerm } from "./Placement.ts"
import type { Workload } from "./Workload.ts"

const SYSTEM_CLASSES = ["system-cluster-critical", "system-node-critical"]

/** The priority classes that pods of the cluster may name. */
export const priorityClassNames = ({ priorityClasses }: Cluster): ReadonlyArray<string> => [
  ...priorityClasses.map(({ name }) => name),
  ...SYSTEM_CLASSES
]

/** Names that Kubernetes keeps for itself. */
export const priorityClassProblems = ({ priorityClasses }: Cluster): ReadonlyArray<Problem> =>
  priorityClasses.flatMap(({ name }, at) =>
    name.startsWith("system-")
      ? [
          {
            path: ["cluster", "priorityClasses", at, "name"],
            rule: "begins with system-, which Kubernetes keeps for itself"
          }
        ]
      : []
  )

const valueProblem = ({ operator, values }: NodeTerm): string | undefined => {
  switch (operator) {
    case "In":
    case "NotIn":
      return values.length > 0 ? undefined : `${operator} needs at least one value`
    case "Gt":
    case "Lt":
      return values.length === 1 && /^-?\d+$/.test(values[0]) ? undefined : `${operator} needs one whole number`
    default:
      return values.length === 0 ? undefined : `${operator} takes no values`
  }
}

const nodeTermProblems = (workload: Workload, path: FieldPath): ReadonlyArray<Problem> =>
  (workload.nodeAffinity ?? []).flatMap((term, at) => {
    const rule = valueProblem(term)
    return rule === undefined ? [] : [{ path: [...path, "nodeAffinity", at, "values"], rule }]
  })

/** A required term over a label that no node has keeps every pod waiting; with `mayWait` that is what is asked for. */
const topologyProblems = (cluster: Cluster, workload: Workload, path: FieldPath): ReadonlyArray<Problem> => {
  if (workload.mayWait) return []
  const keys = labelKeysOf(cluster)
  const unknown = (field: string, at: number, key: string): ReadonlyArray<Problem> =>
    keys.has(key) ? [] : [unknownName([...path, field, at, "topologyKey"], "label of a node", key, [...keys])]
  return [
    ...(workload.podAffinity ?? []).flatMap(({ topologyKey, weight }, at) =>
      weight === undefined ? unknown("podAffinity", at, topologyKey) : []
    ),
    ...(workload.spread ?? []).flatMap(({ topologyKey, whenUnsatisfiable }, at) =>
      whenUnsatisfiable === "DoNotSchedule" ? unknown("spread", at, topologyKey) : []
    )
  ]
}

const spreadProblems = (workload: Workload, path: FieldPath): ReadonlyArray<Problem> =>
  (workload.spread ?? []).flatMap(({ minDomains, whenUnsatisfiable }, at) =>
    minDomains === undefined || whenUnsatisfiable === "DoNotSchedule"
      ? []
      : [{ path: [...path, "spread", at, "minDomains"], rule: "counts only with whenUnsatisfiable: DoNotSchedule" }]
  )

const gateProblems = ({ actions }: Cluster, { gates, kind, mayWait, name }: Workload, path: FieldPath) => {
  if (gates === undefined) return []
  if (kind !== "Pod") return [{ path: [...path, "gates"], rule: `is for bare pods (kind: Pod), not for a ${kind}` }]
  if (mayWait || actions.some((action) => action.kind === "ungate" && action.of === name)) return []
  const rule = "is never opened: add an action of kind ungate, or say mayWait: true"
  return [{ path: [...path, "gates"], rule }]
}

/** Every broken rule about where a workload's pods may go. */
export const placementProblems = (cluster: Cluster, workload: Workload, path: FieldPath): ReadonlyArray<Problem> => {
  const classes = priorityClassNames(cluster)
  const { priorityClass } = workload
  const unknown =
    priorityClass === undefined || classes.includes(priorityClass)
      ? []
      : [unknownName([...path, "priorityClass"], "priority class", priorityClass, classes)]
  return [
    ...unknown,
    ...nodeTermProblems(workload, path),
    ...topologyProblems(cluster, workload, path),
    ...spreadProblems(workload, path),
    ...gateProblems(cluster, workload, path)
  ]
}
