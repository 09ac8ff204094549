import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:https"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ApiFailure, type KubeObject } from "#kube"
import { httpsWebhookCaller } from "../../../core/apiserver/admission/WebhookCallAdapter.ts"
import type { WebhookAnswer, WebhookCaller, WebhookTarget } from "../../../core/apiserver/admission/WebhookCaller.ts"
import { makeAuthority } from "../../net/Certificates.ts"
import { AdmittedWorld, namespace, thing } from "./AdmittedWorld.ts"

interface Asked {
  readonly uid: string
  readonly operation: string
  readonly object: KubeObject | null
  readonly resource: { readonly version: string; readonly resource: string }
  readonly [field: string]: unknown
}
type Answering = (asked: Asked, target: WebhookTarget) => object | WebhookAnswer

const patch = (...operations: ReadonlyArray<object>): object => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64")
})
const label = (key: string, value: string): object => ({ op: "add", path: `/metadata/labels/${key}`, value })

/** A world whose webhooks answer in process, and what they were asked. */
const world = (answering: Answering) => {
  const asked: Array<Asked & { readonly url: string }> = []
  const caller: WebhookCaller = {
    post: (target, body, _timeout, done) => {
      const { request } = JSON.parse(body)
      asked.push({ ...request, url: target.url })
      const answer = answering(request, target)
      if ("unreachable" in answer || ("status" in answer && typeof answer.status === "number")) return done(answer)
      const review = {
        kind: "AdmissionReview",
        apiVersion: "admission.k8s.io/v1",
        response: { uid: request.uid, ...answer }
      }
      done({ status: 200, body: JSON.stringify(review) })
    }
  }
  const made = new AdmittedWorld({ webhooks: { caller } })
  return { world: made, asked }
}

const hook = (name: string, more: object = {}): object => ({
  name,
  clientConfig: { url: `https://hooks.example/${name}` },
  rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
  failurePolicy: "Fail",
  matchPolicy: "Equivalent",
  timeoutSeconds: 10,
  reinvocationPolicy: "Never",
  ...more
})
const configure = (
  made: AdmittedWorld,
  kind: "Mutating" | "Validating",
  name: string,
  ...webhooks: ReadonlyArray<object>
): void =>
  void made.make(
    `${kind.toLowerCase()}webhookconfigurations`,
    thing("admissionregistration.k8s.io/v1", `${kind}WebhookConfiguration`, name, { webhooks })
  )
const map = (name: string, labels: Record<string, string> = {}, ns = "default"): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: ns, labels: { own: "yes", ...labels } }
})

