// Two tenants of one real kube-apiserver, each with kubectl, whose ids stand in the other's names.
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { watchBoth } from "./WatchedBoth.ts"
import { startZoo, until, type Zoo } from "./Zoo.ts"

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("kubectl as a tenant", (programs) => {
  let zoo: Zoo
  beforeAll(async () => {
    zoo = await startZoo(programs)
    await zoo.tenant("acme01")
    await zoo.tenant("1acme0")
  }, 120_000)
  afterAll(() => zoo?.stop())

  it("sees a whole cluster of its own", async () => {
    const seen = await zoo.kubectl("acme01", ["get", "namespaces", "-o", "name"])
    assert.strictEqual(seen.err, "")
    assert.deepStrictEqual(seen.out.trim().split("\n"), [
      "namespace/default",
      "namespace/kube-node-lease",
      "namespace/kube-public",
      "namespace/kube-system"
    ])
  })

  it("applies, reads and deletes what the other does not see", async () => {
    const manifest = JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "x-1acme0-y", namespace: "default" },
      data: { key: "acme01-value" }
    })
    const applied = await zoo.kubectl("acme01", ["apply", "-f", "-"], manifest)
    assert.strictEqual(applied.out, "configmap/x-1acme0-y created\n", applied.err)
    const again = await zoo.kubectl("acme01", ["apply", "-f", "-"], manifest)
    assert.strictEqual(again.out, "configmap/x-1acme0-y unchanged\n", again.err)
    const own = await zoo.kubectl("acme01", ["get", "configmaps", "-A", "-o", "name"])
    assert.include(own.out, "configmap/x-1acme0-y", own.err)
    const other = await zoo.kubectl("1acme0", ["get", "configmaps", "-A", "-o", "name"])
    assert.notInclude(other.out, "x-1acme0-y")
    const table = await zoo.kubectl("acme01", ["get", "configmaps", "-A"])
    assert.match(table.out, /^NAMESPACE +NAME +DATA +AGE\n[\s\S]*default +x-1acme0-y +1 /)
    const deleted = await zoo.kubectl("acme01", ["delete", "configmap", "x-1acme0-y"])
    assert.strictEqual(deleted.code, 0, deleted.err)
    const gone = await zoo.kubectl("acme01", ["get", "configmap", "x-1acme0-y"])
    assert.strictEqual(gone.err, 'Error from server (NotFound): configmaps "x-1acme0-y" not found\n')
  })

  it("makes a namespace and works in it at once", async () => {
    const made = await zoo.kubectl("acme01", ["create", "namespace", "shop"])
    assert.strictEqual(made.code, 0, made.err)
    const secret = await zoo.kubectl("acme01", ["-n", "shop", "create", "secret", "generic", "s", "--from-literal=a=b"])
    assert.strictEqual(secret.code, 0, secret.err)
    assert.include((await zoo.kubectl("acme01", ["get", "secrets", "-A"])).out, "shop")
    assert.notInclude((await zoo.kubectl("1acme0", ["get", "secrets", "-A"])).out, "shop")
  })

  it("finds the Service of its API server, with the addresses behind", async () => {
    const service = await zoo.kubectl("acme01", [
      "get",
      "service",
      "kubernetes",
      "-o",
      "jsonpath={.spec.ports[0].name}"
    ])
    assert.strictEqual(service.out, "https", service.err)
    const metadata = { name: "kubernetes", namespace: "default" }
    const ports = [{ name: "https", port: 6443, protocol: "TCP" }]
    const addresses = [
      { apiVersion: "v1", kind: "Endpoints", metadata, subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports }] },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kubernetes" } },
        addressType: "IPv4",
        endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true } }],
        ports
      }
    ]
    for (const each of addresses) {
      const made = await zoo.kubectl("upstream", ["create", "-f", "-"], JSON.stringify(each))
      assert.strictEqual(made.code, 0, made.err)
    }
    await until("the tenant has the addresses", async () => {
      const read = await zoo.kubectl("acme01", ["get", "endpointslice", "kubernetes", "-o", "name"])
      return read.code === 0
    })
    for (const kind of ["endpoints", "endpointslice"]) {
      const read = async (who: string, namespace: string): Promise<{ readonly metadata: object }> => {
        const ran = await zoo.kubectl(who, ["-n", namespace, "get", kind, "kubernetes", "-o", "json"])
        assert.strictEqual(ran.code, 0, ran.err)
        return { ...(JSON.parse(ran.out) as { readonly metadata: object }), metadata: {} }
      }
      assert.deepStrictEqual(await read("acme01", "default"), await read("upstream", "default"))
    }
  })

  it("asks for others, pages, and deletes collections", async () => {
    const may = await zoo.kubectl("acme01", ["auth", "can-i", "list", "pods", "--as=jane"])
    assert.strictEqual(may.out.trim(), "no", may.err)
    const paged = await zoo.ask("acme01", "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles?limit=1")
    const { items, metadata } = JSON.parse(paged.body) as { items: Array<object>; metadata: { continue?: string } }
    assert.lengthOf(items, 1, paged.body)
    assert.isString(metadata.continue)
    const quota = await zoo.kubectl("acme01", ["create", "quota", "q", "--hard=pods=9"])
    assert.strictEqual(quota.code, 0, quota.err)
    const gone = await zoo.ask("acme01", "DELETE", "/api/v1/namespaces/default/resourcequotas")
    assert.strictEqual(gone.code, 200, gone.body)
    const review = await zoo.ask("acme01", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
      body: JSON.stringify({
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: { user: "jane", groups: ["some"], resourceAttributes: { verb: "list", resource: "pods" } }
      })
    })
    assert.strictEqual(review.code, 201, review.body)
    assert.strictEqual(
      (await zoo.ask("acme01", "GET", "/version")).body,
      (await zoo.upstream.call("GET", "/version")).body
    )
  })

  it("watches as it would directly", () => watchBoth(zoo), 90_000)

  it("watches all its namespaces", async () => {
    const watching = zoo.kubectl("1acme0", [
      "get",
      "configmaps",
      "-A",
      "--watch-only",
      "-o",
      "name",
      "--request-timeout=6s"
    ])
    let count = 0
    await until("the watch sees something", async () => {
      await zoo.kubectl("1acme0", ["create", "configmap", `seen-${count++}`])
      await zoo.kubectl("acme01", ["create", "configmap", `foreign-${count}`])
      return count > 5
    })
    const { out } = await watching
    assert.include(out, "configmap/seen-")
    assert.notInclude(out, "foreign")
  })
})
