// The engine's contract on the model of a cluster: random batches and random needs show what a plain model shows, while
// regions split, merge and move, with each way to commit.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { type Engine, type Need, Table, WriteBatch } from "../../../core/storage/engine/Engine.ts"
import { TikvRows } from "../../../core/storage/tikv/TikvRows.ts"
import { decodeKey, encodeKey } from "../../../core/storage/tikv/Memcomparable.ts"
import type { CommitWays } from "../../../core/storage/tikv/TransactionCommit.ts"
import { agree, batches, KEY_POOL, Model } from "../engine/EngineContract.ts"
import { commitOn, onFakeCluster, readOn } from "./FakeEngine.ts"

const whole: ReadonlyArray<Need> = [Table.Key, Table.History, Table.Lease, Table.Auth].map((table) => ({
  table,
  start: Buffer.alloc(0),
  end: undefined,
  limit: 0
}))

const need: fc.Arbitrary<Need> = fc
  .record({
    table: fc.constantFrom(Table.Key, Table.History, Table.Lease),
    start: fc.constantFrom(...KEY_POOL),
    end: fc.option(fc.constantFrom(...KEY_POOL), { nil: undefined }),
    limit: fc.integer({ min: 0, max: 6 }),
    counted: fc.boolean()
  })
  .map((drawn) => (drawn.end?.equals(drawn.start) === true ? { ...drawn, limit: 1, counted: false } : drawn))

/** What a need must bring: rows up to the limit, and how many there are. */
const bring = (engine: Engine, model: Model, asked: Need) =>
  readOn(engine, [asked], (view) => {
    const { counted, end, limit, start, table } = asked
    const isPoint = end !== undefined && Buffer.from(start).equals(end)
    if (isPoint) {
      const found = view.get(table, start)
      assert.deepStrictEqual(found && Buffer.from(found), model.get(table, start))
      return
    }
    const wanted = model.range(table, Buffer.from(start), end && Buffer.from(end))
    const seen: Array<readonly [string, number]> = []
    const enough = limit === 0 ? wanted.length : Math.min(limit, wanted.length)
    if (enough > 0) {
      view.scan(table, start, end, (key, value) => {
        seen.push([Buffer.from(key).toString("latin1"), value.length])
        return seen.length < enough
      })
    }
    assert.deepStrictEqual(
      seen,
      wanted.slice(0, enough).map(([key, value]) => [key.toString("latin1"), value.length] as const)
    )
    if (counted === true) assert.strictEqual(view.count(table, start, end), wanted.length)
  })

const ways: ReadonlyArray<readonly [string, CommitWays]> = [
  ["two-phase commit", { onePhase: false, asynchronous: false }],
  ["one-phase commit", { onePhase: true, asynchronous: false }],
  ["asynchronous commit", { onePhase: false, asynchronous: true }],
  ["either, as it fits", { onePhase: true, asynchronous: true }]
]

describe.each(ways)("the engine contract on a cluster, by %s", (_title, way) => {
  it("shows the same rows as a model, whatever is asked for and wherever regions end", () => {
    const used = { onePhase: 0, asynchronous: 0, twoPhase: 0 }
    fc.assert(
      fc.property(fc.nat(), batches, fc.array(need, { maxLength: 8 }), (seed, rounds, needs) =>
        onFakeCluster(
          seed,
          ({ client, cluster, engine, world }) =>
            Effect.gen(function* () {
              const model = new Model()
              for (const { rest, steps } of rounds) {
                const batch = new WriteBatch()
                for (const step of steps) model.apply(step, batch)
                if (!batch.isEmpty) assert.strictEqual((yield* commitOn(engine, batch)).kind, "committed")
                const border = Buffer.concat([Buffer.from("t/1"), KEY_POOL[world.below(KEY_POOL.length)]])
                if (rest) cluster.split(border.toString("latin1"))
                else cluster.moveLeader(border.toString("latin1"))
                if (rounds.length > 5) cluster.merge(border.toString("latin1"))
                yield* Effect.forEach(needs, (asked) => bring(engine, model, asked), { concurrency: "unbounded" })
              }
              yield* readOn(engine, whole, (view) => agree(view, model))
              yield* Effect.sleep("1 minute")
              assert.strictEqual(cluster.store.lockCount, 0, "locks were left behind")
              const { stats } = client.transactions
              used.onePhase += stats.onePhase
              used.asynchronous += stats.asynchronous
              used.twoPhase += stats.twoPhase
            }),
          { ways: way }
        )
      ),
      { numRuns: 8, interruptAfterTimeLimit: 8000 }
    )
    if (way.onePhase) assert.isAbove(used.onePhase, 0)
    if (way.asynchronous && !way.onePhase) assert.isAbove(used.asynchronous, 0)
    if (!way.onePhase && !way.asynchronous) assert.isAbove(used.twoPhase, 0)
  }, 60_000)
})

describe("keys as PD knows them", () => {
  it("decode to what was encoded, and sort as the raw keys do", () => {
    const key = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(key, key, (a, b) => {
        assert.deepStrictEqual(decodeKey(encodeKey(a)), a)
        assert.strictEqual(Math.sign(encodeKey(a).compare(encodeKey(b))), Math.sign(a.compare(b)))
      })
    )
    assert.isUndefined(decodeKey(Buffer.from("not a form of any")))
  })
})

describe("a key prefix", () => {
  it("is refused when one store's would begin another's", () => {
    for (const bad of ["", "wharf", `${"x".repeat(256)}/`]) assert.isFalse(TikvRows.under(bad) instanceof TikvRows)
    assert.isTrue(TikvRows.under("wharf/") instanceof TikvRows)
  })

  it("keeps the tables apart, and values that are empty", () => {
    const rows = TikvRows.under("wharf/") as TikvRows
    const key = Buffer.from([0, 255])
    assert.deepStrictEqual(Buffer.from(rows.rowKey(rows.key(Table.Key, key))), key)
    assert.strictEqual(rows.tableOf(rows.key(Table.Log, key)), Table.Log)
    assert.isUndefined(rows.tableOf(Buffer.from("other/1x")))
    assert.isAbove(rows.end(Table.Key, undefined).compare(rows.key(Table.Key, Buffer.alloc(40, 255))), 0)
    assert.strictEqual(rows.end(Table.Key, undefined).compare(rows.key(Table.History, Buffer.alloc(0))), 0)
    assert.deepStrictEqual(Buffer.from(rows.value(rows.stored(Buffer.alloc(0)))), Buffer.alloc(0))
  })
})
