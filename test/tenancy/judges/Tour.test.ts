// The real kubectl as a tenant and as the owner of a fresh cluster: every command says the same, or differs for a reason that is written
// down. TOUR=long plays all scenes; `node test/front/PlayTour.ts tenancy` prints differences.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { playAll, unexplained } from "../../apiserver/kubectl/Tour.ts"
import { UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { acceptedOfTenants, startTenantSides, tenantScenes } from "./TenantTour.ts"

const long = process.env["TOUR"] === "long"
/** Of the shorter form: connections of every kind, and custom kinds; watches are tested by themselves. */
const short: ReadonlySet<string> = new Set(["connected", "custom"])
const LEAST = long ? 300 : 50

describeWith(...UPSTREAM_PROGRAMS, "kubectl")("kubectl as a tenant", (programs) => {
  it("says what it says as a cluster's owner", replayed(600_000), async () => {
    const sides = await startTenantSides(programs)
    try {
      const played = tenantScenes.filter(({ name }) => long || short.has(name))
      const compared = await playAll(sides, played, { long, together: 4, accepted: acceptedOfTenants })
      assert.deepStrictEqual(unexplained(compared), [])
      assert.isAtLeast(compared.length, LEAST)
      const same = compared.filter((one) => one.same).length
      assert.isAbove(same / compared.length, 0.85)
    } finally {
      await sides.stop()
    }
  })
})
