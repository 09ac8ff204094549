// Bodies and endings: what streams, what breaks off, what is tried again, and what a slow or vanished side costs.
import { once } from "node:events"
import * as http2 from "node:http2"
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from "node:net"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { type Pair, Pki } from "./Pki.ts"
import { askOn, changed, clusterOf, eventually, Gateway, settle } from "./Rig.ts"
import { ScriptedUpstream } from "./ScriptedUpstream.ts"

let pki: Pki
let serving: Pair
let alice: Pair
let gateway: Gateway
let session: http2.ClientHttp2Session
let one: ScriptedUpstream
let two: ScriptedUpstream
let cluster: ReturnType<typeof clusterOf>
const path = "/api/v1/namespaces/n/configmaps/c"
const list = "/api/v1/pods"
const watch = "/api/v1/pods?watch=1"
const headers = { ":authority": "a.example" }

beforeAll(async () => {
  pki = await Pki.make("the one ca")
  serving = await pki.sign({ name: "upstream", dns: ["upstream"] })
  alice = await pki.sign({ name: "alice" })
  gateway = await Gateway.open(await pki.sign({ name: "gateway" }))
})
afterAll(() => gateway.close())
beforeEach(async () => {
  one = await new ScriptedUpstream(serving).open()
  two = await new ScriptedUpstream(serving).open()
  cluster = clusterOf("a.example", [one.url], pki)
  gateway.snapshots.set(cluster)
  await gateway.ready()
  session = gateway.session("a.example", alice)
})
afterEach(async () => {
  session.destroy()
  gateway.snapshots.set()
  await Promise.all([one.kill().catch(() => {}), two.kill().catch(() => {})])
  assert.deepEqual(gateway.defects, [])
})

/** One cluster over both endpoints. */
const both = async (more: Parameters<typeof changed>[1] = {}): Promise<void> => {
  cluster = clusterOf("a.example", [one.url, two.url], pki, more)
  gateway.snapshots.set(cluster)
  await gateway.ready()
}

const open = (target: string, fields: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream => {
  const stream = session.request({ ...headers, ":path": target, ...fields })
  stream.on("error", () => {})
  return stream
}
const closed = async (stream: http2.ClientHttp2Stream): Promise<number> => {
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve))
  return stream.rstCode ?? 0
}

