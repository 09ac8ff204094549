// Several processes of one federation, each with its share of the objects by consistent hash: every object has one of them, one that is
// away is waited for, and one more moves its share and no copy.
import { assert, describe, it } from "vitest"
import { federatedName, federationResources, HashRing } from "#federation"
import { deployments, FederationWorld } from "./FederationWorld.ts"
import { deployment, policy } from "./Objects.ts"

const SHARDS = 3
const MEMBERS = ["a", "b"]

const keyOf = (name: string): string => `default/${federatedName(name, "deployments.apps")}`

const started = (seed: number): FederationWorld => {
  const world = new FederationWorld(seed)
  for (const name of MEMBERS) world.join(name)
  for (let index = 0; index < SHARDS; index++) world.start({ index, count: SHARDS })
  const ready = world.until(() => MEMBERS.every((name) => world.isReady(name)))
  assert.isTrue(ready, `members are not ready: ${world.failures.join("\n")}`)
  world.make(
    world.host,
    federationResources.propagationPolicies,
    "default",
    policy("spread", { schedulingMode: "Divide" })
  )
  return world
}

/** Deployments that are in both members as they are to be. */
const arrived = (world: FederationWorld, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const copies = MEMBERS.map((name) => {
    const member = world.members.get(name)
    const found = member === undefined ? [] : world.list(member, deployments)
    return new Map(
      found.map(({ metadata, spec }) => [metadata.name, (spec as { readonly replicas?: number }).replicas])
    )
  })
  return names.filter((name) => copies.every((copy) => copy.get(name) === 2))
}

describe("several processes", () => {
  const world = started(11)
  const ring = new HashRing(SHARDS)
  const names = Array.from({ length: 24 }, (_, at) => `web-${at}`)

  it("share the objects: each is written by the one that has it, and by no other", () => {
    const before = world.host.writes.length
    for (const name of names) world.make(world.host, deployments, "default", deployment(name, 4))
    assert.isTrue(
      world.until(() => arrived(world, names).length === names.length),
      world.failures.join("\n")
    )
    world.run(10_000)
    const writers = new Map<string, Set<number>>()
    for (const { name, resource, shard } of world.host.writes.slice(before)) {
      if (!["federatedobjects", "deployments", "collectedstatuses"].includes(resource)) continue
      const object = names.includes(name) ? federatedName(name, "deployments.apps") : name
      writers.set(object, (writers.get(object) ?? new Set()).add(shard))
    }
    assert.strictEqual(writers.size, names.length)
    for (const [object, shards] of writers)
      assert.deepStrictEqual([...shards], [ring.owner(`default/${object}`)], object)
    assert.isAbove(new Set([...writers.values()].flatMap((shards) => [...shards])).size, 1, "one has them all")
  })

  it("wait for one that is away, and go on with the rest", () => {
    const away = 1
    const [late, mine] = [
      names.map((name) => `late-${name}`).filter((name) => ring.owner(keyOf(name)) === away),
      names.map((name) => `late-${name}`).filter((name) => ring.owner(keyOf(name)) !== away)
    ]
    assert.isNotEmpty(late)
    assert.isNotEmpty(mine)
    world.crash(away)
    for (const name of [...late, ...mine]) world.make(world.host, deployments, "default", deployment(name, 4))
    assert.isTrue(
      world.until(() => arrived(world, mine).length === mine.length),
      world.failures.join("\n")
    )
    world.run(10_000)
    assert.isEmpty(arrived(world, late), "another one took them without being told")
    world.start({ index: away, count: SHARDS })
    assert.isTrue(
      world.until(() => arrived(world, late).length === late.length),
      world.failures.join("\n")
    )
  })

  it("may become more: shares move, and nothing in members does", () => {
    world.run(10_000)
    world.crash()
    const before = [...world.members.values()].map(({ writes }) => writes.length)
    for (let index = 0; index <= SHARDS; index++) world.start({ index, count: SHARDS + 1 })
    world.run(60_000)
    assert.deepStrictEqual(
      [...world.members.values()].map(({ writes }) => writes.length),
      before
    )
    const grown = new HashRing(SHARDS + 1)
    const moved = names.find((name) => grown.owner(keyOf(name)) === SHARDS)
    assert.isDefined(moved)
    world.change(world.host, deployments, "default", moved, { spec: { replicas: 6 } })
    const follows = (): boolean =>
      MEMBERS.every((name) => {
        const member = world.members.get(name)
        const copy = member && world.read(member, deployments, "default", moved)
        return (copy?.spec as { readonly replicas?: number } | undefined)?.replicas === 3
      })
    assert.isTrue(world.until(follows), world.failures.join("\n"))
  })
})
