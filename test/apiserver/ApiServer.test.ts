import { assert, describe, it } from "vitest"
import { ApiFailure, gvr, type KubeObject } from "#kube"
import { configMap, Heard, inNamespace, named, World } from "./World.ts"

const maps = inNamespace("configmaps", "default")
const pods = inNamespace("pods", "default")
const pod = (name: string, spec: object = {}, more: object = {}): KubeObject =>
  ({ kind: "Pod", apiVersion: "v1", metadata: { name, ...more }, spec }) as KubeObject

describe("objects", () => {
  it("get what the server writes, and keep what the client wrote", () => {
    const world = new World()
    const made = world.create(
      maps,
      configMap("a", { x: "1" }, { labels: { app: "a" }, uid: "mine", resourceVersion: "5" })
    )
    assert.match(made.metadata.uid ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.strictEqual(made.metadata.creationTimestamp, "2026-11-24T04:00:00Z")
    assert.strictEqual(made.metadata.namespace, "default")
    assert.strictEqual(made.metadata.resourceVersion, "2")
    assert.deepStrictEqual(made["data"], { x: "1" })
    assert.strictEqual(world.get(named(maps, "a")), made)
  })

  it("are stored as a kube-apiserver with JSON storage reads them, without resourceVersion", () => {
    const world = new World()
    const made = world.create(maps, configMap("a", { x: "1" }))
    world.keyValue.get("/registry/configmaps/default/a", (entry) => {
      assert.isFalse(entry instanceof Error || entry === undefined)
      const text = Buffer.from((entry as { value: Uint8Array }).value).toString()
      assert.isTrue(text.startsWith('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"'), text)
      const { resourceVersion, ...metadata } = made.metadata
      assert.strictEqual(resourceVersion, "2")
      assert.deepStrictEqual(JSON.parse(text), { ...JSON.parse(JSON.stringify(made)), metadata })
    })
  })

  it("are served from the stored bytes with the resourceVersion spliced in", () => {
    const world = new World()
    const made = world.create(maps, configMap("a", { x: "ü" }))
    const answer = world.execute({ verb: "get", resource: maps.resource, namespace: "default", name: "a" })
    if (answer instanceof ApiFailure || answer.kind !== "object") return assert.fail("no object")
    const text = Buffer.from(answer.held.encoded()).toString()
    assert.isTrue(
      text.startsWith('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"2","name"'),
      text
    )
    assert.deepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(made)))
    assert.strictEqual(answer.held.encoded(), answer.held.encoded())
  })

  it("refuse what is there, what is not there, and what is stale", () => {
    const world = new World()
    const made = world.create(maps, configMap("a"))
    const again = world.fails((done) => world.client.create(maps, configMap("a"), {}, done))
    assert.strictEqual(again.message, 'configmaps "a" already exists')
    assert.strictEqual(again.code, 409)
    assert.strictEqual(
      world.fails((done) => world.client.get(named(maps, "b"), {}, done)).message,
      'configmaps "b" not found'
    )
    const changed = world.update(named(maps, "a"), { ...made, data: { x: "2" } })
    assert.notStrictEqual(changed.metadata.resourceVersion, made.metadata.resourceVersion)
    const stale = world.fails((done) => world.client.update(named(maps, "a"), { ...made, data: { x: "3" } }, {}, done))
    assert.strictEqual(
      stale.message,
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again'
    )
    assert.strictEqual(stale.reason, "Conflict")
  })

  it("stay as they are when an update changes nothing", () => {
    const world = new World()
    const made = world.create(maps, configMap("a", { x: "1" }))
    const same = world.update(named(maps, "a"), configMap("a", { x: "1" }, { namespace: "default" }))
    assert.strictEqual(same.metadata.resourceVersion, made.metadata.resourceVersion)
  })

  it("get names from generateName", () => {
    const world = new World()
    const made = world.create(maps, { ...configMap(""), metadata: { generateName: "web-" } })
    assert.match(made.metadata.name ?? "", /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  })

  it("are refused with all that is wrong with their metadata", () => {
    const world = new World()
    const bad = configMap("a/b", {}, { labels: { "-": "x" }, finalizers: ["?"], ownerReferences: [{ kind: "X" }] })
    const failure = world.fails((done) => world.client.create(maps, bad, {}, done))
    assert.strictEqual(failure.code, 422)
    const fields = failure.status.details?.causes?.map(({ field, reason }) => `${field} ${reason}`)
    assert.deepStrictEqual(fields, [
      "metadata.name FieldValueInvalid",
      "metadata.labels FieldValueInvalid",
      "metadata.ownerReferences[0].apiVersion FieldValueRequired",
      "metadata.ownerReferences[0].name FieldValueRequired",
      "metadata.ownerReferences[0].uid FieldValueRequired",
      "metadata.finalizers FieldValueInvalid"
    ])
  })

  it("are created by an update where the kind has it so", () => {
    const world = new World()
    const collection = inNamespace("leases", "default", "coordination.k8s.io")
    const lease = {
      kind: "Lease",
      apiVersion: "coordination.k8s.io/v1",
      metadata: { name: "a" },
      spec: {}
    } as KubeObject
    const made = world.update(named(collection, "a"), lease)
    assert.isDefined(made.metadata.uid)
    const failure = world.fails((done) => world.client.update(named(collection, "a"), lease, {}, done))
    assert.include(failure.message, "metadata.resourceVersion: Invalid value: 0: must be specified for an update")
  })

  it("raise their generation when the spec changes, and keep status and spec apart", () => {
    const world = new World()
    const made = world.create(pods, pod("a", { x: 1 }))
    assert.strictEqual(made.metadata.generation, 1)
    assert.deepStrictEqual(made.status, { phase: "Pending" })
    const spec = world.update(named(pods, "a"), { ...made, spec: { x: 2 }, status: { phase: "Running" } })
    assert.strictEqual(spec.metadata.generation, 2)
    assert.deepStrictEqual(spec.status, { phase: "Pending" })
    const status = world.update(named(pods, "a", "status"), { ...spec, spec: { x: 3 }, status: { phase: "Running" } })
    assert.strictEqual(status.metadata.generation, 2)
    assert.deepStrictEqual([status.spec, status.status], [{ x: 2 }, { phase: "Running" }])
    assert.strictEqual(status.spec, spec.spec)
  })
})

