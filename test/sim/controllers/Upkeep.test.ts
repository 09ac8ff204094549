// All that keeps a cluster together, in one simulated world with everything that a real one has.
import { assert, it } from "vitest"
import { allControllers, type FaultPlan, podChurn, RandomStream, upkeepControllers, upkeepControllersWith } from "#sim"
import { Resources, UpkeepWorld } from "./UpkeepWorld.ts"

const run = [...upkeepControllers, ...upkeepControllersWith({ rootCa: "PEM", storage: {} })]

const faults: FaultPlan = [{ kind: "nodes-die", atMs: 20_000, forMs: 120_000, zone: "b", count: 0 }]

const world = (seed: number): UpkeepWorld => {
  const made = new UpkeepWorld({
    run,
    seed,
    whole: true,
    faults,
    nodeGroups: [{ name: "node", count: 9, zones: ["a", "b", "c"] }]
  })
  made.world.play(podChurn({ pods: 30, replacePerSecond: 2, untilMs: 60_000 }, new RandomStream(seed)))
  made.pass(200_000)
  return made
}

it("does the same again with the same seed, dead nodes and all", () => {
  const [first, again, other] = [world(1), world(1), world(2)]
  assert.strictEqual(first.world.kernel.log.hash(), again.world.kernel.log.hash())
  assert.notStrictEqual(first.world.kernel.log.hash(), other.world.kernel.log.hash())
  for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
    assert.isDefined(first.get(Resources.serviceaccounts, name, "default"), name)
    assert.isDefined(first.get(Resources.configmaps, name, "kube-root-ca.crt"), name)
  }
  assert.deepStrictEqual(first.failures, [])
})

it("stands still once it is stopped", () => {
  const made = world(3)
  made.world.stop()
  made.create(Resources.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "late" } })
  made.pass(60_000)
  assert.isUndefined(made.get(Resources.serviceaccounts, "late", "default"))
})

it("goes by upstream's names, each once", () => {
  const names = allControllers.map(({ name }) => name)
  assert.lengthOf(new Set(names), names.length)
  for (const name of names) assert.match(name, /^[a-z-]+-controller$/)
})
