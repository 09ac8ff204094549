// The client and the engine in virtual time against the model of a cluster: region errors at each call, answers lost at each
// stage, and the sum of a bank that no transfer may change. Each planted mistake has to be found by the same checks.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { type Engine, type Need, Table, WriteBatch } from "../../../core/storage/engine/Engine.ts"
import type { Message } from "../../../core/net/ProtoMessage.ts"
import { openTikvClient } from "../../../core/storage/tikv/TikvClient.ts"
import { RpcFailed } from "../../../core/storage/tikv/TikvError.ts"
import { StoreMethods } from "../../../core/storage/tikv/TikvMessages.ts"
import type { Transport } from "../../../core/storage/tikv/Transport.ts"
import { type Fault, regionErrorKinds } from "./FakeCluster.ts"
import { VirtualWorld } from "./VirtualWorld.ts"
import { batchOf, type Bed, commitOn, onFakeCluster, readOn } from "./FakeEngine.ts"

const ACCOUNTS = 12
const EACH = 100
const account = (n: number): Buffer => Buffer.from(`account/${String(n).padStart(2, "0")}`)
const accounts: Need = { table: Table.Key, start: Buffer.from("account/"), end: Buffer.from("account0"), limit: 0 }
const counter = Buffer.from("revision")
const counterNeed: Need = { table: Table.Meta, start: counter, end: counter, limit: 1 }
const point = (n: number): Need => ({ table: Table.Key, start: account(n), end: account(n), limit: 1 })
const numberOf = (row: Uint8Array | undefined): number => (row === undefined ? 0 : Number(Buffer.from(row).toString()))
const rowOf = (n: number): Buffer => Buffer.from(String(n))

const openBank = ({ cluster, engine }: Bed) =>
  Effect.gen(function* () {
    for (const key of ["t/0z", "t/1account/04", "t/1account/08"]) cluster.split(key)
    const batch = batchOf((writes) => {
      for (let n = 0; n < ACCOUNTS; n++) writes.put(Table.Key, account(n), rowOf(EACH), true)
      writes.put(Table.Meta, counter, rowOf(1), true)
    })
    assert.strictEqual((yield* commitOn(engine, batch)).kind, "committed")
  })

/** One transfer, fenced by the counter; answers whether it is there, asking the counter when the engine cannot say. */
const transfer = (engine: Engine, from: number, to: number, amount: number) =>
  Effect.gen(function* () {
    const seen = yield* readOn(engine, [point(from), point(to), counterNeed], (view) => ({
      from: numberOf(view.get(Table.Key, account(from))),
      to: numberOf(view.get(Table.Key, account(to))),
      revision: numberOf(view.get(Table.Meta, counter))
    }))
    const batch = new WriteBatch()
    batch.expect(Table.Meta, counter, rowOf(seen.revision))
    batch.put(Table.Key, account(from), rowOf(seen.from - amount))
    batch.put(Table.Key, account(to), rowOf(seen.to + amount))
    batch.put(Table.Meta, counter, rowOf(seen.revision + 1))
    const { kind } = yield* commitOn(engine, batch)
    if (kind !== "uncertain") return kind
    const after = yield* readOn(engine, [counterNeed], (view) => numberOf(view.get(Table.Meta, counter)))
    return after > seen.revision ? "committed" : "failed"
  })

const audit = (engine: Engine) =>
  readOn(engine, [accounts, counterNeed], (view) => {
    let sum = 0
    view.scan(Table.Key, accounts.start, accounts.end, (_key, value) => {
      sum += numberOf(value)
      return true
    })
    return { sum, revision: numberOf(view.get(Table.Meta, counter)) }
  })

