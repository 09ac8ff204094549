// Who is let in besides by a bearer token: a browser that asks its person for the token, and a client with a certificate; and the live
// filter, which a ConfigMap of the followed cluster holds.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent, get } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { expect, it } from "vitest"
import { defaultServerOptions, serveApiServer } from "#apiserver"
import { TracingAccess } from "#tracing"
import { caller } from "../../kube/RealApiServer.ts"
import { makeAuthority } from "../../net/Certificates.ts"
import { auditStream, eventList } from "../AuditStreams.ts"
import { auditToken, readToken, serve } from "../Served.ts"

const folders: Array<string> = []
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "wharf-access-"))
  folders.push(made)
  return made
}

const basic = (token: string): string => `Basic ${Buffer.from(`anybody:${token}`).toString("base64")}`

it("lets a person read in a browser with the token as the password, and no page write", async () => {
  const served = await serve()
  const ask = async (headers: Readonly<Record<string, string>>, method = "GET", path = "/"): Promise<Response> =>
    fetch(`http://127.0.0.1:${served.port}${path}`, { method, headers })
  const html = { accept: "text/html" }
  const asked = await ask(html)
  expect([asked.status, asked.headers.get("www-authenticate")?.split(" ")[0]]).toEqual([401, "Basic"])
  expect((await ask({})).headers.get("www-authenticate")).toBe("Bearer")
  const shown = await ask({ ...html, authorization: basic(readToken) })
  expect([shown.status, (await shown.text()).startsWith("<!doctype html>")]).toEqual([200, true])
  expect((await ask({ ...html, authorization: basic("wrong-token-0123456789") })).status).toBe(401)
  expect((await ask({ authorization: basic(auditToken) }, "POST", "/audit/prod")).status).toBe(401)
  await served.close()
})

it("knows a client by its certificate, and nobody by a stranger's", async () => {
  const [authority, strangers] = [makeAuthority(), makeAuthority()]
  const server = authority.sign("server", "localhost")
  const served = await serve({
    access: new TracingAccess({ tokens: "", open: false }),
    tls: { ...server, caFile: authority.caFile, clientAuth: "optional" }
  })
  const ca = readFileSync(authority.caFile)
  const codeFor = (identity: { readonly certFile: string; readonly keyFile: string } | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const own =
        identity === undefined ? {} : { cert: readFileSync(identity.certFile), key: readFileSync(identity.keyFile) }
      const sent = get(
        { host: "127.0.0.1", port: served.port, path: "/api/services", ca, agent: false, ...own },
        (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        }
      )
      sent.once("error", reject)
    })
  expect(await codeFor(undefined)).toBe(401)
  expect(await codeFor(authority.sign("ana", "ana"))).toBe(200)
  expect(await codeFor(strangers.sign("eve", "eve"))).toBe(401)
  await served.close()
  for (const { folder: made } of [authority, strangers]) rmSync(made, { recursive: true })
})

it("shows who may read one namespace nothing of the others, on no way", async () => {
  const scoped = "reader-of-shop-012345"
  const tokens = `${auditToken},prod,audit/prod\n${readToken},reader,read\n${scoped},shop,read/prod/shop read/other\n`
  const served = await serve({ access: new TracingAccess({ tokens, open: false }) })
  const own = auditStream([{ verb: "create", object: 2, afterUs: 1, code: 201, level: "RequestResponse" }])
  const moved = own.map((event) =>
    event.replaceAll('"namespace":"default"', '"namespace":"shop"').replace(/"auditID":"[^"]*/, '"auditID":"of-shop')
  )
  for (const some of [own, moved]) {
    expect((await served.ask("POST", "/audit/prod", { body: eventList(some), token: auditToken })).code).toBe(200)
  }
  const namespaces = async (token: string): Promise<ReadonlyArray<string>> => {
    const { body } = await served.ask(
      "GET",
      "/api/traces?service=audit&limit=50&start=1795651200000000&end=1795690000000000",
      { token }
    )
    return Array.from(body.matchAll(/"key":"namespace","type":"string","value":"([^"]*)"/g), ([, found]) => found)
  }
  expect(new Set(await namespaces(readToken))).toEqual(new Set(["default", "shop"]))
  expect(new Set(await namespaces(scoped))).toEqual(new Set(["shop"]))
  const { body: all } = await served.ask(
    "GET",
    "/api/traces?service=audit&limit=50&start=1795651200000000&end=1795690000000000",
    { token: readToken }
  )
  const codes = { default: new Set<number>(), shop: new Set<number>() }
  // SAFETY: the query API's own form.
  for (const { spans, traceID } of (JSON.parse(all) as { data: Array<{ traceID: string; spans: Array<object> }> })
    .data) {
    const { code } = await served.ask("GET", `/api/traces/${traceID}`, { token: scoped })
    codes[JSON.stringify(spans).includes('"value":"shop"') ? "shop" : "default"].add(code)
  }
  expect(codes).toEqual({ default: new Set([404]), shop: new Set([200]) })
  expect((await served.ask("GET", "/metrics", { token: scoped })).code).toBe(404)
  const { body: operations } = await served.ask("GET", "/api/services/object/operations", { token: scoped })
  expect(operations).not.toContain("pods/")
  await served.close()
})