describe("deletion", () => {
  it("is at once without grace and finalizers, and answers a Status", () => {
    const world = new World()
    const made = world.create(maps, configMap("a"))
    const gone = world.must<KubeObject>((done) => world.client.delete(named(maps, "a"), {}, done))
    assert.deepStrictEqual(JSON.parse(JSON.stringify(gone)), {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: { name: "a", kind: "configmaps", uid: made.metadata.uid }
    })
    assert.instanceOf(world.get(named(maps, "a")), ApiFailure)
  })

  it("waits for finalizers, of which none can be added any more", () => {
    const world = new World()
    world.create(maps, configMap("a", {}, { finalizers: ["example.com/a"] }))
    const held = world.must<KubeObject>((done) => world.client.delete(named(maps, "a"), {}, done))
    assert.strictEqual(held.metadata.deletionTimestamp, "2026-11-24T04:00:00Z")
    assert.strictEqual(held.metadata.deletionGracePeriodSeconds, 0)
    const more = { ...held, metadata: { ...held.metadata, finalizers: ["example.com/a", "example.com/b"] } }
    const refused = world.fails((done) => world.client.update(named(maps, "a"), more, {}, done))
    assert.include(refused.message, 'found new finalizers []string{"example.com/b"}')
    world.update(named(maps, "a"), { ...held, metadata: { ...held.metadata, finalizers: [] } })
    assert.instanceOf(world.get(named(maps, "a")), ApiFailure)
  })

  it("turns a propagation policy into the garbage collector's finalizer", () => {
    const world = new World()
    world.create(maps, configMap("a"))
    const options = { propagationPolicy: "Foreground" } as const
    const held = world.must<KubeObject>((done) => world.client.delete(named(maps, "a"), options, done))
    assert.deepStrictEqual(held.metadata.finalizers, ["foregroundDeletion"])
  })

  it("gives a bound pod its grace, which only becomes shorter", () => {
    const world = new World()
    world.create(pods, pod("a", { nodeName: "n" }))
    const remove = (gracePeriodSeconds?: number): KubeObject =>
      world.must((done) =>
        world.client.delete(named(pods, "a"), gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }, done)
      )
    const first = remove()
    assert.strictEqual(first.metadata.deletionTimestamp, "2026-11-24T04:00:30Z")
    assert.strictEqual(first.metadata.generation, 2)
    assert.strictEqual(remove(60).metadata.resourceVersion, first.metadata.resourceVersion)
    world.clockwork.pass(5000)
    assert.strictEqual(remove(10).metadata.deletionTimestamp, "2026-11-24T04:00:10Z")
    const gone = remove(0)
    assert.strictEqual(gone.metadata.name, "a")
    assert.instanceOf(world.get(named(pods, "a")), ApiFailure)
  })

  it("keeps to its preconditions", () => {
    const world = new World()
    const made = world.create(maps, configMap("a"))
    const failure = world.fails((done) => world.client.delete(named(maps, "a"), { preconditions: { uid: "x" } }, done))
    assert.include(
      failure.message,
      `the UID in the precondition (x) does not match the UID in record (${made.metadata.uid})`
    )
    const preconditions = { uid: made.metadata.uid ?? "", resourceVersion: made.metadata.resourceVersion ?? "" }
    world.must((done) => world.client.delete(named(maps, "a"), { preconditions }, done))
  })

  it("of a collection takes what the selectors find", () => {
    const world = new World()
    for (const name of ["a", "b", "c"])
      world.create(maps, configMap(name, {}, { labels: { keep: String(name === "b") } }))
    const gone = world.must<KubeObject>((done) =>
      world.client.deleteCollection(maps, {}, { labelSelector: "keep=false" }, done)
    )
    assert.strictEqual(gone.kind, "ConfigMapList")
    assert.deepStrictEqual(
      world.list(maps).items.map(({ metadata }) => metadata.name),
      ["b"]
    )
  })
})

