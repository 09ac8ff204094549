import { readFileSync } from "node:fs"
import { connect as connectHttp2 } from "node:http2"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, assert, describe, it } from "vitest"
import { WatchCreateRequest, WatchRequest, WatchResponse } from "#storage"
import { GrpcDriver } from "./GrpcDriver.ts"
import { type ServerProcess, startServer } from "./ServerProcess.ts"

const MEBI = 2 ** 20
const everything = { key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1) }
const started: Array<{ readonly server: ServerProcess; readonly drivers: Array<GrpcDriver> }> = []

const start = async (...flags: ReadonlyArray<string>) => {
  const server = await startServer({ program: "lmdb", flags: ["--unsafe-no-fsync", ...flags] })
  const drivers: Array<GrpcDriver> = []
  started.push({ server, drivers })
  const connect = async (): Promise<GrpcDriver> => {
    const driver = new GrpcDriver(server.address)
    drivers.push(driver)
    await driver.ready()
    return driver
  }
  return { server, connect, driver: await connect() }
}

afterEach(async () => {
  for (const { drivers, server } of started.splice(0)) {
    for (const driver of drivers) driver.close()
    await server.destroy()
  }
})

/** Memory that belongs to the process alone, without the mapped file; undefined where the system does not tell. */
const anonymousMiB = ({ process: child }: ServerProcess): number | undefined => {
  if (process.platform !== "linux") return undefined
  const line = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))
  return line === null ? undefined : Number(line[1]) / 1024
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const inBatches = async (count: number, size: number, run: (n: number) => Promise<unknown>): Promise<void> => {
  for (let at = 0; at < count; at += size) {
    await Promise.all(Array.from({ length: Math.min(size, count - at) }, (_, n) => run(at + n)))
  }
}

/** The longest and the median time that a put took while something else went on. */
const watchPauses = async (driver: GrpcDriver, during: Promise<unknown>, what: string): Promise<void> => {
  const state = { over: false }
  void during.finally(() => {
    state.over = true
  })
  const times: Array<number> = []
  for (let n = 0; !state.over || times.length < 20; n++) {
    const from = performance.now()
    await driver.ask("put", { key: Buffer.from(`pause/${n % 100}`), value: Buffer.from("v") })
    times.push(performance.now() - from)
    await sleep(2)
  }
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]
  say(`${what}: ${times.length} puts, median ${median.toFixed(1)} ms, longest ${times.at(-1)?.toFixed(1)} ms`)
}

const put100Ops = (driver: GrpcDriver, n: number, lease = 0): Promise<unknown> =>
  driver.ask("txn", {
    success: Array.from({ length: 100 }, (_, at) => ({
      requestPut: { key: Buffer.from(`many/${n}/${at}`), value: Buffer.alloc(50, "v"), lease }
    }))
  })

/** A watch of everything whose bytes stay unread; grpc-js reads ahead, so this one stands on node:http2. */
const openUnread = (server: ServerProcess) => {
  const session = connectHttp2(`http://${server.address}`)
  session.on("error", () => undefined)
  const stream = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.Watch/Watch",
    "content-type": "application/grpc",
    te: "trailers"
  })
  stream.on("error", () => undefined)
  const request = WatchRequest.encode({ createRequest: WatchCreateRequest.make(everything) })
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(request.length, 1)
  stream.write(Buffer.concat([prefix, request]))
  /** Reads on until an event of this revision, and says the revisions of all events. */
  const read = async (upTo: number): Promise<ReadonlyArray<number>> => {
    const revisions: Array<number> = []
    let kept = Buffer.alloc(0)
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      kept = Buffer.concat([kept, chunk])
      while (kept.length >= 5 && kept.length >= 5 + kept.readUInt32BE(1)) {
        const { events } = WatchResponse.decode(kept, 5, 5 + kept.readUInt32BE(1))
        revisions.push(...events.map(({ kv }) => Number(kv?.modRevision)))
        kept = kept.subarray(5 + kept.readUInt32BE(1))
      }
      if (revisions.at(-1) === upTo) break
    }
    session.destroy()
    return revisions
  }
  return { read }
}

