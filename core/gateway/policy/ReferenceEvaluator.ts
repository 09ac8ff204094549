// What it means that a rule agrees with a request, said as plainly as it can be: the judge of RuleIndex.ts, and the rule book.
// Owns the meaning; refuses speed. Nothing here is shared with the index but the shapes and the reading of selectors.
import {
  type DispatchRule,
  isNegated,
  prefixOf,
  type ListField,
  serviceAccountUser,
  type ServiceAccountRef
} from "./DispatchRule.ts"
import { addressNumber, type CidrBlock, isInBlock, parseCidr } from "./Cidr.ts"
import { askedVersion, isLongRunning, type RequestFacts } from "./RequestFacts.ts"
import { fieldTerms, labelTerms } from "./RequestTerms.ts"

/** Whether a list agrees: `covers` tells whether an item, without its "-", covers the request. */
const agrees = (items: ReadonlyArray<string>, covers: (item: string) => boolean): boolean => {
  if (items.includes("*")) return true
  const positive = items.filter((item) => !isNegated(item))
  if (positive.length > 0) return positive.some(covers)
  return items.length > 0 && !items.some((item) => covers(item.slice(1)))
}

/** The same, where an empty list agrees with everything. */
const agreesOrEmpty = (items: ReadonlyArray<string>, covers: (item: string) => boolean): boolean =>
  items.length === 0 || agrees(items, covers)

const is =
  (value: string) =>
  (item: string): boolean =>
    item === value

const isOrBegins =
  (value: string) =>
  (item: string): boolean => {
    const prefix = prefixOf(item)
    return item === value || (prefix !== undefined && value.startsWith(prefix))
  }

const isResource =
  (resource: string, subresource: string) =>
  (item: string): boolean =>
    item === (subresource === "" ? resource : `${resource}/${subresource}`) ||
    (subresource !== "" && item === `*/${subresource}`)

const isUser = (users: ReadonlyArray<string>, accounts: ReadonlyArray<ServiceAccountRef>, name: string): boolean => {
  if (users.length === 0 && accounts.length === 0) return true
  if (agrees(users, isOrBegins(name))) return true
  return accounts.some(
    (account) => account.namespace !== "" && account.name !== "" && serviceAccountUser(account) === name
  )
}

const isFrom =
  (address: string) =>
  (item: string): boolean => {
    const block: CidrBlock | undefined = parseCidr(item)
    const number = addressNumber(address)
    return block !== undefined && number !== undefined && isInBlock(number, block)
  }

const agreesOnResource = (rule: DispatchRule, facts: RequestFacts): boolean => {
  const { apiGroup, fieldSelector, labelSelector, name, namespace, resource, subresource } = facts.info
  const labels = labelTerms(labelSelector)
  const fields = fieldTerms(fieldSelector)
  return (
    agrees(rule.apiGroups, is(apiGroup)) &&
    agrees(rule.resources, isResource(resource, subresource)) &&
    agreesOrEmpty(rule.resourceNames, is(name)) &&
    agreesOrEmpty(rule.namespaces, isOrBegins(namespace)) &&
    agreesOrEmpty(rule.labelSelectors, (item) => labels.includes(item)) &&
    agreesOrEmpty(rule.fieldSelectors, (item) => fields.includes(item)) &&
    agreesOrEmpty(rule.resourceVersions, is(askedVersion(facts)))
  )
}

const agreesOnUrl = (rule: DispatchRule, { path }: RequestFacts["info"]): boolean => {
  if (rule.nonResourceURLs.includes("*")) return true
  return rule.nonResourceURLs.some((item) => !isNegated(item) && isOrBegins(path)(item))
}

/** Whether a rule agrees with a request. */
export const ruleAgrees = (rule: DispatchRule, facts: RequestFacts): boolean => {
  const { info, sourceIp, user, userAgent } = facts
  return (
    agrees(rule.verbs, is(info.verb)) &&
    isUser(rule.users, rule.serviceAccounts, user.name) &&
    agreesOrEmpty(rule.userGroups, (item) => user.groups.includes(item)) &&
    agreesOrEmpty(rule.userAgents, isOrBegins(userAgent)) &&
    agreesOrEmpty(rule.sourceCIDRs, isFrom(sourceIp)) &&
    (rule.longRunning === undefined || rule.longRunning === isLongRunning(info)) &&
    facts.draw * 100 < rule.percentage &&
    (info.isResourceRequest ? agreesOnResource(rule, facts) : agreesOnUrl(rule, info))
  )
}

/** The place of the first rule that agrees; -1 for none. */
export const firstRule = (rules: ReadonlyArray<DispatchRule>, facts: RequestFacts): number =>
  rules.findIndex((rule) => ruleAgrees(rule, facts))

/** The list fields of resources, which requests for other URLs are not held against. */
export const resourceFields: ReadonlySet<ListField> = new Set([
  "apiGroups",
  "resources",
  "resourceNames",
  "namespaces",
  "labelSelectors",
  "fieldSelectors",
  "resourceVersions"
])
