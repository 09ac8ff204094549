// Taints and the tolerations that answer them (component-helpers' scheduling/corev1).
// Owns the matching; refuses the comparison operators Gt and Lt, which kube-scheduler has behind a gate that is off by default.
import type { Taint, Toleration } from "./PodFields.ts"

export const UNSCHEDULABLE_TAINT: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }

const tolerates = ({ effect, key, operator, value }: Toleration, taint: Taint): boolean => {
  if (effect !== undefined && effect !== "" && effect !== taint.effect) return false
  if (key !== undefined && key !== "" && key !== taint.key) return false
  if (operator === undefined || operator === "" || operator === "Equal") return (value ?? "") === (taint.value ?? "")
  return operator === "Exists"
}

export const toleratesTaint = (tolerations: ReadonlyArray<Toleration>, taint: Taint): boolean => {
  for (const toleration of tolerations) if (tolerates(toleration, taint)) return true
  return false
}

/** Whether a taint that keeps pods away (NoSchedule, NoExecute) is not tolerated. */
export const hasUntolerated = (tolerations: ReadonlyArray<Toleration>, taints: ReadonlyArray<Taint>): boolean => {
  for (const taint of taints)
    if ((taint.effect === "NoSchedule" || taint.effect === "NoExecute") && !toleratesTaint(tolerations, taint))
      return true
  return false
}

/** How many PreferNoSchedule taints are not tolerated; `soft` are the tolerations that apply to that effect. */
export const countUntolerated = (soft: ReadonlyArray<Toleration>, taints: ReadonlyArray<Taint>): number => {
  let count = 0
  for (const taint of taints) if (taint.effect === "PreferNoSchedule" && !toleratesTaint(soft, taint)) count++
  return count
}

/** Tolerations that apply to PreferNoSchedule taints. */
export const softTolerations = (tolerations: ReadonlyArray<Toleration>): ReadonlyArray<Toleration> =>
  tolerations.filter(({ effect }) => effect === undefined || effect === "" || effect === "PreferNoSchedule")
