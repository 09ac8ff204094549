// The index of rules against the plain evaluator: the same first rule for any rules and any request. The plain evaluator against the
// rule book, line by line; and against the original's matching wherever that one makes no mistake.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type DispatchRule, emptyRule, firstRule, originalMatches, ruleAgrees, RuleIndex } from "#gateway"
import { anyRequest, anyRule, factsOf, originalRule } from "./RuleGenerators.ts"

const rule = (fields: Partial<DispatchRule>): DispatchRule => ({
  ...emptyRule,
  verbs: ["*"],
  apiGroups: ["*"],
  resources: ["*"],
  nonResourceURLs: ["*"],
  ...fields
})

describe("the index", () => {
  it("finds the rule that the plain evaluator finds", () => {
    fc.assert(
      fc.property(
        fc.array(anyRule, { maxLength: 12 }),
        fc.array(anyRequest, { minLength: 1, maxLength: 20 }),
        (rules, requests) => {
          const index = new RuleIndex(rules)
          for (const facts of requests) assert.strictEqual(index.first(facts), firstRule(rules, facts))
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("meets rules and requests that agree, and such as do not", () => {
    const seen = { none: 0, first: 0, later: 0 }
    fc.assert(
      fc.property(fc.array(anyRule, { minLength: 2, maxLength: 8 }), anyRequest, (rules, facts) => {
        const place = new RuleIndex(rules).first(facts)
        seen[place < 0 ? "none" : place === 0 ? "first" : "later"]++
      }),
      { numRuns: 1000 }
    )
    for (const [kind, count] of Object.entries(seen)) assert.isAbove(count, 50, kind)
  })

  it("agrees with the original wherever no item is negated", () => {
    const isNegated = (one: DispatchRule): boolean =>
      [...one.verbs, ...one.apiGroups, ...one.resources, ...one.resourceNames, ...one.users, ...one.userGroups].some(
        (item) => item.startsWith("-")
      )
    fc.assert(
      fc.property(
        originalRule.filter((one) => !isNegated(one)),
        anyRequest,
        (one, facts) => assert.strictEqual(ruleAgrees(one, facts), originalMatches(one, facts))
      ),
      { numRuns: 2000 }
    )
  })
})

const getPod = factsOf("GET", "/api/v1/namespaces/team-a/pods/web")
const getLog = factsOf("GET", "/api/v1/namespaces/team-a/pods/web/log")
const listPods = factsOf(
  "GET",
  "/api/v1/pods?resourceVersion=0&labelSelector=app%3Dweb&fieldSelector=spec.nodeName%3Dn1"
)
const watchPods = factsOf("GET", "/api/v1/pods?watch=1")
const health = factsOf("GET", "/healthz/etcd")
const master = factsOf("GET", "/api/v1/nodes", { user: { name: "root", groups: ["system:masters", "other"] } })
const node = factsOf("GET", "/api/v1/nodes", { user: { name: "system:node:n1", groups: [] } })

// What the rule book says, one line each: the fields of a rule, a request, and whether they agree.
const book: ReadonlyArray<readonly [string, Partial<DispatchRule>, typeof getPod, boolean]> = [
  ["no verb", { verbs: [] }, getPod, false],
  ["a verb", { verbs: ["get"] }, getPod, true],
  ["another verb", { verbs: ["list"] }, getPod, false],
  ["all verbs but one", { verbs: ["-get"] }, getPod, false],
  ["all verbs but two", { verbs: ["-get", "-list"] }, getPod, false],
  ["all verbs but others", { verbs: ["-create", "-list"] }, getPod, true],
  ["a negated item beside a positive one", { verbs: ["-get", "get"] }, getPod, true],
  ["a negated item beside a star", { verbs: ["-get", "*"] }, getPod, true],
  ["the core group", { apiGroups: [""] }, getPod, true],
  ["no group", { apiGroups: [] }, getPod, false],
  ["no resource", { resources: [] }, getPod, false],
  ["a resource without its subresource", { resources: ["pods"] }, getLog, false],
  ["a subresource", { resources: ["pods/log"] }, getLog, true],
  ["a subresource of everything", { resources: ["*/log"] }, getLog, true],
  ["a subresource of everything, for the resource", { resources: ["*/log"] }, getPod, false],
  ["every subresource", { resources: ["pods/*"] }, getLog, false],
  ["all but a subresource of everything", { resources: ["-*/log"] }, getLog, false],
  ["all but other resources", { resources: ["-nodes", "-secrets"] }, getPod, true],
  ["all but the resource and another", { resources: ["-pods", "-deployments"] }, getPod, false],
  ["a name", { resourceNames: ["web"] }, getPod, true],
  ["another name", { resourceNames: ["db"] }, getPod, false],
  ["no name in a list", { resourceNames: [""] }, watchPods, true],
  ["a user by prefix", { users: ["system:node:*"] }, node, true],
  ["all but users by prefix", { users: ["-system:node:*"] }, node, false],
  ["all but a user", { users: ["-alice"] }, node, true],
  ["a service account alone", { serviceAccounts: [{ namespace: "a", name: "b" }] }, getPod, false],
  [
    "a service account",
    { serviceAccounts: [{ namespace: "a", name: "b" }] },
    factsOf("GET", "/api", { user: { name: "system:serviceaccount:a:b", groups: [] } }),
    true
  ],
  [
    "a user beside a service account",
    { users: ["alice"], serviceAccounts: [{ namespace: "a", name: "b" }] },
    getPod,
    true
  ],
  ["a group", { userGroups: ["system:masters"] }, master, true],
  ["all but a group", { userGroups: ["-system:masters"] }, master, false],
  ["all but a group, for who has none", { userGroups: ["-system:masters"] }, node, true],
  ["a path", { nonResourceURLs: ["/healthz"] }, health, false],
  ["paths by prefix", { nonResourceURLs: ["/healthz*"] }, health, true],
  ["no path", { nonResourceURLs: [] }, health, false],
  ["negated paths", { nonResourceURLs: ["-/version"] }, health, false],
  ["a path, for a resource", { nonResourceURLs: ["*"], resources: [] }, getPod, false],
  ["a namespace", { namespaces: ["team-a"] }, getPod, true],
  ["namespaces by prefix", { namespaces: ["team-*"] }, getPod, true],
  ["all but namespaces by prefix", { namespaces: ["-team-*"] }, getPod, false],
  ["no namespace", { namespaces: [""] }, listPods, true],
  ["a namespace, for another path", { namespaces: ["team-a"] }, health, true],
  ["agents by prefix", { userAgents: ["kubectl/*"] }, getPod, true],
  ["another agent", { userAgents: ["kubelet/*"] }, getPod, false],
  ["a block of addresses", { sourceCIDRs: ["10.0.0.0/8"] }, getPod, true],
  ["another block", { sourceCIDRs: ["10.128.0.0/9"] }, getPod, false],
  ["all but a block", { sourceCIDRs: ["-10.0.0.0/8"] }, getPod, false],
  [
    "a block, for an address inside IPv6",
    { sourceCIDRs: ["10.0.0.0/8"] },
    factsOf("GET", "/api", { sourceIp: "::ffff:10.0.0.1" }),
    true
  ],
  ["a label that is selected by", { labelSelectors: ["app"] }, listPods, true],
  ["a label with its value", { labelSelectors: ["app=web"] }, listPods, true],
  ["a label with another value", { labelSelectors: ["app=db"] }, listPods, false],
  ["lists without a label selector", { labelSelectors: [""] }, listPods, false],
  ["a field", { fieldSelectors: ["spec.nodeName"] }, listPods, true],
  ["requests that name no node", { fieldSelectors: ["-spec.nodeName"] }, listPods, false],
  ["requests that name no node, one such", { fieldSelectors: ["-spec.nodeName"] }, watchPods, true],
  ["what is at hand", { resourceVersions: ["0"] }, listPods, true],
  ["what is newest", { resourceVersions: [""] }, listPods, false],
  ["long-running ones", { longRunning: true }, watchPods, true],
  ["long-running ones, for logs", { longRunning: true }, getLog, true],
  ["short ones", { longRunning: false }, watchPods, false],
  ["a tenth, above", { percentage: 10 }, factsOf("GET", "/api", { draw: 0.1 }), false],
  ["a tenth, below", { percentage: 10 }, factsOf("GET", "/api", { draw: 0.0999 }), true],
  ["none of a hundred", { percentage: 0 }, factsOf("GET", "/api"), false]
]

describe("the rule book", () => {
  it.each(book)("%s", (_line, fields, facts, expected) => {
    assert.strictEqual(ruleAgrees(rule(fields), facts), expected)
    assert.strictEqual(new RuleIndex([rule(fields)]).first(facts), expected ? 0 : -1)
  })
})

describe("the original's mistakes", () => {
  const mistakes: ReadonlyArray<readonly [string, Partial<DispatchRule>, typeof getPod]> = [
    ["two negated resources cover everything", { resources: ["-pods", "-deployments"] }, getPod],
    ["a negated group covers who has another one", { userGroups: ["-system:masters"] }, master],
    ["a negated prefix covers everything", { users: ["-system:node:*"] }, node],
    ["a negated subresource covers everything", { resources: ["-*/log"] }, getLog]
  ]
  it.each(mistakes)("%s", (_line, fields, facts) => {
    assert.isTrue(originalMatches(rule(fields), facts))
    assert.isFalse(ruleAgrees(rule(fields), facts))
  })
})
