// Both migrations over API servers in memory: annotations that come and go with users' wishes, pods and time.
import { assert, describe, it } from "vitest"
import { gvr, type Json, rfc3339 } from "#kube"
import {
  federationAnnotations,
  federationResources,
  makeMigrationController,
  type MigrationController
} from "#federation"
import { deployment, deploymentConfig, DEPLOYMENTS, federated, FleetWorld, PODS } from "../FleetWorld.ts"

const SCHEDULER = "kubeadmiral.io/global-scheduler"
const KEY = "team/web-deployment"
const REPLICA_SETS = gvr("apps", "v1", "replicasets")
const MINUTE = 60_000
const { objects } = federationResources

class Scene {
  readonly world = new FleetWorld(["oak", "elm"], [deploymentConfig])
  readonly controller: MigrationController
  readonly invalid: Array<string> = []

  constructor(annotations: Readonly<Record<string, string>>) {
    const { world } = this
    this.controller = makeMigrationController({
      clockwork: world.clockwork,
      client: world.host.client,
      runtime: world.runtime,
      objects: world.objects,
      types: world.types,
      members: world.reads,
      onInvalid: (_federated, problem) => this.invalid.push(problem.message)
    })
    world.onCopy = () => this.controller.memberChanged(KEY)
    world.informers.start()
    this.controller.start()
    world.follow(DEPLOYMENTS)
    world.host.create(objects, federated(deployment(6), { [SCHEDULER]: ["oak", "elm"] }, { annotations }))
    world.clockwork.pass(100)
  }

  annotation(name: string): string | undefined {
    return this.world.host.get(objects, KEY)?.metadata.annotations?.[name]
  }

  get info(): Json {
    const text = this.annotation(federationAnnotations.autoMigrationInfo)
    return text === undefined ? null : (JSON.parse(text) as Json)
  }

  /** A member's Deployment with two sets: pods of the older one have no place either, and must not count. */
  deploy(cluster: string, replicas: number, placed: number): void {
    const member = this.world.member(cluster)
    const made = member.create(DEPLOYMENTS, deployment(replicas))
    const owner = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      name: "web",
      uid: made.metadata.uid ?? "",
      controller: true
    }
    const labels = { app: "web" }
    const template = { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } }
    const sets = ["old", "new"].map((name, at) =>
      member.create(REPLICA_SETS, {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: {
          name,
          namespace: "team",
          labels,
          annotations: { "deployment.kubernetes.io/revision": String(at + 1) },
          ownerReferences: [owner]
        },
        spec: { replicas, selector: { matchLabels: labels }, template }
      })
    )
    for (const [at, set] of sets.entries()) {
      for (let pod = 0; pod < replicas; pod++)
        this.#pod(cluster, `${set.metadata.name}-${pod}`, set.metadata.uid ?? "", at === 1 && pod < placed)
    }
    this.report(cluster, replicas, placed)
  }

  #pod(cluster: string, name: string, uid: string, placed: boolean): void {
    const member = this.world.member(cluster)
    const ownerReferences = [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: name.split("-")[0] ?? "", uid, controller: true }
    ]
    member.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "team", labels: { app: "web" }, ownerReferences },
      spec: { containers: [{ name: "web", image: "web:1" }] }
    })
    const lastTransitionTime = rfc3339(this.world.clockwork.now())
    const condition = placed
      ? { type: "PodScheduled", status: "True", lastTransitionTime }
      : { type: "PodScheduled", status: "False", reason: "Unschedulable", lastTransitionTime }
    member.setStatus(PODS, `team/${name}`, { phase: placed ? "Running" : "Pending", conditions: [condition] })
  }

  report(cluster: string, replicas: number, ready: number): void {
    this.world
      .member(cluster)
      .setStatus(DEPLOYMENTS, "team/web", { observedGeneration: 1, replicas, readyReplicas: ready })
  }

  pass(ms: number): void {
    this.world.clockwork.pass(ms)
  }
}

const AUTO = { [federationAnnotations.podUnschedulableThreshold]: "1m0s" }