describe("subresources", () => {
  const sets = inNamespace("replicasets", "default", "apps")
  const set = (): KubeObject => ({
    kind: "ReplicaSet",
    apiVersion: "apps/v1",
    metadata: { name: "a" },
    spec: { replicas: 2, selector: { matchLabels: { app: "a" } } },
    status: {}
  })

  it("scale shows replicas and selector, and changes the spec", () => {
    const world = new World()
    world.create(sets, set())
    const scale = world.get(named(sets, "a", "scale")) as KubeObject
    assert.deepStrictEqual(
      [scale.kind, scale.spec, scale.status],
      ["Scale", { replicas: 2 }, { replicas: 0, selector: "app=a" }]
    )
    const scaled = world.update(named(sets, "a", "scale"), { ...scale, spec: { replicas: 5 } })
    assert.deepStrictEqual(scaled.spec, { replicas: 5 })
    const object = world.get(named(sets, "a")) as KubeObject
    assert.deepStrictEqual(object.spec, { replicas: 5, selector: { matchLabels: { app: "a" } } })
    assert.strictEqual(object.metadata.generation, 2)
    const patch = { type: "merge", body: { spec: { replicas: 7 } } } as const
    const patched = world.must<KubeObject>((done) => world.client.patch(named(sets, "a", "scale"), patch, {}, done))
    assert.deepStrictEqual(patched.spec, { replicas: 7 })
  })
})

describe("patches", () => {
  it("merge, by type and by operations, and change nothing when they say nothing new", () => {
    const world = new World()
    const made = world.create(maps, configMap("a", { x: "1", y: "2" }))
    const patch = (type: "json" | "merge" | "strategic", body: never): KubeObject =>
      world.must((done) => world.client.patch(named(maps, "a"), { type, body }, {}, done))
    assert.deepStrictEqual(patch("merge", { data: { x: null, z: "3" } } as never)["data"], { y: "2", z: "3" })
    assert.deepStrictEqual(patch("strategic", { data: { y: "4" } } as never)["data"], { y: "4", z: "3" })
    const last = patch("json", [{ op: "replace", path: "/data/z", value: "5" }] as never)
    assert.deepStrictEqual(last["data"], { y: "4", z: "5" })
    const same = patch("merge", { data: { z: "5" } } as never)
    assert.strictEqual(same.metadata.resourceVersion, last.metadata.resourceVersion)
    const stale = { metadata: { resourceVersion: made.metadata.resourceVersion ?? "" }, data: { z: "6" } }
    const failure = world.fails((done) =>
      world.client.patch(named(maps, "a"), { type: "merge", body: stale }, {}, done)
    )
    assert.strictEqual(failure.reason, "Conflict")
  })
})

