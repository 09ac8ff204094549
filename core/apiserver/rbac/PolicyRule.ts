// Rules of roles (rbac.authorization.k8s.io/v1): whether one allows a request, and whether some cover another.
// Owns the matching of wildcards, subresources, names and paths; refuses to know who has which rule.
import type { AccessAttributes } from "../Access.ts"
import { itemsOf, textsOf } from "../resources/Fields.ts"

export interface PolicyRule {
  readonly verbs: ReadonlyArray<string>
  readonly apiGroups: ReadonlyArray<string>
  readonly resources: ReadonlyArray<string>
  readonly resourceNames: ReadonlyArray<string>
  readonly nonResourceURLs: ReadonlyArray<string>
}

/** The rules of a role as JSON, with every list there. */
export const rulesOf = (rules: unknown): ReadonlyArray<PolicyRule> =>
  itemsOf(rules).map((rule) => ({
    verbs: textsOf(rule["verbs"]),
    apiGroups: textsOf(rule["apiGroups"]),
    resources: textsOf(rule["resources"]),
    resourceNames: textsOf(rule["resourceNames"]),
    nonResourceURLs: textsOf(rule["nonResourceURLs"])
  }))

/** The rule as it is sent: without its empty lists. */
export const ruleJson = (rule: PolicyRule): Readonly<Record<string, ReadonlyArray<string>>> => ({
  verbs: rule.verbs,
  ...(rule.apiGroups.length === 0 ? {} : { apiGroups: rule.apiGroups }),
  ...(rule.resources.length === 0 ? {} : { resources: rule.resources }),
  ...(rule.resourceNames.length === 0 ? {} : { resourceNames: rule.resourceNames }),
  ...(rule.nonResourceURLs.length === 0 ? {} : { nonResourceURLs: rule.nonResourceURLs })
})

const hasOrAll = (list: ReadonlyArray<string>, wanted: string): boolean => list.includes("*") || list.includes(wanted)

/** Whether a rule allows a verb on a resource, whatever the object's name. */
export const allowsResource = (
  rule: PolicyRule,
  verb: string,
  group: string,
  resource: string,
  subresource: string
): boolean =>
  hasOrAll(rule.verbs, verb) &&
  hasOrAll(rule.apiGroups, group) &&
  (subresource === ""
    ? hasOrAll(rule.resources, resource)
    : hasOrAll(rule.resources, `${resource}/${subresource}`) || rule.resources.includes(`*/${subresource}`))

const withoutStars = (url: string): string => url.replace(/\*+$/, "")

const urlCovers = (url: string, path: string): boolean =>
  url === path || (url.endsWith("*") && path.startsWith(withoutStars(url)))

/** Whether a rule allows a verb on a path that is no resource's. */
export const allowsPath = (rule: PolicyRule, verb: string, path: string): boolean =>
  hasOrAll(rule.verbs, verb) && rule.nonResourceURLs.some((url) => url === "*" || urlCovers(url, path))

/** Whether a rule allows a request. */
export const ruleAllows = (rule: PolicyRule, attributes: AccessAttributes): boolean =>
  attributes.resourceRequest
    ? allowsResource(rule, attributes.verb, attributes.group, attributes.resource, attributes.subresource) &&
      (rule.resourceNames.length === 0 || rule.resourceNames.includes(attributes.name))
    : allowsPath(rule, attributes.verb, attributes.path)

/** A rule taken apart into rules with one verb, and one resource, name or path each. */
const brokenDown = ({ apiGroups, nonResourceURLs, resourceNames, resources, verbs }: PolicyRule): Array<PolicyRule> => {
  const parts: Array<PolicyRule> = []
  const names = resourceNames.length === 0 ? [[]] : resourceNames.map((name) => [name])
  for (const group of apiGroups)
    for (const resource of resources)
      for (const verb of verbs)
        for (const one of names)
          parts.push({
            verbs: [verb],
            apiGroups: [group],
            resources: [resource],
            resourceNames: one,
            nonResourceURLs: []
          })
  for (const url of nonResourceURLs)
    for (const verb of verbs)
      parts.push({ verbs: [verb], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [url] })
  return parts
}

const resourceCovered = (owned: ReadonlyArray<string>, resource: string): boolean => {
  if (hasOrAll(owned, resource)) return true
  const slash = resource.indexOf("/")
  return slash >= 0 && owned.includes(`*/${resource.slice(slash + 1)}`)
}

/** Whether an owner's rule covers one of the smallest rules. */
const covers = (owner: PolicyRule, part: PolicyRule): boolean =>
  part.verbs.every((verb) => hasOrAll(owner.verbs, verb)) &&
  part.apiGroups.every((group) => hasOrAll(owner.apiGroups, group)) &&
  part.resources.every((resource) => resourceCovered(owner.resources, resource)) &&
  part.nonResourceURLs.every((path) => owner.nonResourceURLs.some((url) => urlCovers(url, path))) &&
  (owner.resourceNames.length === 0 ||
    (part.resourceNames.length > 0 && part.resourceNames.every((name) => owner.resourceNames.includes(name))))

/** What of some rules the owner's rules do not cover, each as small as can be; empty when all is covered. */
export const notCovered = (
  owners: ReadonlyArray<PolicyRule>,
  rules: ReadonlyArray<PolicyRule>
): ReadonlyArray<PolicyRule> => rules.flatMap(brokenDown).filter((part) => !owners.some((owner) => covers(owner, part)))

/** Small rules of the same resource and name joined into one with all their verbs. */
export const joinedByVerb = (parts: ReadonlyArray<PolicyRule>): ReadonlyArray<PolicyRule> => {
  const joined = new Map<string, PolicyRule>()
  for (const part of parts) {
    const key = JSON.stringify([part.apiGroups, part.resources, part.resourceNames, part.nonResourceURLs])
    const held = part.nonResourceURLs.length > 0 ? undefined : joined.get(key)
    // Paths are never joined: each stays a line of its own, so that the key needs its verb.
    if (part.nonResourceURLs.length > 0) joined.set(`${key}${part.verbs.join()}`, part)
    else joined.set(key, held === undefined ? part : { ...held, verbs: [...held.verbs, ...part.verbs] })
  }
  return [...joined.values()]
}

const quoted = (list: ReadonlyArray<string>): string => `[${list.map((text) => JSON.stringify(text)).join(" ")}]`

/** One line that shows a rule in messages about escalation. */
export const describeRule = (rule: PolicyRule): string => {
  const parts: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["APIGroups", rule.apiGroups],
    ["Resources", rule.resources],
    ["NonResourceURLs", rule.nonResourceURLs],
    ["ResourceNames", rule.resourceNames],
    ["Verbs", rule.verbs]
  ]
  return `{${parts.flatMap(([title, list]) => (list.length === 0 ? [] : [`${title}:${quoted(list)}`])).join(", ")}}`
}
