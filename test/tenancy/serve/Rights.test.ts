// The rights that docs/tenancy-rights.yaml gives the server, on a real kube-apiserver: enough for a tenant's whole life, and no more than
// what it says.
import { Effect, Exit, Scope } from "effect"
import { readFileSync } from "node:fs"
import { afterAll, assert, beforeAll, it } from "vitest"
import { parseAllDocuments } from "yaml"
import { describeWith } from "../../Judges.ts"
import type { RealApiServer } from "../../kube/RealApiServer.ts"
import { withRealControllers } from "../../sim/controllers/RealControlPlane.ts"
import { startZoo, until, type Zoo } from "./Zoo.ts"

const json = (value: unknown): string => JSON.stringify(value)
const type = { "content-type": "application/json" }
const manifest = readFileSync(new URL("../../../docs/tenancy-rights.yaml", import.meta.url), "utf8")

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly namespace?: string }
}

const collectionOf = ({ apiVersion, kind, metadata }: Manifest): string => {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const { namespace } = metadata
  return `${root}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${kind.toLowerCase()}s`
}

/** Gives the account its rights and answers a token of it. */
const tokenOf = async ({ call }: Pick<RealApiServer, "call">): Promise<string> => {
  for (const document of parseAllDocuments(manifest)) {
    const object = document.toJS() as Manifest
    const made = await call("POST", collectionOf(object), { body: json(object), headers: type })
    assert.strictEqual(made.code, 201, made.body)
  }
  const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 7200 } }
  const path = "/api/v1/namespaces/kube-system/serviceaccounts/kubewharf-tenancy/token"
  const made = await call("POST", path, { body: json(request), headers: type })
  assert.strictEqual(made.code, 201, made.body)
  return (JSON.parse(made.body) as { status: { token: string } }).status.token
}

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl",
  "kube-controller-manager"
)("the server's own rights", (programs) => {
  let zoo: Zoo
  let token = ""
  const scope = Scope.makeUnsafe()
  beforeAll(async () => {
    const asAccount = async (upstream: Pick<RealApiServer, "call">): Promise<string> =>
      (token = await tokenOf(upstream))
    zoo = await startZoo(programs, { tokenOf: asAccount })
    // A tenant with a quota is ready once upstream has counted.
    const plane = { kubeconfig: zoo.kubeconfig("upstream") }
    await Effect.runPromise(
      withRealControllers(plane, programs["kube-controller-manager"], ["resourcequota-controller"]).pipe(
        Scope.provide(scope)
      )
    )
  }, 180_000)
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await zoo?.stop()
  })

  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "planets.acme.io" },
    spec: {
      group: "acme.io",
      scope: "Cluster",
      names: { plural: "planets", singular: "planet", kind: "Planet", listKind: "PlanetList" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
        }
      ]
    }
  }

  it("are enough for all that a tenant does, to its end", async () => {
    const spec = { quota: { hard: { configmaps: "50" } }, ingressDomains: ["a.example"], maxNamespaces: 20 }
    await zoo.tenant("rights", json(spec))
    const ask = async (method: string, path: string, body?: object) => {
      const answer = await zoo.ask("rights", method, path, body === undefined ? {} : { body: json(body) })
      assert.isBelow(answer.code, 300, `${method} ${path}: ${answer.body}`)
      return answer
    }
    await ask("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } })
    const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m" } }
    await ask("POST", "/api/v1/namespaces/shop/configmaps", map)
    assert.include((await ask("GET", "/api/v1/configmaps")).body, '"name":"m"')
    await ask("GET", "/api/v1/secrets?watch=true&timeoutSeconds=1")
    await ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    const planet = json({ apiVersion: "acme.io/v1", kind: "Planet", metadata: { name: "p" } })
    await until("a planet is made", async () => {
      const answer = await zoo.ask("rights", "POST", "/apis/acme.io/v1/planets", { body: planet })
      return answer.code === 201
    })
    await ask("POST", "/apis/networking.k8s.io/v1/ingressclasses", {
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { name: "c" },
      spec: { controller: "a.example/c" }
    })
    await ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: "r" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }]
    })
    await ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "b" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "r" },
      subjects: [{ kind: "ServiceAccount", name: "default", namespace: "shop" }]
    })
    await ask("DELETE", "/api/v1/namespaces/shop/configmaps")
    const gone = await zoo.kubectl("operator", ["delete", "tenant", "rights", "--wait=false"])
    assert.strictEqual(gone.code, 0, gone.err)
    // Nothing empties namespaces here: they alone are waited for.
    await until("all else of it is gone", async () => {
      const { body } = await zoo.upstream.call("GET", "/apis/tenant.kubezoo.io/v1alpha1/tenants/rights")
      return /waiting for \d+ namespaces to go"/.test(body)
    })
  })

  it("do not let the server touch a workload in its own name", async () => {
    const own = { authorization: `Bearer ${token}`, ...type }
    const { call } = zoo.upstream
    const listed = await call("GET", "/api/v1/secrets", { headers: own })
    assert.strictEqual(listed.code, 200, listed.body)
    const pods = "/api/v1/namespaces/default/pods"
    for (const [method, path] of [
      ["POST", pods],
      ["DELETE", pods],
      ["POST", "/api/v1/namespaces/default/secrets"],
      ["DELETE", "/api/v1/nodes/n"],
      ["POST", "/apis/apps/v1/namespaces/default/deployments"]
    ] as const) {
      const answer = await call(method, path, { headers: own, ...(method === "POST" ? { body: "{}" } : {}) })
      assert.strictEqual(answer.code, 403, `${method} ${path}: ${answer.body}`)
    }
  })
})
