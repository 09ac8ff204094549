// Connections that change their protocol: octets through, both ways, to their end; refusals that can be read; with either proof of the
// gateway.
import { Redacted } from "effect"
import type { TLSSocket } from "node:tls"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { type Pair, Pki } from "./Pki.ts"
import { changed, clusterOf, eventually, Gateway } from "./Rig.ts"
import { ScriptedUpstream } from "./ScriptedUpstream.ts"

const exec = "/api/v1/namespaces/n/pods/p/exec?command=sh&stdin=true"

describe("a tunnel", () => {
  let pki: Pki
  let alice: Pair
  let gateway: Gateway
  let upstream: ScriptedUpstream
  let cluster: ReturnType<typeof clusterOf>

  beforeAll(async () => {
    pki = await Pki.make("the one ca")
    alice = await pki.sign({ name: "alice" })
    gateway = await Gateway.open(await pki.sign({ name: "gateway" }))
    upstream = await new ScriptedUpstream(await pki.sign({ name: "upstream", dns: ["upstream"] }), pki.ca).open()
    cluster = clusterOf("a.example", [upstream.url], pki)
  })
  afterAll(async () => {
    await gateway.close()
    await upstream.kill()
  })
  beforeEach(async () => {
    upstream.seen.length = 0
    upstream.onUpgrade = (seen, socket) => {
      const [protocol = ""] = seen.values("upgrade")
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\nx-k: v\r\n\r\n`)
      socket.on("data", (chunk: Buffer) => socket.write(chunk))
      socket.on("end", () => socket.end())
    }
    gateway.snapshots.set(cluster)
    await gateway.ready()
  })

  const head = (protocol: string, more = ""): string =>
    `POST ${exec} HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\ncontent-length: 0\r\n${more}\r\n`

  /** Opens one and waits for the head of the answer. */
  const open = async (
    text: string,
    client: Pair | Record<string, never> = alice
  ): Promise<{ socket: TLSSocket; seen: () => string }> => {
    const socket = await gateway.tls("a.example", client)
    let seen = ""
    socket.on("data", (chunk: Buffer) => (seen += chunk.toString("latin1")))
    socket.write(text)
    await eventually(() => seen.includes("\r\n\r\n"), "the head came")
    return { socket, seen: () => seen }
  }

  it.each(["SPDY/3.1", "websocket"])(
    "of %s carries octets both ways until one side ends, for a token and for a certificate",
    async (protocol) => {
      const pair = await pki.sign({ name: "the gateway itself" })
      const keyPair = { cert: pair.cert, key: Redacted.make(pair.key) }
      for (const next of [cluster, changed(cluster, { client: { token: undefined, keyPair } })]) {
        upstream.seen.length = 0
        gateway.snapshots.set(next)
        const { seen, socket } = await open(head(protocol, "x-stream-protocol-version: v4.channel.k8s.io\r\n"))
        assert.match(seen(), /^HTTP\/1.1 101 /)
        assert.include(seen().toLowerCase(), `upgrade: ${protocol.toLowerCase()}`)
        const [asked] = upstream.seen
        assert.equal(asked?.path, exec)
        assert.deepEqual(asked?.values("impersonate-user"), ["alice"])
        assert.deepEqual(asked?.values("x-stream-protocol-version"), ["v4.channel.k8s.io"])
        if (next === cluster) assert.deepEqual(asked?.values("authorization"), ["Bearer gateway-token"])
        else assert.equal(asked?.shownBy, "the gateway itself")
        const start = seen().length
        const octets = Buffer.alloc(3_000_000, "0123456789")
        socket.write(octets)
        await eventually(() => seen().length >= start + octets.length, "all octets came back")
        assert.equal(seen().slice(start), octets.toString("latin1"))
        socket.end()
        await eventually(() => socket.destroyed, "the tunnel ended")
      }
    }
  )

  it("takes a bearer token out of a websocket's subprotocols", async () => {
    upstream.whoIs = (token) =>
      token === "s3cret" ? { authenticated: true, user: { username: "bob" } } : { authenticated: false }
    const shown = `base64url.bearer.authorization.k8s.io.${Buffer.from("s3cret").toString("base64url")}`
    const { seen, socket } = await open(
      head("websocket", `sec-websocket-protocol: ${shown}, v5.channel.k8s.io\r\n`),
      {}
    )
    assert.match(seen(), /^HTTP\/1.1 101 /)
    const [asked] = upstream.seen
    assert.deepEqual(asked?.values("sec-websocket-protocol"), ["v5.channel.k8s.io"])
    assert.deepEqual(asked?.values("impersonate-user"), ["bob"])
    socket.destroy()
    const alone = await open(head("websocket", `sec-websocket-protocol: ${shown}\r\n`), {})
    assert.match(alone.seen(), /^HTTP\/1.1 400 /)
    alone.socket.destroy()
  })

  it("that the endpoint refuses says why", async () => {
    upstream.onUpgrade = undefined
    const { seen, socket } = await open(head("SPDY/3.1"))
    assert.match(seen(), /^HTTP\/1.1 403 /)
    await eventually(() => seen().endsWith("not you"), "the reason came")
    socket.destroy()
  })

  it("that nobody proven asks for is 401, and no endpoint hears of it", async () => {
    const { seen, socket } = await open(head("SPDY/3.1"), {})
    assert.match(seen(), /^HTTP\/1.1 401 /)
    assert.include(seen(), '"kind":"Status"')
    assert.equal(upstream.seen.length, 0)
    socket.destroy()
  })

  it("ends with its client, with its endpoint, and with its cluster", async () => {
    const ends: Array<() => void> = []
    let gone = 0
    upstream.onUpgrade = (_, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\n")
      socket.resume()
      socket.on("close", () => gone++)
      ends.push(() => socket.destroy())
    }
    const first = await open(head("SPDY/3.1"))
    first.socket.destroy()
    await eventually(() => gone === 1, "the endpoint's side ended")
    const second = await open(head("SPDY/3.1"))
    ends[1]?.()
    await eventually(() => second.socket.destroyed, "the client's side ended")
    gateway.snapshots.set((cluster = changed(cluster, { timeouts: { drainMs: 300 } })))
    const third = await open(head("SPDY/3.1"))
    gateway.snapshots.set()
    await eventually(() => third.socket.destroyed && gone === 3, "both sides ended")
    assert.deepEqual(gateway.defects, [])
  })
})
