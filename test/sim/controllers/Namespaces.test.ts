// Namespaces that are deleted, quotas that are counted, and identities that every namespace gets, in a simulated cluster.
import { assert as check, constantFrom, nat, property, record, array } from "fast-check"
import { assert, describe, it } from "vitest"
import { isJsonObject, type JsonObject, type KubeObject } from "#kube"
import { upkeepControllersWith } from "#sim"
import { configMap, controllersNamed, namespace, Resources, textOf, UpkeepWorld } from "./UpkeepWorld.ts"

const { configmaps, crds, namespaces, pods, quotas, secrets, serviceaccounts } = Resources
const runs = Number(process.env["UPKEEP_RUNS"] ?? 8)

const statusOf = (object: KubeObject | undefined): JsonObject =>
  object !== undefined && isJsonObject(object.status) ? object.status : {}

const conditions = (object: KubeObject | undefined): Readonly<Record<string, JsonObject>> =>
  Object.fromEntries(
    ((statusOf(object)["conditions"] ?? []) as ReadonlyArray<JsonObject>).map((one) => [textOf(one["type"]), one])
  )

const pod = (name: string, ns: string, spec: JsonObject = {}): KubeObject & { metadata: { name: string } } => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: ns },
  spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "100m" } } }], ...spec }
})

describe("a namespace that is deleted", () => {
  const run = controllersNamed("namespace-controller")

  it("takes everything in it along, of every kind, and then goes", () => {
    check(
      property(
        array(record({ kind: constantFrom("configmaps", "secrets", "serviceaccounts", "pods"), place: nat(2) }), {
          maxLength: 12
        }),
        (things) => {
          const world = new UpkeepWorld({ run })
          const places = ["one", "two", "three"]
          for (const name of places) world.create(namespaces, namespace(name))
          for (const [at, { kind, place }] of things.entries()) {
            const ns = places[place] ?? ""
            const metadata = { name: `x${at}`, namespace: ns }
            if (kind === "pods") world.create(pods, pod(`x${at}`, ns))
            else if (kind === "secrets") world.create(secrets, { apiVersion: "v1", kind: "Secret", metadata })
            else if (kind === "configmaps") world.create(configmaps, configMap(`x${at}`, ns))
            else world.create(serviceaccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata })
          }
          world.delete(namespaces, "", "one")
          world.delete(namespaces, "", "three")
          world.pass(120_000)
          assert.deepStrictEqual(world.names(namespaces), ["two"])
          for (const resource of [configmaps, secrets, serviceaccounts, pods])
            for (const { metadata } of world.list(resource)) assert.strictEqual(metadata.namespace, "two")
          const kept = things.filter(({ place }) => place === 1).length
          const left = [configmaps, secrets, serviceaccounts, pods].flatMap((one) => world.list(one))
          assert.lengthOf(left, kept)
        }
      ),
      { numRuns: runs }
    )
  })

  it("says what it waits for, in words, while a finalizer holds something back", () => {
    const world = new UpkeepWorld({ run })
    world.create(namespaces, namespace("held"))
    world.create(configmaps, configMap("stuck", "held", { finalizers: ["example.com/hold"] }))
    world.delete(namespaces, "", "held")
    world.pass(30_000)
    const held = world.get(namespaces, "", "held")
    assert.strictEqual(statusOf(held)["phase"], "Terminating")
    const said = conditions(held)
    assert.deepInclude(said["NamespaceContentRemaining"], {
      status: "True",
      reason: "SomeResourcesRemain",
      message: "Some resources are remaining: configmaps. has 1 resource instances"
    })
    assert.deepInclude(said["NamespaceFinalizersRemaining"], {
      status: "True",
      reason: "SomeFinalizersRemain",
      message: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    })
    assert.deepInclude(said["NamespaceDeletionDiscoveryFailure"], { status: "False", reason: "ResourcesDiscovered" })
    world.change(configmaps, ["held", "stuck"], (object) => ({
      ...object,
      metadata: { ...object.metadata, finalizers: [] }
    }))
    world.pass(60_000)
    assert.isUndefined(world.get(namespaces, "", "held"))
  })

  it("waits for its pods before anything else goes", () => {
    const world = new UpkeepWorld({ run })
    world.create(namespaces, namespace("n"))
    world.create(configmaps, configMap("c", "n"))
    const finalizers = ["example.com/hold"]
    const held = pod("p", "n")
    world.create(pods, { ...held, metadata: { ...held.metadata, finalizers } })
    world.delete(namespaces, "", "n")
    world.pass(30_000)
    assert.deepStrictEqual(world.names(configmaps, "n"), ["c"])
    world.change(pods, ["n", "p"], (object) => ({ ...object, metadata: { ...object.metadata, finalizers: [] } }))
    world.pass(60_000)
    assert.deepStrictEqual(world.names(namespaces), [])
  })
})

