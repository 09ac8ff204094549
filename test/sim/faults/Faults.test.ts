// The network and the disk do what they say: order, loss, partitions and breaks; what a crash keeps and what it loses.
import { assert, describe, it } from "vitest"
import { Table, WriteBatch, type CommitOutcome } from "#storage"
import {
  defaultNetwork,
  drawPlan,
  FaultInjector,
  FaultPlanInvalid,
  Kernel,
  Network,
  parseFaultPlan,
  planEndMs,
  RandomStream,
  SimDisk
} from "#sim"

const pair = (options = defaultNetwork) => {
  const kernel = new Kernel({ seed: 4 })
  const network = new Network(kernel, options)
  const [a, b] = [kernel.process("a"), kernel.process("b")]
  return { kernel, network, a, b }
}

describe("a connection", () => {
  it("delivers in order, however long each message takes", () => {
    const profile = { latency: { kind: "uniform" as const, fromMs: 1, toMs: 100 }, lossRate: 0.3, resetRate: 0 }
    const { a, b, kernel, network } = pair({ ...defaultNetwork, profile })
    const connection = network.connect(a, b)!
    const seen: Array<number> = []
    for (let at = 0; at < 100; at++) connection.send("client", () => seen.push(at))
    kernel.run({})
    assert.deepStrictEqual(
      seen,
      Array.from({ length: 100 }, (_, at) => at)
    )
  })

  it("holds what is sent into a short partition, and breaks in a long one", () => {
    for (const [forMs, isBroken] of [
      [5000, false],
      [20_000, true]
    ] as const) {
      const { a, b, kernel, network } = pair()
      const connection = network.connect(a, b)!
      const told: Array<string> = []
      connection.onBroken.client = () => told.push("client")
      connection.onBroken.server = () => told.push("server")
      network.setPartition([a], [b], true)
      assert.isUndefined(network.connect(a, b))
      connection.send("client", () => told.push("message"))
      kernel.run({ untilMs: forMs })
      network.setPartition([a], [b], false)
      kernel.run({})
      assert.deepStrictEqual(told.sort(), isBroken ? ["client", "server"] : ["message"])
    }
  })

  it("ends with the process at its other end", () => {
    const { a, b, kernel, network } = pair()
    const connection = network.connect(a, b)!
    let told = 0
    connection.onBroken.client = () => told++
    connection.send("client", () => assert.fail("delivered to a process that is gone"))
    b.crash()
    kernel.run({})
    assert.strictEqual(told, 1)
    assert.isUndefined(network.connect(a, b))
    b.start()
    assert.isDefined(network.connect(a, b))
  })
})

