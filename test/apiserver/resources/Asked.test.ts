// What Kubernetes' conformance tests ask of single kinds, each in a small world of its own.
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { ApiFailure, type Client, type Done, gvr, type JsonObject, type KubeList, type KubeObject } from "#kube"
import { SERVICE_CIDR, SimulatedCluster } from "#sim"

class AskedWorld {
  readonly cluster = new SimulatedCluster({
    seed: 3,
    nodeGroups: [{ name: "node", count: 1 }],
    controllers: [],
    bindsPods: false,
    compactionMs: 10_000,
    disableAdmission: ["ServiceAccount"]
  })
  readonly client = this.cluster.client("users")

  constructor() {
    this.cluster.startReady()
  }

  /** The answer of one call. */
  ask(call: (client: Client, done: Done<KubeObject>) => void): KubeObject | ApiFailure {
    let answer: KubeObject | ApiFailure | undefined
    const { kernel } = this.cluster
    kernel.defer(kernel.process("users"), () => call(this.client, (got) => (answer = got)))
    kernel.run({ untilMs: kernel.nowMs + 5000, until: () => answer !== undefined })
    if (answer === undefined) throw new Error("no answer")
    return answer
  }

  create(resource: string, object: KubeObject): KubeObject | ApiFailure {
    const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion]
    const target = { resource: gvr(group, version, resource), namespace: object.metadata.namespace ?? "" }
    return this.ask((client, done) => client.create(target, object, {}, done))
  }
}

const made = (answer: KubeObject | ApiFailure): KubeObject => {
  if (answer instanceof ApiFailure) throw answer
  return answer
}
const refusal = (answer: KubeObject | ApiFailure): string => (answer instanceof ApiFailure ? answer.message : "taken")

const pod = (spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default", generation: 100 },
  spec: { containers: [{ name: "c", image: "i" }], ...spec }
})
const pods = { resource: gvr("", "v1", "pods"), namespace: "default", name: "p" }

describe("pods", () => {
  it("begin with generation 1 and keep it when they are bound", () => {
    const world = new AskedWorld()
    assert.strictEqual(made(world.create("pods", pod())).metadata.generation, 1)
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "p" },
      target: { kind: "Node", name: "node-0" }
    }
    made(world.ask((client, done) => client.create({ ...pods, subresource: "binding" }, binding, {}, done)))
    const bound = made(world.ask((client, done) => client.get(pods, {}, done)))
    assert.deepInclude(bound.spec as object, { nodeName: "node-0" })
    assert.strictEqual(bound.metadata.generation, 1)
  })

  it("ask for certificates of a time between an hour and 91 days", () => {
    const world = new AskedWorld()
    const certificate = (maxExpirationSeconds: number) => ({
      signerName: "example.com/signer",
      keyType: "ED25519",
      credentialBundlePath: "bundle.pem",
      maxExpirationSeconds
    })
    const asking = (seconds: number) =>
      pod({ volumes: [{ name: "v", projected: { sources: [{ podCertificate: certificate(seconds) }] } }] })
    assert.match(refusal(world.create("pods", asking(3599))), /maxExpirationSeconds must be >= 3600/)
    assert.match(refusal(world.create("pods", asking(91 * 86_400 + 1))), /maxExpirationSeconds must be <= 7862400/)
    made(world.create("pods", asking(3600)))
  })
})

describe("deployments", () => {
  it("count a generation for annotations, which their sets get too, and none for labels and for what says the same", () => {
    const world = new AskedWorld()
    const deployments = { resource: gvr("apps", "v1", "deployments"), namespace: "default", name: "d" }
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } }
    made(
      world.create("deployments", {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "d", namespace: "default" },
        spec: { replicas: 0, selector: { matchLabels: { a: "b" } }, template }
      })
    )
    const after = (body: JsonObject, subresource?: string): number | undefined =>
      made(
        world.ask((client, done) => {
          const target = subresource === undefined ? deployments : { ...deployments, subresource }
          client.patch(target, { type: "merge", body }, {}, done)
        })
      ).metadata.generation
    assert.strictEqual(after({ metadata: { labels: { x: "1" } } }), 1)
    assert.strictEqual(after({ metadata: { annotations: { x: "1" } } }), 2)
    assert.strictEqual(after({ metadata: { annotations: { x: "1" } } }), 2)
    assert.strictEqual(after({ metadata: { annotations: { x: "2" } }, spec: { replicas: 1 } }), 3)
    assert.strictEqual(after({ metadata: { annotations: { x: "3" } }, status: { replicas: 0 } }, "status"), 3)
    assert.strictEqual(after({ metadata: { annotations: { x: null } } }), 4)
  })
})

