// The engine on the test bed: a real placement driver, and stores that speak TiKV's protocol, split, merge, move, refuse and
// lose answers. A bank's sum and the count of its transfers must be right through all of it, and after a restart.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Scope } from "effect"
import * as fc from "fast-check"
import { type Engine, type Need, Table, WriteBatch } from "../../core/storage/engine/Engine.ts"
import { describeWith } from "../Judges.ts"
import { agree, batches, KEY_POOL, Model } from "./engine/EngineContract.ts"
import { Bank } from "./tikv/Bank.ts"
import { commitOn, readOn } from "./tikv/FakeEngine.ts"
import { openOn } from "./tikv/RealEngine.ts"
import { type PlantedFault, TestBed, type TestBedPrograms } from "./tikv/TestBed.ts"

const faults: ReadonlyArray<PlantedFault> = [
  ...(["not_leader", "epoch", "region_not_found", "store_not_match", "busy", "stale", "lost"] as const)
]

const withBed = <A>(programs: TestBedPrograms, use: (bed: TestBed) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(
    Effect.acquireUseRelease(
      Effect.promise(() => TestBed.start(programs)),
      use,
      (bed) => Effect.promise(() => bed.destroy())
    )
  )

const tables = [Table.Key, Table.History, Table.Lease, Table.Auth] as const
const whole: ReadonlyArray<Need> = tables.map((table) => ({ table, start: Buffer.alloc(0), end: undefined, limit: 0 }))

/** Random batches beside a model, with a region border among the rows after each. */
const keepsContract = (bed: TestBed) =>
  Effect.gen(function* () {
    let run = 0
    for (const rounds of fc.sample(batches, { numRuns: 6, seed: 20_261_128 })) {
      const prefix = `contract-${++run}/`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const engine = yield* openOn(bed, prefix)
          const model = new Model()
          for (const { rest, steps } of rounds) {
            const batch = new WriteBatch()
            for (const step of steps) model.apply(step, batch)
            if (!batch.isEmpty) assert.strictEqual((yield* commitOn(engine, batch)).kind, "committed")
            const border = Buffer.concat([
              Buffer.from(`${prefix}1`),
              KEY_POOL[(run * 7 + steps.length) % KEY_POOL.length]
            ])
            if (rest) yield* Effect.promise(() => bed.split(border))
          }
          yield* readOn(engine, whole, (view) => agree(view, model))
        })
      )
    }
  })

/** Moves a border or a leader, or plants a fault, as the number says. */
const disturb = (bed: TestBed, bank: Bank, n: number) =>
  Effect.promise(async () => {
    const regions = await bed.regions()
    const region = regions[n % regions.length]
    const stores = [...new Set(regions.map(({ Leader }) => Leader))]
    if (n % 5 === 0) await bed.split(bank.border(n))
    if (n % 5 === 1) await bed.merge(region.Region)
    if (n % 5 === 2) await bed.moveLeader(region.Region, stores[n % stores.length])
    await bed.plant(faults[n % faults.length], 1 + (n % 3))
  })

const TRANSFERS = 60

const keepsSum = (bed: TestBed, open: Effect.Effect<Engine, string, Scope.Scope>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const engine = yield* open
      const bank = new Bank(engine)
      yield* bank.open
      let committed = 0
      const auditor = yield* Effect.forkChild(Effect.forever(Effect.delay(bank.check, "5 millis")))
      for (let n = 0; n < TRANSFERS; n++) {
        yield* disturb(bed, bank, n)
        if ((yield* bank.transfer(n)) === "committed") committed++
      }
      const found = auditor.pollUnsafe()
      assert.isTrue(found === undefined || Exit.isSuccess(found), String(found))
      for (const fault of faults) yield* Effect.promise(() => bed.plant(fault, 0))
      const { revision } = yield* bank.check
      assert.strictEqual(revision, committed + 1, "what was told of a commit is not what happened")
      assert.isAbove(committed, TRANSFERS / 2)
    })
  )

describeWith("tikv-testbed", "pd-server")("the engine on TiKV's protocol", (programs) => {
  it("keeps the engines' contract, wherever regions end", () => withBed(programs, keepsContract), 120_000)

  it(
    "keeps a bank's sum while regions move and answers are lost, and its rows through a restart",
    () =>
      withBed(programs, (bed) =>
        Effect.gen(function* () {
          yield* keepsSum(bed, openOn(bed, "bank/"))
          yield* Effect.promise(() => bed.pause())
          yield* Effect.promise(() => bed.resume())
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { revision } = yield* new Bank(yield* openOn(bed, "bank/")).check
              assert.isAbove(revision, TRANSFERS / 2)
            })
          )
        })
      ),
    120_000
  )

  it(
    "commits in one phase or asynchronously where that is switched on",
    () =>
      withBed(programs, (bed) =>
        Effect.scoped(
          Effect.gen(function* () {
            for (const [name, ways] of [
              ["onePhase", { onePhase: true, asynchronous: false }],
              ["asynchronous", { onePhase: false, asynchronous: true }]
            ] as const) {
              const engine = yield* openOn(bed, `${name}/`, ways)
              const bank = new Bank(engine)
              yield* bank.open
              for (let n = 0; n < 10; n++) assert.strictEqual(yield* bank.transfer(n), "committed")
              assert.strictEqual((yield* bank.check).revision, 11)
              const counted = engine.metrics().find((metric) => metric.name === "wharf_tikv_commits_total")
              const taken = counted?.samples.find(([labels]) => labels.includes(name))?.[1] ?? 0
              assert.isAbove(taken, 5, "the shorter way was not taken")
            }
          })
        )
      ),
    120_000
  )
})

describe("a cluster that is not there", () => {
  it("is named, with what was said", async () => {
    // SAFETY: only the address is asked of a test bed here.
    const nowhere = { pd: "127.0.0.1:1" } as TestBed
    const failure = await Effect.runPromise(Effect.flip(Effect.scoped(openOn(nowhere, "x/"))))
    assert.match(failure, /no placement driver of 127\.0\.0\.1:1 serves/)
  }, 60_000)
})
