// Two tenants and the platform on a real kube-apiserver with hollow nodes: whatever the attacker asks, it hears nothing of anybody else,
// tells nothing that is there from what is not, and changes nothing; and every request that says so is proved to mean something.
import { afterAll, assert, beforeAll, expect, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { asking } from "../../front/Access.ts"
import { callOf, startUpstream, type Upstream, UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { type Attack, judge, type Provers } from "./Attack.ts"
import { changes } from "./attacks/Writes.ts"
import { headers } from "./attacks/Headers.ts"
import { paths } from "./attacks/Paths.ts"
import { reads } from "./attacks/Reads.ts"
import { digestOf } from "./Digest.ts"
import { bindings, tokens, webhooks } from "./Effects.ts"
import { ATTACKER, furnish, furnishPlatform, LAIR, VAULT, VICTIM, VICTIM_MARK } from "./Parties.ts"
import { startZoo, type Zoo } from "./Zoo.ts"

const suites: ReadonlyArray<readonly [string, ReadonlyArray<Attack>]> = [
  ["reads", reads],
  ["paths", paths],
  ["headers and kinds", headers],
  ["changes and references", changes]
]
const LEAST = 150
/** Requests under way at the same time. */
const TOGETHER = 4

describeWith(...UPSTREAM_PROGRAMS)("an attacking tenant", (programs) => {
  let upstream: Upstream
  let zoo: Zoo
  let provers: Provers

  const accessOf = (id: string) => {
    const access = zoo.tenants.get(id)
    if (access === undefined) throw new Error(`no tenant ${id}`)
    return access
  }

  beforeAll(async () => {
    upstream = await startUpstream(programs)
    zoo = await startZoo(upstream, [ATTACKER, VICTIM])
    provers = { victim: asking(accessOf(VICTIM)), self: asking(accessOf(ATTACKER)), platform: asking(upstream.root) }
    await furnishPlatform(upstream.call)
    const victim = callOf(accessOf(VICTIM))
    await furnish(victim.call, VICTIM_MARK, VAULT)
    victim.close()
    const attacker = callOf(accessOf(ATTACKER))
    await furnish(attacker.call, "amark3k", LAIR)
    attacker.close()
  }, 120_000)

  afterAll(async () => {
    for (const one of Object.values(provers ?? {})) one.close()
    await zoo?.stop()
    await upstream?.stop()
  })

  it("has enough to try", () => {
    assert.isAtLeast(suites.flatMap(([, attacks]) => attacks).length, LEAST)
  })

  it("would be heard of: the same requests by the platform are found out", async () => {
    const asked = reads.filter(({ name }) => /^(get|list|table of|watch|protobuf of) .*secrets/.test(name))
    assert.isAtLeast(asked.length, 4)
    for (const attack of asked) {
      const { name, wrong } = await judge(attack, provers.platform, provers)
      assert.isNotEmpty(wrong, name)
    }
  })

  it.each(suites)(
    "sees and changes nothing of others by %s",
    async (_name, attacks) => {
      const before = await digestOf(upstream.call)
      const found: Array<string> = []
      let next = 0
      const worker = async (): Promise<void> => {
        for (let attack = attacks[next++]; attack !== undefined; attack = attacks[next++]) {
          const { name, wrong } = await judge(attack, provers.self, provers)
          found.push(...wrong.map((one) => `${name}: ${one}`))
        }
      }
      await Promise.all(Array.from({ length: TOGETHER }, worker))
      expect(found).toEqual([])
      assert.deepStrictEqual(await digestOf(upstream.call), before)
    },
    120_000
  )

  it.each([
    ["bindings", bindings],
    ["continue tokens", tokens],
    ["webhooks", webhooks]
  ])(
    "does nothing to others by %s",
    async (_name, scene) => {
      const before = await digestOf(upstream.call)
      expect(await scene(provers)).toEqual([])
      assert.deepStrictEqual(await digestOf(upstream.call), before)
    },
    120_000
  )
})
