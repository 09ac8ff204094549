// The profiling script: which tool is started on what. Starting them is left to people; each takes seconds and proves nothing here.
import { assert, describe, it } from "vitest"
import { invocationOf, toolOf } from "./Profile.ts"

describe("toolOf", () => {
  it("takes flame unless another tool is named first", () => {
    assert.deepStrictEqual(toolOf(["run", "x.yaml", "--tool", "y"]), ["flame", ["run", "x.yaml", "--tool", "y"]])
    assert.deepStrictEqual(toolOf(["--tool", "clinic", "run"]), ["clinic", ["run"]])
    assert.deepStrictEqual(toolOf(["--tool=cpu-prof", "run"]), ["cpu-prof", ["run"]])
    assert.deepStrictEqual(toolOf(["--cpu-prof", "assets", "--json"]), ["cpu-prof", ["assets", "--json"]])
  })
})

describe("invocationOf", () => {
  it("profiles wharf with the words, or a script that is named", () => {
    const wharf = invocationOf("flame", ["assets", "--json"])
    assert.strictEqual(wharf!.command, "flame")
    assert.match(wharf!.args.join(" "), /^run --delay=none -- \S+\/wharf\.ts assets --json$/)
    assert.deepStrictEqual(invocationOf("cpu-prof", ["bench.ts", "9"])?.args.slice(-2), ["bench.ts", "9"])
  })

  it("knows clinic and its tools, and no others", () => {
    assert.include(invocationOf("clinic", ["x.ts"])!.args, "doctor")
    assert.include(invocationOf("clinic-bubbleprof", ["x.ts"])!.args, "bubbleprof")
    assert.isUndefined(invocationOf("perf", ["x.ts"]))
  })
})
