// The gateway's own pages over a real socket: health for everyone, the rest for those who may see it, nothing for strangers' hosts.
import { Effect, Exit, Scope } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Authenticator, bearerTokens, staticTokens } from "#apiserver"
import { listen } from "#net"
import { AdminPages } from "../../../core/gateway/observe/AdminPages.ts"

const scope = Scope.makeUnsafe()
let url = ""
let well = true

beforeAll(async () => {
  const tokens = staticTokens('secret-one,root,1,"system:masters"\nsecret-two,alice,2,"people"\n')
  const pages = new AdminPages({
    authenticator: new Authenticator({ ways: [bearerTokens(tokens, [])], anonymous: false }),
    names: ["gateway.internal"],
    checks: [
      { name: "config", readinessOnly: true, check: () => (well ? undefined : "key=hunter2 is wrong") },
      { name: "alive", check: () => undefined }
    ],
    metrics: () => "x_total 1\n",
    version: { gitVersion: "v0" },
    debug: new Map([["flows", () => ({ flows: 3 })]]),
    strangers: (exchange) => exchange.respond(421, [], "misdirected\n")
  })
  const listening = await Effect.runPromise(
    Scope.provide(listen({ host: "127.0.0.1", port: 0, methods: [], exchange: pages.handler }), scope)
  )
  url = `http://127.0.0.1:${listening.port}`
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const ask = async (path: string, token?: string, method = "GET") => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const answer = await fetch(`${url}${path}`, { method, headers })
  return { status: answer.status, text: await answer.text() }
}

describe("the gateway's own pages", () => {
  it("tell everyone whether it is well, and nobody why not", async () => {
    for (const path of ["/healthz", "/livez", "/readyz"])
      assert.deepStrictEqual(await ask(path), { status: 200, text: "ok" })
    well = false
    const { status, text } = await ask("/readyz")
    assert.strictEqual(status, 500)
    assert.include(text, "[-]config failed: reason withheld")
    assert.notInclude(text, "hunter2")
    assert.strictEqual((await ask("/livez?verbose")).text, "[+]alive ok\nlivez check passed\n")
    assert.strictEqual((await ask("/readyz/alive")).status, 200)
    assert.strictEqual((await ask("/readyz/unknown")).status, 404)
    well = true
  })

  it("show the rest only to who proves to be of the right groups", async () => {
    for (const path of ["/metrics", "/version", "/debug/flows", "/debug/unknown", "/"]) {
      assert.strictEqual((await ask(path)).status, 401, path)
      assert.strictEqual((await ask(path, "made-up")).status, 401, path)
      assert.strictEqual((await ask(path, "secret-two")).status, 403, path)
    }
    assert.deepStrictEqual(await ask("/metrics", "secret-one"), { status: 200, text: "x_total 1\n" })
    assert.deepStrictEqual(JSON.parse((await ask("/debug/flows", "secret-one")).text), { flows: 3 })
    assert.strictEqual((await ask("/debug/unknown", "secret-one")).status, 404)
    assert.strictEqual((await ask("/metrics", "secret-one", "POST")).status, 405)
  })

  it("answer no host that is not the gateway's own", async () => {
    const { hostname, port } = new URL(url)
    const { request } = await import("node:http")
    const statusFor = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request({ hostname, port, path: "/healthz", headers: { host } }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
          .on("error", reject)
          .end()
      })
    assert.strictEqual(await statusFor("gateway.internal"), 200)
    assert.strictEqual(await statusFor("localhost:6443"), 200)
    assert.strictEqual(await statusFor("not-yet.example.io"), 421)
  })
})
