// Kubeconfigs as kubectl reads and merges them; what is wrong with one is said without a secret.
import { assert, describe, it } from "vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit } from "effect"
import { chooseAccess, type Kubeconfig, KubeconfigInvalid, loadAccess, mergeKubeconfigs, parseKubeconfig } from "#kube"

const pem = "-----BEGIN CERTIFICATE-----\nsecret bytes\n-----END CERTIFICATE-----\n"
const data = Buffer.from(pem).toString("base64")

const whole = `
apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: c1
  cluster:
    server: https://one:6443
    certificate-authority-data: ${data}
    tls-server-name: api.one
    proxy-url: http://proxy:3128
- name: c2
  cluster: { server: "https://[::1]:6443/base", certificate-authority: certs/ca.pem }
contexts:
- name: dev
  context: { cluster: c1, user: cert, namespace: team }
- name: ops
  context: { cluster: c2, user: program }
users:
- name: cert
  user: { client-certificate-data: ${data}, client-key: keys/me.key, as: jane, as-groups: [admins] }
- name: program
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./login
      args: [--quiet]
      env: [{ name: REGION, value: north }]
      provideClusterInfo: true
      interactiveMode: IfAvailable
`

const read = (text: string, file = "/etc/kube/config"): Kubeconfig => {
  const config = parseKubeconfig(text, file)
  if (config instanceof KubeconfigInvalid) throw config
  return config
}

const complaint = (text: string): string => {
  const config = parseKubeconfig(text, "f")
  return config instanceof KubeconfigInvalid ? config.message : "fine"
}

describe("Kubeconfig", () => {
  it("reads clusters, users and contexts, with paths relative to its file", () => {
    const config = read(whole)
    assert.deepStrictEqual(config.clusters.get("c1"), {
      server: "https://one:6443",
      tlsServerName: "api.one",
      insecureSkipTlsVerify: false,
      certificateAuthority: { text: pem },
      proxyUrl: "http://proxy:3128"
    })
    assert.deepStrictEqual(config.clusters.get("c2")?.certificateAuthority, { file: "/etc/kube/certs/ca.pem" })
    assert.deepStrictEqual(config.users.get("cert")?.key, { file: "/etc/kube/keys/me.key" })
    assert.deepStrictEqual(config.users.get("cert")?.impersonate?.groups, ["admins"])
    assert.deepStrictEqual(config.users.get("program")?.exec, {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "/etc/kube/login",
      args: ["--quiet"],
      env: [["REGION", "north"]],
      provideClusterInfo: true,
      installHint: undefined
    })
    const access = chooseAccess(config, "f")
    assert.isFalse(access instanceof KubeconfigInvalid)
    assert.strictEqual((access as { namespace: string }).namespace, "team")
  })

  it("merges files so that the first to say something is heard", () => {
    const second = read(
      whole
        .replaceAll("https://one:6443", "https://other:6443")
        .replace("current-context: dev", "current-context: ops"),
      "/b/c"
    )
    const first = read("clusters: [{ name: c1, cluster: { server: 'http://first' } }]\nusers: []")
    const merged = mergeKubeconfigs([first, second])
    assert.strictEqual(merged.clusters.get("c1")?.server, "http://first")
    assert.strictEqual(merged.currentContext, "ops")
    assert.strictEqual(merged.contexts.size, 2)
  })

  it("lets callers choose, and names what is missing", () => {
    const config = read(whole)
    const chosen = chooseAccess(config, "f", { context: "ops", user: "cert", namespace: "x" })
    assert.isFalse(chosen instanceof KubeconfigInvalid)
    for (const [choice, message] of [
      [{ context: "none" }, 'f: no context "none"'],
      [{ cluster: "none" }, 'f: no cluster "none"'],
      [{ user: "none" }, 'f: no user "none"']
    ] as const) {
      assert.strictEqual((chooseAccess(config, "f", choice) as KubeconfigInvalid).message, message)
    }
    assert.strictEqual((chooseAccess(read("{}"), "f") as KubeconfigInvalid).message, "f: current-context is missing")
  })

  it("names file and field of what is wrong, and shows no value", () => {
    const user = (text: string): string => `users: [{ name: u, user: ${text} }]`
    const cluster = (text: string): string => `clusters: [{ name: c, cluster: ${text} }]`
    assert.strictEqual(complaint("clusters: 3"), "f: clusters is a number; it must be a list")
    assert.strictEqual(complaint(cluster("{}")), "f: clusters[0].cluster.server is missing")
    assert.strictEqual(
      complaint(cluster("{ server: host:6443 }")),
      "f: clusters[0].cluster.server must begin with http:// or https://"
    )
    assert.strictEqual(
      complaint(cluster("{ server: 'https://a', certificate-authority-data: '%%' }")),
      "f: clusters[0].cluster.certificate-authority-data must be a PEM text in base64"
    )
    assert.strictEqual(
      complaint(cluster("{ server: 'https://a', insecure-skip-tls-verify: yes please }")),
      "f: clusters[0].cluster.insecure-skip-tls-verify is a string; it must be true or false"
    )
    assert.strictEqual(complaint(user("{ token: [hunter2] }")), "f: users[0].user.token is a list; it must be a string")
    assert.strictEqual(
      complaint(user("{ exec: { command: x, apiVersion: client.authentication.k8s.io/v1alpha1 } }")),
      "f: users[0].user.exec.apiVersion must be client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1"
    )
    assert.strictEqual(
      complaint(user(`{ client-certificate-data: ${data} }`)),
      "f: users[0].user.client-key is missing beside a client certificate"
    )
    assert.strictEqual(complaint("kind: Pod"), "f: kind must be Config")
    assert.strictEqual(complaint("users: [{ user: {} }]"), "f: users[0].name is missing")
    assert.strictEqual(complaint("token: hunter2\n  bad: : :"), "f: the document is no YAML")
  })

  it("loads what KUBECONFIG lists, skipping what is not there, and one file that must be", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"))
    try {
      const file = join(folder, "config")
      writeFileSync(file, whole)
      const environment = { KUBECONFIG: `${join(folder, "absent")}:${file}` }
      const access = await Effect.runPromise(loadAccess({ environment }))
      assert.strictEqual(access.cluster.server, "https://one:6443")
      const missing = await Effect.runPromiseExit(loadAccess({ kubeconfig: join(folder, "absent") }))
      assert.isTrue(Exit.isFailure(missing))
      const problem = await Effect.runPromise(Effect.flip(loadAccess({ kubeconfig: join(folder, "absent") })))
      assert.strictEqual(problem.message, `${join(folder, "absent")}: cannot be read (ENOENT)`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
