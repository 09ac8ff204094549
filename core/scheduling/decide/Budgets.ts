// Pod disruption budgets as preemption sees them: whose eviction would break one.
// Owns the counting down (upstream's filterPodsWithPDBViolation); refuses to enforce, since budgets only order preemption's choices.
import { type KubeObject, LabelSelector, type LabelSelectorObject, labelSelectorOf } from "#kube"
import type { PlacedPod } from "../cluster/Cluster.ts"
import { noLabels } from "../pod/PodFields.ts"

export interface Budget {
  readonly namespace: string
  readonly selector: LabelSelector
  /** Evictions that it still allows. */
  readonly allowed: number
  /** Names of pods that it has let go already. */
  readonly disrupted: ReadonlySet<string>
}

/** A PodDisruptionBudget; undefined when it selects nothing. */
export const budgetOf = (object: KubeObject): Budget | undefined => {
  // SAFETY: the API server has validated it.
  const { selector: fields } = (object.spec ?? {}) as { readonly selector?: LabelSelectorObject }
  const status = (object.status ?? {}) as {
    readonly disruptionsAllowed?: number
    readonly disruptedPods?: Readonly<Record<string, string>>
  }
  const selector = labelSelectorOf(fields)
  if (!(selector instanceof LabelSelector) || selector.empty || selector.nothing) return undefined
  return {
    namespace: object.metadata.namespace ?? "",
    selector,
    allowed: status.disruptionsAllowed ?? 0,
    disrupted: new Set(Object.keys(status.disruptedPods ?? {}))
  }
}

export interface Split {
  readonly breaking: ReadonlyArray<PlacedPod>
  readonly harmless: ReadonlyArray<PlacedPod>
}

/** Pods in the given order, by whether evicting those before and then them breaks a budget. */
export const splitByBudgets = (pods: ReadonlyArray<PlacedPod>, budgets: ReadonlyArray<Budget>): Split => {
  if (budgets.length === 0) return { breaking: [], harmless: pods }
  const left = budgets.map(({ allowed }) => allowed)
  const breaks = ({ pod: { metadata } }: PlacedPod): boolean => {
    const { labels = noLabels, name = "", namespace } = metadata
    if (Object.keys(labels).length === 0) return false
    for (let at = 0; at < budgets.length; at++) {
      const budget = budgets[at]
      if (budget.namespace !== namespace || !budget.selector.matches(labels)) continue
      if (budget.disrupted.has(name)) continue
      left[at]--
      if (left[at] < 0) return true
    }
    return false
  }
  const breaking: Array<PlacedPod> = []
  const harmless: Array<PlacedPod> = []
  for (const placed of pods) (breaks(placed) ? breaking : harmless).push(placed)
  return { breaking, harmless }
}
