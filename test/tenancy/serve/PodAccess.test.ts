// A tenant's pod reaches the tenancy server as pods reach their API server: by its environment, with the authority and the token in its
// service account's folder; on a real kube-apiserver, and on ours.
import { request } from "node:https"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { startZoo, until, type Zoo } from "./Zoo.ts"

const HOST = "tenants.example"
const PORT = 8443
const json = (value: unknown): string => JSON.stringify(value)
const type = { "content-type": "application/json" }

interface Pod {
  readonly spec: {
    readonly initContainers: ReadonlyArray<Container>
    readonly containers: ReadonlyArray<Container>
    readonly volumes: ReadonlyArray<{
      readonly projected?: { readonly sources: ReadonlyArray<{ readonly configMap?: { readonly name: string } }> }
    }>
  }
}
interface Container {
  readonly name: string
  readonly env?: ReadonlyArray<{ readonly name: string; readonly value?: string }>
}

const own = [{ name: "KUBERNETES_SERVICE_HOST", value: "elsewhere" }]
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web" },
  spec: {
    serviceAccountName: "default",
    initContainers: [{ name: "first", image: "a" }],
    containers: [
      { name: "plain", image: "a", env: [{ name: "COLOUR", value: "blue" }] },
      { name: "itself", image: "a", env: own }
    ],
    // As a server puts it there whose service accounts are on.
    volumes: [
      {
        name: "access",
        projected: {
          sources: [
            { serviceAccountToken: { path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } }
          ]
        }
      }
    ]
  }
}

const given = [
  { name: "KUBERNETES_SERVICE_HOST", value: HOST },
  { name: "KUBERNETES_SERVICE_PORT", value: `${PORT}` },
  { name: "KUBERNETES_SERVICE_PORT_HTTPS", value: `${PORT}` }
]

/** One request as a process in the pod sends it: by name, with nothing but what the pod was given. */
const askAsPod = (zoo: Zoo, ca: string, token: string, path: string) =>
  new Promise<{ readonly code: number; readonly body: string }>((resolve, reject) => {
    const { port } = new URL(zoo.running.url)
    const headers = { host: HOST, authorization: `Bearer ${token}` }
    const sent = request({ host: "127.0.0.1", port, servername: HOST, ca, path, headers, agent: false }, (answer) => {
      let body = ""
      answer.setEncoding("utf8").on("data", (text: string) => (body += text))
      answer.on("end", () => resolve({ code: answer.statusCode ?? 0, body }))
    })
    sent.on("error", reject)
    sent.end()
  })

const judge = (start: () => Promise<Zoo>): void => {
  let zoo: Zoo
  beforeAll(async () => {
    zoo = await start()
    await zoo.tenant("pods01")
    // What controllers would make.
    const account = json({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } })
    await zoo.upstream.call("POST", "/api/v1/namespaces/pods01-default/serviceaccounts", {
      body: account,
      headers: type
    })
  }, 180_000)
  afterAll(async () => zoo?.stop())

  it("is written into every pod as it is made, but where a container names a server itself", async () => {
    const made = async (query = ""): Promise<Pod | undefined> => {
      const answer = await zoo.ask("pods01", "POST", `/api/v1/namespaces/default/pods${query}`, { body: json(pod) })
      return answer.code === 201 ? (JSON.parse(answer.body) as Pod) : undefined
    }
    // A server learns of a policy some time after it was made.
    await until("the policy is in force", async () => {
      const tried = await made("?dryRun=All")
      return tried?.spec.containers[0]?.env?.some(({ name }) => name.startsWith("KUBERNETES_")) ?? false
    })
    const { containers, initContainers, volumes } = (await made())?.spec ?? assert.fail("no pod was made")
    assert.sameDeepMembers([...(initContainers[0]?.env ?? [])], given)
    assert.sameDeepMembers([...(containers[0]?.env ?? [])], [{ name: "COLOUR", value: "blue" }, ...given])
    assert.deepStrictEqual(containers[1]?.env, own)
    const authorities = volumes.flatMap(
      ({ projected }) => projected?.sources.flatMap((one) => one.configMap ?? []) ?? []
    )
    assert.isNotEmpty(authorities)
    for (const { name } of authorities) assert.strictEqual(name, "tenant.kubezoo.io.ca.crt")
  }, 120_000)

  it("leads there with the pod's own token, as the tenant knows its service account", async () => {
    const config = await zoo.ask("pods01", "GET", "/api/v1/namespaces/default/configmaps/tenant.kubezoo.io.ca.crt")
    const ca = (JSON.parse(config.body) as { readonly data: { readonly "ca.crt": string } }).data["ca.crt"]
    const tokenRequest = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3600 }
    }
    const issued = await zoo.upstream.call("POST", "/api/v1/namespaces/pods01-default/serviceaccounts/default/token", {
      body: json(tokenRequest),
      headers: type
    })
    const { token } = (JSON.parse(issued.body) as { readonly status: { readonly token: string } }).status
    const pods = "/api/v1/namespaces/default/pods/web"
    const refused = await askAsPod(zoo, ca, token, pods)
    assert.strictEqual(refused.code, 403, refused.body)
    assert.include(refused.body, "system:serviceaccount:default:default")
    assert.notInclude(refused.body, "pods01")
    const rbac = "rbac.authorization.k8s.io"
    const metadata = { name: "readers" }
    const role = { kind: "Role", metadata, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }
    const binding = {
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: rbac, kind: "Role", name: "readers" },
      subjects: [{ kind: "ServiceAccount", name: "default", namespace: "default" }]
    }
    for (const grant of [role, binding]) {
      const path = `/apis/${rbac}/v1/namespaces/default/${grant.kind.toLowerCase()}s`
      const made = await zoo.ask("pods01", "POST", path, { body: json({ apiVersion: `${rbac}/v1`, ...grant }) })
      assert.strictEqual(made.code, 201, made.body)
    }
    await until("the pod may read", async () => (await askAsPod(zoo, ca, token, pods)).code === 200)
    const read = await askAsPod(zoo, ca, token, pods)
    assert.notInclude(read.body, "pods01")
  }, 120_000)

  it("is kept from tenants' hands", async () => {
    const path = "/api/v1/namespaces/default/configmaps/tenant.kubezoo.io.ca.crt"
    await until(
      "the wall is in force",
      async () => (await zoo.ask("pods01", "DELETE", `${path}?dryRun=All`)).code === 403
    )
    const others = await zoo.ask("pods01", "POST", "/api/v1/namespaces/default/configmaps", {
      body: json({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "mine" } })
    })
    assert.strictEqual(others.code, 201, others.body)
  }, 120_000)
}

const podsServer = { host: HOST, port: PORT }

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("a pod's way to its cluster, on a real kube-apiserver", (programs) => judge(() => startZoo(programs, { podsServer })))

describeWith("kubectl")("a pod's way to its cluster, on our own API server", (programs) =>
  judge(() => startZoo(programs, { podsServer }))
)
