// TLS: protocol choice by ALPN, client certificates, and certificates that change under a running server.
import { once } from "node:events"
import { readFileSync, rmSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import { connect as connectSocket } from "node:net"
import { connect as connectTls } from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConnectFailed } from "../../core/net/index.ts"
import { type Authority, makeAuthority } from "./Certificates.ts"
import { call, type Fixture, startEcho } from "./EchoService.ts"
import { exchangeService, newLog } from "./ExchangeService.ts"
import { judge } from "../Judges.ts"
import { run } from "./RealPrograms.ts"

interface Seen {
  readonly certificate?: { readonly commonName: string; readonly organizations: Array<string>; readonly bytes: number }
  readonly peerCertificateProblem?: string
  readonly secure: boolean
  readonly serverName?: string
}

const textOf = async (stream: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const get1 = async (options: https.RequestOptions): Promise<string> => {
  const [answer] = (await once(https.get({ ...options, agent: false }), "response")) as [IncomingMessage]
  return textOf(answer)
}

const get2 = async (url: string, options: http2.SecureClientSessionOptions, path: string): Promise<string> => {
  const session = http2.connect(url, options)
  const text = await textOf(session.request({ ":path": path }))
  session.close()
  return text
}

describe("TLS", () => {
  let authority: Authority
  let fixture: Fixture
  let files: { readonly certFile: string; readonly keyFile: string }

  beforeAll(async () => {
    authority = makeAuthority()
    files = authority.sign("server", "first")
    fixture = await startEcho({ tls: { ...files, caFile: authority.caFile } })
  })
  afterAll(async () => {
    await fixture.close()
    rmSync(authority.folder, { recursive: true })
  })

  it("carries calls, small and large", async () => {
    const client = await fixture.connect({ tls: { caFile: authority.caFile } })
    assert.equal((await call(client, "/test.Echo/Unary", "hello")).toString(), "hello")
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => call(client, "/test.Echo/Unary", `n${n}`)))
    answers.forEach((answer, n) => assert.equal(answer.toString(), `n${n}`))
    const large = Buffer.alloc(3_000_000, 7)
    assert.isTrue((await call(client, "/test.Echo/Unary", large)).equals(large))
    client.close()
  })

  it("does not trust an unknown authority, and says so", async () => {
    const failed = await fixture.connect({ tls: {} }).catch((error: unknown) => error)
    assert.instanceOf(failed, ConnectFailed)
    assert.match(failed.message, /certificate/)
    const client = await fixture.connect({ tls: { insecure: true } })
    assert.equal((await call(client, "/test.Echo/Unary", "x")).toString(), "x")
    client.close()
  })

  it("a plaintext client is told that the connection failed", async () => {
    const failed = await fixture.connect({ connectTimeoutMs: 1000 }).catch((error: unknown) => error)
    assert.instanceOf(failed, ConnectFailed)
  })

  it("node:http2 agrees on h2; a client that offers only http/1.1 gets it", async () => {
    const ca = readFileSync(authority.caFile)
    const session = http2.connect(`https://localhost:${fixture.listening.port}`, { ca })
    const request = session.request({ ":path": "/page" })
    const [headers] = (await once(request, "response")) as [http2.IncomingHttpHeaders]
    assert.equal(Number(headers[":status"]), 200)
    assert.equal(session.alpnProtocol, "h2")
    session.close()
    const options = { host: "127.0.0.1", port: fixture.listening.port, ca, servername: "localhost" }
    const socket = connectTls({ ...options, ALPNProtocols: ["http/1.1"] })
    await once(socket, "secureConnect")
    assert.equal(socket.alpnProtocol, "http/1.1")
    socket.write("GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    await once(socket, "close")
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 200 OK[^]*GET \/page/)
  })

  it("curl speaks both versions over it", async () => {
    const curl = await judge("curl")
    for (const [version, expected] of [
      ["--http2", "2"],
      ["--http1.1", "1.1"]
    ]) {
      const url = `https://localhost:${fixture.listening.port}/page`
      const { text } = await run(curl, ["-sS", version, "--cacert", authority.caFile, "-w", "%{http_version}", url])
      assert.equal(text, `GET /page\n${expected}`)
    }
  })

  it("uses changed certificates from the next handshake on, and keeps the old while they do not match", async () => {
    const own = authority.sign("rotating", "before")
    const rotating = await startEcho({ tls: { ...own } })
    const nameOf = async (): Promise<unknown> => {
      const socket = connectTls({
        port: rotating.listening.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"]
      })
      await once(socket, "secureConnect")
      const { CN } = socket.getPeerCertificate().subject
      socket.destroy()
      return CN
    }
    assert.equal(await nameOf(), "before")
    const open = await rotating.connect({ tls: { caFile: authority.caFile } })
    authority.sign("other", "nobody")
    await new Promise((resolve) => setTimeout(resolve, 1100))
    rmSync(own.keyFile)
    assert.equal(await nameOf(), "before")
    authority.sign("rotating", "after")
    await new Promise((resolve) => setTimeout(resolve, 1100))
    assert.equal(await nameOf(), "after")
    assert.equal((await call(open, "/test.Echo/Unary", "old connection")).toString(), "old connection")
    await rotating.close()
  })

  it("asks for client certificates and names their owner", async () => {
    const strict = await startEcho({ tls: { ...files, caFile: authority.caFile, clientAuth: true } })
    const mine = authority.sign("client", "alice")
    const tls = { caFile: authority.caFile }
    const client = await strict.connect({ tls: { ...tls, ...mine } })
    const known = JSON.parse((await call(client, "/test.Echo/Info", "x")).toString()) as { common: string }
    assert.equal(known.common, "alice")
    const failed = await strict.connect({ tls, connectTimeoutMs: 2000 }).catch((error: unknown) => error)
    assert.instanceOf(failed, ConnectFailed)
    const stranger = makeAuthority().sign("client", "mallory")
    const refused = await strict.connect({ tls: { ...tls, ...stranger } }).catch((error: unknown) => error)
    assert.instanceOf(refused, ConnectFailed)
    await strict.close()
  })

  it("asks without insisting: tells who a certificate names, that one is not trusted, or that there is none", async () => {
    const [cert, key, ca] = [files.certFile, files.keyFile, authority.caFile].map((file) => readFileSync(file, "utf8"))
    const tls = { cert, key, ca, clientAuth: "optional" } as const
    const open = await startEcho({ tls, exchange: exchangeService(newLog()) })
    const { port } = open.listening
    const ask = async (protocol: string, mine?: { certFile: string; keyFile: string }): Promise<Seen> => {
      const shown = mine === undefined ? {} : { cert: readFileSync(mine.certFile), key: readFileSync(mine.keyFile) }
      const options = { host: "127.0.0.1", port, ca, servername: "localhost", ...shown }
      if (protocol === "http/1.1") return JSON.parse(await get1({ ...options, path: "/tell" })) as Seen
      return JSON.parse(await get2(`https://127.0.0.1:${port}`, options, "/tell")) as Seen
    }
    const alice = authority.sign("several", "alice/O=admins/O=system:masters")
    const stranger = makeAuthority().sign("client", "mallory")
    for (const protocol of ["http/1.1", "h2"]) {
      const known = await ask(protocol, alice)
      const { commonName, organizations } = known.certificate ?? {}
      assert.deepEqual([commonName, organizations], ["alice", ["admins", "system:masters"]])
      assert.isAbove(known.certificate?.bytes ?? 0, 100)
      assert.deepInclude(known, { secure: true, serverName: "localhost" })
      assert.isUndefined(known.peerCertificateProblem)
      const unknown = await ask(protocol, stranger)
      assert.isUndefined(unknown.certificate)
      assert.match(unknown.peerCertificateProblem ?? "", /UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET/)
      const nobody = await ask(protocol)
      assert.deepEqual([nobody.certificate, nobody.peerCertificateProblem], [undefined, undefined])
    }
    await open.close()
  })

  it("closes at once, also with handshakes that never end", async () => {
    const other = await startEcho({ tls: { ...files } })
    const silent = connectSocket(other.listening.port, "127.0.0.1")
    silent.on("error", () => {})
    await once(silent, "connect")
    while (other.listening.connections() === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    const gone = once(silent, "close")
    await other.close()
    await gone
    assert.equal(other.listening.connections(), 0)
  })

  it("names a certificate file that is not there", async () => {
    const failed = await startEcho({ tls: { certFile: "/nowhere/cert.pem", keyFile: files.keyFile } }).catch(
      (error: unknown) => error
    )
    assert.match((failed as Error).message, /cannot listen on 127\.0\.0\.1:0: no such file or directory/)
  })
})
