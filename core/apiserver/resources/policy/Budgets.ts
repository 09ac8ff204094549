// PodDisruptionBudgets: how many pods may be away at once.
// Owns their rules and columns; evictions spend them, a controller fills them. Source: kubernetes pkg/apis/policy/validation.
import type { KubeObject } from "#kube"
import type { Definition } from "../../Definition.ts"
import { checkAmountOrPercent, checkAtMostAll, checkCounts } from "../apps/WorkloadRules.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { fieldsOf, numberOf } from "../Fields.ts"
import { invalid, optionalOneOf, type Problems } from "../Problems.ts"
import { checkSelector } from "../Selectors.ts"

const checkBudget = (budget: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(budget.spec)
  if (spec["minAvailable"] !== undefined && spec["maxUnavailable"] !== undefined) {
    const { maxUnavailable, minAvailable, selector = null, unhealthyPodEvictionPolicy = null } = spec
    // The message shows the spec in the server's own form, whose fields are called so.
    const shown = {
      MinAvailable: minAvailable,
      Selector: selector,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy
    }
    problems.push(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
  }
  for (const field of ["minAvailable", "maxUnavailable"]) {
    if (spec[field] === undefined) continue
    checkAmountOrPercent(spec[field], `spec.${field}`, problems)
    checkAtMostAll(spec[field], `spec.${field}`, problems)
  }
  checkSelector(spec["selector"], "spec.selector", problems)
  const policies = ["AlwaysAllow", "IfHealthyBudget"]
  optionalOneOf("spec.unhealthyPodEvictionPolicy", spec["unhealthyPodEvictionPolicy"], policies, problems)
}

const orNone = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : "N/A"

const COUNTS = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]

/** The definition of disruption budgets. */
export const podDisruptionBudgets = (): Definition =>
  define("policy", "v1", "PodDisruptionBudget", {
    check: checkBudget,
    generation: ["spec"],
    status: { check: ({ status }, _old, problems) => checkCounts(fieldsOf(status), "status", COUNTS, problems) },
    strategy: { unconditionalUpdate: false },
    columns: [
      nameColumn,
      column("Min Available", ({ spec }) => orNone(fieldsOf(spec)["minAvailable"])),
      column("Max Unavailable", ({ spec }) => orNone(fieldsOf(spec)["maxUnavailable"])),
      column("Allowed Disruptions", ({ status }) => numberOf(fieldsOf(status)["disruptionsAllowed"]), "integer"),
      ageColumn
    ]
  })
