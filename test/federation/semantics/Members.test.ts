// What leaves the host and what a member keeps, on objects as API servers make them: defaults and allocations of two real servers in
// memory, and properties that hold for any object.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { fieldsOf, itemsOf } from "#apiserver"
import { gvr, isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { configuredTypes, nativeSemantics, nativeTypes, SemanticsInvalid, SemanticsTable, typesFile } from "#federation"
import { FleetWorld } from "../FleetWorld.ts"

const SERVICES = gvr("", "v1", "services")
const JOBS = gvr("batch", "v1", "jobs")

const service = (ports: ReadonlyArray<JsonObject>, more: JsonObject = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "team" },
  spec: { type: "NodePort", selector: { app: "web" }, ports, ...more }
})

const prepared = (object: KubeObject): KubeObject => nativeSemantics.ofObject(object).prepare(object, object)
const retained = (desired: KubeObject, member: KubeObject): KubeObject =>
  nativeSemantics.ofObject(desired).retain(desired, member)

/** The object as it goes out: without what every object loses. */
const bare = ({
  metadata: { annotations, labels, name, namespace },
  status: _status,
  ...rest
}: KubeObject): KubeObject => ({
  ...rest,
  apiVersion: rest.apiVersion,
  kind: rest.kind,
  metadata: {
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations })
  }
})

describe("a Service", () => {
  const fleet = new FleetWorld(["oak"], [])
  const host = fleet.host.create(
    SERVICES,
    service([
      { name: "http", port: 80 },
      { name: "tls", port: 443, nodePort: 30_443 }
    ])
  )
  const source = bare(nativeSemantics.ofObject(host).prepare(host, host))

  it("leaves its addresses at home, and the ports that the host's server chose", () => {
    assert.isUndefined(fieldsOf(source.spec)["clusterIP"])
    assert.isUndefined(fieldsOf(source.spec)["clusterIPs"])
    assert.deepStrictEqual(
      itemsOf(fieldsOf(source.spec)["ports"]).map((port) => port["nodePort"]),
      [undefined, 30_443]
    )
  })

  it("keeps the member's through an update, which the member's server takes", () => {
    const member = fleet.member("oak")
    const made = member.create(SERVICES, source)
    const desired = retained({ ...source, metadata: { ...source.metadata, labels: { tier: "front" } } }, made)
    assert.strictEqual(fieldsOf(desired.spec)["clusterIP"], fieldsOf(made.spec)["clusterIP"])
    const updated = member.change(SERVICES, "team/web", (object) => ({
      ...desired,
      metadata: { ...desired.metadata, resourceVersion: object.metadata.resourceVersion ?? "" }
    }))
    assert.deepStrictEqual(updated.spec, made.spec)
    assert.deepStrictEqual(updated.metadata.labels, { tier: "front" })
  })

  it("stays headless", () => {
    const headless = service([{ port: 80 }], { type: "ClusterIP", clusterIP: "None" })
    assert.strictEqual(fieldsOf(prepared(headless).spec)["clusterIP"], "None")
  })
})

describe("a Job", () => {
  const job: KubeObject = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "once", namespace: "team" },
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "c:1" }] } } }
  }

  it("gets a selector of each member's own, and keeps it", () => {
    const fleet = new FleetWorld(["oak"], [])
    const host = fleet.host.create(JOBS, job)
    const source = bare(prepared(host))
    const text = JSON.stringify(source)
    assert.include(JSON.stringify(host), String(host.metadata.uid))
    assert.notInclude(text, String(host.metadata.uid))
    const made = fleet.member("oak").create(JOBS, source)
    const updated = fleet.member("oak").change(JOBS, "team/once", (object) => ({
      ...retained({ ...source, spec: { ...(source.spec as JsonObject), parallelism: 3 } }, made),
      metadata: object.metadata
    }))
    assert.deepInclude(updated.spec, { parallelism: 3, selector: fieldsOf(made.spec)["selector"] })
  })

  it("keeps a selector that a user wrote", () => {
    const manual = {
      ...job,
      spec: { ...(job.spec as JsonObject), manualSelector: true, selector: { matchLabels: { a: "b" } } }
    }
    assert.deepStrictEqual(prepared(manual), manual)
  })
})

