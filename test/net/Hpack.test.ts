// Header compression: the examples of RFC 7541, round trips of random fields through our own two ends and through nghttp2 (inside
// node:http2) over real connections, and every way to break a block.
import * as fc from "fast-check"
import { once } from "node:events"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { ProtocolViolation } from "../../core/net/Frame.ts"
import { HeaderBlocks } from "../../core/net/HeaderBlocks.ts"
import { type FieldMode, HpackEncoder } from "../../core/net/HpackEncoder.ts"
import { HpackDecoder } from "../../core/net/HpackDecoder.ts"
import { decodeHuffman, encodeHuffman, huffmanLength } from "../../core/net/Huffman.ts"
import { call, startEcho } from "./EchoService.ts"

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")
const decodeAll = (decoder: HpackDecoder, bytes: Buffer): Array<string> => decoder.decode(bytes, 0, bytes.length)

describe("RFC 7541 appendix C", () => {
  it("C.3: requests without Huffman, one table", () => {
    const decoder = new HpackDecoder(65_536)
    const first = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"]
    assert.deepEqual(decodeAll(decoder, hex("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d")), first)
    assert.deepEqual(decodeAll(decoder, hex("8286 84be 5808 6e6f 2d63 6163 6865")), [
      ...first,
      "cache-control",
      "no-cache"
    ])
    assert.deepEqual(
      decodeAll(decoder, hex("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65")).slice(6),
      [":authority", "www.example.com", "custom-key", "custom-value"]
    )
  })

  it("C.4: requests with Huffman", () => {
    const decoder = new HpackDecoder(65_536)
    const first = decodeAll(decoder, hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"))
    assert.deepEqual(first.slice(6), [":authority", "www.example.com"])
    assert.deepEqual(decodeAll(decoder, hex("8286 84be 5886 a8eb 1064 9cbf")).slice(8), ["cache-control", "no-cache"])
  })

  it("C.6: responses with Huffman and eviction at 256 bytes", () => {
    const decoder = new HpackDecoder(65_536)
    decoder.table.resize(256)
    decodeAll(
      decoder,
      hex(
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3"
      )
    )
    assert.deepEqual(decodeAll(decoder, hex("4883 640e ffc1 c0bf")).slice(0, 4), [
      ":status",
      "307",
      "cache-control",
      "private"
    ])
    assert.equal(decoder.table.length, 4)
  })
})

const anyText = fc.string({
  unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)),
  maxLength: 80
})
const anyName = fc.string({
  unit: fc.constantFrom(...Array.from("abcdefghijklmnopqrstuvwxyz0123456789-_")),
  minLength: 1,
  maxLength: 30
})
const anyMode = fc.constantFrom<FieldMode>("index", "plain", "never")
const anyBlock = fc.array(fc.tuple(anyName, anyText, anyMode), { maxLength: 12 })

describe("our encoder into our decoder", () => {
  it("Huffman brings every octet string back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = Buffer.from(bytes).toString("latin1")
        const coded = Buffer.alloc(bytes.length * 4 + 4)
        const end = encodeHuffman(text, coded, 0)
        assert.equal(end, huffmanLength(text))
        const decoded = Buffer.alloc(bytes.length + 8)
        assert.equal(decodeHuffman(coded, 0, end, decoded), bytes.length)
        assert.deepEqual(decoded.subarray(0, bytes.length), Buffer.from(bytes))
      })
    )
  })

  it("brings a connection's worth of blocks back, with the table resized in between", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyBlock, fc.option(fc.integer({ min: 0, max: 5000 }))), { maxLength: 20 }),
        (blocks) => {
          const encoder = new HpackEncoder()
          const decoder = new HpackDecoder(1 << 20)
          for (const [fields, limit] of blocks) {
            if (limit !== null) encoder.resize(limit)
            const bytes = Buffer.alloc(
              8 + fields.reduce((sum, [name, value]) => sum + HpackEncoder.boundOf(name, value), 0)
            )
            let end = encoder.begin(bytes, 0)
            for (const [name, value, mode] of fields) end = encoder.field(bytes, end, name, value, mode)
            assert.deepEqual(
              decodeAll(decoder, bytes.subarray(0, end)),
              fields.flatMap(([name, value]) => [name, value])
            )
          }
        }
      )
    )
  })

  it("answers a repeated block from the cache only while the table stands", () => {
    const blocks = new HeaderBlocks(65_536)
    const decode = (text: string): ReadonlyArray<string> => blocks.decode(hex(text), 0, hex(text).length).fields
    decode("40 01 61 01 31")
    assert.deepEqual(decode("be"), ["a", "1"])
    assert.deepEqual(decode("be"), ["a", "1"])
    decode("40 01 62 01 32")
    assert.deepEqual(decode("be"), ["b", "2"])
    assert.deepEqual(decode("bf"), ["a", "1"])
    decode("20 3f e1 1f 82")
    assert.throws(() => decode("be"), ProtocolViolation)
  })
})

