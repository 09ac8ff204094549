// The listener: one port for two protocols, plain HTTP over both, clear errors, keepalive rules and the two steps of goodbye.
import { Effect } from "effect"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import { connect as connectSocket, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConnectFailed, GrpcCode, type GrpcStatus, ListenFailed } from "../../core/net/index.ts"
import { Flag, FrameType, H2Error, maxWindow } from "../../core/net/Frame.ts"
import { call, type Fixture, startEcho } from "./EchoService.ts"
import { frame, grpcData, grpcHeaders, RawPeer } from "./RawPeer.ts"
import { judge } from "../Judges.ts"
import { run } from "./RealPrograms.ts"

const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const ping = frame(FrameType.Ping, 0, 0, Buffer.alloc(8))

describe("plain HTTP on the port of gRPC", () => {
  let fixture: Fixture
  let base: string
  beforeAll(async () => {
    fixture = await startEcho()
    base = `http://127.0.0.1:${fixture.listening.port}`
  })
  afterAll(() => fixture.close())

  it("HTTP/1.1: pages, bodies, keep-alive, HEAD", async () => {
    const page = await fetch(`${base}/health?x=1`)
    assert.deepEqual([page.status, await page.text()], [200, "GET /health?x=1\n"])
    const body = "b".repeat(100_000)
    const posted = await fetch(`${base}/post`, { method: "POST", body })
    assert.equal(await posted.text(), body)
    const head = await fetch(`${base}/health`, { method: "HEAD" })
    assert.deepEqual([head.headers.get("content-length"), await head.text()], ["13", ""])
    assert.equal((await (await fetch(`${base}/large`)).arrayBuffer()).byteLength, 1_048_576)
    const long = await fetch(`${base}/post`, { method: "POST", body: "b".repeat(1_048_577) })
    assert.equal(long.status, 413)
  })

  it("HTTP/2 by node:http2: the same pages", async () => {
    const session = http2.connect(base)
    const get = async (headers: http2.OutgoingHttpHeaders, body?: string): Promise<readonly [unknown, string]> => {
      const request = session.request(headers)
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.end(body)
      const [answer] = (await once(request, "response")) as [http2.IncomingHttpHeaders]
      await once(request, "close")
      return [answer[":status"], Buffer.concat(chunks).toString()]
    }
    assert.deepEqual(await get({ ":path": "/health" }), [200, "GET /health\n"])
    assert.deepEqual(await get({ ":method": "POST", ":path": "/p" }, "body"), [200, "body"])
    assert.deepEqual(await get({ ":method": "HEAD", ":path": "/p" }), [200, ""])
    assert.equal((await get({ ":path": "/large" }))[1].length, 1_048_576)
    assert.deepEqual((await get({ ":method": "POST", ":path": "/p" }, "b".repeat(1_048_577)))[0], 413)
    session.close()
  })

  it("a socket that dribbles the preface is understood; one that says nothing intelligible is closed", async () => {
    const socket = connectSocket(fixture.listening.port, "127.0.0.1")
    socket.write("P")
    await settle(10)
    socket.write("OST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    await once(socket, "close")
    assert.match(Buffer.concat(chunks).toString(), /200 OK[^]*hi$/)
    const noise = connectSocket(fixture.listening.port, "127.0.0.1")
    noise.write("\x16\x03\x01\x02\x00garbage\r\n\r\n")
    noise.on("error", () => {})
    noise.resume()
    await once(noise, "close")
  })

  it("curl with prior knowledge and without, nghttp, h2load", async () => {
    const curl = await judge("curl")
    const nghttp = await judge("nghttp")
    const h2load = await judge("h2load")
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      const { text } = await run(curl, ["-sS", version, `${base}/health`])
      assert.equal(text, "GET /health\n")
    }
    const { text: verbose } = await run(nghttp, ["-v", `${base}/large`])
    assert.match(verbose, /recv DATA frame[^]*; END_STREAM/)
    const { text: loaded } = await run(h2load, ["-n", "2000", "-c", "10", "-m", "20", `${base}/health`])
    assert.match(loaded, /2000 succeeded, 0 failed, 0 errored/)
  })
})

