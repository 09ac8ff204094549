// Kills a store again and again under load and checks after each restart that nothing was lost, halved or repeated.
// Owns the rounds: start, check, load, SIGKILL. What is checked stands in Ledger.ts, what is written in Writers.ts.
// As a program: `npm run crash -- --kills 300 --seed 7`.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { GrpcDriver } from "../GrpcDriver.ts"
import { type ServerProcess, spawnServer, startServer } from "../ServerProcess.ts"
import { Ledger, type LedgerEvent } from "./Ledger.ts"
import { compactNowAndThen, type LeaseBook, type Random, Writer } from "./Writers.ts"

export interface CrashOptions {
  readonly kills: number
  readonly seed: number
  readonly writers?: number
  readonly timeLimitMs?: number
  readonly onKill?: (kills: number, ledger: Ledger) => void
}

export interface CrashReport {
  readonly kills: number
  readonly writes: number
  readonly revision: number
  readonly compacted: number
  readonly problems: ReadonlyArray<string>
}

const everything = { key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1) }

/** A small seeded generator (mulberry32): the moments of the kills replay, the interleaving of processes does not. */
const seeded = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface RawEvent {
  readonly type: number
  readonly kv: RawKv
  readonly prevKv: RawKv | undefined
}
interface RawKv {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const toEvent = ({ kv, prevKv, type }: RawEvent): LedgerEvent => ({
  revision: kv.modRevision,
  key: text(kv.key),
  value: type === 0 ? text(kv.value) : undefined,
  createRevision: kv.createRevision,
  version: kv.version,
  previous: prevKv === undefined ? undefined : text(prevKv.value)
})

/** All events from a revision up to another, by one watch. */
const readLog = (driver: GrpcDriver, from: number, upTo: number): Promise<ReadonlyArray<LedgerEvent>> =>
  new Promise((resolve, reject) => {
    if (from > upTo) return resolve([])
    const events: Array<LedgerEvent> = []
    const stream = driver.open("watch")
    const timer = setTimeout(() => {
      stream.cancel()
      reject(new Error(`the watch from ${from} stopped at ${events.at(-1)?.revision} before ${upTo}`))
    }, 20_000)
    stream.on("error", () => undefined)
    stream.on("data", (answer) => {
      const {
        canceled,
        compactRevision,
        events: told
      } = answer as unknown as {
        canceled: boolean
        compactRevision: number
        events: ReadonlyArray<RawEvent>
      }
      if (canceled) reject(new Error(`the watch from ${from} was cancelled (compacted at ${compactRevision})`))
      events.push(...told.map(toEvent))
      if ((events.at(-1)?.revision ?? 0) < upTo) return
      clearTimeout(timer)
      stream.cancel()
      resolve(events)
    })
    stream.write({ createRequest: { ...everything, startRevision: from, prevKv: true } })
    return undefined
  })

class CrashRig {
  private readonly directory = mkdtempSync(join(tmpdir(), "crash-"))
  private readonly ledger = new Ledger()
  private readonly leases: LeaseBook = { granted: new Map(), revoked: new Set() }
  private readonly random: Random
  private readonly options: CrashOptions
  private count = 0

  constructor(options: CrashOptions) {
    this.options = options
    this.random = seeded(options.seed)
  }

  async run(): Promise<CrashReport> {
    const started = performance.now()
    let kills = 0
    try {
      while (kills < this.options.kills && this.ledger.problems.length === 0) {
        if (performance.now() - started > (this.options.timeLimitMs ?? Number.POSITIVE_INFINITY)) break
        await this.round()
        kills++
        this.options.onKill?.(kills, this.ledger)
      }
      const server = await startServer({ program: "lmdb", directory: this.directory })
      await this.check(server).finally(() => server.destroy())
    } finally {
      rmSync(this.directory, { recursive: true, force: true })
    }
    // The last check itself ends leases, with revisions that no later check reads.
    const { compacted, highest, problems, revision, writes } = this.ledger
    return { kills, writes, revision: Math.max(revision, highest), compacted, problems: problems.slice(0, 20) }
  }

