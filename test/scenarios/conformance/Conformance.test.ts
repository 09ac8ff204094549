// The conformance command without its suite: lists, what ginkgo reported (recorded from a real run), the verdict and its renderings.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import {
  conformanceExitCode,
  conformanceMarkdown,
  conformanceReport,
  renderConformance
} from "../../../scenarios/conformance/ConformanceReport.ts"
import {
  type GinkgoOutcome,
  GinkgoReportInvalid,
  readGinkgoReport
} from "../../../scenarios/conformance/GinkgoReport.ts"
import { focusOf, hollowNodesList, parseSpecList, readSpecList } from "../../../scenarios/conformance/SpecList.ts"

const recorded = readFileSync(new URL("ginkgo.json", import.meta.url), "utf8")
const PASSES = [
  "[sig-auth] PodCertificateRequest API [Privileged:ClusterAdmin] should support PodCertificateRequest API operations [Conformance]",
  "[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]"
]
const FAILS = "[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]"
const ABSENT = "[sig-apps] Something that no suite has [Conformance]"

const read = (names: ReadonlyArray<string>, text = recorded): GinkgoOutcome => {
  const outcome = readGinkgoReport(text, names)
  if (outcome instanceof GinkgoReportInvalid) throw outcome
  return outcome
}

const facts = {
  kubernetes: "1.37.2",
  command: "wharf conformance --procs 6",
  server: "wharf serve cluster --nodes 5",
  startedAt: "2026-11-28T04:00:00.000Z",
  seconds: 64,
  atLeast: 3
}

describe("the list", () => {
  it.effect(
    "that ships names 191 specs, each of which ginkgo is asked for by an expression that matches it alone",
    () =>
      Effect.gen(function* () {
        const names = yield* readSpecList(hollowNodesList, undefined)
        assert.lengthOf(names, 191)
        for (const name of names) {
          const focus = new RegExp(focusOf([name]))
          assert.deepStrictEqual(
            names.filter((other) => focus.test(other)),
            [name]
          )
        }
      })
  )

  it("may have comments, empty lines and doubles", () => {
    assert.deepStrictEqual(parseSpecList("# these\na\n\n  b \na\n"), ["a", "b"])
  })

  it.effect("is narrowed by a pattern, and refused when nothing is left or the pattern is none", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* readSpecList(hollowNodesList, "Watchers"), 5)
      const nothing = yield* Effect.flip(readSpecList(hollowNodesList, "no such"))
      assert.match(nothing.message, /no name in it matches no such$/)
      assert.match((yield* Effect.flip(readSpecList(hollowNodesList, "("))).message, /Invalid regular expression/)
      assert.match((yield* Effect.flip(readSpecList("/nowhere", undefined))).message, /^\/nowhere: ENOENT/)
    })
  )
})

describe("ginkgo's report", () => {
  it("says of each asked spec how it ended and why; what it does not name has not run", () => {
    const { specs, suiteFailures } = read([...PASSES, FAILS, ABSENT])
    assert.deepStrictEqual(
      specs.map(({ state }) => state),
      ["passed", "passed", "failed", "not run"]
    )
    assert.strictEqual(
      specs[2].cause,
      'unexpected error getting default ServiceCIDR: servicecidrs.networking.k8s.io "kubernetes" not found'
    )
    assert.isAbove(specs[0].seconds, 0)
    assert.deepStrictEqual(suiteFailures, [])
  })

  it("tells skipped from passed, and what fails around the specs", () => {
    const edited = JSON.parse(recorded)
    const skipped = edited[0].SpecReports.find((one: { State: string }) => one.State === "skipped")
    const name = [...skipped.ContainerHierarchyTexts, skipped.LeafNodeText].join(" ")
    edited[0].SpecialSuiteFailureReasons = ["Suite Timeout Elapsed"]
    edited[0].SpecReports[0] = {
      ...edited[0].SpecReports[0],
      State: "failed",
      Failure: { Message: "Expected\n  0\nto equal\n  1" }
    }
    const { specs, suiteFailures } = read([name], JSON.stringify(edited))
    assert.deepInclude(specs[0], { state: "not run", cause: "skipped" })
    assert.deepStrictEqual(suiteFailures, ["Suite Timeout Elapsed", "SynchronizedBeforeSuite: Expected 0 to equal 1"])
  })

  it("is refused when it is none", () => {
    assert.instanceOf(readGinkgoReport("", []), GinkgoReportInvalid)
    assert.instanceOf(readGinkgoReport('{"a": 1}', []), GinkgoReportInvalid)
  })
})

describe("the verdict", () => {
  const outcome = read([...PASSES, FAILS, ABSENT])

  it("counts, and ends with the code of the house's table", () => {
    const report = conformanceReport(facts, outcome)
    assert.deepStrictEqual(report.counts, { asked: 4, passed: 2, failed: 1, notRun: 1 })
    assert.strictEqual(conformanceExitCode(report), 6)
    assert.strictEqual(conformanceExitCode(conformanceReport({ ...facts, atLeast: 2 }, outcome)), 0)
    const late = { ...outcome, suiteFailures: ["Suite Timeout Elapsed"] }
    assert.strictEqual(conformanceExitCode(conformanceReport(facts, late)), 2)
  })

  it("names each spec that does not pass with its cause, on the terminal and on a page", () => {
    const report = conformanceReport(facts, outcome)
    for (const text of [renderConformance(report), conformanceMarkdown(report)]) {
      assert.include(text, "ServiceCIDR and IPAddress API should support ServiceCIDR API operations")
      assert.include(text, 'servicecidrs.networking.k8s.io "kubernetes" not found')
      assert.include(text, "2 of 4 specs of Kubernetes 1.37.2 pass (1 fail, 1 did not run; asked for: 3), in 64 s")
    }
    const page = conformanceMarkdown(report)
    assert.include(page, "| sig-node | 1 | 1 |")
    assert.include(page, "wharf conformance --procs 6")
  })
})