/** Transfers and audits by turns while something befalls calls; every audit and the count of commits must be right. */
const runBank = (bed: Bed, transfers: number, beforeEach: (n: number) => void) =>
  Effect.gen(function* () {
    yield* openBank(bed)
    let committed = 0
    const auditor = yield* Effect.forkChild(
      Effect.gen(function* () {
        const { sum } = yield* audit(bed.engine)
        assert.strictEqual(sum, ACCOUNTS * EACH, "a reader saw half a transfer")
        yield* Effect.sleep("3 millis")
      }).pipe(Effect.forever)
    )
    for (let n = 0; n < transfers; n++) {
      beforeEach(n)
      const from = bed.world.below(ACCOUNTS)
      const kind = yield* transfer(bed.engine, from, (from + 1 + bed.world.below(ACCOUNTS - 1)) % ACCOUNTS, n + 1)
      if (kind === "committed") committed++
      const failure = auditor.pollUnsafe()
      assert.isUndefined(failure, String(failure))
    }
    bed.cluster.faultOf = () => undefined
    const { revision, sum } = yield* audit(bed.engine)
    assert.strictEqual(sum, ACCOUNTS * EACH, "money was made or lost")
    assert.strictEqual(revision, committed + 1, "what was told of a commit is not what happened")
    return committed
  })

const reached = ["KvBatchGet", "KvScan", "KvPrewrite", "KvCommit"] as const

describe("region errors", () => {
  for (const method of reached) {
    for (const error of regionErrorKinds) {
      it(`${method} refused with ${error} is asked again until it is served`, () => {
        const met = onFakeCluster(1, (bed) =>
          Effect.gen(function* () {
            let left = 3
            bed.cluster.faultOf = (name): Fault | undefined =>
              name === method && left-- > 0 ? { kind: "region", error } : undefined
            const committed = yield* runBank(bed, 3, () => undefined)
            return { committed, left }
          })
        )
        assert.isAtMost(met.left, 0, "the fault was never met")
        assert.strictEqual(met.committed, 3)
      })
    }
  }
})

/** Faults drawn for each call of a run. */
const chance = (bed: Bed, kinds: ReadonlyArray<Fault["kind"]>, perMille: number) => (): Fault | undefined => {
  if (bed.world.below(1000) >= perMille) return undefined
  const kind = kinds[bed.world.below(kinds.length)]
  if (kind !== "region") return { kind }
  return { kind, error: regionErrorKinds[bed.world.below(regionErrorKinds.length)] }
}

const seeds = fc.integer({ min: 1, max: 2 ** 30 })
const moveRegions = ({ cluster, world }: Bed): void => {
  const key = `t/1account/${String(world.below(ACCOUNTS)).padStart(2, "0")}`
  const what = world.below(6)
  if (what === 0) cluster.split(key)
  else if (what === 1) cluster.merge(key)
  else if (what === 2) cluster.moveLeader(key)
}

const stormy = (seed: number, prepare: (bed: Bed) => void = () => undefined): number =>
  onFakeCluster(seed, (bed) => {
    bed.cluster.faultOf = chance(bed, ["region", "lost-request", "lost-answer", "late"], 60)
    prepare(bed)
    return runBank(bed, 25, () => moveRegions(bed))
  })

/** Whether the checks find something wrong in one of some runs. */
const isFound = (run: (seed: number) => unknown): boolean => {
  for (let seed = 1; seed <= 40; seed++) {
    try {
      run(seed)
    } catch {
      return true
    }
  }
  return false
}