const kubeconfigOf = (url: string, token: string): string => `apiVersion: v1
kind: Config
current-context: a
clusters: [{ name: a, cluster: { server: "${url}", insecure-skip-tls-verify: true } }]
users: [{ name: a, user: { token: ${token} } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
`

const events = auditStream([{ verb: "create", object: 2, afterUs: 1, code: 201, level: "RequestResponse" }])

it("follows the filter that a ConfigMap holds, keeps it when it is broken, and drops it when it is gone", async () => {
  const scope = Scope.makeUnsafe()
  const place = folder()
  const token = "of-a-test"
  writeFileSync(join(place, "tokens.csv"), `${token},admin,admin,"system:masters"\n`)
  const { url } = await Effect.runPromise(
    serveApiServer({
      ...defaultServerOptions,
      host: "127.0.0.1",
      port: 0,
      tokenAuthFile: join(place, "tokens.csv"),
      streams: undefined
    }).pipe(Scope.provide(scope))
  )
  const kubeconfig = join(place, "kubeconfig")
  writeFileSync(kubeconfig, kubeconfigOf(url, token))
  const said: Array<string> = []
  const served = await serve({
    config: {
      clusters: [{ name: "prod", kubeconfig, watch: ["nodes"] }],
      filters: { configMap: "default/kelemetry-filter-config" }
    },
    say: (line) => said.push(line)
  })
  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    for (let tries = 0; !(await holds()); tries++) {
      if (tries > 600) throw new Error(`waited in vain for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const dropped = async (): Promise<number> => {
    await served.ask("POST", "/audit/prod", { body: eventList(events), token: auditToken })
    const { body } = await served.ask("GET", "/metrics", { token: readToken })
    const found = /audit_events_dropped_total\{cluster="prod",reason="filter-regex"\} (\d+)/.exec(body)
    return Number(found?.[1] ?? 0)
  }
  const isFiltered = async (): Promise<boolean> => (await dropped()) < (await dropped())
  // SAFETY of refusing no certificate: the server made its own a moment ago, and nothing secret is sent.
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false })
  const call = async (method: string, path: string, body?: object): Promise<void> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
    const { code } = await caller(Number(new URL(url).port), agent)(method, path, { ...sent, headers })
    expect(code).toBeLessThan(300)
  }
  expect(await isFiltered()).toBe(false)
  const metadata = { name: "kelemetry-filter-config", namespace: "default" }
  const of = (regex: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { "exclude-regex": regex } })
  const collection = "/api/v1/namespaces/default/configmaps"
  await call("POST", collection, of("^/v1/pods/default/"))
  await until("the filter", isFiltered)
  await call("PUT", `${collection}/${metadata.name}`, of("(broken"))
  await until("a word about it", () => said.some((line) => line.includes("exclude-regex is no regular expression")))
  expect(await isFiltered()).toBe(true)
  await call("DELETE", `${collection}/${metadata.name}`)
  await until("no filter", async () => !(await isFiltered()))
  agent.destroy()
  await served.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  for (const made of folders) rmSync(made, { recursive: true })
})
