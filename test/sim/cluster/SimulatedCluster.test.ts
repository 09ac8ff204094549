// A whole simulated cluster: begun, registered, guarded by admission, serving custom resources, and the same again from the same seed.
import { assert, describe, it } from "vitest"
import { ApiFailure, type Client, gvr, type KubeObject } from "#kube"
import { SimulatedCluster, type SimulatedClusterOptions } from "#sim"

const make = (options: Partial<SimulatedClusterOptions> = {}): SimulatedCluster =>
  new SimulatedCluster({
    seed: 5,
    nodeGroups: [{ name: "node", count: 10, zones: ["a", "b"] }],
    controllers: [],
    disableAdmission: ["ServiceAccount"],
    ...options
  })

const create = (cluster: SimulatedCluster, client: Client, object: KubeObject, resource: string) => {
  let answer: KubeObject | ApiFailure | undefined
  const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion]
  const target = { resource: gvr(group, version, resource), namespace: object.metadata.namespace ?? "" }
  cluster.kernel.defer(cluster.kernel.process("users"), () =>
    client.create(target, object, { fieldManager: "users" }, (got) => (answer = got))
  )
  cluster.kernel.run({ untilMs: cluster.kernel.nowMs + 10_000, until: () => answer !== undefined })
  return answer
}

const pod = (namespace: string, more: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace },
  spec: { containers: [{ name: "c", image: "i" }], ...more }
})

describe("a simulated cluster", () => {
  it("begins with what every cluster has, and counts as ready when all machines are there", () => {
    const cluster = make()
    assert.isTrue(cluster.startReady())
    const api = cluster.api.server!
    const names = (group: string, resource: string): ReadonlyArray<string> =>
      api
        .view(group, resource)
        .list("")
        .map(({ metadata }) => metadata.name ?? "")
    assert.includeMembers([...names("", "namespaces")], ["default", "kube-system", "kube-public", "kube-node-lease"])
    assert.include(names("rbac.authorization.k8s.io", "clusterroles"), "cluster-admin")
    assert.include(names("scheduling.k8s.io", "priorityclasses"), "system-node-critical")
    assert.lengthOf(names("", "nodes"), 10)
    assert.isBelow(cluster.kernel.nowMs, 1000)
  })

  it("admits as a real server does: defaults are filled in, and namespaces must be there", () => {
    const cluster = make()
    cluster.startReady()
    const users = cluster.client("users")
    const made = create(cluster, users, pod("default"), "pods") as KubeObject
    assert.include(made.spec as object, { priority: 0, preemptionPolicy: "PreemptLowerPriority" })
    assert.strictEqual(made.metadata.managedFields?.[0]?.manager, "users")
    const refused = create(cluster, users, pod("nowhere"), "pods") as ApiFailure
    assert.strictEqual(refused.message, 'namespaces "nowhere" not found')
  })

  it("refuses pods while nobody makes service accounts, unless that plugin is off", () => {
    const cluster = make({ disableAdmission: [] })
    cluster.startReady()
    const refused = create(cluster, cluster.client("users"), pod("default"), "pods") as ApiFailure
    assert.match(refused.message, /error looking up service account default\/default/)
  })

  it("serves custom resources", () => {
    const cluster = make()
    cluster.startReady()
    const users = cluster.client("users")
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "boats.wharf.example" },
      spec: {
        group: "wharf.example",
        scope: "Namespaced",
        names: { plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }]
      }
    }
    create(cluster, users, definition, "customresourcedefinitions")
    cluster.kernel.run({ untilMs: cluster.kernel.nowMs + 1000 })
    const boat = { apiVersion: "wharf.example/v1", kind: "Boat", metadata: { name: "b", namespace: "default" } }
    const made = create(cluster, users, boat, "boats")
    assert.notInstanceOf(made, ApiFailure)
    assert.strictEqual((made as KubeObject).kind, "Boat")
  })

  it("comes back with all of it after its server crashed", () => {
    const cluster = make({ faults: [{ kind: "crash", atMs: 5000, forMs: 2000, target: "apiserver" }] })
    cluster.startReady()
    cluster.kernel.run({ untilMs: 20_000 })
    assert.lengthOf(cluster.api.server!.view("", "nodes").list(""), 10)
    const renewed = cluster.api.server!.view("coordination.k8s.io", "leases").list("kube-node-lease")
    assert.lengthOf(renewed, 10)
  })

  it("does the same again with the same seed", () => {
    const hash = (seed: number): string => {
      const cluster = make({ seed })
      cluster.startReady()
      create(cluster, cluster.client("users"), pod("default"), "pods")
      cluster.kernel.run({ untilMs: 30_000 })
      return cluster.kernel.log.hash()
    }
    assert.strictEqual(hash(1), hash(1))
    assert.notStrictEqual(hash(1), hash(2))
  })
})
