// A small cluster with faults: the API server as it is keeps its word; every planted bug is found, named rightly and shrunk; and a seed
// gives one event log, here and in a fresh process.
import { execFileSync } from "node:child_process"
import { afterAll, assert, describe, it } from "vitest"
import { type ClusterCase, drawClusterCase, explore, runClusterCase } from "#sim"
import { clusterDefinitions } from "../Definitions.ts"
import { clusterFaults } from "./ClusterFaults.ts"

const SEEDS = 40
const STEPS_MAX = 14
const seeds = Array.from({ length: SEEDS }, (_, seed) => seed)
const found: Array<string> = []

describe("the API server as it is", () => {
  it(`keeps every guarantee in ${SEEDS} runs with faults`, () => {
    for (const seed of seeds) {
      const { violations } = runClusterCase(drawClusterCase(seed), { definitions: clusterDefinitions })
      assert.deepStrictEqual(violations, [], `seed ${seed}`)
    }
  })
})

describe("planted faults", () => {
  for (const fault of clusterFaults) {
    it(`finds and shrinks: ${fault.name}`, () => {
      const run = (candidate: ClusterCase) =>
        runClusterCase(candidate, { definitions: clusterDefinitions, ...fault.parts })
      const draw = (seed: number): ClusterCase => {
        const drawn = drawClusterCase(seed)
        return { ...drawn, steps: [...(fault.steps ?? []), ...drawn.steps] }
      }
      const finding = explore(seeds, draw, run)
      assert(finding !== undefined, `none of ${SEEDS} seeds shows it`)
      assert.include(fault.breaks, finding.violation.guarantee, finding.violation.message)
      const { plan, steps } = finding.smallest
      assert.isAtMost(plan.length + steps.length, STEPS_MAX)
      found.push(fault.name)
      console.log(
        `${fault.name}: seed ${finding.drawn.seed}, ${plan.length} faults and ${steps.length} steps left ` +
          `after ${finding.runs} runs: ${finding.violation.guarantee}: ${finding.violation.message}`
      )
    })
  }
  afterAll(() => {
    console.log(`recall: ${found.length} of ${clusterFaults.length} planted faults found and shrunk`)
    assert.strictEqual(found.length, clusterFaults.length)
  })
})

describe("determinism", () => {
  it("gives the same event log twice in a process and in a fresh one, and another for another seed", () => {
    const hash = (seed: number): string =>
      runClusterCase(drawClusterCase(seed), { definitions: clusterDefinitions }).eventLogHash
    assert.strictEqual(hash(5), hash(5))
    assert.notStrictEqual(hash(5), hash(6))
    const path = new URL("ClusterHash.ts", import.meta.url).pathname
    assert.strictEqual(execFileSync(process.execPath, [path, "5"]).toString().trim(), hash(5))
  })
})
