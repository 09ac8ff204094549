// The rule table against what a kube-apiserver serves: every kind is judged, and every text field has a rule or was found harmless.
// A field, kind or subresource that a newer Kubernetes adds fails here until somebody has looked at it.
import { assert, describe, it } from "vitest"
import { builtInResources } from "#kube"
import { clusterNaming } from "#tenancy"
import { judgedClusterResources, withheldNamespaced } from "../../../core/tenancy/names/ClusterNames.ts"
import { builtInShape, fullResource, isWithheld, rulesOf } from "../../../core/tenancy/rules/CompiledRules.ts"
import { definitionRules, fieldRules, opaqueDefinitions } from "../../../core/tenancy/rules/RuleTable.ts"
import { definitionNames, schemaNamed } from "#kube"
import { rewriter } from "../Tenants.ts"
import { servedKinds, textFields } from "./Fields.ts"
import { harmless } from "./Harmless.ts"

/** Subresources that answer no object of a kind: they are streams, or proxies, which the router decides on. */
const streams = new Set([
  "PodAttachOptions",
  "PodExecOptions",
  "PodPortForwardOptions",
  "PodProxyOptions",
  "ServiceProxyOptions",
  "NodeProxyOptions"
])

describe("the rule table", () => {
  it("judges every resource outside namespaces that is served, and no other", () => {
    const served = builtInResources().filter(({ namespaced }) => !namespaced)
    // Reviews are no objects: they have no names.
    const reviews = new Set(served.filter(({ verbs }) => verbs.join() === "create").map(fullResource))
    const named = served.map(fullResource).filter((resource) => !reviews.has(resource))
    assert.deepStrictEqual([...named].sort(), [...judgedClusterResources()].sort())
    const namespaced = new Set(
      builtInResources()
        .filter(({ namespaced }) => namespaced)
        .map(fullResource)
    )
    assert.deepStrictEqual(
      [...withheldNamespaced].filter((resource) => !namespaced.has(resource)),
      []
    )
  })

  it("has rules for every kind and subresource that it does not withhold", () => {
    const without = servedKinds().filter((key) => {
      const [group = "", version = "", kind = ""] = key.split("/")
      const shape = builtInShape(group, version, kind)
      return shape === undefined || (!streams.has(kind) && rulesOf(rewriter.names, shape) === undefined)
    })
    assert.deepStrictEqual(without, [])
    assert.isAbove(servedKinds().length, 60)
  })

  it("has a rule for every text field that was not found harmless", () => {
    const unjudged = textFields()
      .filter(({ definition, field, ruled }) => {
        if (ruled || field === "apiVersion" || field === "kind") return false
        return !(harmless[definition] ?? "").split(" ").includes(field)
      })
      .map(({ definition, field }) => `${definition}.${field}`)
    assert.deepStrictEqual(unjudged, [])
  })

  it("finds nothing harmless that has a rule or is not there", () => {
    const fields = new Map(textFields().map((one) => [`${one.definition}.${one.field}`, one.ruled]))
    for (const [definition, names] of Object.entries(harmless)) {
      for (const field of names.split(" ")) {
        assert.strictEqual(fields.get(`${definition}.${field}`), false, `${definition}.${field}`)
      }
    }
  })

  it("has no rule for a definition or field that is not there", () => {
    const definitions = new Set(definitionNames())
    for (const definition of [...Object.keys(definitionRules), ...opaqueDefinitions, ...Object.keys(fieldRules)]) {
      assert.isTrue(definitions.has(`io.k8s.${definition}`), definition)
    }
    for (const [definition, rules] of Object.entries(fieldRules)) {
      const fields = schemaNamed(`io.k8s.${definition}`)?.fields
      for (const field of Object.keys(rules)) assert.isTrue(fields?.has(field), `${definition}.${field}`)
    }
  })

  it("refuses what it withholds and kinds that it does not know", () => {
    const withheld = builtInResources().filter((shape) => isWithheld(shape))
    assert.isAbove(withheld.length, 10)
    for (const shape of withheld) assert.isUndefined(rulesOf(rewriter.names, shape), fullResource(shape))
    const newer = { group: "apps", version: "v2", kind: "Fleet", resource: "fleets", namespaced: true }
    assert.isUndefined(rulesOf(rewriter.names, newer))
    assert.strictEqual(clusterNaming("nodes"), "shared")
  })
})