describe("migration by itself", () => {
  it("tells what a cluster holds once its pods have waited for too long, and tries it again after a while", () => {
    const scene = new Scene(AUTO)
    scene.deploy("oak", 4, 1)
    scene.deploy("elm", 2, 2)
    scene.pass(20_000)
    assert.deepStrictEqual(scene.info, { scheduledReplicas: { elm: 2, oak: 1 } })
    scene.pass(MINUTE)
    assert.deepStrictEqual(scene.info, { estimatedCapacity: { oak: 1 }, scheduledReplicas: { elm: 2, oak: 1 } })
    // The rest went elsewhere: nothing waits any more, and the estimate stays for a while.
    scene.world
      .member("oak")
      .change(DEPLOYMENTS, "team/web", (object) => ({ ...object, spec: { ...(object.spec as object), replicas: 1 } }))
    scene.report("oak", 1, 1)
    scene.pass(4 * MINUTE)
    assert.deepStrictEqual(scene.info, { estimatedCapacity: { oak: 1 }, scheduledReplicas: { elm: 2, oak: 1 } })
    scene.pass(2 * MINUTE)
    assert.deepStrictEqual(scene.info, { scheduledReplicas: { elm: 2, oak: 1 } })
    // It is tried, and full still: this time it is remembered for twice as long.
    const oak = scene.world.member("oak")
    oak.change(DEPLOYMENTS, "team/web", (object) => ({ ...object, spec: { ...(object.spec as object), replicas: 4 } }))
    scene.report("oak", 4, 1)
    scene.pass(MINUTE)
    assert.deepStrictEqual(scene.info, { estimatedCapacity: { oak: 1 }, scheduledReplicas: { elm: 2, oak: 1 } })
    oak.change(DEPLOYMENTS, "team/web", (object) => ({ ...object, spec: { ...(object.spec as object), replicas: 1 } }))
    scene.report("oak", 1, 1)
    scene.pass(8 * MINUTE)
    assert.deepStrictEqual(scene.info, { estimatedCapacity: { oak: 1 }, scheduledReplicas: { elm: 2, oak: 1 } })
    scene.pass(3 * MINUTE)
    assert.deepStrictEqual(scene.info, { scheduledReplicas: { elm: 2, oak: 1 } })
  })

  it("keeps what it knew of a member that is lost", () => {
    const scene = new Scene(AUTO)
    scene.deploy("oak", 4, 1)
    scene.deploy("elm", 2, 2)
    scene.pass(2 * MINUTE)
    scene.world.lost.add("oak")
    scene.controller.clusterChanged("oak")
    const looks = scene.controller.stats().reconciles
    scene.pass(60 * MINUTE)
    assert.isBelow(scene.controller.stats().reconciles - looks, 10, "nothing new can be said of it")
    assert.deepStrictEqual(scene.info, { estimatedCapacity: { oak: 1 }, scheduledReplicas: { elm: 2, oak: 1 } })
  })

  it("says nothing of objects whose policy does not ask for it", () => {
    const scene = new Scene({})
    scene.deploy("oak", 4, 1)
    scene.pass(5 * MINUTE)
    assert.isNull(scene.info)
  })
})

describe("migration that a user asks for", () => {
  const configure = (scene: Scene, text: string | undefined): void => {
    scene.world.host.change(objects, KEY, (object) => {
      const { [federationAnnotations.migrationConfiguration]: _before, ...annotations } =
        object.metadata.annotations ?? {}
      const asked = text === undefined ? {} : { [federationAnnotations.migrationConfiguration]: text }
      return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, ...asked } } }
    })
    scene.pass(100)
  }
  const applied = (scene: Scene): string | undefined =>
    scene.annotation(federationAnnotations.appliedMigrationConfiguration)

  it("is applied, and ends by itself when its time is over", () => {
    const scene = new Scene({})
    const validUntil = rfc3339(scene.world.clockwork.now() + 3 * MINUTE)
    configure(scene, JSON.stringify({ workloadMigrations: [{ cluster: "oak", validUntil }] }))
    assert.strictEqual(applied(scene), JSON.stringify({ unavailableClusters: [{ cluster: "oak", validUntil }] }))
    scene.pass(3 * MINUTE + 1000)
    assert.isUndefined(applied(scene))
  })

  it("stays as it was when the configuration cannot be read, and goes with it", () => {
    const scene = new Scene({})
    const text = JSON.stringify({ replicasMigrations: [{ cluster: "oak", limitedCapacity: 2 }] })
    configure(scene, text)
    assert.strictEqual(applied(scene), '{"limitedCapacity":{"oak":2}}')
    configure(scene, "{")
    assert.strictEqual(applied(scene), '{"limitedCapacity":{"oak":2}}')
    assert.deepStrictEqual([...new Set(scene.invalid)], ["must be JSON"])
    configure(scene, undefined)
    assert.isUndefined(applied(scene))
  })
})