describe("custom resources", () => {
  const crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "toys.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "toys", singular: "toy", kind: "Toy", listKind: "ToyList" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }]
    }
  }
  const toys = { group: "example.com", version: "v1", resource: "toys" }
  const toy = (name: string, metadata: KubeObject["metadata"] = {}) => ({
    apiVersion: "example.com/v1",
    kind: "Toy",
    metadata: { name, namespace: "play", ...metadata }
  })

  it("are collected, counted and deleted with their namespace like any other, from the moment they are served", () => {
    const world = new UpkeepWorld({
      whole: true,
      run: controllersNamed("garbage-collector-controller", "namespace-controller", "resourcequota-controller")
    })
    world.create(namespaces, namespace("play"))
    const hard = { "count/toys.example.com": "5" }
    world.create(quotas, {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "q", namespace: "play" },
      spec: { hard }
    })
    world.create(crds, crd)
    world.pass(5000)
    const owner = world.create(toys, toy("owner"))
    const ownerReferences = [
      { apiVersion: "example.com/v1", kind: "Toy", name: "owner", uid: owner.metadata.uid ?? "" }
    ]
    world.create(toys, toy("owned", { ownerReferences }))
    world.create(configmaps, configMap("owned-too", "play", { ownerReferences }))
    world.pass(5000)
    assert.deepStrictEqual(statusOf(world.get(quotas, "play", "q"))["used"], { "count/toys.example.com": "2" })
    world.delete(toys, "play", "owner")
    world.pass(10_000)
    assert.deepStrictEqual(world.names(toys, "play"), [])
    assert.deepStrictEqual(world.names(configmaps, "play"), [])
    assert.deepStrictEqual(statusOf(world.get(quotas, "play", "q"))["used"], { "count/toys.example.com": "0" })
    world.create(toys, toy("last"))
    world.delete(namespaces, "", "play")
    world.pass(60_000)
    assert.deepStrictEqual(world.names(toys), [])
    assert.notInclude(world.names(namespaces), "play")
  })
})

describe("a quota", () => {
  it("counts what is there, gives back what goes, and forgets pods that are over", () => {
    const world = new UpkeepWorld({ run: controllersNamed("resourcequota-controller") })
    world.create(namespaces, namespace("n"))
    for (const name of ["a", "b", "c"]) world.create(pods, pod(name, "n"))
    world.create(configmaps, configMap("c", "n"))
    const hard = { pods: "10", "requests.cpu": "2", configmaps: "10", "count/secrets": "3" }
    world.create(quotas, {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "q", namespace: "n" },
      spec: { hard }
    })
    world.pass(2000)
    const used = () => statusOf(world.get(quotas, "n", "q"))["used"]
    assert.deepStrictEqual(used(), { pods: "3", "requests.cpu": "300m", configmaps: "1", "count/secrets": "0" })
    world.delete(pods, "n", "a", { gracePeriodSeconds: 0 })
    world.change(pods, ["n", "b"], (object) => ({ ...object, status: { phase: "Succeeded" } }), "status")
    world.delete(configmaps, "n", "c")
    world.pass(2000)
    assert.deepStrictEqual(used(), { pods: "1", "requests.cpu": "100m", configmaps: "0", "count/secrets": "0" })
    world.change(quotas, ["n", "q"], (object) => ({ ...object, spec: { hard: { pods: "2" } } }))
    world.pass(2000)
    assert.deepStrictEqual(statusOf(world.get(quotas, "n", "q")), { hard: { pods: "2" }, used: { pods: "1" } })
    // What is made without being charged is seen at the latest after five minutes.
    world.create(pods, pod("d", "n"))
    world.pass(301_000)
    assert.deepStrictEqual(used(), { pods: "2" })
  })
})

describe("every namespace", () => {
  it("has a service account and the authority, again when somebody takes them away", () => {
    const run = [
      ...controllersNamed("serviceaccount-controller"),
      ...upkeepControllersWith({ rootCa: "PEM", tokens: { sign: (claims) => JSON.stringify(claims), rootCa: "PEM" } })
    ]
    const world = new UpkeepWorld({ run })
    world.create(namespaces, namespace("n"))
    world.pass(1000)
    const account = world.get(serviceaccounts, "n", "default")
    assert.isDefined(account)
    assert.deepStrictEqual(world.get(configmaps, "n", "kube-root-ca.crt")?.["data"], { "ca.crt": "PEM" })
    world.delete(serviceaccounts, "n", "default")
    world.delete(configmaps, "n", "kube-root-ca.crt")
    world.pass(1000)
    assert.isDefined(world.get(configmaps, "n", "kube-root-ca.crt"))
    const fresh = world.get(serviceaccounts, "n", "default")
    assert.notStrictEqual(fresh?.metadata.uid, account?.metadata.uid)

    const annotations = { "kubernetes.io/service-account.name": "default" }
    const metadata = { name: "t", namespace: "n", annotations }
    const type = "kubernetes.io/service-account-token"
    world.create(secrets, { apiVersion: "v1", kind: "Secret", type, metadata })
    world.pass(1000)
    const secret = world.get(secrets, "n", "t")
    const data = secret?.["data"] as Record<string, string>
    const text = (key: string): string => Buffer.from(data[key] ?? "", "base64").toString()
    assert.strictEqual(text("namespace"), "n")
    assert.strictEqual(text("ca.crt"), "PEM")
    assert.deepInclude(JSON.parse(text("token")), {
      iss: "kubernetes/serviceaccount",
      sub: "system:serviceaccount:n:default",
      "kubernetes.io/serviceaccount/secret.name": "t",
      "kubernetes.io/serviceaccount/service-account.uid": fresh?.metadata.uid
    })
    assert.strictEqual(secret?.metadata.annotations?.["kubernetes.io/service-account.uid"], fresh?.metadata.uid)
    world.delete(serviceaccounts, "n", "default")
    world.pass(1000)
    assert.isUndefined(world.get(secrets, "n", "t"))
  })
})
