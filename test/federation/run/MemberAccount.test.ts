// The account that a federation has in a member: what it may do follows what is federated, and its token is renewed before it ends.
import { assert, describe, it } from "vitest"
import { defaultTypeConfigs, isTokenWorn, memberRules, typeConfigOf } from "#federation"
import type { JsonObject } from "#kube"

const rule = (rules: ReadonlyArray<JsonObject>, group: string, resource: string): ReadonlyArray<string> =>
  rules.flatMap(({ apiGroups = [], resourceNames, resources = [], verbs = [] }) =>
    resourceNames === undefined &&
    (apiGroups as ReadonlyArray<string>).includes(group) &&
    (resources as ReadonlyArray<string>).includes(resource)
      ? (verbs as ReadonlyArray<string>)
      : []
  )

describe("a member's account", () => {
  const types = defaultTypeConfigs.map(typeConfigOf)

  it("may write what is federated, read what is looked at, and nothing else", () => {
    const rules = memberRules(types)
    for (const { type } of types)
      assert.includeMembers([...rule(rules, type.group, type.resource)], ["create", "patch"])
    assert.deepStrictEqual([...rule(rules, "", "nodes")], ["get", "list", "watch"])
    assert.deepStrictEqual([...rule(rules, "", "events")], ["get", "list", "watch"])
    const all = rules.flatMap(({ apiGroups = [], resources = [], verbs = [] }) =>
      (verbs as ReadonlyArray<string>).includes("create") ? [apiGroups, resources].flat() : []
    )
    assert.notInclude(all, "*")
  })

  it("may give rights only where rights are federated", () => {
    const gives = (rules: ReadonlyArray<JsonObject>): ReadonlyArray<string> =>
      rule(rules, "rbac.authorization.k8s.io", "clusterroles").filter((verb) => verb === "escalate")
    assert.isNotEmpty(gives(memberRules(types)))
    assert.isEmpty(gives(memberRules(types.filter(({ type }) => type.group === "apps"))))
  })

  it("has the same rules in whatever order types come", () =>
    assert.deepStrictEqual(memberRules(types.toReversed()), memberRules(types)))

  it("gets a new token after a third of the old one's time", () => {
    const claims = Buffer.from(JSON.stringify({ iat: 1000, exp: 4000 })).toString("base64url")
    const token = `e30.${claims}.x`
    assert.isFalse(isTokenWorn(token, 1_999_000))
    assert.isTrue(isTokenWorn(token, 2_001_000))
    assert.isFalse(isTokenWorn("no token", 2_001_000), "what cannot be read is left as it is")
  })
})