describe("a listener", () => {
  it("says in words why it cannot listen", async () => {
    const taken = createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as { port: number }
    const failed = await startEcho({ port }).catch((error: unknown) => error)
    assert.instanceOf(failed, ListenFailed)
    assert.equal(failed.code, "EADDRINUSE")
    assert.equal(
      failed.message,
      `cannot listen on 127.0.0.1:${port}: another process listens there already (EADDRINUSE)`
    )
    taken.close()
    const away = await startEcho({ host: "192.0.2.1" }).catch((error: unknown) => error)
    assert.match((away as Error).message, /no network interface of this machine has this address/)
  })

  it("serves a unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "net-unix-"))
    const unixPath = join(folder, "socket")
    const fixture = await startEcho({ unixPath })
    const client = await fixture.connect({ unixPath })
    const known = JSON.parse((await call(client, "/test.Echo/Info", "te")).toString()) as {
      peer: string
      header: string
    }
    assert.deepEqual([known.peer, known.header], ["@", "trailers"])
    await fixture.close()
    rmSync(folder, { recursive: true })
  })

  it("counts what it serves", async () => {
    const fixture = await startEcho()
    const client = await fixture.connect()
    for (let n = 0; n < 10; n++) await call(client, "/test.Echo/Unary", "x")
    const stats = fixture.listening.stats()
    assert.deepInclude(stats, { connectionsAccepted: 1, streamsOpened: 10, streamsActive: 0 })
    assert.isAbove(stats.bytesReceived, 200)
    assert.isAbove(stats.bytesSent, 200)
    assert.equal(fixture.listening.connections(), 1)
    await fixture.close()
    assert.equal(fixture.listening.connections(), 0)
  })

  it("a client is told in words why it cannot connect", async () => {
    const fixture = await startEcho()
    const refused = await fixture.connect({ port: 1 }).catch((error: unknown) => error)
    assert.instanceOf(refused, ConnectFailed)
    assert.equal(refused.message, "cannot connect to 127.0.0.1:1: nothing listens there (ECONNREFUSED)")
    const http1 = http.createServer().listen(0, "127.0.0.1")
    await once(http1, "listening")
    const { port } = http1.address() as { port: number }
    const wrong = await fixture.connect({ port, connectTimeoutMs: 500 }).catch((error: unknown) => error)
    assert.instanceOf(wrong, ConnectFailed)
    http1.close()
    await fixture.close()
  })
})

describe("keepalive", () => {
  it("three pings too soon are too many; what the server sends forgives", async () => {
    const fixture = await startEcho({ keepalive: { minClientIntervalMs: 60_000 } })
    const polite = await RawPeer.open(fixture.listening.port)
    for (let id = 1; id < 40; id += 2) {
      polite.send(grpcHeaders(id, "/test.Echo/Unary"), grpcData(id, Buffer.from("x")), ping)
      await polite.until((seen) => seen.id === id && (seen.flags & Flag.EndStream) !== 0)
    }
    await polite.roundTrip()
    assert.isFalse(polite.closed)
    polite.close()
    const rude = await RawPeer.open(fixture.listening.port)
    // The first comes after nothing was sent since the connection began; two strikes are tolerated.
    rude.send(ping, ping, ping, ping, ping)
    const { code, reason } = await rude.goAway()
    assert.deepEqual([code, reason], [H2Error.EnhanceYourCalm, "too_many_pings"])
    assert.equal(rude.frames.filter(({ type, flags }) => type === FrameType.Ping && flags === Flag.Ack).length, 3)
    rude.close()
    await fixture.close()
  })

  it("the server pings a silent client and drops one that does not answer", async () => {
    const fixture = await startEcho({ keepalive: { intervalMs: 30, timeoutMs: 30 } })
    const silent = await RawPeer.open(fixture.listening.port)
    await silent.until(({ type, flags }) => type === FrameType.Ping && flags === 0)
    const client = await fixture.connect()
    await once(silent.socket, "close")
    await settle(150)
    // Our own client answers pings by itself, so it is still there.
    assert.equal((await call(client, "/test.Echo/Unary", "alive")).toString(), "alive")
    await fixture.close()
  })

  it("the client pings too, and fails its calls when the server is gone without a word", async () => {
    const hole = createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => socket.write(frame(FrameType.Settings, 0, 0)))
    }).listen(0, "127.0.0.1")
    await once(hole, "listening")
    const { port } = hole.address() as { port: number }
    const fixture = await startEcho()
    const client = await fixture.connect({ port, keepalive: { intervalMs: 30, timeoutMs: 30 } })
    const status = await call(client, "/test.Echo/Unary", "x").catch((error: GrpcStatus) => error)
    assert.deepInclude(status, { code: GrpcCode.Unavailable })
    hole.close()
    await fixture.close()
  })
})

