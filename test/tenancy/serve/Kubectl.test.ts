// Two tenants of one real kube-apiserver, each with kubectl, whose ids stand in the other's names.
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
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
