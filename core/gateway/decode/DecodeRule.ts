// One rule of a dispatch policy, read as it stands in a manifest.
// Owns the reading and what is wrong with a rule beyond its schema; refuses what it means (policy/).
import { type Fields, invalid, itemsOf, textOf, textsOf } from "#apiserver"
import { type DispatchRule, isNegated } from "../policy/DispatchRule.ts"
import { parseCidr } from "../policy/Cidr.ts"
import { type Findings, numberOr } from "./Decoding.ts"

/** A rule of a manifest. */
export const decodeRule = (rule: Fields): DispatchRule => {
  const { longRunning } = rule
  return {
    verbs: textsOf(rule["verbs"]),
    apiGroups: textsOf(rule["apiGroups"]),
    resources: textsOf(rule["resources"]),
    resourceNames: textsOf(rule["resourceNames"]),
    users: textsOf(rule["users"]),
    serviceAccounts: itemsOf(rule["serviceAccounts"]).map(({ name, namespace }) => ({
      namespace: textOf(namespace),
      name: textOf(name)
    })),
    userGroups: textsOf(rule["userGroups"]),
    nonResourceURLs: textsOf(rule["nonResourceURLs"]),
    namespaces: textsOf(rule["namespaces"]),
    userAgents: textsOf(rule["userAgents"]),
    sourceCIDRs: textsOf(rule["sourceCIDRs"]),
    labelSelectors: textsOf(rule["labelSelectors"]),
    fieldSelectors: textsOf(rule["fieldSelectors"]),
    resourceVersions: textsOf(rule["resourceVersions"]),
    longRunning: typeof longRunning === "boolean" ? longRunning : undefined,
    percentage: numberOr(rule["percentage"], 100)
  }
}

/** Fields that KubeGateway does not have: here nothing is taken that could be meant otherwise. */
const ownLists = [
  "namespaces",
  "userAgents",
  "sourceCIDRs",
  "labelSelectors",
  "fieldSelectors",
  "resourceVersions"
] as const

/** Reports what a rule cannot mean. */
export const checkRule = (rule: DispatchRule, path: string, { problems, warnings }: Findings): void => {
  for (const [at, item] of rule.sourceCIDRs.entries())
    if (item !== "*" && parseCidr(isNegated(item) ? item.slice(1) : item) === undefined)
      problems.push(invalid(`${path}.sourceCIDRs[${at}]`, item, "must be a block of addresses like 10.0.0.0/8"))
  for (const field of ownLists) {
    const negated = rule[field].filter(isNegated).length
    if (negated > 0 && negated < rule[field].length)
      problems.push(invalid(`${path}.${field}`, [...rule[field]], 'must have "-" before all items or before none'))
  }
  warnings.push(...ruleWarnings(rule).map((warning) => `${path}: ${warning}`))
}

/** What a rule says in vain. */
export const ruleWarnings = (rule: DispatchRule): ReadonlyArray<string> => {
  const { apiGroups, nonResourceURLs, percentage, resources, serviceAccounts, verbs } = rule
  const found: Array<string> = []
  if (verbs.length === 0) found.push("verbs is empty: the rule matches nothing")
  if (nonResourceURLs.length === 0 && apiGroups.length === 0) found.push("apiGroups is empty: the rule matches nothing")
  if (nonResourceURLs.length === 0 && resources.length === 0) found.push("resources is empty: the rule matches nothing")
  if (percentage === 0) found.push("percentage is 0: the rule matches nothing")
  for (const item of resources)
    if (item.endsWith("/*")) found.push(`resources: ${JSON.stringify(item)} matches nothing; name the subresources`)
  for (const item of nonResourceURLs)
    if (isNegated(item))
      found.push(`nonResourceURLs: ${JSON.stringify(item)} counts for nothing; paths cannot be negated`)
  if (serviceAccounts.some(({ name, namespace }) => name === "" || namespace === ""))
    found.push("serviceAccounts: one without a name or a namespace is nobody")
  const both = ["verbs", "apiGroups", "resources", "resourceNames", "users", "userGroups"] as const
  for (const field of both) {
    const negated = rule[field].filter(isNegated)
    if (negated.length > 0 && negated.length < rule[field].length)
      found.push(
        `${field}: ${negated.map((item) => JSON.stringify(item)).join(", ")} count for nothing beside the other items`
      )
  }
  return found
}
