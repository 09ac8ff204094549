// The checkers proven: every planted bug is found within a budget of seeds, named rightly, shrunk to a few steps and replayed by its
// seed; and the store as it is breaks nothing. Prints the recall.
import { afterAll, assert, describe, it } from "vitest"
import { drawStoreCase, explore, runStoreCase, shrinkCase, type StoreCase } from "#sim"
import { plantedFaults } from "./PlantedFaults.ts"

const SEEDS = 60
/** Steps of a plan and a workload that a shrunk case may have. */
const STEPS_MAX = 12
const seeds = Array.from({ length: SEEDS }, (_, seed) => seed)
const found: Array<string> = []

describe("the store as it is", () => {
  it(`keeps every guarantee in ${SEEDS} runs with faults`, () => {
    let operations = 0
    let undecided = 0
    for (const seed of seeds) {
      const { counts, violations } = runStoreCase(drawStoreCase(seed))
      assert.deepStrictEqual(violations, [], `seed ${seed}`)
      operations += counts.operations
      undecided += counts.undecidedKeys
    }
    console.log(`${operations} operations checked; ${undecided} of ${SEEDS * 5} key histories were given up undecided`)
    assert.isBelow(undecided, SEEDS / 2)
  })
})

describe("planted faults", () => {
  for (const fault of plantedFaults) {
    it(`finds and shrinks: ${fault.name} (${fault.like})`, () => {
      const run = (candidate: StoreCase) => runStoreCase(candidate, fault.wrappers)
      const finding = explore(seeds, (seed) => drawStoreCase(seed), run)
      assert(finding !== undefined, `none of ${SEEDS} seeds shows it`)
      assert.include(fault.breaks, finding.violation.guarantee, finding.violation.message)
      const { plan, steps } = finding.smallest
      assert.isAtMost(plan.length + steps.length, STEPS_MAX)
      found.push(fault.name)
      console.log(
        `${fault.name}: seed ${finding.drawn.seed}, ${plan.length} faults and ${steps.length} operations left ` +
          `after ${finding.runs} runs: ${finding.violation.guarantee}: ${finding.violation.message}`
      )
    })
  }
  afterAll(() => {
    console.log(`recall: ${found.length} of ${plantedFaults.length} planted faults found and shrunk`)
    assert.strictEqual(found.length, plantedFaults.length)
  })
})

describe("a finding", () => {
  it("replays to the same event log", () => {
    const [fault] = plantedFaults
    const run = (candidate: StoreCase) => runStoreCase(candidate, fault.wrappers)
    const finding = shrinkCase(drawStoreCase(3), run)
    assert(finding !== undefined)
    const read: StoreCase = JSON.parse(JSON.stringify(finding.smallest))
    assert.strictEqual(run(read).eventLogHash, finding.eventLogHash)
  })
})
