// The same before our own API server: a tenant's kubectl does not see the difference.
import { afterAll, assert, beforeAll, it } from "vitest"
import { parse } from "yaml"
import { describeWith } from "../../Judges.ts"
import type { Streams } from "#apiserver"
import { startZoo, until, type Zoo } from "./Zoo.ts"

/** Nodes that say back what they hear: an upgraded connection its bytes, a log its pod, a proxied request itself. */
const echoing: Streams = {
  serve: ({ object, path, query, subresource }, exchange, finished) => {
    if (subresource === "exec" || subresource === "portforward") {
      const socket = exchange.upgrade([
        ["upgrade", "SPDY/3.1"],
        ["connection", "Upgrade"]
      ])
      socket?.on("close", finished)
      socket?.on("data", (bytes: Buffer) => socket.write(`${query.get("command")}:${bytes.toString("utf8")}`))
      return undefined
    }
    const text = [["content-type", "text/plain"]] as const
    if (subresource === "log") exchange.respond(200, text, `log of ${object.metadata.name} in acme01-default\n`)
    else {
      const names = exchange.fields().map(([name]) => name)
      exchange.readBody(1000, (body) => {
        exchange.respond(
          200,
          text,
          JSON.stringify({ path, method: exchange.method, body: Buffer.from(body ?? []).toString("utf8"), names })
        )
        finished()
      })
      return undefined
    }
    finished()
    return undefined
  }
}

const map = (name: string): string =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { key: "value" } })