  private async round(): Promise<void> {
    // One kill in ten comes while the server is still starting.
    if (this.random() < 0.1) {
      const starting = await spawnServer({ program: "lmdb", directory: this.directory })
      await sleep(this.random() * 400)
      await starting.destroy()
    }
    const server = await startServer({ program: "lmdb", directory: this.directory })
    await this.check(server).catch(async (error: unknown) => {
      await server.destroy()
      throw error
    })
    await this.load(server)
  }

  /** Writes until the kill, at a random moment. */
  private async load(server: ServerProcess): Promise<void> {
    const { ledger, leases, random } = this
    const drivers = [new GrpcDriver(server.address), new GrpcDriver(server.address)]
    await Promise.all(drivers.map((driver) => driver.ready()))
    const clients = Array.from({ length: this.options.writers ?? 24 }, (_, id) => {
      const driver = drivers[id % drivers.length]
      return new Writer({ id, driver, ledger, leases, random, count: (this.count += 10_000) }).run()
    })
    let over = false
    const pause = (): Promise<void> => sleep(20 + random() * 200)
    const compacting = compactNowAndThen(drivers[0], ledger, pause, () => over)
    await sleep(60 + random() * random() * 700)
    await server.destroy()
    over = true
    await Promise.all([...clients, compacting])
    for (const driver of drivers) driver.close()
  }

  private async check(server: ServerProcess): Promise<void> {
    const driver = new GrpcDriver(server.address)
    try {
      await driver.ready()
      const { ledger } = this
      const { header } = (await driver.ask("range", everything)) as { header: { revision: number } }
      ledger.reconcile(await readLog(driver, ledger.revision + 1, header.revision), header.revision)
      const compacted = await this.findCompacted(driver, header.revision)
      const old = compacted + Math.floor(this.random() * (header.revision - compacted + 1))
      await this.checkReplay(driver, Math.max(old, 2), header.revision)
      for (const revision of [header.revision, old, Math.max(compacted, 1)]) await this.checkRead(driver, revision)
      await this.checkLeases(driver)
    } finally {
      driver.close()
    }
  }

  /** The compacted revision: at least what was acknowledged, and everything below is refused. */
  private async findCompacted(driver: GrpcDriver, revision: number): Promise<number> {
    const { ledger } = this
    const { compactRevision } = (await driver.ask("hashKv", {})) as { compactRevision: number }
    if (compactRevision < ledger.compacted) {
      ledger.problems.push(`compacted is ${compactRevision} after the crash, ${ledger.compacted} was acknowledged`)
    }
    if (compactRevision > revision) ledger.problems.push(`compacted ${compactRevision} is beyond revision ${revision}`)
    const below =
      compactRevision > 1 ? await driver.call("range", { ...everything, revision: compactRevision - 1 }) : {}
    if ("answer" in below) ledger.problems.push(`revision ${compactRevision - 1} is readable below the compacted one`)
    ledger.compacted = Math.max(ledger.compacted, compactRevision)
    return Math.max(0, compactRevision)
  }

  private async checkReplay(driver: GrpcDriver, from: number, upTo: number): Promise<void> {
    const wanted = this.ledger.since(from)
    const told = await readLog(driver, from, upTo)
    for (const [index, event] of wanted.entries()) {
      // The versions before the compacted revision are gone, and prev_kv with them.
      const lost = event.revision <= this.ledger.compacted && told[index]?.previous === undefined
      const expected = JSON.stringify(lost ? { ...event, previous: undefined } : event)
      if (JSON.stringify(told[index]) === expected) continue
      this.ledger.problems.push(`watch from ${from}: ${JSON.stringify(told[index])} instead of ${expected}`)
      return
    }
    if (told.length !== wanted.length) this.ledger.problems.push(`watch from ${from}: ${told.length} events`)
  }

