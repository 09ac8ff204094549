// Effects on a virtual Clockwork, and the Client in their terms.
import { assert, describe, it } from "vitest"
import { Clock, Effect, Exit, Fiber, Random, Schedule, Stream } from "effect"
import { ApiFailure, effectClient, gvr, type KubeObject, makeClockworkRuntime } from "#kube"
import { FakeServer } from "./FakeServer.ts"
import { VirtualClock } from "./VirtualClock.ts"

const maps = gvr("", "v1", "configmaps")
const all = { resource: maps, namespace: "" }
const named = (name: string) => ({ resource: maps, namespace: "a", name })

const map = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "a", name }
})

const runIn = <A, E>(clock: VirtualClock, effect: Effect.Effect<A, E>, forMs: number): Exit.Exit<A, E> => {
  let end: Exit.Exit<A, E> | undefined
  makeClockworkRuntime(clock).run(effect, (exit) => {
    end = exit
  })
  clock.run(forMs)
  if (end === undefined) throw new Error("the effect has not ended")
  return end
}

/** Ten workers that wait, draw and yield: their interleaving is the log. */
const race = Effect.gen(function* () {
  const log: Array<string> = []
  const worker = (id: number) =>
    Effect.gen(function* () {
      for (let turn = 0; turn < 20; turn++) {
        yield* Effect.sleep((yield* Random.nextIntBetween(0, 50)) * 10)
        yield* Effect.yieldNow
        log.push(`${id}:${turn}@${yield* Clock.currentTimeMillis}`)
      }
    })
  yield* Effect.all(
    Array.from({ length: 10 }, (_, id) => worker(id)),
    { concurrency: "unbounded" }
  )
  return log
})

describe("ClockworkRuntime", () => {
  it("sleeps in virtual time", () => {
    const clock = new VirtualClock(1)
    const slept = Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      yield* Effect.sleep("36 hours")
      return (yield* Clock.currentTimeMillis) - before
    })
    assert.deepStrictEqual(runIn(clock, slept, 200_000_000), Exit.succeed(129_600_000))
  })

  it("repeats, retries and times out in virtual time", () => {
    const clock = new VirtualClock(1)
    let turns = 0
    const repeated = Effect.sync(() => turns++).pipe(
      Effect.repeat(Schedule.spaced("10 seconds")),
      Effect.timeoutOption("1 minute")
    )
    runIn(clock, repeated, 61_000)
    assert.strictEqual(turns, 6)
  })

  it("does the same in every run of a seed, and otherwise with another", () => {
    const once = (seed: number) => JSON.stringify(runIn(new VirtualClock(seed), race, 20_000))
    assert.strictEqual(once(1), once(1))
    assert.notStrictEqual(once(1), once(2))
  })

  it("takes its timers back when it is interrupted", () => {
    const clock = new VirtualClock(1)
    const runtime = makeClockworkRuntime(clock)
    let woke = false
    let exit: Exit.Exit<void> | undefined
    const cancel = runtime.run(
      Effect.andThen(
        Effect.sleep("1 second"),
        Effect.sync(() => {
          woke = true
        })
      ),
      (end) => {
        exit = end
      }
    )
    clock.run(500)
    cancel()
    clock.run(5000)
    assert.isFalse(woke)
    assert.isTrue(exit !== undefined && Exit.hasInterrupts(exit))
  })
})

describe("EffectClient", () => {
  it("answers and fails as the client does", () => {
    const clock = new VirtualClock(1)
    const client = effectClient(new FakeServer(clock).client)
    const program = Effect.gen(function* () {
      const made = yield* client.create({ resource: maps, namespace: "a" }, map("x"))
      const read = yield* client.get(named("x"))
      const twice = yield* Effect.flip(client.create({ resource: maps, namespace: "a" }, map("x")))
      const missing = yield* Effect.flip(client.get(named("y")))
      const { items } = yield* client.list(all)
      yield* client.delete(named("x"))
      return [made === read, twice.reason, missing.reason, items.length]
    })
    assert.deepStrictEqual(runIn(clock, program, 10_000), Exit.succeed([true, "AlreadyExists", "NotFound", 1]))
  })

  it("streams a watch until it is over, and ends it with its scope", () => {
    const clock = new VirtualClock(1)
    const server = new FakeServer(clock)
    const client = effectClient(server.client)
    const program = Effect.gen(function* () {
      const watching = yield* client.watch(all, { resourceVersion: "1" }).pipe(
        Stream.take(3),
        Stream.map(({ object, type }) => `${type} ${object.metadata.name}`),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* Effect.sleep("1 second")
      for (const name of ["a", "b", "c", "d"]) yield* client.create({ resource: maps, namespace: "a" }, map(name))
      return yield* Fiber.join(watching)
    })
    assert.deepStrictEqual(runIn(clock, program, 10_000), Exit.succeed(["ADDED a", "ADDED b", "ADDED c"]))
    assert.strictEqual(server.watchers, 0)
    const ending = client.watch(all, { resourceVersion: "1", timeoutSeconds: 5 }).pipe(Stream.runCount)
    assert.deepStrictEqual(runIn(clock, ending, 10_000), Exit.succeed(4))
    server.compact()
    const expired = runIn(clock, Effect.flip(Stream.runDrain(client.watch(all, { resourceVersion: "1" }))), 10_000)
    assert.isTrue(Exit.isSuccess(expired) && expired.value instanceof ApiFailure && expired.value.code === 410)
  })

  it("fails a watch whose consumer falls behind, instead of holding everything", () => {
    const clock = new VirtualClock(1)
    const server = new FakeServer(clock)
    server.faults.latencyMs = 0
    const slow = effectClient(server.client)
      .watch(all, { resourceVersion: "1" })
      .pipe(
        Stream.runForEach(() => Effect.sleep("1 hour")),
        Effect.flip
      )
    let end: Exit.Exit<ApiFailure, void> | undefined
    makeClockworkRuntime(clock).run(slow, (exit) => {
      end = exit
    })
    clock.run(10)
    for (let at = 0; at < 10_000; at++) server.put("configmaps", map(`m-${at}`))
    clock.run(10)
    assert.strictEqual(server.watchers, 0)
    clock.run(3_600_000 * 5000)
    assert.isTrue(end !== undefined && Exit.isSuccess(end) && end.value.code === 410)
  })
})
