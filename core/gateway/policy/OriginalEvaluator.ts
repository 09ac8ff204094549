// How KubeGateway itself matches a rule, mistakes and all: the oracle by which the linter finds rules whose meaning has changed.
// Owns that behaviour as it was read in KubeGateway's evaluation helpers (HEAD of August 2025); refuses to be used for any real request.
// Its mistakes: negated items are alternatives, so that two of them cover everything, and so do a negated prefix and a group that a
// user with other groups is not to have.
import { type DispatchRule, isNegated, prefixOf, serviceAccountUser } from "./DispatchRule.ts"
import type { RequestFacts } from "./RequestFacts.ts"

interface Item {
  readonly negated: boolean
  readonly value: string
}

/** What is left of a list: nothing but positive items where there is one. Undefined: everything matches. */
const itemsOf = (list: ReadonlyArray<string>): ReadonlyArray<Item> | undefined => {
  const items: Array<Item> = []
  for (const item of list) {
    if (item === "*") return undefined
    items.push(isNegated(item) ? { negated: true, value: item.slice(1) } : { negated: false, value: item })
  }
  return items.some(({ negated }) => !negated) ? items.filter(({ negated }) => !negated) : items
}

const simple = (
  list: ReadonlyArray<string>,
  asked: ReadonlyArray<string>,
  further: (item: Item) => boolean = () => false
): boolean => {
  const items = itemsOf(list)
  if (items === undefined) return true
  return items.some((item) => asked.some((value) => (item.value === value) !== item.negated) || further(item))
}

const resourceMatches = (list: ReadonlyArray<string>, resource: string, subresource: string): boolean =>
  simple(list, [subresource === "" ? resource : `${resource}/${subresource}`], ({ negated, value }) => {
    if (subresource === "" || !value.startsWith("*/")) return false
    return (value === `*/${subresource}`) !== negated
  })

const userMatches = ({ serviceAccounts, users }: DispatchRule, name: string): boolean => {
  if (users.length === 0 && serviceAccounts.length === 0) return true
  const begins = ({ value }: Item): boolean => {
    const prefix = prefixOf(value)
    return prefix !== undefined && name.startsWith(prefix)
  }
  if (simple(users, [name], begins)) return true
  return serviceAccounts.some(
    (account) => account.namespace !== "" && account.name !== "" && serviceAccountUser(account) === name
  )
}

const urlMatches = (list: ReadonlyArray<string>, path: string): boolean => {
  const items = itemsOf(list)
  if (items === undefined) return true
  return items.some(({ negated, value }) => {
    const prefix = prefixOf(value)
    return !negated && (value === path || (prefix !== undefined && path.startsWith(prefix)))
  })
}

/** Whether KubeGateway would find that a rule matches a request; fields that it does not know are not looked at. */
export const originalMatches = (rule: DispatchRule, { info, user }: RequestFacts): boolean => {
  const { apiGroups, resourceNames, resources, userGroups, verbs } = rule
  if (!simple(verbs, [info.verb]) || !userMatches(rule, user.name)) return false
  if (userGroups.length > 0 && !simple(userGroups, user.groups)) return false
  if (!info.isResourceRequest) return urlMatches(rule.nonResourceURLs, info.path)
  return (
    simple(apiGroups, [info.apiGroup]) &&
    resourceMatches(resources, info.resource, info.subresource) &&
    (resourceNames.length === 0 || simple(resourceNames, [info.name]))
  )
}