describe("mutating webhooks", () => {
  it("are asked in order, each what the one before made of it", () => {
    const { asked, world: made } = world(({ object }, { path }) =>
      patch(
        label(path.startsWith("/a") ? "first" : "second", String(Object.keys(object?.metadata.labels ?? {}).length))
      )
    )
    configure(made, "Mutating", "b", hook("b.example.com"))
    configure(made, "Mutating", "a", hook("a.example.com"))
    const stored = made.make("configmaps", map("m"))
    assert.deepStrictEqual(stored.metadata.labels, { own: "yes", first: "1", second: "2" })
    assert.deepStrictEqual(
      asked.map(({ url }) => url),
      ["https://hooks.example/a.example.com?timeout=10s", "https://hooks.example/b.example.com?timeout=10s"]
    )
    const [first] = asked
    assert.deepInclude(first as object, {
      operation: "CREATE",
      name: "m",
      namespace: "default",
      dryRun: false,
      kind: { group: "", version: "v1", kind: "ConfigMap" },
      resource: { group: "", version: "v1", resource: "configmaps" },
      oldObject: null,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" }
    })
    assert.deepStrictEqual(first?.["userInfo"], { username: "admin", groups: ["system:masters"] })
  })

  it("are asked once more when the object changed after them and they want to know", () => {
    const { asked, world: made } = world((_asked, { path }) =>
      path.startsWith("/b") ? patch(label("late", "yes")) : { allowed: true }
    )
    configure(
      made,
      "Mutating",
      "hooks",
      hook("a.example.com", { reinvocationPolicy: "IfNeeded" }),
      hook("b.example.com"),
      hook("c.example.com", { reinvocationPolicy: "IfNeeded" })
    )
    made.make("configmaps", map("m"))
    assert.deepStrictEqual(
      asked.map(({ url }) => url.slice(22, 23)),
      ["a", "b", "c", "a"]
    )
  })

  it("match by rules, selectors and scope, and never stop their own configurations", () => {
    const { asked, world: made } = world(() => ({ allowed: true }))
    const all = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] }
    made.make("namespaces", namespace("marked", { hooks: "on" }))
    configure(
      made,
      "Mutating",
      "hooks",
      hook("n.example.com", { namespaceSelector: { matchLabels: { hooks: "on" } } }),
      hook("o.example.com", { objectSelector: { matchExpressions: [{ key: "big", operator: "Exists" }] } }),
      hook("s.example.com", { rules: [{ ...all, scope: "Cluster" }] }),
      hook("u.example.com", { rules: [{ ...all, operations: ["DELETE"], resources: ["configmaps"] }] })
    )
    const heard = (act: () => unknown): string => {
      asked.length = 0
      act()
      return asked.map(({ url }) => url.slice(22, 23)).join("")
    }
    assert.strictEqual(
      heard(() => made.make("configmaps", map("a"))),
      ""
    )
    assert.strictEqual(
      heard(() => made.make("configmaps", map("a", {}, "marked"))),
      "n"
    )
    assert.strictEqual(
      heard(() => made.make("configmaps", map("b", { big: "1" }))),
      "o"
    )
    assert.strictEqual(
      heard(() => made.make("nodes", thing("v1", "Node", "n"))),
      "s"
    )
    assert.strictEqual(
      heard(() => made.remove("configmaps", "default", "a")),
      "u"
    )
    assert.strictEqual(
      heard(() => configure(made, "Mutating", "more", hook("m.example.com"))),
      ""
    )
  })

  it("fail closed or open as they say, with the reason", () => {
    const { world: made } = world(() => ({ unreachable: "connection refused" }))
    configure(made, "Mutating", "open", hook("open.example.com", { failurePolicy: "Ignore" }))
    assert.strictEqual(made.refused("configmaps", map("a")), "let in")
    configure(made, "Mutating", "closed", hook("closed.example.com"))
    assert.strictEqual(
      made.refused("configmaps", map("b")),
      'Internal error occurred: failed calling webhook "closed.example.com": failed to call webhook: Post "https://hooks.example/closed.example.com?timeout=10s": connection refused'
    )
  })

  it("are not called in a dry run unless they have no side effects then", () => {
    const { asked, world: made } = world(() => ({ allowed: true }))
    configure(made, "Mutating", "hooks", hook("some.example.com", { sideEffects: "Some" }))
    const refused = made.attempt("configmaps", map("a"), undefined, true)
    assert(refused instanceof ApiFailure)
    assert.strictEqual(refused.message, 'admission webhook "some.example.com" does not support dry run')
    assert.lengthOf(asked, 0)
  })
})