describe("what a member decided", () => {
  const cases: ReadonlyArray<
    readonly [what: string, desired: KubeObject, member: KubeObject, path: string, value: Json]
  > = [
    [
      "the volume of a claim",
      { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "c" }, spec: {} },
      { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "c" }, spec: { volumeName: "pv-1" } },
      "spec.volumeName",
      "pv-1"
    ],
    [
      "the claim of a volume",
      { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "v" }, spec: { claimRef: { name: "x" } } },
      {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: "v" },
        spec: { claimRef: { name: "y", uid: "1" } }
      },
      "spec.claimRef.uid",
      "1"
    ],
    [
      "the token secrets of an account",
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "a" } },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "a" }, secrets: [{ name: "token" }] },
      "secrets.0.name",
      "token"
    ],
    [
      "the node of a pod",
      { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c" }] } },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { nodeName: "n", containers: [{ name: "c" }] } },
      "spec.nodeName",
      "n"
    ],
    [
      "the token volume of a pod",
      { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c" }] } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p" },
        spec: {
          volumes: [{ name: "kube-api-access-x" }],
          containers: [{ name: "c", volumeMounts: [{ name: "kube-api-access-x", mountPath: "/var/run/secrets" }] }]
        }
      },
      "spec.containers.0.volumeMounts.0.mountPath",
      "/var/run/secrets"
    ],
    [
      "the certificate of a webhook",
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingWebhookConfiguration",
        metadata: { name: "w" },
        webhooks: [{ name: "a", clientConfig: {} }]
      },
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingWebhookConfiguration",
        metadata: { name: "w" },
        webhooks: [{ name: "a", clientConfig: { caBundle: "Q0E=" } }]
      },
      "webhooks.0.clientConfig.caBundle",
      "Q0E="
    ]
  ]
  const at = (value: unknown, path: string): unknown =>
    path.split(".").reduce<unknown>((found, field) => (found as Record<string, unknown> | undefined)?.[field], value)
  for (const [what, desired, member, path, value] of cases) {
    it(`stays: ${what}`, () => {
      const kept = retained(desired, member)
      assert.deepStrictEqual(at(kept, path), value)
      assert.deepStrictEqual(retained(kept, member), kept, "once more changes nothing")
      assert.deepStrictEqual(retained(kept, kept), kept, "the member's own state is what is desired")
    })
  }

  it("never makes anything of an object that a member has exactly so, whatever the kind", () => {
    const name = fc.constantFrom("name", "labels", "mountPath", "nodePort", "volumeMounts", "resources", "caBundle")
    const part: fc.Arbitrary<JsonObject> = fc.dictionary(name, fc.constantFrom<Json>("a", "b", [{ name: "a" }], {}))
    const value: fc.Arbitrary<JsonObject> = fc.dictionary(
      fc.constantFrom(
        "clusterIP",
        "volumeName",
        "claimRef",
        "selector",
        "ports",
        "template",
        "containers",
        "volumes",
        "nodeName",
        "labels"
      ),
      fc.oneof(fc.constantFrom("None", "", "a"), part, fc.array(part, { maxLength: 3 }))
    )
    fc.assert(
      fc.property(fc.constantFrom(...nativeTypes), value, ({ group, kind, prepare, retain }, spec) => {
        const object: KubeObject = {
          apiVersion: group === "" ? "v1" : `${group}/v1`,
          kind,
          metadata: { name: "x" },
          spec
        }
        const kept = retain(object, object)
        assert.deepStrictEqual(retain(kept, object), kept)
        const once = prepare(object, object)
        assert.deepStrictEqual(prepare(once, once), once)
      }),
      { numRuns: 300 }
    )
  })
})

