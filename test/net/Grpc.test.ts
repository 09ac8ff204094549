// Calls of every kind between our client and our server: answers, statuses, metadata, deadlines, cancellation, limits, flow
// control and fairness.
import { Effect } from "effect"
import * as fc from "fast-check"
import { gzipSync } from "node:zlib"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  callUnary,
  type GrpcClient,
  GrpcCode,
  GrpcStatus,
  type StreamCall,
  type UnaryCall
} from "../../core/net/index.ts"
import { Flag, FrameType } from "../../core/net/Frame.ts"
import { decodeGrpcMessage, decodeGrpcTimeout, encodeGrpcMessage, encodeGrpcTimeout } from "../../core/net/GrpcCode.ts"
import { call, type Fixture, startEcho } from "./EchoService.ts"
import { frame, grpcHeaders, grpcRequest, literals, RawPeer } from "./RawPeer.ts"

const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs a whole streaming call: what came, and the status. */
const streamed = (
  client: GrpcClient,
  path: string,
  messages: ReadonlyArray<Uint8Array>,
  deadlineMs?: number
): Promise<{ readonly answers: Array<Buffer>; readonly status: GrpcStatus }> =>
  new Promise((resolve) => {
    const answers: Array<Buffer> = []
    const stream = client.stream(
      path,
      { message: (bytes) => void answers.push(Buffer.from(bytes)), end: (status) => resolve({ answers, status }) },
      deadlineMs === undefined ? {} : { deadlineMs }
    )
    for (const message of messages) stream.send(message)
    stream.halfClose()
  })

