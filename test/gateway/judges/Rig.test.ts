// The rig of the fronts proved without a front: the same tour on two clusters, one of them behind a relay that changes nothing, says the
// same; so what differs behind a front is the front's. Only FRONTS=long plays it, for the fronts' own tours use the same rig.
import { type AddressInfo, connect, createServer } from "node:net"
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { until } from "../../apiserver/kubectl/Rig.ts"
import { playAll } from "../../apiserver/kubectl/Tour.ts"
import { connected } from "../../front/Connected.ts"
import { startRelay } from "../../front/Relay.ts"
import { startSides } from "../../front/Sides.ts"
import { UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"

it("a relay passes on what it gets, counts, cuts and refuses", async () => {
  const echo = createServer((socket) => {
    socket.on("error", () => undefined)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => void echo.listen(0, "127.0.0.1", resolve))
  const relay = await startRelay((echo.address() as AddressInfo).port)
  const say = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(relay.port, "127.0.0.1")
      socket.once("data", (chunk) => {
        resolve(chunk.toString())
        socket.destroy()
      })
      socket.on("error", () => undefined)
      socket.once("close", () => resolve("closed"))
      socket.write(text)
    })
  try {
    assert.strictEqual(await say("hello"), "hello")
    assert.strictEqual(relay.opened(), 1)
    relay.freeze()
    const frozen = say("late")
    await until("the frozen connection", () => relay.opened() === 2)
    relay.cut()
    assert.strictEqual(await frozen, "closed")
    relay.thaw()
    relay.refuse(true)
    assert.strictEqual(await say("refused"), "closed")
    relay.refuse(false)
    assert.strictEqual(await say("again"), "again")
  } finally {
    relay.stop()
    echo.close()
  }
})

if (process.env["FRONTS"] === "long") {
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
      } finally {
        await sides.stop()
      }
    })
  })
}
