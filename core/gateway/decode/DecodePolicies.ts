// Dispatch policies, and the function that finds the one for a request.
// Owns the order (policies, then their rules, then the default) and KubeGateway's checks; the index does the finding.
import { type Fields, fieldsIn, invalid, itemsOf, required, textOf, textsOf } from "#apiserver"
import type { DispatchPolicy, UpstreamCluster } from "../config/UpstreamCluster.ts"
import type { DispatchRule } from "../policy/DispatchRule.ts"
import { RuleIndex } from "../policy/RuleIndex.ts"
import { checkRule, decodeRule } from "./DecodeRule.ts"
import { endpointName } from "./DecodeServers.ts"
import { choiceOr, type Findings } from "./Decoding.ts"

const FIELD = "spec.dispatchPolicies"

/** What policies refer to. */
export interface PolicyTargets {
  readonly endpoints: ReadonlySet<string>
  readonly flowControls: ReadonlySet<string>
  /** spec.logging.mode. */
  readonly logging: string
}

/** Either off is off, else either on is on. */
const isLogged = (cluster: string, policy: string): boolean =>
  cluster !== "off" && policy !== "off" && (cluster === "on" || policy === "on")

const policyOf = (
  policy: Fields,
  index: number,
  path: string,
  targets: PolicyTargets,
  { problems }: Findings
): DispatchPolicy => {
  const subset = textsOf(policy["upstreamSubset"]).map(endpointName)
  for (const [at, url] of subset.entries())
    if (!targets.endpoints.has(url))
      problems.push(
        invalid(`${path}.upstreamSubset[${at}]`, url, "upstream subset endpoint must be present in servers")
      )
  const flowControl = textOf(policy["flowControlSchemaName"])
  if (flowControl !== "" && !targets.flowControls.has(flowControl))
    problems.push(
      invalid(
        `${path}.flowControlSchemaName`,
        flowControl,
        "policy's flowControlSchema name must be present in flowControlSchemas"
      )
    )
  return {
    index,
    strategy: choiceOr(policy["strategy"], "RoundRobin"),
    subset,
    flowControl,
    log: isLogged(targets.logging, textOf(policy["logMode"]))
  }
}

/** Rules of all policies in order, each with its policy. */
const numbered = (rules: ReadonlyArray<ReadonlyArray<DispatchRule>>): ReadonlyArray<readonly [DispatchRule, number]> =>
  rules.flatMap((own, policy) => own.map((rule) => [rule, policy] as const))

/** spec.dispatchPolicies and spec.defaultDispatchPolicy. */
export const decodePolicies = (
  spec: Fields,
  targets: PolicyTargets,
  findings: Findings
): Pick<UpstreamCluster, "policies" | "policyOf"> => {
  const { problems } = findings
  const written = itemsOf(spec["dispatchPolicies"])
  const byDefault = fieldsIn(spec["defaultDispatchPolicy"])
  if (written.length === 0 && byDefault === undefined)
    problems.push(required(FIELD, "resource must supply at least one dispatch policy"))
  const policies = written.map((policy, at) => policyOf(policy, at, `${FIELD}[${at}]`, targets, findings))
  const rules = written.map((policy, at) => {
    const own = itemsOf(policy["rules"]).map(decodeRule)
    if (own.length === 0)
      problems.push(required(`${FIELD}[${at}].rules`, "dispatch policy must supply at least one rule"))
    for (const [place, rule] of own.entries()) checkRule(rule, `${FIELD}[${at}].rules[${place}]`, findings)
    return own
  })
  const last =
    byDefault === undefined
      ? undefined
      : policyOf(byDefault, policies.length, "spec.defaultDispatchPolicy", targets, findings)
  const flat = numbered(rules)
  const index = new RuleIndex(flat.map(([rule]) => rule))
  const chosen = flat.map(([, policy]) => policies[policy])
  return {
    policies: last === undefined ? policies : [...policies, last],
    policyOf: (facts) => {
      const place = index.first(facts)
      return place < 0 ? last : chosen[place]
    }
  }
}
