// Counts of policies against counting from scratch, and their way into the policies' statuses.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { fieldsOf } from "#apiserver"
import { federationResources, makePolicyCountController, ReferenceCounts } from "#federation"
import { deployment, deploymentConfig, federated, FleetWorld } from "../FleetWorld.ts"

const { clusterPropagationPolicies, objects, propagationPolicies } = federationResources

describe("counts of policies", () => {
  it("are what counting from scratch finds, after any changes", () => {
    const policies = ["p", "q", "r"]
    const step = fc.record({
      object: fc.constantFrom("a", "b", "c", "d"),
      policies: fc.option(fc.subarray(policies), { nil: undefined }),
      type: fc.constantFrom("deployments.apps", "secrets")
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const counts = new ReferenceCounts()
        const model = new Map<string, { readonly policies: ReadonlyArray<string>; readonly type: string }>()
        for (const { object, policies: named, type } of steps) {
          const before = new Map(policies.map((policy) => [policy, JSON.stringify(counts.use(policy))]))
          const told = named === undefined ? counts.delete(object) : counts.set(object, named, type)
          if (named === undefined) model.delete(object)
          else model.set(object, { policies: named, type })
          for (const policy of policies) {
            if (JSON.stringify(counts.use(policy)) !== before.get(policy)) assert.include(told, policy)
          }
        }
        for (const policy of policies) {
          const users = [...model.values()].filter((one) => one.policies.includes(policy))
          const { refCount, typedRefCount } = counts.use(policy)
          assert.strictEqual(refCount, users.length)
          for (const { count, group, resource } of typedRefCount) {
            assert.isAbove(count, 0)
            assert.strictEqual(
              count,
              users.filter(({ type }) => type === (group === "" ? resource : `${resource}.${group}`)).length
            )
          }
          assert.strictEqual(
            typedRefCount.reduce((sum, { count }) => sum + count, 0),
            refCount
          )
        }
      })
    )
  })

  it("stand in the policies' statuses, written once for many objects", () => {
    const world = new FleetWorld([], [deploymentConfig])
    const names = [
      propagationPolicies,
      clusterPropagationPolicies,
      federationResources.overridePolicies,
      federationResources.clusterOverridePolicies
    ]
    const controller = makePolicyCountController({
      clockwork: world.clockwork,
      client: world.host.client,
      runtime: world.runtime,
      objects: world.objects,
      policies: Object.fromEntries(names.map((one) => [one.resource, world.informer(one)])),
      types: world.types
    })
    world.informers.start()
    controller.start()
    const spec = { schedulingMode: "Duplicate" }
    const metadata = { name: "gold", namespace: "team" }
    world.host.create(propagationPolicies, {
      apiVersion: "core.kubeadmiral.io/v1alpha1",
      kind: "PropagationPolicy",
      metadata,
      spec
    })
    const before = world.host.writes
    for (let at = 0; at < 20; at++) {
      const made = federated(deployment(1), {}, { labels: { "kubeadmiral.io/propagation-policy-name": "gold" } })
      world.host.create(objects, { ...made, metadata: { ...made.metadata, name: `web-${at}` } })
    }
    world.clockwork.pass(5000)
    const use = () => fieldsOf(world.host.get(propagationPolicies, "team/gold")?.status)
    assert.deepStrictEqual(use(), {
      refCount: 20,
      typedRefCount: [{ group: "apps", resource: "deployments", count: 20 }]
    })
    assert.strictEqual(world.host.writes - before, 21)
    world.host.remove(objects, "team/web-3")
    world.clockwork.pass(5000)
    assert.strictEqual(use()["refCount"], 19)
  })
})
