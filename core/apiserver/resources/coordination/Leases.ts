// Leases: who holds what, renewed again and again. The hottest kind there is: nothing is copied or walked without need.
// Owns their rules and columns. Source: kubernetes pkg/apis/coordination/validation.
import type { KubeObject } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { fieldsOf, textOf } from "../Fields.ts"
import { forbidden, invalid, NOT_NEGATIVE, type Problems } from "../Problems.ts"

const checkLease = ({ spec }: KubeObject, problems: Problems): void => {
  const { leaseDurationSeconds, leaseTransitions, preferredHolder, strategy } = fieldsOf(spec)
  if (typeof leaseDurationSeconds === "number" && leaseDurationSeconds <= 0) {
    problems.push(invalid("spec.leaseDurationSeconds", leaseDurationSeconds, "must be greater than 0"))
  }
  if (typeof leaseTransitions === "number" && leaseTransitions < 0) {
    problems.push(invalid("spec.leaseTransitions", leaseTransitions, NOT_NEGATIVE))
  }
  if (textOf(preferredHolder) !== "" && textOf(strategy) === "") {
    problems.push(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
  }
}

const withoutElection = ({ spec }: Draft): undefined => {
  if (spec === undefined) return undefined
  if (spec["strategy"] !== undefined) delete spec["strategy"]
  if (spec["preferredHolder"] !== undefined) delete spec["preferredHolder"]
  return undefined
}

/** The definition of leases. */
export const leases = (): Definition =>
  define("coordination.k8s.io", "v1", "Lease", {
    // Coordinated election is off: what only it reads is not kept.
    prepareForCreate: withoutElection,
    prepareForUpdate: withoutElection,
    check: checkLease,
    strategy: { createOnUpdate: true, unconditionalUpdate: false },
    columns: [nameColumn, column("Holder", ({ spec }) => textOf(fieldsOf(spec)["holderIdentity"])), ageColumn]
  })