describe("watchers", () => {
  it("that do not read cost no memory, and are told everything when they do", async () => {
    const { driver, server } = await start()
    const value = Buffer.alloc(100_000, "v")
    const put = (n: number) => driver.ask("put", { key: Buffer.from(`k${n % 50}`), value })
    // The same load without a watcher first: what it leaves behind is not the watcher's.
    await inBatches(2000, 20, put)
    const watcher = openUnread(server)
    await sleep(300)
    const before = anonymousMiB(server)
    await inBatches(2000, 20, put)
    const after = anonymousMiB(server)
    if (before !== undefined && after !== undefined) {
      say(`a watcher 200 MB behind: anonymous memory ${Math.round(before)} MiB before, ${Math.round(after)} MiB after`)
      assert.isBelow(after - before, 150)
    }
    const revisions = await watcher.read(4001)
    assert.deepStrictEqual(
      revisions,
      Array.from({ length: 2000 }, (_, n) => n + 2002)
    )
  }, 120_000)

  it("ten thousand on one connection each hear of their own key", async () => {
    const { connect, driver, server } = await start()
    const stream = (await connect()).open("watch")
    stream.on("error", () => undefined)
    const created = new Set<number>()
    const heard = new Map<number, string>()
    stream.on("data", (answer: unknown) => {
      const {
        created: isNew,
        events,
        watchId
      } = answer as {
        created: boolean
        watchId: number
        events: ReadonlyArray<{ kv: { key: Uint8Array } }>
      }
      if (isNew) created.add(watchId)
      for (const { kv } of events) heard.set(watchId, String(kv.key))
    })
    for (let n = 0; n < 10_000; n++) {
      const key = Buffer.from(`w/${n}`)
      const range = n % 2 === 0 ? { key } : { key, rangeEnd: Buffer.from(`w/${n}\0`) }
      stream.write({ createRequest: { ...range, watchId: n + 1 } })
    }
    for (let tries = 0; tries < 300 && created.size < 10_000; tries++) await sleep(50)
    assert.strictEqual(created.size, 10_000)
    await inBatches(10_000, 500, (n) => driver.ask("put", { key: Buffer.from(`w/${n}`), value: Buffer.from("v") }))
    for (let tries = 0; tries < 300 && heard.size < 10_000; tries++) await sleep(50)
    assert.strictEqual(heard.size, 10_000)
    for (const [id, key] of heard) assert.strictEqual(key, `w/${id - 1}`)
    say(`10,000 watches: anonymous memory ${Math.round(anonymousMiB(server) ?? 0)} MiB`)
    stream.cancel()
  }, 120_000)
})

describe("large answers", () => {
  it("of 100 MB arrive whole, in one piece and as a stream", async () => {
    const { driver, server } = await start()
    await inBatches(100, 5, (n) =>
      driver.ask("put", { key: Buffer.from(`big/${String(n).padStart(3, "0")}`), value: Buffer.alloc(MEBI, n) })
    )
    const before = anonymousMiB(server)
    type Kvs = ReadonlyArray<{ readonly key: Uint8Array; readonly value: Uint8Array }>
    const check = (kvs: Kvs): void => {
      assert.strictEqual(kvs.length, 100)
      for (const [n, { value }] of kvs.entries()) {
        assert.isTrue(value.length === MEBI && value[0] === n && value[MEBI - 1] === n, `value ${n}`)
      }
    }
    const { kvs } = (await driver.ask("range", everything)) as { kvs: Kvs }
    check(kvs)
    const streamed = await driver.gather("rangeStream", [everything])
    assert.isTrue("answers" in streamed && streamed.code === 0)
    const chunks = ("answers" in streamed ? streamed.answers : []) as ReadonlyArray<{ rangeResponse: { kvs: Kvs } }>
    check(chunks.flatMap(({ rangeResponse }) => rangeResponse.kvs))
    assert.isAbove(chunks.length, 5)
    const largest = Math.max(...chunks.map(({ rangeResponse }) => rangeResponse.kvs.length))
    assert.isAtMost(largest, 12, "the first chunk has ten records, later ones fewer")
    await sleep(500)
    say(
      `100 MB answers: anonymous memory ${Math.round(before ?? 0)} MiB, then ${Math.round(anonymousMiB(server) ?? 0)}`
    )
  }, 120_000)
})