describe("bodies", () => {
  it("go both ways unchanged, small and large, announced or not", async () => {
    one.script = (request, response) => {
      response.writeHead(201, { "content-type": "x/y", etag: "e" })
      request.pipe(response)
    }
    for (const size of [0, 1, 65_536, 65_537, 3_000_000]) {
      for (const announced of [true, false]) {
        const body = Buffer.alloc(size, "abcdefghi")
        const more = announced ? { "content-length": size } : {}
        const stream = session.request({ ...headers, ":path": path, ":method": "POST", "x-test-stream": "1", ...more })
        const chunks: Array<Buffer> = []
        stream.on("data", (chunk: Buffer) => chunks.push(chunk))
        stream.end(body)
        const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader]
        assert.equal(await closed(stream), 0)
        assert.equal(head[":status"], 201)
        assert.isTrue(Buffer.concat(chunks).equals(body), `${size} bytes`)
      }
    }
  })

  it("of answers keep status, fields, length and HEAD as they are", async () => {
    one.script = (request, response) => {
      response.writeHead(409, {
        "content-length": 5,
        warning: "299 - x",
        "x-kubernetes-pf-flowschema-uid": "u",
        "audit-id": "i"
      })
      response.end(request.method === "HEAD" ? "" : "hello")
    }
    const answer = await askOn(session, path, { headers })
    assert.deepEqual([answer.status, answer.body, answer.headers["content-length"]], [409, "hello", "5"])
    assert.deepInclude(answer.headers, { warning: "299 - x", "audit-id": "i" })
    const head = await askOn(session, path, { method: "HEAD", headers })
    assert.deepEqual([head.status, head.body, head.headers["content-length"]], [409, "", "5"])
    one.script = (_, response) => {
      response.writeHead(204)
      response.end()
    }
    assert.equal((await askOn(session, path, { headers })).status, 204)
  })

  it("a watch's events come as they happen", async () => {
    let send: (text: string) => void = () => {}
    one.script = (_, response) => {
      response.stream.respond({ ":status": 200, "content-type": "application/json" })
      send = (text) => void response.stream.write(text)
    }
    const stream = open(watch)
    let text = ""
    stream.on("data", (chunk: Buffer) => (text += String(chunk)))
    await once(stream, "response")
    for (let n = 1; n <= 5; n++) {
      send(`{"n":${n}}\n`)
      await eventually(() => text.endsWith(`{"n":${n}}\n`), `event ${n} came`)
    }
    stream.close()
  })

  it("a client that does not read holds up its own answer only, within bounds", async () => {
    const piece = Buffer.alloc(65_536, "z")
    let written = 0
    one.script = (request, response) => {
      if (request.url !== watch) return void response.end("quick")
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && written < 200_000_000) {
          written += piece.length
          if (!response.write(piece)) return void response.once("drain", more)
        }
      }
      more()
    }
    const stream = open(watch)
    await once(stream, "response")
    stream.pause()
    let before = -1
    // It stands still when nothing more is taken.
    await eventually(() => {
      const still = written === before
      before = written
      return still && written > 0
    }, "the endpoint was held up")
    await settle(300)
    assert.isBelow(written, 20_000_000)
    assert.equal((await askOn(session, path, { headers })).body, "quick")
    stream.close()
  })

  it("an upload that the endpoint does not take stops at the client", async () => {
    let release = (): void => {}
    one.script = (request, response) => {
      release = () => {
        request.resume()
        request.on("end", () => response.end("done"))
      }
    }
    const stream = open(path, { ":method": "POST", "x-test-stream": "1" })
    let sent = 0
    const chunk = Buffer.alloc(65_536)
    const more = (): void => {
      while (sent < 16_000_000) {
        sent += chunk.length
        if (!stream.write(chunk)) return void stream.once("drain", more)
      }
      stream.end()
    }
    more()
    let before = -1
    await eventually(() => {
      const still = sent === before && one.seen.length > 0
      before = sent
      return still
    }, "the upload stood still")
    await settle(200)
    assert.isBelow(sent, 8_000_000)
    release()
    assert.equal(await closed(stream.resume()), 0)
    assert.isAtLeast(sent, 16_000_000)
  })
})

describe("endings", () => {
  it.each([
    ["with a length", { "content-length": "1000" }],
    ["without a length", {}]
  ])("an answer %s that breaks off is broken for the client too, over both protocols", async (_, fields) => {
    one.script = (__, response) => {
      response.writeHead(200, fields)
      response.write("half", () => response.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR))
    }
    const broken = await askOn(session, list, { headers })
    assert.equal(broken.status, 200)
    assert.equal(broken.body, "half")
    assert.notEqual(broken.rst, 0)
    const text = await gateway.raw("a.example", `GET ${list} HTTP/1.1\r\nhost: a.example\r\n\r\n`, undefined, alice)
    assert.include(text, "half")
    // Neither a last chunk nor the length that was promised.
    assert.isFalse(text.endsWith("0\r\n\r\n"))
    assert.notInclude(text, "Status")
    // Negative control: a whole answer is whole.
    one.script = (__, response) => {
      response.writeHead(200, { "content-length": 4 })
      response.end("half")
    }
    assert.deepInclude(await askOn(session, list, { headers }), { rst: 0, body: "half" })
  })

  it("an endpoint that is killed in the middle breaks watches and lists, and the next requests go elsewhere", async () => {
    await both()
    const hold = (_: unknown, response: http2.Http2ServerResponse): void => {
      response.writeHead(200, { "content-type": "application/json" })
      response.write('{"type":"ADDED"}\n')
    }
    one.script = two.script = hold
    const streams = [open(watch), open(list), open(watch), open(list)]
    await Promise.all(streams.map((stream) => once(stream.resume(), "response")))
    await one.kill()
    await eventually(
      () => streams.filter(({ closed }) => closed).length === 2,
      "the streams of the dead endpoint ended"
    )
    for (const stream of streams) if (stream.closed) assert.notEqual(stream.rstCode, 0)
    two.script = (_, response) => void response.end("alive")
    for (let turn = 0; turn < 10; turn++) assert.equal((await askOn(session, path, { headers })).body, "alive")
    for (const stream of streams) stream.close()
  })

  it("a client that goes away takes its request at the endpoint with it", async () => {
    let gone = 0
    one.script = (_, response) => {
      response.writeHead(200)
      response.write("x\n")
      response.stream.on("close", () => gone++)
    }
    for (const leave of [(stream: http2.ClientHttp2Stream) => stream.close(8), () => session.destroy()]) {
      const before = gone
      const stream = open(watch)
      await once(stream.resume(), "response")
      leave(stream)
      await eventually(() => gone === before + 1, "the endpoint's stream was cancelled")
    }
    const socket = await gateway.tls("a.example", alice)
    socket.write(`GET ${watch} HTTP/1.1\r\nhost: a.example\r\n\r\n`)
    await once(socket, "data")
    socket.destroy()
    await eventually(() => gone === 3, "the endpoint's stream was cancelled")
  })

  it("a client that goes away before there is an answer cancels too", async () => {
    let cancelled = false
    one.script = (_, response) => {
      response.stream.on("close", () => (cancelled = true))
    }
    const stream = open(path)
    await eventually(() => one.seen.length === 1, "the request came")
    stream.close(8)
    await eventually(() => cancelled, "the endpoint's stream was cancelled")
  })
})

