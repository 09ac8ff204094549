import { execFileSync } from "node:child_process"
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { createHash } from "node:crypto"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { GrpcDriver } from "./GrpcDriver.ts"
import { type ServerProcess, spawnServer, startServer, untilReady } from "./ServerProcess.ts"

const NO_SPACE = { code: 8, details: "etcdserver: mvcc: database space exceeded" }
const isRoot = process.getuid?.() === 0
const everything = { key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1) }
const started: Array<ServerProcess> = []
let folder = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "trouble-"))
})
afterEach(async () => {
  for (const server of started.splice(0)) await server.destroy()
  rmSync(folder, { recursive: true, force: true })
})

const start = async (options: Partial<Parameters<typeof startServer>[0]> = {}): Promise<ServerProcess> => {
  const server = await startServer({ program: "lmdb", directory: folder, ...options })
  started.push(server)
  return server
}

const use = async <A>(server: ServerProcess, run: (driver: GrpcDriver) => Promise<A>): Promise<A> => {
  const driver = new GrpcDriver(server.address)
  try {
    await driver.ready()
    return await run(driver)
  } finally {
    driver.close()
  }
}

/** The program must end by itself with this code and one line that says why. */
const refused = async (
  options: Partial<Parameters<typeof startServer>[0]>,
  code: number,
  line: RegExp
): Promise<void> => {
  const server = await spawnServer({ program: "lmdb", directory: folder, ...options })
  started.push(server)
  const ended = await Promise.race([server.ended, sleep(55_000, "still running", { ref: false })])
  const log = server.log()
  assert.strictEqual(ended, code, log)
  const errors = log.split("\n").filter((text) => text.startsWith("error: "))
  assert.strictEqual(errors.length, 1, log)
  assert.match(errors[0], line)
  assert.notMatch(log, /^\s+at /m, "no stack trace")
}

/** A store with 2,000 keys, written in many commits and ended by SIGTERM or SIGKILL. */
const fill = async (signal: NodeJS.Signals): Promise<number> => {
  const server = await start()
  const revision = await use(server, async (driver) => {
    const value = Buffer.alloc(1000, "v")
    for (let round = 0; round < 10; round++) {
      const keys = Array.from({ length: 200 }, (_, n) => Buffer.from(`key/${round}/${n}`))
      await Promise.all(keys.map((key) => driver.ask("put", { key, value })))
    }
    const { header } = (await driver.ask("range", { key: Buffer.from("x") })) as { header: { revision: number } }
    return header.revision
  })
  server.process.kill(signal)
  await server.ended
  return revision
}

const store = (name: string): string => join(folder, "store", name)
const sums = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(join(folder, "store"))
      // Spare files hold nothing that counts.
      .filter((name) => !name.endsWith("lock") && !name.startsWith("spare"))
      .map((name) => [
        name,
        createHash("sha1")
          .update(readFileSync(store(name)))
          .digest("hex")
      ])
  )
const overwrite = (path: string, at: number, bytes: Buffer): void => {
  const file = openSync(path, "r+")
  writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}

describe("bad flags", () => {
  it.each([
    ["an unknown flag", ["--bogus"], /--bogus: flag provided but not defined/],
    ["no number", ["--max-txn-ops", "many"], /--max-txn-ops: must be a whole number/],
    ["no URL", ["--listen-client-urls", "localhost"], /--listen-client-urls: "localhost" must be a URL/],
    ["no duration", ["--watch-progress-notify-interval", "soon"], /must be a duration/],
    ["an unknown backend", ["--backend", "tape"], /--backend: must be one of lmdb, memory/],
    ["a word", ["stray"], /"stray" is no flag/],
    ["https without a certificate", ["--listen-client-urls", "https://127.0.0.1:1"], /--cert-file/],
    ["a configuration file that is not there", ["--config-file", "/nowhere.yaml"], /nowhere\.yaml cannot be read/]
  ])("%s ends with 2", (_title, flags, line) => refused({ flags }, 2, line))
})