describeWith("kubectl")("a tenant of our own API server", (programs) => {
  let zoo: Zoo
  beforeAll(async () => {
    zoo = await startZoo({ kubectl: programs.kubectl }, { streams: echoing })
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

  it("reaches its own pods: logs, upgrades, and what is proxied", async () => {
    const pod = { metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } }
    const pods = "/api/v1/namespaces/default/pods"
    const account = await zoo.kubectl("acme01", ["create", "serviceaccount", "default"])
    assert.strictEqual(account.code, 0, account.err)
    const made = await zoo.ask("acme01", "POST", pods, {
      body: JSON.stringify({ apiVersion: "v1", kind: "Pod", ...pod })
    })
    assert.strictEqual(made.code, 201, made.body)
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: "p" }, target: { kind: "Node", name: "n" } }
    const body = JSON.stringify(binding)
    const own = await zoo.ask("acme01", "POST", `${pods}/p/binding`, { body })
    assert.strictEqual(own.code, 403, "the scheduler binds pods")
    const bound = await zoo.upstream.call("POST", "/api/v1/namespaces/acme01-default/pods/p/binding", {
      body,
      headers: { "content-type": "application/json" }
    })
    assert.strictEqual(bound.code, 201, bound.body)
    const logs = await zoo.kubectl("acme01", ["logs", "p"])
    assert.strictEqual(logs.out, "log of p in acme01-default\n", logs.err)
    const exec = `${pods}/p/exec?command=date&stdin=true&container=c`
    assert.strictEqual(await zoo.upgrade("acme01", exec, "SPDY/3.1", "hello"), "101 SPDY/3.1 date:hello")
    assert.strictEqual(await zoo.upgrade("1acme0", exec, "SPDY/3.1", "hello"), "404")
    const plain = await zoo.ask("acme01", "POST", exec)
    assert.strictEqual(plain.code, 400, plain.body)
    const proxied = await zoo.ask("acme01", "PUT", `${pods}/p/proxy/a//namespaces/x?q=1`, {
      body: "said",
      headers: { "x-own": "1", "x-remote-user": "root", cookie: "c" }
    })
    assert.strictEqual(proxied.code, 200, proxied.body)
    const echoed = JSON.parse(proxied.body) as { path: string; body: string; method: string; names: Array<string> }
    assert.deepInclude(echoed, { method: "PUT", body: "said" })
    assert.include(echoed.names, "x-own")
    assert.notInclude(echoed.names, "x-remote-user")
    assert.notInclude(echoed.names, "cookie")
    assert.strictEqual((await zoo.ask("1acme0", "GET", `${pods}/p/proxy/`)).code, 404)
  })

  it("takes bodies in Protocol Buffers and in YAML, and answers in YAML", async () => {
    const field = (number: number, content: string | Buffer): Buffer => {
      const bytes = Buffer.from(content)
      return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes])
    }
    const type = field(1, Buffer.concat([field(1, "v1"), field(2, "ConfigMap")]))
    const raw = Buffer.concat([field(1, field(1, "proto")), field(2, Buffer.concat([field(1, "k"), field(2, "v")]))])
    const maps = "/api/v1/namespaces/default/configmaps"
    const typed = await zoo.ask("acme01", "POST", maps, {
      body: Buffer.concat([Buffer.from("k8s\0"), type, field(2, raw)]).toString("latin1"),
      headers: {
        "content-type": "application/vnd.kubernetes.protobuf",
        accept: "application/vnd.kubernetes.protobuf,application/json"
      }
    })
    assert.strictEqual(typed.code, 201, typed.body)
    assert.include(typed.headers, "application/json")
    assert.include(typed.body, '"data":{"k":"v"}')
    const yaml = await zoo.ask("acme01", "POST", maps, {
      body: "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: yaml }\n",
      headers: { "content-type": "application/yaml" }
    })
    assert.strictEqual(yaml.code, 201, yaml.body)
    const applied = await zoo.ask("acme01", "PATCH", `${maps}/applied?fieldManager=m`, {
      body: "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: applied }\ndata: { a: b }\n",
      headers: { "content-type": "application/apply-patch+yaml" }
    })
    assert.strictEqual(applied.code, 201, applied.body)
    assert.include(applied.body, '"operation":"Apply"')
    const only = await zoo.ask("acme01", "GET", maps, { headers: { accept: "application/vnd.kubernetes.protobuf" } })
    assert.strictEqual(only.code, 406)
    // In YAML as in JSON: what is whole, what comes in pieces, and what failed.
    const inYaml = { headers: { accept: "application/yaml" } }
    for (const path of [`${maps}/yaml`, maps, "/api/v1/configmaps", "/api/v1/namespaces", `${maps}/none`, "/api/v1"]) {
      const [asJson, asYaml] = await Promise.all([
        zoo.ask("acme01", "GET", path),
        zoo.ask("acme01", "GET", path, inYaml)
      ])
      assert.strictEqual(asYaml.code, asJson.code, path)
      assert.include(asYaml.headers, "application/yaml", path)
      // The server behind writes something of its own now and then, which only the version of a list shows.
      const [one, other] = [parse(asYaml.body), JSON.parse(asJson.body)].map((value) => ({
        ...value,
        metadata: { ...value.metadata, ...("items" in value ? { resourceVersion: "" } : {}) }
      }))
      assert.deepStrictEqual(one, other, path)
    }
    const watched = await zoo.ask("acme01", "GET", `${maps}?watch=true`, inYaml)
    assert.strictEqual(watched.code, 406)
  })

  it("asks what somebody else may do, by kubectl and by review", async () => {
    const can = (who: string) => zoo.kubectl("acme01", ["auth", "can-i", "list", "pods", `--as=${who}`])
    const before = await can("jane")
    assert.strictEqual(before.out.trim(), "no", before.err)
    assert.notInclude(before.err, "rror from server")
    const role = ["create", "rolebinding", "janes", "--clusterrole=view", "--user=jane"]
    const granted = await zoo.kubectl("acme01", role)
    assert.strictEqual(granted.code, 0, granted.err)
    await until("jane may", async () => (await can("jane")).out.trim() === "yes")
    const attributes = { verb: "list", resource: "pods", namespace: "default" }
    const review = (metadata: object) =>
      zoo.ask("acme01", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        body: JSON.stringify({
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          metadata,
          spec: { user: "jane", groups: ["some"], resourceAttributes: attributes }
        })
      })
    const reviewed = await review({})
    assert.strictEqual(reviewed.code, 201, reviewed.body)
    const { metadata, spec, status } = JSON.parse(reviewed.body) as Record<string, Record<string, unknown>>
    assert.deepStrictEqual(spec, { user: "jane", groups: ["some"], resourceAttributes: attributes })
    assert.notProperty(metadata, "labels")
    assert.strictEqual(status?.["allowed"], true)
    const own = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    const asTable = await zoo.ask("acme01", "POST", own, {
      body: '{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{}}',
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }
    })
    assert.strictEqual(asTable.code, 406, asTable.body)
  })

  it("pages through what stands in no namespace", async () => {
    const path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    const list = async (query: string) => {
      const answer = await zoo.ask("acme01", "GET", `${path}${query}`)
      assert.strictEqual(answer.code, 200, answer.body)
      return JSON.parse(answer.body) as {
        metadata: { continue?: string; remainingItemCount?: number }
        items: Array<{ metadata: { name: string } }>
      }
    }
    const whole = (await list("")).items.map(({ metadata }) => metadata.name)
    const paged: Array<string> = []
    let token = ""
    do {
      const page = await list(`?limit=2${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`)
      assert.isAtMost(page.items.length, 2)
      assert.isUndefined(page.metadata.remainingItemCount)
      paged.push(...page.items.map(({ metadata }) => metadata.name))
      token = page.metadata.continue ?? ""
    } while (token !== "" && paged.length <= whole.length)
    assert.deepStrictEqual(paged, whole)
    assert.isAtLeast(whole.length, 4)
    assert.strictEqual((await zoo.ask("acme01", "GET", `${path}?limit=1&continue=b3RoZXI`)).code, 400)
    // How much is left of one namespace is nobody else's.
    const maps = await zoo.ask("acme01", "GET", "/api/v1/namespaces/default/configmaps?limit=1")
    assert.match(maps.body, /"remainingItemCount":[1-9]/)
  })

  it("deletes collections of what the platform keeps something among", async () => {
    const quota = await zoo.kubectl("acme01", ["create", "quota", "q", "--hard=pods=9"])
    assert.strictEqual(quota.code, 0, quota.err)
    const gone = await zoo.ask("acme01", "DELETE", "/api/v1/namespaces/default/resourcequotas")
    assert.strictEqual(gone.code, 200, gone.body)
    assert.strictEqual((await zoo.kubectl("acme01", ["get", "quota", "-o", "name"])).out, "")
  })

  it("follows the references that a definition declares, from its first object on", async () => {
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: {
        name: "links.acme.io",
        annotations: { "tenant.kubezoo.io/references": '[{"path":"spec.to[].namespace","is":"namespace"}]' }
      },
      spec: {
        group: "acme.io",
        scope: "Namespaced",
        names: { plural: "links", singular: "link", kind: "Link", listKind: "LinkList" },
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
    const made = await zoo.kubectl("acme01", ["create", "-f", "-"], JSON.stringify(definition))
    assert.strictEqual(made.code, 0, made.err)
    const links = "/apis/acme.io/v1/namespaces/default/links"
    const link = {
      apiVersion: "acme.io/v1",
      kind: "Link",
      metadata: { name: "l" },
      spec: { to: [{ namespace: "shop" }] }
    }
    await until("links are served", async () => {
      const answer = await zoo.ask("acme01", "POST", links, { body: JSON.stringify(link) })
      return answer.code === 201
    })
    const stored = await zoo.upstream.call("GET", "/apis/acme01-acme.io/v1/namespaces/acme01-default/links/l")
    assert.include(stored.body, '"namespace":"acme01-shop"')
    const seen = await zoo.ask("acme01", "GET", `${links}/l`)
    assert.deepStrictEqual((JSON.parse(seen.body) as { spec: unknown }).spec, link.spec)
    const twice = "apiVersion: acme.io/v1\nkind: Link\nmetadata: { name: t }\nspec:\n  a: 1\n  a: 2\n"
    const apply = (validation: string) =>
      zoo.ask("acme01", "PATCH", `${links}/t?fieldManager=m&fieldValidation=${validation}`, {
        body: twice,
        headers: { "content-type": "application/apply-patch+yaml" }
      })
    const strict = await apply("Strict")
    assert.strictEqual(strict.code, 400, strict.body)
    assert.include(strict.body, 'line 6: key \\"a\\" already set in map')
    const warned = await apply("Warn")
    assert.strictEqual(warned.code, 201, warned.body)
    assert.include(warned.headers, 'line 6: key \\"a\\" already set in map')
  })

  it("tells operators what each tenant asks", async () => {
    const { body, code } = await zoo.ask("operator", "GET", "/metrics")
    assert.strictEqual(code, 200, body)
    assert.match(body, /^kubewharf_tenancy_tenant_requests_total\{tenant="acme01"\} [1-9]/m)
    assert.match(body, /^kubewharf_tenancy_tenant_refused_total\{tenant="acme01"\} 0$/m)
    assert.match(body, /^kubewharf_tenancy_upstream_watches \d/m)
    assert.strictEqual((await zoo.ask("acme01", "GET", "/metrics")).code, 403)
  })

  it("says its version in upstream's own bytes", async () => {
    const upstream = await zoo.upstream.call("GET", "/version")
    const own = await zoo.ask("acme01", "GET", "/version")
    assert.strictEqual(own.body, upstream.body)
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
