// What comes in at the door: hosts and server names, request targets octet for octet, and heads that could be read in two ways.
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import { once } from "node:events"
import * as http2 from "node:http2"
import { connect as connectSocket } from "node:net"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { requestInfo } from "../../../core/kube/index.ts"
import type { RequestFacts } from "../../../core/gateway/index.ts"
import { connectHttp } from "../../../core/net/index.ts"
import { askClient } from "../../net/HttpAsk.ts"
import { type Pair, Pki } from "./Pki.ts"
import { askOn, changed, clusterOf, everything, Gateway } from "./Rig.ts"
import { ScriptedUpstream } from "./ScriptedUpstream.ts"

let pki: Pki
let a: ScriptedUpstream
let b: ScriptedUpstream
let gateway: Gateway
let alice: Pair
let clusterA: ReturnType<typeof clusterOf>
let clusterB: ReturnType<typeof clusterOf>
let facts: Array<RequestFacts> = []

beforeAll(async () => {
  pki = await Pki.make("the one ca")
  const serving = await pki.sign({ name: "upstream", dns: ["upstream"] })
  a = await new ScriptedUpstream(serving).open()
  b = await new ScriptedUpstream(serving).open()
  gateway = await Gateway.open(await pki.sign({ name: "gateway" }))
  alice = await pki.sign({ name: "alice" })
  const policyOf = (seen: RequestFacts) => {
    facts.push(seen)
    return everything
  }
  const serveA = await pki.sign({ name: "serving a" })
  const { Redacted } = await import("effect")
  const keyPair = { cert: serveA.cert, key: Redacted.make(serveA.key) }
  const hosts = ["a.example", "alias.internal", "::1"]
  clusterA = clusterOf("a.example", [a.url], pki, { hosts, policyOf, serving: { keyPair } })
  clusterB = clusterOf("b.example", [b.url], pki, { hosts: ["b.example", "*.wild.example"] })
})
afterAll(async () => {
  await gateway.close()
  await a.kill()
  await b.kill()
})
beforeEach(async () => {
  gateway.snapshots.set(clusterA, clusterB)
  a.seen.length = 0
  b.seen.length = 0
  facts = []
  await gateway.ready()
})

const path = "/api/v1/pods"

