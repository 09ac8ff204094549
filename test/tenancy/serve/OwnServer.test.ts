// The same before our own API server: a tenant's kubectl does not see the difference.
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { startZoo, type Zoo } from "./Zoo.ts"

const map = (name: string): string =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { key: "value" } })

describeWith("kubectl")("a tenant of our own API server", (programs) => {
  let zoo: Zoo
  beforeAll(async () => {
    zoo = await startZoo({ kubectl: programs.kubectl })
    await zoo.tenant("acme01")
    await zoo.tenant("1acme0")
  }, 120_000)
  afterAll(() => zoo?.stop())

  it("applies twice the same, on either side, and sees its own alone", async () => {
    for (const flags of [[], ["--server-side"]]) {
      const name = `m${flags.length}`
      const first = await zoo.kubectl("acme01", ["apply", ...flags, "-f", "-"], map(name))
      assert.strictEqual(first.code, 0, first.err)
      const again = await zoo.kubectl("acme01", ["apply", ...flags, "-f", "-"], map(name))
      assert.strictEqual(again.code, 0, again.err)
    }
    const own = await zoo.kubectl("acme01", ["get", "configmaps", "-A", "-o", "name"])
    assert.strictEqual(own.err, "")
    assert.include(own.out, "configmap/m0\nconfigmap/m1")
    assert.notInclude((await zoo.kubectl("1acme0", ["get", "configmaps", "-A", "-o", "name"])).out, "configmap/m")
  })

  it("patches, labels and deletes", async () => {
    for (const args of [
      ["create", "namespace", "shop"],
      ["-n", "shop", "create", "configmap", "c"],
      ["-n", "shop", "label", "configmap", "c", "a=b"],
      ["-n", "shop", "patch", "configmap", "c", "--type=json", "-p", '[{"op":"add","path":"/data","value":{"x":"y"}}]'],
      ["-n", "shop", "patch", "configmap", "c", "--type=merge", "-p", '{"data":{"z":"1"}}'],
      ["-n", "shop", "delete", "configmap", "-l", "a=b"]
    ]) {
      const ran = await zoo.kubectl("acme01", args)
      assert.strictEqual(ran.code, 0, `${args.join(" ")}: ${ran.err}`)
    }
    const allowed = await zoo.kubectl("acme01", ["auth", "can-i", "list", "pods", "-A"])
    assert.strictEqual(allowed.out.trim(), "yes", allowed.err)
    const who = await zoo.kubectl("acme01", ["auth", "whoami", "-o", "json"])
    assert.include(who.out, '"username": "admin"', who.err)
    assert.notInclude(who.out, "acme01")
  })
})
