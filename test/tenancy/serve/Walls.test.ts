// What one tenant can see and change of another, and of the platform, on a real kube-apiserver: nothing. Ids stand in each other's
// names, every object of others carries a mark, and each question is also asked where the mark must be found.
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { type Asked, startZoo, until, type Zoo } from "./Zoo.ts"

const A = "acme01"
const B = "1acme0"
/** In every object of B, and of the platform; too long for a sealed token to hold it by chance. */
const FOREIGN = /.{0,40}(zqbzqb|zqpzqp).{0,40}/
const json = (value: unknown): string => JSON.stringify(value)

interface Kind {
  readonly path: string
  readonly apiVersion: string
  readonly kind: string
  readonly content: object
  readonly scoped?: "cluster"
}

const container = { name: "c", image: "i" }
const template = { metadata: { labels: { app: "x" } }, spec: { containers: [container] } }
const kinds: ReadonlyArray<Kind> = [
  { path: "/api/v1#configmaps", apiVersion: "v1", kind: "ConfigMap", content: { data: { k: "v" } } },
  { path: "/api/v1#secrets", apiVersion: "v1", kind: "Secret", content: { stringData: { k: "v" } } },
  { path: "/api/v1#services", apiVersion: "v1", kind: "Service", content: { spec: { ports: [{ port: 80 }] } } },
  { path: "/api/v1#pods", apiVersion: "v1", kind: "Pod", content: { spec: { containers: [container] } } },
  { path: "/api/v1#serviceaccounts", apiVersion: "v1", kind: "ServiceAccount", content: {} },
  {
    path: "/apis/apps/v1#deployments",
    apiVersion: "apps/v1",
    kind: "Deployment",
    content: { spec: { selector: { matchLabels: { app: "x" } }, template } }
  },
  {
    path: "/apis/batch/v1#jobs",
    apiVersion: "batch/v1",
    kind: "Job",
    content: { spec: { template: { spec: { containers: [container], restartPolicy: "Never" } } } }
  },
  { path: "/apis/coordination.k8s.io/v1#leases", apiVersion: "coordination.k8s.io/v1", kind: "Lease", content: {} },
  {
    path: "/apis/networking.k8s.io/v1#networkpolicies",
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    content: { spec: { podSelector: {} } }
  },
  {
    path: "/apis/rbac.authorization.k8s.io/v1#roles",
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    content: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }
  },
  { path: "/apis/acme.io/v1#widgets", apiVersion: "acme.io/v1", kind: "Widget", content: { spec: { size: 1 } } },
  {
    path: "/apis/rbac.authorization.k8s.io/v1#clusterroles",
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    content: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }] },
    scoped: "cluster"
  },
  {
    path: "/apis/networking.k8s.io/v1#ingressclasses",
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    content: { spec: { controller: "example.com/c" } },
    scoped: "cluster"
  }
]

const widgets = json({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.acme.io" },
  spec: {
    group: "acme.io",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: { type: "object", properties: { size: { type: "integer" } } } }
          }
        }
      }
    ]
  }
})

const collection = ({ path, scoped }: Kind, namespace?: string): string => {
  const [root = "", resource = ""] = path.split("#")
  return scoped === "cluster" || namespace === undefined
    ? `${root}/${resource}`
    : `${root}/namespaces/${namespace}/${resource}`
}

const object = (kind: Kind, name: string, mark: string): string =>
  json({
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    ...kind.content,
    metadata: { name, labels: { mark }, annotations: { note: `${mark} 1acme0-default acme01x` } }
  })

