// The real kubectl through a gateway and directly: every command says the same, or differs for a reason that is written down.
// TOUR=long plays all scenes; `node test/front/PlayTour.ts gateway` prints differences.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { playAll, unexplained } from "../../apiserver/kubectl/Tour.ts"
import { UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { acceptedOfGateways, gatewayScenes, startGatewaySides } from "./GatewayTour.ts"

const long = process.env["TOUR"] === "long"
/** Of the shorter form: connections of every kind, bundles that are applied, and watches. */
const short: ReadonlySet<string> = new Set(["connected", "bundles", "watched"])
const LEAST = long ? 350 : 45

describeWith(...UPSTREAM_PROGRAMS, "kubectl")("kubectl through a gateway", (programs) => {
  it("says what it says directly", replayed(600_000), async () => {
    const sides = await startGatewaySides(programs, long ? "certificate" : "token")
    try {
      const played = gatewayScenes.filter(({ name }) => long || short.has(name))
      const compared = await playAll(sides, played, { long, together: 4, accepted: acceptedOfGateways })
      assert.deepStrictEqual(unexplained(compared), [])
      assert.isAtLeast(compared.length, LEAST)
      const said = compared.map(({ ours }) => ours).join("\n")
      for (const sign of [
        "third line",
        "spoken 30",
        "a pod",
        "from the client",
        "answered by the pod",
        "to be copied"
      ]) {
        assert.include(said, sign)
      }
    } finally {
      await sides.stop()
    }
  })
})
