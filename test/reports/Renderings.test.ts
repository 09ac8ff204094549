import { assert, describe, it } from "@effect/vitest"
import {
  groupByBackend,
  makeReport,
  renderJUnit,
  renderMarkdown,
  renderTerminal,
  terminalOptions
} from "../../reports/index.ts"
import { syntheticRecord, syntheticRuns } from "./SyntheticRecord.ts"

const backends = [
  { backend: "etcd", seconds: 3 },
  { backend: "lmdb", speed: 3, seconds: 3 }
]
const report = makeReport(groupByBackend(syntheticRuns(backends, 10)))
const hostile = syntheticRecord({ backend: `<b>|"x"&\u0007\ud800`, seconds: 3 })
const hostileReport = makeReport(
  groupByBackend([{ ...hostile, violations: [{ rule: "a <rule>", text: 'line\nbreak | & "quotes"' }] }])
)

describe("the terminal summary", () => {
  it("answers first and keeps to the width", () => {
    for (const width of [40, 80, 132]) {
      const lines = renderTerminal(report, { width, color: false }).split("\n")
      assert.include(lines[2] ?? "", "Valid?")
      for (const line of lines) assert.isTrue(line.length <= width, `${width}: ${line}`)
    }
  })

  it("names the verdict, the factor and the exit code", () => {
    const text = renderTerminal(report, { width: 120, color: false })
    assert.match(text, /lmdb against etcd {2}Faster: [23]\.\d\d×/)
    assert.include(text, "exit code 0 (pass)")
    assert.notInclude(text, "\u001b")
  })

  it("uses colour only for a terminal that wants it", () => {
    assert.isTrue(terminalOptions({ isTTY: true, columns: 100 }, {}).color)
    assert.isFalse(terminalOptions({ isTTY: true }, { NO_COLOR: "1" }).color)
    assert.isTrue(terminalOptions({ isTTY: true }, { NO_COLOR: "" }).color)
    assert.isFalse(terminalOptions({ isTTY: true }, { TERM: "dumb" }).color)
    assert.deepStrictEqual(terminalOptions({}, {}), { width: 80, color: false })
    assert.include(renderTerminal(report, { width: 80, color: true }), "\u001b[32m")
  })
})

describe("Markdown", () => {
  it("gives every table row as many cells as its head", () => {
    for (const text of [renderMarkdown(report), renderMarkdown(hostileReport)]) {
      let columns = 0
      for (const line of text.split("\n")) {
        if (!line.startsWith("|")) columns = 0
        else {
          const cells = line.replaceAll("\\|", "").split("|").length
          if (columns === 0) columns = cells
          assert.strictEqual(cells, columns, line)
        }
      }
    }
  })

  it("answers and folds the details away", () => {
    const text = renderMarkdown(report)
    assert.include(text, "✅ **lmdb against etcd** Faster")
    assert.include(text, "<details><summary>")
    assert.notInclude(renderMarkdown(hostileReport), "<b>")
  })
})

describe("JUnit", () => {
  it("counts what it lists", () => {
    const xml = renderJUnit(report)
    const listed = xml.match(/<testcase /g)?.length
    assert.include(xml, `<testsuites name="quickstart on etcd, lmdb" tests="${listed}" failures="0" errors="0"`)
    assert.strictEqual(xml.match(/<testsuite /g)?.length, 3)
  })

  it("turns a slower metric and a missed target into failures, and no data into an error", () => {
    const slower = makeReport(groupByBackend(syntheticRuns(backends, 10)), { baseline: "lmdb" })
    assert.match(renderJUnit(slower), /<failure message="slower: /)
    const record = syntheticRecord({ seconds: 3 })
    const missed = record.slos.map((slo) => ({ ...slo, verdict: "fail" as const }))
    assert.match(renderJUnit(makeReport(groupByBackend([{ ...record, slos: missed }]))), /failures="2"/)
    const blind = syntheticRuns(backends, 10).map((run) => (run.backend.name === "lmdb" ? { ...run, watch: [] } : run))
    assert.match(renderJUnit(makeReport(groupByBackend(blind))), /<error message="missing: /)
  })

  it("holds only what XML can hold", () => {
    const xml = renderJUnit(hostileReport)
    assert.isTrue(xml.isWellFormed())
    // oxlint-disable-next-line no-control-regex -- the characters that XML forbids
    assert.notMatch(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/)
    assert.include(xml, "&lt;b&gt;|&quot;x&quot;&amp;")
    assert.include(xml, "line&#10;break")
  })
})
