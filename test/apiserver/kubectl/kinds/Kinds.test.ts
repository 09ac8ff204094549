// Random objects of every kind with rules, valid and not, as creates and as updates on both servers: the same code, reason, sentences,
// warnings and completed object, but for what KnownDifferences.ts lists. SEED and RUNS choose others and more.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "vitest"
import { describeWith } from "../../../Judges.ts"
import { startApiServer } from "../../../kube/RealApiServer.ts"
import { startOurs } from "../Rig.ts"
import { known } from "./KnownDifferences.ts"
import { runKinds } from "./RunKinds.ts"

const SEED = Number(process.env["SEED"] ?? 20_261_128)
const RUNS = Number(process.env["RUNS"] ?? 30)
/** The most of all answers that may differ for a known reason. */
const KNOWN_MOST = 0.05

describeWith("kube-apiserver", "etcd")("objects of all kinds on a real kube-apiserver and on ours", (programs) => {
  it("are judged alike", { timeout: 300_000 }, async () => {
    console.log(`seed ${SEED}`)
    const folder = mkdtempSync(join(tmpdir(), "kinds-"))
    const [real, ours] = await Promise.all([startApiServer(programs, ["--allow-privileged"], true), startOurs(folder)])
    try {
      const { compared, differences, taken } = await runKinds(
        { ours: ours.call, real: real.call },
        { runs: RUNS, seed: SEED }
      )
      const unknown = differences
        .filter((one) => !known.some(({ explains }) => explains(one)))
        .map(({ body, ours: own, ...one }) => ({ ...one, ours: own, body: JSON.stringify(body) }))
      console.log(`${compared} compared, ${taken} taken, ${differences.length} known differences`)
      assert.deepStrictEqual(unknown, [])
      assert.isAbove(taken, compared / 4)
      assert.isBelow(taken, (compared * 3) / 4)
      assert.isBelow(differences.length, compared * KNOWN_MOST)
    } finally {
      await Promise.all([real.stop(), ours.stop()])
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
