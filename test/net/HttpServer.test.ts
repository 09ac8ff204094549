// Streaming exchanges on the server, asked by node:http, node:http2 and curl: bodies both ways, trailers, HEAD, 100-continue,
// upgrades, endings of every kind, and the goodbye.
import { Effect } from "effect"
import { once } from "node:events"
import * as http from "node:http"
import * as http2 from "node:http2"
import { connect as connectSocket } from "node:net"
import { writeFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { judge } from "../Judges.ts"
import { highWaterBytes } from "../../core/net/HttpStream.ts"
import { type Fixture, startEcho } from "./EchoService.ts"
import { type ExchangeLog, exchangeService, newLog } from "./ExchangeService.ts"
import { run } from "./RealPrograms.ts"

const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits, for at most two seconds, until something is true. */
const eventually = async (isTrue: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 400 && !isTrue(); turn++) await settle(5)
  assert.isTrue(isTrue())
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
  readonly trailers: Readonly<Record<string, unknown>>
}

type Ask = (method: string, path: string, body?: Buffer, fields?: Readonly<Record<string, string>>) => Promise<Answer>

const log: ExchangeLog = newLog()
const defects: Array<unknown> = []
let fixture: Fixture
let port: number
let session: http2.ClientHttp2Session
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

beforeAll(async () => {
  fixture = await startEcho({ exchange: exchangeService(log), onDefect: (defect) => defects.push(defect) })
  port = fixture.listening.port
  session = http2.connect(`http://127.0.0.1:${port}`)
})
afterAll(async () => {
  session.close()
  agent.destroy()
  await fixture.close()
})
beforeEach(() => {
  defects.length = 0
})

const ask1: Ask = (method, path, body, fields = {}) =>
  new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, method, path, agent, headers: fields }, (answer) => {
      const chunks: Array<Buffer> = []
      answer.on("data", (chunk: Buffer) => chunks.push(chunk))
      answer.on("error", reject)
      answer.on("end", () => {
        const { statusCode = 0, headers, trailers } = answer
        resolve({ status: statusCode, headers, trailers, body: Buffer.concat(chunks) })
      })
    })
    request.on("error", reject)
    request.end(body)
  })

const ask2: Ask = (method, path, body, fields = {}) =>
  new Promise((resolve, reject) => {
    const request = session.request({ ":method": method, ":path": path, ...fields }, { endStream: body === undefined })
    const chunks: Array<Buffer> = []
    let headers: http2.IncomingHttpHeaders & { readonly ":status"?: number | undefined } = {}
    let trailers: http2.IncomingHttpHeaders = {}
    request.on("response", (seen) => (headers = seen))
    request.on("trailers", (seen) => (trailers = seen))
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("error", reject)
    request.on("close", () =>
      resolve({ status: headers[":status"] ?? 0, headers, trailers, body: Buffer.concat(chunks) })
    )
    if (body !== undefined) request.end(body)
  })

