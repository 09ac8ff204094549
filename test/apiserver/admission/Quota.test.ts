import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ApiFailure, gvr, type KubeObject } from "#kube"
import { quotaUsage } from "../../../core/apiserver/admission/QuotaUsage.ts"
import { quotaStatus } from "../../../core/apiserver/admission/ResourceQuota.ts"
import { amountsOf, sumOf } from "../../../core/apiserver/admission/PodAmounts.ts"
import { AdmittedWorld, pod, thing } from "./AdmittedWorld.ts"

const QUOTAS = gvr("", "v1", "resourcequotas")

/** A quota whose controller has counted nothing yet. */
const quota = (
  world: AdmittedWorld,
  name: string,
  spec: { readonly hard: Record<string, string>; readonly [field: string]: unknown }
): void => {
  const made = world.make("resourcequotas", thing("v1", "ResourceQuota", name, { spec }, "default"))
  const none = Object.fromEntries(Object.keys(spec.hard).map((key) => [key, "0"]))
  const counted = world.change("resourcequotas", quotaStatus(made, amountsOf(none)), undefined, "status")
  assert.isFalse(counted instanceof ApiFailure)
}

const used = (world: AdmittedWorld, name: string): Record<string, string> => {
  const held = world.get({ resource: QUOTAS, namespace: "default", name }) as KubeObject
  return (held.status as { used: Record<string, string> }).used
}

const asking = (cpu: string, limit?: string) => ({
  containers: [
    {
      name: "c",
      image: "i",
      resources: { requests: { cpu }, ...(limit === undefined ? {} : { limits: { cpu: limit } }) }
    }
  ]
})

