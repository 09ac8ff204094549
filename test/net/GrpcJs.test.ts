// @grpc/grpc-js, an implementation that shares no line with ours, as client of our server and as server of our client.
import * as grpc from "@grpc/grpc-js"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type GrpcClient, GrpcCode, type GrpcStatus } from "../../core/net/index.ts"
import { call, type Fixture, startEcho } from "./EchoService.ts"

const plain = (bytes: Buffer): Buffer => bytes
const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe("grpc-js as the client of our server", () => {
  let fixture: Fixture
  let client: grpc.Client
  beforeAll(async () => {
    fixture = await startEcho()
    client = new grpc.Client(`127.0.0.1:${fixture.listening.port}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1
    })
  })
  afterAll(async () => {
    client.close()
    await fixture.close()
  })

  const unary = (path: string, message: Buffer, options: grpc.CallOptions = {}): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, plain, plain, message, new grpc.Metadata(), options, (error, answer) => {
        if (error !== null) reject(error)
        else resolve(answer!)
      })
    })

  it("unary calls of every size", async () => {
    for (const size of [0, 1, 100, 16_379, 70_000, 2_000_000]) {
      const message = Buffer.alloc(size, 3)
      assert.isTrue((await unary("/test.Echo/Unary", message)).equals(message), String(size))
    }
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, n) => unary("/test.Echo/Unary", Buffer.from(`n${n}`)))
    )
    answers.forEach((answer, n) => assert.equal(answer.toString(), `n${n}`))
  })

  it("statuses, messages, deadlines", async () => {
    const failed = (await unary("/test.Echo/Unary", Buffer.from("!9 prüfe 100%")).catch(
      (error: unknown) => error
    )) as grpc.ServiceError
    assert.deepEqual([failed.code, failed.details], [9, "prüfe 100%"])
    const late = (await unary("/test.Echo/Unary", Buffer.from("~"), { deadline: Date.now() + 50 }).catch(
      (error: unknown) => error
    )) as grpc.ServiceError
    assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED)
    const unknown = (await unary("/test.Nope/X", Buffer.alloc(0)).catch((error: unknown) => error)) as grpc.ServiceError
    assert.equal(unknown.code, grpc.status.UNIMPLEMENTED)
  })

  it("metadata both ways", async () => {
    const metadata = new grpc.Metadata()
    metadata.set("x-name-bin", Buffer.from([0, 255, 7]))
    const seen: { head?: string; trailer?: Buffer } = {}
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const running = client.makeUnaryRequest(
        "/test.Echo/Info",
        plain,
        plain,
        Buffer.from("x-name-bin"),
        metadata,
        (error, value) => {
          if (error !== null) reject(error)
          else setTimeout(() => resolve(value!), 5)
        }
      )
      running.on("metadata", (head: grpc.Metadata) => (seen.head = String(head.get("x-answer")[0])))
      running.on("status", (status) => (seen.trailer = status.metadata.get("x-trailer-bin")[0] as Buffer))
    })
    assert.deepEqual((JSON.parse(answer.toString()) as { binary: Array<number> }).binary, [0, 255, 7])
    assert.equal(seen.head, "head")
    assert.deepEqual([...seen.trailer!], [0, 1, 254, 255])
  })

  it("server, client and bidirectional streams", async () => {
    let bytes = 0
    const down = client.makeServerStreamRequest("/test.Echo/Download", plain, plain, Buffer.from("100 50000"))
    down.on("data", (chunk: Buffer) => (bytes += chunk.length))
    await new Promise((resolve) => down.on("end", resolve))
    assert.equal(bytes, 5_000_000)
    const count = await new Promise<Buffer>((resolve, reject) => {
      const up = client.makeClientStreamRequest("/test.Echo/Upload", plain, plain, (error, value) => {
        if (error !== null) reject(error)
        else resolve(value!)
      })
      for (let n = 0; n < 200; n++) up.write(Buffer.alloc(10_000))
      up.end()
    })
    assert.equal(count.toString(), "200 2000000")
    const both = client.makeBidiStreamRequest("/test.Echo/Both", plain, plain)
    const echoed: Array<string> = []
    both.on("data", (chunk: Buffer) => {
      echoed.push(chunk.toString())
      if (echoed.length === 50) both.end()
      else both.write(Buffer.from(`m${echoed.length}`))
    })
    both.write(Buffer.from("m0"))
    await new Promise((resolve) => both.on("end", resolve))
    assert.equal(echoed[49], "m49")
  })

  it("a cancelled stream ends quietly", async () => {
    const stream = client.makeBidiStreamRequest("/test.Echo/Both", plain, plain)
    const status = new Promise<grpc.ServiceError>((resolve) =>
      stream.on("error", (error) => resolve(error as grpc.ServiceError))
    )
    stream.on("data", () => stream.cancel())
    stream.write(Buffer.from("x"))
    assert.equal((await status).code, grpc.status.CANCELLED)
    assert.equal((await unary("/test.Echo/Unary", Buffer.from("after"))).toString(), "after")
    while (fixture.listening.stats().streamsActive > 0) await settle(5)
  })
})

describe("grpc-js as the server of our client", () => {
  let server: grpc.Server
  let fixture: Fixture
  let client: GrpcClient
  beforeAll(async () => {
    const method = (
      path: string,
      requestStream: boolean,
      responseStream: boolean
    ): grpc.MethodDefinition<Buffer, Buffer> => ({
      path,
      requestStream,
      responseStream,
      requestSerialize: plain,
      requestDeserialize: plain,
      responseSerialize: plain,
      responseDeserialize: plain
    })
    server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_concurrent_streams": 20 })
    server.addService(
      {
        unary: method("/js.Echo/Unary", false, false),
        both: method("/js.Echo/Both", true, true),
        down: method("/js.Echo/Down", false, true)
      },
      {
        unary: (taken: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) => {
          const text = taken.request.toString("latin1", 0, 20)
          if (text === "!7") return callback({ code: grpc.status.PERMISSION_DENIED, details: "as asked: größer" })
          if (text === "~") return
          callback(null, taken.request)
        },
        both: (stream: grpc.ServerDuplexStream<Buffer, Buffer>) => {
          stream.on("data", (chunk: Buffer) => stream.write(chunk))
          stream.on("end", () => stream.end())
        },
        down: (stream: grpc.ServerWritableStream<Buffer, Buffer>) => {
          for (let n = 0; n < 100; n++) stream.write(Buffer.alloc(30_000, n))
          stream.end()
        }
      }
    )
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error)
      )
    })
    fixture = await startEcho()
    client = await fixture.connect({ port })
  })
  afterAll(async () => {
    client.close()
    server.forceShutdown()
    await fixture.close()
  })

  it("unary calls of every size, more at once than it allows", async () => {
    for (const size of [0, 1, 100, 16_379, 70_000, 2_000_000]) {
      const message = Buffer.alloc(size, 3)
      assert.isTrue((await call(client, "/js.Echo/Unary", message)).equals(message), String(size))
    }
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => call(client, "/js.Echo/Unary", `n${n}`)))
    answers.forEach((answer, n) => assert.equal(answer.toString(), `n${n}`))
  })

  it("statuses and deadlines", async () => {
    const failed = await call(client, "/js.Echo/Unary", "!7").catch((error: GrpcStatus) => error)
    assert.deepInclude(failed, { code: 7, message: "as asked: größer" })
    const late = await new Promise<GrpcStatus | undefined>((resolve) => {
      client.unary("/js.Echo/Unary", Buffer.from("~"), (error) => resolve(error), { deadlineMs: 50 })
    })
    assert.equal(late?.code, GrpcCode.DeadlineExceeded)
    const unknown = await call(client, "/js.Echo/Nope", "x").catch((error: GrpcStatus) => error)
    assert.deepInclude(unknown, { code: GrpcCode.Unimplemented })
  })

  it("streams", async () => {
    const echoed: Array<number> = []
    const status = await new Promise<GrpcStatus>((resolve) => {
      const stream = client.stream("/js.Echo/Both", {
        message: (bytes) => void echoed.push(bytes.length),
        end: resolve
      })
      for (let n = 0; n < 100; n++) stream.send(Buffer.alloc(n * 300))
      stream.halfClose()
    })
    assert.equal(status.code, 0)
    assert.deepEqual(
      echoed,
      Array.from({ length: 100 }, (_, n) => n * 300)
    )
    let bytes = 0
    await new Promise<GrpcStatus>((resolve) => {
      const stream = client.stream("/js.Echo/Down", { message: (chunk) => void (bytes += chunk.length), end: resolve })
      stream.send(Buffer.alloc(0))
      stream.halfClose()
    })
    assert.equal(bytes, 3_000_000)
  })

  it("cancellation", async () => {
    const status = await new Promise<GrpcStatus>((resolve) => {
      const stream = client.stream("/js.Echo/Both", { message: () => stream.cancel(), end: resolve })
      stream.send(Buffer.from("x"))
    })
    assert.equal(status.code, GrpcCode.Cancelled)
    assert.equal((await call(client, "/js.Echo/Unary", "after")).toString(), "after")
  })
})
