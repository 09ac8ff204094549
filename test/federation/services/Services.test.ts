// Services across clusters over API servers in memory: endpoints come home, the derived Service and they go where they are wanted.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { fieldsOf, itemsOf } from "#apiserver"
import { gvr, type JsonObject, type KubeObject } from "#kube"
import {
  exportConflict,
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
      memberClient: world.client,
      memberService: this.memberService
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

  readonly memberService = (cluster: string, key: string): KubeObject | undefined =>
    this.world.member(cluster).get(SERVICES, key)

  pass(ms = 2000): void {
    this.world.clockwork.pass(ms)
  }

  /** The member's own copy of the Service, and news of it on the host. */
  serve(cluster: string, spec: JsonObject): void {
    const member = this.world.member(cluster)
    const service: KubeObject = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db", namespace: "team" },
      spec: { ports: [{ name: "sql", port: 5432 }], ...spec }
    }
    if (member.get(SERVICES, "team/db") === undefined) member.create(SERVICES, service)
    else member.change(SERVICES, "team/db", (object) => ({ ...object, spec: { ...fieldsOf(object.spec), ...spec } }))
    this.pass(1000)
    this.world.host.change(SERVICES, "team/db", (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { news: String(this.world.host.writes) } }
    }))
    this.pass()
  }

  condition(type: string): JsonObject | undefined {
    const status = fieldsOf(this.world.host.get(serviceExports, "team/db")?.status)
    return itemsOf(status["conditions"]).find((one) => one["type"] === type)
  }

  import(clusters: ReadonlyArray<string>, type = "ClusterSetIP"): void {
    const spec = { type, ports: [{ name: "sql", port: 5432, protocol: "TCP" }] }
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
      memberClient: scene.world.client,
      memberService: scene.memberService
    })
    again.start()
    scene.pass()
    assert.deepStrictEqual(scene.slices, ["imported-elm-db-y1", "imported-oak-db-x1"])
  })
})

describe("the Services of one export", () => {
  it("conflict where they differ from the oldest, which counts, until they agree again", () => {
    const scene = new Scene()
    scene.serve("oak", {})
    assert.deepInclude(scene.condition("Conflict"), { status: "False", reason: "NoConflicts" })
    scene.serve("elm", { ports: [{ name: "sql", port: 5433 }], sessionAffinity: "ClientIP" })
    const conflict = scene.condition("Conflict")
    assert.deepInclude(conflict, { status: "True", reason: "PortConflict" })
    assert.include(JSON.stringify(conflict), "oak, whose Service is the oldest")
    assert.include(JSON.stringify(conflict), "ports: elm; sessionAffinity: elm")
    assert.deepStrictEqual(scene.slices, ["imported-elm-db-y1", "imported-oak-db-x1"], "endpoints serve all the same")
    scene.serve("elm", { ports: [{ name: "sql", port: 5432 }], sessionAffinity: "None", sessionAffinityConfig: null })
    assert.deepInclude(scene.condition("Conflict"), { status: "False", reason: "NoConflicts" })
    const writes = scene.world.host.writes
    scene.pass(60_000)
    assert.strictEqual(scene.world.host.writes, writes, "what is said already is not written again")
  })

  it("conflict by order of clusters in nothing, and by weight: headless before ports", () => {
    const service = (spec: JsonObject, creationTimestamp: string): KubeObject => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db", creationTimestamp },
      spec
    })
    const plain = {
      ports: [
        { name: "sql", port: 1, protocol: "TCP" },
        { name: "web", port: 2 }
      ]
    }
    const turned = {
      ports: [
        { name: "web", port: 2, protocol: "TCP" },
        { name: "sql", port: 1 }
      ]
    }
    const clusters = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 })
    fc.assert(
      fc.property(clusters, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (names, headless) => {
        const services = names.map(
          (name, at) =>
            [
              name,
              service(
                { ...(at % 2 === 0 ? plain : turned), ...(headless[at] ? { clusterIP: "None", ports: [] } : {}) },
                `2026-01-0${1 + (at % 3)}T00:00:00Z`
              )
            ] as const
        )
        const found = exportConflict(new Map(services))
        assert.deepStrictEqual(found, exportConflict(new Map(services.toReversed())))
        const kinds = new Set(names.map((_, at) => headless[at]))
        assert.strictEqual(found?.reason, kinds.size > 1 ? "TypeConflict" : undefined)
      })
    )
  })
})

describe("a headless import", () => {
  it("has no address, tells names of endpoints apart by cluster, and is made anew when it is to have one", () => {
    const scene = new Scene()
    for (const cluster of ["oak", "elm"])
      scene.world.member(cluster).change(SLICES, cluster === "oak" ? "team/db-x1" : "team/db-y1", (object) => ({
        ...object,
        endpoints: [{ addresses: ["10.9.0.1"], hostname: "db-0", conditions: { ready: true } }]
      }))
    scene.import(["fir"], "Headless")
    const address = () => fieldsOf(scene.world.host.get(SERVICES, "team/derived-db")?.spec)["clusterIP"]
    assert.strictEqual(address(), "None")
    const names = scene.slices.map(
      (name) => itemsOf(scene.world.host.get(SLICES, `team/${name}`)?.["endpoints"])[0]?.["hostname"]
    )
    assert.deepStrictEqual(names, ["db-0-elm", "db-0-oak"])
    scene.world.host.change(serviceImports, "team/db", (object) => ({
      ...object,
      spec: { ...fieldsOf(object.spec), type: "ClusterSetIP" }
    }))
    scene.pass()
    assert.notStrictEqual(address(), "None")
    assert.isDefined(scene.world.host.get(SERVICES, "team/derived-db"))
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