describe("trying again", () => {
  it("what the endpoint has not seen goes to another: refused streams, also with a small body", async () => {
    await both()
    const refuse = (_: unknown, response: http2.Http2ServerResponse): void =>
      response.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    one.script = refuse
    two.script = (_, response, seen) => void response.end(`two ${seen.body}`)
    for (let turn = 0; turn < 4; turn++) {
      assert.equal((await askOn(session, path, { headers })).body, "two ")
      const posted = await askOn(session, path, {
        headers: { ...headers, "content-length": 4 },
        method: "POST",
        body: "body"
      })
      assert.equal(posted.body, "two body")
    }
  })

  it("reads that got no answer are tried again, writes are not", async () => {
    await both()
    const drop = (_: unknown, response: http2.Http2ServerResponse): void => response.stream.session?.destroy()
    one.script = drop
    two.script = (_, response) => void response.end("two")
    for (let turn = 0; turn < 4; turn++) assert.equal((await askOn(session, path, { headers })).body, "two")
    // An endpoint that dropped so much is left alone for a while, on a slow machine for all the writes.
    one.script = (_, response) => void response.end("one")
    await both()
    while ((await askOn(session, path, { headers })).body !== "one") await settle(10)
    one.script = drop
    one.seen.length = two.seen.length = 0
    const answers: Array<number> = []
    for (let turn = 0; turn < 6; turn++) {
      const posted = { headers: { ...headers, "content-length": 1 }, method: "POST", body: String(turn) }
      answers.push((await askOn(session, path, posted)).status)
    }
    const bodies = [...one.seen, ...two.seen].map(({ body }) => body).filter((body) => body !== "")
    assert.equal(new Set(bodies).size, bodies.length, "no write reached an endpoint twice")
    assert.include(answers, 502)
    assert.include(answers, 200)
  })

  it("only within the budget", async () => {
    await both({ retry: { attempts: 3, budgetPercent: 0, minPerSecond: 0 } })
    one.script = two.script = (_, response) => response.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    const answer = await askOn(session, path, { headers })
    assert.equal(answer.status, 502)
    assert.equal(one.seen.length + two.seen.length, 1)
    await both({ retry: { attempts: 3, budgetPercent: 100, minPerSecond: 10 } })
    await askOn(session, path, { headers })
    assert.equal(one.seen.length + two.seen.length, 4)
  })

  it("a goodbye of the endpoint loses nothing: open requests end, new ones take another connection", async () => {
    let finish = (): void => {}
    one.script = (request, response) => {
      if (request.url !== list) return void response.end("short")
      response.writeHead(200)
      response.write("begin ")
      finish = () => void response.end("end")
    }
    const stream = open(list)
    let text = ""
    stream.on("data", (chunk: Buffer) => (text += String(chunk)))
    await once(stream, "response")
    for (let turn = 0; turn < 5; turn++) {
      for (const each of one.sessions) each.goaway(http2.constants.NGHTTP2_NO_ERROR)
      const answers = await Promise.all(Array.from({ length: 20 }, () => askOn(session, path, { headers })))
      for (const { body } of answers) assert.equal(body, "short")
    }
    finish()
    assert.equal(await closed(stream), 0)
    assert.equal(text, "begin end")
  })
})

