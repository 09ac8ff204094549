// Both loops against a client that answers when the test says so.
import { type CallOptions, type ClientCall, type GrpcClient, GrpcStatus } from "#net"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { TxnResponse } from "../../core/storage/rpc/KvMessages.ts"
import { callPlaces } from "../../scenarios/generator/Call.ts"
import { LoadDriver } from "../../scenarios/generator/LoadDriver.ts"
import { RunContext } from "../../scenarios/generator/RunContext.ts"
import { Tally } from "../../scenarios/generator/Tally.ts"
import { writeOperations } from "../../scenarios/generator/WriteOperations.ts"
import type { Load } from "../../scenarios/Scenario.ts"

const answer = TxnResponse.encode({
  header: { clusterId: 1, memberId: 1, revision: 9, raftTerm: 1 },
  succeeded: true,
  responses: []
})

type Callback = (error: GrpcStatus | undefined, message: Uint8Array) => void

class FakeClient implements GrpcClient {
  ready = true
  waiting: Array<Callback> = []
  most = 0
  unary(_path: string, _message: Uint8Array, callback: Callback, _options?: CallOptions): ClientCall {
    this.waiting.push(callback)
    this.most = Math.max(this.most, this.waiting.length)
    return { cancel: () => callback(GrpcStatus.of(1, "cancelled"), new Uint8Array(0)) }
  }
  stream(): never {
    throw new Error("not used")
  }
  close(): void {}
}

const load = (shape: Load["shape"], more: Partial<Load>): Load => ({
  name: "load",
  shape,
  connections: 1,
  timeout: 30_000,
  inFlightMax: 10_000,
  mix: [{ op: "create", weight: 1, order: "uniform" }],
  ...more
})

const drive = (settings: Load) => {
  const client = new FakeClient()
  const context = new RunContext(1, [{ name: "k", prefix: "/k/", keyBytes: 40, suffix: "random", preset: 0 }])
  const tally = new Tally("create", "write", settings.shape.parallelismLimitedLoad === undefined)
  const [operation] = settings.mix
  const behaviour = writeOperations.create({ operation, context, name: "create" })
  const ended: { note?: string | undefined; over: boolean } = { over: false }
  const driver = new LoadDriver({
    load: settings,
    context,
    ...callPlaces([client], context),
    operations: [{ behaviour, tally, weight: 1 }],
    onEnd: (note) => {
      ended.note = note
      ended.over = true
    }
  })
  return { client, driver, tally, ended, context }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1))

describe("a closed loop", () => {
  it("keeps exactly its parallelism in flight and ends after its actions, all accounted for", () => {
    const cases = fc.record({
      parallelism: fc.integer({ min: 1, max: 50 }),
      actions: fc.integer({ min: 1, max: 300 }),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 50 })
    })
    fc.assert(
      fc.property(cases, ({ actions, parallelism, picks }) => {
        const { client, driver, ended, tally } = drive(
          load({ parallelismLimitedLoad: { parallelismLimit: parallelism } }, { actions })
        )
        driver.start()
        for (let step = 0; client.waiting.length > 0; step++) {
          const [callback] = client.waiting.splice(picks[step % picks.length] % client.waiting.length, 1)
          if (picks[step % picks.length] % 5 === 0) callback(GrpcStatus.of(14, "gone"), new Uint8Array(0))
          else callback(undefined, answer)
        }
        assert.isTrue(ended.over)
        assert.isAtMost(client.most, parallelism)
        const record = tally.record("phase")
        const failed = record.errors["Unavailable"] ?? 0
        assert.include(record, { planned: actions, sent: actions, lost: 0 })
        assert.strictEqual(record.completed + failed, actions)
        assert.strictEqual(record.latency.count, record.completed)
        assert.strictEqual(record.service.count, record.completed)
      })
    )
  })

  it("ends at once, and says why, when its connection is gone or nothing is left to act on", () => {
    const lost = drive(load({ parallelismLimitedLoad: { parallelismLimit: 5 } }, { actions: 10 }))
    lost.client.ready = false
    lost.driver.start()
    assert.match(lost.ended.note ?? "", /connection to the server was lost/)
    assert.strictEqual(lost.tally.planned, 0)
  })
})

describe("an open loop", () => {
  it("sends at planned times whatever the server does, and never more at once than its bound", async () => {
    const settings = load({ steppedLoad: { burstSize: 40, stepDelay: 5 } }, { actions: 120, inFlightMax: 30 })
    const { client, driver, ended, tally } = drive(settings)
    driver.start()
    assert.strictEqual(client.waiting.length, 30)
    while (!ended.over) {
      await turn()
      for (const callback of client.waiting.splice(0)) callback(undefined, answer)
    }
    assert.strictEqual(client.most, 30)
    assert.include(tally.record("phase"), { planned: 120, sent: 120, completed: 120, lost: 0 })
  })

  it("measures from the planned time: what had to wait for its turn is slower than its service", async () => {
    const { client, driver, ended, tally } = drive(
      load({ steppedLoad: { burstSize: 10, stepDelay: 1000 } }, { actions: 10, inFlightMax: 1 })
    )
    driver.start()
    while (!ended.over) {
      await turn()
      for (const callback of client.waiting.splice(0)) callback(undefined, answer)
    }
    const { latency, service } = tally.record("phase")
    assert.strictEqual(latency.count, 10)
    assert.isAbove(latency.max ?? 0, service.max ?? 0)
    assert.isAbove(latency.mean ?? 0, service.mean ?? 0)
  })

  it("counts what was planned and never sent as lost, and an action without an answer as an error", async () => {
    const settings = load({ qpsLoad: { qps: 1000 } }, { duration: 5, inFlightMax: 2, timeout: 1 })
    const { driver, ended, tally } = drive(settings)
    driver.start()
    for (let waited = 0; waited < 200 && !ended.over; waited++) {
      await turn()
      driver.sweep()
    }
    assert.isTrue(ended.over)
    const record = tally.record("phase")
    assert.strictEqual(record.planned, 5)
    assert.isAbove(record.errors["DeadlineExceeded"], 0)
    assert.strictEqual(
      record.planned,
      record.completed + record.lost + Object.values(record.errors).reduce((sum, n) => sum + n, 0)
    )
  })
})
