// The linter: every rule that it names differs by the request that it shows, and what it does not name differs nowhere.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { changedMeaning, type DispatchRule, emptyRule, lintClusters, originalMatches, ruleAgrees } from "#gateway"
import type { JsonObject } from "#kube"
import { VirtualClock } from "../../kube/VirtualClock.ts"
import { allowAll, cluster, secureCluster } from "../config/Manifests.ts"
import { anyRequest, originalRule } from "./RuleGenerators.ts"

const rule = (fields: Partial<DispatchRule>): DispatchRule => ({
  ...emptyRule,
  verbs: ["*"],
  apiGroups: ["*"],
  resources: ["*"],
  nonResourceURLs: ["*"],
  ...fields
})

describe("a changed meaning", () => {
  it("is shown by a request that the two see differently", () => {
    const found = { changed: 0, same: 0 }
    fc.assert(
      fc.property(originalRule, fc.array(anyRequest, { minLength: 20, maxLength: 20 }), (one, requests) => {
        const changed = changedMeaning(one)
        if (changed !== undefined) {
          found.changed++
          assert.strictEqual(originalMatches(one, changed.facts), changed.matchedBefore)
          assert.strictEqual(ruleAgrees(one, changed.facts), !changed.matchedBefore)
          return
        }
        found.same++
        for (const facts of requests) assert.strictEqual(ruleAgrees(one, facts), originalMatches(one, facts))
      }),
      { numRuns: 600 }
    )
    assert.isAbove(found.changed, 30)
    assert.isAbove(found.same, 30)
  })

  const changed: ReadonlyArray<readonly [string, Partial<DispatchRule>, boolean]> = [
    ["one negated resource", { resources: ["-pods"] }, false],
    ["two negated resources", { resources: ["-pods", "-deployments"] }, true],
    ["two negated verbs", { verbs: ["-get", "-list"] }, true],
    ["a negated group", { userGroups: ["-system:masters"] }, true],
    ["a negated user", { users: ["-alice"] }, false],
    ["a negated prefix", { users: ["-system:node:*"] }, true],
    ["a negated subresource of everything", { resources: ["-*/status"] }, true],
    ["a negated item beside a positive one", { resources: ["-pods", "nodes"] }, false],
    ["two negated names of a rule of ours", { resourceNames: ["-a", "-b"], namespaces: ["team"] }, true],
    ["no negation", { verbs: ["get"], users: ["system:node:*"], resources: ["*/log"] }, false]
  ]
  it.each(changed)("%s", (_line, fields, expected) => {
    assert.strictEqual(changedMeaning(rule(fields)) !== undefined, expected)
  })
})

describe("the linter", () => {
  const lint = (...objects: Parameters<typeof lintClusters>[0]) => lintClusters(objects, [], new VirtualClock(1))
  const said = (spec: JsonObject): string =>
    lint(secureCluster("a", spec))
      .map(({ level, message }) => `${level}: ${message}`)
      .join("\n")

  it("names rules that relied on the original's negation, with an example", () => {
    const policy = { rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["-pods", "-deployments"] }] }
    assert.include(
      said({ dispatchPolicies: [policy, allowAll] }),
      "change: spec.dispatchPolicies[0].rules[0]: KubeGateway matched get pods by user zz-other, this gateway does not match it"
    )
  })

  const mistakes: ReadonlyArray<readonly [string, JsonObject]> = [
    ["error: spec.servers: Required value", { servers: [] }],
    [
      'warning: unknown field "spec.dispatchPolicies[0].upsteamSubset"',
      { dispatchPolicies: [{ ...allowAll, upsteamSubset: ["https://10.0.0.1:6443"] }] }
    ],
    [
      "matches nothing; name the subresources",
      { dispatchPolicies: [{ rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["pods/*"] }] }] }
    ],
    ["verbs is empty: the rule matches nothing", { dispatchPolicies: [{ rules: [{ nonResourceURLs: ["*"] }] }] }],
    ["spec.dispatchPolicies[1]: never reached, policy 0 takes everything", { dispatchPolicies: [allowAll, allowAll] }],
    [
      "spec.flowControl.flowControlSchemas: no policy refers to idle",
      { flowControl: { flowControlSchemas: [{ name: "idle", exempt: {} }] } }
    ],
    ["spec.secureServing.useGatewayClientCA: without clientCAData", { secureServing: {} }],
    ["certData and keyData count only together", { secureServing: { certData: "", keyData: "YQ==" } }],
    ["is there twice; the first counts", { servers: [{ endpoint: "https://a" }, { endpoint: "https://a/" }] }],
    ["spec.clientConfig.insecure: whoever answers", { clientConfig: { insecure: true, bearerToken: "dA==" } }],
    [
      "count for nothing beside the other items",
      { dispatchPolicies: [{ rules: [{ verbs: ["-get", "list"], nonResourceURLs: ["*"] }] }] }
    ]
  ]
  it.each(mistakes)("says %s", (message, spec) => {
    assert.include(said(spec), message)
  })

  it("finds clashes between the manifests at hand", () => {
    const findings = lint(
      cluster("a", { secureServing: { serverNames: ["Shared"] } }),
      cluster("b", { secureServing: { serverNames: ["shared"] } })
    )
    assert.deepInclude(findings, {
      cluster: "b",
      level: "error",
      message: "spec.secureServing.serverNames: shared belongs to a"
    })
  })

  it("has nothing against a sound manifest", () => {
    const { spec } = secureCluster("a")
    const sound = { ...(spec as JsonObject), authentication: { neverImpersonate: { groups: ["system:masters"] } } }
    assert.deepStrictEqual(lint(cluster("a", sound)), [])
  })
})
