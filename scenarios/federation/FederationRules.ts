// Rules of a scenario's federation that no single field can check: members that are too few, steps that need others before them.
// Owns only such rules; what one field may hold is said by Federation.ts.
import { duplicates, unknownName } from "../NameRules.ts"
import type { Problem } from "../Problems.ts"
import type { Slo } from "../Scenario.ts"
import type { Federation } from "./Federation.ts"
import { isStepMetric, stepKindsOf } from "./FederationSloMetric.ts"

/** Objects of one run: what one process holds, with its members, in a heap that machines have. */
const OBJECTS_MAX = 1_000_000

const stepProblems = ({ members, steps }: Federation): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  let objects = 0
  steps.forEach((step, at) => {
    const path = ["federation", "steps", at]
    if (step.kind === "create") objects += step.objects
    else if (objects === 0) problems.push({ path: [...path, "kind"], rule: `${step.kind} needs a create before it` })
    if (step.kind === "outage" && step.members >= members.count)
      problems.push({
        path: [...path, "members"],
        rule: `must be less than the ${members.count} members that there are`
      })
    if (objects > OBJECTS_MAX)
      problems.push({
        path: [...path, "objects"],
        rule: `${objects.toLocaleString("en")} objects with those before are more than ${OBJECTS_MAX.toLocaleString("en")}`
      })
  })
  return problems
}

const seconds = (ms: number): boolean => ms % 1000 === 0

/** Every broken rule of the federation part, with the path of the field to change. */
export const federationProblems = (federation: Federation): ReadonlyArray<Problem> => {
  const { health, members, placement, steps } = federation
  const problems: Array<Problem> = [...duplicates(steps, ["federation", "steps"]), ...stepProblems(federation)]
  for (const field of ["tolerated", "grace"] as const)
    if (!seconds(placement[field]))
      problems.push({ path: ["federation", "placement", field], rule: "must be whole seconds" })
  if (placement.clusters > members.count)
    problems.push({
      path: ["federation", "placement", "clusters"],
      rule: `must not be more than the ${members.count} members`
    })
  if (health.lostAfter < health.probe)
    problems.push({ path: ["federation", "health", "lostAfter"], rule: "must not be shorter than probe" })
  if (!steps.some(({ judged }) => judged))
    problems.push({ path: ["federation", "steps"], rule: "needs at least one that is judged" })
  return problems
}

/** What is wrong with a target on a federation. */
export const federationSloProblems = (
  { metric, of }: Slo,
  index: number,
  federation: Federation | undefined
): ReadonlyArray<Problem> => {
  const path = ["slo", index]
  if (federation === undefined)
    return [{ path: [...path, "metric"], rule: `${metric} is about a federation, and there is none` }]
  if (!isStepMetric(metric))
    return of === undefined
      ? []
      : [{ path: [...path, "of"], rule: `${metric} is about the whole run and takes no name` }]
  const kinds = stepKindsOf(metric)
  const steps = federation.steps.filter(({ kind }) => kinds.includes(kind))
  if (of === undefined)
    return steps.length > 0
      ? []
      : [{ path: [...path, "metric"], rule: `${metric} needs a step of kind ${kinds.join(" or ")}` }]
  const names = steps.map(({ name }) => name)
  return names.includes(of) ? [] : [unknownName([...path, "of"], `step of kind ${kinds.join(" or ")}`, of, names)]
}
