// The rig of the fronts proved without a front: the same tour on two clusters, one of them behind a relay that changes nothing, says the
// same; so what differs behind a front is the front's.
import { assert, it } from "vitest"
import { describeWith } from "../Judges.ts"
import { replayed } from "../Played.ts"
import { playAll } from "../apiserver/kubectl/Tour.ts"
import { connected } from "./Connected.ts"
import { startRelay } from "./Relay.ts"
import { startSides } from "./Sides.ts"
import { UPSTREAM_PROGRAMS } from "./Upstream.ts"

describeWith(...UPSTREAM_PROGRAMS, "kubectl")("two clusters of the rig", (programs) => {
  it("say the same, also on connections of every kind and behind a relay", replayed(180_000), async () => {
    const sides = await startSides(programs, async ({ endpoints, owner }) => {
      const relay = await startRelay(endpoints[0]?.port ?? 0)
      return { access: { ...owner, url: relay.url }, stop: relay.stop }
    })
    try {
      const compared = await playAll(sides, connected, { long: false, together: 1, accepted: [] })
      assert.deepStrictEqual(
        compared.filter((one) => !one.same),
        []
      )
      assert.isAtLeast(compared.length, 30)
      const said = compared.map(({ real }) => real).join("\n")
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
