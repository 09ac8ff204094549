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

/** MicroTime as most write it; whatever else is allowed goes the whole way. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/
/** The last time that was looked at: many leases are renewed at the same one. */
let lastTime: unknown

const isMicroTime = (value: unknown): boolean => {
  if (value === lastTime) return true
  if (typeof value !== "string" || !MICRO_TIME.test(value)) return false
  lastTime = value
  return true
}

/** Whether a lease is renewed and nothing else. */
const refreshes = (body: KubeObject, old: KubeObject): boolean => {
  for (const name in body) if (name !== "spec" && !HEAD.has(name)) return false
  const spec = fieldsOf(body.spec)
  const before = fieldsOf(old.spec)
  let fields = 0
  let isRenewed = false
  for (const name in spec) {
    fields++
    if (spec[name] === before[name]) continue
    if (name !== "renewTime" || !isMicroTime(spec[name])) return false
    isRenewed = true
  }
  for (const name in before) if (before[name] !== undefined) fields--
  return isRenewed && fields === 0
}

const HEAD: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"])

/** The definition of leases. */
export const leases = (): Definition =>
  define("coordination.k8s.io", "v1", "Lease", {
    // Coordinated election is off: what only it reads is not kept.
    prepareForCreate: withoutElection,
    prepareForUpdate: withoutElection,
    check: checkLease,
    strategy: { createOnUpdate: true, unconditionalUpdate: false, refreshes },
    columns: [nameColumn, column("Holder", ({ spec }) => textOf(fieldsOf(spec)["holderIdentity"])), ageColumn]
  })