  private async checkRead(driver: GrpcDriver, revision: number): Promise<void> {
    const { count, kvs } = (await driver.ask("range", { ...everything, revision })) as {
      kvs: ReadonlyArray<RawKv>
      count: number
    }
    const wanted = this.ledger.at(revision)
    if (kvs.length !== wanted.size || count !== wanted.size) {
      this.ledger.problems.push(`read at ${revision}: ${kvs.length} keys (count ${count}) instead of ${wanted.size}`)
    }
    for (const { createRevision, key, modRevision, value, version } of kvs) {
      const expected = JSON.stringify(wanted.get(text(key)))
      const found = JSON.stringify({ value: text(value), modRevision, createRevision, version })
      if (found !== expected)
        this.ledger.problems.push(`read at ${revision}: ${text(key)} is ${found}, not ${expected}`)
    }
  }

  private async checkLeases(driver: GrpcDriver): Promise<void> {
    const { granted, revoked } = this.leases
    const { leases } = (await driver.ask("leaseLeases", {})) as { leases: ReadonlyArray<{ id: number }> }
    const there = new Set(leases.map(({ id }) => id))
    for (const [id, attached] of granted) {
      if (!there.has(id)) this.ledger.problems.push(`lease ${id} is lost`)
      const { keys } = (await driver.ask("leaseTimeToLive", { id, keys: true })) as { keys: ReadonlyArray<Uint8Array> }
      const wanted = [...attached].filter((key) => this.ledger.get(key) !== undefined).sort()
      if (keys.map(text).join() !== wanted.join()) {
        this.ledger.problems.push(`lease ${id} has ${keys.map(text).join()} instead of ${wanted.join()}`)
      }
      granted.set(id, new Set(wanted))
    }
    for (const id of revoked) {
      const leased = new Set([...this.ledger.at(this.ledger.revision).keys()].filter((key) => key.includes(`/leased/`)))
      if (there.has(id)) {
        // Its revocation was never answered, so it may live on, keys and all.
        const { keys } = (await driver.ask("leaseTimeToLive", { id, keys: true })) as {
          keys: ReadonlyArray<Uint8Array>
        }
        if (keys.some((key) => !leased.has(text(key))))
          this.ledger.problems.push(`lease ${id} holds keys that are gone`)
      }
    }
    for (const id of [...granted.keys(), ...revoked].filter((known) => there.has(known))) {
      await this.dropLease(driver, id)
    }
    granted.clear()
    revoked.clear()
  }

  /** Ends what earlier rounds left, so that leases do not pile up over hundreds of rounds. */
  private async dropLease(driver: GrpcDriver, id: number): Promise<void> {
    const { keys } = (await driver.ask("leaseTimeToLive", { id, keys: true })) as { keys: ReadonlyArray<Uint8Array> }
    if (keys.length === 0) return void (await driver.ask("leaseRevoke", { id }))
    const settle = this.ledger.begin(`drop ${id}`, () => new Map(keys.map((key) => [text(key), undefined])))
    const { header } = (await driver.ask("leaseRevoke", { id })) as { header: { revision: number } }
    settle(header.revision)
    return undefined
  }
}

export const crash = (options: CrashOptions): Promise<CrashReport> => new CrashRig(options).run()

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: { kills: { type: "string", default: "300" }, seed: { type: "string" } }
  })
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
  process.stdout.write(`seed ${seed}\n`)
  const report = await crash({
    kills: Number(values.kills),
    seed,
    onKill: (kills, ledger) => {
      if (kills % 10 === 0) process.stdout.write(`${kills} kills, ${ledger.writes} writes acknowledged\n`)
    }
  })
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
  process.exitCode = report.problems.length === 0 ? 0 : 1
}

if (import.meta.main) await main()