describe("quotas", () => {
  it("count pods and what they ask for, and refuse in kube-apiserver's words", () => {
    const world = new AdmittedWorld()
    quota(world, "q", { hard: { pods: "2", "requests.cpu": "1", "limits.cpu": "2" } })
    assert.strictEqual(
      world.refused("pods", pod("a")),
      'pods "a" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.cpu for: c'
    )
    assert.strictEqual(world.refused("pods", pod("a", asking("600m", "1"))), "let in")
    assert.strictEqual(
      world.refused("pods", pod("b", asking("600m", "1"))),
      'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1'
    )
    assert.strictEqual(world.refused("pods", pod("b", asking("400m", "400m"))), "let in")
    assert.strictEqual(
      world.refused("pods", pod("c", asking("0", "0"))),
      'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    )
    assert.deepStrictEqual(used(world, "q"), { "limits.cpu": "1400m", pods: "2", "requests.cpu": "1" })
  })

  it("charge nothing for a dry run, and hold only pods in their scopes", () => {
    const world = new AdmittedWorld()
    quota(world, "all", { hard: { pods: "5" } })
    quota(world, "best", { hard: { pods: "1" }, scopes: ["BestEffort"] })
    quota(world, "critical", {
      hard: { pods: "0" },
      scopeSelector: {
        matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["system-node-critical"] }]
      }
    })
    assert.isFalse(world.attempt("pods", pod("dry"), undefined, true) instanceof ApiFailure)
    assert.strictEqual(used(world, "all")["pods"], "0")
    assert.strictEqual(world.refused("pods", pod("a")), "let in")
    assert.match(
      world.refused("pods", pod("b")),
      /exceeded quota: best, requested: pods=1, used: pods=1, limited: pods=1/
    )
    assert.strictEqual(world.refused("pods", pod("b", asking("1"))), "let in")
    assert.match(
      world.refused("pods", pod("c", { ...asking("1"), priorityClassName: "system-node-critical" })),
      /exceeded quota: critical/
    )
    assert.deepStrictEqual([used(world, "all")["pods"], used(world, "best")["pods"]], ["2", "1"])
  })

  it("count services, claims by class, and objects of any kind", () => {
    const world = new AdmittedWorld()
    quota(world, "q", {
      hard: {
        "services.nodeports": "1",
        "count/configmaps": "1",
        "fast.storageclass.storage.k8s.io/requests.storage": "3Gi"
      }
    })
    const service = (name: string, type: string) =>
      thing("v1", "Service", name, { spec: { type, ports: [{ port: 80 }] } }, "default")
    assert.strictEqual(world.refused("services", service("a", "NodePort")), "let in")
    assert.match(
      world.refused("services", service("b", "NodePort")),
      /exceeded quota: q, requested: services\.nodeports=1/
    )
    const plain = world.make("services", service("b", "ClusterIP"))
    const changed = world.change("services", {
      ...plain,
      spec: { ...(plain.spec as object), type: "NodePort" }
    })
    assert.match(
      changed instanceof ApiFailure ? changed.message : "let in",
      /exceeded quota: q, requested: services\.nodeports=1/
    )
    assert.strictEqual(world.refused("configmaps", thing("v1", "ConfigMap", "a", {}, "default")), "let in")
    assert.match(world.refused("configmaps", thing("v1", "ConfigMap", "b", {}, "default")), /count\/configmaps=1/)
    const claim = (name: string, storageClassName: string) =>
      thing(
        "v1",
        "PersistentVolumeClaim",
        name,
        { spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Gi" } } } },
        "default"
      )
    assert.strictEqual(world.refused("persistentvolumeclaims", claim("a", "fast")), "let in")
    assert.match(
      world.refused("persistentvolumeclaims", claim("b", "fast")),
      /requests\.storage=2Gi, used: .*=2Gi, limited: .*=3Gi/
    )
    assert.strictEqual(world.refused("persistentvolumeclaims", claim("c", "slow")), "let in")
  })

  it("are not enforced before their controller has counted, and say so when a part was not", () => {
    const world = new AdmittedWorld()
    const made = world.make(
      "resourcequotas",
      thing("v1", "ResourceQuota", "q", { spec: { hard: { pods: "0" } } }, "default")
    )
    assert.strictEqual(world.refused("pods", pod("a")), "let in")
    world.change("resourcequotas", { ...made, status: { hard: { pods: "0" } } }, undefined, "status")
    assert.match(world.refused("pods", pod("b")), /status unknown for quota: q, resources: pods$/)
  })

  it("are never exceeded, whoever writes at once, and charge exactly what was let in", () => {
    const step = fc.oneof(
      { arbitrary: fc.record({ create: fc.nat(9) }), weight: 6 },
      { arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 4 }) }), weight: 2 },
      { arbitrary: fc.record({ recount: fc.constant(true) }), weight: 1 }
    )
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), fc.integer({ min: 0, max: 12 }), (steps, pods) => {
        const world = new AdmittedWorld()
        quota(world, "small", { hard: { pods: String(pods), "requests.cpu": "2" } })
        quota(world, "large", { hard: { pods: "9", "requests.cpu": "1500m" } })
        const target = { resource: gvr("", "v1", "pods"), namespace: "default" }
        let answered = 0
        let sent = 0
        const check = (): void => {
          for (const name of ["small", "large"]) {
            const held = world.server.view("", "resourcequotas").get("default", name)!
            const { hard } = held.spec as { hard: Record<string, string> }
            const stored = world.server
              .view("", "pods")
              .list("default")
              .reduce((sum, one) => sumOf(sum, quotaUsage("", "pods", one, 0)), amountsOf({}))
            for (const [resource, limit] of amountsOf(hard)) {
              const total = stored.get(resource)
              assert.isTrue(total === undefined || total.compare(limit) <= 0, `${name} ${resource}`)
            }
          }
        }
        for (const step of steps) {
          if ("create" in step) {
            sent++
            const body = pod(`p${sent}`, asking(`${step.create * 100}m`))
            world.client.create(target, body, {}, () => answered++)
          } else if ("turns" in step) for (let turn = 0; turn < step.turns; turn++) world.clockwork.turn()
          else {
            // The quota's controller writes its status too, so that charges are overtaken.
            const held = world.server.view("", "resourcequotas").get("default", "small")!
            const annotated = { ...held, metadata: { ...held.metadata, annotations: { seen: String(sent) } } }
            world.client.update(
              { resource: QUOTAS, namespace: "default", name: "small" },
              annotated,
              {},
              () => undefined
            )
          }
          check()
        }
        world.clockwork.settle()
        check()
        assert.strictEqual(answered, sent)
        const stored = world.server.view("", "pods").list("default")
        const total = stored.reduce((sum, one) => sumOf(sum, quotaUsage("", "pods", one, 0)), amountsOf({}))
        const charged = amountsOf(used(world, "small"))
        // All that was let in was stored here: exactly so much is charged.
        assert.strictEqual(charged.get("pods")?.compare(total.get("pods") ?? amountsOf({ x: "0" }).get("x")!), 0)
      }),
      { numRuns: 60 }
    )
  })
})
