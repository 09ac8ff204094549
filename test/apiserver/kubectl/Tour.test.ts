// The real kubectl against both clusters: every command of the tour says the same on both, or differs for a reason that is written
// down. TOUR=long plays all scenes; `node test/apiserver/kubectl/WriteTour.ts` prints differences and writes the published table.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { accepted } from "./Accepted.ts"
import { startRig } from "./Rig.ts"
import { scenes } from "./Scenes.ts"
import { playAll, unexplained } from "./Tour.ts"

const long = process.env["TOUR"] === "long"
/** Commands that the tour must have compared; the rest is there for more than its number. */
const LEAST = long ? 400 : 200

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kubectl"
)("kubectl on both API servers", (programs) => {
  it("says the same", replayed(600_000), async () => {
    const rig = await startRig(programs)
    try {
      const compared = await playAll(rig, scenes, { long, together: 4 })
      assert.deepStrictEqual(unexplained(compared), [])
      assert.isAtLeast(compared.length, LEAST)
      const same = compared.filter((one) => one.same).length
      assert.isAbove(same / compared.length, 0.9)
      if (!long) return
      const used = new Set(compared.map((one) => one.accepted))
      const idle = accepted.filter((one) => !used.has(one)).map(({ reason }) => reason)
      assert.deepStrictEqual(idle, [], "accepted differences that no longer show")
    } finally {
      await rig.stop()
    }
  })
})