describe("trust bundles", () => {
  const directory = mkdtempSync(join(tmpdir(), "bundle-"))
  const authority = join(directory, "ca.pem")
  const request = [
    "req",
    "-x509",
    "-newkey",
    "ed25519",
    "-nodes",
    "-keyout",
    "/dev/null",
    "-subj",
    "/CN=ca",
    "-out",
    authority
  ]
  execFileSync("openssl", request, { stdio: "ignore" })
  const pem = readFileSync(authority, "utf8")
  rmSync(directory, { recursive: true })
  const bundle = (name: string, signerName: string, trustBundle: string): KubeObject => ({
    apiVersion: "certificates.k8s.io/v1",
    kind: "ClusterTrustBundle",
    metadata: { name },
    spec: { ...(signerName === "" ? {} : { signerName }), trustBundle }
  })

  it("carry their signer in their name, and hold authorities, each once", () => {
    const world = new AskedWorld()
    const create = (...given: Parameters<typeof bundle>) => world.create("clustertrustbundles", bundle(...given))
    assert.match(refusal(create("other", "a.b/c", pem)), /must be named with prefix a\.b:c:/)
    assert.match(refusal(create("a:b", "", pem)), /must not have ":" in its name/)
    assert.match(refusal(create("x", "", pem + pem)), /duplicate trust anchor \(indices \[0 1\]\)/)
    assert.match(refusal(create("x", "", "nothing")), /at least one trust anchor must be provided/)
    made(create("a.b:c:0", "a.b/c", pem))
  })
})

describe("custom resources", () => {
  it("have the defaults of their schema as it is now, also those stored before", () => {
    const world = new AskedWorld()
    const crds = { resource: gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions"), namespace: "" }
    const definition = (field: JsonObject): KubeObject => ({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "boats.wharf.example" },
      spec: {
        group: "wharf.example",
        scope: "Namespaced",
        names: { plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { crew: field } } }
          }
        ]
      }
    })
    const first = made(world.create("customresourcedefinitions", definition({ type: "integer" })))
    world.cluster.kernel.run({ untilMs: world.cluster.kernel.nowMs + 500 })
    const boat = { apiVersion: "wharf.example/v1", kind: "Boat", metadata: { name: "b", namespace: "default" } }
    assert.notProperty(made(world.create("boats", boat)), "crew")
    const { resourceVersion = "" } = made(
      world.ask((client, done) => client.get({ ...crds, name: "boats.wharf.example" }, {}, done))
    ).metadata
    const next = definition({ type: "integer", default: 4 })
    const metadata = { ...first.metadata, resourceVersion }
    made(
      world.ask((client, done) =>
        client.update({ ...crds, name: "boats.wharf.example" }, { ...next, metadata }, {}, done)
      )
    )
    world.cluster.kernel.run({ untilMs: world.cluster.kernel.nowMs + 500 })
    const target = { resource: gvr("wharf.example", "v1", "boats"), namespace: "default", name: "b" }
    assert.strictEqual(made(world.ask((client, done) => client.get(target, {}, done)))["crew"], 4)
  })
})

describe("what every cluster has", () => {
  it("tells the block of service addresses, ready", () => {
    const [block] = new AskedWorld().cluster.api.server!.view("networking.k8s.io", "servicecidrs").list("")
    assert.strictEqual(block.metadata.name, "kubernetes")
    assert.deepStrictEqual(block.spec, { cidrs: [SERVICE_CIDR] })
    const { conditions } = block.status as { conditions: ReadonlyArray<object> }
    assert.deepInclude(conditions[0], { type: "Ready", status: "True" })
  })
})

describe("pages of a list", () => {
  it("go on where the last one ended, until the store has forgotten; then at the newest", () => {
    const world = new AskedWorld()
    for (const name of ["a", "b", "c"]) {
      made(
        world.create("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" } })
      )
    }
    const collection = { resource: gvr("", "v1", "configmaps"), namespace: "default" }
    const page = (token?: string): KubeList | ApiFailure => {
      let answer: KubeList | ApiFailure | undefined
      const { kernel } = world.cluster
      const options = { limit: 1, ...(token === undefined ? {} : { continue: token }) }
      kernel.defer(kernel.process("users"), () => world.client.list(collection, options, (got) => (answer = got)))
      kernel.run({ untilMs: kernel.nowMs + 5000, until: () => answer !== undefined })
      if (answer === undefined) throw new Error("no answer")
      return answer
    }
    const namesOf = (list: KubeList | ApiFailure) =>
      list instanceof ApiFailure ? list.reason : list.items.map(({ metadata }) => metadata.name)
    const first = page() as KubeList
    assert.deepStrictEqual(namesOf(first), ["a"])
    assert.deepStrictEqual(namesOf(page(first.metadata.continue)), ["b"])
    // Two rounds of compaction: the second forgets what was before the first.
    world.cluster.kernel.run({ untilMs: world.cluster.kernel.nowMs + 25_000 })
    const expired = page(first.metadata.continue)
    if (!(expired instanceof ApiFailure)) throw new Error("it was answered")
    assert.strictEqual(expired.code, 410)
    assert.deepStrictEqual(namesOf(page(expired.status.metadata?.["continue"] as string)), ["b"])
  })
})

describe("webhooks", () => {
  it("have conditions that compile", () => {
    const world = new AskedWorld()
    const configuration = (expression: string): KubeObject => ({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "w" },
      webhooks: [
        {
          name: "a.b.c",
          clientConfig: { url: "https://127.0.0.1:1" },
          rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          matchConditions: [{ name: "one", expression }]
        }
      ]
    })
    const create = (expression: string) => world.create("validatingwebhookconfigurations", configuration(expression))
    assert.match(refusal(create("... [] bad expression")), /matchConditions\[0\]\.expression: .*compilation failed/)
    assert.match(refusal(create("nobody.knows")), /compilation failed/)
    made(create("object.metadata.name == 'wanted'"))
  })
})