describe("a disk", () => {
  const put = (key: string): WriteBatch => {
    const batch = new WriteBatch()
    batch.put(Table.Key, Buffer.from(key), Buffer.from("x"), true)
    return batch
  }
  const has = (disk: SimDisk, kernel: Kernel, key: string): boolean => {
    let found = false
    disk.open(kernel.process("reader")).read(
      () => [],
      (view) => (found = view.get(Table.Key, Buffer.from(key)) !== undefined)
    )
    return found
  }

  it("keeps what it acknowledged through a crash, and of what was under way all or nothing", () => {
    const kept = new Set<boolean>()
    for (let seed = 0; seed < 20; seed++) {
      const kernel = new Kernel({ seed })
      const disk = new SimDisk(kernel, "d")
      const process = kernel.process("store")
      const engine = disk.open(process)
      let outcome: CommitOutcome | undefined
      engine.commit(put("first"), (answered) => (outcome = answered))
      kernel.run({})
      assert.deepStrictEqual(outcome, { kind: "committed" })
      engine.commit(put("second"), () => assert.fail("acknowledged after the crash"))
      process.crash()
      kernel.run({})
      assert.isTrue(has(disk, kernel, "first"))
      kept.add(has(disk, kernel, "second"))
    }
    assert.strictEqual(kept.size, 2)
  })

  it("loses what it lied about, back to the last real flush", () => {
    const kernel = new Kernel({ seed: 1 })
    const disk = new SimDisk(kernel, "d")
    const process = kernel.process("store")
    const engine = disk.open(process)
    disk.lying = true
    for (const key of ["a", "b", "c"]) {
      engine.commit(put(key), () => undefined)
      kernel.run({})
      if (key === "a") disk.sync()
    }
    assert.isTrue(has(disk, kernel, "c"))
    process.crash()
    assert.deepStrictEqual(
      ["a", "b", "c"].map((key) => has(disk, kernel, key)),
      [true, false, false]
    )
  })

  it("stalls, fills up and fails", () => {
    const kernel = new Kernel({ seed: 1 })
    const disk = new SimDisk(kernel, "d", { flush: { kind: "constant", ms: 1 }, capacityBytes: 10 })
    const engine = disk.open(kernel.process("store"))
    const outcomes: Array<string> = []
    const commit = (key: string): void => {
      engine.commit(put(key), (outcome) =>
        outcomes.push(`${outcome.kind} ${"reason" in outcome ? outcome.reason : kernel.nowMs}`)
      )
      kernel.run({})
    }
    disk.stalledUntilMs = 500
    commit("a")
    commit("a key that does not fit")
    disk.failing = true
    commit("b")
    assert.deepStrictEqual(outcomes, ["committed 501", "failed no-space", "failed io"])
  })
})

describe("a plan", () => {
  const options = {
    fromMs: 0,
    toMs: 1000,
    steps: 50,
    servers: ["s"],
    clients: ["c"],
    kinds: ["crash", "partition", "skew", "compact"] as const
  }
  it("is drawn from the stream and can be read back", () => {
    const plan = drawPlan(new RandomStream(1), options)
    assert.deepStrictEqual(drawPlan(new RandomStream(1), options), plan)
    assert.deepStrictEqual(parseFaultPlan(JSON.parse(JSON.stringify(plan))), plan)
    assert.isAbove(planEndMs(plan), 0)
  })
  const refused: ReadonlyArray<readonly [unknown, RegExp]> = [
    [[{ kind: "crash", atMs: -1, forMs: 1, target: "s" }], /atMs/],
    [[{ kind: "crash", atMs: 1, target: "s" }], /forMs/],
    [[{ kind: "crash", atMs: 1, forMs: 1, target: "s", soon: true }], /soon/],
    [[{ kind: "meteor" }], /kind|meteor|Expected/],
    [[{ kind: "bad-link", atMs: 0, forMs: 1, side: [], other: [], medianMs: 1, lossRate: 2, resetRate: 0 }], /lossRate/]
  ]
  for (const [plan, message] of refused)
    it(`refuses ${JSON.stringify(plan)}`, () => {
      const parsed = parseFaultPlan(plan)
      assert(parsed instanceof FaultPlanInvalid)
      assert.match(parsed.message, message)
    })

  it("lets overlapping steps hold a part until the last of them ends", () => {
    const { a, b, kernel, network } = pair()
    const server = { process: b, start: () => b.start(), crash: () => b.crash() }
    new FaultInjector(kernel, network, { servers: new Map([["b", server]]), clients: new Map([["a", a]]) }).schedule([
      { kind: "crash", atMs: 10, forMs: 30, target: "b" },
      { kind: "crash", atMs: 20, forMs: 60, target: "b" },
      { kind: "partition", atMs: 15, forMs: 10, side: ["a"], other: ["*"] }
    ])
    const ups: Array<string> = []
    for (const atMs of [5, 18, 50, 90]) {
      kernel.run({ untilMs: atMs })
      ups.push(`${b.up} ${network.isBlocked(a, b)}`)
    }
    assert.deepStrictEqual(ups, ["true false", "false true", "false false", "true false"])
  })
})
