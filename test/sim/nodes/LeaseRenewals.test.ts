// Node leases that somebody else touches: a node keeps renewing its lease, whatever became of it.
import { gvr, type KubeObject } from "#kube"
import { World } from "#sim"
import { assert, it } from "vitest"
import { clusterDefinitions } from "../Definitions.ts"

const leases = gvr("coordination.k8s.io", "v1", "leases")
const namespace = "kube-node-lease"
const NODES = 3

const livingWorld = () => {
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    nodeGroups: [{ name: "node", count: NODES, zones: ["a"] }]
  })
  world.start()
  world.kernel.run({ untilMs: 30_000 })
  const lease = (): KubeObject | undefined =>
    world.api.server!.view("coordination.k8s.io", "leases").get(namespace, "node-1")
  return { world, lease, users: world.client("users") }
}

it("makes a lease anew that was deleted under it", () => {
  const { lease, users, world } = livingWorld()
  const old = lease()!.metadata.uid
  users.delete({ resource: leases, namespace, name: "node-1" }, {}, () => undefined)
  world.kernel.run({ untilMs: 31_000 })
  assert.isUndefined(lease())
  world.kernel.run({ untilMs: 60_000 })
  assert.isString(lease()?.metadata.uid)
  assert.notStrictEqual(lease()!.metadata.uid, old)
})

it("goes on with a lease that somebody else changed", () => {
  const { lease, users, world } = livingWorld()
  const target = { resource: leases, namespace, name: "node-1" }
  users.patch(target, { type: "merge", body: { metadata: { labels: { seen: "yes" } } } }, {}, () => undefined)
  world.kernel.run({ untilMs: 31_000 })
  const before = lease()!
  assert.deepStrictEqual(before.metadata.labels, { seen: "yes" })
  world.kernel.run({ untilMs: 60_000 })
  const after = lease()!
  assert.strictEqual(after.metadata.uid, before.metadata.uid)
  assert.deepStrictEqual(after.metadata.labels, { seen: "yes" })
  assert.notDeepEqual(after.spec, before.spec)
})
