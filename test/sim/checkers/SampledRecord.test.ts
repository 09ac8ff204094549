// The record of a large cluster beside the whole one: of the keys that it keeps it tells the same, for as long as it says, and what it
// cannot tell it does not judge. A watcher that misses events is found by it still.
import { assert, describe, it } from "vitest"
import { gvr, Reflector } from "#kube"
import { CheckedClients, RandomStream, SampledRecord, StoreRecord, Violations, World } from "#sim"
import { clusterDefinitions } from "../Definitions.ts"

const leases = gvr("coordination.k8s.io", "v1", "leases")

/** A small cluster with both records, and a client whose watches are checked against the sampled one; `deaf` loses every fifth event. */
const follow = (share: number, deaf: boolean, nodes = 24) => {
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    compactionMs: 60_000,
    nodeGroups: [{ name: "node", count: nodes }]
  })
  const violations = new Violations(() => world.kernel.nowMs)
  const sampled = new SampledRecord(() => world.kernel.nowMs, violations, share)
  const whole = new StoreRecord(() => world.kernel.nowMs, violations)
  world.onServerStart = (storage) => {
    sampled.follow(storage)
    whole.follow(storage)
  }
  world.start()
  const clients = new CheckedClients({
    record: sampled,
    violations,
    prefixOf: ({ resource: { group, resource, version } }) =>
      world.api.server?.definitions.find(group, version, resource)?.storage?.prefix
  })
  const process = world.kernel.process("observer")
  const heard = { events: 0, lost: 0 }
  const client = world.client("observer")
  const hearing: typeof client = {
    ...client,
    watch: (collection, options, listener) =>
      client.watch(collection, options, {
        ...listener,
        event: (event) => {
          if (deaf && event.type === "MODIFIED" && ++heard.lost % 5 === 0) return
          listener.event(event)
        }
      })
  }
  new Reflector(
    {
      client: clients.wrap(hearing, process),
      clockwork: process.clockwork,
      collection: { resource: leases, namespace: "" }
    },
    { replace: () => undefined, event: () => void heard.events++ }
  ).start()
  return { world, sampled, whole, violations, heard }
}

describe("a sampled record", () => {
  it("tells of its keys what the whole record tells, at every revision", () => {
    const { heard, sampled, violations, whole, world } = follow(0.4, false)
    world.kernel.run({ untilMs: 120_000 })
    assert.deepStrictEqual(violations.list, [])
    assert.isAbove(heard.events, 200)
    const kept = [...whole.keys()].filter(sampled.keeps)
    assert.isAbove(kept.length, 5)
    assert.isBelow(kept.length, [...whole.keys()].length / 1.5)
    assert.sameMembers([...sampled.keys()], kept)
    const random = new RandomStream(7)
    for (let look = 0; look < 500; look++) {
      const [key, revision] = [random.pick(kept), 1 + Math.floor(random.float() * whole.revision)]
      assert.strictEqual(sampled.versionAt(key, revision), whole.versionAt(key, revision))
      const event = whole.eventOf(key, revision)
      assert.strictEqual(sampled.eventOf(key, revision)?.isCreate, event?.isCreate)
    }
    const told: Array<number> = []
    for (let next = sampled.from(0); next !== undefined; next = sampled.from(next.place + 1))
      told.push(next.event.revision)
    assert.deepStrictEqual(
      told,
      whole.events.filter(({ key }) => sampled.keeps(key)).map(({ revision }) => revision)
    )
  })

  it("forgets what is long ago, and says so", () => {
    const { sampled, violations, whole, world } = follow(1, false, 6)
    world.kernel.run({ untilMs: 75 * 60_000 })
    assert.deepStrictEqual(violations.list, [])
    assert.isBelow(sampled.size, whole.events.length * 0.7)
    assert.isFalse(sampled.tells(10))
    assert.isTrue(sampled.tells(whole.revision))
    for (const key of whole.keys())
      assert.strictEqual(sampled.versionAt(key, whole.revision), whole.versionAt(key, whole.revision))
    const first = sampled.from(0)
    assert.isAbove(first?.place ?? 0, 0)
    assert.strictEqual(sampled.placeAfter((first?.event.revision ?? 0) - 1), first?.place)
  })

  it("finds a watcher that misses events of any of its keys", () => {
    const { violations, world } = follow(0.3, true)
    world.kernel.run({ untilMs: 60_000 })
    assert.isAbove(violations.count, 0)
    assert.match(violations.list[0]?.guarantee ?? "", /^watch is/)
  })
})