describe("a place that cannot be used", () => {
  it("a port in use", async () => {
    const blocker = createServer().listen(0, "127.0.0.1")
    await new Promise((listening) => blocker.once("listening", listening))
    const address = blocker.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    await refused({ port }, 1, new RegExp(`${port}.*(in use|EADDRINUSE)`))
    blocker.close()
  })

  it("a folder below a file, and one that cannot be made", async () => {
    writeFileSync(join(folder, "file"), "")
    await refused({ directory: join(folder, "file", "data") }, 1, /must be a folder that this user may read and write/)
    if (existsSync("/proc/self")) await refused({ directory: "/proc/nowhere" }, 1, /must be a folder/)
  })

  it("a folder that may only be read", async (context) => {
    mkdirSync(join(folder, "store"))
    if (isRoot) {
      if (!mount(context, "-t", "tmpfs", "-o", "ro", "none", join(folder, "store"))) return
      await refused({}, 1, /must be a folder that this user may read and write \(EROFS/).finally(() =>
        execFileSync("umount", [join(folder, "store")])
      )
    } else {
      chmodSync(join(folder, "store"), 0o500)
      await refused({}, 1, /must be a folder that this user may read and write \(EACCES/)
    }
  })

  it("a folder that another process uses; the first goes on unharmed", async () => {
    const first = await start()
    await use(first, (driver) => driver.ask("put", { key: Buffer.from("a"), value: Buffer.from("1") }))
    await refused({}, 1, /must be used by one process only \(another process has it open\)/)
    await use(first, (driver) => driver.ask("put", { key: Buffer.from("b"), value: Buffer.from("2") }))
    const { count } = (await use(first, (driver) => driver.ask("range", everything))) as { count: number }
    assert.strictEqual(count, 2)
  })
})

describe("damaged files are refused and left as they are", () => {
  const pages = (): number => statSync(store("data.mdb")).size / 4096
  const damages: ReadonlyArray<readonly [string, () => void, RegExp]> = [
    ["garbage", () => writeFileSync(store("data.mdb"), Buffer.alloc(100_000, "Z")), /data\.mdb: no head page/],
    ["an emptied file", () => truncateSync(store("data.mdb"), 0), /data\.mdb: missing or empty/],
    ["a removed file", () => rmSync(store("data.mdb")), /data\.mdb: missing or empty/],
    ["a file of 100 bytes", () => truncateSync(store("data.mdb"), 100), /data\.mdb: no head page/],
    [
      "a file cut in half",
      () => truncateSync(store("data.mdb"), Math.floor(pages() / 2) * 4096),
      /data\.mdb: cut short at \d+ bytes/
    ],
    [
      "overwritten head pages",
      () => [24, 4096 + 24].forEach((at) => overwrite(store("data.mdb"), at, Buffer.alloc(64, 0xff))),
      /data\.mdb: no head page/
    ],
    [
      "overwritten pages",
      () => {
        for (let page = 2; page < pages(); page++) overwrite(store("data.mdb"), page * 4096, Buffer.alloc(700, 0xff))
      },
      /must hold intact data files/
    ]
  ]
  it.each(damages)("%s", async (_title, damage, line) => {
    await fill("SIGTERM")
    damage()
    const before = sums()
    await refused({}, 1, line)
    assert.deepStrictEqual(sums(), before)
  })

  it("a log that is damaged before its end", async () => {
    await fill("SIGKILL")
    const log = readdirSync(join(folder, "store"))
      .filter((name) => name.startsWith("wal-"))
      .map(store)
      .find((path) => readFileSync(path).subarray(0, 8).toString() === "wharf-w1")
    assert.isDefined(log)
    const second = readFileSync(log).indexOf("wharf-w1", 8)
    assert.isAbove(second, 0, "two records at least")
    rmSync(store("data.mdb-lock"), { force: true })
    overwrite(log, second - 5, Buffer.from([0xff, 0xfe, 0xfd]))
    const before = sums()
    const server = await spawnServer({ program: "lmdb", directory: folder })
    started.push(server)
    const serves = await untilReady(server).then(
      () => true,
      () => false
    )
    if (serves) {
      // The damaged record had reached the tree before, so nothing of it was needed.
      const { count } = (await use(server, (driver) => driver.ask("range", everything))) as { count: number }
      assert.strictEqual(count, 2000)
    } else {
      assert.match(server.log(), /error: .*is damaged, yet later ones are whole/)
      assert.deepStrictEqual(sums(), before)
    }
  })

  it("a log that ends in a torn record starts without it", async () => {
    const revision = await fill("SIGKILL")
    const logs = readdirSync(join(folder, "store")).filter((name) => name.startsWith("wal-"))
    for (const log of logs) {
      const bytes = readFileSync(store(log))
      const last = bytes.lastIndexOf("wharf-w1")
      const end = last < 0 ? 0 : last + 24 + bytes.readUInt32LE(last + 16)
      overwrite(store(log), end, Buffer.concat([Buffer.from("wharf-w1"), Buffer.alloc(3000, 1)]))
    }
    const server = await start()
    const { count, header } = (await use(server, (driver) => driver.ask("range", everything))) as {
      count: number
      header: { revision: number }
    }
    assert.deepStrictEqual([count, header.revision], [2000, revision])
  })
})

const mount = (context: { skip: (note: string) => void }, ...args: ReadonlyArray<string>): boolean => {
  try {
    execFileSync("mount", [...args], { stdio: "pipe" })
    return true
  } catch {
    const note = "skipped: a small file system cannot be mounted here (run as root with CAP_SYS_ADMIN)"
    process.stderr.write(`${note}\n`)
    context.skip(note)
    return false
  }
}

describe("a full disk", () => {
  it("refuses writes, goes on reading, loses nothing, and writes again when there is room", async (context) => {
    if (!mount(context, "-t", "tmpfs", "-o", "size=60m", "none", folder)) return
    try {
      const acknowledged = new Map<string, string>()
      let server = await start()
      const write = async (driver: GrpcDriver, name: string, size: number): Promise<object> => {
        const value = Buffer.alloc(size, name)
        const outcome = await driver.call("put", { key: Buffer.from(name), value })
        if ("answer" in outcome) acknowledged.set(name, createHash("sha1").update(value).digest("hex"))
        return outcome
      }
      const check = (driver: GrpcDriver): Promise<void> =>
        driver.ask("range", everything).then((answer) => {
          const { kvs } = answer as { kvs: ReadonlyArray<{ key: Uint8Array; value: Uint8Array }> }
          const found = kvs.map(({ key, value }) => [String(key), createHash("sha1").update(value).digest("hex")])
          assert.deepStrictEqual(new Map(found as Array<[string, string]>), acknowledged)
        })
      await use(server, async (driver) => {
        let outcome: object = {}
        for (let n = 0; n < 300 && !("code" in outcome); n++) outcome = await write(driver, `key/${n}`, 500_000)
        assert.deepStrictEqual(outcome, NO_SPACE)
        assert.isAbove(acknowledged.size, 5)
        await check(driver)
      })
      await server.destroy()
      server = await start()
      await use(server, check)
      execFileSync("mount", ["-o", "remount,size=600m", folder])
      await use(server, async (driver) => {
        let outcome: object = { code: 0 }
        for (let tries = 0; tries < 50 && "code" in outcome; tries++) {
          outcome = await write(driver, "after", 500_000)
          if ("code" in outcome) await sleep(100)
        }
        assert.notProperty(outcome, "code")
        await check(driver)
      })
      await server.destroy()
      await use(await start(), check)
    } finally {
      for (const server of started.splice(0)) await server.destroy()
      execFileSync("umount", [folder])
    }
  })
})
