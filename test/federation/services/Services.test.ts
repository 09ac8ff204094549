// Services across clusters over API servers in memory: endpoints come home, the derived Service and they go where they are wanted.
import { assert, describe, it } from "vitest"
import { fieldsOf } from "#apiserver"
import { gvr, type JsonObject, type KubeObject } from "#kube"
import {
  federatedSpecOf,
  federationResources,
  makeServiceControllers,
  placementBy,
  type ServiceControllers
} from "#federation"
import { federated, FleetWorld } from "../FleetWorld.ts"

const SCHEDULER = "kubeadmiral.io/global-scheduler"
const IMPORTER = "kubeadmiral.io/serviceimport-controller"
const SLICES = gvr("discovery.k8s.io", "v1", "endpointslices")
const SERVICES = gvr("", "v1", "services")
const { objects, serviceExports, serviceImports } = federationResources

const slice = (name: string, address: string, ready = true): KubeObject => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name, namespace: "team", labels: { "kubernetes.io/service-name": "db" } },
  addressType: "IPv4",
  endpoints: [
    {
      addresses: [address],
      conditions: { ready },
      nodeName: "n1",
      targetRef: { kind: "Pod", name: "db-0", namespace: "team" }
    }
  ],
  ports: [{ name: "sql", port: 5432, protocol: "TCP" }]
})

const multicluster = (kind: string, spec: JsonObject | undefined): KubeObject => ({
  apiVersion: "multicluster.x-k8s.io/v1alpha1",
  kind,
  metadata: { name: "db", namespace: "team" },
  ...(spec === undefined ? {} : { spec })
})

class Scene {
  readonly world = new FleetWorld(["oak", "elm", "fir"], [])
  readonly controllers: ServiceControllers

  constructor() {
    const { world } = this
    this.controllers = makeServiceControllers({
      clockwork: world.clockwork,
      client: world.host.client,
      runtime: world.runtime,
      objects: world.informer(objects),
      exports: world.informer(serviceExports),
      imports: world.informer(serviceImports),
      services: world.informer(SERVICES),
      slices: world.informer(SLICES),
      memberClient: world.client
    })
    world.informers.start()
    this.controllers.start()
    world.member("oak").create(SLICES, slice("db-x1", "10.1.0.1"))
    world.member("elm").create(SLICES, slice("db-y1", "10.2.0.1"))
    world.member("fir").create(SLICES, slice("db-z1", "10.3.0.1"))
    world.host.create(SERVICES, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db", namespace: "team" },
      spec: { ports: [{ name: "sql", port: 5432 }] }
    })
    world.host.create(serviceExports, multicluster("ServiceExport", undefined))
    world.host.create(objects, federated(multicluster("ServiceExport", undefined), { [SCHEDULER]: ["oak", "elm"] }))
    this.pass()
  }

  pass(ms = 2000): void {
    this.world.clockwork.pass(ms)
  }

  import(clusters: ReadonlyArray<string>): void {
    const spec = { type: "ClusterSetIP", ports: [{ name: "sql", port: 5432, protocol: "TCP" }] }
    this.world.host.create(serviceImports, multicluster("ServiceImport", spec))
    this.world.host.create(objects, federated(multicluster("ServiceImport", spec), { [SCHEDULER]: clusters }))
    this.pass()
    // As federating does: each object of the host has its federated object.
    for (const one of this.slices) this.federate(SLICES, one)
    this.federate(SERVICES, "derived-db")
    this.pass()
  }

  federate(resource: typeof SLICES, name: string): void {
    const object = this.world.host.get(resource, `team/${name}`)
    assert.isDefined(object, name)
    const { managedFields: _managed, ...metadata } = object.metadata
    this.world.host.create(objects, federated({ ...object, metadata }, {}))
  }

  get slices(): ReadonlyArray<string> {
    return this.world.host.names(SLICES)
  }

  placed(key: string): ReadonlyArray<string> {
    const object = this.world.host.get(objects, key)
    return object === undefined ? ["(none)"] : placementBy(federatedSpecOf(object), IMPORTER)
  }
}

