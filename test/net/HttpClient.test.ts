// Our HTTP client against our own server and node's: both protocols, bodies both ways, every kind of end, proxies, upgrades.
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import {
  ConnectFailed,
  connectHttp,
  type ConnectHttpOptions,
  type HttpClient,
  type HttpExchange,
  upgradeHttp
} from "../../core/net/index.ts"
import { FrameType, H2Error } from "../../core/net/Frame.ts"
import { type Authority, makeAuthority } from "./Certificates.ts"
import { type Fixture, startEcho } from "./EchoService.ts"
import { exchangeService, newLog } from "./ExchangeService.ts"
import { AskFailed, askClient, type Collected } from "./HttpAsk.ts"
import { frame } from "./RawPeer.ts"

const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits, for at most two seconds, until something is true. */
const eventually = async (isTrue: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 400 && !isTrue(); turn++) await settle(5)
  assert.isTrue(isTrue())
}

/** No piece of it looks like another. */
const pattern = Buffer.from(Array.from({ length: 251 }, (_, n) => (n * n + n) % 251))

let scope = Scope.makeUnsafe()
const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.provideService(effect, Scope.Scope, scope))
const connectTo = (port: number, more: Partial<ConnectHttpOptions> = {}): Promise<HttpClient> =>
  inScope(connectHttp({ host: "127.0.0.1", port, ...more }))
afterEach(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  scope = Scope.makeUnsafe()
})

const protocols = ["h2", "http/1.1"] as const
const errorOf = (ask: Promise<Collected>): Promise<AskFailed> =>
  ask.then(
    () => assert.fail("an answer came"),
    (error: AskFailed) => error
  )

const log = newLog()
let fixture: Fixture
beforeAll(async () => {
  fixture = await startEcho({ exchange: exchangeService(log) })
})
afterAll(() => fixture.close())

