// One rule made ready to be asked often: each list becomes a test, or nothing where it agrees with everything.
// Owns the tests and their order (cheap and telling ones first); refuses to say which rules are asked, which RuleIndex.ts does.
import { addressNumber, type CidrBlock, isInBlock, parseCidr } from "./Cidr.ts"
import { type DispatchRule, isNegated, prefixOf, serviceAccountUser } from "./DispatchRule.ts"
import { askedVersion, isLongRunning, type RequestFacts } from "./RequestFacts.ts"
import { fieldTerms, labelTerms } from "./RequestTerms.ts"

/** Whether a value agrees with a list; undefined: every value does. */
type ValueTest = ((value: string) => boolean) | undefined
type FactsTest = (facts: RequestFacts) => boolean

const never: FactsTest = () => false
const neverValue = (): boolean => false

/** A list taken apart. Undefined when it has a star. */
interface ListParts {
  readonly negated: boolean
  /** Without "-". */
  readonly items: ReadonlyArray<string>
}

const partsOf = (list: ReadonlyArray<string>): ListParts | undefined => {
  if (list.includes("*")) return undefined
  const positive = list.filter((item) => !isNegated(item))
  if (positive.length > 0) return { negated: false, items: positive }
  return { negated: list.length > 0, items: list.map((item) => item.slice(1)) }
}

/** Whether one of these texts is a value; the usual list has one item. */
const oneOf = (items: ReadonlyArray<string>): ((value: string) => boolean) => {
  const [only] = items
  if (only === undefined) return neverValue
  if (items.length === 1) return (value) => value === only
  const set = new Set(items)
  return (value) => set.has(value)
}

const exactTest = (list: ReadonlyArray<string>): ValueTest => {
  const parts = partsOf(list)
  if (parts === undefined) return undefined
  const test = oneOf(parts.items)
  return parts.negated ? (value) => !test(value) : test
}

const covering = (items: ReadonlyArray<string>): ((value: string) => boolean) => {
  const prefixes = items.flatMap((item) => prefixOf(item) ?? [])
  const exact = oneOf(items)
  if (prefixes.length === 0) return exact
  return (value) => {
    for (const prefix of prefixes) if (value.startsWith(prefix)) return true
    return exact(value)
  }
}

const prefixTest = (list: ReadonlyArray<string>): ValueTest => {
  const parts = partsOf(list)
  if (parts === undefined) return undefined
  const test = covering(parts.items)
  return parts.negated ? (value) => !test(value) : test
}

/** A test of several values, of which one suffices, or none may be for a negated list. */
const anyTest = (list: ReadonlyArray<string>): ((values: ReadonlyArray<string>) => boolean) | undefined => {
  const parts = partsOf(list)
  if (parts === undefined || list.length === 0) return undefined
  const test = oneOf(parts.items)
  const { negated } = parts
  return (values) => {
    for (const value of values) if (test(value)) return !negated
    return negated
  }
}

const resourceTest = (list: ReadonlyArray<string>): FactsTest | undefined => {
  const parts = partsOf(list)
  if (parts === undefined) return undefined
  const { items, negated } = parts
  const whole = oneOf(items)
  const everySub = oneOf(items.flatMap((item) => (item.startsWith("*/") ? [item.slice(2)] : [])))
  return ({ info: { resource, subresource } }) => {
    const covered = subresource === "" ? whole(resource) : everySub(subresource) || whole(`${resource}/${subresource}`)
    return covered !== negated
  }
}

const userTest = ({ serviceAccounts, users }: DispatchRule): ValueTest => {
  if (users.length === 0 && serviceAccounts.length === 0) return undefined
  const named = prefixTest(users)
  if (named === undefined) return undefined
  const accounts = oneOf(
    serviceAccounts.filter(({ name, namespace }) => name !== "" && namespace !== "").map(serviceAccountUser)
  )
  return (name) => named(name) || accounts(name)
}

const sourceTest = (list: ReadonlyArray<string>): FactsTest | undefined => {
  const parts = partsOf(list)
  if (parts === undefined || list.length === 0) return undefined
  const blocks = parts.items.map(parseCidr).filter((block): block is CidrBlock => block !== undefined)
  const { negated } = parts
  return ({ sourceIp }) => {
    const address = addressNumber(sourceIp)
    return (address !== undefined && blocks.some((block) => isInBlock(address, block))) !== negated
  }
}

