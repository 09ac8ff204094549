import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import { type Engine, Table, WriteBatch } from "../../../core/storage/engine/Engine.ts"
import { openLmdbEngine } from "../../../core/storage/engine/LmdbEngine.ts"
import { makeMemoryEngine } from "../../../core/storage/engine/MemoryEngine.ts"
import { agree, batches, commit, look, Model } from "./EngineContract.ts"

interface Opened {
  readonly engine: Engine
  readonly close: () => Promise<void>
}

const openLmdb = async (directory: string): Promise<Opened> => {
  const scope = Effect.runSync(Scope.make())
  const engine = await Effect.runPromise(openLmdbEngine({ directory, sync: false }).pipe(Scope.provide(scope)))
  return { engine, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const openMemory = (): Opened => ({
  engine: makeMemoryEngine({ defer: (run) => void setImmediate(run), clock: () => 0 }),
  close: () => Promise.resolve()
})

interface Place {
  readonly title: string
  readonly durable: boolean
  readonly open: (directory: string) => Promise<Opened>
}

const places: ReadonlyArray<Place> = [
  { title: "memory", durable: false, open: async () => openMemory() },
  { title: "lmdb", durable: true, open: openLmdb },
  {
    title: "lmdb behind a symbolic link, where its map is not found",
    durable: true,
    open: (directory) => {
      const link = join(directory, "link")
      mkdirSync(join(directory, "real"), { recursive: true })
      rmSync(link, { force: true })
      symlinkSync("real", link)
      return openLmdb(link)
    }
  }
]

const inFolder = async (run: (directory: string) => Promise<void>): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "engine-"))
  try {
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe.each(places)("the engine contract: $title", ({ durable, open }) => {
  it("shows the same rows as a model, in memory, on disk and in between", () =>
    fc.assert(
      fc.asyncProperty(batches, (rounds) =>
        inFolder(async (directory) => {
          let opened = await open(directory)
          const model = new Model()
          for (const { rest, steps } of rounds) {
            const batch = new WriteBatch()
            for (const step of steps) model.apply(step, batch)
            assert.strictEqual(await commit(opened.engine, batch), "committed")
            if (durable && rest) await sleep(330)
            look(opened.engine, (view) => agree(view, model))
          }
          await opened.close()
          if (!durable) return
          opened = await open(directory)
          look(opened.engine, (view) => agree(view, model))
          await opened.close()
        })
      ),
      { numRuns: durable ? 12 : 60, interruptAfterTimeLimit: 15_000 }
    ))

  it("counts and scans any range of 30,000 rows, before and after they reach the disk", () =>
    inFolder(async (directory) => {
      const { close, engine } = await open(directory)
      const keys = Array.from({ length: 30_000 }, (_, n) => Buffer.from(`key/${String((n * 7919) % 30_000)}`))
      for (let at = 0; at < keys.length; at += 3000) {
        const batch = new WriteBatch()
        for (const key of keys.slice(at, at + 3000)) batch.put(Table.Key, key, Buffer.from("v".repeat(100)), true)
        assert.strictEqual(await commit(engine, batch), "committed")
      }
      const gone = new WriteBatch()
      for (const key of keys.filter((_, n) => n % 5 === 0)) gone.remove(Table.Key, key)
      assert.strictEqual(await commit(engine, gone), "committed")
      const left = keys.filter((_, n) => n % 5 !== 0).sort((a, b) => a.compare(b))
      const check = (): void =>
        look(engine, (view) => {
          for (let n = 0; n < 200; n++) {
            const [from, to] = [(n * 4001) % 30_000, (n * 7001 + 13) % 30_000]
            const [start, end] = [Buffer.from(`key/${from}`), Buffer.from(`key/${to}`)]
            const wanted = left.filter((key) => key.compare(start) >= 0 && key.compare(end) < 0).length
            assert.strictEqual(view.count(Table.Key, start, end), wanted, `${from} to ${to}`)
            let seen = 0
            view.scan(Table.Key, start, end, () => (seen++, true))
            assert.strictEqual(seen, wanted, `${from} to ${to}`)
          }
          assert.strictEqual(view.count(Table.Key, Buffer.alloc(0), undefined), left.length)
        })
      check()
      if (durable) {
        await sleep(600)
        check()
      }
      await close()
    }))

  it("commits nothing of a batch whose expectation does not hold", () =>
    inFolder(async (directory) => {
      const { close, engine } = await open(directory)
      const [one, two] = [Buffer.from("one"), Buffer.from("two")]
      const first = new WriteBatch()
      first.put(Table.Meta, one, Buffer.from("1"), true)
      assert.strictEqual(await commit(engine, first), "committed")
      for (const wrong of [undefined, Buffer.from("2")]) {
        const batch = new WriteBatch()
        batch.expect(Table.Meta, one, wrong)
        batch.put(Table.Meta, two, Buffer.from("1"), true)
        assert.strictEqual(await commit(engine, batch), "conflict")
      }
      assert.isUndefined(look(engine, (view) => view.get(Table.Meta, two)))
      const right = new WriteBatch()
      right.expect(Table.Meta, one, Buffer.from("1"))
      right.expect(Table.Meta, two, undefined)
      right.put(Table.Meta, two, Buffer.from("2"), true)
      assert.strictEqual(await commit(engine, right), "committed")
      assert.strictEqual(String(look(engine, (view) => view.get(Table.Meta, two))), "2")
      await close()
    }))
})