describe("validating webhooks", () => {
  it("refuse with their own code and words, and warn", () => {
    const { world: made } = world(({ object }) =>
      object?.metadata.name === "bad"
        ? {
            allowed: false,
            status: { code: 403, reason: "Forbidden", message: "no bad names" },
            warnings: ["last one"]
          }
        : object?.metadata.name === "mute"
          ? { allowed: false }
          : { allowed: true, warnings: ["be careful"] }
    )
    configure(made, "Validating", "hooks", hook("v.example.com"))
    const bad = made.attempt("configmaps", map("bad"))
    assert(bad instanceof ApiFailure)
    assert.strictEqual(bad.message, 'admission webhook "v.example.com" denied the request: no bad names')
    assert.deepStrictEqual([bad.code, bad.reason], [403, "Forbidden"])
    assert.strictEqual(
      made.refused("configmaps", map("mute")),
      'admission webhook "v.example.com" denied the request without explanation'
    )
    made.make("configmaps", map("good"))
    assert.deepStrictEqual(made.warnings, ["be careful"])
  })

  it("may answer only reviews of the request that they were asked about, and change nothing", () => {
    const said: { answer: object } = { answer: {} }
    const { world: made } = world(() => said.answer)
    configure(made, "Validating", "hooks", hook("v.example.com"))
    const why = (answer: object): string => {
      said.answer = answer
      return made.refused("configmaps", map("m"))
    }
    assert.match(why({ uid: "another", allowed: true }), /expected response\.uid="[-0-9a-f]{36}", got "another"$/)
    assert.match(why(patch(label("a", "b"))), /may not return response\.patch$/)
    assert.match(why({ status: 500, body: "" }), /the server answered with status 500$/)
    assert.match(why({ status: 200, body: "no JSON" }), /the body is no JSON object$/)
    assert.match(why({ status: 200, body: '{"kind":"Pod","apiVersion":"v1"}' }), /got v1, Kind=Pod$/)
  })

  it("of a service are found by its endpoints", () => {
    const targets: Array<WebhookTarget> = []
    const caller: WebhookCaller = {
      post: (target, _body, _ms, done) => (targets.push(target), done({ unreachable: "seen" }))
    }
    const other = new AdmittedWorld({ webhooks: { caller } })
    other.make(
      "services",
      thing("v1", "Service", "hooks", { spec: { ports: [{ name: "h", port: 8443, targetPort: 9443 }] } }, "default")
    )
    const slice = {
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.1.1.1"], conditions: { ready: true } }],
      ports: [{ name: "h", port: 9443 }]
    }
    const made2 = thing("discovery.k8s.io/v1", "EndpointSlice", "hooks-1", slice, "default")
    other.make("endpointslices", {
      ...made2,
      metadata: { ...made2.metadata, labels: { "kubernetes.io/service-name": "hooks" } }
    })
    const service = { namespace: "default", name: "hooks", port: 8443, path: "/check" }
    configure(
      other,
      "Validating",
      "hooks",
      hook("v.example.com", { clientConfig: { service, caBundle: Buffer.from("a CA").toString("base64") } })
    )
    other.refused("configmaps", map("m"))
    assert.deepStrictEqual(targets, [
      {
        host: "10.1.1.1",
        port: 9443,
        path: "/check?timeout=10s",
        serverName: "hooks.default.svc",
        caBundle: "a CA",
        url: "https://hooks.default.svc:8443/check?timeout=10s"
      }
    ])
  })
})

describe("over HTTPS", () => {
  const authority = makeAuthority()
  let server: Server
  let port = 0
  let delayMs = 0
  const heard: Array<string> = []
  beforeAll(async () => {
    const { certFile, keyFile } = authority.sign("hook", "hook")
    server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        heard.push(Buffer.concat(chunks).toString())
        setTimeout(() => response.end('{"answer":true}'), delayMs)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    port = typeof address === "object" && address !== null ? address.port : 0
  })
  afterAll(() => void server.close())

  it("trusts the bundle's authority alone and gives up in time", async () => {
    const caller = httpsWebhookCaller()
    const target = { host: "127.0.0.1", port, path: "/?timeout=1s", serverName: "localhost", url: "https://localhost/" }
    const post = (more: object, timeoutMs = 5000): Promise<WebhookAnswer> =>
      new Promise((resolve) => caller.post({ ...target, ...more }, '{"asked":1}', timeoutMs, resolve))
    const caBundle = readFileSync(authority.caFile, "utf8")
    assert.deepStrictEqual(await post({ caBundle }), { status: 200, body: '{"answer":true}' })
    assert.deepStrictEqual(heard, ['{"asked":1}'])
    assert.property(await post({}), "unreachable")
    assert.property(await post({ caBundle: readFileSync(makeAuthority().caFile, "utf8") }), "unreachable")
    assert.property(await post({ caBundle, serverName: "elsewhere.svc" }), "unreachable")
    delayMs = 2000
    assert.deepStrictEqual(await post({ caBundle }, 50), { unreachable: "context deadline exceeded" })
    caller.close()
  })
})
