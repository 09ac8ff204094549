// A real kube-apiserver behind the gateway, asked by kubectl: by certificate, by a service account's token, acting as somebody else;
// and what kubectl says is what it says directly.
import { Redacted } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { run } from "../../net/RealPrograms.ts"
import { Pki } from "./Pki.ts"
import { clusterOf, eventually, Gateway } from "./Rig.ts"

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("kubectl through the gateway", (programs) => {
  let server: RealApiServer
  let gateway: Gateway
  let folder: string
  const file = (name: string): string => join(folder, name)

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "gateway-real-"))
    const pki = await Pki.make("the one ca")
    server = await startApiServer(programs)
    gateway = await Gateway.open(await pki.sign({ name: "gateway", dns: ["a.example"] }))
    const client = { insecure: true, token: Redacted.make(server.token), serverName: "127.0.0.1" }
    gateway.snapshots.set(clusterOf("a.example", [server.url], pki, { client, hosts: ["a.example", "127.0.0.1"] }))
    await gateway.ready()
    const root = await pki.sign({ name: "root", organizations: ["system:masters"] })
    const texts = { "ca.pem": pki.ca, "root.pem": root.cert, "root.key": root.key }
    for (const [name, text] of Object.entries(texts)) writeFileSync(file(name), text)
  }, 120_000)
  afterAll(async () => {
    await gateway?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const through = (...args: ReadonlyArray<string>): Promise<{ readonly code: number; readonly text: string }> =>
    run(programs.kubectl, [
      `--server=https://127.0.0.1:${gateway.port}`,
      "--tls-server-name=a.example",
      `--certificate-authority=${file("ca.pem")}`,
      `--cache-dir=${file("cache-through")}`,
      "--kubeconfig=/dev/null",
      ...args
    ])
  const asRoot = (...args: ReadonlyArray<string>) =>
    through(`--client-certificate=${file("root.pem")}`, `--client-key=${file("root.key")}`, ...args)
  const directly = (...args: ReadonlyArray<string>) =>
    run(programs.kubectl, [
      `--server=${server.url}`,
      "--insecure-skip-tls-verify",
      `--token=${server.token}`,
      "--kubeconfig=/dev/null",
      `--cache-dir=${file("cache-direct")}`,
      ...args
    ])

  it("says what it says directly", { timeout: 120_000 }, async () => {
    const manifest = file("things.yaml")
    writeFileSync(
      manifest,
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: default}\ndata: {a: b}\n---\n" +
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: default}\n"
    )
    for (const [words, expected] of [
      [["apply", "-f", manifest], "configmap/c created"],
      [["apply", "-f", manifest], "configmap/c unchanged"],
      [["patch", "configmap", "c", "-p", '{"data":{"x":"y"}}'], "configmap/c patched"],
      [["label", "configmap", "c", "k=v"], "configmap/c labeled"],
      [["create", "clusterrolebinding", "robots", "--clusterrole=view", "--serviceaccount=default:robot"], "created"]
    ] as const) {
      const { code, text } = await asRoot(...words)
      assert.equal(code, 0, text)
      assert.include(text, expected)
    }
    const tour: ReadonlyArray<ReadonlyArray<string>> = [
      ["get", "configmap", "c", "-o", "yaml"],
      ["get", "namespaces", "-o", "wide", "--sort-by=.metadata.name"],
      ["get", "configmaps", "-A", "-o", "name"],
      ["get", "configmap", "c", "-o", "jsonpath={.data}"],
      ["get", "configmaps", "-l", "k=v", "--chunk-size=1", "-A", "-o", "name"],
      ["get", "configmap", "missing"],
      ["get", "nonsense"],
      ["get", "--raw", "/api/v1/namespaces/default/configmaps/c"],
      ["get", "--raw", "/version"],
      ["api-resources", "--no-headers"],
      ["api-versions"],
      ["explain", "pod.spec.containers.image"],
      ["describe", "configmap", "c"],
      ["diff", "-f", manifest],
      ["auth", "can-i", "create", "pods"],
      ["create", "configmap", "dry", "--dry-run=server", "-o", "jsonpath={.metadata.name}"],
      ["auth", "whoami", "--as=dave", "--as-group=g", "--as-uid=u-1", "-o", "yaml"]
    ]
    const steady = (text: string): string =>
      text.replaceAll(/\d+[smh]\b|creationTimestamp: .*|\/tmp\/\S+|\d{4}-\d\d-\d\dT[\d:.]+Z/g, "…")
    for (const words of tour) {
      const [ours, theirs] = [await asRoot(...words), await directly(...words)]
      assert.equal(steady(ours.text), steady(theirs.text), words.join(" "))
      assert.equal(ours.code, theirs.code, words.join(" "))
    }
  })

  it("is a service account by its token, with uid and extras, and may what that may", { timeout: 60_000 }, async () => {
    const made = await directly("create", "token", "robot")
    const token = made.text.trim()
    assert.equal(made.code, 0, made.text)
    const [ours, theirs] = [
      await through(`--token=${token}`, "auth", "whoami", "-o", "json"),
      await run(programs.kubectl, [
        `--server=${server.url}`,
        "--insecure-skip-tls-verify",
        `--token=${token}`,
        "--kubeconfig=/dev/null",
        "auth",
        "whoami",
        "-o",
        "json"
      ])
    ]
    const user = ({ text }: { readonly text: string }): object =>
      (JSON.parse(text) as { status: { userInfo: object } }).status.userInfo
    assert.deepEqual(user(ours), user(theirs))
    assert.deepInclude(user(ours), { username: "system:serviceaccount:default:robot" })
    assert.include((await through(`--token=${token}`, "get", "configmap", "c", "-o", "name")).text, "configmap/c")
    const refused = await through(`--token=${token}`, "delete", "configmap", "c")
    assert.notEqual(refused.code, 0)
    assert.include(refused.text, 'User "system:serviceaccount:default:robot" cannot delete resource "configmaps"')
    const acting = await through(`--token=${token}`, "--as=dave", "get", "configmap", "c")
    assert.notEqual(acting.code, 0)
    assert.include(acting.text, "cannot impersonate")
    const forged = await through(`--token=${token.slice(0, -4)}AAAA`, "get", "configmap", "c")
    assert.include(forged.text, "Unauthorized")
  })

  it("watches until it is stopped", { timeout: 60_000 }, async () => {
    const watching = asRoot("get", "configmaps", "-n", "default", "--watch", "-o", "name", "--request-timeout=6s")
    await eventually(
      () =>
        [...gateway.running.directory.runtimes.values()].some(({ upstreams }) =>
          [...upstreams.values()].some(({ inflight }) => inflight > 0)
        ),
      "the watch was open"
    )
    await directly("create", "configmap", "late", "-n", "default")
    assert.include((await watching).text, "configmap/late")
  })
})