const unlessEmpty = (list: ReadonlyArray<string>, make: (list: ReadonlyArray<string>) => ValueTest): ValueTest =>
  list.length === 0 ? undefined : make(list)

const of =
  (read: (facts: RequestFacts) => string) =>
  (test: ValueTest): ReadonlyArray<FactsTest> =>
    test === undefined ? [] : [(facts) => test(read(facts))]

const maybe = (test: FactsTest | undefined): ReadonlyArray<FactsTest> => (test === undefined ? [] : [test])

/** The tests of what every request has. */
const generalTests = (rule: DispatchRule): ReadonlyArray<FactsTest> => {
  const { longRunning, percentage } = rule
  const groups = anyTest(rule.userGroups)
  return [
    ...of((facts) => facts.info.verb)(exactTest(rule.verbs)),
    ...of((facts) => facts.user.name)(userTest(rule)),
    ...(groups === undefined ? [] : [({ user }: RequestFacts) => groups(user.groups)]),
    ...(longRunning === undefined ? [] : [({ info }: RequestFacts) => isLongRunning(info) === longRunning]),
    ...(percentage >= 100 ? [] : [({ draw }: RequestFacts) => draw * 100 < percentage]),
    ...of((facts) => facts.userAgent)(unlessEmpty(rule.userAgents, prefixTest)),
    ...maybe(sourceTest(rule.sourceCIDRs))
  ]
}

const resourceTests = (rule: DispatchRule): ReadonlyArray<FactsTest> => {
  const labels = anyTest(rule.labelSelectors)
  const fields = anyTest(rule.fieldSelectors)
  return [
    ...maybe(resourceTest(rule.resources)),
    ...of((facts) => facts.info.apiGroup)(exactTest(rule.apiGroups)),
    ...of((facts) => facts.info.name)(unlessEmpty(rule.resourceNames, exactTest)),
    ...of((facts) => facts.info.namespace)(unlessEmpty(rule.namespaces, prefixTest)),
    ...of(askedVersion)(unlessEmpty(rule.resourceVersions, exactTest)),
    ...(labels === undefined ? [] : [({ info }: RequestFacts) => labels(labelTerms(info.labelSelector))]),
    ...(fields === undefined ? [] : [({ info }: RequestFacts) => fields(fieldTerms(info.fieldSelector))])
  ]
}

const urlTests = ({ nonResourceURLs }: DispatchRule): ReadonlyArray<FactsTest> => {
  if (nonResourceURLs.includes("*")) return []
  const items = nonResourceURLs.filter((item) => !isNegated(item))
  if (items.length === 0) return [never]
  const test = covering(items)
  return [({ info }) => test(info.path)]
}

const allOf = (tests: ReadonlyArray<FactsTest>): FactsTest => {
  if (tests.includes(never)) return never
  const [first, second] = tests
  if (first === undefined) return () => true
  if (second === undefined) return first
  if (tests.length === 2) return (facts) => first(facts) && second(facts)
  return (facts) => {
    for (const test of tests) if (!test(facts)) return false
    return true
  }
}

/** A rule's two tests; undefined where it agrees with no request of that kind. */
export interface CompiledRule {
  readonly resource: FactsTest | undefined
  readonly url: FactsTest | undefined
}

/** Makes a rule ready. */
export const compileRule = (rule: DispatchRule): CompiledRule => {
  if (rule.verbs.length === 0 || rule.percentage <= 0) return { resource: undefined, url: undefined }
  const general = generalTests(rule)
  const url = allOf([...general, ...urlTests(rule)])
  const hasResources = rule.apiGroups.length > 0 && rule.resources.length > 0
  return {
    resource: hasResources ? allOf([...resourceTests(rule), ...general]) : undefined,
    url: url === never ? undefined : url
  }
}

/** Values, of which a request must have one for a rule with this list to agree; undefined where the list does not say so. */
export const demandedBy = (list: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  const parts = partsOf(list)
  if (parts === undefined || parts.negated || list.length === 0) return undefined
  return parts.items
}