describe("watches", () => {
  it("resume from changes that nobody heard when they happened", () => {
    const world = new World()
    const before = world.create(maps, configMap("a"))
    world.create(maps, configMap("b"))
    world.update(named(maps, "b"), { ...(world.get(named(maps, "b")) as KubeObject), data: { x: "1" } })
    world.must<KubeObject>((done) => world.client.delete(named(maps, "a"), {}, done))
    const { resourceVersion = "" } = before.metadata
    const listeners = [new Heard(), new Heard()]
    for (const { listener } of listeners) world.client.watch(maps, { resourceVersion }, listener)
    world.clockwork.settle()
    const [first, second] = listeners
    assert.deepStrictEqual(first.told, ["ADDED b", "MODIFIED b", "DELETED a"])
    assert.deepStrictEqual(second.events, first.events)
    const versions = first.events.map(({ object }) => Number(object.metadata.resourceVersion))
    assert.deepStrictEqual(
      versions,
      versions.toSorted((left, right) => left - right)
    )
  })
})

describe("versions", () => {
  it("are served from one object", () => {
    const world = new World()
    const [one, two] = ["v1", "v2"].map((version) => inNamespace("widgets", "default", "example.com", version))
    const made = world.create(two, {
      kind: "Widget",
      apiVersion: "example.com/v2",
      metadata: { name: "a" },
      size: 3
    })
    assert.strictEqual(made["size"], 3)
    const stored = world.get(named(one, "a")) as KubeObject
    assert.deepStrictEqual([stored.apiVersion, stored.spec, stored["size"]], ["example.com/v1", { size: 3 }, undefined])
    world.update(named(one, "a"), { ...stored, spec: { size: 4 } })
    const converted = world.get(named(two, "a")) as KubeObject
    assert.deepStrictEqual([converted.apiVersion, converted["size"]], ["example.com/v2", 4])
    const heard = new Heard()
    world.client.watch(two, {}, heard.listener)
    world.clockwork.settle()
    assert.deepStrictEqual(
      heard.events.map(({ object }) => object["size"]),
      [4]
    )
  })

  it("that differ only in their name share the stored bytes", () => {
    const world = new World()
    const [one, two] = ["", "events.k8s.io"].map((group) => inNamespace("events", "default", group))
    world.create(one, { kind: "Event", apiVersion: "v1", metadata: { name: "a" }, note: "n" })
    const answer = world.execute({ verb: "get", resource: two.resource, namespace: "default", name: "a" })
    if (answer instanceof ApiFailure || answer.kind !== "object") return assert.fail("no object")
    assert.include(
      Buffer.from(answer.held.encoded()).toString(),
      '{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":'
    )
  })
})

describe("requests", () => {
  it("that nobody serves, or not so, are refused", () => {
    const world = new World()
    const nowhere = world.execute({ verb: "get", resource: gvr("", "v1", "nothing"), name: "a" })
    assert.strictEqual((nowhere as ApiFailure).message, "the server could not find the requested resource")
    const scale = world.execute({
      verb: "delete",
      resource: gvr("apps", "v1", "replicasets"),
      name: "a",
      subresource: "scale"
    })
    assert.strictEqual((scale as ApiFailure).code, 405)
  })

  it("with unknown fields lose them, say so, or fail", () => {
    const world = new World()
    const body = { ...configMap("a"), datta: {} } as KubeObject
    const ask = (fieldValidation?: "Ignore" | "Strict") =>
      world.execute({
        verb: "create",
        resource: maps.resource,
        namespace: "default",
        body,
        options: { dryRun: true, ...(fieldValidation === undefined ? {} : { fieldValidation }) }
      })
    const warned = ask()
    assert.deepStrictEqual(warned instanceof ApiFailure ? warned : warned.kind === "object" && warned.warnings, [
      'unknown field "datta"'
    ])
    const strict = ask("Strict") as ApiFailure
    assert.strictEqual(strict.message, 'strict decoding error: unknown field "datta"')
    assert.strictEqual(world.list(maps).items.length, 0)
  })
})
