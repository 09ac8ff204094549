// Finds the first rule that agrees with a request without asking all of them: each rule is filed under the values of that one of
// its lists that fewest other rules share, and only the rules filed under what the request has are asked.
// Owns the filing; refuses the meaning of rules (ReferenceEvaluator.ts, by which this is judged). Memory is linear in the rules'
// items. At the worst, when all rules are filed alike, they are asked in order.
import { type CompiledRule, compileRule, demandedBy } from "./CompiledRule.ts"
import { type DispatchRule, prefixOf, serviceAccountUser } from "./DispatchRule.ts"
import type { RequestFacts } from "./RequestFacts.ts"

/** Places of rules, ascending. */
type Places = ReadonlyArray<number>

/** What a rule can be filed under: a request has few values of each. */
const drawers = ["user", "name", "namespace", "resource", "group", "apiGroup", "verb"] as const
type Drawer = (typeof drawers)[number]

const hasPrefix = (items: ReadonlyArray<string>): boolean => items.some((item) => prefixOf(item) !== undefined)

const withoutPrefixes = (items: ReadonlyArray<string> | undefined): ReadonlyArray<string> | undefined =>
  items === undefined || hasPrefix(items) ? undefined : items

const usersOf = ({ serviceAccounts, users }: DispatchRule): ReadonlyArray<string> | undefined => {
  const accounts = serviceAccounts.map(serviceAccountUser)
  if (users.length === 0) return accounts.length === 0 ? undefined : accounts
  const named = withoutPrefixes(demandedBy(users))
  return named === undefined ? undefined : [...named, ...accounts]
}

const demandsOf = (rule: DispatchRule): Readonly<Record<Drawer, ReadonlyArray<string> | undefined>> => ({
  user: usersOf(rule),
  name: demandedBy(rule.resourceNames),
  namespace: withoutPrefixes(demandedBy(rule.namespaces)),
  resource: demandedBy(rule.resources),
  group: demandedBy(rule.userGroups),
  apiGroup: demandedBy(rule.apiGroups),
  verb: demandedBy(rule.verbs)
})

interface Filing {
  readonly drawer: Drawer
  readonly values: ReadonlyArray<string>
}

/** How many rules demand each value. */
const countDemands = (rules: ReadonlyArray<DispatchRule>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const rule of rules) {
    const demands = demandsOf(rule)
    for (const drawer of drawers) {
      for (const value of demands[drawer] ?? []) {
        const key = `${drawer}\n${value}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
  }
  return counts
}

/** Where a rule is filed: where it has the least company. */
const filingOf = (rule: DispatchRule, counts: ReadonlyMap<string, number>): Filing | undefined => {
  const demands = demandsOf(rule)
  let best: Filing | undefined
  let least = Infinity
  for (const drawer of drawers) {
    const values = demands[drawer]
    if (values === undefined) continue
    const company = values.reduce((most, value) => Math.max(most, counts.get(`${drawer}\n${value}`) ?? 0), 0)
    if (company >= least) continue
    least = company
    best = { drawer, values }
  }
  return best
}

const file = (into: Map<string, Array<number>>, value: string, place: number): void => {
  const places = into.get(value)
  if (places === undefined) into.set(value, [place])
  else if (places.at(-1) !== place) places.push(place)
}

export class RuleIndex {
  readonly #rules: ReadonlyArray<CompiledRule>
  readonly #filed: Readonly<Record<Drawer, ReadonlyMap<string, Places>>>
  /** Drawers with something in them, each with the values that a request has for it. */
  readonly #used: ReadonlySet<Drawer>
  /** Rules that are filed nowhere. */
  readonly #loose: Places
  readonly #urls: Places

  constructor(rules: ReadonlyArray<DispatchRule>) {
    this.#rules = rules.map(compileRule)
    const counts = countDemands(rules)
    const filed = Object.fromEntries(drawers.map((drawer) => [drawer, new Map<string, Array<number>>()])) as Record<
      Drawer,
      Map<string, Array<number>>
    >
    const loose: Array<number> = []
    for (const [place, rule] of rules.entries()) {
      if (this.#rules[place]?.resource === undefined) continue
      const filing = filingOf(rule, counts)
      if (filing === undefined) loose.push(place)
      else for (const value of filing.values) file(filed[filing.drawer], value, place)
    }
    this.#filed = filed
    this.#used = new Set(drawers.filter((drawer) => filed[drawer].size > 0))
    this.#loose = loose
    this.#urls = Array.from(rules.keys()).filter((place) => this.#rules[place]?.url !== undefined)
  }

  /** The place of the first rule that agrees; -1 for none. */
  first(facts: RequestFacts): number {
    if (!facts.info.isResourceRequest) return this.#firstUrl(facts)
    const { apiGroup, name, namespace, resource, subresource, verb } = facts.info
    const used = this.#used
    let best = this.#earlier(this.#loose, facts, Infinity)
    if (used.has("user")) best = this.#look("user", facts.user.name, facts, best)
    if (used.has("name")) best = this.#look("name", name, facts, best)
    if (used.has("namespace")) best = this.#look("namespace", namespace, facts, best)
    if (used.has("resource")) {
      best = this.#look("resource", subresource === "" ? resource : `${resource}/${subresource}`, facts, best)
      if (subresource !== "") best = this.#look("resource", `*/${subresource}`, facts, best)
    }
    if (used.has("group")) for (const group of facts.user.groups) best = this.#look("group", group, facts, best)
    if (used.has("apiGroup")) best = this.#look("apiGroup", apiGroup, facts, best)
    if (used.has("verb")) best = this.#look("verb", verb, facts, best)
    return best === Infinity ? -1 : best
  }

  #look(drawer: Drawer, value: string, facts: RequestFacts, best: number): number {
    const places = this.#filed[drawer].get(value)
    return places === undefined ? best : this.#earlier(places, facts, best)
  }

  /** The first of these rules that stands before `best` and agrees, else `best`. */
  #earlier(places: Places, facts: RequestFacts, best: number): number {
    for (const place of places) {
      if (place >= best) return best
      if (this.#rules[place]?.resource?.(facts) === true) return place
    }
    return best
  }

  #firstUrl(facts: RequestFacts): number {
    for (const place of this.#urls) if (this.#rules[place]?.url?.(facts) === true) return place
    return -1
  }
}
