// Each bound of the hardening, broken by a peer that knows no rules: the connection ends with the right code, others go on.
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { continuationsMax, floodBudgets } from "../../core/net/FloodGuard.ts"
import { Flag, FrameType, H2Error, maxWindow, Setting } from "../../core/net/Frame.ts"
import { GrpcCode, type UnaryCall } from "../../core/net/index.ts"
import { call, type Fixture, startEcho } from "./EchoService.ts"
import { frame, grpcData, grpcHeaders, grpcRequest, literals, RawPeer, uint32 } from "./RawPeer.ts"

const unary = "/test.Echo/Unary"
const never = Buffer.from("~")

describe("a server under abuse", () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startEcho({ maxConcurrentStreams: 2000, maxHeaderListBytes: 16_384 })
  })
  afterAll(() => fixture.close())

  /** Sends `piece(n)` for n from 0 until the budget must be used up; answers the GOAWAY's code. */
  const flood = async (count: number, piece: (n: number) => Buffer): Promise<number> => {
    const peer = await RawPeer.open(fixture.listening.port)
    const all: Array<Buffer> = []
    for (let n = 0; n < count; n++) all.push(piece(n))
    peer.send(...all)
    const { code } = await peer.goAway()
    peer.close()
    // Whatever one peer did, the next one is served.
    const client = await fixture.connect()
    assert.equal((await call(client, unary, "still here")).toString(), "still here")
    client.close()
    return code
  }

  const beyond = (kind: keyof typeof floodBudgets): number =>
    floodBudgets[kind].burst + Math.max(200, floodBudgets[kind].perSecond * 2)

  it("ends rapid reset (CVE-2023-44487)", async () => {
    const code = await flood(beyond("reset"), (n) => {
      const id = n * 2 + 1
      return Buffer.concat([
        grpcHeaders(id, unary),
        grpcData(id, never),
        frame(FrameType.RstStream, 0, id, uint32(H2Error.Cancel))
      ])
    })
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("ends resets that it is provoked to send (CVE-2025-8671)", async () => {
    const code = await flood(beyond("mistake"), (n) => {
      const id = n * 2 + 1
      const window = frame(FrameType.WindowUpdate, 0, id, uint32(0))
      return Buffer.concat([grpcHeaders(id, unary), window])
    })
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("lets a client cancel what it called, within the budget", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    for (let n = 0; n < 500; n++) {
      const id = n * 2 + 1
      peer.send(grpcHeaders(id, unary), grpcData(id, never), frame(FrameType.RstStream, 0, id, uint32(H2Error.Cancel)))
    }
    await peer.roundTrip()
    assert.isFalse(peer.closed)
    peer.close()
  })

  it("ends a CONTINUATION flood (CVE-2024-27316)", async () => {
    const code = await flood(continuationsMax + 2, (n) =>
      n === 0
        ? frame(FrameType.Headers, 0, 1, literals(grpcRequest(unary)))
        : frame(FrameType.Continuation, 0, 1, literals([["x", "y"]]))
    )
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("ends a header block that is too large before its end", async () => {
    const code = await flood(3, (n) =>
      frame(n === 0 ? FrameType.Headers : FrameType.Continuation, 0, 1, Buffer.alloc(8000, 0x82))
    )
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("ends a SETTINGS flood (CVE-2019-9515)", async () => {
    assert.equal(await flood(beyond("settings"), () => frame(FrameType.Settings, 0, 0)), H2Error.EnhanceYourCalm)
  })

  it("ends a PING flood (CVE-2019-9512)", async () => {
    const code = await flood(10, () => frame(FrameType.Ping, 0, 0, Buffer.alloc(8)))
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("lets a client measure the way after each answer, for as long as it likes", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    const rounds = floodBudgets.ping.burst + 200
    for (let n = 0; n < rounds; n++) {
      const id = n * 2 + 1
      peer.send(grpcHeaders(id, unary), grpcData(id, never.subarray(0, 0)))
      await peer.until((seen) => seen.id === id && (seen.flags & Flag.EndStream) !== 0)
      peer.send(frame(FrameType.Ping, 0, 0, Buffer.alloc(8)))
    }
    await peer.until(({ flags, type }) => type === FrameType.Ping && (flags & Flag.Ack) !== 0)
    assert.equal(peer.frames.filter(({ type }) => type === FrameType.GoAway).length, 0)
    peer.close()
  })

  it("ends a flood of empty DATA (CVE-2019-9518)", async () => {
    const code = await flood(beyond("empty"), (n) => (n === 0 ? grpcHeaders(1, unary) : frame(FrameType.Data, 0, 1)))
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("ends a flood of PRIORITY and of unknown frames (CVE-2019-9513)", async () => {
    const priority = Buffer.from([0, 0, 0, 0, 16])
    assert.equal(await flood(beyond("idle"), () => frame(FrameType.Priority, 0, 3, priority)), H2Error.EnhanceYourCalm)
    assert.equal(await flood(beyond("idle"), () => frame(0x77, 0, 0)), H2Error.EnhanceYourCalm)
  })

  it("ends a flood of WINDOW_UPDATE (CVE-2019-9511)", async () => {
    const code = await flood(beyond("window"), () => frame(FrameType.WindowUpdate, 0, 0, uint32(1)))
    assert.equal(code, H2Error.EnhanceYourCalm)
  })

  it("answers 431 to a header bomb and keeps the table right (CVE-2016-6581)", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    // One entry of 4,000 bytes in the table, then named a thousand times in two bytes each.
    const plant = Buffer.concat([
      Buffer.from([0x40, 1]),
      Buffer.from("x"),
      Buffer.from([0x7f, 0xa1, 0x1e]),
      Buffer.alloc(4000, 0x61)
    ])
    const bomb = Buffer.concat([literals(grpcRequest(unary)), plant, Buffer.alloc(1000, 0xbe)])
    peer.send(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, 1, bomb))
    await peer.until(({ type, id }) => type === FrameType.Headers && id === 1)
    assert.deepEqual(peer.headers(1)[0], [":status", "431"])
    const named = Buffer.concat([literals(grpcRequest("/test.Echo/Info")), Buffer.from([0xbe])])
    peer.send(frame(FrameType.Headers, Flag.EndHeaders, 3, named), grpcData(3, Buffer.from("x")))
    const answer = await peer.until(({ type, id }) => type === FrameType.Data && id === 3)
    assert.equal((JSON.parse(answer.payload.toString("utf8", 5)) as { header: string }).header.length, 4000)
    peer.close()
  })

  it("ends a window that overflows, on the connection and on a stream", async () => {
    assert.equal(await flood(1, () => frame(FrameType.WindowUpdate, 0, 0, uint32(maxWindow))), H2Error.FlowControl)
    const peer = await RawPeer.open(fixture.listening.port)
    peer.send(grpcHeaders(1, unary), frame(FrameType.WindowUpdate, 0, 1, uint32(maxWindow)))
    assert.equal(await peer.reset(1), H2Error.FlowControl)
    peer.close()
  })

  it("ends a peer that sends more than its windows hold", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    peer.send(grpcHeaders(1, "/test.Echo/Both"))
    const message = Buffer.alloc(16_384)
    // Never reading the echo, the peer's own window stays shut, but ours opens as messages are taken; a claimed huge message
    // on a stream whose owner never gets it whole fills the stream's window.
    const claim = Buffer.alloc(5)
    claim.writeUInt32BE(4_000_000, 1)
    peer.send(frame(FrameType.Data, 0, 1, claim))
    for (let n = 0; n < 240; n++) peer.send(frame(FrameType.Data, 0, 1, message))
    await peer.roundTrip()
    assert.isFalse(peer.closed)
    peer.close()
    const greedy = await RawPeer.open((await startPaused()).listening.port)
    greedy.send(grpcHeaders(1, "/test.Paused/Stream"))
    for (let n = 0; n < 40; n++) greedy.send(frame(FrameType.Data, 0, 1, message))
    assert.equal(await greedy.reset(1), H2Error.FlowControl)
    greedy.close()
  })

  let paused: Fixture | undefined
  const startPaused = async (): Promise<Fixture> => {
    const method = {
      path: "/test.Paused/Stream",
      stream: (taken: { pause(): void }) => {
        taken.pause()
        return { message: () => {}, end: () => {} }
      }
    }
    paused = await startEcho({ methods: [method] })
    return paused
  }
  afterAll(() => paused?.close())

  it("refuses streams above its limit and serves again when some ended", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    const pieces: Array<Buffer> = []
    for (let n = 0; n < 2001; n++) pieces.push(grpcHeaders(n * 2 + 1, unary), grpcData(n * 2 + 1, never))
    peer.send(...pieces)
    assert.equal(await peer.reset(4001), H2Error.RefusedStream)
    peer.send(frame(FrameType.RstStream, 0, 1, uint32(H2Error.Cancel)), grpcHeaders(4003, unary))
    peer.send(grpcData(4003, Buffer.from("room")))
    await peer.until(({ type, id }) => type === FrameType.Data && id === 4003)
    peer.close()
  })

  it("stops reading from a peer that does not read", async () => {
    const peer = await RawPeer.open(fixture.listening.port)
    peer.socket.pause()
    let id = 1
    // Answers of a status alone are not flow-controlled: only the bound on unsent bytes can stop them.
    const long = Buffer.from(`!5 ${"x".repeat(4000)}`)
    let sent = -1
    // Until the kernel's buffers are full in both directions and the server stands still, with requests waiting for it.
    while (!peer.closed && (fixture.listening.stats().bytesSent !== sent || peer.socket.writableLength === 0)) {
      sent = fixture.listening.stats().bytesSent
      const pieces: Array<Buffer> = []
      for (let n = 0; n < 500; n++, id += 2) pieces.push(grpcHeaders(id, unary), grpcData(id, long))
      peer.send(...pieces)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.isFalse(peer.closed)
    peer.socket.resume()
    await peer.until((seen) => seen.id === id - 2 && (seen.flags & Flag.EndStream) !== 0)
    peer.close()
  })

  it("drops a peer that does not read when answers to what it asked before pile up", async () => {
    const held: Array<UnaryCall> = []
    const hold = { path: "/test.Hold/Unary", unary: (taken: UnaryCall) => void held.push(taken) }
    const holding = await startEcho({ methods: [hold] })
    const peer = await RawPeer.open(holding.listening.port)
    for (let id = 1; id < 8000; id += 2) peer.send(grpcHeaders(id, hold.path), grpcData(id, Buffer.from("x")))
    while (held.length < 4000) await new Promise((resolve) => setTimeout(resolve, 2))
    peer.socket.pause()
    for (const taken of held) taken.fail(GrpcCode.NotFound, "x".repeat(12_000))
    while (holding.listening.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 2))
    assert.isBelow(holding.listening.stats().bytesSent, 4000 * 12_000 * 2)
    peer.close()
    await holding.close()
  })

  it("refuses new streams while answers that nobody takes pile up", async () => {
    const bounded = await startEcho({ maxBufferedBytes: 3_000_000 })
    const peer = await RawPeer.open(bounded.listening.port)
    const pieces: Array<Buffer> = []
    for (let id = 1; id < 20; id += 2) pieces.push(grpcHeaders(id, unary), grpcData(id, Buffer.from("#1000000")))
    peer.send(...pieces)
    // The peer's connection window lets 64 KiB of ten answers of a megabyte through: the fourth is over the bound, the fifth refused.
    assert.equal(await peer.reset(9), H2Error.RefusedStream)
    assert.isUndefined(peer.frames.find(({ type, id }) => type === FrameType.RstStream && id < 9))
    for (let id = 1; id < 8; id += 2) peer.send(frame(FrameType.RstStream, 0, id, uint32(H2Error.Cancel)))
    peer.send(grpcHeaders(21, unary), grpcData(21, Buffer.from("room again")))
    peer.send(frame(FrameType.WindowUpdate, 0, 0, uint32(100)))
    await peer.until(({ type, id }) => type === FrameType.Data && id === 21)
    peer.close()
    await bounded.close()
  })

  it("sends the streams of a connection in turns when its window is the limit", async () => {
    const settings = Buffer.concat([Buffer.from([0, Setting.InitialWindowSize]), uint32(1_000_000)])
    const peer = await RawPeer.open(fixture.listening.port, settings)
    for (const id of [1, 3, 5]) peer.send(grpcHeaders(id, unary), grpcData(id, Buffer.from("#200000")))
    await peer.roundTrip()
    const dataIds = (): Array<number> => peer.frames.filter(({ type }) => type === FrameType.Data).map(({ id }) => id)
    const first = dataIds().length
    for (let turn = 0; turn < 12; turn++) peer.send(frame(FrameType.WindowUpdate, 0, 0, uint32(16_384)))
    while (dataIds().length < first + 12) await new Promise((resolve) => setTimeout(resolve, 2))
    const share = new Map<number, number>()
    for (const id of dataIds().slice(first)) share.set(id, (share.get(id) ?? 0) + 1)
    for (const id of [1, 3, 5]) assert.isAtLeast(share.get(id) ?? 0, 3)
    peer.close()
  })

  it("sends a shrinking window's stream nothing more, and goes on when it grows", async () => {
    const settings = (value: number): Buffer =>
      Buffer.concat([Buffer.from([0, Setting.InitialWindowSize]), uint32(value)])
    const peer = await RawPeer.open(fixture.listening.port, settings(100))
    peer.send(grpcHeaders(1, unary), grpcData(1, Buffer.from("#500")))
    await peer.until(({ type, payload }) => type === FrameType.Data && payload.length === 100)
    peer.send(frame(FrameType.Settings, 0, 0, settings(10)))
    peer.send(frame(FrameType.WindowUpdate, 0, 1, uint32(80)))
    await peer.roundTrip()
    const size = (): number =>
      peer.frames.filter(({ type }) => type === FrameType.Data).reduce((sum, { payload }) => sum + payload.length, 0)
    assert.equal(size(), 100)
    peer.send(frame(FrameType.Settings, 0, 0, settings(1000)))
    await peer.until(({ type, flags }) => type === FrameType.Headers && (flags & Flag.EndStream) !== 0)
    assert.equal(size(), 505)
    peer.close()
  })
})