describe("a broken block", () => {
  const broken: ReadonlyArray<readonly [string, string]> = [
    ["index 0", "80"],
    ["an index past the table", "be"],
    ["a cut integer", "ff"],
    ["an endless integer", "ffffffffffffffffff"],
    ["a cut string", "40 05 61"],
    ["a string without its length", "40"],
    ["padding of zeros", "40 01 61 81 18"],
    ["padding of a whole octet", "40 01 61 82 1fff"],
    ["the end mark inside", "40 01 61 84 ffffffff"],
    ["a table larger than allowed", "3f e2 1f"],
    ["a table size update after a field", "82 20"]
  ]
  it.each(broken)("%s is a compression error", (_name, text) => {
    const decoder = new HpackDecoder(65_536)
    assert.throws(() => decodeAll(decoder, hex(text)), ProtocolViolation)
  })

  it("never raises anything else, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder(500)
        try {
          for (const block of blocks) decodeAll(decoder, Buffer.from(block))
        } catch (error) {
          assert.instanceOf(error, ProtocolViolation)
        }
      }),
      { numRuns: 2000 }
    )
  })
})

describe("nghttp2 as the other end", () => {
  const anyMetadata = fc.dictionary(
    anyName.map((name) => `x-${name}`),
    fc
      .string({ unit: fc.constantFrom(...Array.from("abcXYZ0189 -_%/~")), minLength: 1, maxLength: 60 })
      .map((text) => `v${text}v`),
    { maxKeys: 15 }
  )

  it("decodes what our client encodes, over one connection", async () => {
    const seen: Array<http2.IncomingHttpHeaders> = []
    const server = http2.createServer()
    server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
      seen.push(headers)
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" }, { endStream: true })
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const fixture = await startEcho()
    const client = await fixture.connect({ port: (server.address() as AddressInfo).port })
    await fc.assert(
      fc.asyncProperty(anyMetadata, async (metadata) => {
        const fields = Object.entries(metadata)
        await new Promise<void>((resolve) => {
          client.unary("/test.Echo/Unary", Buffer.alloc(0), () => resolve(), { metadata: fields })
        })
        const headers = seen.pop()
        for (const [name, value] of fields) assert.equal(headers?.[name], value)
        assert.equal(headers?.[":path"], "/test.Echo/Unary")
      }),
      { numRuns: 200 }
    )
    client.close()
    server.close()
    await fixture.close()
  })

  it("encodes what our server decodes, with tables from 0 to 64 KiB", async () => {
    const fixture = await startEcho()
    for (const headerTableSize of [0, 100, 4096, 65_536]) {
      const session = http2.connect(`http://127.0.0.1:${fixture.listening.port}`, { settings: { headerTableSize } })
      await fc.assert(
        fc.asyncProperty(anyMetadata, async (metadata) => {
          const names = Object.keys(metadata)
          const name = names[0] ?? "te"
          const request = session.request({
            ":method": "POST",
            ":path": "/test.Echo/Info",
            "content-type": "application/grpc",
            te: "trailers",
            ...metadata
          })
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.end(Buffer.concat([Buffer.from([0, 0, 0, 0, name.length]), Buffer.from(name)]))
          const [headers] = (await once(request, "response")) as [http2.IncomingHttpHeaders]
          await once(request, "end")
          assert.equal(headers["x-answer"], "head")
          const known = JSON.parse(Buffer.concat(chunks).toString("utf8", 5)) as { header: string }
          assert.equal(known.header, metadata[name] ?? "trailers")
        }),
        { numRuns: 60 }
      )
      session.close()
    }
    const client = await fixture.connect()
    assert.equal((await call(client, "/test.Echo/Unary", "x")).toString(), "x")
    await fixture.close()
  })
})