describe.each([
  ["HTTP/1.1", ask1],
  ["HTTP/2", ask2]
])("exchanges over %s", (protocol, ask) => {
  it("answers whole, with the length of its bytes", async () => {
    const { status, headers, body } = await ask("GET", "/page")
    assert.deepEqual([status, headers["content-length"], body.toString()], [200, "6", "säge\n"])
    assert.match(String(headers["date"]), /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
    const head = await ask("HEAD", "/page")
    assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "6", 0])
    const none = await ask("GET", "/empty")
    assert.deepEqual([none.status, none.headers["content-length"], none.body.length], [204, undefined, 0])
    assert.equal((await ask("GET", "/large")).body.length, 1_048_576)
  })

  it("knows the request", async () => {
    const { body } = await ask("GET", "/tell?a=b", undefined, { accept: "text/x" })
    const seen = JSON.parse(body.toString()) as Record<string, unknown> & { fields: Array<[string, string]> }
    assert.deepInclude(seen, { method: "GET", path: "/tell?a=b", accept: "text/x", secure: false })
    assert.match(seen["protocol"] as string, protocol === "HTTP/2" ? /^HTTP\/2\.0$/ : /^HTTP\/1\.1$/)
    assert.equal(seen["host"], `127.0.0.1:${port}`)
    assert.deepEqual(
      seen.fields.find(([name]) => name === "accept"),
      ["accept", "text/x"]
    )
    assert.isUndefined(seen.fields.find(([name]) => name.startsWith(":")))
  })

  it("reads bodies whole, up to a bound", async () => {
    assert.equal((await ask("POST", "/count", Buffer.alloc(0))).body.toString(), "0 bytes of nothing\n")
    assert.equal((await ask("POST", "/count", Buffer.alloc(300_000, 7))).body.toString(), "300000 bytes of 7\n")
    const unannounced = await ask("POST", "/count", Buffer.alloc(300_000, 7), { "transfer-encoding": "chunked" }).catch(
      () => undefined
    )
    if (protocol === "HTTP/1.1") assert.equal(unannounced?.body.toString(), "300000 bytes of 7\n")
    assert.equal((await ask("POST", "/count", Buffer.alloc(2_000_001))).status, 413)
    assert.equal((await ask("GET", "/count")).body.toString(), "0 bytes of nothing\n")
  })

  it("streams both ways at once, and ends with trailers", async () => {
    const sent = Buffer.alloc(5_000_000, 3)
    const { body, trailers } = await ask("POST", "/echo", sent)
    assert.isTrue(body.equals(sent))
    assert.equal(trailers["x-bytes"], "5000000")
    const got = await ask("GET", "/download?30-70000")
    assert.equal(got.body.length, 2_100_000)
    assert.equal((await ask("HEAD", "/download?30-70000")).body.length, 0)
  })

  it("answers before the body came, and goes on", async () => {
    const { status, headers } = await ask("POST", "/refuse", Buffer.alloc(3_000_000))
    assert.deepEqual([status, headers["x-why"]], [403, "no"])
    assert.equal((await ask("GET", "/page")).status, 200)
  })

  it("an answer that breaks off is seen as broken", async () => {
    const broken = await ask("GET", "/break").catch((error: Error) => error)
    assert.instanceOf(broken, Error)
  })

  it("a handler's defect is a 500 and no more", async () => {
    const { status, body } = await ask("GET", "/throw")
    assert.deepEqual([status, body.toString(), defects.length], [500, "internal error\n", 1])
  })
})

describe("ends", () => {
  it("a client that goes away is told of once, over both protocols", async () => {
    const before = log.closes
    const stream = session.request({ ":path": "/silent" })
    stream.on("error", () => {})
    const gone = log.open
    await eventually(() => log.open > gone)
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await eventually(() => log.closes === before + 1)
    const request = http.get({ host: "127.0.0.1", port, path: "/watch" })
    request.on("error", () => {})
    await once(request, "response")
    request.destroy()
    await eventually(() => log.closes === before + 2)
    await eventually(() => fixture.listening.stats().streamsActive === 0)
  })

  it("who asks late whether the client is there is told that it is not", async () => {
    const before = log.closes
    const open = log.open
    const stream = session.request({ ":path": "/late" })
    const request = http.get({ host: "127.0.0.1", port, path: "/late" })
    for (const each of [stream, request]) each.on("error", () => {})
    await eventually(() => log.open === open + 2)
    stream.close(http2.constants.NGHTTP2_CANCEL)
    request.destroy()
    await eventually(() => log.closes === before + 2)
    assert.equal(fixture.listening.stats().streamsActive, 0)
  })

  it("cancelling at any moment leaks nothing", async () => {
    const paths = ["/silent", "/echo", "/download?1000-5000", "/count", "/watch", "/refuse", "/page", "/upgrade"]
    const whole = log.open
    for (let round = 0; round < 60; round++) {
      const path = paths[round % paths.length]
      const stream = session.request({ ":method": "POST", ":path": path })
      stream.on("error", () => {})
      stream.write(Buffer.alloc(100 * round))
      const request = http.request({ host: "127.0.0.1", port, path, method: "POST" })
      request.on("error", () => {})
      request.write(Buffer.alloc(100 * round))
      await settle(round % 7)
      stream.close(http2.constants.NGHTTP2_CANCEL)
      request.destroy()
    }
    await eventually(() => fixture.listening.stats().streamsActive === 0)
    assert.isAbove(log.open, whole)
    assert.equal((await ask2("GET", "/page")).status, 200)
  })

  it("a slow reader holds what it does not take, bounded", async () => {
    log.mostBuffered = 0
    const stream = session.request({ ":path": "/download?1000-100000" })
    stream.pause()
    const slow = http.get({ host: "127.0.0.1", port, path: "/download?1000-100000" })
    const [answer] = (await once(slow, "response")) as [http.IncomingMessage]
    answer.pause()
    await settle(200)
    const { bytesSent } = fixture.listening.stats()
    await settle(100)
    assert.equal(fixture.listening.stats().bytesSent, bytesSent)
    assert.isBelow(log.mostBuffered, highWaterBytes + 110_000)
    let bytes = 0
    stream.on("data", (chunk: Buffer) => (bytes += chunk.length))
    answer.on("data", (chunk: Buffer) => (bytes += chunk.length))
    stream.resume()
    answer.resume()
    await Promise.all([once(stream, "end"), once(answer, "end")])
    assert.equal(bytes, 200_000_000)
  })
})

