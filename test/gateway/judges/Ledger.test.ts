// The observers and their ledger proved without a front: across cut connections nothing is lost, doubled or out of order; and each
// mistake that a front could make, planted into what was seen, is found. FRONTS=long plays the first, which the fronts' own tests contain.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { goClient } from "../../front/GoClient.ts"
import { exactly, faithfully, type Seen } from "../../front/Ledger.ts"
import { startRelay } from "../../front/Relay.ts"
import { startUpstream, UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { watched } from "../../front/Watched.ts"

if (process.env["FRONTS"] === "long") {
  describeWith(...UPSTREAM_PROGRAMS)("watching through cut connections", (programs) => {
    it("loses, doubles and swaps nothing", replayed(300_000), async (context) => {
      const goProgram = await goClient(context)
      const upstream = await startUpstream(programs, { bare: true })
      const relay = await startRelay(upstream.endpoints[0]?.port ?? 0)
      try {
        const run = await watched({
          upstream,
          namespace: "watched",
          access: { ...upstream.owner, url: relay.url },
          goProgram,
          disturb: async () => {
            for (let turn = 0; turn < 4; turn++) {
              await new Promise((resolve) => setTimeout(resolve, 700))
              relay.cut()
            }
          }
        })
        assert.deepStrictEqual([run.bare.wrong, run.node.wrong, run.go.wrong], [[], [], []])
        assert.isAbove(run.deeds, 30)
        assert.isAtLeast(run.again[0], 2, "connections were cut")
      } finally {
        relay.stop()
        await upstream.stop()
      }
    })
  })
}

const deeds: ReadonlyArray<Seen> = [
  { deed: "add", name: "a", version: "1" },
  { deed: "add", name: "b", version: "2" },
  { deed: "update", name: "a", version: "3" },
  { deed: "delete", name: "b", version: "" },
  { deed: "update", name: "a", version: "5" }
]
const held = new Map([["a", "5"]])
const swapped = deeds.with(1, deeds[2]).with(2, deeds[1])

it("the ledger finds what was lost, doubled or swapped", () => {
  assert.deepStrictEqual(exactly(deeds, deeds).wrong, [])
  assert.deepStrictEqual(faithfully({ deeds, held }, deeds, held).wrong, [])
  for (let at = 1; at < deeds.length; at++) {
    assert.isNotEmpty(exactly(deeds, deeds.toSpliced(at, 1)).wrong, `lost ${at}`)
    const doubled = deeds.toSpliced(at, 0, deeds[at])
    assert.isNotEmpty(exactly(deeds, doubled).wrong, `doubled ${at}`)
    assert.isNotEmpty(faithfully({ deeds, held }, doubled, held).wrong, `doubled ${at}`)
  }
  assert.isNotEmpty(exactly(deeds, swapped).wrong)
  assert.isNotEmpty(faithfully({ deeds, held }, deeds.slice(0, -1), held).wrong, "the last one")
  assert.isNotEmpty(faithfully({ deeds, held }, deeds.toSpliced(3, 1), held).wrong, "a deletion")
  assert.isNotEmpty(faithfully({ deeds, held }, [...deeds, { ...deeds[2], deed: "update" }], held).wrong, "an old one")
  assert.isNotEmpty(faithfully({ deeds, held }, deeds, new Map()).wrong, "a store")
  assert.deepStrictEqual(faithfully({ deeds, held }, deeds.toSpliced(2, 1), held), { wrong: [], passedOver: 1 })
})
