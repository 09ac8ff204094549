// Autoscalers in members: they go where their workload is once they can work, scale there undisturbed, and never leave on doubt.
import { assert, describe, it } from "vitest"
import { federationResources } from "#federation"
import { gvr, type KubeObject } from "#kube"
import { deployments, FederationWorld, type Server } from "../run/FederationWorld.ts"
import { deployment, policy } from "../run/Objects.ts"

const AUTOSCALERS = gvr("autoscaling", "v2", "horizontalpodautoscalers")
const REASON = "kubeadmiral.io/fed-hpa-not-work-reason"
const FOLLOWERS = JSON.stringify([{ group: "autoscaling", kind: "HorizontalPodAutoscaler", name: "web" }])

const autoscaler: KubeObject = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "web", namespace: "default" },
  spec: {
    minReplicas: 2,
    maxReplicas: 9,
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
    metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } }]
  }
}

describe("a distributed autoscaler", () => {
  const world = new FederationWorld(5, { types: ["horizontalpodautoscalers.autoscaling"] })
  const names = ["a", "b", "c"]
  const members = names.map((name) => world.join(name))
  const has = (server: Server): boolean => world.read(server, AUTOSCALERS, "default", "web") !== undefined
  const replicas = (server: Server): number | undefined =>
    (world.read(server, deployments, "default", "web")?.spec as { readonly replicas?: number } | undefined)?.replicas
  const reason = (): string =>
    world.read(world.host, AUTOSCALERS, "default", "web")?.metadata.annotations?.[REASON] ?? ""
  const annotate = (annotations: Readonly<Record<string, string>>): void =>
    void world.change(world.host, deployments, "default", "web", { metadata: { annotations } })
  const place = (spec: object): void =>
    void world.change(world.host, federationResources.propagationPolicies, "default", "spread", { spec })

  it("stays on the host, and says why, until its workload is made for it", () => {
    world.start()
    assert.isTrue(world.until(() => names.every((name) => world.isReady(name))))
    const two = [{ cluster: "a" }, { cluster: "b" }]
    const duplicate = policy("spread", {
      schedulingMode: "Duplicate",
      placement: two,
      // No one runs pods here, so that nothing that replaces a cluster is ever seen to be well: waiting must have an end.
      failover: { gracePeriodSeconds: 5 }
    })
    world.make(world.host, federationResources.propagationPolicies, "default", duplicate)
    world.make(world.host, deployments, "default", deployment("web", 3))
    world.make(world.host, AUTOSCALERS, "default", autoscaler)
    assert.isTrue(world.until(() => reason().includes("retain-replicas=true") && reason().includes("followers")))
    annotate({ "kubeadmiral.io/followers": FOLLOWERS })
    assert.isTrue(
      world.until(() => reason() !== "" && !reason().includes("followers")),
      reason()
    )
    world.run(10_000)
    assert.deepStrictEqual(members.map(has), [false, false, false])
  })

  it("goes where its workload is, and what it scales there stays", () => {
    annotate({ "kubeadmiral.io/retain-replicas": "true" })
    assert.isTrue(
      world.until(() => members.map(has).join() === "true,true,false"),
      `${reason()} ${world.failures.join()}`
    )
    assert.strictEqual(reason(), "")
    const [a, b] = members
    for (const [server, count] of [
      [a, 7],
      [b, 2]
    ] as const) {
      world.change(server, deployments, "default", "web", { spec: { replicas: count } })
      const status = { currentReplicas: count, desiredReplicas: count }
      world.change(server, AUTOSCALERS, "default", "web", { status }, "status")
    }
    world.run(30_000)
    assert.deepStrictEqual([replicas(a), replicas(b)], [7, 2])
    annotate({ touched: "yes" })
    const touched = (): boolean =>
      world.read(a, deployments, "default", "web")?.metadata.annotations?.["touched"] === "yes"
    assert.isTrue(world.until(touched))
    assert.deepStrictEqual([replicas(a), replicas(b)], [7, 2], "bringing something else takes no replica")
    const total = (): unknown =>
      (world.read(world.host, AUTOSCALERS, "default", "web")?.status as { readonly currentReplicas?: number })
        ?.currentReplicas
    assert.isTrue(
      world.until(() => total() === 9),
      `the host counts ${String(total())}`
    )
  })

  it("follows its workload, and stays where it is when its workload is no longer made for it", () => {
    place({ placement: [{ cluster: "b" }, { cluster: "c" }] })
    assert.isTrue(
      world.until(() => members.map(has).join() === "false,true,true"),
      members.map(has).join()
    )
    place({ schedulingMode: "Divide" })
    assert.isTrue(
      world.until(() => reason().includes("Duplicate")),
      reason()
    )
    world.run(30_000)
    assert.deepStrictEqual(members.map(has), [false, true, true])
  })
})
