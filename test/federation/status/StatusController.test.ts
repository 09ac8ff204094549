// Statuses from members to the host, over API servers in memory: what is written, how often, and what happens when contact is lost.
import { assert, describe, it } from "vitest"
import type { Json, JsonObject, KubeObject } from "#kube"
import { federationResources, makeStatusController, nativeSemantics, type StatusController } from "#federation"
import { deployment, deploymentConfig, DEPLOYMENTS, federated, FleetWorld } from "../FleetWorld.ts"

const SCHEDULER = "kubeadmiral.io/global-scheduler"
const KEY = "team/web-deployment"
const { collectedStatuses, objects } = federationResources

const copyStatus = (replicas: number, ready = replicas): Json => ({
  observedGeneration: 1,
  replicas,
  updatedReplicas: replicas,
  readyReplicas: ready,
  availableReplicas: ready,
  conditions: [
    { type: "Available", status: ready === replicas ? "True" : "False", lastTransitionTime: "2026-11-24T04:00:00Z" },
    {
      type: "Progressing",
      status: "True",
      reason: "NewReplicaSetAvailable",
      lastTransitionTime: "2026-11-24T04:00:00Z"
    }
  ]
})

class Scene {
  readonly world: FleetWorld
  controller: StatusController

  constructor(configs: ReadonlyArray<KubeObject> = [deploymentConfig]) {
    this.world = new FleetWorld(["oak", "elm"], configs)
    this.controller = this.start()
    this.world.follow(DEPLOYMENTS)
    this.world.host.create(DEPLOYMENTS, deployment(5))
    for (const [cluster, replicas] of [
      ["oak", 3],
      ["elm", 2]
    ] as const) {
      const copy = deployment(replicas, { annotations: { "kubeadmiral.io/source-generation": "1" } })
      this.world.member(cluster).create(DEPLOYMENTS, copy)
    }
    this.world.host.create(objects, federated(deployment(5), { [SCHEDULER]: ["oak", "elm"] }))
    this.pass()
  }

  start(): StatusController {
    const { world } = this
    const controller = makeStatusController({
      clockwork: world.clockwork,
      client: world.host.client,
      runtime: world.runtime,
      objects: world.objects,
      collected: [world.informer(collectedStatuses), world.informer(federationResources.clusterCollectedStatuses)],
      types: world.types,
      sources: world.informer,
      members: world.reads,
      semantics: nativeSemantics
    })
    world.informer(DEPLOYMENTS)
    world.onCopy = () => controller.memberChanged(KEY)
    world.informers.start()
    controller.start()
    this.controller = controller
    return controller
  }

  pass(ms = 2000): void {
    this.world.clockwork.pass(ms)
  }

  get status(): JsonObject {
    return (this.world.host.get(DEPLOYMENTS, "team/web")?.status ?? {}) as JsonObject
  }

  get records(): ReadonlyArray<JsonObject> {
    return (this.world.host.get(collectedStatuses, KEY)?.["clusters"] ?? []) as ReadonlyArray<JsonObject>
  }

  setCopy(cluster: string, status: Json): void {
    this.world.member(cluster).setStatus(DEPLOYMENTS, "team/web", status)
  }
}

describe("statuses of members", () => {
  it("are collected, and become the source's own", () => {
    const scene = new Scene()
    scene.setCopy("oak", copyStatus(3))
    scene.setCopy("elm", copyStatus(2))
    scene.pass()
    assert.deepInclude(scene.status, { observedGeneration: 1, replicas: 5, availableReplicas: 5, updatedReplicas: 5 })
    const types = (scene.status["conditions"] as ReadonlyArray<JsonObject>).map((one) => [one["type"], one["status"]])
    assert.deepStrictEqual(types, [
      ["Available", "True"],
      ["Progressing", "True"]
    ])
    assert.deepStrictEqual(
      scene.records.map((one) => one["cluster"]),
      ["elm", "oak"]
    )
    const fields = scene.records[1]?.["collectedFields"] as JsonObject
    assert.deepStrictEqual((fields["status"] as JsonObject)["readyReplicas"], 3)
    assert.deepStrictEqual((fields["spec"] as JsonObject)["replicas"], 3)
  })

  it("are written at most once in an interval, and the last word is heard", () => {
    const scene = new Scene()
    scene.pass()
    const before = scene.world.host.writes
    for (let ready = 0; ready <= 3; ready++) {
      scene.setCopy("oak", copyStatus(3, ready))
      scene.pass(20)
    }
    scene.pass(3000)
    assert.strictEqual(scene.status["readyReplicas"], 3)
    // Both records, at the first change and at the last one.
    assert.isAtMost(scene.world.host.writes - before, 4)
    const settled = scene.world.host.writes
    scene.controller.enqueue(KEY)
    scene.pass()
    assert.strictEqual(scene.world.host.writes, settled, "nothing changed, and something was written")
  })

  it("stay when a member is lost, marked stale, and are true again when it is back", () => {
    const scene = new Scene()
    scene.setCopy("oak", copyStatus(3))
    scene.setCopy("elm", copyStatus(2))
    scene.pass()
    scene.world.lost.add("oak")
    scene.controller.clusterChanged("oak")
    scene.pass()
    assert.deepInclude(scene.status, { replicas: 5, readyReplicas: 5 })
    assert.include(JSON.stringify(scene.status["conditions"]), "last known status of oak")
    assert.deepStrictEqual(
      scene.records.map((one) => one["stale"]),
      [undefined, true]
    )
    scene.setCopy("elm", copyStatus(2, 1))
    scene.setCopy("oak", copyStatus(3, 0))
    scene.pass()
    assert.deepInclude(
      scene.status,
      { replicas: 5, readyReplicas: 4 },
      "the lost member's last word, and the other's news"
    )
    scene.world.lost.delete("oak")
    scene.controller.clusterChanged("oak")
    scene.pass()
    assert.deepInclude(scene.status, { replicas: 5, readyReplicas: 1 })
    assert.notInclude(JSON.stringify(scene.status["conditions"]), "last known status")
  })

  it("survive a restart while a member is lost", () => {
    const scene = new Scene()
    scene.setCopy("oak", copyStatus(3))
    scene.setCopy("elm", copyStatus(2))
    scene.pass()
    scene.controller.stop()
    scene.world.lost.add("oak")
    scene.start()
    scene.pass()
    assert.deepInclude(scene.status, { replicas: 5, readyReplicas: 5 })
  })

  it("are not lowered after a restart that remembers nothing", () => {
    const bare = {
      ...deploymentConfig,
      spec: { ...(deploymentConfig.spec as JsonObject), statusCollection: { enabled: false, fields: [] } }
    }
    const scene = new Scene([bare])
    scene.setCopy("oak", copyStatus(3))
    scene.setCopy("elm", copyStatus(2))
    scene.pass()
    assert.deepInclude(scene.status, { replicas: 5 })
    assert.isUndefined(scene.world.host.get(collectedStatuses, KEY), "collection is switched off")
    scene.controller.stop()
    scene.world.lost.add("oak")
    scene.start()
    scene.setCopy("elm", copyStatus(2, 0))
    scene.pass()
    assert.deepInclude(scene.status, { replicas: 5, readyReplicas: 5 })
  })

  it("leave with the object", () => {
    const scene = new Scene()
    scene.pass()
    assert.isDefined(scene.world.host.get(collectedStatuses, KEY))
    scene.world.host.remove(objects, KEY)
    scene.pass()
    assert.isUndefined(scene.world.host.get(collectedStatuses, KEY))
  })
})
