// Who a cluster takes a caller for, through the gateway, whatever the caller writes; each claim beside its control, where the same claim is
// believed: at the cluster itself, by its own authority, or by somebody who may.
// What needs no real cluster is tested beside the data path (test/gateway/path), limits and rules in their rooms.
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { connect } from "node:net"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { until } from "../../apiserver/kubectl/Rig.ts"
import { UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { ALL_RULES, manifestOf } from "./Gateway.ts"
import { A, B, startWalls, type Walls, whoami } from "./Walls.ts"

const JSON_BODY = { "content-type": "application/json" }

describeWith(...UPSTREAM_PROGRAMS)("through the gateway", (programs) => {
  let walls: Walls
  beforeAll(async () => {
    walls = await startWalls(programs)
  }, 120_000)
  afterAll(() => walls?.stop())

  /** Somebody known by a certificate of cluster A: at the cluster, and through the gateway. */
  const both = (subject: string) => {
    const access = { ...walls.a.owner, ...walls.a.certificate(subject) }
    return { direct: walls.as(access), through: walls.as(walls.gateway.through(access)) }
  }

  it("a caller is who the cluster takes it for directly: by certificate and by token", async () => {
    const alice = both("alice/O=team/O=night")
    const [there, here] = [await whoami(alice.direct), await whoami(alice.through)]
    assert.strictEqual(here.username, "alice")
    assert.deepStrictEqual(here.groups, there.groups)
    const { certFile: _cert, keyFile: _key, ...known } = walls.a.owner
    const token = { ...known, token: "token-of-bob" }
    const [direct, through] = [walls.as(token), walls.as(walls.gateway.through(token))]
    const taken = await whoami(through)
    assert.deepStrictEqual(taken, await whoami(direct))
    assert.strictEqual(taken.uid, "uid-of-bob")
  })

  it("impersonation is the cluster's to allow, with uid and extras; nobody picks a uid by the way", async () => {
    const claim = { "impersonate-user": "carol", "impersonate-uid": "of-carol", "impersonate-extra-why": "test" }
    const [owner, alice] = [both("owner/O=owners"), both("alice/O=team")]
    const taken = await whoami(owner.through, claim)
    assert.deepStrictEqual(taken, await whoami(owner.direct, claim))
    assert.deepInclude(taken, { username: "carol", uid: "of-carol" })
    assert.deepStrictEqual(taken.extra, { why: ["test"] })
    for (const claimed of [
      claim,
      { "impersonate-user": "carol" },
      { ...claim, "impersonate-group": "system:masters" }
    ]) {
      assert.strictEqual((await whoami(alice.through, claimed)).code, 403)
    }
    for (const alone of [
      { "impersonate-uid": "x" },
      { "impersonate-group": "system:masters" },
      { "impersonate-extra-a": "b" }
    ]) {
      assert.strictEqual((await whoami(alice.through, alone)).code, 400, JSON.stringify(alone))
      assert.isAtLeast((await whoami(alice.direct, alone)).code, 400)
    }
  })

  it("a front proxy's fields are nothing without its certificate, whoever else signed one", async () => {
    const fields = { "x-remote-user": "mallory", "x-remote-group": "system:masters" }
    const alice = both("alice/O=team")
    assert.strictEqual((await whoami(alice.through, fields)).username, "alice")
    for (const authority of [walls.a.frontProxies, walls.b.frontProxies]) {
      const proxy = { ...walls.a.owner, ...authority.sign("front-proxy", "front-proxy") }
      const through = await whoami(walls.as(walls.gateway.through(proxy)), fields)
      assert.notEqual(through.username, "mallory")
      const direct = await whoami(walls.as(proxy), fields)
      if (authority === walls.a.frontProxies) assert.strictEqual(direct.username, "mallory", "the control")
    }
  })

  it("a gateway whose own certificate is a front proxy's passes no such field on", async () => {
    const gateway = walls.a.frontProxies.sign("gateway-as-proxy", "gateway")
    const pem = (file: string): string => readFileSync(file).toString("base64")
    const { spec } = manifestOf(walls.a) as { readonly spec: { readonly clientConfig: object } }
    const clientConfig = { ...spec.clientConfig, certData: pem(gateway.certFile), keyData: pem(gateway.keyFile) }
    walls.gateway.write("a", manifestOf(walls.a, { clientConfig }))
    const fields = { "x-remote-user": "mallory", "x-remote-group": "system:masters" }
    try {
      const control = walls.as({ ...walls.a.owner, ...gateway })
      assert.strictEqual((await whoami(control, fields)).username, "mallory")
      const alice = both("alice/O=team")
      await until("the new identity", async () => (await whoami(alice.through)).code !== 201)
      const taken = await whoami(alice.through, fields)
      assert.notEqual(taken.username, "mallory")
    } finally {
      walls.gateway.write("a", manifestOf(walls.a))
      const again = both("owner/O=owners")
      await until("the old identity", async () => (await whoami(again.through)).code === 201)
    }
  })

  it("a certificate of one cluster proves nothing to another, and a name of one does not reach the other", async () => {
    const ofA = walls.as(walls.gateway.through({ ...walls.a.owner }, A))
    const toB = { ...walls.a.owner, caFile: walls.b.authority.caFile }
    const atB = await walls.as(walls.gateway.through(toB, B)).ask("/api/v1/namespaces")
    assert.include([401, 403], atB.code)
    assert.notInclude(atB.body.toString(), "owner")
    const ofB = walls.as(walls.gateway.through(walls.b.owner, B))
    assert.strictEqual((await ofB.ask("/api/v1/namespaces")).code, 200, "the control")
    for (const host of [B, `${B}:443`, B.toUpperCase(), `${B}.`, "[::1]", "127.0.0.1", "10.0.0.1:6443"]) {
      const reply = await ofA.ask("/api/v1/namespaces", { headers: { host } })
      assert.include([401, 421], reply.code, `${host}: ${reply.body.toString()}`)
    }
    for (const host of [A, `${A}:443`, A.toUpperCase(), `${A}.`]) {
      assert.strictEqual((await ofA.ask("/api/v1/namespaces", { headers: { host } })).code, 200, host)
    }
  })

  it("nobody reads what the gateway has beside the clusters", async () => {
    const { certFile: _cert, keyFile: _key, ...nobody } = walls.a.owner
    const asked = walls.as(walls.gateway.through(nobody))
    const owner = both("owner/O=owners")
    for (const path of ["/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/fgprof"]) {
      for (const host of ["localhost", "127.0.0.1", `127.0.0.1:${walls.gateway.front.port}`]) {
        const reply = await asked.ask(path, { headers: { host } })
        assert.include([401, 403, 404, 421], reply.code, `${path} at ${host}`)
      }
    }
    const control = await owner.through.ask("/metrics")
    assert.strictEqual(control.code, 200)
    assert.include(control.body.toString(), "apiserver_request_total")
  })

  it("a forged X-Forwarded-For does not reach the cluster's audit, and a PROXY header ends the connection", async () => {
    const forged = { "x-forwarded-for": "203.0.113.7", "x-real-ip": "203.0.113.7", forwarded: "for=203.0.113.7" }
    const owner = both("owner/O=owners")
    await owner.through.ask("/api/v1/namespaces/through-forged", { headers: forged })
    await owner.direct.ask("/api/v1/namespaces/direct-forged", { headers: forged })
    const lines = (name: string): ReadonlyArray<string> =>
      readFileSync(walls.auditFile, "utf8")
        .split("\n")
        .filter((line) => line.includes(`/namespaces/${name}"`))
    await until("the audit", () => lines("direct-forged").length > 0 && lines("through-forged").length > 0)
    assert.include(lines("direct-forged").join("\n"), "203.0.113.7", "the control")
    assert.notInclude(lines("through-forged").join("\n"), "203.0.113.7")
    const said = await new Promise<string>((resolve) => {
      const socket = connect(walls.gateway.front.port, "127.0.0.1")
      let heard = ""
      socket.on("data", (chunk) => (heard += chunk.toString("latin1")))
      socket.on("error", () => undefined)
      socket.once("close", () => resolve(heard))
      socket.write("PROXY TCP4 203.0.113.7 127.0.0.1 1 443\r\nGET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
    })
    assert.notInclude(said, "gitVersion")
  })

  it("a key in a manifest that is refused shows nowhere, and the last good configuration serves on", async () => {
    const { authority } = walls.b
    const [one, other] = [authority.sign("bad-one", "x"), authority.sign("bad-other", "x")]
    const key = readFileSync(one.keyFile, "utf8")
    const bad = manifestOf(walls.a, {
      clientConfig: {
        keyData: Buffer.from(key).toString("base64"),
        certData: readFileSync(other.certFile).toString("base64"),
        bearerToken: Buffer.from("very-secret-token").toString("base64")
      },
      servers: [{ endpoint: "ftp://nowhere" }]
    })
    walls.gateway.write("a", bad)
    await until("the refusal", () => walls.gateway.front.said().includes("ftp://nowhere"))
    const said = walls.gateway.front.said()
    for (const secret of [key.split("\n")[1], Buffer.from(key).toString("base64").slice(40, 80), "very-secret-token"]) {
      assert.notInclude(said, secret ?? "")
    }
    const owner = both("owner/O=owners")
    assert.strictEqual((await owner.through.ask("/api/v1/namespaces")).code, 200)
    walls.gateway.write("a", manifestOf(walls.a))
  })

  it("paths and queries reach the cluster as they are written", async () => {
    const owner = both("owner/O=owners")
    const paths = [
      "/api/v1/namespaces/default%2Fx",
      "/api/v1/namespaces/a%20b",
      "/api/v1/namespaces/default/configmaps/%E2%82%AC",
      "/api/v1/namespaces/default/configmaps/a+b",
      "/api/v1/namespaces/default/configmaps/a;b=c",
      "/api/v1/namespaces/default/configmaps/%2e%2e",
      "/api/v1/namespaces/default/configmaps?labelSelector=a%3Db&labelSelector=c%3Dd",
      "/api/v1/namespaces/default/configmaps?labelSelector=a+in+(b)&limit=1&limit=2",
      "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dx%2Cmetadata.namespace%3Ddefault",
      "/api/v1/namespaces/default/services/x/proxy/a%2Fb/",
      "/api/v1/namespaces/default/services/x/proxy//",
      "/apis/apps/v1?pretty=1",
      "/openapi/v3?hash=%",
      "/nothing/at/all/"
    ]
    for (const path of paths) {
      const [there, here] = [await owner.direct.ask(path), await owner.through.ask(path)]
      assert.strictEqual(here.code, there.code, path)
      const text = (body: Buffer): string => body.toString().replaceAll(/"resourceVersion":\s*"\d+"/g, "")
      assert.strictEqual(text(here.body), text(there.body), path)
    }
  })

  it("limits hold up what they say: none, one a second, and none after they are lifted", async () => {
    const owner = both("owner/O=owners")
    const limited = (schema: object) =>
      manifestOf(walls.a, {
        dispatchPolicies: [{ rules: ALL_RULES, flowControlSchemaName: "few" }],
        flowControl: { flowControlSchemas: [{ name: "few", ...schema }] }
      })
    const burst = async (): Promise<ReadonlyArray<number>> =>
      Promise.all(Array.from({ length: 12 }, async () => (await owner.through.ask("/api/v1/namespaces/default")).code))
    assert.deepStrictEqual(new Set(await burst()), new Set([200]), "the control")
    walls.gateway.write("a", limited({ maxRequestsInflight: { max: 0 } }))
    await until("no place at all", async () => (await burst()).every((code) => code === 429))
    walls.gateway.write("a", limited({ tokenBucket: { qps: 1, burst: 3 } }))
    let codes: ReadonlyArray<number> = []
    await until("few tokens", async () => {
      codes = await burst()
      return codes.includes(200) && codes.includes(429)
    })
    // A burst of three, and one for each second that the twelve may have taken on a slow machine.
    assert.isAtMost(codes.filter((code) => code === 200).length, 8)
    walls.gateway.write("a", manifestOf(walls.a))
    await until("no limit", async () => (await burst()).every((code) => code === 200))
  })

  it("a cluster that is deleted is gone at once, and back as soon as it is made again", async () => {
    const ofB = walls.as(walls.gateway.through(walls.b.owner, B))
    assert.strictEqual((await ofB.ask("/api/v1/namespaces")).code, 200)
    rmSync(join(walls.gateway.folder, "b.yaml"))
    await until("its end", async () => {
      const reply = await ofB.ask("/api/v1/namespaces").catch(() => undefined)
      return reply === undefined || reply.code === 421
    })
    walls.gateway.write("b", manifestOf(walls.b, { secureServing: undefined }))
    const open = walls.as(walls.gateway.through({ ...walls.b.owner, caFile: walls.b.authority.caFile }, B))
    const secure = manifestOf(walls.b) as { readonly spec: { readonly secureServing: object } }
    walls.gateway.write("b", manifestOf(walls.b, { secureServing: { ...secure.spec.secureServing, serverNames: [] } }))
    await until("its return", async () => {
      const reply = await open.ask("/api/v1/namespaces").catch(() => undefined)
      return reply?.code === 200
    })
    const other = both("owner/O=owners")
    assert.strictEqual((await other.through.ask("/api/v1/namespaces")).code, 200, "the other one never noticed")
  })

  it("what is written once is there once, whatever happens to the endpoint meanwhile; and its loss is 503, never 401", async () => {
    const [endpoint] = walls.b.endpoints
    const ofB = walls.as(walls.gateway.through(walls.b.owner, B))
    const token = "token-of-owner"
    const { certFile: _cert, keyFile: _key, ...known } = walls.b.owner
    const byToken = walls.as(walls.gateway.through({ ...known, token }, B))
    const path = "/api/v1/namespaces/default/configmaps"
    const codes: Array<number> = []
    const write = async (at: number): Promise<void> => {
      const metadata = { generateName: "once-", labels: { once: `n${at}` } }
      const body = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata })
      codes[at] = await ofB.ask(path, { method: "POST", headers: JSON_BODY, body }).then(
        ({ code }) => code,
        () => 0
      )
    }
    const writing = Array.from({ length: 60 }, (_, at) =>
      new Promise((resolve) => setTimeout(resolve, at * 8)).then(() => write(at))
    )
    await new Promise((resolve) => setTimeout(resolve, 200))
    await endpoint?.kill()
    await Promise.all(writing)
    const lost = await byToken.ask("/api/v1/namespaces")
    assert.include([502, 503, 504], lost.code, lost.body.toString())
    await endpoint?.restart()
    await until("its return", async () => (await ofB.ask("/api/v1/namespaces").catch(() => undefined))?.code === 200)
    assert.strictEqual((await byToken.ask("/api/v1/namespaces")).code, 200, "the control")
    const { body } = await ofB.ask(path)
    const { items } = JSON.parse(body.toString()) as {
      readonly items: ReadonlyArray<{ readonly metadata: { readonly labels?: Readonly<Record<string, string>> } }>
    }
    const made = items.flatMap(({ metadata }) => metadata.labels?.["once"] ?? [])
    assert.strictEqual(new Set(made).size, made.length, "none is doubled")
    for (const [at, code] of codes.entries()) if (code === 201) assert.include(made, `n${at}`)
    assert.isAbove(codes.filter((code) => code === 201).length, 0)
    assert.isAbove(codes.filter((code) => code !== 201).length, 0, "some met the loss")
  }, 120_000)
})
