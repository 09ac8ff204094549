// Finds rules that mean something else here than in KubeGateway, each with a request that shows it.
// Owns the search: both evaluators are asked about requests that are made of the rule's own words and of strangers to it. A rule is an
// AND over its fields, so two rules differ if they differ in one field while all others can be satisfied: one field varies at a time.
import type { UserInfo } from "#apiserver"
import { requestInfo, RequestInfoInvalid } from "#kube"
import { type DispatchRule, isNegated, prefixOf, serviceAccountUser, unsaid } from "../policy/DispatchRule.ts"
import { originalMatches } from "../policy/OriginalEvaluator.ts"
import { ruleAgrees } from "../policy/ReferenceEvaluator.ts"
import type { RequestFacts } from "../policy/RequestFacts.ts"

/** A request as it is tried. */
interface Sample {
  readonly verb: string
  readonly apiGroup: string
  readonly resource: string
  readonly subresource: string
  readonly name: string
  readonly user: string
  readonly groups: ReadonlyArray<string>
  /** Empty: a request for a resource. */
  readonly path: string
}

/** A request that the two evaluators see differently. */
export interface ChangedMeaning {
  readonly facts: RequestFacts
  /** What KubeGateway says; here it is the other way round. */
  readonly matchedBefore: boolean
  /** The request, for people. */
  readonly example: string
}

const STRANGER = "zz-other"

/** Values that the items speak of, and one that none does. */
const wordsOf = (items: ReadonlyArray<string>, strangers: ReadonlyArray<string>): ReadonlyArray<string> => {
  const words = items
    .filter((item) => item !== "*")
    .map((item) => (isNegated(item) ? item.slice(1) : item))
    .flatMap((item) => {
      const prefix = prefixOf(item)
      return prefix === undefined ? [item] : [`${prefix}x`]
    })
  return [...new Set([...words, ...strangers])]
}

const split = (resource: string): readonly [string, string] => {
  const [main = "", ...rest] = resource.split("/")
  return [main === "*" ? "pods" : main, rest.join("/")]
}

const factsOf = (sample: Sample): RequestFacts => {
  const base = requestInfo("GET", "/")
  if (base instanceof RequestInfoInvalid) throw base
  const { apiGroup, name, path, resource, subresource, verb } = sample
  const user: UserInfo = { name: sample.user, groups: sample.groups }
  const info =
    path === ""
      ? {
          ...base,
          isResourceRequest: true,
          path: "/apis",
          verb,
          apiGroup,
          apiPrefix: apiGroup === "" ? "api" : "apis",
          apiVersion: "v1",
          resource,
          subresource,
          name
        }
      : { ...base, path, verb }
  return { info, user, userAgent: "", sourceIp: "127.0.0.1", query: "", draw: 0 }
}

/** The fields that both know: what is ours alone must not hide a difference. */
const shared = (rule: DispatchRule): DispatchRule => ({ ...rule, ...unsaid })

/** What each field of a sample may be, by the rule's own words. */
const variantsOf = (rule: DispatchRule): ReadonlyArray<ReadonlyArray<Partial<Sample>>> => {
  const groups = wordsOf(rule.userGroups, [STRANGER])
  return [
    wordsOf(rule.verbs, ["get", STRANGER]).map((verb) => ({ verb })),
    wordsOf(rule.apiGroups, ["", STRANGER]).map((apiGroup) => ({ apiGroup })),
    wordsOf(rule.resources, ["pods", STRANGER, `${STRANGER}/status`]).flatMap((word) => {
      const [resource, subresource] = split(word)
      return [{ resource, subresource }, ...(subresource === "" ? [{ resource, subresource: "status" }] : [])]
    }),
    wordsOf(rule.resourceNames, ["", STRANGER]).map((name) => ({ name })),
    [...wordsOf(rule.users, [STRANGER]), ...rule.serviceAccounts.map(serviceAccountUser)].map((user) => ({ user })),
    [[], ...groups.map((group) => [group]), ...groups.map((group) => [group, STRANGER])].map((own) => ({ groups: own }))
  ]
}

const urlVariants = ({ nonResourceURLs }: DispatchRule): ReadonlyArray<string> =>
  wordsOf(nonResourceURLs, [`/${STRANGER}`]).map((path) => (path.startsWith("/") ? path : `/${path}`))

const plain: Sample = {
  verb: "get",
  apiGroup: "",
  resource: "pods",
  subresource: "",
  name: "",
  user: STRANGER,
  groups: [],
  path: ""
}

const varied = (sample: Sample, variant: Partial<Sample>): Sample => ({ ...sample, ...variant })

/** A sample in which every field is one that a rule of these fields agrees with under both evaluators, as far as there is one. */
const agreeable = (rule: DispatchRule, start: Sample): Sample => {
  const neutral: DispatchRule = {
    ...rule,
    verbs: ["*"],
    apiGroups: ["*"],
    resources: ["*"],
    resourceNames: [],
    users: [],
    serviceAccounts: [],
    userGroups: [],
    nonResourceURLs: ["*"]
  }
  const fields: ReadonlyArray<Partial<DispatchRule>> = [
    { verbs: rule.verbs },
    { apiGroups: rule.apiGroups },
    { resources: rule.resources },
    { resourceNames: rule.resourceNames },
    { users: rule.users, serviceAccounts: rule.serviceAccounts },
    { userGroups: rule.userGroups }
  ]
  let sample = start
  for (const [at, variants] of variantsOf(rule).entries()) {
    const alone = { ...neutral, ...fields[at] }
    const good = variants.find((variant) => {
      const facts = factsOf(varied(sample, variant))
      return ruleAgrees(alone, facts) && originalMatches(alone, facts)
    })
    if (good !== undefined) sample = varied(sample, good)
  }
  return sample
}

const describe = ({ apiGroup, groups, name, path, resource, subresource, user, verb }: Sample): string => {
  const what =
    path === ""
      ? `${resource}${subresource === "" ? "" : `/${subresource}`}${apiGroup === "" ? "" : ` of ${apiGroup}`}${name === "" ? "" : ` named ${name}`}`
      : path
  const who = `user ${user}${groups.length === 0 ? "" : ` in ${groups.join(", ")}`}`
  return `${verb} ${what} by ${who}`
}

/** A request by which the rule's two meanings differ; undefined when none was found. */
export const changedMeaning = (rule: DispatchRule): ChangedMeaning | undefined => {
  const both = shared(rule)
  const starts = [agreeable(both, plain), ...urlVariants(both).map((path) => agreeable(both, { ...plain, path }))]
  for (const start of starts) {
    for (const variants of variantsOf(both)) {
      for (const variant of variants) {
        const sample = { ...start, ...variant }
        const facts = factsOf(sample)
        const matchedBefore = originalMatches(both, facts)
        if (matchedBefore !== ruleAgrees(both, facts)) return { facts, matchedBefore, example: describe(sample) }
      }
    }
  }
  return undefined
}