describe("an exported Service", () => {
  it("brings the endpoints of exporting clusters home, without what names things of one cluster", () => {
    const scene = new Scene()
    assert.deepStrictEqual(scene.slices, ["imported-elm-db-y1", "imported-oak-db-x1"])
    const made = scene.world.host.get(SLICES, "team/imported-oak-db-x1")
    assert.deepStrictEqual(made?.["endpoints"], [{ addresses: ["10.1.0.1"], conditions: { ready: true } }])
    assert.deepInclude(made?.metadata.labels, {
      "kubernetes.io/service-name": "derived-db",
      "multicluster.kubernetes.io/source-cluster": "oak"
    })
    const conditions = fieldsOf(scene.world.host.get(serviceExports, "team/db")?.status)["conditions"]
    assert.include(JSON.stringify(conditions), '"Valid"')
  })

  it("follows changes in the member, and forgets a cluster that exports no more", () => {
    const scene = new Scene()
    scene.world
      .member("oak")
      .change(SLICES, "team/db-x1", (object) => ({ ...slice("db-x1", "10.1.0.1", false), metadata: object.metadata }))
    scene.pass()
    const made = scene.world.host.get(SLICES, "team/imported-oak-db-x1")
    assert.deepStrictEqual(made?.["endpoints"], [{ addresses: ["10.1.0.1"], conditions: { ready: false } }])
    scene.world.host.change(objects, "team/db-serviceexport", (object) => ({
      ...object,
      spec: federated(multicluster("ServiceExport", undefined), { [SCHEDULER]: ["elm", "fir"] }).spec as JsonObject
    }))
    scene.pass()
    assert.deepStrictEqual(scene.slices, ["imported-elm-db-y1", "imported-fir-db-z1"])
    scene.world.host.remove(serviceExports, "team/db")
    scene.pass()
    assert.deepStrictEqual(scene.slices, [])
  })

  it("keeps the endpoints of a cluster that has never been heard of since a restart", () => {
    const scene = new Scene()
    scene.controllers.stop()
    scene.world.lost.add("oak")
    const again = makeServiceControllers({
      clockwork: scene.world.clockwork,
      client: scene.world.host.client,
      runtime: scene.world.runtime,
      objects: scene.world.informer(objects),
      exports: scene.world.informer(serviceExports),
      imports: scene.world.informer(serviceImports),
      services: scene.world.informer(SERVICES),
      slices: scene.world.informer(SLICES),
      memberClient: scene.world.client
    })
    again.start()
    scene.pass()
    assert.deepStrictEqual(scene.slices, ["imported-elm-db-y1", "imported-oak-db-x1"])
  })
})

describe("an imported Service", () => {
  it("is a Service of its own, placed with the endpoints where the import is", () => {
    const scene = new Scene()
    scene.import(["fir", "elm"])
    const derived = scene.world.host.get(SERVICES, "team/derived-db")
    assert.deepStrictEqual(fieldsOf(derived?.spec)["ports"], [
      { name: "sql", port: 5432, protocol: "TCP", targetPort: 5432 }
    ])
    assert.isUndefined(fieldsOf(derived?.spec)["selector"])
    for (const key of [
      "team/derived-db-service",
      "team/imported-oak-db-x1-endpointslice",
      "team/imported-elm-db-y1-endpointslice"
    ]) {
      assert.deepStrictEqual(scene.placed(key), ["elm", "fir"], key)
    }
    assert.deepStrictEqual(fieldsOf(scene.world.host.get(serviceImports, "team/db")?.status)["clusters"], [
      { cluster: "elm" },
      { cluster: "oak" }
    ])
    const writes = scene.world.host.writes
    scene.world.host.change(objects, "team/db-serviceimport", (object) => ({
      ...object,
      spec: federated(multicluster("ServiceImport", { type: "ClusterSetIP", ports: [] }), { [SCHEDULER]: ["fir"] })
        .spec as JsonObject
    }))
    scene.pass()
    assert.deepStrictEqual(scene.placed("team/derived-db-service"), ["fir"])
    assert.strictEqual(
      scene.world.host.writes - writes,
      4,
      "the change, and one write for each object that goes with it"
    )
    scene.world.host.remove(serviceImports, "team/db")
    scene.pass()
    assert.isUndefined(scene.world.host.get(SERVICES, "team/derived-db"))
    assert.deepStrictEqual(scene.placed("team/imported-oak-db-x1-endpointslice"), [])
  })
})
