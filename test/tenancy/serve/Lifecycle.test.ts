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

const pod = (name: string, cpu?: string): string =>
  json({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: "c", image: "i", ...(cpu === undefined ? {} : { resources: { requests: { cpu } } }) }]
    }
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

  it("gives a namespace what it asks for, though it is more than its share", async () => {
    await zoo.tenant("whole1", json({ quota: { hard: { "requests.cpu": "8" } } }))
    const create = (namespace: string, name: string, cpu: string) =>
      zoo.ask("whole1", "POST", `/api/v1/namespaces/${namespace}/pods`, { body: pod(name, cpu) })
    const large = await create("default", "large", "5")
    assert.strictEqual(large.code, 201, large.body)
    const tooLarge = await create("kube-public", "too-large", "3500m")
    assert.strictEqual(tooLarge.code, 403, tooLarge.body)
    assert.include(tooLarge.body, "exceeded quota")
    const rest = await create("kube-public", "rest", "3")
    assert.strictEqual(rest.code, 201, rest.body)
  })

  it("stays within what its operator set: objects outside namespaces, and domains of ingresses", async () => {
    const definitions = "customresourcedefinitions.apiextensions.k8s.io"
    const classes = "ingressclasses.networking.k8s.io"
    const maxObjects = { [classes]: 2, [definitions]: 0 }
    await zoo.tenant("within", json({ maxObjects, maxNamespaces: 6, ingressDomains: ["a.example", "b.example"] }))
    const path = "/apis/networking.k8s.io/v1/ingressclasses"
    const ingressClass = (name: string): string =>
      json({
        apiVersion: "networking.k8s.io/v1",
        kind: "IngressClass",
        metadata: { name },
        spec: { controller: "example.com/c" }
      })
    const made = await Promise.all(
      ["one", "two", "three", "four"].map((name) => zoo.ask("within", "POST", path, { body: ingressClass(name) }))
    )
    assert.deepStrictEqual(
      made.map(({ code }) => code).toSorted((a, b) => a - b),
      [201, 201, 403, 403]
    )
    assert.include(made.map(({ body }) => body).join(), `this cluster may have 2 ${classes}`)
    const kept = ["one", "two", "three", "four"].find((_, at) => made[at]?.code === 201) ?? ""
    const apply = (name: string) =>
      zoo.ask("within", "PATCH", `${path}/${name}?fieldManager=x&force=true`, {
        body: ingressClass(name),
        headers: { "content-type": "application/apply-patch+yaml" }
      })
    assert.strictEqual((await apply("another")).code, 403, "applying creates")
    assert.strictEqual((await apply(kept)).code, 200, "what is there may be applied again")
    assert.strictEqual((await zoo.ask("within", "DELETE", `${path}/${kept}`)).code, 200)
    assert.strictEqual((await zoo.ask("within", "POST", path, { body: ingressClass("five") })).code, 201)

    // Beside the four that every cluster has.
    const namespace = (name: string) => json({ apiVersion: "v1", kind: "Namespace", metadata: { name } })
    const applied = (name: string) =>
      zoo.ask("within", "PATCH", `/api/v1/namespaces/${name}?fieldManager=x`, {
        body: namespace(name),
        headers: { "content-type": "application/apply-patch+yaml" }
      })
    const first = await applied("applied")
    assert.strictEqual(first.code, 201, first.body)
    const others = await Promise.all(
      Array.from({ length: 3 }, () => zoo.ask("within", "POST", "/api/v1/namespaces", { body: namespace("web") }))
    )
    const codes = others.map(({ code }) => code).toSorted((a, b) => a - b)
    assert.deepStrictEqual(codes, [201, 403, 403])
    const web = others.find(({ code }) => code === 201)
    assert.notInclude(web?.body ?? "", "kubezoo.io")
    assert.include(others.map(({ body }) => body).join(), "this cluster may have 6 namespaces")
    assert.strictEqual((await applied("another")).code, 403, "applying creates")
    assert.strictEqual((await applied("web")).code, 200, "what is there may be applied again")
    const ingress = (name: string, spec: object) =>
      zoo.ask("within", "POST", "/apis/networking.k8s.io/v1/namespaces/web/ingresses", {
        body: json({ apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name }, spec })
      })
    const backend = { service: { name: "s", port: { number: 80 } } }
    const rule = (host?: string) => ({
      ...(host === undefined ? {} : { host }),
      http: { paths: [{ path: "/", pathType: "Prefix", backend }] }
    })
    await until(
      "the policy holds",
      async () => (await ingress("early", { rules: [rule("evil.example")] })).code === 403
    )
    for (const spec of [
      { rules: [rule()] },
      { rules: [rule("a.example"), rule("nota.example")] },
      { rules: [rule("*.example")] },
      { rules: [rule("a.example")], tls: [{ hosts: ["c.example"], secretName: "s" }] },
      { defaultBackend: backend }
    ]) {
      const answer = await ingress("bad", spec)
      assert.strictEqual(answer.code, 403, `${json(spec)}: ${answer.body}`)
    }
    const good = { rules: [rule("a.example"), rule("*.b.example")], tls: [{ hosts: ["x.a.example"], secretName: "s" }] }
    const answer = await ingress("good", good)
    assert.strictEqual(answer.code, 201, answer.body)
    const free = json({ spec: { ingressDomains: null } })
    assert.strictEqual((await admin("PATCH", `${tenants}/within`, free, merge)).code, 200)
    await until(
      "any domain is allowed",
      async () => (await ingress("any", { rules: [rule("c.example")] })).code === 201
    )
  })

  it("does not reach past its namespaces by what Kubernetes lets their owners say", async () => {
    await zoo.tenant("inside", json({ loadBalancerRanges: ["198.51.100.0/28", "2001:db8::/64"] }))
    const service = (name: string): string =>
      json({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name },
        spec: { type: "LoadBalancer", ports: [{ port: 80 }] }
      })
    const services = "/api/v1/namespaces/default/services"
    assert.strictEqual((await zoo.ask("inside", "POST", services, { body: service("s") })).code, 201)
    const patch = (path: string, body: object) => zoo.ask("inside", "PATCH", path, { body: json(body), headers: merge })
    const address = { status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } } }
    const condition = {
      type: "Seen",
      status: "True",
      reason: "R",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z"
    }
    assert.strictEqual((await patch(`${services}/s/status`, address)).code, 403)
    assert.strictEqual((await patch(`${services}/s/status`, { status: { conditions: [condition] } })).code, 200)
    const own = (entry: object) => patch(`${services}/s/status`, { status: { loadBalancer: { ingress: [entry] } } })
    assert.strictEqual((await own({ ip: "198.51.100.16" })).code, 403)
    assert.strictEqual((await own({ ip: "198.51.100.15", hostname: "b.example" })).code, 403)
    const given = await own({ ip: "198.51.100.15" })
    assert.strictEqual(given.code, 200, given.body)
    assert.strictEqual((await own({ ip: "2001:db8::7" })).code, 200)
    const lent = await admin("PATCH", "/api/v1/namespaces/inside-default/services/s/status", json(address), merge)
    assert.strictEqual(lent.code, 200, lent.body)
    const kept = await patch(`${services}/s/status`, { status: { conditions: [] } })
    assert.strictEqual(kept.code, 200, kept.body)

    const claim = (name: string, exactly: object): string => {
      const requests = [{ name: "r", exactly: { deviceClassName: "c", ...exactly } }]
      return json({
        apiVersion: "resource.k8s.io/v1",
        kind: "ResourceClaim",
        metadata: { name },
        spec: { devices: { requests } }
      })
    }
    const claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
    const labelled = { metadata: { labels: { "resource.kubernetes.io/admin-access": "true" } } }
    assert.strictEqual((await patch("/api/v1/namespaces/default", labelled)).code, 200)
    assert.strictEqual((await zoo.ask("inside", "POST", claims, { body: claim("c", {}) })).code, 201)
    const asAdmin = await zoo.ask("inside", "POST", claims, { body: claim("d", { adminAccess: true }) })
    assert.oneOf(asAdmin.code, [403, 422], asAdmin.body)
    const result = { request: "r", driver: "d.example", pool: "p", device: "gpu-0" }
    const taken = await patch(`${claims}/c/status`, { status: { allocation: { devices: { results: [result] } } } })
    // Upstream asks for a right in all the cluster; of an older one the policy asks.
    assert.oneOf(taken.code, [403, 422], taken.body)
    assert.notInclude(
      (await admin("GET", `/apis/resource.k8s.io/v1/namespaces/inside-default/resourceclaims/c`)).body,
      "gpu-0"
    )

    const placed = { metadata: { annotations: { "scheduler.alpha.kubernetes.io/node-selector": "vip=true" } } }
    assert.strictEqual((await patch("/api/v1/namespaces/default", placed)).code, 403)
    const finalize = await zoo.ask("inside", "PUT", "/api/v1/namespaces/default/finalize", {
      body: json({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" }, spec: { finalizers: [] } })
    })
    assert.strictEqual(finalize.code, 403, finalize.body)

    const path = "/apis/networking.k8s.io/v1/ingressclasses"
    const annotations = { "ingressclass.kubernetes.io/is-default-class": "true" }
    const made = await zoo.ask("inside", "POST", path, {
      body: json({
        apiVersion: "networking.k8s.io/v1",
        kind: "IngressClass",
        metadata: { name: "mine", annotations },
        spec: { controller: "k8s.io/ingress-nginx" }
      })
    })
    assert.strictEqual(made.code, 201, made.body)
    assert.include(made.body, '"ingressclass.kubernetes.io/is-default-class":"true"')
    assert.include(made.body, '"controller":"k8s.io/ingress-nginx"')
    const upstream = await admin("GET", `${path}/inside-mine`)
    assert.notInclude(upstream.body, '"ingressclass.kubernetes.io/is-default-class"')
    assert.include(upstream.body, '"controller":"inside-k8s.io/ingress-nginx"')
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
