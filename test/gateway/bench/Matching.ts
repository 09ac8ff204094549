// How fast a request finds its policy, by the index and by the plain evaluator, with 10, 100 and 1000 rules. Run by hand:
// node test/gateway/bench/Matching.ts
// Owns the mix: rules as a platform has them (by resource, by user, by namespace, by group, a few negated ones, a catch-all at the end)
// and requests of kubelets, controllers and people. Both must agree on every request before anything is timed.
import { type DispatchRule, emptyRule, firstRule, type RequestFacts, RuleIndex } from "#gateway"
import { requestInfo, RequestInfoInvalid } from "#kube"

const resources = ["pods", "nodes", "secrets", "configmaps", "events", "leases", "deployments", "endpointslices"]

const base: DispatchRule = { ...emptyRule, verbs: ["*"], apiGroups: ["*"], resources: ["*"] }

const ruleAt = (at: number): DispatchRule => {
  switch (at % 5) {
    case 0:
      return { ...base, users: [`user-${at}`], verbs: ["list", "watch"] }
    case 1:
      return { ...base, namespaces: [`team-${at}`], resources: [resources[at % resources.length] ?? "pods"] }
    case 2:
      return { ...base, serviceAccounts: [{ namespace: `team-${at}`, name: "default" }] }
    case 3:
      return { ...base, userGroups: [`group-${at}`], verbs: ["-get"] }
    default:
      return { ...base, resources: [`kind-${at}`, "*/scale"], verbs: ["list"], apiGroups: ["apps"] }
  }
}

const rulesOf = (count: number): ReadonlyArray<DispatchRule> => [
  ...Array.from({ length: count - 1 }, (_, at) => ruleAt(at)),
  { ...base, nonResourceURLs: ["*"] }
]

const requestsOf = (count: number): ReadonlyArray<RequestFacts> =>
  Array.from({ length: 512 }, (_, at) => {
    const resource = resources[at % resources.length] ?? "pods"
    const namespace = `team-${(at * 7) % count}`
    const path = `/api/v1/namespaces/${namespace}/${resource}${at % 3 === 0 ? "" : `/name-${at}`}`
    const info = requestInfo(at % 4 === 3 ? "PUT" : "GET", path)
    if (info instanceof RequestInfoInvalid) throw info
    const name =
      [`system:node:n${at}`, `user-${(at * 5) % count}`, `system:serviceaccount:${namespace}:default`][at % 3] ?? ""
    const groups = ["system:authenticated", `group-${(at * 11) % count}`]
    return { info, user: { name, groups }, userAgent: "kubectl", sourceIp: "10.0.0.1", query: "", draw: 0.5 }
  })

/** Requests matched in a second. */
const rate = (match: (facts: RequestFacts) => number, requests: ReadonlyArray<RequestFacts>): number => {
  const turn = (): void => {
    for (const facts of requests) match(facts)
  }
  for (let warm = 0; warm < 20; warm++) turn()
  const start = performance.now()
  let turns = 0
  while (performance.now() - start < 1500) {
    turn()
    turns++
  }
  return (turns * requests.length * 1000) / (performance.now() - start)
}

for (const count of [10, 100, 1000]) {
  const rules = rulesOf(count)
  const requests = requestsOf(count)
  const index = new RuleIndex(rules)
  for (const facts of requests)
    if (index.first(facts) !== firstRule(rules, facts)) throw new Error(`the two differ on ${facts.info.path}`)
  const byIndex = rate((facts) => index.first(facts), requests)
  const plainly = rate((facts) => firstRule(rules, facts), requests)
  const line = [count, Math.round(byIndex), Math.round(plainly), (byIndex / plainly).toFixed(1)]
  process.stdout.write(`rules ${line[0]}  index ${line[1]}/s  plain ${line[2]}/s  ratio ${line[3]}\n`)
}
