// An HPA that is decided on the host, by the simulator's HPA controller over the fleet: it scales by the pods of all members, and not
// at all on doubt.
import { assert, describe, it } from "vitest"
import { fieldsOf } from "#apiserver"
import { gvr, rfc3339 } from "#kube"
import { startCentralizedAutoscaling } from "#federation"
import { autoscalerController, startControllers, usageAnnotations } from "#sim"
import { deployment, DEPLOYMENTS, FleetWorld, PODS } from "../FleetWorld.ts"

const AUTOSCALERS = gvr("autoscaling", "v2", "horizontalpodautoscalers")
const NAME = "horizontal-pod-autoscaler-controller"

class Scene {
  readonly world = new FleetWorld(["oak", "elm"], [])
  readonly failures: Array<string> = []
  starts = 0
  readonly autoscaling

  constructor(lost: ReadonlyArray<string> = []) {
    const { world } = this
    for (const cluster of lost) world.lost.add(cluster)
    this.autoscaling = startCentralizedAutoscaling({
      clockwork: world.clockwork,
      runtime: world.runtime,
      host: world.host.client,
      autoscalers: world.informer(AUTOSCALERS),
      clusters: () => [...world.members.keys()],
      memberClient: (cluster) => (world.lost.has(cluster) ? undefined : world.reachable(cluster)),
      start: (client) => {
        this.starts++
        return startControllers(
          {
            controllers: [{ name: NAME, make: (manager) => autoscalerController(manager) }],
            onFailure: (controller, key, { message }) => this.failures.push(`${controller} ${key}: ${message}`)
          },
          { client, clockwork: world.clockwork }
        )
      }
    })
    world.informers.start()
    world.host.create(DEPLOYMENTS, deployment(4))
    for (const cluster of ["oak", "elm"]) for (const name of ["a", "b"]) this.pod(cluster, name)
    world.host.create(AUTOSCALERS, {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "web", namespace: "team", labels: { "kubeadmiral.io/centralized-hpa-enabled": "true" } },
      spec: {
        minReplicas: 1,
        maxReplicas: 20,
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
        metrics: [
          { type: "Pods", pods: { metric: { name: "load" }, target: { type: "AverageValue", averageValue: "10" } } }
        ],
        behavior: { scaleDown: { stabilizationWindowSeconds: 0 } }
      }
    })
  }

  pod(cluster: string, name: string): void {
    const member = this.world.member(cluster)
    const metadata = {
      name,
      namespace: "team",
      labels: { app: "web" },
      annotations: { [`${usageAnnotations.metric}load`]: "10" }
    }
    member.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: { containers: [{ name: "c", image: "c:1" }] }
    })
    const lastTransitionTime = rfc3339(this.world.clockwork.now() - 3_600_000)
    member.setStatus(PODS, `team/${name}`, {
      phase: "Running",
      startTime: lastTransitionTime,
      conditions: [{ type: "Ready", status: "True", lastTransitionTime }]
    })
  }

  load(cluster: string, value: string): void {
    for (const name of ["a", "b"]) {
      this.world.member(cluster).change(PODS, `team/${name}`, (pod) => ({
        ...pod,
        metadata: { ...pod.metadata, annotations: { [`${usageAnnotations.metric}load`]: value } }
      }))
    }
    this.world.clockwork.pass(20_000)
  }

  get replicas(): unknown {
    return fieldsOf(this.world.host.get(DEPLOYMENTS, "team/web")?.spec)["replicas"]
  }
}

describe("an HPA that is decided on the host", () => {
  it("scales by the pods of all members", () => {
    const scene = new Scene()
    scene.world.clockwork.pass(20_000)
    assert.strictEqual(scene.replicas, 4, scene.failures.join("\n"))
    scene.load("oak", "30")
    // Four pods, 80 in all, 10 for each wanted.
    assert.strictEqual(scene.replicas, 8, scene.failures.join("\n"))
    const status = fieldsOf(scene.world.host.get(AUTOSCALERS, "team/web")?.status)
    assert.strictEqual(status["desiredReplicas"], 8)
  })

  it("does not take a lost member's pods for gone", () => {
    const scene = new Scene()
    scene.world.clockwork.pass(20_000)
    scene.world.lost.add("oak")
    scene.autoscaling.clusterChanged()
    scene.world.clockwork.pass(60_000)
    assert.strictEqual(scene.replicas, 4, scene.failures.join("\n"))
  })

  it("waits for every member before it decides anything, and stops with the last HPA", () => {
    const scene = new Scene(["oak"])
    scene.world.clockwork.pass(60_000)
    assert.strictEqual(scene.starts, 0)
    scene.world.lost.delete("oak")
    scene.world.clockwork.pass(30_000)
    assert.strictEqual(scene.starts, 1)
    scene.world.host.remove(AUTOSCALERS, "team/web")
    scene.load("elm", "90")
    assert.strictEqual(scene.replicas, 4)
  })
})