describe("a bank on a cluster in trouble", () => {
  it("keeps its sum, and every commit ends as it was told", () => {
    let committed = 0
    fc.assert(
      fc.property(seeds, (seed) => void (committed += stormy(seed))),
      { numRuns: 30 }
    )
    assert.isAbove(committed, 300)
  }, 60_000)

  for (const kind of ["lost-request", "lost-answer", "late"] as const) {
    for (const method of ["KvPrewrite", "KvCommit"] as const) {
      it(`is right about a commit whose ${method} is ${kind}`, () => {
        for (let nth = 1; nth <= 4; nth++) {
          onFakeCluster(nth, (bed) =>
            Effect.gen(function* () {
              let calls = 0
              // The first calls open the bank.
              bed.cluster.faultOf = (name) =>
                name === method && ++calls > 6 && calls <= 6 + nth ? { kind } : undefined
              yield* runBank(bed, 4, () => undefined)
              assert.isAbove(calls, 6, "the fault was never met")
            })
          )
        }
      })
    }
  }

  it("calls a commit uncertain when no answer ever comes, and reads nothing until its end is known", () => {
    const outcome = onFakeCluster(3, (bed) =>
      Effect.gen(function* () {
        yield* openBank(bed)
        let cut = false
        bed.cluster.faultOf = (name) => {
          if (name === "KvCommit") cut = true
          return cut && name === "KvCommit" ? { kind: "lost-answer" } : undefined
        }
        const batch = batchOf((writes) => {
          writes.put(Table.Key, account(0), rowOf(1))
          writes.put(Table.Meta, counter, rowOf(2))
        })
        const told = yield* commitOn(bed.engine, batch)
        const seen = yield* readOn(bed.engine, [point(0), counterNeed], (view) => [
          numberOf(view.get(Table.Key, account(0))),
          numberOf(view.get(Table.Meta, counter))
        ])
        return { told, seen }
      })
    )
    assert.strictEqual(outcome.told.kind, "uncertain")
    assert.deepStrictEqual(outcome.seen, [1, 2])
  })

  it("rolls back what never reached its primary key, even when it arrives later", () => {
    const outcome = onFakeCluster(4, (bed) =>
      Effect.gen(function* () {
        yield* openBank(bed)
        bed.cluster.faultOf = (name) => (name === "KvCommit" ? { kind: "lost-request" } : undefined)
        const batch = batchOf((writes) => writes.put(Table.Meta, counter, rowOf(2)))
        const told = yield* commitOn(bed.engine, batch)
        const seen = yield* readOn(bed.engine, [counterNeed], (view) => numberOf(view.get(Table.Meta, counter)))
        return { told: told.kind, seen }
      })
    )
    assert.deepStrictEqual(outcome, { told: "uncertain", seen: 1 })
  })

  it("tells a writer of an earlier term that it conflicts, whoever is faster", () => {
    for (let seed = 1; seed <= 20; seed++) {
      onFakeCluster(seed, (bed) =>
        Effect.gen(function* () {
          yield* openBank(bed)
          const other = yield* bed.another
          const write = (engine: Engine) =>
            commitOn(
              engine,
              batchOf((writes) => {
                writes.expect(Table.Meta, counter, rowOf(1))
                writes.put(Table.Meta, counter, rowOf(2))
              })
            )
          const ends = yield* Effect.all([write(bed.engine), write(other)], { concurrency: 2 })
          assert.deepStrictEqual(ends.map(({ kind }) => kind).sort(), ["committed", "conflict"])
        })
      )
    }
  })
})

describe("a placement driver in trouble", () => {
  it("is asked for timestamps again when it lost its leadership, and none goes backwards", () => {
    onFakeCluster(5, (bed) =>
      Effect.gen(function* () {
        yield* openBank(bed)
        bed.cluster.refusedTimestamps = 3
        const before = yield* bed.client.oracle.timestamp
        const many = yield* Effect.all(
          Array.from({ length: 50 }, () => bed.client.oracle.timestamp),
          {
            concurrency: "unbounded"
          }
        )
        assert.strictEqual(new Set(many).size, 50)
        for (const one of many) assert.isTrue(one > before)
        assert.strictEqual(bed.cluster.refusedTimestamps, 0)
      })
    )
  })

  it("is named when it is not there, with what was said", () => {
    const world = new VirtualWorld(6)
    const silent: Transport = {
      call: (address, path, _request, _timeoutMs, ended) => {
        ended(new RpcFailed({ address, path, code: 14, detail: "connection refused" }), new Uint8Array(0))
        return () => undefined
      },
      stream: () => ({ send: () => undefined, close: () => undefined })
    }
    const options = { endpoints: ["http://10.0.0.1:2379"], serviceId: "test" }
    const failure = world.run(Effect.flip(Effect.scoped(openTikvClient(silent, options))))
    assert.match(failure.message, /no placement driver of 10\.0\.0\.1:2379 serves: .*connection refused/)
  })
})

