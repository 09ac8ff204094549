// `wharf assets` as people and programs call it: the JSON document, exit codes, and errors without a stack trace.
import { Schema } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { AssetsDocument, programNames } from "#kind"

const launcher = fileURLToPath(new URL("../../bin/wharf", import.meta.url))

const wharf = (...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number; readonly out: string; readonly errors: string }>((resolve) => {
    execFile(launcher, args, (error, out, errors) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, errors })
    )
  })

describe("wharf assets", () => {
  it("prints one JSON document of the published shape", async () => {
    const { code, out } = await wharf("assets", "--json")
    assert.strictEqual(code, 0)
    const document = Schema.decodeSync(Schema.fromJsonString(AssetsDocument))(out, { onExcessProperty: "error" })
    assert.match(document.cache, /\/wharf\/judges$/)
    assert.deepStrictEqual(
      document.assets.map(({ name }) => name),
      [...programNames]
    )
  })

  it("prints a line for each program", async () => {
    const { code, out } = await wharf("assets")
    assert.strictEqual(code, 0)
    for (const name of programNames) assert.match(out, new RegExp(`^${name.replaceAll(".", "\\.")} `, "m"))
  })

  it("says what is wrong in words and ends with 1", async () => {
    const { code, errors } = await wharf("assets", "build", "chromium")
    assert.strictEqual(code, 1)
    assert.include(errors, "chromium is not built from Go modules: apt-get install chromium")
    assert.notMatch(errors, /^\s+at /m)
  })
})
