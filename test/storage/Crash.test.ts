import { assert, describe, it } from "vitest"
import { crash } from "./crash/CrashRig.ts"
import { runSeed } from "../Seed.ts"

const seed = runSeed("CRASH_SEED")

describe("killed at random moments under load", () => {
  it("keeps what it acknowledged, whole and in place, and nothing twice", async () => {
    const report = await crash({ kills: 10, seed, timeLimitMs: 60_000 })
    const { compacted, kills, problems, revision, writes } = report
    process.stdout.write(
      `${kills} kills, ${writes} writes, revision ${revision}, compacted ${compacted}, seed ${seed}\n`
    )
    assert.deepStrictEqual(problems, [])
    assert.isAbove(writes, 0)
  }, 300_000)
})