const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" }
const partial = { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json" }

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("the walls between tenants", (programs) => {
  let zoo: Zoo
  let requests = 0

  const ask = async (...args: Parameters<Zoo["ask"]>): Promise<Asked> => {
    requests++
    return zoo.ask(...args)
  }
  /** The answer as A, which says nothing of anybody else. */
  const seen = async (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Asked> => {
    const answer = await ask(A, method, path, { headers })
    const text = answer.headers + answer.body
    assert.isNull(FOREIGN.exec(text)?.[0] ?? null, `${method} ${path}`)
    assert.notInclude(text, `${A}-`, `${method} ${path} shows the prefix`)
    return answer
  }
  const marked = async (who: string, path: string, mark: string, headers: Record<string, string> = {}) => {
    const { body } =
      who === "upstream" ? await zoo.upstream.call("GET", path, { headers }) : await ask(who, "GET", path, { headers })
    assert.include(body, mark, `the control of ${path} as ${who}`)
  }

  beforeAll(async () => {
    zoo = await startZoo(programs)
    await zoo.tenant(A)
    await zoo.tenant(B)
    for (const tenant of [A, B]) {
      const made = await zoo.ask(tenant, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
        body: widgets
      })
      assert.strictEqual(made.code, 201, made.body)
      const mark = tenant === A ? "own" : "zqbzqb"
      for (const kind of kinds) {
        // Names that a careless reader would take for the other's.
        for (const name of [`${mark}-1acme0-x`, `${mark}-acme01x`]) {
          await until(`${kind.kind} ${name} of ${tenant} is made`, async () => {
            const { body, code } = await zoo.ask(tenant, "POST", collection(kind, "default"), {
              body: object(kind, name, mark)
            })
            if (code !== 201 && code !== 404) throw new Error(`${kind.kind} of ${tenant}: ${code} ${body}`)
            return code === 201
          })
        }
      }
    }
    // The platform's, under names that begin like a tenant's.
    for (const [path, body] of [
      ["/api/v1/namespaces", json({ apiVersion: "v1", kind: "Namespace", metadata: { name: "acme01zqpzqp" } })],
      ["/api/v1/namespaces/acme01zqpzqp/configmaps", object(kinds[0], "zqpzqp", "zqpzqp")],
      ["/apis/rbac.authorization.k8s.io/v1/clusterroles", object(kinds.at(-2)!, "acme01zqpzqp", "zqpzqp")]
    ] as const) {
      const made = await zoo.upstream.call("POST", path, { body, headers: { "content-type": "application/json" } })
      assert.strictEqual(made.code, 201, made.body)
    }
  }, 180_000)
  afterAll(async () => {
    await zoo?.stop()
    assert.isAtLeast(requests, 150)
  })

  it("shows nothing foreign in any list, in any form", async () => {
    for (const kind of kinds) {
      const inNamespace = collection(kind, "default")
      const all = collection(kind)
      for (const path of [inNamespace, all]) {
        for (const headers of [{}, table, partial]) {
          const answer = await seen(path, headers)
          assert.strictEqual(answer.code, 200, `${path}: ${answer.body}`)
          assert.include(answer.body, "own-1acme0-x", path)
          await marked(B, path, "zqbzqb", headers)
        }
      }
      for (const name of ["own-1acme0-x", "own-acme01x"]) {
        const own = await seen(`${inNamespace}/${name}`)
        assert.strictEqual(own.code, 200)
        assert.include(own.body, '"mark":"own"')
      }
    }
  })

  it("does not reach what is another's by any name", async () => {
    for (const kind of kinds) {
      for (const namespace of [`${B}-default`, "1acme0-default", `${A}-${B}-default`, "acme01zqpzqp"]) {
        const answer = await seen(`${collection(kind, namespace)}/zqbzqb-1acme0-x`.replaceAll("zqb", "zqx"))
        assert.strictEqual(answer.code, 404, `${kind.kind} in ${namespace}: ${answer.body}`)
      }
      const foreign = await ask(A, "GET", `${collection(kind, "default")}/zqbzqb-1acme0-x`)
      assert.strictEqual(foreign.code, 404)
      assert.notInclude(foreign.body, '"mark"')
      const stolen = await ask(A, "DELETE", `${collection(kind, "default")}/zqbzqb-1acme0-x`)
      assert.strictEqual(stolen.code, 404)
      await marked(B, `${collection(kind, "default")}/zqbzqb-1acme0-x`, '"mark":"zqbzqb"')
    }
  })

  it("reads a list in pages as it reads it whole, and no token of another's", async () => {
    for (const path of [collection(kinds[0]), collection(kinds[0], "default"), collection(kinds[10])]) {
      const names = (body: string): Array<string> =>
        (JSON.parse(body) as { items: Array<{ metadata: { namespace: string; name: string } }> }).items.map(
          ({ metadata }) => `${metadata.namespace}/${metadata.name}`
        )
      const whole = names((await seen(path)).body)
      const paged: Array<string> = []
      let token = ""
      do {
        const page = await seen(`${path}?limit=1&continue=${encodeURIComponent(token)}`)
        assert.strictEqual(page.code, 200, page.body)
        paged.push(...names(page.body))
        token = (JSON.parse(page.body) as { metadata: { continue?: string } }).metadata.continue ?? ""
      } while (token !== "")
      assert.deepStrictEqual(paged, whole)
      const others = await ask(B, "GET", `${path}?limit=1`)
      const foreign = (JSON.parse(others.body) as { metadata: { continue?: string } }).metadata.continue ?? ""
      assert.notStrictEqual(foreign, "")
      const refused = await seen(`${path}?limit=1&continue=${encodeURIComponent(foreign)}`)
      assert.strictEqual(refused.code, 400)
      const own = await ask(B, "GET", `${path}?limit=1&continue=${encodeURIComponent(foreign)}`)
      assert.strictEqual(own.code, 200)
    }
  })

  it("watches nothing foreign, from the state on and from a version", async () => {
    const state =
      "watch=true&timeoutSeconds=2&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    const paths = kinds.flatMap((kind) => [collection(kind), collection(kind, "default")])
    const answers = await Promise.all(paths.map((path) => seen(`${path}?${state}`)))
    for (const { body, code } of answers) {
      assert.strictEqual(code, 200, body)
      assert.include(body, "own-1acme0-x")
      assert.include(body, "k8s.io/initial-events-end")
    }
    await marked(B, `${collection(kinds[0])}?watch=true&timeoutSeconds=1`, "zqbzqb")
    const { body } = await ask(A, "GET", collection(kinds[0]))
    const version = (JSON.parse(body) as { metadata: { resourceVersion: string } }).metadata.resourceVersion
    const watching = seen(`${collection(kinds[0])}?watch=true&timeoutSeconds=3&resourceVersion=${version}`)
    for (const who of [B, A]) {
      const mark = who === A ? "own" : "zqbzqb"
      const path = collection(kinds[0], "kube-public")
      const made = await ask(who, "POST", path, { body: object(kinds[0], `${mark}-late`, mark) })
      assert.strictEqual(made.code, 201)
    }
    const late = await watching
    assert.include(late.body, "own-late")
    assert.strictEqual(late.body.trim().split("\n").length, 1, late.body)
  })

  it("refuses paths that two readers could read differently", async () => {
    const paths = [
      "/api/v1/namespaces/default/../1acme0-default/configmaps",
      "/api/v1/namespaces/default/%2e%2e/1acme0-default/configmaps",
      "/api/v1/namespaces/default%2f..%2f1acme0-default/configmaps",
      "/api/v1//namespaces/default/configmaps",
      "/api/v1/namespaces//configmaps",
      "/api/v1/watch/namespaces/default/configmaps",
      "/api/v1/watch/configmaps",
      "/api/v1/proxy/namespaces/default/services/x",
      "/api/v1/namespaces/default/namespaces/1acme0-default/configmaps",
      "/api/v1/nodes/n/proxy/",
      "/api/v1/nodes/n/proxy/pods",
      "/apis/1acme0-acme.io/v1/widgets",
      "/apis/tenant.kubezoo.io/v1alpha1/tenants",
      `/apis/tenant.kubezoo.io/v1alpha1/tenants/${B}`,
      "/apis/apiregistration.k8s.io/v1/apiservices",
      "/apis/certificates.k8s.io/v1/certificatesigningrequests",
      "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
      "/apis/storage.k8s.io/v1/volumeattachments",
      "/metrics",
      "/logs/kube-apiserver.log",
      "/debug/pprof/",
      "/configz"
    ]
    for (const path of paths) {
      const { code } = await seen(path)
      assert.oneOf(code, [403, 404, 405], path)
    }
    const other = await ask(A, "POST", `/apis/tenant.kubezoo.io/v1alpha1/tenants/${B}/kubeconfig`)
    assert.strictEqual(other.code, 403)
    const own = await ask(A, "POST", `/apis/tenant.kubezoo.io/v1alpha1/tenants/${A}/kubeconfig`)
    assert.strictEqual(own.code, 201)
  })

  it("lets no field of a request say who somebody is", async () => {
    const path = collection(kinds[0], "default")
    for (const headers of [
      { "impersonate-user": "system:admin" },
      { "impersonate-user": "1acme0-admin", "impersonate-group": "tenant.kubezoo.io:admins:1acme0" },
      { "impersonate-user": "x", "impersonate-extra-tenant": B },
      { "x-remote-user": "system:admin", "x-remote-group": "system:masters" },
      { authorization: `Bearer ${zoo.upstream.token}` }
    ]) {
      const { code } = await seen(path, headers)
      // Whoever is not the administrator may see nothing; the other fields say nothing.
      assert.strictEqual(code, "impersonate-user" in headers ? 403 : 200, json(headers))
    }
    const masters = await seen(path, { "impersonate-user": "root", "impersonate-group": "system:masters" })
    assert.strictEqual(masters.code, 200)
    assert.strictEqual((await seen(path, { "impersonate-group": "system:masters" })).code, 400)
  })

  it("shows a discovery and an OpenAPI of its own", async () => {
    const aggregated = {
      accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    }
    for (const path of ["/api", "/apis"]) {
      for (const headers of [{}, aggregated]) assert.strictEqual((await seen(path, headers)).code, 200)
    }
    for (const path of [
      "/api/v1",
      "/apis/apps/v1",
      "/apis/acme.io",
      "/apis/acme.io/v1",
      "/openapi/v3",
      "/openapi/v2"
    ]) {
      const answer = await seen(path)
      assert.strictEqual(answer.code, 200, path)
      if (path.includes("acme")) assert.include(answer.body, "acme.io/v1")
    }
    const groups = (await seen("/apis", aggregated)).body
    assert.include(groups, '"acme.io"')
    assert.notInclude(groups, "apiregistration")
    assert.include((await zoo.upstream.call("GET", "/apis")).body, `${B}-acme.io`)
    await until(
      "the schema of widgets is published",
      async () => (await seen("/openapi/v3/apis/acme.io/v1")).code === 200
    )
    const explained = await zoo.kubectl(A, ["explain", "widgets.spec"])
    assert.include(explained.out, "size", explained.err)
  })

  it("deletes many of its own and nobody else's", async () => {
    for (const kind of kinds.slice(-2)) {
      const answer = await ask(A, "DELETE", `${collection(kind)}?labelSelector=mark%3Down`)
      assert.strictEqual(answer.code, 200, answer.body)
      assert.notInclude((await seen(collection(kind))).body, "own-1acme0-x")
      await marked(B, collection(kind), "zqbzqb")
    }
    const answer = await ask(A, "DELETE", collection(kinds[0], "default"))
    assert.strictEqual(answer.code, 200, answer.body)
    assert.notInclude((await seen(collection(kinds[0], "default"))).body, "own-1acme0-x")
    await marked(B, collection(kinds[0], "default"), "zqbzqb")
    await marked("upstream", "/api/v1/namespaces/acme01zqpzqp/configmaps", "zqpzqp")
  })

  it("gives service accounts what the tenant grants them, here, and nothing outside their namespaces past us", async () => {
    const token = await ask(A, "POST", "/api/v1/namespaces/default/serviceaccounts/own-acme01x/token", {
      body: json({ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} })
    })
    assert.strictEqual(token.code, 201, token.body)
    const bearer = (JSON.parse(token.body) as { status: { token: string } }).status.token
    const binding = json({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "readers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "pod-readers" },
      subjects: [{ kind: "ServiceAccount", name: "own-acme01x", namespace: "default" }]
    })
    zoo.bearerKubeconfig("bearer")
    const listed = () => ask("bearer", "GET", "/api/v1/pods", { headers: { authorization: `Bearer ${bearer}` } })
    const before = await listed()
    assert.strictEqual(before.code, 403, before.body)
    assert.include(before.body, "system:serviceaccount:default:own-acme01x")
    const roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    const role = object(kinds.at(-2)!, "pod-readers", "own")
    assert.strictEqual((await ask(A, "POST", roles, { body: role })).code, 201)
    const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    const made = await ask(A, "POST", bindings, { body: binding })
    assert.strictEqual(made.code, 201, made.body)
    assert.include(made.body, '"kind":"ServiceAccount"')
    assert.include((await seen(`${bindings}/readers`)).body, '"kind":"ServiceAccount"')
    await until("the account may list pods", async () => (await listed()).code === 200)
    const pods = await listed()
    assert.include(pods.body, "own-1acme0-x")
    assert.notMatch(pods.body, FOREIGN)
    const past = await zoo.upstream.call("GET", "/api/v1/pods", { headers: { authorization: `Bearer ${bearer}` } })
    assert.strictEqual(past.code, 403, past.body)
    const others = await ask(B, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      body: json({ apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: bearer } })
    })
    assert.include(others.body, '"authenticated":false', "another tenant's token is none")
    const own = await ask(A, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      body: json({ apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: bearer } })
    })
    assert.include(own.body, "system:serviceaccount:default:own-acme01x", own.body)
  })

  it("keeps pods from their nodes", async () => {
    const pod = (spec: object): string =>
      json({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { generateName: "p-" },
        spec: { containers: [container], ...spec }
      })
    const good = await ask(A, "POST", "/api/v1/namespaces/default/pods", { body: pod({}) })
    assert.strictEqual(good.code, 201, good.body)
    for (const spec of [
      { hostNetwork: true },
      { hostPID: true },
      { volumes: [{ name: "h", hostPath: { path: "/" } }] },
      { containers: [{ ...container, securityContext: { privileged: true } }] },
      { containers: [{ ...container, securityContext: { capabilities: { add: ["SYS_ADMIN"] } } }] },
      { containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 80 }] }] },
      { containers: [{ ...container, livenessProbe: { tcpSocket: { host: "10.0.0.1", port: 443 } } }] },
      { containers: [{ ...container, lifecycle: { preStop: { httpGet: { host: "10.0.0.1", port: 443 } } } }] },
      { containers: [{ ...container, securityContext: { seLinuxOptions: { type: "spc_t" } } }] },
      { securityContext: { seLinuxOptions: { user: "system_u" } } },
      { nodeName: "n" },
      { priorityClassName: "system-node-critical" }
    ]) {
      const answer = await ask(A, "POST", "/api/v1/namespaces/default/pods", { body: pod(spec) })
      assert.oneOf(answer.code, [403, 422], `${json(spec)}: ${answer.body}`)
      assert.notInclude(answer.body, `${A}-`)
    }
  })
})
