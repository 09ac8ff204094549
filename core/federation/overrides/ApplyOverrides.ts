// What override policies make of a template in one cluster: a JSON patch and the object after it.
// Owns the order (policies as given, rules, overriders, each upon what the ones before left) and that a rule which fails changes nothing;
// refuses to choose policies.
import type { JsonObject } from "#kube"
import { type OverridePolicy, ruleIsFor } from "../api/OverridePolicy.ts"
import type { OverridePatch } from "../api/FederatedObject.ts"
import { OverrideFailed } from "../FederationError.ts"
import { Unchangeable } from "./ImageReference.ts"
import type { Overridden, OverrideRequest } from "./Overridden.ts"
import { overridersIn, patched } from "./Overriders.ts"

const policyName = ({ kind, name, namespace }: OverridePolicy): string =>
  `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`

interface RuleDone {
  readonly object: JsonObject
  readonly patches: ReadonlyArray<OverridePatch>
}

interface RuleFailed {
  readonly overrider: string
  readonly reason: string
}

const applyRule = (object: JsonObject, { overriders }: OverridePolicy["rules"][number]): RuleDone | RuleFailed => {
  let working = object
  const patches: Array<OverridePatch> = []
  for (const [overrider, run] of overridersIn(overriders)) {
    const change = run(working)
    if (change instanceof Unchangeable) return { overrider, reason: change.reason }
    if (change.length === 0) continue
    const next = patched(working, change)
    if (next instanceof Unchangeable) return { overrider, reason: next.reason }
    patches.push(...change)
    working = next
  }
  return { object: working, patches }
}

/** Applies policies to a template. Errors name the policy and the rule; the other rules are applied all the same. */
export const applyOverrides = ({ cluster, policies, template }: OverrideRequest): Overridden => {
  let object = template
  const patches: Array<OverridePatch> = []
  const errors: Array<OverrideFailed> = []
  for (const policy of policies) {
    for (const { detail, field } of policy.problems) {
      errors.push(new OverrideFailed({ policy: policyName(policy), field, cluster: cluster.name, reason: detail }))
    }
    policy.rules.forEach((rule, at) => {
      if (!ruleIsFor(rule, cluster)) return
      const done = applyRule(object, rule)
      if ("reason" in done) {
        const field = `spec.overrideRules[${at}].overriders.${done.overrider}`
        errors.push(
          new OverrideFailed({ policy: policyName(policy), field, cluster: cluster.name, reason: done.reason })
        )
        return
      }
      patches.push(...done.patches)
      ;({ object } = done)
    })
  }
  return { patches, object, errors }
}
