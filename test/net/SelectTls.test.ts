// A listener that chooses by server name: each name's own certificate, client authority and session tickets.
import { once } from "node:events"
import { readFileSync, rmSync } from "node:fs"
import { connect as connectSocket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { assert as check, nat, property, uint8Array } from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { readClientHello } from "../../core/net/ClientHello.ts"
import { type HttpExchange, type TlsIdentity, tlsIdentityProblem } from "../../core/net/index.ts"
import { type Authority, makeAuthority } from "./Certificates.ts"
import { type Fixture, startEcho } from "./EchoService.ts"

const pem = (file: string): string => readFileSync(file, "utf8")

const tell = (exchange: HttpExchange): void => {
  const { peerCertificate, peerCertificateProblem, serverName, tlsIdentity } = exchange
  const name = [...identities].find(([, identity]) => identity === tlsIdentity)?.[0]
  const seen = { name, serverName, user: peerCertificate?.commonName, problem: peerCertificateProblem }
  exchange.respond(200, [], JSON.stringify(seen))
}
const identities = new Map<string, TlsIdentity>()

describe("TLS by server name", () => {
  let one: Authority
  let two: Authority
  let fixture: Fixture
  let port: number

  beforeAll(async () => {
    one = makeAuthority()
    two = makeAuthority()
    const ofOne = one.sign("server", "one")
    const ofTwo = two.sign("server", "two")
    identities.set("one", { cert: pem(ofOne.certFile), key: pem(ofOne.keyFile), ca: pem(one.caFile) })
    identities.set("two", { cert: pem(ofTwo.certFile), key: pem(ofTwo.keyFile), ca: pem(two.caFile) })
    identities.set("none", { cert: pem(ofTwo.certFile), key: pem(ofTwo.keyFile) })
    const select = (name: string | undefined): TlsIdentity | undefined => identities.get(name ?? "one")
    fixture = await startEcho({ tls: { select }, exchange: tell })
    port = fixture.listening.port
  })
  afterAll(async () => {
    await fixture.close()
    for (const { folder } of [one, two]) rmSync(folder, { recursive: true })
  })

  const open = async (servername: string, more: object = {}): Promise<TLSSocket> => {
    const socket = connectTls({ host: "127.0.0.1", port, servername, rejectUnauthorized: false, ...more })
    await once(socket, "secureConnect")
    return socket
  }
  const ask = async (socket: TLSSocket): Promise<Record<string, unknown>> => {
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    let text = ""
    for await (const chunk of socket) text += String(chunk)
    return JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) as Record<string, unknown>
  }

  it("shows each name its own certificate, the one without a name included", async () => {
    for (const name of ["one", "two"]) {
      const socket = await open(name)
      assert.equal(socket.getPeerCertificate().subject.CN, name)
      assert.include(await ask(socket), { name, serverName: name })
    }
    const socket = await open("")
    assert.include(await ask(socket), { name: "one" })
  })

  it("trusts for each name only that name's authority", async () => {
    const files = one.sign("client", "alice")
    const client = { cert: pem(files.certFile), key: pem(files.keyFile) }
    assert.include(await ask(await open("one", client)), { name: "one", user: "alice" })
    const stranger = await ask(await open("two", client))
    assert.include(stranger, { name: "two" })
    assert.isUndefined(stranger["user"])
    assert.isString(stranger["problem"])
    const unasked = await ask(await open("none", client))
    assert.isUndefined(unasked["user"])
    assert.isUndefined(unasked["problem"])
  })

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "resumes a session by its own name and by no other (%s)",
    async (version) => {
      const files = one.sign("client", "alice")
      const only = { minVersion: version, maxVersion: version }
      const first = connectTls({
        host: "127.0.0.1",
        port,
        servername: "one",
        rejectUnauthorized: false,
        cert: pem(files.certFile),
        key: pem(files.keyFile),
        ...only
      })
      let session: Buffer | undefined
      first.on("session", (ticket) => (session = ticket))
      await once(first, "secureConnect")
      assert.include(await ask(first), { user: "alice" })
      assert.isDefined(session)
      const again = await open("one", { session, ...only })
      assert.isTrue(again.isSessionReused())
      assert.include(await ask(again), { name: "one", user: "alice" })
      const crossed = await open("two", { session, ...only })
      assert.isFalse(crossed.isSessionReused())
      const seen = await ask(crossed)
      assert.include(seen, { name: "two" })
      assert.isUndefined(seen["user"])
      // The same texts as a new identity: what was trusted under the old one has to be proved anew.
      const before = identities.get("one") as TlsIdentity
      identities.set("one", { ...before })
      const renewed = await open("one", { session, ...only })
      assert.isFalse(renewed.isSessionReused())
      renewed.destroy()
    }
  )

  it("refuses an unknown name and what is no TLS with an alert", async () => {
    const refused = connectTls({ host: "127.0.0.1", port, servername: "stranger", rejectUnauthorized: false })
    const [error] = (await once(refused, "error")) as [Error & { code: string }]
    assert.include(error.code, "UNRECOGNIZED_NAME")
    const plain = connectSocket(port, "127.0.0.1")
    plain.write("GET / HTTP/1.1\r\n\r\n")
    const [alert] = (await once(plain, "data")) as [Buffer]
    assert.deepEqual([...alert], [21, 3, 3, 0, 2, 2, 50])
    plain.destroy()
  })

  it("says why an identity is none, and never shows it", () => {
    const { cert, key } = identities.get("one") as TlsIdentity
    const other = (identities.get("two") as TlsIdentity).key
    assert.isUndefined(tlsIdentityProblem({ cert, key }))
    for (const wrong of [
      { cert, key: other },
      { cert, key: key.slice(0, 80) },
      { cert: "nonsense", key }
    ]) {
      const problem = tlsIdentityProblem(wrong)
      assert.isString(problem)
      for (const line of key.split("\n").filter((each) => each.length > 20)) assert.notInclude(problem, line)
    }
  })

  it("reads a ClientHello in pieces of any size, and never fails on any bytes", () => {
    const hello = helloFor("a-rather-long-name.example")
    assert.deepEqual(readClientHello(hello), { serverName: "a-rather-long-name.example" })
    for (let cut = 0; cut < hello.length; cut++) assert.equal(readClientHello(hello.subarray(0, cut)), "more")
    check(
      property(uint8Array({ maxLength: 200 }), nat(hello.length - 1), (junk, at) => {
        const spoiled = Buffer.from(hello)
        spoiled.set(junk.subarray(0, spoiled.length - at), at)
        const read = readClientHello(spoiled)
        assert.isTrue(typeof read === "string" || typeof read === "object")
        readClientHello(Buffer.from(junk))
      })
    )
  })
})

/** A hello made by hand, in two records. */
const helloFor = (name: string): Buffer => {
  const entry = Buffer.concat([Buffer.from([0, 0, name.length]), Buffer.from(name)])
  const list = Buffer.concat([Buffer.from([0, entry.length]), entry])
  const grease = Buffer.from([0x3a, 0x3a, 0, 1, 0])
  const extension = Buffer.concat([Buffer.from([0, 0, 0, list.length]), list])
  const extensions = Buffer.concat([grease, extension])
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([32]),
    Buffer.alloc(32, 9),
    Buffer.from([0, 2, 0x13, 1, 1, 0]),
    Buffer.from([0, extensions.length]),
    extensions
  ])
  const message = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body])
  const record = (part: Buffer): Buffer => Buffer.concat([Buffer.from([22, 3, 1, 0, part.length]), part])
  return Buffer.concat([record(message.subarray(0, 50)), record(message.subarray(50))])
}
