// What the client of TiKV does when something takes long or is long ago, in virtual time: locks that are kept alive, snapshots that
// may have been collected, timestamps that nobody gives, ranges read from their end.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Table } from "../../../core/storage/engine/Engine.ts"
import { TikvRows } from "../../../core/storage/tikv/TikvRows.ts"
import { account, Bank, counter, counterNeed, numberOf, rowOf } from "./Bank.ts"
import { batchOf, type Bed, commitOn, onFakeCluster, readOn } from "./FakeEngine.ts"

const rows = TikvRows.under("t/") as TikvRows
/** Longer than a lock lives that nobody prolongs. */
const BUSY_MS = 2000
const SAFE_POINT_MS = 31_000

const openBank = ({ cluster, engine }: Bed) => {
  for (const key of ["t/0z", "t/1account/04", "t/1account/08"]) cluster.split(key)
  return new Bank(engine).open
}

/** A commit whose region is busy for long, and another node that meets its lock meanwhile. */
const slowCommit = (bed: Bed, prolongs: boolean) =>
  Effect.gen(function* () {
    yield* openBank(bed)
    const other = yield* bed.another
    const until = bed.world.now + BUSY_MS
    bed.cluster.faultOf = (name) => {
      if (name === "KvTxnHeartBeat" && !prolongs) return { kind: "lost-request" }
      const isBusy = name === "KvCommit" && bed.world.now < until
      return isBusy ? { kind: "region", error: "serverIsBusy" } : undefined
    }
    const batch = batchOf((writes) => writes.put(Table.Meta, counter, rowOf(2)))
    const meets = Effect.andThen(
      Effect.sleep(BUSY_MS / 2),
      readOn(other, [counterNeed], (view) => numberOf(view.get(Table.Meta, counter)))
    )
    const [outcome] = yield* Effect.all([commitOn(bed.engine, batch), meets], { concurrency: 2 })
    const { conflicts, heartbeats } = bed.client.transactions.stats
    return { kind: outcome.kind, conflicts, heartbeats }
  })

describe("a commit that takes long", () => {
  it("keeps its lock alive, so that nobody takes it for dead", () => {
    const { conflicts, heartbeats, kind } = onFakeCluster(1, (bed) => slowCommit(bed, true))
    assert.strictEqual(kind, "committed")
    assert.strictEqual(conflicts, 0)
    assert.isAtLeast(heartbeats, 5)
  })

  it("is taken for dead without that, and begins anew", () => {
    const { conflicts, kind } = onFakeCluster(1, (bed) => slowCommit(bed, false))
    assert.strictEqual(kind, "committed")
    assert.isAtLeast(conflicts, 1)
  })
})

describe("snapshots that may have been collected", () => {
  it("are refused by name, while new ones are read", () => {
    onFakeCluster(2, (bed) =>
      Effect.gen(function* () {
        yield* openBank(bed)
        const old = yield* bed.client.oracle.timestamp
        yield* Effect.sleep(1000)
        bed.cluster.safePoint = bed.cluster.timestamp()
        // The client asks every half minute.
        yield* Effect.sleep(SAFE_POINT_MS)
        const key = rows.key(Table.Meta, counter)
        const failure = yield* Effect.flip(bed.client.reads.getAll([key], old))
        assert.strictEqual(failure._tag, "SnapshotTooOld")
        const told = yield* Effect.callback<unknown>((resume) =>
          bed.client.reads.tryGetAll([key], old, { ignored: [], committed: [] }, (found) =>
            resume(Effect.succeed(found))
          )
        )
        assert.isUndefined(told)
        const seen = yield* readOn(bed.engine, [counterNeed], (view) => numberOf(view.get(Table.Meta, counter)))
        assert.strictEqual(seen, 1)
      })
    )
  })
})

describe("a placement driver that says nothing", () => {
  it("is asked again over a new stream, and nobody's request is lost", () => {
    onFakeCluster(3, (bed) =>
      Effect.gen(function* () {
        yield* openBank(bed)
        bed.cluster.unansweredTimestamps = 1
        const began = bed.world.now
        const asked = Array.from({ length: 3 }, () => bed.client.oracle.timestamp)
        const given = yield* Effect.all(asked, { concurrency: "unbounded" })
        assert.strictEqual(new Set(given).size, 3)
        assert.isAtLeast(bed.world.now - began, 3000)
        assert.isAtMost(bed.world.now - began, 6000)
      })
    )
  })
})

describe("a range read from its end", () => {
  it("is the same rows the other way round, across regions and up to a limit", () => {
    onFakeCluster(4, (bed) =>
      Effect.gen(function* () {
        yield* openBank(bed)
        const version = yield* bed.client.oracle.timestamp
        const range = { start: rows.key(Table.Key, Buffer.alloc(0)), end: rows.end(Table.Key, undefined), version }
        const forward = yield* bed.client.reads.scan({ ...range, limit: 0 })
        assert.isAbove(forward.length, 4)
        for (const limit of [0, 1, 3, forward.length]) {
          const back = yield* bed.client.reads.scan({ ...range, limit, reverse: true })
          const wanted = forward.toReversed().slice(0, limit === 0 ? undefined : limit)
          assert.deepStrictEqual(
            back.map(({ key }) => Buffer.from(key).toString("latin1")),
            wanted.map(({ key }) => Buffer.from(key).toString("latin1"))
          )
        }
        assert.include(Buffer.from(forward[0].key).toString("latin1"), Buffer.from(account(0)).toString("latin1"))
      })
    )
  })
})
