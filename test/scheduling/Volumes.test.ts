// Pods with volumes, end to end: bound volumes draw their pods, claims that wait get volumes where the pod goes, limits and exclusive claims hold.
import { assert, describe, it } from "vitest"
import type { JsonObject, KubeObject } from "#kube"
import { defaultProfile } from "#scheduling"
import { node, pod } from "./Objects.ts"
import { SchedulerWorld } from "./SchedulerWorld.ts"

const storageClass = (name: string, provisioner: string, more: object = {}): KubeObject => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name },
  provisioner,
  volumeBindingMode: "WaitForFirstConsumer",
  ...more
})

const claim = (name: string, className: string, spec: JsonObject = {}, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace: "default", ...metadata },
  spec: {
    accessModes: ["ReadWriteOnce"],
    storageClassName: className,
    resources: { requests: { storage: "5Gi" } },
    ...spec
  }
})

const onHost = (host: string): JsonObject => ({
  required: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [host] }] }]
  }
})

const volume = (name: string, className: string, spec: JsonObject = {}, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name, ...metadata },
  spec: {
    capacity: { storage: "10Gi" },
    accessModes: ["ReadWriteOnce"],
    storageClassName: className,
    csi: { driver: "csi.example.com", volumeHandle: name },
    ...spec
  },
  status: { phase: "Available" }
})

const withClaim = (name: string, claimName: string, more: JsonObject = {}): KubeObject =>
  pod(name, { spec: { volumes: [{ name: "v", persistentVolumeClaim: { claimName } }], ...more } })

const boundClaim = (name: string, volumeName: string, spec: JsonObject = {}): KubeObject =>
  claim(name, "local", { volumeName, ...spec }, { annotations: { "pv.kubernetes.io/bind-completed": "yes" } })

const makeAvailable = (world: SchedulerWorld, name: string): void =>
  void world.patch("PersistentVolume", name, { status: { phase: "Available" } }, "status", "")

const finishBinding = (world: SchedulerWorld, name: string, volumeName: string): void =>
  void world.patch("PersistentVolumeClaim", name, {
    metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
    spec: { volumeName }
  })

describe("pods with volumes", () => {
  it("go where their bound volumes are, and wait for claims that are not there", () => {
    const world = new SchedulerWorld(11)
    world.createAll([node("a"), node("b"), node("c")])
    world.create(storageClass("local", "kubernetes.io/no-provisioner"))
    world.create(volume("v", "local", { nodeAffinity: onHost("b") }))
    world.create(withClaim("p", "data"))
    world.run(2000)
    assert.strictEqual(
      world.conditionOf("p")?.message,
      '0/3 nodes are available: persistentvolumeclaim "data" not found. not found',
      "kube-scheduler's words: it does not come to preemption"
    )
    world.create(boundClaim("data", "v"))
    world.run(15_000)
    assert.strictEqual(world.nodeOf("p"), "b")
  })

  it("are told that nobody need go for them where claims of devices are not asked for", () => {
    const world = new SchedulerWorld(16, { profiles: [{ ...defaultProfile, asksForClaims: false }] })
    world.create(node("a"))
    world.create(withClaim("p", "data"))
    world.run(2000)
    assert.strictEqual(
      world.conditionOf("p")?.message,
      '0/1 nodes are available: persistentvolumeclaim "data" not found. ' +
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
  })

  it("get a volume of a class that waits for them, on the node that they go to", () => {
    const world = new SchedulerWorld(12)
    world.createAll([node("a"), node("b")])
    world.create(storageClass("local", "kubernetes.io/no-provisioner"))
    world.createAll([
      volume("large", "local", { nodeAffinity: onHost("a"), capacity: { storage: "20Gi" } }),
      volume("fitting", "local", { nodeAffinity: onHost("a") }),
      volume("small", "local", { nodeAffinity: onHost("b"), capacity: { storage: "1Gi" } })
    ])
    for (const name of ["large", "fitting", "small"]) makeAvailable(world, name)
    world.create(claim("data", "local"))
    world.create(withClaim("p", "data"))
    world.run(3000)
    assert.isUndefined(world.nodeOf("p"), "the volume is not bound yet")
    const { claimRef } = world.get("PersistentVolume", "fitting", "").spec as { claimRef?: { name: string } }
    assert.strictEqual(claimRef?.name, "data", "the smallest that is large enough")
    finishBinding(world, "data", "fitting")
    world.run(3000)
    assert.strictEqual(world.nodeOf("p"), "a")
  })

  it("have their claims told the node where a volume is to be made", () => {
    const world = new SchedulerWorld(13)
    world.createAll([node("a", { labels: { zone: "1" } }), node("b", { labels: { zone: "2" } })])
    const allowedTopologies = [{ matchLabelExpressions: [{ key: "zone", values: ["2"] }] }]
    world.create(storageClass("csi", "csi.example.com", { allowedTopologies }))
    world.create(claim("data", "csi"))
    world.create(withClaim("p", "data"))
    world.run(3000)
    const { annotations = {} } = world.get("PersistentVolumeClaim", "data").metadata
    assert.strictEqual(annotations["volume.kubernetes.io/selected-node"], "b")
    assert.isUndefined(world.nodeOf("p"))
    world.create(volume("made", "csi", { claimRef: { name: "data", namespace: "default" } }))
    finishBinding(world, "data", "made")
    world.run(3000)
    assert.strictEqual(world.nodeOf("p"), "b")
  })

  it("do not share a claim that is for one pod, nor exceed a node's limit", () => {
    const world = new SchedulerWorld(14)
    world.create(node("a"))
    world.create({
      apiVersion: "storage.k8s.io/v1",
      kind: "CSINode",
      metadata: { name: "a" },
      spec: { drivers: [{ name: "csi.example.com", nodeID: "a", allocatable: { count: 1 } }] }
    })
    world.createAll([volume("v0", "local", { accessModes: ["ReadWriteOncePod"] }), volume("v1", "local")])
    world.create(boundClaim("alone", "v0", { accessModes: ["ReadWriteOncePod"] }))
    world.create(boundClaim("second", "v1"))
    world.create(withClaim("first", "alone"))
    world.run(2000)
    assert.strictEqual(world.nodeOf("first"), "a")
    world.create(withClaim("same", "alone"))
    world.create(withClaim("more", "second"))
    world.run(3000)
    assert.match(world.conditionOf("same")?.message ?? "", /ReadWriteOncePod access mode already in-use by another pod/)
    assert.match(world.conditionOf("more")?.message ?? "", /1 node\(s\) exceed max volume count/)
    world.delete("Pod", "first")
    world.run(15_000)
    const placed = ["same", "more"].filter((name) => world.nodeOf(name) === "a")
    assert.lengthOf(placed, 1, "there is room for one volume")
  })

  it("stay in the zone of their volume", () => {
    const world = new SchedulerWorld(15)
    const zone = "topology.kubernetes.io/zone"
    world.createAll([node("a", { labels: { [zone]: "1" } }), node("b", { labels: { [zone]: "2" } })])
    world.create(volume("v", "local", {}, { labels: { [zone]: "2__3" } }))
    world.create(boundClaim("data", "v"))
    world.create(withClaim("p", "data"))
    world.run(2000)
    assert.strictEqual(world.nodeOf("p"), "b")
  })
})
