import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { groupByBackend, makeReport, renderHtml } from "../../reports/index.ts"
import { syntheticRecord } from "./SyntheticRecord.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

describe("the page's own script", () => {
  it("type-checks against the browser's library, which the rest of the code must not see", () => {
    const { status, stdout } = spawnSync("node_modules/.bin/tsc", ["-p", "reports/page"], {
      cwd: root,
      encoding: "utf8"
    })
    assert.strictEqual(stdout, "")
    assert.strictEqual(status, 0)
  })

  it("and the page are the same bytes for the same records", () => {
    const page = () => renderHtml(makeReport(groupByBackend([syntheticRecord({ seconds: 3 })])))
    assert.strictEqual(page(), page())
  })

  it("names no address outside itself", () => {
    const page = renderHtml(makeReport(groupByBackend([syntheticRecord({ seconds: 3 })])))
    assert.deepStrictEqual(page.match(/(?:src|href)="(?!#|data:)[^"]*"/g), null)
    assert.notMatch(page.replace(/<script>[\s\S]*?<\/script>/g, ""), /https?:\/\//)
  })
})