describe("hosts and server names", () => {
  it("find their cluster by name, alias and wildcard, whatever their case, port or trailing dot", async () => {
    for (const host of [
      "a.example",
      "A.Example",
      "a.example:6443",
      "a.example.",
      "a.example.:6443",
      "alias.internal"
    ]) {
      const { status } = await gateway.ask(host, path, { client: alice, sni: "a.example" })
      assert.equal(status, 200, host)
    }
    assert.equal(a.seen.length, 6)
    const wild = await gateway.ask("x.wild.example", path, { client: alice })
    assert.equal(wild.status, 200)
    assert.equal(b.seen.length, 1)
    assert.equal((await gateway.ask("x.y.wild.example", path, { client: alice })).status, 421)
  })

  it("show each cluster's own certificate, else the gateway's", async () => {
    for (const [sni, name] of [
      ["a.example", "serving a"],
      ["ALIAS.internal", "serving a"],
      ["b.example", "gateway"],
      ["none.example", "gateway"]
    ] as const) {
      const socket = await gateway.tls(sni)
      assert.equal(socket.getPeerCertificate().subject.CN, name)
      socket.destroy()
    }
  })

  it("must agree: a connection for one cluster serves no other", async () => {
    const session = gateway.session("a.example", alice)
    const refused = await askOn(session, path, { headers: { ":authority": "b.example" } })
    assert.equal(refused.status, 421)
    assert.deepInclude(refused.json(), { kind: "Status", code: 421 })
    // The connection itself is fine.
    assert.equal((await askOn(session, path, { headers: { ":authority": "a.example" } })).status, 200)
    session.destroy()
    assert.equal((await gateway.ask("b.example", path, { client: alice, sni: "none.example" })).status, 421)
    assert.equal(b.seen.length, 0)
  })

  it("unknown are 421, and nothing is asked; a default cluster takes them", async () => {
    assert.equal((await gateway.ask("none.example", path, { client: alice })).status, 421)
    assert.equal((await gateway.ask("127.0.0.1", "/metrics", { client: alice, sni: "" })).status, 421)
    assert.equal((await gateway.ask("[::1]:443", path, { sni: "" })).status, 401)
    gateway.snapshots.set(clusterA, changed(clusterB, { isDefault: true }))
    assert.equal((await gateway.ask("none.example", path, { client: alice })).status, 200)
    assert.equal((await gateway.ask("127.0.0.1", path, { client: alice, sni: "" })).status, 401)
    assert.equal(a.seen.length, 0)
    assert.equal(b.seen.length, 1)
  })

  it("in any form of HTTP/1.1: absolute targets, two Hosts, none", async () => {
    const ask = async (head: string): Promise<number> => {
      const text = await gateway.raw("a.example", `${head}connection: close\r\n\r\n`, undefined, alice)
      return Number(/^HTTP\/1.1 (\d{3})/.exec(text)?.[1] ?? 0)
    }
    assert.equal(await ask(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n`), 200)
    assert.equal(await ask(`GET https://a.example${path}?x=1 HTTP/1.1\r\nHost: a.example\r\n`), 200)
    assert.equal(a.seen[1]?.path, `${path}?x=1`)
    const before = a.seen.length
    assert.equal(await ask(`GET https://b.example${path} HTTP/1.1\r\nHost: b.example\r\n`), 421)
    assert.equal(await ask(`GET https://a.example${path} HTTP/1.1\r\nHost: b.example\r\n`), 400)
    assert.equal(await ask(`GET ${path} HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n`), 400)
    assert.equal(await ask(`GET ${path} HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n`), 400)
    assert.equal(await ask(`GET ${path} HTTP/1.1\r\n`), 400)
    assert.equal(await ask(`GET ${path} HTTP/1.1\r\nHost: user@a.example\r\n`), 400)
    assert.equal(await ask(`OPTIONS * HTTP/1.1\r\nHost: a.example\r\n`), 400)
    assert.equal(a.seen.length, before)
    assert.equal(b.seen.length, 0)
  })

  it("say the same in :authority and Host", async () => {
    const tls = { insecure: true, serverName: "a.example", cert: alice.cert, key: alice.key }
    const scope = Scope.makeUnsafe()
    const opened = connectHttp({ host: "127.0.0.1", port: gateway.port, tls, authority: "a.example" })
    const client = await opened.pipe(Scope.provide(scope), Effect.runPromise)
    const ask = (host: string) => askClient(client, "GET", path, undefined, { fields: [["host", host]] })
    assert.equal((await ask("b.example")).status, 400)
    assert.equal((await ask("a.example")).status, 200)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("before there is any configuration the answer is 503, soon to be asked again", async () => {
    const young = await Gateway.open(await pki.sign({ name: "gateway" }))
    const answer = await young.ask("a.example", path)
    assert.equal(answer.status, 503)
    assert.equal(answer.headers["retry-after"], "1")
    assert.isFalse(young.running.ready())
    await young.close()
  })

  it("a cluster that denies everything answers 429 without a time to come back", async () => {
    gateway.snapshots.set(changed(clusterA, { features: { DenyAllRequests: true } }), clusterB)
    const answer = await gateway.ask("a.example", path, { client: alice })
    assert.equal(answer.status, 429)
    assert.isUndefined(answer.headers["retry-after"])
    assert.equal(a.seen.length, 0)
  })

  it("CloseConnectionWhenIdle says goodbye on the connection and still answers", async () => {
    gateway.snapshots.set(changed(clusterA, { features: { CloseConnectionWhenIdle: true } }), clusterB)
    const session = gateway.session("a.example", alice)
    const goodbye = once(session, "goaway")
    assert.equal((await askOn(session, path, { headers: { ":authority": "a.example" } })).status, 200)
    await goodbye
  })

  it("a client that says nothing of TLS, or an incomplete hello, is dropped and harms nobody", async () => {
    const socket = connectSocket(gateway.port, "127.0.0.1")
    socket.on("error", () => {})
    socket.write(Buffer.from([22, 3, 1, 0, 200, 1, 0, 0]))
    socket.end()
    await once(socket, "close")
    assert.equal((await gateway.ask("a.example", path, { client: alice })).status, 200)
    assert.deepEqual(gateway.defects, [])
  })
})

describe("targets", () => {
  const targets = [
    "/api/v1/namespaces/a%2Fb/pods/x",
    "/api//v1/pods",
    "//api/v1/pods",
    "/api/v1/pods;v=1",
    "/api/v1/pods?labelSelector=a%2Bb+c&labelSelector=d&&=&x",
    "/api/v1/../../etc",
    "/api/v1/namespaces/n/pods/p/proxy/",
    "/api/v1/namespaces/n/services/https:s:1/proxy/a//b/?q=%zz",
    "/apis/apps/v1/namespaces/x/deployments/%64eploy",
    "/api/v1/pods#frag",
    "/?%",
    "/a%20b~!$&'()*,;=:@"
  ]

  it.each(targets)("%s goes on octet for octet, and is judged by the same octets", async (target) => {
    const answer = await gateway.ask("a.example", target, { client: alice })
    assert.equal(answer.status, 200)
    assert.equal(a.seen[0]?.path, target)
    assert.deepEqual(facts[0]?.info, requestInfo("GET", target))
  })

  it("of any octets go on as they are, or not at all", async () => {
    const session = gateway.session("a.example", alice)
    const target = fc.oneof(
      fc.stringMatching(/^\/(api|apis)(\/[!-~]{0,8}){0,6}(\?[!-~]{0,20})?$/),
      fc.stringMatching(/^\/[\x20-\xff]{0,30}$/)
    )
    const met = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(target, async (text) => {
        a.seen.length = 0
        facts = []
        const { status } = await askOn(session, text, { headers: { ":authority": "a.example" } }).catch(() => ({
          status: 0
        }))
        met.set(status, (met.get(status) ?? 0) + 1)
        if (status !== 200) return assert.equal(a.seen.length, 0)
        assert.equal(a.seen[0]?.path, text)
        assert.deepEqual(facts[0]?.info, requestInfo("GET", text))
      }),
      { numRuns: 150 }
    )
    assert.isAbove(met.get(200) ?? 0, 20)
    session.destroy()
  })
})

describe("heads over HTTP/1.1", () => {
  const body = "connection: close\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a.example\r\n\r\n"
  const crafted: ReadonlyArray<readonly [string, string]> = [
    ["content-length beside transfer-encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"],
    ["two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"],
    ["a length that is none", "Content-Length: +5\r\n"],
    ["an encoding that hides the end", "Transfer-Encoding: chunked, identity\r\n"],
    ["an obscured encoding", "Transfer-Encoding:\x0bchunked\r\n"],
    ["a folded line", "X-A: b\r\n c\r\n"],
    ["a space before the colon", "Content-Length : 5\r\n"],
    ["a bare line feed", "X-A: b\nTransfer-Encoding: chunked\r\n"],
    ["a NUL", "X-A: b\0c\r\n"]
  ]
  it.each(crafted)("%s is refused and smuggles nothing", async (_, fields) => {
    const head = `POST ${path} HTTP/1.1\r\nhost: a.example\r\n${fields}`
    const text = await gateway.raw("a.example", head + body, undefined, alice)
    assert.match(text, /^(HTTP\/1.1 400 .*)?$/ms)
    assert.isFalse(a.seen.some((seen) => seen.path === "/smuggled" || seen.path === path))
  })

  it("a proper body is no smuggling", async () => {
    const fields = "Transfer-Encoding: chunked\r\nconnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    const text = await gateway.raw(
      "a.example",
      `POST ${path} HTTP/1.1\r\nhost: a.example\r\n${fields}`,
      undefined,
      alice
    )
    assert.match(text, /^HTTP\/1.1 200 /)
    assert.equal(a.seen[0]?.body, "hello")
  })

  it("of many requests on one connection are answered in order", async () => {
    const one = (n: number): string => `GET ${path}?n=${n} HTTP/1.1\r\nhost: a.example\r\n\r\n`
    const text = await gateway.raw(
      "a.example",
      [1, 2, 3].map(one).join(""),
      (seen) => seen.split("HTTP/1.1 200").length > 3,
      alice
    )
    assert.equal(text.split("HTTP/1.1 200").length, 4)
    assert.deepEqual(
      a.seen.map((seen) => seen.path),
      [1, 2, 3].map((n) => `${path}?n=${n}`)
    )
  })

  it("with bombs of fields are refused, over both protocols", async () => {
    const many = Array.from({ length: 3000 }, (_, n) => `x-${n}: ${"y".repeat(40)}\r\n`).join("")
    const text = await gateway.raw(
      "a.example",
      `GET ${path} HTTP/1.1\r\nhost: a.example\r\n${many}\r\n`,
      undefined,
      alice
    )
    assert.match(text, /^(HTTP\/1.1 431 .*)?$/ms)
    const headers: http2.OutgoingHttpHeaders = { ":authority": "a.example", "x-large": "y".repeat(70_000) }
    const session = gateway.session("a.example", alice, { maxSendHeaderBlockLength: 1_000_000 })
    const answer = await askOn(session, path, { headers }).catch((error: Error) => error)
    assert.isTrue(answer instanceof Error || answer.status === 431 || answer.rst !== 0)
    assert.equal(a.seen.length, 0)
  })
})

describe("what the gateway says itself", () => {
  it("is a Status as JSON, and in Protocol Buffers for those who ask for that first", async () => {
    const json = await gateway.ask("a.example", path, { headers: { accept: "application/json" } })
    assert.equal(json.headers["content-type"], "application/json")
    assert.deepInclude(json.json(), { kind: "Status", status: "Failure", code: 401, reason: "Unauthorized" })
    const accept = "application/vnd.kubernetes.protobuf, application/json"
    const session = gateway.session("a.example")
    const stream = session.request({ ":path": path, ":authority": "a.example", accept })
    const chunks: Array<Buffer> = []
    stream.on("data", (chunk: Buffer) => chunks.push(chunk))
    const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders]
    await once(stream, "close")
    assert.equal(head["content-type"], "application/vnd.kubernetes.protobuf")
    const { decodeProtobuf } = await import("../../../core/apiserver/http/ProtobufBody.ts")
    const decoded = decodeProtobuf(Buffer.concat(chunks), "Status") as { value: object }
    assert.deepInclude(decoded.value, { kind: "Status", status: "Failure", code: 401, reason: "Unauthorized" })
    session.destroy()
  })

  it("is nothing of a request that no policy matches but 403", async () => {
    gateway.snapshots.set(changed(clusterA, { policyOf: () => undefined }), clusterB)
    const answer = await gateway.ask("a.example", path, { client: alice })
    assert.equal(answer.status, 403)
    assert.equal(a.seen.length, 0)
  })
})