describe("slow endpoints", () => {
  const quiet: Array<{ server: Server; sockets: Set<Socket> }> = []
  afterEach(() => {
    for (const { server, sockets } of quiet.splice(0)) {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })
  /** Accepts and says nothing. */
  const mute = async (): Promise<string> => {
    const sockets = new Set<Socket>()
    const server = createTcp((socket) => void sockets.add(socket.on("error", () => {})))
    quiet.push({ server, sockets })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it("one that speaks no TLS is given up in time, and another one serves", async () => {
    const url = await mute()
    const brief = { timeouts: { connectMs: 200 }, health: { fall: 1000, timeoutMs: 100_000 } }
    cluster = clusterOf("a.example", [url, one.url], pki, brief)
    gateway.snapshots.set(cluster)
    one.script = (_, response) => void response.end("one")
    for (let turn = 0; turn < 4; turn++) assert.equal((await askOn(session, path, { headers })).body, "one")
    gateway.snapshots.set(clusterOf("a.example", [url], pki, brief))
    const alone = await askOn(session, path, { headers })
    assert.include([502, 503], alone.status)
    assert.deepInclude(alone.json(), { kind: "Status" })
  })

  it("one that gives no head is given up in time for short requests, not for watches; others go on", async () => {
    gateway.snapshots.set((cluster = changed(cluster, { timeouts: { responseHeaderMs: 300 } })))
    let late = (): void => {}
    one.script = (request, response) => {
      if (request.url === path) return
      if (request.url === watch) late = () => void response.end("late\n")
      else response.end("quick")
    }
    const slow = open(watch)
    let text = ""
    slow.on("data", (chunk: Buffer) => (text += String(chunk)))
    const [stuck, quick] = await Promise.all([askOn(session, path, { headers }), askOn(session, list, { headers })])
    assert.equal(stuck.status, 504)
    assert.equal(quick.body, "quick")
    late()
    assert.equal(await closed(slow), 0)
    assert.equal(text, "late\n")
  })

  it("one that refuses connections is found out, and comes back", async () => {
    await both()
    const { port } = one
    one.script = two.script = (_, response) => void response.end("ok")
    await one.kill()
    for (let turn = 0; turn < 20; turn++) assert.equal((await askOn(session, path, { headers })).status, 200)
    await eventually(() => gateway.states.get(`https://127.0.0.1:${port}`)?.healthy === false, "it was found out")
    assert.equal(gateway.states.get(`https://127.0.0.1:${port}`)?.reason, "ConnectionRefused")
    one = await new ScriptedUpstream(serving).open(port)
    one.script = (_, response) => void response.end("back")
    await eventually(() => gateway.states.get(`https://127.0.0.1:${port}`)?.healthy === true, "it came back")
    const bodies = await Promise.all(Array.from({ length: 10 }, () => askOn(session, path, { headers })))
    assert.isTrue(bodies.some(({ body }) => body === "back"))
  })

  it("none ready is 503 that names them, and is over soon", async () => {
    one.well = false
    await eventually(() => gateway.states.get(one.url)?.healthy === false, "it was found out")
    const answer = await askOn(session, path, { headers })
    assert.equal(answer.status, 503)
    assert.equal(answer.headers["retry-after"], "1")
    assert.include(answer.body, "NotReady")
    assert.equal(one.seen.length, 0)
  })
})