describe("calls", () => {
  const seen: { unary: UnaryCall | undefined; stream: StreamCall | undefined; cancelled: number } = {
    unary: undefined,
    stream: undefined,
    cancelled: 0
  }
  let fixture: Fixture
  let client: GrpcClient

  beforeAll(async () => {
    const { echoMethods } = await import("./EchoService.ts")
    fixture = await startEcho({
      maxReceiveMessageBytes: 5_000_000,
      methods: [
        ...echoMethods,
        {
          path: "/test.Hold/Unary",
          unary: (taken) => {
            seen.unary = taken
            taken.onCancel = () => seen.cancelled++
          }
        },
        {
          path: "/test.Hold/Stream",
          stream: (taken) => {
            seen.stream = taken
            taken.onCancel = () => seen.cancelled++
            return { message: () => {}, end: () => {} }
          }
        },
        {
          path: "/test.Throw/Unary",
          unary: () => {
            throw new Error("secret detail")
          }
        }
      ],
      onDefect: () => {}
    })
    client = await fixture.connect()
  })
  afterAll(() => fixture.close())

  it("echo messages of every size around the limits of frames, windows and buffers", async () => {
    const sizes = [
      0, 1, 15_999, 16_000, 16_001, 16_378, 16_379, 16_384, 65_530, 65_531, 65_536, 524_288, 1_048_577, 4_999_999
    ]
    for (const path of ["/test.Echo/Unary", "/test.Echo/Reserve"]) {
      await Promise.all(
        sizes.map(async (size) => {
          const message = Buffer.alloc(size, size & 0xff || 1)
          const answer = await call(client, path, message)
          assert.isTrue(answer.equals(message), `${path} ${size}`)
        })
      )
    }
  })

  it("echo many at once, each caller gets its own", async () => {
    const answers = await Promise.all(
      Array.from({ length: 5000 }, (_, n) => call(client, "/test.Echo/Unary", `call ${n}`))
    )
    answers.forEach((answer, n) => assert.equal(answer.toString(), `call ${n}`))
  })

  it("carry every status and any message text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 16 }),
        fc.string({ unit: "grapheme", maxLength: 60 }),
        async (code, text) => {
          const message = text.replaceAll(/[\uD800-\uDFFF]/gu, "")
          const error = await call(client, "/test.Echo/Unary", `!${code} ${message}`).catch((failed: unknown) => failed)
          assert.instanceOf(error, GrpcStatus)
          assert.deepEqual([error.code, error.message], [code, message])
        }
      ),
      { numRuns: 200 }
    )
  })

  it("name what is not there", async () => {
    const error = await call(client, "/test.Echo/Nope", "x").catch((failed: GrpcStatus) => failed)
    assert.deepInclude(error, { code: GrpcCode.Unimplemented, message: "unknown method Nope for service test.Echo" })
  })

  it("carry metadata both ways, binary too", async () => {
    const binary = Buffer.from([0, 255, 1, 254]).toString("base64")
    const metadata = [["x-name-bin", binary]] as const
    const answer = await new Promise<string>((resolve) => {
      client.unary(
        "/test.Echo/Info",
        Buffer.from("x-name-bin"),
        (_error, bytes) => resolve(Buffer.from(bytes).toString()),
        {
          metadata
        }
      )
    })
    const known = JSON.parse(answer) as { binary: Array<number>; peer: string }
    assert.deepEqual(known.binary, [0, 255, 1, 254])
    assert.match(known.peer, /^127\.0\.0\.1:\d+$/)
  })

  it("a method that throws answers Internal without its words", async () => {
    const error = await call(client, "/test.Throw/Unary", "x").catch((failed: GrpcStatus) => failed)
    assert.deepInclude(error, { code: GrpcCode.Internal, message: "internal error" })
  })

  it("refuse a message above the limit with grpc-go's words", async () => {
    const error = await call(client, "/test.Echo/Unary", Buffer.alloc(5_000_001)).catch((failed: GrpcStatus) => failed)
    const message = "grpc: received message larger than max (5000001 vs. 5000000)"
    assert.deepInclude(error, { code: GrpcCode.ResourceExhausted, message })
    const small = await fixture.connect({ maxReceiveMessageBytes: 1000 })
    const refused = await call(small, "/test.Echo/Unary", "#1001").catch((failed: GrpcStatus) => failed)
    assert.deepInclude(refused, { code: GrpcCode.ResourceExhausted })
    small.close()
  })

  it("end at their deadline on both sides", async () => {
    const before = seen.cancelled
    const error = await Effect.runPromise(
      Effect.flip(callUnary(client, "/test.Hold/Unary", Buffer.from("x"), { deadlineMs: 60 }))
    )
    assert.equal(error.code, GrpcCode.DeadlineExceeded)
    while (seen.cancelled === before) await settle(5)
    assert.isTrue(seen.unary?.cancelled)
    seen.unary?.respond(Buffer.from("too late"))
    assert.equal(seen.cancelled, before + 1)
  })

  it("the server keeps the deadline even if the client does not", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    const fields = [...grpcRequest("/test.Hold/Stream"), ["grpc-timeout", "30m"] as const]
    peer.send(frame(FrameType.Headers, Flag.EndHeaders, 1, literals(fields)))
    await peer.until(({ type, flags }) => type === FrameType.Headers && (flags & Flag.EndStream) !== 0)
    assert.include(peer.headers(1)[0].join(" "), "grpc-status 4 grpc-message context deadline exceeded")
    peer.close()
  })

  it("a cancelled call tells the server once; an answered one never", async () => {
    const before = seen.cancelled
    const failed = new Promise<GrpcStatus | undefined>((resolve) => {
      const running = client.unary("/test.Hold/Unary", Buffer.from("x"), (error) => resolve(error))
      setTimeout(() => running.cancel(), 20)
    })
    assert.equal((await failed)?.code, GrpcCode.Cancelled)
    while (seen.cancelled === before) await settle(5)
    const answered = call(client, "/test.Hold/Unary", "y")
    await settle(20)
    seen.unary?.respond(Buffer.from("done"))
    seen.unary?.fail(GrpcCode.Internal, "second answer")
    assert.equal((await answered).toString(), "done")
    assert.equal(seen.cancelled, before + 1)
  })

  it("a lost connection fails what is open with Unavailable and tells the server", async () => {
    const before = seen.cancelled
    const other = await fixture.connect()
    const failed = call(other, "/test.Hold/Unary", "x").catch((error: GrpcStatus) => error)
    await settle(20)
    other.close()
    assert.deepInclude(await failed, { code: GrpcCode.Unavailable })
    while (seen.cancelled === before) await settle(5)
    assert.isFalse(other.ready)
    const late = await call(other, "/test.Echo/Unary", "x").catch((error: GrpcStatus) => error)
    assert.deepInclude(late, { code: GrpcCode.Unavailable })
  })

  it("stream both ways, messages whole and in order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 30 }), async (sizes) => {
        const messages = sizes.map((size, n) => Buffer.alloc(size, n + 1))
        const { answers, status } = await streamed(client, "/test.Echo/Both", messages)
        assert.equal(status.code, GrpcCode.Ok)
        assert.equal(answers.length, messages.length)
        answers.forEach((answer, n) => assert.isTrue(answer.equals(messages[n])))
      }),
      { numRuns: 50 }
    )
  })

  it("stream up and down under back-pressure", async () => {
    const up = await streamed(
      client,
      "/test.Echo/Upload",
      Array.from({ length: 300 }, () => Buffer.alloc(10_000))
    )
    assert.equal(up.answers[0].toString(), "300 3000000")
    const down = await streamed(client, "/test.Echo/Download", [Buffer.from("200 100000")])
    assert.equal(down.answers.length, 200)
    assert.equal(down.status.code, GrpcCode.Ok)
  })

  it("a client that pauses holds the server, and gets everything when it goes on", async () => {
    const got: Array<number> = []
    const done = new Promise<GrpcStatus>((resolve) => {
      const stream = client.stream("/test.Echo/Download", {
        message: (bytes) => {
          got.push(bytes.length)
          if (got.length % 50 !== 1) return
          stream.pause()
          setTimeout(() => stream.resume(), 10)
        },
        end: resolve
      })
      stream.send(Buffer.from("400 20000"))
      stream.halfClose()
    })
    await settle(5)
    assert.isBelow(got.length, 400)
    assert.equal((await done).code, GrpcCode.Ok)
    assert.equal(got.length, 400)
  })

  it("a server that pauses holds the client", async () => {
    const stream = client.stream("/test.Hold/Stream", { message: () => {}, end: () => {} })
    stream.send(Buffer.alloc(10))
    await settle(20)
    seen.stream?.pause()
    let sent = 0
    while (stream.send(Buffer.alloc(10_000)) && sent < 1000) {
      sent++
      if (sent % 20 === 0) await settle(1)
    }
    // The server's stream window (512 KiB) and the client's own high-water mark (256 KiB) are all that is let through.
    assert.isBelow(sent, 90)
    seen.stream?.resume()
    while (stream.bufferedBytes > 0) await settle(2)
    stream.cancel()
  })

  it("wait for a free stream when the server limits them", async () => {
    const narrow = await startEcho({ maxConcurrentStreams: 3 })
    const waiting = await narrow.connect()
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => call(waiting, "/test.Echo/Unary", `n${n}`)))
    answers.forEach((answer, n) => assert.equal(answer.toString(), `n${n}`))
    const streams = await Promise.all(
      Array.from({ length: 10 }, () => streamed(waiting, "/test.Echo/Both", [Buffer.from("a"), Buffer.from("b")]))
    )
    for (const { answers: two, status } of streams) assert.deepEqual([two.length, status.code], [2, 0])
    await narrow.close()
  })

  it("a short call does not wait behind a large download on the same connection", async () => {
    const shared = await fixture.connect()
    let received = 0
    const download = new Promise<GrpcStatus>((resolve) => {
      const stream = shared.stream("/test.Echo/Download", {
        message: (bytes) => void (received += bytes.length),
        end: resolve
      })
      stream.send(Buffer.from("300 1000000"))
      stream.halfClose()
    })
    await settle(10)
    for (let n = 0; n < 5; n++) await call(shared, "/test.Echo/Unary", "#30000")
    assert.isBelow(received, 300_000_000)
    assert.equal((await download).code, GrpcCode.Ok)
    assert.equal(received, 300_000_000)
    shared.close()
  })

  it("take gzip, and name the encodings when another comes", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    const packed = gzipSync(Buffer.from("squeezed"))
    const prefix = Buffer.from([1, 0, 0, 0, packed.length])
    const request = (encoding: string): Buffer =>
      literals([...grpcRequest("/test.Echo/Unary"), ["grpc-encoding", encoding]])
    peer.send(frame(FrameType.Headers, Flag.EndHeaders, 1, request("gzip")))
    peer.send(frame(FrameType.Data, Flag.EndStream, 1, Buffer.concat([prefix, packed])))
    const answer = await peer.until(({ type, id }) => type === FrameType.Data && id === 1)
    assert.equal(answer.payload.toString("utf8", 5), "squeezed")
    peer.send(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, 3, request("snappy")))
    await peer.until(({ type, id }) => type === FrameType.Headers && id === 3)
    const fields = peer.headers(3)[0]
    assert.equal(fields[fields.indexOf("grpc-status") + 1], String(GrpcCode.Unimplemented))
    assert.equal(fields[fields.indexOf("grpc-accept-encoding") + 1], "identity,gzip")
    const bomb = gzipSync(Buffer.alloc(6_000_000))
    const head = Buffer.alloc(5, 1)
    head.writeUInt32BE(bomb.length, 1)
    peer.send(frame(FrameType.Headers, Flag.EndHeaders, 5, request("gzip")))
    peer.send(frame(FrameType.Data, Flag.EndStream, 5, Buffer.concat([head, bomb])))
    await peer.until(({ type, id }) => type === FrameType.Headers && id === 5)
    assert.include(peer.headers(5)[0].join(" "), "grpc-status 8")
    peer.close()
  })

  it("take a message in any number of pieces", async () => {
    const whole = Buffer.concat([Buffer.from([0, 0, 0, 0, 6]), Buffer.from("pieces")])
    const peer = await RawPeer.open(fixture.listening.port)
    for (let cut = 0; cut <= whole.length; cut++) {
      const id = cut * 2 + 1
      peer.send(grpcHeaders(id, "/test.Echo/Unary"))
      if (cut > 0) peer.send(frame(FrameType.Data, 0, id, whole.subarray(0, cut)))
      peer.send(frame(FrameType.Data, Flag.EndStream, id, whole.subarray(cut)))
      const answer = await peer.until((seenFrame) => seenFrame.type === FrameType.Data && seenFrame.id === id)
      assert.equal(answer.payload.toString("utf8", 5), "pieces")
    }
    peer.close()
  })

  it("answer a stream that ends inside a message", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    peer.send(
      grpcHeaders(1, "/test.Echo/Unary"),
      frame(FrameType.Data, Flag.EndStream, 1, Buffer.from([0, 0, 0, 0, 9, 1]))
    )
    await peer.until(({ type, id }) => type === FrameType.Headers && id === 1)
    assert.include(peer.headers(1)[0].join(" "), "grpc-status 13 grpc-message the stream ended inside a message")
    peer.close()
  })
})

describe("texts of the protocol", () => {
  it("grpc-message comes back whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const encoded = encodeGrpcMessage(text)
        assert.match(encoded, /^[ -~]*$/)
        assert.equal(decodeGrpcMessage(encoded), Buffer.from(text, "utf8").toString("utf8"))
      })
    )
    assert.equal(decodeGrpcMessage("100%"), "100%")
  })

  it("grpc-timeout keeps its grammar and never shortens", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e12, noNaN: true }), (ms) => {
        const text = encodeGrpcTimeout(ms)
        assert.match(text, /^\d{1,8}[HMSmun]$/)
        assert.isAtLeast(decodeGrpcTimeout(text)!, ms)
      })
    )
    assert.equal(decodeGrpcTimeout("5S"), 5000)
    for (const bad of ["", "S", "5", "123456789S", "-1S", "5x", "1.5S"]) assert.isUndefined(decodeGrpcTimeout(bad))
  })
})