describe("HTTP/1.1 only", () => {
  it("upgrades, also with bytes that came along, and refuses with an answer", async () => {
    const socket = connectSocket(port, "127.0.0.1")
    const head = "POST /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test/1\r\n\r\n"
    socket.write(`${head}early `)
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    const text = (): string => Buffer.concat(chunks).toString()
    await eventually(() => text().includes("EARLY"))
    socket.end("late")
    await once(socket, "close")
    assert.match(text(), /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*connection: Upgrade\r\n\r\nEARLY LATE$/)
    const refused = connectSocket(port, "127.0.0.1")
    refused.write(head.replace("/upgrade", "/refuse"))
    const [first] = (await once(refused, "data")) as [Buffer]
    assert.match(first.toString(), /^HTTP\/1\.1 403 Forbidden[^]*forbidden\n$/)
    await once(refused, "close")
    assert.equal((await ask1("GET", "/upgrade")).status, 400)
    await eventually(() => fixture.listening.stats().streamsActive === 0)
  })
})

describe("curl", () => {
  it("waits for 100 Continue, uploads, and understands a refusal before its end", async () => {
    const curl = await judge("curl")
    const folder = mkdtempSync(join(tmpdir(), "net-curl-"))
    const file = join(folder, "body")
    writeFileSync(file, Buffer.alloc(1_500_000, 1))
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      const upload = ["-sS", version, "-v", "--expect100-timeout", "20", "-H", "Expect: 100-continue", "-T", file]
      const { text } = await run(curl, [...upload, "-X", "POST", `http://127.0.0.1:${port}/count`])
      assert.match(text, /1500000 bytes of 1/)
      assert.match(text, /< HTTP\/[\d.]+ 100/)
      const refused = await run(curl, [...upload, "-X", "POST", `http://127.0.0.1:${port}/refuse`])
      assert.match(refused.text, /forbidden/)
      assert.notMatch(refused.text, /< HTTP\/[\d.]+ 100/)
    }
    rmSync(folder, { recursive: true })
  })
})

describe("goodbye", () => {
  it("lets watches end in good order, at once", async () => {
    const mine = newLog()
    const other = await startEcho({ exchange: exchangeService(mine) })
    const base = `http://127.0.0.1:${other.listening.port}`
    const client = http2.connect(base)
    const watch = client.request({ ":path": "/watch" })
    const lines: Array<string> = []
    watch.on("data", (chunk: Buffer) => lines.push(chunk.toString()))
    const ended = once(watch, "end")
    await once(watch, "response")
    const answer = await fetch(`${base}/watch`)
    await Effect.runPromise(other.listening.drain(30_000))
    await ended
    assert.equal(lines.join(""), "first\nlast\n")
    assert.equal(await answer.text(), "first\nlast\n")
    assert.equal(mine.goodbyes, 2)
    assert.equal(other.listening.connections(), 0)
    client.close()
    await other.close()
  })
})
