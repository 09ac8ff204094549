// Tenants from their making to their end, on a real kube-apiserver with the real controllers that count quotas and empty namespaces.
import { afterAll, assert, beforeAll, it } from "vitest"
import { Effect, Exit, Scope } from "effect"
import { describeWith } from "../../Judges.ts"
import { withRealControllers } from "../../sim/controllers/RealControlPlane.ts"
import { startZoo, until, type Zoo } from "./Zoo.ts"

const json = (value: unknown): string => JSON.stringify(value)
const type = { "content-type": "application/json" }
const merge = { "content-type": "application/merge-patch+json" }
const tenants = "/apis/tenant.kubezoo.io/v1alpha1/tenants"

const pod = (name: string): string =>
  json({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { automountServiceAccountToken: false, containers: [{ name: "c", image: "i" }] }
  })

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl",
  "kube-controller-manager"
)("a tenant's life", (programs) => {
  let zoo: Zoo
  const scope = Scope.makeUnsafe()
  beforeAll(async () => {
    zoo = await startZoo(programs)
    const controllers = ["namespace-controller", "resourcequota-controller", "clusterrole-aggregation-controller"]
    const plane = { kubeconfig: zoo.kubeconfig("upstream") }
    await Effect.runPromise(
      withRealControllers(plane, programs["kube-controller-manager"], controllers).pipe(Scope.provide(scope))
    )
  }, 120_000)
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await zoo?.stop()
  })

  const admin = (method: string, path: string, body?: string, headers: Record<string, string> = type) =>
    zoo.upstream.call(method, path, body === undefined ? {} : { body, headers })

  it("refuses an id under whose prefix something stands already", async () => {
    const name = "taken1-role"
    const role = json({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name },
      rules: []
    })
    assert.strictEqual((await admin("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)).code, 201)
    for (const id of ["taken1", "system"]) {
      const manifest = json({ apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: id } })
      const made = await zoo.kubectl("operator", ["create", "--validate=false", "-f", "-"], manifest)
      assert.strictEqual(made.code, 0, made.err)
      await until(`${id} is rejected`, async () =>
        (await admin("GET", `${tenants}/${id}`)).body.includes('"phase":"Rejected"')
      )
      assert.strictEqual((await admin("GET", `/api/v1/namespaces/${id}-default`)).code, 404)
      assert.strictEqual((await admin("DELETE", `${tenants}/${id}`)).code, 200)
    }
    assert.strictEqual((await admin("GET", `/apis/rbac.authorization.k8s.io/v1/clusterroles/${name}`)).code, 200)
    const bad = json({ apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: "long-name" } })
    const refused = await zoo.kubectl("operator", ["create", "--validate=false", "-f", "-"], bad)
    assert.include(refused.err, "a tenant id has exactly 6 characters")
  })

  it("is suspended and comes back", async () => {
    await zoo.tenant("paused")
    const set = (access: string) => admin("PATCH", `${tenants}/paused`, json({ spec: { access } }), merge)
    const create = (name: string) =>
      zoo.ask("paused", "POST", "/api/v1/namespaces/default/configmaps", {
        body: json({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } })
      })
    const read = () => zoo.ask("paused", "GET", "/api/v1/namespaces/default/configmaps")
    assert.strictEqual((await create("before")).code, 201)
    await set("ReadOnly")
    await until("writes are refused", async () => (await create("never")).code === 403)
    assert.strictEqual((await read()).code, 200)
    const watching = zoo.ask("paused", "GET", "/api/v1/configmaps?watch=true&timeoutSeconds=50").then(
      () => "ended",
      () => "broken off"
    )
    await until("the watch is open", async () => zoo.running.tenancy.stats().upstreamWatches > 0)
    await set("Frozen")
    assert.strictEqual(await watching, "broken off")
    await until("reads are refused", async () => (await read()).code === 403)
    await set("ReadWrite")
    await until("writes are let through", async () => [201, 409].includes((await create("after")).code))
  })

  it("keeps a quota over all its namespaces, whoever creates at once", async () => {
    await zoo.tenant("quotas", json({ quota: { hard: { pods: "7" } } }))
    const namespaces = ["default", "kube-public", "one", "two"]
    for (const name of ["one", "two"]) {
      const made = await zoo.ask("quotas", "POST", "/api/v1/namespaces", {
        body: json({ apiVersion: "v1", kind: "Namespace", metadata: { name } })
      })
      assert.strictEqual(made.code, 201, made.body)
    }
    const create = (namespace: string, name: string) =>
      zoo.ask("quotas", "POST", `/api/v1/namespaces/${namespace}/pods`, { body: pod(name) })
    const first = await Promise.all(Array.from({ length: 16 }, (_, at) => create(namespaces[at % 4], `p-${at}`)))
    const made = first.filter(({ code }) => code === 201).length
    assert.isAtMost(made, 7)
    // What is left is found, wherever it lies.
    let more = 0
    await until("all seven are made", async () => {
      const answer = await create("two", `q-${more++}`)
      assert.oneOf(answer.code, [201, 403], answer.body)
      return (JSON.parse((await zoo.ask("quotas", "GET", "/api/v1/pods")).body) as { items: [] }).items.length >= 7
    })
    const last = await create("one", "too-many")
    assert.strictEqual(last.code, 403)
    assert.notInclude(last.body, "quotas-")
    const quotas = await zoo.ask("quotas", "GET", "/api/v1/resourcequotas")
    assert.strictEqual((JSON.parse(quotas.body) as { items: [] }).items.length, 0, quotas.body)
    const own = await zoo.ask("quotas", "DELETE", "/api/v1/namespaces/one/resourcequotas/tenant.kubezoo.io.quota")
    assert.strictEqual(own.code, 403)
    const upstream = await admin("GET", "/api/v1/resourcequotas?labelSelector=kubezoo.io%2Ftenant%3Dquotas")
    const hard = (JSON.parse(upstream.body) as { items: Array<{ spec: { hard: { pods: string } } }> }).items.map(
      ({ spec }) => Number(spec.hard.pods)
    )
    assert.isAtLeast(hard.length, 4)
    assert.isAtMost(
      hard.reduce((all, each) => all + each, 0),
      7
    )
  })

  it("ends whole, and nothing else with it", async () => {
    await zoo.tenant("ending")
    await zoo.tenant("endin2")
    const definition = (group: string) =>
      json({
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: `planets.${group}` },
        spec: {
          group,
          scope: "Cluster",
          names: { plural: "planets", singular: "planet", kind: "Planet", listKind: "PlanetList" },
          versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }]
        }
      })
    const planet = json({ apiVersion: "acme.io/v1", kind: "Planet", metadata: { name: "earth" } })
    for (const id of ["ending", "endin2"]) {
      const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
      assert.strictEqual((await zoo.ask(id, "POST", crds, { body: definition("acme.io") })).code, 201)
      await until("planets are served", async () => {
        const answer = await zoo.ask(id, "POST", "/apis/acme.io/v1/planets", { body: planet })
        if (answer.code === 403) throw new Error(answer.body)
        return answer.code === 201
      })
      const made = await zoo.ask(id, "POST", "/api/v1/namespaces/default/pods", { body: pod("p") })
      assert.strictEqual(made.code, 201, made.body)
    }
    // Others' things under names that begin like the tenant's: made after it, so that only the label tells.
    const roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    const other = (name: string) =>
      json({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name }, rules: [] })
    for (const name of ["ending-platforms", "endingx"])
      assert.strictEqual((await admin("POST", roles, other(name))).code, 201)
    const deleted = await zoo.kubectl("operator", ["delete", "tenant", "ending", "--wait=false"])
    assert.strictEqual(deleted.code, 0, deleted.err)
    await until("the tenant is gone", async () => (await admin("GET", `${tenants}/ending`)).code === 404)
    const paths = [
      "/api/v1/namespaces",
      roles,
      "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    ]
    for (const path of paths) {
      const { body } = await admin("GET", path)
      const names = (JSON.parse(body) as { items: Array<{ metadata: { name: string } }> }).items.map(
        ({ metadata }) => metadata.name
      )
      assert.deepStrictEqual(
        names.filter((name) => /(^|\.|:)ending(-|$)/.test(name)),
        path === roles ? ["ending-platforms"] : [],
        path
      )
      if (path === roles) assert.include(names, "endingx")
    }
    assert.strictEqual((await zoo.ask("endin2", "GET", "/apis/acme.io/v1/planets/earth")).code, 200)
    assert.strictEqual((await zoo.ask("endin2", "GET", "/api/v1/namespaces/default/pods/p")).code, 200)
    assert.strictEqual(
      (await zoo.ask("ending", "GET", "/api/v1/namespaces")).code,
      401,
      "its certificate is good no more"
    )
  })
})
