// Nodes that share an engine, in virtual time: they break nothing, and every planted bug is found and named rightly, with its seed.
// The long form: `WHARF_SIM_SEEDS=2000 npx vitest run --config test/vitest.config.ts test/sim/explore/NodesWorld.test.ts`.
import { assert, describe, it } from "vitest"
import { drawNodesCase, type NodesCase, runNodesCase } from "#sim"
import { nodesFaults } from "./NodesFaults.ts"

const SEEDS = Number(process.env["WHARF_SIM_SEEDS"] ?? 40)
/** Seeds within which a planted fault must show. */
const FAULT_SEEDS = 200

describe("store nodes on a shared engine", () => {
  it(`keep every guarantee in ${SEEDS} runs with faults`, { timeout: 60_000 + SEEDS * 2000 }, () => {
    const sums: Record<string, number> = {}
    for (let seed = 0; seed < SEEDS; seed++) {
      const { counts, violations } = runNodesCase(drawNodesCase(seed))
      assert.deepStrictEqual(violations, [], `seed ${seed}`)
      for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
    }
    console.log(
      Object.entries(sums)
        .map(([name, sum]) => `${name} ${sum}`)
        .join(", ")
    )
    // What the runs are for has happened in them.
    assert.isAbove(sums["terms"], SEEDS)
    assert.isAbove(sums["uncertain"], SEEDS)
    assert.isAbove(sums["late"], 0)
    assert.isBelow(sums["undecidedKeys"], SEEDS / 2)
  })

  it("give the same event log from the same seed", () => {
    const run: NodesCase = JSON.parse(JSON.stringify(drawNodesCase(7)))
    assert.strictEqual(runNodesCase(run).eventLogHash, runNodesCase(drawNodesCase(7)).eventLogHash)
  })
})

describe("faults planted below store nodes and between them", () => {
  for (const { breaks, like, name, wrappers } of nodesFaults) {
    it(`finds: ${name} (${like})`, { timeout: 240_000 }, () => {
      for (let seed = 0; seed < FAULT_SEEDS; seed++) {
        const violation = runNodesCase(drawNodesCase(seed), wrappers).violations.at(0)
        if (violation === undefined) continue
        console.log(`${name}: seed ${seed}: ${violation.guarantee}: ${violation.message}`)
        return assert.include(breaks, violation.guarantee, violation.message)
      }
      assert.fail(`none of ${FAULT_SEEDS} seeds shows it`)
    })
  }
})