describe("lists of fields that are sent again and again", () => {
  const name = fc.constantFrom("accept", "user-agent", "x-one", "x-two", "authorization", "etag")
  const fields = fc.array(fc.tuple(name, fc.stringMatching(/^[a-z0-9]{1,30}$/)), { maxLength: 6 })
  const asked = fc.record({ list: fc.nat(3), repeats: fc.boolean(), path: fc.nat(5) })

  it("reach a server of another make as they are, whatever goes out between them", async () => {
    const server = http2.createServer((request, response) => {
      const { rawHeaders, url } = request
      const pairs = rawHeaders.flatMap((text, at) => (at % 2 === 0 ? [[text, rawHeaders[at + 1] ?? ""]] : []))
      response.end(JSON.stringify([url, pairs.filter(([header]) => !header?.startsWith(":"))]))
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    await fc.assert(
      fc.asyncProperty(
        fc.array(fields, { minLength: 4, maxLength: 4 }),
        fc.array(asked, { minLength: 20, maxLength: 60 }),
        async (lists, all) => {
          const client = await connectTo(port, { protocol: "h2" })
          // Some at once, some in later writes, whose memory held something else before.
          for (let from = 0; from < all.length; from += 3) {
            const some = all.slice(from, from + 3)
            const answers = await Promise.all(
              some.map(({ list, path, repeats }) =>
                askClient(client, "GET", `/${path}`, undefined, { fields: lists[list] ?? [], repeats })
              )
            )
            assert.deepEqual(
              answers.map(({ body }) => JSON.parse(body.toString())),
              some.map(({ list, path }) => [`/${path}`, lists[list]])
            )
          }
          client.close()
        }
      ),
      { numRuns: 30 }
    )
    server.close()
  })
})

describe.each(protocols)("a client over %s", (protocol) => {
  const connect = (more: Partial<ConnectHttpOptions> = {}): Promise<HttpClient> =>
    connectTo(fixture.listening.port, { protocol, ...more })

  it("asks again and again on one connection", async () => {
    const client = await connect()
    assert.equal(client.protocol, protocol)
    for (let turn = 0; turn < 20; turn++) {
      const { status, body, fields } = await askClient(client, "GET", "/page")
      assert.deepEqual([status, body.toString()], [200, "säge\n"])
      assert.deepEqual(
        fields.find(([name]) => name === "content-type"),
        ["content-type", "text/plain"]
      )
      await eventually(() => client.ready)
    }
    const counted = await askClient(client, "POST", "/count", Buffer.alloc(1_000_000, 4))
    assert.equal(counted.body.toString(), "1000000 bytes of 4\n")
    await eventually(() => client.activeRequests === 0)
    const head = await askClient(client, "HEAD", "/page")
    assert.deepEqual([head.body.length, head.fields.find(([name]) => name === "content-length")?.[1]], [0, "6"])
    await eventually(() => client.ready)
    const { trailers } = await askClient(client, "POST", "/echo", Buffer.from("abc"))
    assert.deepEqual(trailers, [["x-bytes", "3"]])
    await eventually(() => client.ready)
    const tell = await askClient(client, "GET", "/tell", undefined, {
      authority: "who.test",
      fields: [["accept", "a/b"]]
    })
    assert.deepInclude(JSON.parse(tell.body.toString()), { host: "who.test", accept: "a/b" })
  })

  it("a request without a body says so at once", async () => {
    const seen: Array<string | undefined> = []
    const other = await startEcho({
      exchange: (exchange: HttpExchange) => {
        let inCall = true
        exchange.readBody(10, () => seen.push(inCall ? "at once" : "later"))
        inCall = false
        exchange.respond(200, [], "ok")
      }
    })
    const client = await connectTo(other.listening.port, { protocol })
    await askClient(client, "GET", "/")
    if (protocol === "h2") assert.deepEqual(seen, ["at once"])
    await other.close()
  })

  it("takes an early answer and leaves the rest of its body", async () => {
    const client = await connect()
    const { status } = await askClient(client, "POST", "/refuse", Buffer.alloc(8_000_000))
    assert.equal(status, 403)
    await eventually(() => client.activeRequests === 0)
    if (protocol === "h2") assert.equal((await askClient(client, "GET", "/page")).status, 200)
  })

  it("cancels, and hears nothing more; the server hears of it", async () => {
    const client = await connect()
    const before = log.closes
    const heard: Array<string> = []
    const request = client.request(
      { method: "GET", path: "/watch", fields: [] },
      {
        head: () => heard.push("head"),
        body: () => {
          heard.push("body")
          request.cancel()
        },
        end: () => heard.push("end"),
        failed: () => heard.push("failed")
      }
    )
    request.end()
    await eventually(() => log.closes === before + 1)
    await eventually(() => client.activeRequests === 0)
    assert.deepEqual(heard, ["head", "body"])
    await eventually(() => fixture.listening.stats().streamsActive === 0)
  })

  it("cancelling at any moment leaks nothing on either side", async () => {
    // Over HTTP/1.1 the client's end lies behind a body that a handler does not read, so there is no silent one here.
    const paths = ["/echo", "/download?100-50000", "/count", "/watch", "/refuse", "/page"]
    let client = await connect()
    for (let round = 0; round < 70; round++) {
      // Over HTTP/1.1 a cancelled request takes its connection along.
      if (!client.ready) client = await connect()
      let over = false
      const end = (): void => {
        over = true
      }
      const listener = { head: () => {}, body: () => {}, end, failed: end }
      const request = client.request({ method: "POST", path: paths[round % paths.length], fields: [] }, listener)
      if (round % 3 > 0) request.write(Buffer.alloc(round * 5000))
      if (round % 3 === 2) request.end()
      if (round % 5 > 0) await settle(round % 5)
      request.cancel()
      assert.isFalse(request.write(Buffer.from("more")))
      const asCancelled = over
      await new Promise(setImmediate)
      assert.equal(over, asCancelled)
    }
    await eventually(() => client.activeRequests === 0)
    client.close()
    await eventually(() => fixture.listening.stats().streamsActive === 0)
    await eventually(() => fixture.listening.connections() === 0)
  })

  it("fails an answer that breaks off, and what is open when it closes", async () => {
    const client = await connect()
    const broken = await errorOf(askClient(client, "GET", "/break"))
    assert.deepEqual([broken.sent, broken.message.length > 0], [true, true])
    const second = await connect()
    let closed = 0
    second.onClose = () => closed++
    const open = errorOf(askClient(second, "GET", "/silent"))
    await settle(10)
    second.close()
    assert.isTrue((await open).sent)
    await eventually(() => closed === 1)
    assert.isFalse(second.ready)
    assert.isFalse((await errorOf(askClient(second, "GET", "/page"))).sent)
  })

  it("closes when the last request has ended", async () => {
    const client = await connect()
    const large = askClient(client, "GET", "/download?100-50000")
    client.closeWhenIdle()
    assert.isFalse(client.ready)
    assert.equal((await large).body.length, 5_000_000)
    await eventually(() => fixture.listening.connections() === 0)
  })

  it("pauses: the server is held up, and nothing is lost", async () => {
    const client = await connect()
    let bytes = 0
    let mostAtOnce = 0
    await new Promise<void>((resolve, reject) => {
      let sincePause = 0
      const request = client.request(
        { method: "GET", path: "/download?300-100000", fields: [] },
        {
          head: () => request.pause(),
          body: (chunk) => {
            bytes += chunk.length
            sincePause += chunk.length
            mostAtOnce = Math.max(mostAtOnce, sincePause)
            if (sincePause < 1_000_000) return
            sincePause = 0
            request.pause()
            setImmediate(() => request.resume())
          },
          end: () => resolve(),
          failed: reject
        }
      )
      request.end()
      setTimeout(() => {
        assert.equal(bytes, 0)
        request.resume()
      }, 50)
    })
    assert.equal(bytes, 30_000_000)
    // A pause holds from the next chunk on.
    assert.isBelow(mostAtOnce, 1_100_000)
  })

  it("random bodies in random pieces with random pauses arrive intact both ways", async () => {
    const client = await connect()
    const piece = fc.record({ size: fc.oneof(fc.nat(40), fc.nat(20_000), fc.nat(200_000)), pause: fc.nat(6) })
    const pauses = fc.array(fc.nat(4), { maxLength: 20 })
    const property = fc.asyncProperty(fc.array(piece, { maxLength: 20 }), pauses, async (pieces, rests) => {
      const sent: Array<Buffer> = []
      const got: Array<Buffer> = []
      let chunkNumber = 0
      let waiting: (() => void) | undefined
      let request: ReturnType<HttpClient["request"]> | undefined
      const ended = new Promise<void>((resolve, reject) => {
        request = client.request(
          { method: "POST", path: "/echo", fields: [] },
          {
            head: () => {},
            body: (bytes) => {
              got.push(Buffer.from(bytes))
              const rest = rests[chunkNumber++ % Math.max(1, rests.length)] ?? 0
              if (rest < 3) return
              request?.pause()
              setTimeout(() => request?.resume(), rest)
            },
            end: () => resolve(),
            failed: reject,
            drain: () => waiting?.()
          }
        )
      })
      for (const { size, pause } of pieces) {
        const bytes = Buffer.alloc(size, pattern.subarray(sent.length))
        sent.push(Buffer.from(bytes))
        if (request?.write(bytes) === false) await new Promise<void>((resolve) => (waiting = resolve))
        if (pause > 4) await settle(pause - 4)
        else if (pause === 4) await new Promise(setImmediate)
      }
      request?.end()
      await ended
      assert.isTrue(Buffer.concat(got).equals(Buffer.concat(sent)))
      await eventually(() => client.ready)
    })
    await fc.assert(property, { numRuns: 30 })
    await eventually(() => fixture.listening.stats().streamsActive === 0)
  })
})

describe("HTTP/2", () => {
  it("runs many requests at once", async () => {
    const client = await connectTo(fixture.listening.port, { protocol: "h2" })
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => askClient(client, "POST", "/count", Buffer.alloc(n, 1)))
    )
    answers.forEach(({ body }, n) => assert.match(body.toString(), new RegExp(`^${n} bytes`)))
  })

  it("a goodbye ends with what is open, and what was not taken may be asked again elsewhere", async () => {
    const sockets: Array<Socket> = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on("error", () => {})
      socket.once("data", () => socket.write(frame(FrameType.Settings, 0, 0)))
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    const client = await connectTo((server.address() as AddressInfo).port, { protocol: "h2" })
    const first = errorOf(askClient(client, "GET", "/1"))
    const second = errorOf(askClient(client, "GET", "/2"))
    await settle(20)
    const goodbye = Buffer.alloc(8)
    goodbye.writeUInt32BE(1, 0)
    sockets[0].write(frame(FrameType.GoAway, 0, 0, goodbye))
    assert.isFalse((await second).sent)
    assert.isFalse(client.ready)
    assert.isFalse((await errorOf(askClient(client, "GET", "/3"))).sent)
    sockets[0].write(frame(FrameType.RstStream, 0, 1, Buffer.from([0, 0, 0, H2Error.RefusedStream])))
    assert.isFalse((await first).sent)
    server.close()
  })

  it("knows when streams run out", async () => {
    const few = await startEcho({ exchange: exchangeService(newLog()), maxConcurrentStreams: 2 })
    const client = await connectTo(few.listening.port, { protocol: "h2" })
    const open = [errorOf(askClient(client, "GET", "/silent")), errorOf(askClient(client, "GET", "/silent"))]
    assert.deepEqual([client.ready, client.activeRequests], [false, 2])
    assert.isFalse((await errorOf(askClient(client, "GET", "/page"))).sent)
    client.close()
    await Promise.all(open)
    await few.close()
  })

  it("asks node:http2", async () => {
    const server = http2.createServer((request, response) => {
      response.writeHead(201, { "x-method": request.method })
      request.pipe(response)
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const client = await connectTo((server.address() as AddressInfo).port, { protocol: "h2" })
    const body = Buffer.alloc(3_000_000, 9)
    const answer = await askClient(client, "PUT", "/", body)
    assert.deepEqual([answer.status, answer.body.equals(body)], [201, true])
    assert.deepEqual(answer.fields.find(([name]) => name === "x-method")?.[1], "PUT")
    client.close()
    server.close()
  })
})

describe("HTTP/1.1", () => {
  it("asks node:http, and sees that the server ends the connection", async () => {
    const server = http.createServer((request, response) => {
      if (request.url === "/last") response.shouldKeepAlive = false
      request.pipe(response)
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const client = await connectTo((server.address() as AddressInfo).port)
    assert.equal(client.protocol, "http/1.1")
    assert.equal((await askClient(client, "POST", "/", Buffer.from("x"))).body.toString(), "x")
    await eventually(() => client.ready)
    const busy = askClient(client, "POST", "/last", Buffer.from("y"))
    assert.deepEqual([client.ready, client.activeRequests], [false, 1])
    assert.isFalse((await errorOf(askClient(client, "GET", "/"))).sent)
    assert.equal((await busy).body.toString(), "y")
    await settle(20)
    assert.isFalse(client.ready)
    server.close()
  })

  it("upgrades to a socket, or tells what the server said instead", async () => {
    const options = { host: "127.0.0.1", port: fixture.listening.port }
    const fields = [
      ["connection", "Upgrade"],
      ["upgrade", "test/1"]
    ] as const
    const up = await inScope(upgradeHttp(options, { method: "POST", path: "/upgrade", fields }))
    assert.equal(up.status, 101)
    assert.deepEqual(up.fields.find(([name]) => name === "upgrade")?.[1], "test/1")
    up.socket?.write("shout")
    const [bytes] = (await once(up.socket!, "data")) as [Buffer]
    assert.equal(bytes.toString(), "SHOUT")
    const refused = await inScope(upgradeHttp(options, { method: "POST", path: "/refuse", fields }))
    assert.deepEqual([refused.status, refused.socket], [403, undefined])
    assert.equal(Buffer.from(refused.body ?? []).toString(), "forbidden\n")
  })
})

describe("ways to a server", () => {
  let authority: Authority
  beforeAll(() => {
    authority = makeAuthority()
  })
  afterAll(() => rmSync(authority.folder, { recursive: true }))

  it("TLS agrees on a protocol, shows certificates, and can be told to trust anybody", async () => {
    const files = authority.sign("server", "server")
    const mine = authority.sign("client", "bob/O=dev")
    const [ca, cert, key] = [authority.caFile, mine.certFile, mine.keyFile].map((file) => readFileSync(file, "utf8"))
    const tls = { ...files, caFile: authority.caFile, clientAuth: "optional" } as const
    const server = await startEcho({ tls, exchange: exchangeService(newLog()) })
    const { port } = server.listening
    for (const protocol of protocols) {
      const shown = { tls: { ca, cert, key, serverName: "localhost" } }
      const client = await connectTo(port, protocol === "h2" ? shown : { ...shown, protocol })
      assert.equal(client.protocol, protocol)
      const seen = JSON.parse((await askClient(client, "GET", "/tell")).body.toString()) as Record<string, unknown>
      assert.deepInclude(seen["certificate"], { commonName: "bob", organizations: ["dev"] })
      assert.deepInclude(seen, { serverName: "localhost", secure: true, host: `127.0.0.1:${port}` })
    }
    const failed = await connectTo(port, { tls: {} }).catch((error: unknown) => error)
    assert.instanceOf(failed, ConnectFailed)
    const trusting = await connectTo(port, { tls: { insecure: true } })
    assert.equal((await askClient(trusting, "GET", "/page")).status, 200)
    await server.close()
  })

  it("TLS without HTTP/2 falls back to HTTP/1.1", async () => {
    const { certFile, keyFile } = authority.sign("old", "old")
    const server = https.createServer(
      { cert: readFileSync(certFile), key: readFileSync(keyFile) },
      (_request, response) => response.end("old")
    )
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const client = await connectTo(port, { tls: { caFile: authority.caFile } })
    assert.deepEqual([client.protocol, (await askClient(client, "GET", "/")).body.toString()], ["http/1.1", "old"])
    const strict = await connectTo(port, { protocol: "h2", tls: { caFile: authority.caFile } }).catch((e: unknown) => e)
    assert.match((strict as Error).message, /did not agree to HTTP\/2|ALPN|alert/)
    client.close()
    server.close()
  })

  it("a proxy's tunnel, and what a proxy may say against it", async () => {
    const asked: Array<string> = []
    const proxy = http.createServer().listen(0, "127.0.0.1")
    proxy.on("connect", (request: http.IncomingMessage, socket: Socket) => {
      asked.push(`${request.url} ${request.headers["proxy-authorization"]}`)
      if (request.url?.startsWith("closed") === true) return socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
      const [host, port] = (request.url ?? "").split(":")
      const onward = connectSocket(Number(port), host, () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
        onward.pipe(socket).pipe(onward)
      })
      socket.on("error", () => onward.destroy())
      onward.on("error", () => socket.destroy())
    })
    await once(proxy, "listening")
    const url = `http://user:pass@127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const { port } = fixture.listening
    for (const protocol of protocols) {
      const client = await connectTo(port, { protocol, proxy: url })
      assert.equal((await askClient(client, "GET", "/page")).status, 200)
    }
    assert.equal(asked[0], `127.0.0.1:${port} Basic ${Buffer.from("user:pass").toString("base64")}`)
    const server = await startEcho({ tls: authority.sign("server", "s"), exchange: exchangeService(newLog()) })
    const over = await connectTo(server.listening.port, { proxy: url, tls: { caFile: authority.caFile } })
    assert.deepEqual([over.protocol, (await askClient(over, "GET", "/page")).status], ["h2", 200])
    const refused = await connectTo(1, { host: "closed", proxy: url }).catch((error: unknown) => error)
    assert.match((refused as Error).message, /answered CONNECT with status 403/)
    const unknown = await connectTo(1, { proxy: "socks5://127.0.0.1:1" }).catch((error: unknown) => error)
    assert.match((unknown as Error).message, /a proxy of scheme "socks5:" is not supported/)
    await server.close()
    proxy.closeAllConnections()
    proxy.close()
  })

  it("unix sockets, and a clear word when nobody is there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "net-http-unix-"))
    const unixPath = join(folder, "socket")
    const server = await startEcho({ unixPath, exchange: exchangeService(newLog()) })
    for (const protocol of protocols) {
      const client = await connectTo(0, { unixPath, protocol, host: "server.test" })
      const { body } = await askClient(client, "GET", "/tell")
      assert.deepInclude(JSON.parse(body.toString()), { host: "server.test" })
    }
    await server.close()
    rmSync(folder, { recursive: true })
    const failed = await connectTo(1).catch((error: unknown) => error)
    assert.instanceOf(failed, ConnectFailed)
    assert.equal(failed.message, "cannot connect to 127.0.0.1:1: nothing listens there (ECONNREFUSED)")
    const hole = createServer(() => {}).listen(0, "127.0.0.1")
    await once(hole, "listening")
    const { port } = hole.address() as AddressInfo
    const late = await connectTo(port, { protocol: "h2", connectTimeoutMs: 60 }).catch((error: unknown) => error)
    assert.match((late as Error).message, /no answer in time/)
    hole.close()
  })
})