describe("types from configuration", () => {
  const widget = {
    group: "example.com",
    kind: "Widget",
    replicas: { spec: "spec.size", ready: "status.ready" },
    health: "object.status.phase == 'Up' ? 'Healthy' : 'Degraded'",
    status: "{'ready': members.map(m, m.object.status.ready).sum(), 'clusters': members.map(m, m.cluster)}",
    dependencies: "[{'kind': 'Secret', 'name': object.spec.secret}]",
    retain: ["spec.address"],
    drop: ["spec.hostOnly"],
    podTemplate: "spec.pod"
  }
  const object = (spec: JsonObject): KubeObject => ({
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name: "w", namespace: "team", generation: 1 },
    spec
  })

  it("are expressions over objects and members", () => {
    const failures: Array<string> = []
    const table = new SemanticsTable(configuredTypes([widget], (kind, field) => failures.push(`${kind}.${field}`)))
    const type = table.of("example.com", "Widget")
    assert.deepStrictEqual(type.replicas, { spec: ["spec", "size"], ready: ["status", "ready"] })
    assert.strictEqual(type.health({ status: { phase: "Up" } }).state, "Healthy")
    assert.strictEqual(type.health({ status: { phase: "Down" } }).state, "Degraded")
    const member = (cluster: string, ready: number) => ({ cluster, object: { metadata: {}, status: { ready } } })
    const status = type.aggregate?.({ source: object({}), members: [member("oak", 2), member("elm", 3)], now: "" })
    assert.deepStrictEqual(status, { ready: 5, clusters: ["elm", "oak"] })
    const needs = type.dependencies(object({ secret: "s", pod: { spec: { volumes: [{ configMap: { name: "m" } }] } } }))
    assert.deepStrictEqual(
      needs.map(({ kind, name }) => `${kind}/${name}`),
      ["ConfigMap/m", "Secret/s"]
    )
    assert.deepStrictEqual(type.retain(object({}), object({ address: "a" })).spec, { address: "a" })
    assert.deepStrictEqual(type.prepare(object({ hostOnly: 1, size: 2 }), object({})).spec, { size: 2 })
    assert.deepStrictEqual(failures, [])
    assert.strictEqual(type.health({}).state, "Healthy", "what fails is as the convention has it")
    assert.deepStrictEqual(failures, ["Widget.health"])
  })

  it("come from a file: expressions as YAML, or a module of code", async () => {
    const folder = mkdtempSync(join(tmpdir(), "types-"))
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    const load = (path: string) => Effect.runPromise(Effect.result(typesFile(path)))
    try {
      const yaml = await load(write("types.yaml", `typeSemantics:\n- ${JSON.stringify(widget)}\n`))
      assert.isTrue(Result.isSuccess(yaml) && yaml.success[0]?.kind === "Widget")
      const code =
        'export const typeSemantics = [{ group: "example.com", kind: "Gadget", health: () => ({ state: "Degraded", message: "" }) }]'
      const module = await load(write("types.ts", code))
      assert.isTrue(Result.isSuccess(module))
      const table = new SemanticsTable(Result.getOrThrow(module))
      assert.strictEqual(table.of("example.com", "Gadget").health({}).state, "Degraded")
      assert.isDefined(table.of("example.com", "Gadget").aggregate, "what it does not say is as the convention has it")
      const wrong: ReadonlyArray<readonly [path: string, words: string]> = [
        [write("none.yaml", "x: 1"), "must have a list typeSemantics"],
        [write("none.ts", "export const x = 1"), "must export an array named typeSemantics"],
        [write("bad.ts", "export const typeSemantics = [{ group: 1 }]"), "typeSemantics[0].group: must be a string"],
        [join(folder, "absent.yaml"), "absent.yaml"]
      ]
      for (const [path, words] of wrong) {
        const answer = await load(path)
        assert.isTrue(Result.isFailure(answer) && answer.failure.message.includes(words), words)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("are refused by field and rule", () => {
    const wrong: ReadonlyArray<readonly [entry: object, words: string]> = [
      [{ ...widget, health: "object.(" }, "Widget.example.com: health"],
      [{ ...widget, retain: ["spec..x"] }, "retain"],
      [{ ...widget, colour: "red" }, "colour"],
      [{ kind: "Widget" }, "group"]
    ]
    for (const [entry, words] of wrong) assert.throws(() => configuredTypes([entry]), SemanticsInvalid, words)
    assert.throws(() => new SemanticsTable(configuredTypes([widget, widget])), "described twice")
  })

  it("may say more of a native kind, which keeps what they do not say", () => {
    const table = new SemanticsTable(configuredTypes([{ group: "apps", kind: "Deployment", retain: ["spec.paused"] }]))
    const type = table.of("apps", "Deployment")
    assert.isDefined(type.aggregate)
    assert.isTrue(isJsonObject(type.retain(object({}), object({ paused: true })).spec))
  })
})
