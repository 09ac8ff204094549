import { Result } from "effect"
import { Ajv2020 } from "ajv/dist/2020.js"
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"
import { scenarioJsonSchemaText } from "../../scenarios/JsonSchema.ts"
import { packageRoot } from "../../scenarios/PackageRoot.ts"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"

const folder = join(packageRoot, "scenarios")
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"))
const published = readFileSync(join(folder, "scenario.schema.json"), "utf8")
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(JSON.parse(published))

describe("the published JSON Schema", () => {
  it("is the one that the schema in the sources gives", () => {
    const current: unknown = JSON.parse(scenarioJsonSchemaText())
    assert.deepStrictEqual(
      JSON.parse(published),
      current,
      "write it anew: wharf scenario schema > scenarios/scenario.schema.json"
    )
  })

  it("refuses what the decoder refuses", () => {
    const text = readFileSync(join(folder, "quickstart.yaml"), "utf8")
    for (const [from, to] of [
      ["kind: measure", "kind: measured"],
      ["seed: 1", "sed: 1"],
      ["keyBytes: 70", "keyBytes: many"],
      ["parallelismLimit: 300", "parallelismLimit: 0"]
    ]) {
      const broken = text.replace(from, to)
      assert.isFalse(validate(parse(broken)), to)
      assert.isTrue(Result.isFailure(parseScenario("x", broken)), to)
    }
  })
})

describe("every shipped scenario", () => {
  const expected = [
    "quickstart",
    "kubebrain-insert",
    "kubebrain-mixed",
    "kubebrain-delete",
    "kube-30x10",
    "kube-300x1",
    "etcd-check-s",
    "etcd-check-m",
    "etcd-check-l",
    "etcd-check-xl",
    "lease-10k",
    "watch-storm",
    "list-pages",
    "compaction-under-load",
    "large-values",
    "million-keys",
    "put-latency",
    "scheduler-basic-5k-50k",
    "scheduler-affinity",
    "scheduler-spread",
    "scheduler-preemption",
    "scheduler-churn",
    "scheduler-daemonset-15k",
    "scheduler-unschedulable",
    "gke-65k",
    "openb-gpu",
    "gateway-5k-qps",
    "gateway-10k-nodes",
    "gateway-watch-fanout",
    "gateway-config-swap",
    "gateway-limits",
    "gateway-noisy-client",
    "tenants-1000",
    "noisy-tenant",
    "tenancy-vs-direct",
    "tenant-churn",
    "federation-100x5k",
    "federation-1000-clusters",
    "federation-cold-start",
    "member-outage-storm",
    "rollout-waves",
    "region-split",
    "audit-firehose",
    "audit-hour",
    "search-load"
  ]
  it("is there", () =>
    assert.includeMembers(
      files.map((name) => basename(name, ".yaml")),
      expected
    ))

  for (const name of files) {
    it(`${name} decodes, fits the published schema, is named as its file, and judges something`, () => {
      const text = readFileSync(join(folder, name), "utf8")
      assert.isTrue(validate(parse(text)), JSON.stringify(validate.errors, null, 2))
      const parsed = parseScenario(name, text)
      if (Result.isFailure(parsed)) throw new Error(parsed.failure.message)
      const { scenario } = parsed.success
      assert.strictEqual(scenario.name, basename(name, ".yaml"))
      assert.isNotEmpty(scenario.slo)
    })
  }
})
