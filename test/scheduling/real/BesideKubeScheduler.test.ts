// Our scheduler beside the real kube-scheduler: random small clusters, one pod after another, the same objects for both.
// A short form by default; REAL_CLUSTERS=300 plays as many clusters, REAL_SEED repeats a run, REAL_REPORT names a file for the page.
import { writeFileSync } from "node:fs"
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { runSeed } from "../../Seed.ts"
import { pageOf } from "./Page.ts"
import { playScene, prepare } from "./PlayScene.ts"
import { startScheduler } from "./RealScheduler.ts"
import { Tally } from "./Tally.ts"

const clusters = Number(process.env["REAL_CLUSTERS"] ?? 20)
const seed = runSeed("REAL_SEED")
const report = process.env["REAL_REPORT"]

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-scheduler"
)("our scheduler beside kube-scheduler", (programs) => {
  it(
    `decides as it does in ${clusters} random clusters, REAL_SEED=${seed}`,
    replayed(120_000 + clusters * 5000),
    async () => {
      const real = await startScheduler(programs)
      const tally = new Tally()
      try {
        await prepare(real)
        for (let at = 0; at < clusters; at++) {
          await playScene(real, seed + at, tally)
          if (report !== undefined) writeFileSync(report, pageOf(tally, { clusters: at + 1, seed }))
        }
      } finally {
        await real.stop()
      }
      const told = tally.differences.map((one) => `REAL_SEED=${one.seed}, ${one.question}\n  ${one.text}\n  ${one.pod}`)
      assert.strictEqual(told.join("\n\n"), "")
      assert.isAbove(tally.share("node").of, 0, "pods found nodes at all")
      assert.isAbove(tally.share("message").of, 0, "pods found no node at all")
    }
  )
})