describe("mistakes planted on purpose", () => {
  it("finds a store that overlooks conflicts", () => {
    assert.isTrue(
      isFound((seed) =>
        onFakeCluster(seed, (bed) =>
          Effect.gen(function* () {
            bed.cluster.store.planted.add("ignore-conflicts")
            yield* openBank(bed)
            const other = yield* bed.another
            const both = [bed.engine, other].map((engine) => transfer(engine, 1, 2, 5))
            const ends = yield* Effect.all(both, { concurrency: 2 })
            const { revision } = yield* audit(bed.engine)
            assert.strictEqual(revision, 1 + ends.filter((end) => end === "committed").length)
          })
        )
      )
    )
  })

  // At each stage at which a commit's end may become unknown: the primary's commit, and the prewrites that commit by themselves.
  for (const [stage, method, ways] of [
    ["a lost commit", "KvCommit", { onePhase: false, asynchronous: false }],
    ["a lost one-phase prewrite", "KvPrewrite", { onePhase: true, asynchronous: false }],
    ["a lost asynchronous prewrite", "KvPrewrite", { onePhase: false, asynchronous: true }]
  ] as const) {
    it(`finds a client that calls ${stage} failed`, () => {
      /** What a writer is told of a batch whose answers are lost, and whether its row is there. */
      const told = (make: (engine: Engine) => Engine) =>
        onFakeCluster(
          7,
          (bed) =>
            Effect.gen(function* () {
              yield* openBank(bed)
              bed.cluster.faultOf = (name) => (name === method ? { kind: "lost-answer" } : undefined)
              const { kind } = yield* commitOn(
                make(bed.engine),
                batchOf((writes) => writes.put(Table.Meta, counter, rowOf(2)))
              )
              bed.cluster.faultOf = () => undefined
              return { kind, there: (yield* audit(bed.engine)).revision === 2 }
            }),
          { ways }
        )
      assert.deepStrictEqual(
        told((engine) => engine),
        { kind: "uncertain", there: true }
      )
      assert.deepStrictEqual(told(dishonest), { kind: "failed", there: true })
    })
  }

  for (const method of ["KvBatchGet", "KvScan", "KvPrewrite"] as const) {
    it(`finds a client that takes the refusal of a ${method} for its answer`, () => {
      const run = (seed: number) =>
        onFakeCluster(
          seed,
          (bed) => {
            const error = regionErrorKinds[bed.world.below(regionErrorKinds.length)]
            bed.cluster.faultOf = (name) =>
              name === method && bed.world.below(100) < 10 ? { kind: "region", error } : undefined
            return runBank(bed, 25, () => moveRegions(bed))
          },
          { wrap: overlooking(method) }
        )
      assert.isTrue(isFound(run))
    })
  }

  it("finds a client that takes the refusal of a KvCommit for its answer", () => {
    const run = (seed: number) =>
      onFakeCluster(
        seed,
        (bed) =>
          Effect.gen(function* () {
            yield* openBank(bed)
            const other = yield* bed.another
            bed.cluster.faultOf = (name) => (name === "KvCommit" ? { kind: "region", error: "notLeader" } : undefined)
            const told = yield* transfer(bed.engine, 1, 2, 5)
            // Whoever wrote it would mend it; another finds locks whose time is over.
            yield* Effect.sleep("2 seconds")
            assert.strictEqual((yield* audit(other)).revision, told === "committed" ? 2 : 1)
          }),
        { wrap: overlooking("KvCommit") }
      )
    assert.isTrue(isFound(run))
  })
})

const dishonest = (engine: Engine): Engine => ({
  ...engineOf(engine),
  commit: (batch, done) =>
    engine.commit(batch, (outcome) =>
      done(outcome.kind === "uncertain" ? { kind: "failed", reason: "io", detail: "" } : outcome)
    )
})

/** A way to the cluster on which a region's refusal of one method is lost from the answer. */
const overlooking =
  (name: string) =>
  (transport: Transport): Transport => {
    const method = Object.values(StoreMethods).find(({ path }) => path.endsWith(`/${name}`))
    return {
      call: (address, path, request, timeoutMs, ended) =>
        transport.call(address, path, request, timeoutMs, (failure, answer) => {
          if (failure !== undefined || path !== method?.path) return ended(failure, answer)
          const codec = method.response as Message<{ regionError?: unknown }>
          ended(undefined, codec.encode({ ...codec.decode(Buffer.from(answer)), regionError: undefined }))
        }),
      stream: (address, path, handler) => transport.stream(address, path, handler)
    }
  }

const engineOf = (engine: Engine): Engine => ({
  name: engine.name,
  durable: engine.durable,
  read: (needs, use, failed) => engine.read(needs, use, failed),
  commit: (batch, done) => engine.commit(batch, done),
  partitions: (table, start, end) => engine.partitions(table, start, end),
  clock: () => engine.clock(),
  size: () => engine.size(),
  close: () => engine.close()
})
