// The same conversation, cut into reads at every byte: what the server answers must not depend on where reads end.
import * as fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Flag, FrameType, preface } from "../../core/net/Frame.ts"
import { FrameReader } from "../../core/net/FrameReader.ts"
import { type Fixture, startEcho } from "./EchoService.ts"
import { frame, grpcData, grpcHeaders, RawPeer } from "./RawPeer.ts"

const conversation = Buffer.concat([
  preface,
  frame(FrameType.Settings, 0, 0),
  grpcHeaders(1, "/test.Echo/Unary"),
  grpcData(1, Buffer.from("one")),
  grpcHeaders(3, "/test.Echo/Both"),
  grpcData(3, Buffer.from("two"), 0),
  frame(FrameType.Ping, 0, 0, Buffer.from("12345678")),
  grpcData(3, Buffer.from("three")),
  frame(0x77, 0, 0, Buffer.alloc(3))
])

describe("reads that end anywhere", () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startEcho()
  })
  afterAll(() => fixture.close())

  const talk = async (pieces: ReadonlyArray<Buffer>): Promise<string> => {
    const peer = await RawPeer.open(fixture.listening.port, null)
    for (const piece of pieces) {
      peer.send(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await peer.until(({ type, flags, id }) => id === 3 && type === FrameType.Headers && (flags & Flag.EndStream) !== 0)
    const said = peer.frames
      .filter(({ type }) => type === FrameType.Data || type === FrameType.Headers)
      .map(({ type, id, payload }) => `${type}/${id}/${type === FrameType.Data ? payload.toString("latin1") : ""}`)
    peer.close()
    return said.join(" ")
  }

  it("one cut at every byte", async () => {
    const whole = await talk([conversation])
    assert.include(whole, "three")
    for (let cut = 1; cut < conversation.length; cut++) {
      assert.equal(await talk([conversation.subarray(0, cut), conversation.subarray(cut)]), whole, `cut at ${cut}`)
    }
  })

  it("every byte a read of its own", async () => {
    const bytes = Array.from(conversation, (_, at) => conversation.subarray(at, at + 1))
    assert.equal(await talk(bytes), await talk([conversation]))
  })
})

it("the reader hands out the same frames for any cuts", () => {
  const anyFrame = fc.tuple(
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 1000 }),
    fc.uint8Array({ maxLength: 300 })
  )
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 400 })), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(([type, id, payload]) => frame(type, 0, id, payload)))
      const out: Array<readonly [number, number, string]> = []
      const reader = new FrameReader()
      const sink = {
        frame: (type: number, _flags: number, id: number, from: Buffer, start: number, end: number): boolean => {
          out.push([type, id, from.toString("hex", start, end)])
          return true
        }
      }
      let at = 0
      for (const cut of [...cuts, bytes.length]) {
        reader.push(bytes.subarray(at, at + cut), sink)
        at += cut
      }
      assert.deepEqual(
        out,
        frames.map(([type, id, payload]) => [type, id, Buffer.from(payload).toString("hex")])
      )
    })
  )
})