describe("goodbye", () => {
  it("comes in two steps: no new streams, open ones end, then the socket closes", async () => {
    const fixture = await startEcho()
    const peer = await RawPeer.open(fixture.listening.port)
    peer.send(grpcHeaders(1, "/test.Echo/Both"), grpcData(1, Buffer.from("a"), 0))
    await peer.until(({ type, id }) => type === FrameType.Data && id === 1)
    const drained = Effect.runPromise(fixture.listening.drain(5000))
    const first = await peer.goAway()
    assert.deepEqual([first.code, first.lastId], [H2Error.NoError, maxWindow])
    // A stream that crossed the first GOAWAY is still served.
    peer.send(grpcHeaders(3, "/test.Echo/Unary"), grpcData(3, Buffer.from("crossed")))
    await peer.until(({ type, id }) => type === FrameType.Data && id === 3)
    const { payload } = await peer.until(({ type, flags }) => type === FrameType.Ping && flags === 0)
    peer.send(frame(FrameType.Ping, Flag.Ack, 0, payload))
    await peer.until(({ type, payload: text }) => type === FrameType.GoAway && text.readUInt32BE(0) === 3)
    assert.isFalse(peer.closed)
    peer.send(grpcData(1, Buffer.from("b")))
    await peer.until(({ type, id, flags }) => type === FrameType.Headers && id === 1 && (flags & Flag.EndStream) !== 0)
    await once(peer.socket, "close")
    await drained
    await fixture.close()
  })

  it("lets open calls end in good order, at once", async () => {
    const fixture = await startEcho()
    const client = await fixture.connect()
    const heard: Array<string> = []
    const ended = new Promise<GrpcStatus>((resolve) => {
      const message = (bytes: Uint8Array): void => void heard.push(Buffer.from(bytes).toString())
      client.stream("/test.Echo/Watch", { message, end: resolve })
    })
    while (heard.length === 0) await settle(2)
    await Effect.runPromise(fixture.listening.drain(30_000))
    assert.deepEqual([heard, (await ended).code], [["first", "last"], GrpcCode.Ok])
    await fixture.close()
  })

  it("our client finishes what it has and calls no more", async () => {
    const fixture = await startEcho()
    const client = await fixture.connect()
    const ended = new Promise<GrpcStatus>((resolve) => {
      const stream = client.stream("/test.Echo/Both", { message: () => stream.halfClose(), end: resolve })
      setTimeout(() => stream.send(Buffer.from("x")), 50)
    })
    await settle(20)
    const drained = Effect.runPromise(fixture.listening.drain(5000))
    await settle(20)
    assert.isFalse(client.ready)
    const late = await call(client, "/test.Echo/Unary", "x").catch((error: GrpcStatus) => error)
    assert.deepInclude(late, { code: GrpcCode.Unavailable })
    assert.equal((await ended).code, GrpcCode.Ok)
    await drained
    await fixture.close()
  })

  it("ends what is left when the grace is over", async () => {
    const fixture = await startEcho()
    const client = await fixture.connect()
    const stuck = call(client, "/test.Echo/Unary", "~").catch((error: GrpcStatus) => error)
    await settle(10)
    await Effect.runPromise(fixture.listening.drain(50))
    assert.deepInclude(await stuck, { code: GrpcCode.Unavailable })
    await fixture.close()
  })
})
