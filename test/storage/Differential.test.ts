import { assert, describe, it } from "vitest"
import { judge } from "../Judges.ts"
import { accepted } from "./differential/Accepted.ts"
import { findDifference } from "./differential/Truth.ts"
import { runSeed } from "../Seed.ts"

/** TRUTH_SEED repeats one. */
const seed = runSeed("TRUTH_SEED")

describe("beside a real etcd", () => {
  it("answers the same random sequences in the same way, on both engines", async () => {
    const etcdPath = await judge("etcd")
    const verdict = await findDifference({ etcdPath, runs: 5000, seed, timeLimitMs: 40_000 })
    process.stdout.write(`${verdict.sequences} sequences (${verdict.operations} operations) agree, seed ${seed}\n`)
    assert.isUndefined(verdict.failure, verdict.failure)
    assert.isAbove(verdict.sequences, 0)
  }, 300_000)

  it("accepts no difference without a reason", () => {
    for (const { what, why } of accepted) assert.isTrue(what.length > 10 && why.length > 20, what)
    assert.strictEqual(new Set(accepted.map(({ what }) => what)).size, accepted.length)
  })
})