describe("requests", () => {
  it("are refused from etcd's size on", async () => {
    const { driver } = await start()
    const put = (size: number) => driver.call("put", { key: Buffer.from("k"), value: Buffer.alloc(size, "v") })
    const limit = 1.5 * MEBI
    assert.property(await put(limit - 100), "answer")
    const tooLarge = { code: 3, details: "etcdserver: request is too large" }
    assert.deepStrictEqual(await put(limit), tooLarge)
    assert.deepStrictEqual(await put(1.6 * MEBI), tooLarge)
    const beyond = await put(2.5 * MEBI)
    assert.propertyVal(beyond, "code", 8)
    const inTxn = await driver.call("txn", {
      success: ["a", "b"].map((name) => ({ requestPut: { key: Buffer.from(name), value: Buffer.alloc(MEBI * 0.8) } }))
    })
    assert.deepStrictEqual(inTxn, tooLarge)
  })

  it("may be larger where the flag says so", async () => {
    const { driver } = await start("--max-request-bytes", String(8 * MEBI))
    const value = Buffer.alloc(7 * MEBI, "v")
    await driver.ask("put", { key: Buffer.from("k"), value })
    const { kvs } = (await driver.ask("range", { key: Buffer.from("k") })) as {
      kvs: ReadonlyArray<{ value: Uint8Array }>
    }
    assert.strictEqual(Buffer.compare(kvs[0].value, value), 0)
  })
})

describe("work in the background", () => {
  it("compacts 200,000 events while writers go on", async () => {
    const { connect, driver } = await start()
    await inBatches(2000, 20, (n) => put100Ops(driver, n % 100))
    const { header } = (await driver.ask("range", { key: Buffer.from("x") })) as { header: { revision: number } }
    const compacting = driver.ask("compact", { revision: header.revision, physical: true })
    await watchPauses(await connect(), compacting, "compaction of 200,000 events")
    const past = await driver.call("range", { ...everything, revision: header.revision - 1 })
    assert.propertyVal(past, "code", 11)
    const { count } = (await driver.ask("range", {
      key: Buffer.from("many/"),
      rangeEnd: Buffer.from("many0"),
      countOnly: true
    })) as { count: number }
    assert.strictEqual(count, 10_000)
  }, 120_000)

  it("ends a lease with 20,000 keys while writers go on, all in one revision", async () => {
    const { connect, driver } = await start()
    await driver.ask("leaseGrant", { id: 7, ttl: 2 })
    const renewal = setInterval(() => void driver.gather("leaseKeepAlive", [{ id: 7 }]), 300)
    await inBatches(200, 10, (n) => put100Ops(driver, n, 7))
    clearInterval(renewal)
    const gone = async (): Promise<void> => {
      for (let tries = 0; tries < 200; tries++) {
        if (((await driver.ask("leaseTimeToLive", { id: 7 })) as { grantedTtl: number }).grantedTtl === 0) return
        await sleep(50)
      }
      assert.fail("the lease did not expire")
    }
    await watchPauses(await connect(), gone(), "expiry of a lease with 20,000 keys")
    const left = (await driver.ask("range", {
      key: Buffer.from("many/"),
      rangeEnd: Buffer.from("many0"),
      countOnly: true
    })) as { count: number }
    assert.strictEqual(left.count, 0)
  }, 120_000)
})
